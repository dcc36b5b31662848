//! An argument: where it stands.

use std::ops::Range;

use crate::tape::widen;

/// One argument of a request: a place in the buffer, in 8 bytes.
///
/// The default is an empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arg {
    start: u32,
    /// The length; the top bit says that the bytes are a frame.
    len: u32,
}

const FRAME: u32 = 1 << 31;

impl Arg {
    pub(crate) fn text(start: u32, len: u32) -> Self {
        Self { start, len }
    }

    pub(super) fn frame(start: u32, len: u32) -> Self {
        Self {
            start,
            len: len | FRAME,
        }
    }

    /// The place of the argument.
    #[must_use]
    #[inline]
    pub fn range(self) -> Range<usize> {
        let start = widen(self.start);
        start..start.saturating_add(widen(self.len & !FRAME))
    }

    /// The argument, taken from the buffer that was decoded.
    ///
    /// # Panics
    ///
    /// `buf` is shorter than the buffer that was decoded.
    #[must_use]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "documented")]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        &buf[self.range()]
    }

    /// The number of bytes.
    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        widen(self.len & !FRAME)
    }

    /// Whether there are no bytes.
    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether the bytes are the wire form of a frame, not a text; see [`RequestDecoder::nested`](crate::RequestDecoder::nested).
    #[must_use]
    #[inline]
    pub fn is_frame(self) -> bool {
        self.len & FRAME != 0
    }

    /// The same argument when the first `by` bytes of the buffer are cut off. An argument that began there begins at 0.
    #[must_use]
    #[inline]
    pub fn shifted_back(self, by: usize) -> Self {
        Self {
            start: self
                .start
                .saturating_sub(u32::try_from(by).unwrap_or(u32::MAX)),
            len: self.len,
        }
    }

    /// The same argument when the request begins `by` bytes later in the buffer. For batches of up to 4 GiB.
    #[must_use]
    #[inline]
    pub fn shifted(self, by: usize) -> Self {
        Self {
            start: self
                .start
                .saturating_add(u32::try_from(by).unwrap_or(u32::MAX)),
            len: self.len,
        }
    }
}
