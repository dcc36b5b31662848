//! The hash table that everything is stored in: databases, and large sets and hashes.
//!
//! - It grows and shrinks by one bucket at a time, so no insertion ever waits for a rehash (`shape.rs`, `growth.rs`).
//! - A bucket is four cache lines: tags and flags, then entries of 16 bytes (`bucket.rs`). A lookup reads the
//!   directory, one or two lines of a bucket, and the entry whose tag matches. Growth decides by the tags where entries
//!   go and reads no entry.
//! - Entries are in the order of their hashes with the bits reversed, which SCAN follows (`scan.rs`).
//! - Buckets and chunks of buckets know a lower bound of when their entries expire (`expiry.rs`).
//!
//! A chunk is a fixed number of buckets. It is allocated as a whole when its first bucket is needed and filled bucket
//! by bucket, so that even page faults come one at a time.

mod bucket;
mod expiry;
mod growth;
mod hash;
mod heap;
mod scan;
mod shape;
#[cfg(test)]
mod tests;
mod warm;

use std::mem;

use self::bucket::{Bucket, Moving};
pub(crate) use self::expiry::{ExpiryCursor, Sweep};
pub(crate) use self::hash::Seed;
pub(crate) use self::heap::Heap;
use self::shape::Shape;
pub(crate) use self::shape::precedes;
pub(crate) use self::warm::WARM_MAX;

/// What a table can hold. The default value stands for "nothing here" and must not allocate.
///
/// An entry without its key is found, added and taken out by the hash and by what tells it from others; see [`Table::find_by`].
pub(crate) trait Slot: Default {
    /// Whether this is the default value.
    fn is_vacant(&self) -> bool;

    /// Reads the first byte of whatever the entry points to.
    fn touch(&self) -> usize {
        0
    }

    /// When the entry expires, in milliseconds since the Unix epoch.
    fn expire_at(&self) -> Option<i64> {
        None
    }

    /// Bytes that the entry has allocated; quick to say.
    fn memory(&self) -> usize {
        0
    }
}

/// An entry that contains its key.
pub(crate) trait Entry: Slot {
    /// What the entry is found by. Not called for vacant entries. It must not change while the entry is in a table.
    fn key(&self) -> &[u8];
}

/// Where an entry is. Good until the next call that adds or removes an entry; after that it may name another entry or
/// none, and using it may panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    bucket: usize,
    slot: usize,
}

/// A hash table of entries, most of which contain their keys.
#[derive(Debug)]
pub(crate) struct Table<E> {
    seed: Seed,
    shape: Shape,
    /// Holds `shape.buckets()` buckets, all chunks but the last being full; or none before the first insertion.
    chunks: Vec<Chunk<E>>,
    len: usize,
    /// No entry expires before this.
    next_expiry: i64,
    overflow_bytes: usize,
    /// Bytes that the entries have allocated, as far as the table was told.
    entry_bytes: usize,
    /// Empty except during a step of growth or shrinkage; kept to be used again.
    moving: Vec<Moving<E>>,
}

/// A run of buckets.
#[derive(Debug)]
struct Chunk<E> {
    buckets: Vec<Bucket<E>>,
    /// No entry in here expires before this.
    next_expiry: i64,
}

/// How full a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stats {
    pub(crate) entries: usize,
    pub(crate) buckets: usize,
    /// Places for entries in all buckets.
    pub(crate) slots: usize,
    /// Entries outside of their bucket.
    pub(crate) overflowed: usize,
    /// Of the structure.
    pub(crate) bytes: usize,
}

/// Buckets in a chunk; a power of two. 16 KiB with entries of 16 bytes.
const CHUNK: usize = 64;

/// The table grows above this many entries per bucket, in halves. From 8 to 9.5 nothing measurable gets slower, and
/// an entry costs 34 or 30.6 bytes of structure; 4 % or 8 % of the entries are in the overflow.
const MAX_LOAD_HALVES: usize = 19;

/// The table shrinks below this many entries per bucket. Far enough from the load after growth that a table whose
/// length goes up and down does not follow.
const MIN_LOAD: usize = 5;

impl<E: Slot> Default for Table<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Clone> Clone for Table<E> {
    /// Bucket by bucket: nothing is hashed, and memory is read in order.
    fn clone(&self) -> Self {
        Self {
            chunks: self.chunks.clone(),
            moving: Vec::new(),
            ..*self
        }
    }
}

impl<E: Clone> Clone for Chunk<E> {
    fn clone(&self) -> Self {
        let mut buckets = Vec::with_capacity(self.buckets.capacity());
        buckets.extend_from_slice(&self.buckets);
        Self { buckets, ..*self }
    }
}

impl<E: Slot> Table<E> {
    /// An empty table with the seed of the process. Does not allocate.
    pub(crate) fn new() -> Self {
        Self::with_seed(Seed::of_process())
    }

    /// An empty table with a given seed, for reproducible order.
    pub(crate) fn with_seed(seed: Seed) -> Self {
        Self {
            seed,
            shape: Shape::new(),
            chunks: Vec::new(),
            len: 0,
            next_expiry: i64::MAX,
            overflow_bytes: 0,
            entry_bytes: 0,
            moving: Vec::new(),
        }
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }

    /// The hash of a key, for the functions that take one. The same in all tables of the same seed.
    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    /// Where the entry is that `is` holds for, among those with this hash.
    #[inline]
    pub(crate) fn find_by(&self, hash: u64, is: impl Fn(&E) -> bool) -> Option<Position> {
        let (bucket, tag) = self.shape.locate(hash);
        let slot = self.chunks.get(bucket / CHUNK)?.buckets[bucket % CHUNK].find(tag, is)?;
        Some(Position { bucket, slot })
    }

    /// The entry at a position.
    ///
    /// # Panics
    ///
    /// May panic if entries were added or removed since the position was made.
    #[inline]
    pub(crate) fn at(&self, position: Position) -> &E {
        let entry = self.bucket(position.bucket).get(position.slot);
        debug_assert!(!entry.is_vacant(), "position is out of date");
        entry
    }

    /// As [`at`](Self::at). The entry's key must stay the same. If its expiry is changed, `note_expiry` must be told; if
    /// its size, `note_resized`.
    #[inline]
    pub(crate) fn at_mut(&mut self, position: Position) -> &mut E {
        let entry = self.bucket_mut(position.bucket).get_mut(position.slot);
        debug_assert!(!entry.is_vacant(), "position is out of date");
        entry
    }

    /// Adds an entry that is known not to be in the table, with a clock of 0.
    ///
    /// `hash` is its hash, and `rehash` finds the hashes of others. There is no second search: the bucket is the one that `find_by` just read.
    pub(crate) fn insert_by(
        &mut self,
        hash: u64,
        entry: E,
        rehash: impl Fn(&E) -> u64,
    ) -> Position {
        debug_assert!(!entry.is_vacant(), "nothing to add");
        if self.chunks.is_empty() {
            self.push_bucket();
        }
        self.len += 1;
        self.entry_bytes += entry.memory();
        if self.len * 2 > self.shape.buckets() * MAX_LOAD_HALVES {
            self.grow(&rehash);
        }
        let (bucket, tag) = self.shape.locate(hash);
        let next_expiry = entry.expire_at().unwrap_or(i64::MAX);
        let slot = self.put(bucket, Moving::new(entry, tag, next_expiry));
        Position { bucket, slot }
    }

    /// Takes an entry out; `rehash` finds the hashes of others.
    pub(crate) fn remove_at_by(&mut self, position: Position, rehash: impl Fn(&E) -> u64) -> E {
        let bucket = self.chunks[position.bucket / CHUNK].bucket_mut(position.bucket);
        let before = bucket.overflow_bytes();
        let entry = bucket.remove(position.slot);
        self.overflow_bytes = self.overflow_bytes - before + bucket.overflow_bytes();
        debug_assert!(!entry.is_vacant(), "position is out of date");
        self.entry_bytes -= entry.memory();
        self.removed(1, &rehash);
        entry
    }

    /// 24 bits that belong to the entry, for the eviction policy to keep its age or frequency in.
    pub(crate) fn clock(&self, position: Position) -> u32 {
        self.bucket(position.bucket).clock(position.slot)
    }

    /// Sets the entry's clock; the upper 8 bits of `clock` are dropped.
    pub(crate) fn set_clock(&mut self, position: Position, clock: u32) {
        self.bucket_mut(position.bucket)
            .set_clock(position.slot, clock);
    }

    /// All entries, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        let buckets = self.chunks.iter().flat_map(|chunk| &chunk.buckets);
        buckets.flat_map(|bucket| bucket.slots().map(|slot| bucket.get(slot)))
    }

    /// Takes everything out, as a table of the same seed.
    pub(crate) fn take(&mut self) -> Self {
        mem::replace(self, Self::with_seed(self.seed))
    }

    /// Empties the table and returns what was in it, to be dropped elsewhere or piece by piece.
    pub(crate) fn clear(&mut self) -> Heap<E> {
        Heap::new(self.take())
    }

    /// Bytes allocated for the structure: directory, buckets and overflow. Neither the table's own fields nor what the
    /// entries own.
    pub(crate) fn memory(&self) -> usize {
        let buckets = match &*self.chunks {
            [chunk] => chunk.buckets.capacity(),
            chunks => chunks.len() * CHUNK,
        };
        self.chunks.capacity() * size_of::<Chunk<E>>()
            + buckets * size_of::<Bucket<E>>()
            + self.overflow_bytes
            + self.moving.capacity() * size_of::<Moving<E>>()
    }

    /// Bytes that the entries have allocated.
    pub(crate) fn entry_bytes(&self) -> usize {
        self.entry_bytes
    }

    /// An entry had allocated `before` bytes and has `after` bytes now.
    #[inline]
    pub(crate) fn note_resized(&mut self, before: usize, after: usize) {
        self.entry_bytes = self.entry_bytes - before + after;
    }

    /// The number of buckets, for DEBUG HTSTATS and its like.
    pub(crate) fn buckets(&self) -> usize {
        if self.chunks.is_empty() {
            0
        } else {
            self.shape.buckets()
        }
    }

    /// The number of entries outside their bucket. Looks at every bucket.
    pub(crate) fn overflowed(&self) -> usize {
        self.chunks
            .iter()
            .flat_map(|chunk| &chunk.buckets)
            .map(Bucket::overflowed)
            .sum()
    }

    /// How full the table is. Looks at every bucket.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            entries: self.len(),
            buckets: self.buckets(),
            slots: self.buckets() * bucket::SLOTS,
            overflowed: self.overflowed(),
            bytes: self.memory(),
        }
    }

    /// The entry count fell; lets the table follow, by no more buckets than entries went.
    fn removed(&mut self, count: usize, rehash: &impl Fn(&E) -> u64) {
        self.len -= count;
        for _ in 0..count {
            let buckets = self.shape.buckets();
            if buckets == 1 || self.len >= buckets * MIN_LOAD {
                break;
            }
            self.shrink(rehash);
        }
    }

    /// Adds an entry to a bucket, with all that hangs on it.
    #[inline]
    fn put(&mut self, address: usize, moving: Moving<E>) -> usize {
        let chunk = &mut self.chunks[address / CHUNK];
        chunk.next_expiry = chunk.next_expiry.min(moving.next_expiry);
        self.next_expiry = self.next_expiry.min(moving.next_expiry);
        let bucket = chunk.bucket_mut(address);
        let before = bucket.overflow_bytes();
        let slot = bucket.insert(moving);
        self.overflow_bytes = self.overflow_bytes - before + bucket.overflow_bytes();
        slot
    }

    #[inline]
    fn bucket(&self, address: usize) -> &Bucket<E> {
        &self.chunks[address / CHUNK].buckets[address % CHUNK]
    }

    #[inline]
    fn bucket_mut(&mut self, address: usize) -> &mut Bucket<E> {
        self.chunks[address / CHUNK].bucket_mut(address)
    }
}

impl<E: Entry> Table<E> {
    pub(crate) fn get(&self, key: &[u8]) -> Option<&E> {
        self.find(key).map(|position| self.at(position))
    }

    /// Whoever sets an expiry through this calls [`note_expiry`](Self::note_expiry), which needs a position: then use
    /// [`find`](Self::find) and [`at_mut`](Self::at_mut).
    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut E> {
        self.find(key).map(|position| self.at_mut(position))
    }

    /// Where the entry with this key is.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<Position> {
        self.find_hashed(self.hash(key), key)
    }

    /// As [`find`](Self::find), with `hash` being the hash of `key`.
    #[inline]
    pub(crate) fn find_hashed(&self, hash: u64, key: &[u8]) -> Option<Position> {
        self.find_by(hash, |entry| entry.key() == key)
    }

    /// Puts an entry in the place of the one with the same key, if there is one, and returns that. The clock of the
    /// place stays.
    pub(crate) fn insert(&mut self, entry: E) -> Option<E> {
        let hash = self.hash(entry.key());
        if let Some(position) = self.find_hashed(hash, entry.key()) {
            return Some(self.replace_at(position, entry));
        }
        self.insert_unique(hash, entry);
        None
    }

    /// Adds an entry whose key is known not to be in the table, with a clock of 0.
    ///
    /// `hash` is the hash of its key. There is no second search: the bucket is the one that `find_hashed` just read.
    pub(crate) fn insert_unique(&mut self, hash: u64, entry: E) -> Position {
        debug_assert!(hash == self.hash(entry.key()), "another key's hash");
        let seed = self.seed;
        self.insert_by(hash, entry, |entry| seed.hash(entry.key()))
    }

    /// Puts an entry in the place of another one with the same key, whose clock it gets.
    pub(crate) fn replace_at(&mut self, position: Position, entry: E) -> E {
        debug_assert!(
            entry.key() == self.at(position).key(),
            "another key's position"
        );
        if let Some(at) = entry.expire_at() {
            self.note_expiry(position, at);
        }
        let bytes = entry.memory();
        let old = mem::replace(self.at_mut(position), entry);
        self.note_resized(old.memory(), bytes);
        old
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<E> {
        self.find(key).map(|position| self.remove_at(position))
    }

    /// Takes an entry out.
    pub(crate) fn remove_at(&mut self, position: Position) -> E {
        let seed = self.seed;
        self.remove_at_by(position, |entry| seed.hash(entry.key()))
    }
}

impl<E> Chunk<E> {
    /// The bucket at this address of the table.
    #[inline]
    fn bucket_mut(&mut self, address: usize) -> &mut Bucket<E> {
        &mut self.buckets[address % CHUNK]
    }
}
