//! Who waits for which key, in order of arrival.

use std::collections::{HashMap, VecDeque};

use crate::keyspace::Db;

/// Ids of blocked clients by key.
pub(super) type Waiters = HashMap<Box<[u8]>, VecDeque<u64>>;

impl Db {
    pub(crate) fn add_waiter(&mut self, key: &[u8], id: u64) {
        let queue = self.waiters.entry(key.into()).or_default();
        // The same command may name a key twice; nobody else can have come in between.
        if queue.back() != Some(&id) {
            queue.push_back(id);
        }
    }

    pub(crate) fn remove_waiter(&mut self, key: &[u8], id: u64) {
        if let Some(queue) = self.waiters.get_mut(key) {
            if queue.front() == Some(&id) {
                queue.pop_front();
            } else {
                queue.retain(|&waiting| waiting != id);
            }
            if queue.is_empty() {
                self.waiters.remove(key);
            }
        }
    }

    /// Who waits for a key at this place in its queue; the oldest is at 0.
    pub(crate) fn waiter(&self, key: &[u8], place: usize) -> Option<u64> {
        self.waiters.get(key)?.get(place).copied()
    }

    /// How many wait for a key.
    pub(crate) fn waiter_count(&self, key: &[u8]) -> usize {
        self.waiters.get(key).map_or(0, VecDeque::len)
    }

    pub(super) fn note_ready(&mut self, key: &[u8]) {
        if self.waiters.contains_key(key) && !self.changes.ready.iter().any(|ready| **ready == *key)
        {
            self.changes.ready.push(key.into());
        }
    }

    /// SWAPDB: any key may be there now.
    pub(super) fn all_waiters_ready(&mut self) {
        self.changes.ready = self.waiters.keys().cloned().collect();
    }
}
