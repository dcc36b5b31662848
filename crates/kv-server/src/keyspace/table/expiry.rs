//! Active expiry: finds the entries that are due without looking at the others.

use super::bucket::Bucket;
use super::{Entry, Position, Table};

/// Where a sweep goes on. Belongs to one table; with another one it only starts at an odd place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExpiryCursor {
    chunk: usize,
    bucket: usize,
}

/// What a call of [`Table::expired`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// Entries removed.
    pub(crate) removed: usize,
    /// Nothing that is due is left; otherwise the budget ran out.
    pub(crate) finished: bool,
}

/// Chunks passed over that cost as much as a look at a bucket: the bounds are side by side in the directory.
const CHUNKS_PER_LOOK: usize = 32;

impl<E: Entry> Table<E> {
    /// Tells the table that the entry there now expires at `at`, in milliseconds since the Unix epoch. Adding and
    /// replacing entries does this by itself; later or no expiry need not be told.
    pub(crate) fn note_expiry(&mut self, position: Position, at: i64) {
        let chunk = &mut self.chunks[position.bucket / super::CHUNK];
        self.next_expiry = self.next_expiry.min(at);
        chunk.next_expiry = chunk.next_expiry.min(at);
        let bucket = chunk.bucket_mut(position.bucket);
        bucket.next_expiry = bucket.next_expiry.min(at);
    }

    /// No entry expires before this; `i64::MAX` if none does at all. A bound: it may be too early, never too late.
    pub(crate) fn next_expiry(&self) -> i64 {
        self.next_expiry
    }

    /// Removes entries whose `expire_at` is `now` or earlier and hands them over, going round the table from `cursor`,
    /// until none is left or about `budget` buckets and entries were looked at.
    ///
    /// Costs nothing while nothing is due. Goes on where it stopped, so everything gets its turn.
    pub(crate) fn expired(
        &mut self,
        now: i64,
        cursor: &mut ExpiryCursor,
        budget: usize,
        mut f: impl FnMut(E),
    ) -> Sweep {
        let (mut left, mut passed, mut removed) = (budget, 0_usize, 0);
        while self.next_expiry <= now && left > 0 {
            let Some(chunk) = self.chunks.get_mut(cursor.chunk) else {
                // Once round. The bounds of the chunks are right, so this is; if nothing was skipped it is past `now`.
                *cursor = ExpiryCursor::default();
                self.next_expiry = bound(self.chunks.iter().map(|chunk| chunk.next_expiry));
                continue;
            };
            if chunk.next_expiry > now {
                passed += 1;
                left -= usize::from(passed % CHUNKS_PER_LOOK == 0);
            } else {
                while let Some(bucket) = chunk.buckets.get_mut(cursor.bucket).filter(|_| left > 0) {
                    left -= 1;
                    if bucket.next_expiry <= now {
                        left = left.saturating_sub(bucket.len());
                        let before = bucket.overflow_bytes();
                        removed += bucket.expire(now, |entry| {
                            self.entry_bytes -= entry.memory();
                            f(entry);
                        });
                        self.overflow_bytes =
                            self.overflow_bytes - before + bucket.overflow_bytes();
                    }
                    cursor.bucket += 1;
                }
                if cursor.bucket < chunk.buckets.len() {
                    break;
                }
                chunk.next_expiry = bound(
                    chunk
                        .buckets
                        .iter()
                        .map(|bucket: &Bucket<E>| bucket.next_expiry),
                );
            }
            *cursor = ExpiryCursor {
                chunk: cursor.chunk + 1,
                bucket: 0,
            };
        }
        let seed = self.seed;
        self.removed(removed, &|entry| seed.hash(entry.key()));
        Sweep {
            removed,
            finished: self.next_expiry > now,
        }
    }
}

fn bound(expiries: impl Iterator<Item = i64>) -> i64 {
    expiries.min().unwrap_or(i64::MAX)
}
