//! Which connections may have cached which keys.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// The readers of each key, by connection id. Ids of connections that are gone stay until the key changes.
#[derive(Debug, Default)]
pub(super) struct Table {
    readers: HashMap<Arc<[u8]>, BTreeSet<u64>>,
    /// The keys in the order in which they came, to be given up in that order, and some that are gone already.
    order: VecDeque<Arc<[u8]>>,
    /// Readers of all keys together.
    items: usize,
}

/// `order` is cleaned when it has this many more than twice the keys there are.
const SLACK: usize = 64;

impl Table {
    pub(super) fn keys(&self) -> usize {
        self.readers.len()
    }

    pub(super) fn items(&self) -> usize {
        self.items
    }

    pub(super) fn note(&mut self, key: &[u8], reader: u64) {
        if let Some(readers) = self.readers.get_mut(key) {
            self.items += usize::from(readers.insert(reader));
            return;
        }
        let key: Arc<[u8]> = key.into();
        self.order.push_back(key.clone());
        self.readers.insert(key, BTreeSet::from([reader]));
        self.items += 1;
    }

    /// Forgets a key, and returns who has read it.
    pub(super) fn take(&mut self, key: &[u8]) -> BTreeSet<u64> {
        let readers = self.readers.remove(key).unwrap_or_default();
        self.items -= readers.len();
        if self.order.len() > 2 * self.readers.len() + SLACK {
            let alive = &self.readers;
            self.order.retain(|key| is_same(alive, key));
        }
        readers
    }

    /// The key that came first.
    pub(super) fn oldest(&mut self) -> Option<Arc<[u8]>> {
        while let Some(key) = self.order.pop_front() {
            if is_same(&self.readers, &key) {
                return Some(key);
            }
        }
        None
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Whether a key of the order stands for one that is there, and not for a former one with the same name.
fn is_same(readers: &HashMap<Arc<[u8]>, BTreeSet<u64>>, key: &Arc<[u8]>) -> bool {
    readers
        .get_key_value(&**key)
        .is_some_and(|(alive, _)| Arc::ptr_eq(alive, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_leave_in_the_order_in_which_they_came_last() {
        let mut table = Table::default();
        for key in ["a", "b", "c", "a"] {
            table.note(key.as_bytes(), 1);
        }
        table.note(b"a", 2);
        assert_eq!((table.keys(), table.items()), (3, 4));
        assert_eq!(table.take(b"a"), BTreeSet::from([1, 2]));
        table.note(b"a", 3);
        let mut left = Vec::new();
        while let Some(key) = table.oldest() {
            table.take(&key);
            left.push(key.to_vec());
        }
        assert_eq!(left, [b"b", b"c", b"a"]);
        assert_eq!((table.keys(), table.items()), (0, 0));
    }

    #[test]
    fn keys_that_come_and_go_take_no_room() {
        let mut table = Table::default();
        for _ in 0..10_000 {
            table.note(b"key", 1);
            table.take(b"key");
        }
        assert!(table.order.len() <= SLACK + 1);
    }
}
