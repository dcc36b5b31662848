//! Bytes on their way to the socket: a buffer that commands are encoded into, and long values sent from where they are.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// A queue of bytes, appended at the end and taken from the front.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// All bytes that are not in `parts`, in order.
    tail: BytesMut,
    /// What is sent from where it is, each with the bytes of `tail` that stand between it and the part before.
    parts: VecDeque<(usize, Bytes)>,
    /// The sum of these gaps: where in `tail` the bytes behind the last part begin.
    behind: usize,
    /// The bytes in `parts`.
    parts_len: usize,
}

/// The most slices that go into one vectored write.
const MAX_SLICES: usize = 32;
/// A buffer that grew beyond this is given back to the allocator when it is empty.
const KEEP: usize = 256 * 1024;

impl Outgoing {
    /// The buffer to append to.
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Appends `part` without copying it.
    pub(crate) fn push_shared(&mut self, part: Bytes) {
        self.parts_len += part.len();
        self.parts.push_back((self.tail.len() - self.behind, part));
        self.behind = self.tail.len();
    }

    /// Bytes not yet taken.
    pub(crate) fn len(&self) -> usize {
        self.parts_len + self.tail.len()
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
        let mut taken = 0;
        for (gap, part) in other.parts.drain(..) {
            self.tail.extend_from_slice(&other.tail[taken..taken + gap]);
            taken += gap;
            self.push_shared(part);
        }
        self.tail.extend_from_slice(&other.tail[taken..]);
        other.clear();
    }

    /// What comes next, as slices for one vectored write, and how many of them are used.
    pub(crate) fn slices(&self) -> ([IoSlice<'_>; MAX_SLICES], usize) {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut taken = 0;
        let in_parts = self.parts.iter().flat_map(|(gap, part)| {
            taken += gap;
            [&self.tail[taken - gap..taken], part]
        });
        let pieces = in_parts.chain([&self.tail[self.behind..]]);
        let mut used = 0;
        for (slice, piece) in slices
            .iter_mut()
            .zip(pieces.filter(|piece| !piece.is_empty()))
        {
            *slice = IoSlice::new(piece);
            used += 1;
        }
        (slices, used)
    }

    /// The first contiguous piece; empty only if there is nothing at all.
    pub(crate) fn first(&self) -> &[u8] {
        match self.parts.front() {
            None => &self.tail,
            Some((0, part)) => part,
            Some((gap, _)) => &self.tail[..*gap],
        }
    }

    pub(crate) fn is_contiguous(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes `n` bytes off the front. At most `len()`.
    pub(crate) fn advance(&mut self, mut n: usize) {
        while let Some((gap, part)) = self.parts.front_mut() {
            let from_tail = n.min(*gap);
            *gap -= from_tail;
            self.behind -= from_tail;
            self.tail.advance(from_tail);
            n -= from_tail;
            let from_part = n.min(part.len());
            self.parts_len -= from_part;
            part.advance(from_part);
            n -= from_part;
            if !part.is_empty() {
                return;
            }
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
            let piece = self.first().len().min(n);
            match self.parts.front() {
                Some((0, part)) => to.push_shared(part.slice(..piece)),
                _ => to.tail.extend_from_slice(&self.tail[..piece]),
            }
            self.advance(piece);
            n -= piece;
        }
    }

    fn clear(&mut self) {
        self.parts.clear();
        self.parts_len = 0;
        self.behind = 0;
        if self.tail.capacity() > KEEP {
            self.tail = BytesMut::new();
        } else {
            self.tail.clear();
        }
    }

    /// Everything in one piece.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        let mut taken = 0;
        for (gap, part) in &self.parts {
            all.extend_from_slice(&self.tail[taken..taken + gap]);
            all.extend_from_slice(part);
            taken += gap;
        }
        all.extend_from_slice(&self.tail[taken..]);
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
