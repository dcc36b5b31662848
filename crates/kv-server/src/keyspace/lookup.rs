//! How a key is looked up: what of an entry that has expired is seen, and what a look counts as.

use crate::keyspace::Db;
use crate::keyspace::entry::Entry;
use crate::keyspace::notify::Class;
use crate::keyspace::table::Position;

impl Db {
    /// Finds a live key that may be changed; one whose time has come is removed.
    #[inline]
    pub(super) fn find(&mut self, key: &[u8]) -> Option<Position> {
        let at = self.table.find(key)?;
        let entry = self.table.at(at);
        if entry.expire_at() < self.now {
            self.remove_expired(at);
            return None;
        }
        if entry.next_field_expiry() < self.now {
            return self.expire_fields(at);
        }
        Some(at)
    }

    /// Finds a live key that is only looked at; one whose time has come is removed, unless all of them are kept.
    #[inline]
    pub(super) fn find_to_read(&mut self, key: &[u8]) -> Option<Position> {
        let at = self.table.find(key)?;
        let entry = self.table.at(at);
        if entry.expire_at() < self.now || entry.next_field_expiry() < self.now {
            return self.settle_expired(at);
        }
        Some(at)
    }

    /// The entry of a key, for a command that reads: counts a hit or a miss, and marks the key as used.
    #[inline]
    pub(crate) fn read(&mut self, key: &[u8]) -> Option<&Entry> {
        match self.find_to_read(key) {
            Some(at) => {
                self.counters.hits += 1;
                self.touch(at);
                Some(self.table.at(at))
            }
            None => {
                self.note_miss(key);
                None
            }
        }
    }

    /// The entry of a key, for a command that asks about the key rather than for its value: counts, but does not mark it as used.
    pub(crate) fn look(&mut self, key: &[u8]) -> Option<&Entry> {
        match self.find_to_read(key) {
            Some(at) => {
                self.counters.hits += 1;
                Some(self.table.at(at))
            }
            None => {
                self.note_miss(key);
                None
            }
        }
    }

    /// As [`look`](Self::look), without the event of a miss: OBJECT.
    pub(crate) fn inspect(&mut self, key: &[u8]) -> Option<&Entry> {
        let found = self.find_to_read(key);
        self.counters.hits += u64::from(found.is_some());
        self.counters.misses += u64::from(found.is_none());
        found.map(|at| self.table.at(at))
    }

    #[inline]
    fn note_miss(&mut self, key: &[u8]) {
        self.counters.misses += 1;
        self.event(Class::KEY_MISS, "keymiss", key);
    }

    /// The entry of a key, without counting.
    #[inline]
    pub(crate) fn peek(&mut self, key: &[u8]) -> Option<&Entry> {
        let at = self.find_to_read(key)?;
        Some(self.table.at(at))
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let at = self.find(key)?;
        self.touch(at);
        self.keep(at);
        self.hand_out(at);
        Some(self.table.at_mut(at))
    }

    pub(crate) fn contains(&mut self, key: &[u8]) -> bool {
        self.find_to_read(key).is_some()
    }
}
