//! Bytes on their way to the socket: a buffer that commands are encoded into, and long values sent from where they are.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// A queue of bytes, appended at the end and taken from the front.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// What stands in front of `tail`, in order.
    parts: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

/// The most slices that go into one vectored write.
const MAX_SLICES: usize = 32;
/// A buffer that grew beyond this is given back to the allocator when it is empty.
const KEEP: usize = 256 * 1024;

impl Outgoing {
    /// The buffer to append to. Its growth is counted when the queue is next looked at.
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Appends `part` without copying it.
    pub(crate) fn push_shared(&mut self, part: Bytes) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.len += tail.len();
            self.parts.push_back(tail);
        }
        self.len += part.len();
        self.parts.push_back(part);
    }

    /// Bytes not yet taken.
    pub(crate) fn len(&self) -> usize {
        self.len + self.tail.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves everything from `other` to the end of this queue, and leaves `other` an empty buffer to go on with.
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        for part in other.parts.drain(..) {
            self.push_shared(part);
        }
        self.tail.extend_from_slice(&other.tail);
        other.clear();
    }

    /// What comes next, as slices for one vectored write, and how many of them are used.
    pub(crate) fn slices(&self) -> ([IoSlice<'_>; MAX_SLICES], usize) {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let pieces = self.parts.iter().map(|part| &part[..]).chain(tail);
        let mut used = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
            used += 1;
        }
        (slices, used)
    }

    /// The first contiguous piece; empty only if there is nothing at all.
    pub(crate) fn first(&self) -> &[u8] {
        self.parts.front().map_or(&self.tail, |part| part)
    }

    pub(crate) fn is_contiguous(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes `n` bytes off the front. At most `len()`.
    pub(crate) fn advance(&mut self, mut n: usize) {
        while let Some(part) = self.parts.front_mut() {
            if n < part.len() {
                part.advance(n);
                self.len -= n;
                return;
            }
            n -= part.len();
            self.len -= part.len();
            self.parts.pop_front();
        }
        if n == self.tail.len() {
            self.clear();
        } else {
            self.tail.advance(n);
        }
    }

    /// Takes `n` bytes off the front and puts them at the end of `to`.
    pub(crate) fn move_to(&mut self, mut n: usize, to: &mut Self) {
        while n > 0 {
            let from_part = !self.parts.is_empty();
            let piece = self.first().len().min(n);
            if from_part && piece >= crate::request::SHARED_FROM {
                let shared = self.parts[0].slice(..piece);
                to.push_shared(shared);
            } else {
                let first = self.parts.front().map_or(&self.tail[..], |part| part);
                to.tail.extend_from_slice(&first[..piece]);
            }
            self.advance(piece);
            n -= piece;
        }
    }

    fn clear(&mut self) {
        self.parts.clear();
        self.len = 0;
        if self.tail.capacity() > KEEP {
            self.tail = BytesMut::new();
        } else {
            self.tail.clear();
        }
    }

    /// Everything in one piece.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        for part in &self.parts {
            all.extend_from_slice(part);
        }
        all.extend_from_slice(&self.tail);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Outgoing {
        let mut out = Outgoing::default();
        out.tail().extend_from_slice(b"abc");
        out.push_shared(Bytes::from_static(b"DEFG"));
        out.push_shared(Bytes::from_static(b"hi"));
        out.tail().extend_from_slice(b"jkl");
        out
    }

    #[test]
    fn bytes_leave_in_the_order_they_came_whatever_the_steps() {
        for step in 1..=12 {
            let mut out = sample();
            let mut seen = Vec::new();
            while !out.is_empty() {
                let (slices, used) = out.slices();
                let all: Vec<u8> = slices[..used]
                    .iter()
                    .flat_map(|slice| slice.to_vec())
                    .collect();
                assert_eq!(all, out.to_vec());
                let n = step.min(all.len());
                seen.extend_from_slice(&all[..n]);
                out.advance(n);
            }
            assert_eq!(seen, b"abcDEFGhijkl", "in steps of {step}");
        }
    }

    #[test]
    fn bytes_keep_their_order_when_they_are_moved() {
        for at in 0..=12 {
            let (mut from, mut to) = (sample(), Outgoing::default());
            from.move_to(at, &mut to);
            assert_eq!(to.to_vec(), b"abcDEFGhijkl"[..at], "{at} bytes");
            assert_eq!(from.to_vec(), b"abcDEFGhijkl"[at..], "{at} bytes");
            to.append(&mut from);
            assert_eq!(to.to_vec(), b"abcDEFGhijkl");
            assert!(from.is_empty());
        }
    }
}
