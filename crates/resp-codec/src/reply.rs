//! A decoded frame that owns its bytes.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use crate::{build, frame::Frame, tape::Entry, view::FrameRef};

/// A frame with its bytes, to hand to another task; [`OwnedFrame::view`] reads it.
///
/// A frame of up to 46 bytes is copied. A longer one shares the block that was read from the network, and so do the
/// strings that are taken out of it: each keeps the whole block alive, so what is to be stored for long is better copied.
#[derive(Clone)]
pub struct OwnedFrame {
    wire: Wire,
    tape: Tape,
}

/// The bytes. Most replies are short, and copying those costs less than counting references.
#[derive(Clone)]
enum Wire {
    Short { len: u8, bytes: [u8; SHORT] },
    Shared(Bytes),
}

const SHORT: usize = 46;

/// The tape. Most replies are single values, and those need no allocation.
#[derive(Clone)]
enum Tape {
    One(Entry),
    Many(Box<[Entry]>),
}

impl OwnedFrame {
    /// Takes the first `len` bytes of `buf`, which `tape` describes.
    pub(crate) fn split(buf: &mut BytesMut, len: usize, tape: &[Entry]) -> Self {
        let tape = match tape {
            [entry] => Tape::One(*entry),
            entries => Tape::Many(entries.into()),
        };
        let wire = match u8::try_from(len) {
            Ok(short) if len <= SHORT => {
                let bytes = buf.first_chunk().copied().unwrap_or_else(|| {
                    let mut bytes = [0; SHORT];
                    bytes
                        .iter_mut()
                        .zip(&buf[..])
                        .for_each(|(place, byte)| *place = *byte);
                    bytes
                });
                buf.advance(len);
                Wire::Short { len: short, bytes } // what is behind the frame is never looked at
            }
            _ => Wire::Shared(buf.split_to(len).freeze()),
        };
        Self { wire, tape }
    }

    /// The frame.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::expect_used,
        reason = "the decoder leaves at least one entry"
    )]
    pub fn view(&self) -> FrameRef<'_> {
        let wire = self.as_wire();
        FrameRef::new(wire, self.tape(), wire.len()).expect("a tape holds at least one frame")
    }

    /// The bytes of a string or a number, as [`FrameRef::as_bytes`]; without copying those of a shared block.
    #[must_use]
    pub fn into_bytes(self) -> Option<Bytes> {
        let range = self.view().payload()?;
        Some(self.bytes(range))
    }

    /// The bytes of `part`, which is a view of this frame or of something in it; without copying those of a shared
    /// block.
    ///
    /// `None` if it has no bytes, or is no part of this frame.
    #[must_use]
    #[inline]
    pub fn slice(&self, part: FrameRef<'_>) -> Option<Bytes> {
        match &self.wire {
            Wire::Shared(shared) if part.is_of(shared) => Some(shared.slice(part.payload()?)),
            _ => self.slice_ref(part.as_bytes()?),
        }
    }

    /// `bytes`, which a view of this frame has given; without copying those of a shared block.
    ///
    /// `None` if they do not stand in this frame.
    #[must_use]
    #[inline(never)]
    pub fn slice_ref(&self, bytes: &[u8]) -> Option<Bytes> {
        let wire = self.as_wire();
        let at = bytes.as_ptr().addr().wrapping_sub(wire.as_ptr().addr());
        let end = at.checked_add(bytes.len())?;
        if end > wire.len() {
            return None;
        }
        Some(match &self.wire {
            Wire::Short { .. } => Bytes::copy_from_slice(bytes),
            Wire::Shared(shared) => shared.slice(at..end),
        })
    }

    /// The frame as a value; its strings share the block if this does.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        build::frame(self.as_wire(), self.tape(), |range| self.bytes(range))
    }

    /// The wire form.
    #[must_use]
    pub fn as_wire(&self) -> &[u8] {
        match &self.wire {
            Wire::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Wire::Shared(bytes) => bytes,
        }
    }

    fn bytes(&self, range: Range<usize>) -> Bytes {
        match &self.wire {
            Wire::Short { .. } => {
                Bytes::copy_from_slice(self.as_wire().get(range).unwrap_or_default())
            }
            Wire::Shared(bytes) => bytes.slice(range),
        }
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
