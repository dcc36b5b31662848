//! A published message in the frame that it came in, read without making a reply of it.

use resp_codec::FrameRef;

use crate::connection::topics::TopicKind;

/// A published message in the frame that it came in.
pub(crate) struct Published<'a> {
    pub(crate) kind: TopicKind,
    /// The topic's name.
    pub(crate) name: &'a [u8],
    /// Where it was published, if that is not the topic itself.
    pub(crate) channel: Option<&'a [u8]>,
    /// A string in one piece.
    pub(crate) payload: FrameRef<'a>,
}

impl<'a> Published<'a> {
    /// `None` if it is something else, or not in the form that servers write.
    pub(crate) fn read(frame: FrameRef<'a>) -> Option<Self> {
        let mut elements = frame.children();
        let kind = TopicKind::of_message(elements.next()?.as_bytes()?)?;
        let name = elements.next()?.as_bytes()?;
        let channel = match kind {
            TopicKind::Pattern => Some(elements.next()?.as_bytes()?),
            TopicKind::Channel | TopicKind::Shard => None,
        };
        let payload = elements.next()?;
        payload.as_bytes()?;
        Some(Self {
            kind,
            name,
            channel,
            payload,
        })
    }
}
