//! A database: keys, their values and expiry. The only door to the data.

mod changes;
pub(crate) mod entry;
mod evict;
mod expiry;
mod fields;
mod lookup;
mod memory;
pub(crate) mod notify;
mod preserve;
mod string;
#[allow(
    dead_code,
    unused_imports,
    reason = "a whole table; its bench uses what the server does not"
)]
pub(crate) mod table;
pub(crate) mod usage;
mod waiters;
mod watch;

use std::ops::Range;

use crate::error::{ReplyError, Result};
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::fields::Deadlines;
use crate::keyspace::memory::HandedOut;
use crate::keyspace::notify::Class;
use crate::keyspace::preserve::Preserve;
use crate::keyspace::table::{Entry as _, Heap, Position, Seed, Table};
use crate::keyspace::usage::{Usage, stamp};
use crate::keyspace::waiters::Waiters;
use crate::keyspace::watch::Watched;
use crate::rng::Rng;
use crate::value::{Value, ValueType};

pub(crate) use crate::keyspace::changes::Changes;
pub(crate) use crate::keyspace::fields::ExpiredFields;
pub(crate) use crate::keyspace::preserve::{Part, Preserved};

/// One database.
#[derive(Debug)]
pub(crate) struct Db {
    table: Table<Entry>,
    /// Unix time in milliseconds; the same for the whole command.
    now: i64,
    /// The lower 24 bits of the time in seconds.
    stamp: u32,
    /// Whether keys are marked as used; CLIENT NO-TOUCH says no.
    touching: bool,
    /// What is noted of a key that is used.
    usage: Usage,
    /// For what is noted by chance.
    rng: Rng,
    /// What the running command changed so far.
    pub(crate) changes: Changes,
    watched: Watched,
    waiters: Waiters,
    pub(crate) counters: Counters,
    /// How many keys have an expiry.
    volatile: usize,
    /// Where active expiry goes on.
    expiry_cursor: table::ExpiryCursor,
    /// Classes of events that anybody wants to hear of.
    pub(crate) notify: Class,
    /// Whether anybody has to be told which keys change (CLIENT TRACKING).
    pub(crate) tracked: bool,
    /// The data as of some moment, while a snapshot of it is written.
    preserve: Option<Box<Preserve>>,
    /// A collection whose size may have changed since it was counted.
    handed_out: Option<HandedOut>,
    /// Hashes with fields that expire.
    deadlines: Deadlines,
    /// Whether what has expired stays where it is, unseen (CLIENT PAUSE).
    keeps_expired: bool,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) expired: u64,
    pub(crate) expired_fields: u64,
    pub(crate) evicted: u64,
}

impl Db {
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            table: Table::with_seed(seed),
            now: 0,
            stamp: 0,
            touching: true,
            usage: Usage::default(),
            rng: Rng::new(0),
            changes: Changes::default(),
            watched: Watched::default(),
            waiters: Waiters::default(),
            counters: Counters::default(),
            volatile: 0,
            expiry_cursor: table::ExpiryCursor::default(),
            notify: Class::NONE,
            tracked: false,
            preserve: None,
            handed_out: None,
            deadlines: Deadlines::default(),
            keeps_expired: false,
        }
    }

    /// A database without keys, whose data can be exchanged with this one's.
    pub(crate) fn new_empty(&self) -> Self {
        Self::new(self.table.seed())
    }

    /// Whether lookups wait for memory.
    #[inline]
    pub(crate) fn is_large(&self) -> bool {
        self.table.is_worth_warming()
    }

    /// Prepares lookups of these keys; see [`Table::warm`].
    #[inline]
    pub(crate) fn warm<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        self.table.warm(keys);
    }

    /// Sets the time of the commands that follow.
    #[inline]
    pub(crate) fn begin(&mut self, now: i64) {
        if self.now != now {
            self.now = now;
            self.stamp = stamp(now);
        }
    }

    /// Whether the commands that follow mark keys as used.
    #[inline]
    pub(crate) fn set_touching(&mut self, touching: bool) {
        self.touching = touching;
    }

    /// Keys, those included whose time has come but that nobody has looked at since.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn volatile(&self) -> usize {
        self.volatile
    }

    pub(crate) fn table_stats(&self) -> table::Stats {
        self.table.stats()
    }

    /// Whether readers leave what has expired where it is, so that nothing changes the data but writers.
    pub(crate) fn set_keeping_expired(&mut self, keeps: bool) {
        self.keeps_expired = keeps;
    }

    /// A collection, for a command that reads.
    pub(crate) fn get<T: ValueType>(&mut self, key: &[u8]) -> Result<Option<&T>> {
        self.read(key).map(typed).transpose()
    }

    /// After elements of a list were read: gives back what it took to decompress them.
    pub(crate) fn close_list(&mut self, key: &[u8], elements: Range<usize>) {
        let Some(at) = self.table.find(key) else {
            return;
        };
        // What a list holds stays the same, so no copy of it needs to be kept. A compressed one is never shared.
        if let Some(Value::List(list)) = self.table.at_mut(at).value_alone() {
            list.close(elements);
        }
    }

    /// A collection, to be changed. Call [`remove_if_empty`](Self::remove_if_empty) when elements were taken out.
    pub(crate) fn get_mut<T: ValueType>(&mut self, key: &[u8]) -> Result<Option<&mut T>> {
        self.entry_mut(key).map(typed_mut).transpose()
    }

    /// A collection, to be changed; an empty one if there is none.
    pub(crate) fn get_or_default<T: ValueType + Default>(&mut self, key: &[u8]) -> Result<&mut T> {
        self.get_or_insert(key, T::default)
    }

    /// A collection, to be changed; a new one if there is none.
    pub(crate) fn get_or_insert<T: ValueType>(
        &mut self,
        key: &[u8],
        new: impl FnOnce() -> T,
    ) -> Result<&mut T> {
        let at = match self.find(key) {
            Some(at) => {
                self.touch(at);
                self.keep(at);
                at
            }
            None => {
                let hash = self.table.hash(key);
                self.insert_new(hash, Entry::object(key, new().into(), NEVER))
            }
        };
        self.hand_out(at);
        typed_mut(self.table.at_mut(at))
    }

    /// A collection that was looked at before, so that several can be used at once: counts nothing, and removes nothing.
    pub(crate) fn view<T: ValueType>(&self, key: &[u8]) -> Option<&T> {
        let entry = self.table.get(key)?;
        // While expired keys are kept, looking did not remove it.
        let is_alive = entry.expire_at() >= self.now;
        entry.value().filter(|_| is_alive).and_then(T::of)
    }

    /// Removes a collection that has lost its last element. Returns whether it has.
    pub(crate) fn remove_if_empty(&mut self, key: &[u8]) -> bool {
        let empty = self
            .peek(key)
            .and_then(Entry::value)
            .is_some_and(Value::is_empty);
        if empty {
            self.remove(key);
        }
        empty
    }

    /// Puts an entry in the place of whatever has its key.
    pub(crate) fn insert(&mut self, entry: Entry) {
        let hash = self.table.hash(entry.key());
        match self.table.find_hashed(hash, entry.key()) {
            Some(at) => self.replace_at(at, entry),
            None => {
                self.insert_new(hash, entry);
            }
        }
    }

    fn insert_new(&mut self, hash: u64, entry: Entry) -> Position {
        self.volatile += usize::from(entry.expire_at() != NEVER);
        self.event(Class::NEW, "new", entry.key());
        self.keep_absent(hash, entry.key());
        self.count_handed_out();
        let fields_expire = entry.next_field_expiry() != NEVER;
        let at = self.table.insert_unique(hash, entry);
        self.table.set_clock(at, self.first_clock());
        if fields_expire {
            self.note_fields_at(at);
        }
        at
    }

    /// Adds an entry from a snapshot, without any event. `false` if its key is there already.
    pub(crate) fn load(&mut self, entry: Entry) -> bool {
        let hash = self.table.hash(entry.key());
        if self.table.find_hashed(hash, entry.key()).is_some() {
            return false;
        }
        self.volatile += usize::from(entry.expire_at() != NEVER);
        let at = self.table.insert_unique(hash, entry);
        self.table.set_clock(at, self.first_clock());
        self.note_fields_at(at);
        true
    }

    fn replace_at(&mut self, at: Position, entry: Entry) {
        let (old, new) = (self.table.at(at).expire_at(), entry.expire_at());
        self.keep(at);
        self.count_handed_out();
        self.table.replace_at(at, entry);
        self.note_fields_at(at);
        self.recount(at, old, new);
    }

    fn recount(&mut self, at: Position, old: i64, new: i64) {
        self.volatile -= usize::from(old != NEVER);
        if new != NEVER {
            self.volatile += 1;
            self.table.note_expiry(at, new);
        }
    }

    /// Takes a live key out.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let at = self.find(key)?;
        Some(self.remove_at(at))
    }

    fn remove_at(&mut self, at: Position) -> Entry {
        self.keep(at);
        self.count_handed_out();
        let entry = self.table.remove_at(at);
        self.volatile -= usize::from(entry.expire_at() != NEVER);
        self.deadlines.remove(entry.key());
        entry
    }

    /// When a live key expires: [`NEVER`], or a Unix time in milliseconds.
    pub(crate) fn expire_at(&mut self, key: &[u8]) -> Option<i64> {
        self.peek(key).map(Entry::expire_at)
    }

    /// Sets when a live key expires. `false` if there is no such key.
    pub(crate) fn set_expire_at(&mut self, key: &[u8], expire_at: i64) -> bool {
        let Some(at) = self.find(key) else {
            return false;
        };
        self.keep(at);
        self.hand_out(at);
        let entry = self.table.at_mut(at);
        let old = entry.expire_at();
        entry.set_expire_at(expire_at);
        self.recount(at, old, expire_at);
        true
    }

    /// Every live entry.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        let now = self.now;
        self.table
            .iter()
            .filter(move |entry| entry.expire_at() >= now)
    }

    /// Calls `f` with some live entries from `cursor` on, and removes dead ones; returns the next cursor, 0 at the end.
    ///
    /// What is present from the start to the end of a scan is returned exactly once, however the table grows or shrinks meanwhile.
    pub(crate) fn scan(&mut self, cursor: u64, mut f: impl FnMut(&Entry)) -> u64 {
        let now = self.now;
        let mut dead: Vec<Box<[u8]>> = Vec::new();
        let next = self.table.scan(cursor, |entry| {
            if entry.expire_at() >= now {
                f(entry);
            } else {
                dead.push(entry.key().into());
            }
        });
        for key in dead {
            self.find_to_read(&key);
        }
        next
    }

    /// A live key, each with about the same chance.
    pub(crate) fn random(&mut self, mut random: impl FnMut() -> u64) -> Option<&Entry> {
        // Redis gives up after as many dead keys.
        for _ in 0..100 {
            let at = self.table.random(&mut random)?;
            if self.table.at(at).expire_at() >= self.now {
                return Some(self.table.at(at));
            }
            if !self.keeps_expired {
                self.remove_expired(at);
            }
        }
        let now = self.now;
        let mut all = self.table.iter().filter(|_| self.keeps_expired);
        all.find(|entry| entry.expire_at() >= now)
    }

    /// Removes all keys, and returns them to be dropped at leisure.
    pub(crate) fn clear(&mut self) -> Heap<Entry> {
        self.volatile = 0;
        if self.tracked {
            self.changes.touched.push(None);
        }
        self.changes.count += self.table.len() as u64;
        self.all_waiters_ready();
        let keys: Vec<_> = self.watched.keys().cloned().collect();
        for key in keys {
            match self.table.find(&key) {
                // It was gone already for who found it so.
                Some(at) if self.table.at(at).expire_at() < self.now => {
                    self.touch_watchers_of_expired(&key);
                }
                Some(_) => self.touch_watchers(&key),
                None => {}
            }
        }
        self.handed_out = None;
        self.deadlines = Deadlines::default();
        self.keep_cleared();
        self.table.clear()
    }

    /// Exchanges the data with another database (SWAPDB); watchers and waiters stay with their number.
    pub(crate) fn swap_data(&mut self, other: &mut Self) {
        self.count_handed_out();
        other.count_handed_out();
        self.expire_watched(other);
        other.expire_watched(self);
        self.touch_all_existing(other);
        other.touch_all_existing(self);
        std::mem::swap(&mut self.table, &mut other.table);
        std::mem::swap(&mut self.volatile, &mut other.volatile);
        std::mem::swap(&mut self.deadlines, &mut other.deadlines);
        std::mem::swap(&mut self.preserve, &mut other.preserve);
        std::mem::swap(&mut self.expiry_cursor, &mut other.expiry_cursor);
        self.all_waiters_ready();
        other.all_waiters_ready();
    }
}

fn typed<T: ValueType>(entry: &Entry) -> Result<&T> {
    entry.value().and_then(T::of).ok_or(ReplyError::WrongType)
}

fn typed_mut<T: ValueType>(entry: &mut Entry) -> Result<&mut T> {
    entry
        .value_mut()
        .and_then(T::of_mut)
        .ok_or(ReplyError::WrongType)
}
