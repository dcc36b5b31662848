//! WATCH: who is told when a key changes.

use std::sync::Arc;

use crate::connection::peer::Peer;
use crate::keyspace::Db;

impl Db {
    pub(crate) fn watch(&mut self, key: &[u8], peer: &Arc<Peer>) {
        self.watched
            .entry(key.into())
            .or_default()
            .push(peer.clone());
    }

    pub(crate) fn unwatch(&mut self, key: &[u8], id: u64) {
        if let Some(peers) = self.watched.get_mut(key) {
            peers.retain(|peer| peer.id != id);
            if peers.is_empty() {
                self.watched.remove(key);
            }
        }
    }

    pub(super) fn touch_watchers(&self, key: &[u8]) {
        for peer in self.watched.get(key).into_iter().flatten() {
            peer.touch();
        }
    }

    /// SWAPDB changes every watched key that exists on either side.
    pub(super) fn touch_all_existing(&self, other: &Self) {
        for (key, peers) in &self.watched {
            if self.table.find(key).is_some() || other.table.find(key).is_some() {
                peers.iter().for_each(|peer| peer.touch());
            }
        }
    }
}
