//! Which connections may have cached which keys.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The readers of each key, by connection id. Ids of connections that are gone stay until the key changes.
#[derive(Debug, Default)]
pub(super) struct Table {
    readers: HashMap<Arc<[u8]>, Readers>,
    /// The keys in the order in which they came, to be given up in that order, and some that are gone already.
    order: VecDeque<Arc<[u8]>>,
    /// Readers of all keys together.
    items: usize,
    /// What the keys of `order` and the lists of readers have allocated.
    bytes: usize,
}

/// The ids of who has read a key, in order. Nearly always there is one.
type Readers = Vec<u64>;

/// `order` is cleaned when it has this many more than twice the keys there are.
const SLACK: usize = 64;

/// Room for so many times the keys there are is too much.
const ROOMY: usize = 8;

impl Table {
    pub(super) fn keys(&self) -> usize {
        self.readers.len()
    }

    pub(super) fn items(&self) -> usize {
        self.items
    }

    pub(super) fn note(&mut self, key: &[u8], reader: u64) {
        if let Some(readers) = self.readers.get_mut(key) {
            if let Err(at) = readers.binary_search(&reader) {
                let before = readers_bytes(readers);
                readers.insert(at, reader);
                self.bytes += readers_bytes(readers) - before;
                self.items += 1;
            }
            return;
        }
        let key: Arc<[u8]> = key.into();
        let readers = vec![reader];
        self.bytes += key_bytes(&key) + readers_bytes(&readers);
        self.order.push_back(key.clone());
        self.readers.insert(key, readers);
        self.items += 1;
    }

    /// Forgets a key, and returns who has read it.
    pub(super) fn take(&mut self, key: &[u8]) -> Readers {
        let readers = self.readers.remove(key).unwrap_or_default();
        self.items -= readers.len();
        self.bytes -= readers_bytes(&readers);
        if self.order.len() > 2 * self.readers.len() + SLACK {
            let (alive, bytes) = (&self.readers, &mut self.bytes);
            self.order.retain(|key| {
                let stays = is_same(alive, key);
                *bytes -= if stays { 0 } else { key_bytes(key) };
                stays
            });
        }
        self.give_back();
        readers
    }

    /// Gives room back that many keys took which are gone.
    fn give_back(&mut self) {
        let (keys, order) = (self.readers.len(), self.order.len());
        if self.readers.capacity() > ROOMY * keys + SLACK {
            self.readers.shrink_to(2 * keys);
        }
        if self.order.capacity() > ROOMY * order + SLACK {
            self.order.shrink_to(2 * order);
        }
    }

    /// The key that came first.
    pub(super) fn oldest(&mut self) -> Option<Arc<[u8]>> {
        while let Some(key) = self.order.pop_front() {
            self.bytes -= key_bytes(&key);
            if is_same(&self.readers, &key) {
                return Some(key);
            }
        }
        None
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        const PLACE: usize = size_of::<(Arc<[u8]>, Readers)>();
        let places = match self.readers.capacity() {
            0 => 0,
            capacity => (capacity * 8 / 7).next_power_of_two(),
        };
        // Each place has a byte of its own too.
        places * (PLACE + 1) + self.order.capacity() * size_of::<Arc<[u8]>>() + self.bytes
    }
}

/// A key and its two counters, aligned as they are.
fn key_bytes(key: &Arc<[u8]>) -> usize {
    (2 * size_of::<usize>() + key.len()).next_multiple_of(size_of::<usize>())
}

fn readers_bytes(readers: &Readers) -> usize {
    readers.capacity() * size_of::<u64>()
}

/// Whether a key of the order stands for one that is there, and not for a former one with the same name.
fn is_same(readers: &HashMap<Arc<[u8]>, Readers>, key: &Arc<[u8]>) -> bool {
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
        assert_eq!(table.take(b"a"), [1, 2]);
        table.note(b"a", 3);
        let mut left = Vec::new();
        while let Some(key) = table.oldest() {
            table.take(&key);
            left.push(key.to_vec());
        }
        assert_eq!(left, [b"b", b"c", b"a"]);
        assert_eq!((table.keys(), table.items(), table.bytes), (0, 0, 0));
    }

    #[test]
    fn keys_that_come_and_go_take_no_room() {
        let mut table = Table::default();
        for _ in 0..10_000 {
            table.note(b"key", 1);
            table.take(b"key");
        }
        assert!(table.order.len() <= SLACK + 1);
        let keys: usize = table.order.iter().map(key_bytes).sum();
        assert_eq!(table.bytes, keys, "only keys that are gone are left");
    }

    #[test]
    fn keys_that_are_gone_give_their_room_back() {
        let mut table = Table::default();
        let keys: Vec<_> = (0..10_000_u32).map(u32::to_be_bytes).collect();
        keys.iter().for_each(|key| table.note(key, 1));
        let full = table.memory();
        for key in &keys[10..] {
            table.take(key);
        }
        assert!(table.memory() < full / 10, "{} of {full}", table.memory());
        assert!(keys[..10].iter().all(|key| table.take(key) == [1]));
        // By the limit of keys too, which takes the oldest first.
        keys.iter().for_each(|key| table.note(key, 1));
        while let Some(key) = table.oldest() {
            table.take(&key);
        }
        assert!(table.memory() < full / 10, "{} of {full}", table.memory());
    }
}
