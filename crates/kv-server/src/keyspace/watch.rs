//! WATCH: who is told when a key changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::connection::peer::Peer;
use crate::keyspace::Db;

/// Who watches, by id, by key.
pub(super) type Watched = HashMap<Box<[u8]>, BTreeMap<u64, Watcher>>;

#[derive(Debug)]
pub(super) struct Watcher {
    peer: Arc<Peer>,
    /// The key had expired at WATCH and was kept (CLIENT PAUSE): that it goes is no change.
    found_expired: bool,
}

impl Db {
    /// `false` if the connection watches the key already.
    pub(crate) fn watch(&mut self, key: &[u8], peer: &Arc<Peer>) -> bool {
        let found_expired = self.is_expired(key);
        let watchers = self.watched.entry(key.into()).or_default();
        if watchers.contains_key(&peer.id) {
            return false;
        }
        let watcher = Watcher {
            peer: peer.clone(),
            found_expired,
        };
        watchers.insert(peer.id, watcher);
        true
    }

    pub(crate) fn unwatch(&mut self, key: &[u8], id: u64) {
        if let Some(peers) = self.watched.get_mut(key) {
            peers.remove(&id);
            if peers.is_empty() {
                self.watched.remove(key);
            }
        }
    }

    pub(super) fn touch_watchers(&self, key: &[u8]) {
        if let Some(watchers) = self.watched.get(key) {
            watchers.values().for_each(|watcher| watcher.peer.touch());
        }
    }

    /// The key goes because its time has come, which is no change for who watches it since.
    pub(super) fn touch_watchers_of_expired(&mut self, key: &[u8]) {
        let watchers = self.watched.get_mut(key).into_iter();
        for watcher in watchers.flat_map(BTreeMap::values_mut) {
            if !std::mem::take(&mut watcher.found_expired) {
                watcher.peer.touch();
            }
        }
    }

    /// Whether a key that was there at WATCH has expired, without anybody noticing.
    pub(crate) fn has_expired_since_watch(&self, key: &[u8], id: u64) -> bool {
        let watcher = self.watched.get(key).and_then(|all| all.get(&id));
        watcher.is_some_and(|watcher| !watcher.found_expired) && self.is_expired(key)
    }

    /// Removes the keys that are watched in the other database and whose time has come, so that they do not count as existing.
    pub(super) fn expire_watched(&mut self, other: &mut Self) {
        let keys: Vec<_> = self.watched.keys().cloned().collect();
        for key in keys {
            self.find(&key);
            other.find(&key);
        }
    }

    /// SWAPDB changes every watched key that exists on either side.
    pub(super) fn touch_all_existing(&self, other: &Self) {
        for (key, watchers) in &self.watched {
            if self.table.find(key).is_some() || other.table.find(key).is_some() {
                watchers.values().for_each(|watcher| watcher.peer.touch());
            }
        }
    }
}
