//! A decoded frame as a view of the bytes it stands in.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use crate::{
    build,
    decode::integer,
    frame::Frame,
    tape::{Entry, Kind, Tag, widen},
};

/// A frame, or an element of one, that borrows the bytes it was decoded from.
///
/// Attributes are not in the way: a view shows the frame that they describe, and [`FrameRef::attributes`] shows them.
#[derive(Clone, Copy)]
pub struct FrameRef<'a> {
    /// The bytes of the outermost frame, to which all offsets refer.
    buf: &'a [u8],
    tape: &'a [Entry],
    /// The element, behind its attributes.
    entry: &'a Entry,
    index: u32,
    /// The first attribute; `index` if there is none.
    first: u32,
}

impl<'a> FrameRef<'a> {
    /// The view of a frame of one element.
    #[inline]
    pub(crate) fn single(wire: &'a [u8], entry: &'a Entry) -> Self {
        Self {
            buf: wire,
            tape: std::slice::from_ref(entry),
            entry,
            index: 0,
            first: 0,
        }
    }

    /// The view of the whole frame, `len` bytes long.
    #[inline]
    pub(crate) fn new(buf: &'a [u8], tape: &'a [Entry], len: usize) -> Option<Self> {
        Self::at(buf.get(..len)?, tape, 0)
    }

    #[inline]
    fn at(buf: &'a [u8], tape: &'a [Entry], first: u32) -> Option<Self> {
        let mut index = first;
        let mut entry = tape.get(widen(index))?;
        while entry.tag == Tag::Attribute {
            index = described(tape, index, entry);
            entry = tape.get(widen(index))?;
        }
        Some(Self {
            buf,
            tape,
            entry,
            index,
            first,
        })
    }

    /// The type.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> Kind {
        match self.entry.tag {
            Tag::Plain(kind) => kind,
            Tag::Streamed | Tag::Attribute | Tag::End => Kind::BulkString, // the last two are never viewed
        }
    }

    /// The bytes of a string, an error, a big number, a verbatim string (without its format) or a number.
    ///
    /// `None` for nulls, aggregates, and streamed strings, which stand in pieces (see [`FrameRef::to_bytes`]).
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self.entry.tag {
            Tag::Plain(kind) if has_bytes(kind) => self.buf.get(self.entry.payload()),
            _ => None,
        }
    }

    /// As [`FrameRef::as_bytes`], and the chunks of a streamed string put together.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Cow<'a, [u8]>> {
        if self.entry.tag != Tag::Streamed {
            return self.as_bytes().map(Cow::Borrowed);
        }
        let chunks = self.elements().filter_map(|chunk| chunk.as_bytes());
        Some(Cow::Owned(chunks.collect::<Vec<_>>().concat()))
    }

    /// [`FrameRef::as_bytes`], if they are UTF-8.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The value of an integer.
    #[must_use]
    #[inline]
    pub fn as_i64(&self) -> Option<i64> {
        if self.kind() == Kind::Integer {
            Some(integer(self.buf, self.entry))
        } else {
            None
        }
    }

    /// The value of a double.
    #[must_use]
    #[inline]
    pub fn as_f64(&self) -> Option<f64> {
        if self.kind() == Kind::Double {
            self.as_str()?.parse().ok()
        } else {
            None
        }
    }

    /// The value of a boolean.
    #[must_use]
    #[inline]
    pub fn as_bool(&self) -> Option<bool> {
        if self.kind() == Kind::Boolean {
            Some(self.as_bytes()? == b"t")
        } else {
            None
        }
    }

    /// Of a verbatim string: the three bytes that name its format.
    #[must_use]
    pub fn format(&self) -> Option<[u8; 3]> {
        if self.kind() != Kind::Verbatim {
            return None;
        }
        let colon = self.entry.payload().start.checked_sub(1)?;
        self.buf.get(colon.checked_sub(3)?..colon)?.try_into().ok()
    }

    /// Whether this is null, in any of the three forms.
    #[must_use]
    #[inline]
    pub fn is_null(&self) -> bool {
        matches!(self.kind(), Kind::Null | Kind::NullArray)
    }

    /// Whether this is an error, simple or bulk.
    #[must_use]
    #[inline]
    pub fn is_error(&self) -> bool {
        matches!(self.kind(), Kind::Error | Kind::BulkError)
    }

    /// Whether this is an array, a map, a set or a push.
    #[must_use]
    #[inline]
    pub fn is_aggregate(&self) -> bool {
        matches!(
            self.kind(),
            Kind::Array | Kind::Map | Kind::Set | Kind::Push
        )
    }

    /// The number of [`FrameRef::children`]; of a map, keys and values both count.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        if self.is_aggregate() {
            widen(self.entry.len)
        } else {
            0
        }
    }

    /// Whether there are no children.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements of an aggregate, of a map its keys and values in turn. Empty for everything else.
    #[must_use]
    #[inline]
    pub fn children(&self) -> Children<'a> {
        Children {
            left: self.len(),
            ..self.elements()
        }
    }

    /// The keys and values of a map, or of an array of an even length, which is how RESP2 sends one.
    #[must_use]
    #[inline]
    pub fn pairs(&self) -> Pairs<'a> {
        Pairs {
            children: self.children(),
        }
    }

    /// The attributes that stand before this frame, as keys and values.
    pub fn attributes(&self) -> impl Iterator<Item = (Self, Self)> + use<'a> {
        let (buf, tape, end) = (self.buf, self.tape, self.index);
        let mut at = self.first;
        std::iter::from_fn(move || {
            let entry = tape.get(widen(at)).filter(|_| at < end)?;
            let index = at.saturating_add(1);
            at = described(tape, at, entry);
            Some(Pairs {
                children: Children {
                    buf,
                    tape,
                    index,
                    left: widen(entry.len),
                },
            })
        })
        .flatten()
    }

    /// The wire form of the whole frame, without the attributes before it.
    #[must_use]
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        self.buf.get(self.range()).unwrap_or_default()
    }

    /// The bytes that the frame takes on the wire, of the outermost frame with the attributes before it.
    #[must_use]
    #[inline]
    pub fn frame_len(&self) -> usize {
        if self.first == 0 {
            return self.buf.len(); // this is the outermost frame
        }
        let range = self.range();
        let start = self
            .tape
            .get(widen(self.first))
            .map_or(range.start, Entry::at);
        range.end.saturating_sub(start)
    }

    /// Where [`FrameRef::raw`] stands in the outermost frame.
    #[inline]
    pub(crate) fn range(&self) -> Range<usize> {
        let end = self
            .tape
            .get(widen(self.entry.next))
            .map_or(self.buf.len(), Entry::at);
        self.entry.at()..end
    }

    /// Where [`FrameRef::as_bytes`] stands in the outermost frame.
    #[inline]
    pub(crate) fn payload(&self) -> Option<Range<usize>> {
        match self.entry.tag {
            Tag::Plain(kind) if has_bytes(kind) => Some(self.entry.payload()),
            _ => None,
        }
    }

    /// Whether `wire` is the outermost frame.
    #[inline]
    pub(crate) fn is_of(&self, wire: &[u8]) -> bool {
        std::ptr::eq(self.buf, wire)
    }

    /// Copies the frame, its attributes included, into a value of its own.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        let end = widen(self.entry.next);
        let tape = self.tape.get(widen(self.first)..end).unwrap_or_default();
        build::frame(self.buf, tape, |range| {
            Bytes::copy_from_slice(self.buf.get(range).unwrap_or_default())
        })
    }

    /// The children, the chunks of a streamed string too.
    #[inline]
    fn elements(&self) -> Children<'a> {
        let index = self.index.saturating_add(1);
        Children {
            buf: self.buf,
            tape: self.tape,
            index,
            left: widen(self.entry.len),
        }
    }
}

impl std::fmt::Debug for FrameRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_frame().fmt(f)
    }
}

/// The tape index of the frame that the attribute at `index` describes: behind its pairs.
#[cold]
#[inline(never)]
fn described(tape: &[Entry], index: u32, attribute: &Entry) -> u32 {
    let mut at = index.saturating_add(1);
    for _ in 0..attribute.len {
        at = tape.get(widen(at)).map_or(at, |entry| entry.next);
    }
    at
}

/// Whether the payload of this type is bytes that stand in one piece.
fn has_bytes(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Null | Kind::NullArray | Kind::Array | Kind::Map | Kind::Set | Kind::Push
    )
}

/// The elements of an aggregate; see [`FrameRef::children`].
#[derive(Debug, Clone)]
pub struct Children<'a> {
    buf: &'a [u8],
    tape: &'a [Entry],
    index: u32,
    left: usize,
}

impl<'a> Iterator for Children<'a> {
    type Item = FrameRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<FrameRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        let child = FrameRef::at(self.buf, self.tape, self.index)?;
        self.index = child.entry.next;
        Some(child)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Children<'_> {}

/// The keys and values of a map; see [`FrameRef::pairs`].
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    children: Children<'a>,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (FrameRef<'a>, FrameRef<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.children.next()?, self.children.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pairs = self.children.len() / 2;
        (pairs, Some(pairs))
    }
}

impl ExactSizeIterator for Pairs<'_> {}
