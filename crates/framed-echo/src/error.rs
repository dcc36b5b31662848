//! What can go wrong while frames are read and written.

use std::io;

use crate::Kind;

/// Why a stream of frames cannot go on.
///
/// A body that is too long is not among them when it is *received*: the decoder skips it and says so with
/// [`Item::TooLong`](crate::Item::TooLong), and the frames behind it are read as usual.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer stopped inside a header.
    #[error("stream ended inside a header: {missing} of {len} bytes are missing")]
    EndInHeader {
        /// Bytes that did not arrive.
        missing: usize,
        /// Bytes of a whole header.
        len: usize,
    },
    /// The peer stopped inside a body, or between a header and its body.
    #[error("stream ended inside a body of kind {kind}: {missing} of {len} bytes are missing")]
    EndInBody {
        /// The kind that the header announced.
        kind: Kind,
        /// Bytes that did not arrive.
        missing: usize,
        /// Bytes that the header announced.
        len: u32,
    },
    /// A frame that was to be sent has too long a body. Nothing of it was written.
    #[error("body of {len} bytes exceeds the limit of {max} bytes for kind {kind}")]
    TooLong {
        /// The kind of the frame.
        kind: Kind,
        /// Bytes of the body.
        len: usize,
        /// The limit for this kind, in bytes.
        max: u32,
    },
    /// The stream itself failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}
