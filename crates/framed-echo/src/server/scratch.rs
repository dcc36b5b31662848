//! Buffers that the connections of a thread use in turn, so that an idle connection holds none and a busy one finds
//! its buffer in the cache.

use std::cell::RefCell;

use bytes::BytesMut;

/// Room in each buffer, in bytes: a whole message of the default `chunk_bytes` comes in one read.
pub(super) const SCRATCH_BYTES: usize = 72 * 1024;

/// Buffers that a thread keeps; a connection has two at work as a rule, one to read and one to write.
const MAX_FREE: usize = 4;

/// Larger ones are not kept.
const MAX_KEPT_BYTES: usize = 4 * SCRATCH_BYTES;

thread_local! {
    static FREE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for [`SCRATCH_BYTES`] at least.
pub(super) fn take() -> BytesMut {
    let mut buffer = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    // Rewinds, unless somebody still holds bytes of this buffer; then it becomes theirs, and this is another one.
    buffer.reserve(SCRATCH_BYTES);
    buffer
}

/// Gives a buffer back, wherever it came from. What it still holds is gone.
pub(super) fn put(mut buffer: BytesMut) {
    if buffer.capacity() <= MAX_KEPT_BYTES {
        buffer.clear();
        FREE.with_borrow_mut(|free| {
            if free.len() < MAX_FREE {
                free.push(buffer);
            }
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
}
