//! Brings what several lookups will read into the cache, all at once.

use std::hint::black_box;

use super::bucket::SLOTS;
use super::shape::Step;
use super::{CHUNK, Slot, Table};

/// Lookups that are warmed together; about as many cache misses as a core keeps in flight.
pub(crate) const WARM_MAX: usize = 16;

/// Tables with fewer entries stay in the cache by themselves.
const WARM_FROM: usize = 16 * 1024;

impl<E: Slot> Table<E> {
    /// Whether [`warm`](Self::warm) does anything.
    #[inline]
    pub(crate) fn is_worth_warming(&self) -> bool {
        self.len >= WARM_FROM
    }

    /// Reads the buckets and then the entries of up to [`WARM_MAX`] keys.
    ///
    /// The reads of one step do not depend on each other, so their cache misses overlap, where those of the lookups themselves would come one after
    /// the other. For that the steps are short loops: a core looks only some hundred instructions beyond a load that it waits for. Changes nothing,
    /// and costs a hash a key: worth it for pipelined requests on a large table.
    pub(crate) fn warm<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        if !self.is_worth_warming() {
            return;
        }
        let mut places = [(0, 0); WARM_MAX];
        let mut count = 0;
        for (place, key) in places.iter_mut().zip(keys) {
            *place = self.shape.locate(self.hash(key));
            count += 1;
        }
        let first = &self.chunks[0].buckets[0];
        let mut buckets = [first; WARM_MAX];
        let mut read = 0;
        for (bucket, &(number, _)) in buckets.iter_mut().zip(&places[..count]) {
            *bucket = &self.chunks[number / CHUNK].buckets[number % CHUNK];
        }
        let buckets = &buckets[..count];
        for bucket in buckets {
            read += usize::from(bucket.has_used_slots());
        }
        let mut entries = [first.get(0); WARM_MAX];
        for ((entry, bucket), &(_, tag)) in entries.iter_mut().zip(buckets).zip(&places) {
            *entry = bucket.likely(tag);
        }
        for entry in &entries[..count] {
            read += usize::from(entry.is_vacant());
        }
        for entry in &entries[..count] {
            read += entry.touch();
        }
        black_box(read);
    }

    /// Reads the first `buckets` of a group that is about to be rearranged.
    #[inline]
    pub(super) fn warm_group(&self, step: &Step, buckets: usize) {
        if !self.is_worth_warming() {
            return;
        }
        let group = || (0..buckets).map(|place| self.bucket(step.address(place)));
        let used = group().map(|bucket| usize::from(bucket.has_used_slots()));
        let last = group().map(|bucket| usize::from(bucket.get(SLOTS - 1).is_vacant()));
        black_box(used.sum::<usize>() + last.sum::<usize>());
    }
}
