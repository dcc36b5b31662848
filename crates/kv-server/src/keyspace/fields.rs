//! Fields of hashes that expire: lazily when their hash is looked at, actively by the time at which each hash is due next.

use std::collections::{BTreeSet, HashMap};

use crate::keyspace::Db;
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::notify::Class;
use crate::keyspace::table::{Entry as _, Position};

/// When each hash with expiring fields is looked at next: no later than its first field expires.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    by_key: HashMap<Box<[u8]>, i64>,
    by_time: BTreeSet<(i64, Box<[u8]>)>,
    /// Bytes of the keys in both.
    key_bytes: usize,
}

/// Fields of one hash whose time came.
#[derive(Debug)]
pub(crate) struct ExpiredFields {
    pub(crate) key: Box<[u8]>,
    pub(crate) fields: Vec<Box<[u8]>>,
}

/// Hashes that one turn of active expiry looks at; each gives up about a thousand fields at most.
const BUDGET: usize = 32;

impl Deadlines {
    #[inline]
    fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    fn set(&mut self, key: &[u8], at: i64) {
        if self.by_key.get(key) == Some(&at) {
            return;
        }
        self.remove(key);
        self.by_key.insert(key.into(), at);
        self.by_time.insert((at, key.into()));
        self.key_bytes += 2 * key.len();
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        if self.is_empty() {
            return;
        }
        if let Some((key, at)) = self.by_key.remove_entry(key) {
            self.key_bytes -= 2 * key.len();
            self.by_time.remove(&(at, key));
        }
    }

    fn first(&self) -> Option<i64> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Bytes allocated, about: a map of std does not tell how full its nodes are.
    pub(super) fn memory(&self) -> usize {
        const PLACE: usize = size_of::<(i64, Box<[u8]>)>();
        let places = match self.by_key.capacity() {
            0 => 0,
            capacity => (capacity * 8 / 7).next_power_of_two(),
        };
        places * (PLACE + 1) + self.by_time.len() * PLACE * 2 + self.key_bytes
    }
}

impl Entry {
    /// A lower bound of the time at which a field of a hash expires; [`NEVER`] if none does.
    #[inline]
    pub(super) fn next_field_expiry(&self) -> i64 {
        self.value()
            .map_or(NEVER, |value| value.next_field_expiry())
    }
}

impl Db {
    /// Takes out the fields whose time has come, and the key with the last of them.
    #[cold]
    pub(super) fn expire_fields(&mut self, at: Position) -> Option<Position> {
        self.keep(at);
        self.hand_out(at);
        let now = self.now;
        let entry = self.table.at_mut(at);
        let key: Box<[u8]> = entry.key().into();
        let mut fields: Vec<Box<[u8]>> = Vec::new();
        if let Some(hash) = entry.hash_mut() {
            hash.expire(now, |field| fields.push(field.into()));
        }
        let is_empty = entry.value().is_some_and(|value| value.is_empty());
        if !fields.is_empty() {
            self.counters.expired_fields += fields.len() as u64;
            self.event(Class::HASH, "hexpired", &key);
            if !self.watched.is_empty() {
                self.touch_watchers(&key);
            }
        }
        if is_empty {
            self.remove_at(at);
            self.event(Class::GENERIC, "del", &key);
        } else {
            self.note_fields_at(at);
        }
        if !fields.is_empty() {
            self.changes
                .expired_fields
                .push(ExpiredFields { key, fields });
        }
        (!is_empty).then_some(at)
    }

    /// Hides the fields whose time has come; the key too, with the last of them.
    #[cold]
    pub(super) fn hide_fields(&mut self, at: Position) -> Option<Position> {
        let now = self.now;
        // What the hash holds stays the same, so no copy of it needs to be kept.
        let hash = self.table.at_mut(at).hash_mut()?;
        hash.hide(now);
        match hash.len() {
            0 => None, // though it is not empty
            _ => Some(at),
        }
    }

    /// Call it when the times of a hash's fields were changed.
    pub(crate) fn note_field_expiry(&mut self, key: &[u8]) {
        if let Some(at) = self.table.find(key) {
            self.note_fields_at(at);
        }
    }

    /// Looks when this entry has to be looked at next.
    #[inline]
    pub(super) fn note_fields_at(&mut self, at: Position) {
        let entry = self.table.at(at);
        match entry.next_field_expiry() {
            NEVER => self.deadlines.remove(entry.key()),
            next => self.deadlines.set(entry.key(), next),
        }
    }

    /// When active expiry has to look at a hash.
    pub(super) fn next_field_expiry(&self) -> Option<i64> {
        self.deadlines.first()
    }

    /// Takes out due fields, of as many hashes as the budget allows. Returns whether more may be due.
    pub(super) fn expire_some_fields(&mut self) -> bool {
        for _ in 0..BUDGET {
            let due = self.deadlines.by_time.first();
            let Some((_, key)) = due.filter(|(at, _)| *at < self.now) else {
                return false;
            };
            let key = key.clone();
            self.deadlines.remove(&key);
            // Whoever looks takes out what is due, and notes when to look again.
            if let Some(at) = self.find(&key) {
                self.note_fields_at(at);
            }
        }
        true
    }
}
