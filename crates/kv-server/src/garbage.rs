//! What commands removed and left to be freed, so that nobody waits while millions of allocations go back to the system.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::keyspace::entry::Entry;
use crate::keyspace::table::Heap;
use crate::value::Value;

/// Removed data. Commands fill it under the lock; the timer task takes it from there and frees it without the lock.
#[derive(Debug, Default)]
pub(crate) struct Garbage {
    heaps: Vec<Heap<Entry>>,
    entries: Vec<Entry>,
    count: Arc<Count>,
}

/// Keys whose values are left to be freed, for INFO. Shared with whoever frees them.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pending: AtomicU64,
    freed: AtomicU64,
}

impl Count {
    pub(crate) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Since the start, or since CONFIG RESETSTAT.
    pub(crate) fn freed(&self) -> u64 {
        self.freed.load(Ordering::Relaxed)
    }

    pub(crate) fn reset_freed(&self) {
        self.freed.store(0, Ordering::Relaxed);
    }

    fn add(&self, keys: usize) {
        self.pending.fetch_add(keys as u64, Ordering::Relaxed);
    }

    fn free(&self, keys: usize) {
        self.pending.fetch_sub(keys as u64, Ordering::Relaxed);
        self.freed.fetch_add(keys as u64, Ordering::Relaxed);
    }
}

/// Entries freed at a time: some tenths of a millisecond, after which other tasks of the runtime get their turn.
const SLICE: usize = 1024;

impl Garbage {
    /// Leaves an entry to be freed. Freeing a small one takes no longer than keeping it would.
    pub(crate) fn bury(&mut self, entry: Entry) {
        if entry.is_slow_to_free() {
            self.entries.push(entry);
            self.count.add(1);
        }
    }

    /// Leaves the former contents of a database to be freed.
    pub(crate) fn bury_all(&mut self, heap: Heap<Entry>) {
        if !heap.is_empty() {
            self.count.add(heap.len());
            self.heaps.push(heap);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heaps.is_empty() && self.entries.is_empty()
    }

    pub(crate) fn count(&self) -> &Count {
        &self.count
    }

    /// Takes over all of another one's, and its count.
    pub(crate) fn take(&mut self, from: &mut Self) {
        if from.is_empty() {
            return;
        }
        self.count = from.count.clone();
        self.heaps.append(&mut from.heaps);
        self.entries.append(&mut from.entries);
    }

    /// Frees some. Returns whether there is more.
    pub(crate) fn drain_some(&mut self) -> bool {
        let freed = if let Some(entry) = self.entries.last_mut() {
            // Whoever reads it still frees it in the end.
            let more = entry.value_alone().is_some_and(Value::free_some);
            if !more {
                self.entries.pop();
            }
            usize::from(!more)
        } else if let Some(heap) = self.heaps.last_mut() {
            let before = heap.len();
            let left = heap.drain_some(SLICE);
            if left == 0 {
                self.heaps.pop();
            }
            before - left
        } else {
            0
        };
        self.count.free(freed);
        !self.is_empty()
    }
}
