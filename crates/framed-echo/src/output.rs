//! Encoded frames on their way to the socket.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::Header;

/// Bytes to write: small bodies copied together, large ones in place, all written by one vectored call.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Written before `tail`.
    segments: VecDeque<Bytes>,
    tail: BytesMut,
    /// Bytes of all segments and the tail.
    len: usize,
}

/// From this size on, a body is handed to the kernel where it lies; below, a copy is cheaper than another segment.
const IN_PLACE_BYTES: usize = 8 * 1024;

/// Segments handed to one system call.
const MAX_SLICES: usize = 32;

impl Output {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a header for a body of `body_len` bytes; the caller appends that many bytes.
    pub(crate) fn header(&mut self, header: impl Header, body_len: u32) {
        self.with_tail(|tail| header.write(body_len, tail));
    }

    /// Appends what `write` puts into the buffer.
    pub(crate) fn with_tail(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let before = self.tail.len();
        write(&mut self.tail);
        self.len += self.tail.len() - before;
    }

    /// Appends bytes, without a copy if they are many.
    pub(crate) fn bytes(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if bytes.len() < IN_PLACE_BYTES {
            self.tail.extend_from_slice(&bytes);
        } else {
            self.close_tail();
            self.segments.push_back(bytes);
        }
    }

    /// As [`bytes`](Self::bytes), of bytes that somebody else holds too.
    pub(crate) fn shared(&mut self, bytes: &Bytes) {
        if bytes.len() < IN_PLACE_BYTES {
            self.len += bytes.len();
            self.tail.extend_from_slice(bytes);
        } else {
            self.bytes(bytes.clone());
        }
    }

    /// Appends a whole frame, copied.
    pub(crate) fn frame(&mut self, header: impl Header, body_len: u32, body: &[u8]) {
        self.with_tail(|tail| {
            header.write(body_len, tail);
            tail.extend_from_slice(body);
        });
    }

    /// Appends everything that is in another output.
    pub(crate) fn append(&mut self, other: Self) {
        self.close_tail();
        self.len += other.len;
        self.segments.extend(other.segments);
        self.tail = other.tail;
    }

    /// Uses this buffer for what is copied, if there is none yet.
    pub(crate) fn lend(&mut self, buffer: impl FnOnce() -> BytesMut) {
        if self.tail.capacity() == 0 {
            self.tail = buffer();
        }
    }

    /// Takes the buffer out of an output that is empty.
    pub(crate) fn take_buffer(&mut self) -> Option<BytesMut> {
        let has_one = self.is_empty() && self.tail.capacity() > 0;
        has_one.then(|| std::mem::take(&mut self.tail))
    }

    /// Moves what is left to a buffer of its own size, and returns the larger one.
    pub(crate) fn shrink(&mut self) -> Option<BytesMut> {
        let is_small = self.tail.len() < self.tail.capacity() / 4;
        is_small.then(|| {
            let own = BytesMut::from(&self.tail[..]);
            std::mem::replace(&mut self.tail, own)
        })
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.segments.push_back(self.tail.split().freeze());
        }
    }

    /// Writes once; ready with the number of bytes written.
    pub(crate) fn poll_write(
        &mut self,
        io: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let written = if self.segments.is_empty() {
            let written = ready!(io.poll_write(cx, &self.tail))?;
            self.tail.advance(written);
            written
        } else {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let parts = self
                .segments
                .iter()
                .map(|segment| &segment[..])
                .chain([&self.tail[..]]);
            let count = slices
                .iter_mut()
                .zip(parts)
                .map(|(slice, part)| *slice = IoSlice::new(part))
                .count();
            let written = ready!(io.poll_write_vectored(cx, &slices[..count]))?;
            self.advance(written);
            written
        };
        self.len -= written;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        Poll::Ready(Ok(written))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.segments.front_mut() {
            if first.len() > written {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.segments.pop_front();
        }
        self.tail.advance(written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, ReplyHeader};
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn writes_small_and_large_bodies_in_order_through_a_narrow_pipe() {
        let mut output = Output::default();
        let mut expected = Vec::new();
        let in_place = u32::try_from(IN_PLACE_BYTES).expect("small");
        for (sender, len) in (0..).zip([3, in_place, 0, 5, in_place + 1]) {
            let header = ReplyHeader {
                sender,
                kind: Kind::TEXT,
            };
            let body = vec![b'0'; len as usize];
            let mut head = BytesMut::new();
            header.write(len, &mut head);
            expected.extend([&head[..], &body[..]].concat());
            output.header(header, len);
            output.bytes(body.into());
        }
        assert_eq!(output.len(), expected.len());

        let (mut near, mut far) = tokio::io::duplex(1000);
        let write = async {
            while !output.is_empty() {
                poll_fn(|cx| output.poll_write(Pin::new(&mut near), cx))
                    .await
                    .expect("open");
            }
            drop(near);
        };
        let mut read = Vec::new();
        let (_, result) = tokio::join!(write, far.read_to_end(&mut read));
        result.expect("open");
        assert!(
            read == expected,
            "{} of {} bytes",
            read.len(),
            expected.len()
        );
    }
}
