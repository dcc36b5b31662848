//! Walks over parts of the table: SCAN, random entries, samples for eviction.

use super::shape::precedes;
use super::{CHUNK, Entry, Position, Slot, Table};

/// Buckets with more entries than this give each of them less than its share of a random choice. When the table is at
/// its densest, with 14 entries in a bucket still to be split, that is one bucket in three thousand.
const DRAW: usize = 28;

/// Tries to draw an entry before the next best one is taken. At five entries per bucket, the least that a table of
/// several buckets has, a try in `DRAW / 5` succeeds; this many fail by a chance of 10⁻¹⁰.
const TRIES: usize = 120;

impl<E: Entry> Table<E> {
    /// Hands over the entries of one bucket and returns the cursor of the next; 0 begins and 0 ends.
    ///
    /// An entry that is in the table from the first call of a round to the last is handed over exactly once, whatever
    /// comes and goes and however the table grows and shrinks meanwhile; others once or not at all. (Redis may repeat
    /// entries.) Any number is a valid cursor.
    pub(crate) fn scan(&self, cursor: u64, f: impl FnMut(&E)) -> u64 {
        self.scan_by(cursor, |entry| self.hash(entry.key()), f)
    }
}

impl<E: Slot> Table<E> {
    /// As [`scan`](Self::scan), where `rehash` finds the hash of an entry.
    pub(crate) fn scan_by(
        &self,
        cursor: u64,
        rehash: impl Fn(&E) -> u64,
        mut f: impl FnMut(&E),
    ) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let bucket = self.bucket(self.shape.locate(cursor).0);
        // A bucket that reaches back beyond the cursor has entries that were handed over already.
        let whole = self.shape.begins_bucket(cursor);
        for slot in bucket.slots() {
            let entry = bucket.get(slot);
            if whole || !precedes(rehash(entry), cursor) {
                f(entry);
            }
        }
        self.shape.next(cursor)
    }

    /// An entry chosen with equal chances, as far as `random` is; it is called a few times.
    pub(crate) fn random(&self, mut random: impl FnMut() -> u64) -> Option<Position> {
        if self.is_empty() {
            return None;
        }
        let buckets = self.shape.buckets();
        if buckets == 1 {
            return self.position(0, below(random(), self.len));
        }
        for _ in 0..TRIES {
            let bucket = below(random(), buckets);
            let len = self.bucket(bucket).len();
            let nth = below(random(), len.max(DRAW));
            if nth < len {
                return self.position(bucket, nth);
            }
        }
        let start = below(random(), buckets);
        (start..buckets)
            .chain(0..start)
            .find_map(|bucket| self.position(bucket, 0))
    }

    /// Hands over up to `count` neighbours from a random place, with their clocks: cheaper than as many calls of
    /// [`random`](Self::random), and less fair. With `volatile` only entries that have an expiry, of which it may find
    /// fewer than there are.
    pub(crate) fn sample(
        &self,
        random: u64,
        count: usize,
        volatile: bool,
        mut f: impl FnMut(Position, &E, u32),
    ) {
        if self.is_empty() || volatile && self.next_expiry == i64::MAX {
            return;
        }
        let buckets = self.shape.buckets();
        let start = below(random, buckets);
        let (mut left, mut bucket, mut passed) = (count, start, 0);
        while left > 0 && passed < buckets {
            let chunk = &self.chunks[bucket / CHUNK];
            let step = if volatile && chunk.next_expiry == i64::MAX {
                chunk.buckets.len() - bucket % CHUNK
            } else {
                self.sample_bucket(bucket, &mut left, volatile, &mut f);
                1
            };
            passed += step;
            bucket = (bucket + step) % buckets;
        }
    }

    fn sample_bucket(
        &self,
        at: usize,
        left: &mut usize,
        volatile: bool,
        f: &mut impl FnMut(Position, &E, u32),
    ) {
        let bucket = self.bucket(at);
        if volatile && bucket.next_expiry == i64::MAX {
            return;
        }
        for slot in bucket.slots() {
            let entry = bucket.get(slot);
            if *left > 0 && (!volatile || entry.expire_at().is_some()) {
                *left -= 1;
                f(Position { bucket: at, slot }, entry, bucket.clock(slot));
            }
        }
    }

    fn position(&self, bucket: usize, nth: usize) -> Option<Position> {
        self.bucket(bucket)
            .nth(nth)
            .map(|slot| Position { bucket, slot })
    }
}

/// Maps 64 random bits to `0..bound`.
#[expect(clippy::cast_possible_truncation, reason = "below `bound`")]
fn below(random: u64, bound: usize) -> usize {
    ((u128::from(random) * bound as u128) >> 64) as usize
}
