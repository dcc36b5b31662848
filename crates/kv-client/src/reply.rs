//! One reply of the server, before it has become the type that the caller asked for.

use std::fmt;

use bytes::{Bytes, BytesMut};
use resp_codec::{Frame, FrameRef, Kind, OwnedFrame};

use crate::error::{ReplyError, ServerError};

/// One reply, or one element of one. [`FromReply`](crate::FromReply) turns it into the type that is wanted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reply {
    /// Null: there is no such key, field or element.
    Null,
    /// A number.
    Integer(i64),
    /// A floating-point number; RESP2 sends a [bulk string](Self::Bulk) instead.
    Double(f64),
    /// True or false; RESP2 sends the [numbers](Self::Integer) 1 and 0 instead.
    Boolean(bool),
    /// A status: `OK`.
    Simple(Bytes),
    /// Binary data. The bytes of a verbatim string are also delivered as this.
    Bulk(Bytes),
    /// A number of any size, in decimal.
    BigNumber(Bytes),
    /// An error; as the element of a transaction's reply, say.
    Error(ServerError),
    /// A list.
    Array(Elements),
    /// Keys and values in turn; RESP2 sends an [array](Self::Array) instead.
    Map(Elements),
    /// A set; RESP2 sends an [array](Self::Array) instead.
    Set(Elements),
    /// A message out of band.
    Push(Elements),
}

/// The elements of an aggregate reply; of a map, keys and values in turn.
#[derive(Clone)]
pub struct Elements(List);

#[derive(Clone)]
enum List {
    /// The frame as it arrived; elements are made of it one after the other, in the task of the caller.
    Frame(OwnedFrame),
    Replies(Vec<Reply>),
}

/// Strings shorter than this are copied out of the block that was read from the network, so that keeping a small value
/// does not keep a large block alive. Longer ones share it.
pub(crate) const SHARED_FROM: usize = 1024;

impl Reply {
    /// The reply in `frame`, which is not an aggregate: copies the bytes.
    pub(crate) fn from_scalar(frame: FrameRef<'_>) -> Self {
        Self::from_view(frame, copy)
    }

    /// The long bulk string that `buf` starts with: `frame_len` bytes in all, the last `len + 2` of them its data and CR LF.
    pub(crate) fn split_bulk(buf: &mut BytesMut, frame_len: usize, len: usize) -> Self {
        let frame = buf.split_to(frame_len).freeze();
        Self::Bulk(frame.slice(frame_len - 2 - len..frame_len - 2))
    }

    pub(crate) fn from_owned(frame: OwnedFrame) -> Self {
        let kind = frame.view().kind();
        match kind {
            Kind::Array => Self::Array(Elements(List::Frame(frame))),
            Kind::Map => Self::Map(Elements(List::Frame(frame))),
            Kind::Set => Self::Set(Elements(List::Frame(frame))),
            Kind::Push => Self::Push(Elements(List::Frame(frame))),
            _ => Self::from_view(frame.view(), copy),
        }
    }

    fn from_view(view: FrameRef<'_>, take: impl Fn(FrameRef<'_>) -> Option<Bytes> + Copy) -> Self {
        let bytes = || match take(view) {
            Some(bytes) => bytes,
            None => Bytes::from(view.to_bytes().unwrap_or_default().into_owned()),
        };
        let elements = || {
            Elements(List::Replies(
                view.children()
                    .map(|child| Self::from_view(child, take))
                    .collect(),
            ))
        };
        match view.kind() {
            Kind::SimpleString if view.as_bytes() == Some(b"OK") => {
                Self::Simple(Bytes::from_static(b"OK"))
            }
            Kind::SimpleString => Self::Simple(bytes()),
            Kind::Error | Kind::BulkError => {
                Self::Error(ServerError::new(view.as_bytes().unwrap_or_default()))
            }
            Kind::Integer => view.as_i64().map_or(Self::Null, Self::Integer),
            Kind::Double => view.as_f64().map_or(Self::Null, Self::Double),
            Kind::Boolean => view.as_bool().map_or(Self::Null, Self::Boolean),
            Kind::BigNumber => Self::BigNumber(bytes()),
            Kind::BulkString | Kind::Verbatim => Self::Bulk(bytes()),
            Kind::Array => Self::Array(elements()),
            Kind::Map => Self::Map(elements()),
            Kind::Set => Self::Set(elements()),
            Kind::Push => Self::Push(elements()),
            _ => Self::Null,
        }
    }

    /// The bytes of a string, a status or a big number.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(bytes) | Self::Bulk(bytes) | Self::BigNumber(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether this is the status `OK`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Simple(status) if status == "OK")
    }

    /// Whether this is null, or an aggregate without elements: what there is of a key that does not exist.
    #[must_use]
    pub fn is_null_or_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Array(elements) | Self::Map(elements) | Self::Set(elements) => {
                elements.is_empty()
            }
            _ => false,
        }
    }

    /// The elements of an array, a set, a push or a map.
    #[must_use]
    pub fn into_elements(self) -> Option<Elements> {
        match self {
            Self::Array(elements)
            | Self::Map(elements)
            | Self::Set(elements)
            | Self::Push(elements) => Some(elements),
            _ => None,
        }
    }

    /// What `make` makes of the elements of a list of bulk strings and nulls, the usual list: in half the steps that it takes
    /// to look at each element for itself. `None` for every other reply, and if `make` gives none.
    pub(crate) fn bulks<T>(&self, make: impl Fn(Option<Bytes>) -> Option<T>) -> Option<Vec<T>> {
        let Self::Array(Elements(List::Frame(frame))) = self else {
            return None;
        };
        let views = frame.view().children();
        let mut list = Vec::with_capacity(views.len());
        for view in views {
            let kind = view.kind();
            let bulk = if kind == Kind::BulkString {
                Some(take(frame, view)?)
            } else if kind == Kind::Null {
                None
            } else {
                return None;
            };
            list.push(make(bulk)?);
        }
        Some(list)
    }

    /// The error that says that `expected` was asked for and this came.
    #[must_use]
    pub fn mismatch(&self, expected: &'static str) -> ReplyError {
        ReplyError::new(expected, self.describe())
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Integer(number) => format!("the integer {number}"),
            Self::Double(number) => format!("the double {number}"),
            Self::Boolean(flag) => format!("the boolean {flag}"),
            Self::Simple(status) => format!("the status {}", String::from_utf8_lossy(status)),
            Self::Bulk(bytes) if bytes.len() == 1 => "a bulk string of 1 byte".to_owned(),
            Self::Bulk(bytes) => format!("a bulk string of {} bytes", bytes.len()),
            Self::BigNumber(_) => "a big number".to_owned(),
            Self::Error(error) => format!("the error {error}"),
            Self::Array(elements) => format!("an array of {}", elements.len()),
            Self::Map(elements) => format!("a map of {}", elements.len() / 2),
            Self::Set(elements) => format!("a set of {}", elements.len()),
            Self::Push(elements) => format!("a push of {}", elements.len()),
        }
    }
}

impl Elements {
    /// Number of elements; a key and its value are two.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            List::Frame(frame) => frame.view().children().len(),
            List::Replies(replies) => replies.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements one after the other. Strings of 1 KiB and more share the memory of the reply; shorter ones are copied.
    pub fn iter(&self) -> impl Iterator<Item = Reply> + '_ {
        let (frame, replies) = match &self.0 {
            List::Frame(frame) => (Some(frame), None),
            List::Replies(replies) => (None, Some(replies)),
        };
        let from_frame = frame.into_iter().flat_map(children);
        let from_frame = from_frame.map(Part::into_reply);
        from_frame.chain(replies.into_iter().flatten().cloned())
    }

    /// Feeds the elements to `each`, in the order of [`Self::iter`].
    pub(crate) fn try_for_each<E>(
        self,
        mut each: impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.0 {
            List::Frame(frame) => children(&frame).try_for_each(each),
            List::Replies(replies) => replies
                .into_iter()
                .try_for_each(|mut reply| each(Part(Form::Reply(&mut reply)))),
        }
    }
}

fn children(frame: &OwnedFrame) -> impl Iterator<Item = Part<'_>> {
    let view = frame.view();
    view.children()
        .map(move |view| Part(Form::View { view, frame }))
}

/// An element of an aggregate, before it has become anything.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "only `FromReply` has to do with it")]
pub struct Part<'a>(Form<'a>);

#[derive(Debug)]
enum Form<'a> {
    /// `view` is a part of `frame`.
    View {
        view: FrameRef<'a>,
        frame: &'a OwnedFrame,
    },
    /// Taken by whoever makes something of it.
    Reply(&'a mut Reply),
}

impl Part<'_> {
    pub(crate) fn into_reply(self) -> Reply {
        match self.0 {
            Form::View { view, frame } => Reply::from_view(view, |view| take(frame, view)),
            Form::Reply(reply) => std::mem::replace(reply, Reply::Null),
        }
    }

    #[inline]
    pub(crate) fn is_null(&self) -> bool {
        match &self.0 {
            Form::View { view, .. } => view.is_null(),
            Form::Reply(reply) => matches!(reply, Reply::Null),
        }
    }

    #[inline]
    pub(crate) fn is_array(&self) -> bool {
        match &self.0 {
            Form::View { view, .. } => view.kind() == Kind::Array,
            Form::Reply(reply) => matches!(reply, Reply::Array(_)),
        }
    }

    /// The error that it is.
    #[inline]
    pub(crate) fn error(&self) -> Option<ServerError> {
        match &self.0 {
            Form::View { view, .. } if view.is_error() => Some(server_error(*view)),
            Form::Reply(Reply::Error(error)) => Some(error.clone()),
            _ => None,
        }
    }

    /// Whether it is a bulk string.
    #[inline]
    pub(crate) fn is_bulk(&self) -> bool {
        match &self.0 {
            Form::View { view, .. } => view.kind() == Kind::BulkString,
            Form::Reply(_) => false,
        }
    }

    /// The bytes of a bulk string in one piece.
    #[inline]
    pub(crate) fn as_bulk(&self) -> Option<&[u8]> {
        match &self.0 {
            Form::View { view, .. } if view.kind() == Kind::BulkString => view.as_bytes(),
            _ => None,
        }
    }

    /// [`Self::as_bulk`], shared if that is long.
    #[inline]
    pub(crate) fn to_bulk(&self) -> Option<Bytes> {
        match &self.0 {
            Form::View { view, frame } if view.kind() == Kind::BulkString => take(frame, *view),
            _ => None,
        }
    }
}

#[cold]
fn server_error(view: FrameRef<'_>) -> ServerError {
    ServerError::new(view.as_bytes().unwrap_or_default())
}

/// The bytes of a string in one piece.
fn copy(view: FrameRef<'_>) -> Option<Bytes> {
    view.as_bytes().map(Bytes::copy_from_slice)
}

/// The bytes of `view`, which is a part of `frame`.
#[inline]
fn take(frame: &OwnedFrame, view: FrameRef<'_>) -> Option<Bytes> {
    let bytes = view.as_bytes()?;
    if bytes.len() >= SHARED_FROM {
        frame.slice(view)
    } else {
        Some(Bytes::copy_from_slice(bytes))
    }
}

impl From<Vec<Reply>> for Elements {
    fn from(replies: Vec<Reply>) -> Self {
        Self(List::Replies(replies))
    }
}

impl fmt::Debug for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl From<Reply> for Frame {
    fn from(reply: Reply) -> Self {
        let list = |elements: Elements| elements.iter().map(Self::from).collect::<Vec<_>>();
        match reply {
            Reply::Null => Self::Null,
            Reply::Integer(number) => Self::Integer(number),
            Reply::Double(number) => Self::Double(number),
            Reply::Boolean(flag) => Self::Boolean(flag),
            Reply::Simple(status) => Self::SimpleString(status),
            Reply::Bulk(bytes) => Self::BulkString(bytes),
            Reply::BigNumber(digits) => Self::BigNumber(digits),
            Reply::Error(error) => Self::Error(Bytes::from(error.text().to_owned())),
            Reply::Array(elements) => Self::Array(list(elements)),
            Reply::Set(elements) => Self::Set(list(elements)),
            Reply::Push(elements) => Self::Push(list(elements)),
            Reply::Map(elements) => {
                let mut flat = list(elements).into_iter();
                let mut pairs = Vec::with_capacity(flat.len() / 2);
                while let (Some(key), Some(value)) = (flat.next(), flat.next()) {
                    pairs.push((key, value));
                }
                Self::Map(pairs)
            }
        }
    }
}
