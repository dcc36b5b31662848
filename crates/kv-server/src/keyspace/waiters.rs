//! Who waits for which key, in order of arrival.

use std::collections::{HashMap, VecDeque};

use crate::keyspace::Db;

/// Ids of blocked clients by key.
pub(super) type Waiters = HashMap<Box<[u8]>, VecDeque<u64>>;

impl Db {
    pub(crate) fn add_waiter(&mut self, key: &[u8], id: u64) {
        let queue = self.waiters.entry(key.into()).or_default();
        if !queue.contains(&id) {
            queue.push_back(id);
        }
    }

    pub(crate) fn remove_waiter(&mut self, key: &[u8], id: u64) {
        if let Some(queue) = self.waiters.get_mut(key) {
            queue.retain(|&waiting| waiting != id);
            if queue.is_empty() {
                self.waiters.remove(key);
            }
        }
    }

    /// Who waits for a key, oldest first.
    pub(crate) fn waiters(&self, key: &[u8]) -> Vec<u64> {
        self.waiters
            .get(key)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    /// How many keys somebody waits for.
    pub(crate) fn waited_keys(&self) -> usize {
        self.waiters.len()
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
