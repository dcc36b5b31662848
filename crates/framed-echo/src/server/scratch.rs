//! Buffers that the connections of a thread use in turn, so that an idle connection holds none and a busy one finds
//! its buffer in the cache.

use std::cell::RefCell;

use bytes::BytesMut;

/// Room in each buffer, in bytes: a whole message of the default `chunk_bytes` comes in one read.
pub(super) const SCRATCH_BYTES: usize = 72 * 1024;

/// Buffers that a thread keeps; a connection has two at work as a rule, one to read and one to write, and one more for
/// each long message that it reads at a time.
const MAX_FREE: usize = 8;

/// Larger ones are not kept.
const MAX_KEPT_BYTES: usize = 4 * SCRATCH_BYTES;

thread_local! {
    static FREE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for [`SCRATCH_BYTES`] at least.
pub(super) fn take() -> BytesMut {
    let free = FREE.with_borrow_mut(|free| {
        // The last is most likely in the cache. Of some, bytes may still be held: a message on its way out.
        let is_free = |buffer: &mut BytesMut| buffer.try_reclaim(SCRATCH_BYTES);
        let at = free.iter_mut().rposition(is_free);
        at.map(|at| free.remove(at))
    });
    free.unwrap_or_else(|| BytesMut::with_capacity(SCRATCH_BYTES))
}

/// Gives a buffer back, wherever it came from. What it still holds is gone.
pub(super) fn put(mut buffer: BytesMut) {
    if buffer.capacity() <= MAX_KEPT_BYTES {
        buffer.clear();
        FREE.with_borrow_mut(|free| {
            if free.len() == MAX_FREE {
                free.remove(0); // perhaps one whose bytes are held for long
            }
            free.push(buffer);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_bytes_that_somebody_holds_are_left_alone() {
        let mut first = take();
        let place = first.as_ptr();
        first.extend_from_slice(b"held");
        let held = first.split().freeze();
        put(first);
        let mut second = take();
        assert_ne!(second.as_ptr(), place, "the bytes are still held");
        second.extend_from_slice(b"next");
        assert_eq!(held[..], *b"held");

        let place = second.as_ptr();
        put(second);
        let third = take();
        assert_eq!(third.as_ptr(), place);
        assert!(third.is_empty() && third.capacity() >= SCRATCH_BYTES);
    }

    #[test]
    fn a_buffer_comes_back_when_its_bytes_are_let_go() {
        let mut lent = take();
        let place = lent.as_ptr();
        lent.extend_from_slice(b"a message");
        let held = lent.split().freeze();
        put(lent);
        put(take());
        drop(held);
        let places: Vec<_> = [take(), take()].iter().map(|b| b.as_ptr()).collect();
        assert!(places.contains(&place));
    }

    #[test]
    fn bytes_that_are_held_for_long_do_not_keep_others_out() {
        let held: Vec<_> = (0..2 * MAX_FREE)
            .map(|_| {
                let mut lent = take();
                lent.extend_from_slice(b"a message");
                let held = lent.split().freeze();
                put(lent);
                held
            })
            .collect();
        let lent = take();
        let place = lent.as_ptr();
        put(lent);
        assert_eq!(take().as_ptr(), place);
        drop(held);
    }
}
