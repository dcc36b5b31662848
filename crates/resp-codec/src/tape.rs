//! The tape: one entry for each element of a frame, in the order of the wire.

/// The types of RESP, under their names in the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `+`
    SimpleString,
    /// `-`
    Error,
    /// `:`
    Integer,
    /// `$`, also the streamed form `$?`.
    BulkString,
    /// `_`, and RESP2's `$-1`.
    Null,
    /// RESP2's `*-1`.
    NullArray,
    /// `*`
    Array,
    /// `,`
    Double,
    /// `#`
    Boolean,
    /// `(`
    BigNumber,
    /// `!`
    BulkError,
    /// `=`
    Verbatim,
    /// `%`
    Map,
    /// `~`
    Set,
    /// `>`
    Push,
}

/// What an entry of the tape stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// A type whose bytes stand in one piece, or an aggregate.
    Plain(Kind),
    /// A bulk string in chunks: an aggregate of them.
    Streamed,
    /// Pairs, followed by the frame that they describe.
    Attribute,
    /// The `.` of a streamed aggregate or the empty chunk of a streamed string. Never a child.
    End,
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) tag: Tag,
    /// Bytes of the header: `start - header` is the type byte.
    pub(crate) header: u8,
    /// Where the payload begins; of an aggregate, its first element.
    pub(crate) start: u32,
    /// Bytes of the payload; of an aggregate, its elements (a key and its value are two).
    pub(crate) len: u32,
    /// The tape index behind this element and everything in it.
    pub(crate) next: u32,
}

impl Entry {
    /// `_\r\n`
    pub(crate) const NULL: Self = Self {
        tag: Tag::Plain(Kind::Null),
        header: 3,
        start: 3,
        len: 0,
        next: 1,
    };

    /// Where the type byte stands.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        widen(self.start).saturating_sub(usize::from(self.header))
    }

    /// The payload's place in the frame.
    #[inline]
    pub(crate) fn payload(&self) -> std::ops::Range<usize> {
        let start = widen(self.start);
        start..start.wrapping_add(widen(self.len)) // inside a frame
    }
}

/// Narrows an offset, a length or a count inside a frame.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a frame is cut to `Limits::MAX_FRAME_BYTES`, below 2^31"
)]
pub(crate) fn narrow(n: usize) -> u32 {
    debug_assert!(u32::try_from(n).is_ok(), "{n} exceeds a frame");
    n as u32
}

/// The inverse of [`narrow`].
#[inline]
pub(crate) fn widen(n: u32) -> usize {
    n as usize
}
