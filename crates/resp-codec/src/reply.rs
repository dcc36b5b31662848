//! A decoded frame that owns its bytes.

use bytes::Bytes;

use crate::{build, frame::Frame, tape::Entry, view::FrameRef};

/// A frame with its bytes, to hand to another task; [`OwnedFrame::view`] reads it.
///
/// Its strings are taken out without copying. Each of them keeps the whole block alive that was read from the
/// network; what is to be stored for long is better copied.
#[derive(Clone)]
pub struct OwnedFrame {
    bytes: Bytes,
    tape: Tape,
}

/// Replies are mostly single values, and need no allocation.
#[derive(Clone)]
enum Tape {
    One(Entry),
    Many(Box<[Entry]>),
}

impl OwnedFrame {
    pub(crate) fn new(bytes: Bytes, tape: &[Entry]) -> Self {
        let tape = match tape {
            [entry] => Tape::One(*entry),
            entries => Tape::Many(entries.into()),
        };
        Self { bytes, tape }
    }

    /// The frame.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::expect_used,
        reason = "the decoder leaves at least one entry"
    )]
    pub fn view(&self) -> FrameRef<'_> {
        FrameRef::new(&self.bytes, self.tape(), self.bytes.len())
            .expect("a tape holds at least one frame")
    }

    /// The bytes of a string or a number, as [`FrameRef::as_bytes`], without copying them.
    #[must_use]
    pub fn into_bytes(self) -> Option<Bytes> {
        let range = self.view().payload()?;
        Some(self.bytes.slice(range))
    }

    /// The bytes of `part`, which is a view of this frame or of something in it, without copying them.
    ///
    /// `None` if it has no bytes, or is no part of this frame.
    #[must_use]
    pub fn slice(&self, part: FrameRef<'_>) -> Option<Bytes> {
        let range = part.payload()?;
        let here = self.bytes.get(range.clone())?;
        std::ptr::eq(here, part.as_bytes()?).then(|| self.bytes.slice(range))
    }

    /// The frame as a value; its strings share the bytes.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        build::frame(&self.bytes, self.tape(), |range| self.bytes.slice(range))
    }

    /// The wire form.
    #[must_use]
    pub fn as_wire(&self) -> &Bytes {
        &self.bytes
    }

    fn tape(&self) -> &[Entry] {
        match &self.tape {
            Tape::One(entry) => std::slice::from_ref(entry),
            Tape::Many(entries) => entries,
        }
    }
}

impl std::fmt::Debug for OwnedFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}
