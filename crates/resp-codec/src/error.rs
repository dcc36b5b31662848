//! Why bytes could not be decoded, and where.

use std::io;

use thiserror::Error;

/// What a [`RespCodec`](crate::RespCodec) reports: bad bytes, or the failure of the stream below.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer sent bytes that are no RESP, or more than the limits allow.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Reading or writing the stream failed.
    #[error("i/o failed")]
    Io(#[from] io::Error),
}

/// Bytes that are no RESP, or exceed a limit.
///
/// The stream has lost its framing: nothing after the error can be trusted, and **the connection is to be closed**
/// (a server first writes an error reply). A decoder that has failed repeats the error for whatever it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} at byte {offset}")]
pub struct DecodeError {
    offset: usize,
    kind: DecodeErrorKind,
}

impl DecodeError {
    #[cold]
    pub(crate) fn new(offset: usize, kind: DecodeErrorKind) -> Self {
        Self { offset, kind }
    }

    /// Where the offending element begins, counted from the first byte of the frame or request.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }
}

/// What is wrong with the bytes.
///
/// The kinds that a request can raise print as Redis words them after `Protocol error: `; so does a server's reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Of a request: the number of arguments is no number, or above 2,147,483,647.
    #[error("invalid multibulk length")]
    InvalidMultibulkLength,
    /// Of a request: the length of an argument is no number, or negative.
    #[error("invalid bulk length")]
    InvalidBulkLength,
    /// Of a request: an argument that is no bulk string.
    #[error("expected '$', got '{}'", char::from(*.got))]
    ExpectedBulk {
        /// The byte found instead.
        got: u8,
    },
    /// Of a request: the line with the number of arguments does not end within `limit` bytes.
    #[error("too big mbulk count string")]
    MultibulkLineTooLong {
        /// [`Limits::inline_bytes`](crate::Limits::inline_bytes).
        limit: usize,
    },
    /// Of a request: the line with the length of an argument does not end within `limit` bytes.
    #[error("too big bulk count string")]
    BulkLineTooLong {
        /// [`Limits::inline_bytes`](crate::Limits::inline_bytes).
        limit: usize,
    },
    /// Of a request: an inline command that does not end within `limit` bytes.
    #[error("too big inline request")]
    InlineTooLong {
        /// [`Limits::inline_bytes`](crate::Limits::inline_bytes).
        limit: usize,
    },
    /// Of a request: an inline command with a NUL byte, in which Redis would wait for ever for the end of the line.
    #[error("NUL byte in inline request")]
    InlineNul,
    /// Of a request: an inline command with a quote that is not closed, or with text right behind a closing one.
    #[error("unbalanced quotes in request")]
    UnbalancedQuotes,

    /// Deeper nesting than [`Limits::depth`](crate::Limits::depth).
    #[error("nesting exceeds the limit of {limit} levels")]
    DepthLimit {
        /// The limit.
        limit: usize,
    },
    /// More elements or arguments than [`Limits::elements`](crate::Limits::elements).
    #[error("{count} elements exceed the limit of {limit}")]
    ElementsLimit {
        /// The number announced; of a streamed aggregate, the number so far.
        count: u64,
        /// The limit.
        limit: usize,
    },
    /// A string longer than [`Limits::bulk_bytes`](crate::Limits::bulk_bytes).
    #[error("bulk string of {len} bytes exceeds the limit of {limit} bytes")]
    BulkLimit {
        /// The length announced; of a streamed string, the length so far.
        len: u64,
        /// The limit.
        limit: usize,
    },
    /// A frame longer than [`Limits::frame_bytes`](crate::Limits::frame_bytes).
    #[error("frame exceeds the limit of {limit} bytes")]
    FrameLimit {
        /// The limit.
        limit: usize,
    },
    /// A line longer than [`Limits::inline_bytes`](crate::Limits::inline_bytes).
    #[error("line exceeds the limit of {limit} bytes")]
    LineLimit {
        /// The limit.
        limit: usize,
    },

    /// A first byte that is no RESP type, or one that may not stand here.
    #[error("unknown type byte '{}'", .0.escape_ascii())]
    UnknownType(u8),
    /// A length that is no number, out of range, or negative where no null is known.
    #[error("invalid length")]
    InvalidLength,
    /// `:` without a signed 64-bit number.
    #[error("invalid integer")]
    InvalidInteger,
    /// `,` without a floating-point number, `inf` or `nan`.
    #[error("invalid double")]
    InvalidDouble,
    /// `#` with something else than `t` or `f`.
    #[error("invalid boolean")]
    InvalidBoolean,
    /// `(` without a decimal integer.
    #[error("invalid big number")]
    InvalidBigNumber,
    /// `_` with something behind it.
    #[error("invalid null")]
    InvalidNull,
    /// `=` without three bytes and a colon before the text.
    #[error("invalid verbatim string")]
    InvalidVerbatim,
    /// A line or a string that is not closed by `\r\n`, or a bare `\r` or `\n` inside a line.
    #[error("expected '\\r\\n'")]
    MissingCrlf,
    /// A streamed string with something else than a chunk (`;`) in it.
    #[error("expected ';', got '{}'", .got.escape_ascii())]
    ExpectedChunk {
        /// The byte found instead.
        got: u8,
    },
    /// The end of a streamed aggregate (`.`) where none is open, or after a key without a value.
    #[error("unexpected end of a streamed aggregate")]
    UnexpectedEnd,
}
