//! What is left of a table that was cleared, to be freed a little at a time.

use super::{Chunk, Slot, Table};

/// The former contents of a table. Dropping it frees them at once, which takes a second for some ten million entries.
#[derive(Debug)]
pub(crate) struct Heap<E> {
    chunks: Vec<Chunk<E>>,
    len: usize,
}

impl<E: Slot> Heap<E> {
    pub(super) fn new(table: Table<E>) -> Self {
        Self {
            chunks: table.chunks,
            len: table.len,
        }
    }

    /// The number of entries left.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Drops about `count` entries, a bucket or less above, and returns how many are left.
    pub(crate) fn drain_some(&mut self, count: usize) -> usize {
        let mut dropped = 0;
        while dropped < count {
            let Some(chunk) = self.chunks.last_mut() else {
                break;
            };
            match chunk.buckets.pop() {
                Some(bucket) => dropped += bucket.len(),
                None => drop(self.chunks.pop()),
            }
        }
        self.len -= dropped;
        if self.len == 0 {
            self.chunks = Vec::new();
        }
        self.len
    }
}
