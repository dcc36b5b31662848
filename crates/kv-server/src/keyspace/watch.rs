//! WATCH: who is told when a key changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::connection::peer::Peer;
use crate::keyspace::Db;

/// Connections by id, by key.
pub(super) type Watched = HashMap<Box<[u8]>, BTreeMap<u64, Arc<Peer>>>;

impl Db {
    /// `false` if the connection watches the key already.
    pub(crate) fn watch(&mut self, key: &[u8], peer: &Arc<Peer>) -> bool {
        let watchers = self.watched.entry(key.into()).or_default();
        watchers.insert(peer.id, peer.clone()).is_none()
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
        if let Some(peers) = self.watched.get(key) {
            peers.values().for_each(|peer| peer.touch());
        }
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
        for (key, peers) in &self.watched {
            if self.table.find(key).is_some() || other.table.find(key).is_some() {
                peers.values().for_each(|peer| peer.touch());
            }
        }
    }
}
