//! What a command changes, for all who have to be told.

use crate::keyspace::notify::{Class, Event};
use crate::keyspace::{Db, ExpiredFields};

/// What a command did to one database.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) count: u64,
    /// Keys that were removed because their time came.
    pub(crate) expired: Vec<Box<[u8]>>,
    /// Fields of hashes that were removed because their time came.
    pub(crate) expired_fields: Vec<ExpiredFields>,
    /// Keys that were removed to make room.
    pub(crate) evicted: Vec<Box<[u8]>>,
    pub(crate) events: Vec<Event>,
    /// Keys that changed, if anybody has to be told; `None` stands for all.
    pub(crate) touched: Vec<Option<Box<[u8]>>>,
    /// Keys that somebody waits for and that changed.
    pub(crate) ready: Vec<Box<[u8]>>,
}

impl Changes {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
            && self.expired.is_empty()
            && self.expired_fields.is_empty()
            && self.evicted.is_empty()
            && self.events.is_empty()
            && self.touched.is_empty()
            && self.ready.is_empty()
    }
}

impl Db {
    /// Notes a change: for WATCH, blocked clients, keyspace events, propagation and the counters. Every write calls it once a key.
    #[inline]
    pub(crate) fn changed(&mut self, class: Class, event: &'static str, key: &[u8]) {
        self.changed_by(1, class, event, key);
    }

    /// As [`changed`](Self::changed), for what counts as several changes: one an element, as in Redis.
    #[inline]
    pub(crate) fn changed_by(&mut self, count: u64, class: Class, event: &'static str, key: &[u8]) {
        self.changes.count += count;
        self.changed_too(class, event, key);
    }

    /// As [`changed`](Self::changed), for a further key of a change that counts as one: LMOVE.
    #[inline]
    pub(crate) fn changed_too(&mut self, class: Class, event: &'static str, key: &[u8]) {
        self.event(class, event, key);
        self.touched(key);
    }

    /// As [`changed_by`](Self::changed_by), for what those who watch the key, or wait for it, are not told of: the groups of a stream.
    pub(crate) fn changed_aside(
        &mut self,
        count: u64,
        class: Class,
        event: &'static str,
        key: &[u8],
    ) {
        self.changes.count += count;
        self.event(class, event, key);
    }

    /// Tells only who waits for a key that it has changed.
    pub(crate) fn wake(&mut self, key: &[u8]) {
        if !self.waiters.is_empty() {
            self.note_ready(key);
        }
    }

    /// Tells who watches a key, or waits for it, that it has changed.
    #[inline]
    pub(crate) fn touched(&mut self, key: &[u8]) {
        if !self.watched.is_empty() {
            self.touch_watchers(key);
        }
        self.tell_others(key);
    }

    /// As [`touched`](Self::touched), for a key that went because its time had come.
    pub(super) fn touched_by_expiry(&mut self, key: &[u8]) {
        if !self.watched.is_empty() {
            self.touch_watchers_of_expired(key);
        }
        self.tell_others(key);
    }

    /// Tells who waits for a key or caches it.
    #[inline]
    fn tell_others(&mut self, key: &[u8]) {
        if !self.waiters.is_empty() {
            self.note_ready(key);
        }
        if self.tracked {
            self.changes.touched.push(Some(key.into()));
        }
    }

    /// Only a keyspace event, for what is not a change of its own: `del` of a list that lost its last element.
    #[inline]
    pub(crate) fn event(&mut self, class: Class, event: &'static str, key: &[u8]) {
        if self.notify.contains(class) {
            self.changes.events.push(Event {
                name: event,
                key: key.into(),
            });
        }
    }
}
