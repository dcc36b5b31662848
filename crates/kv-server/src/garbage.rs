//! What commands removed and left to be freed, so that nobody waits while millions of allocations go back to the system.

use crate::keyspace::entry::Entry;
use crate::keyspace::table::Heap;

/// Removed data. Commands fill it under the lock; the timer task takes it from there and frees it without the lock.
#[derive(Debug, Default)]
pub(crate) struct Garbage {
    heaps: Vec<Heap<Entry>>,
    entries: Vec<Entry>,
}

/// Entries freed at a time: some tenths of a millisecond, after which other tasks of the runtime get their turn.
const SLICE: usize = 1024;

impl Garbage {
    /// Leaves an entry to be freed. Freeing a small one takes no longer than keeping it would.
    pub(crate) fn bury(&mut self, entry: Entry) {
        if entry.is_slow_to_free() {
            self.entries.push(entry);
        }
    }

    /// Leaves the former contents of a database to be freed.
    pub(crate) fn bury_all(&mut self, heap: Heap<Entry>) {
        if !heap.is_empty() {
            self.heaps.push(heap);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heaps.is_empty() && self.entries.is_empty()
    }

    /// Takes over all of another one's.
    pub(crate) fn take(&mut self, from: &mut Self) {
        self.heaps.append(&mut from.heaps);
        self.entries.append(&mut from.entries);
    }

    /// Frees some. Returns whether there is more.
    pub(crate) fn drain_some(&mut self) -> bool {
        if self.entries.pop().is_none() {
            if let Some(heap) = self.heaps.last_mut() {
                if heap.drain_some(SLICE) == 0 {
                    self.heaps.pop();
                }
            }
        }
        !self.is_empty()
    }
}
