//! An inbox that lives and dies with the process.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{EntryId, Inbox, InboxError, Quota, Stored};
use crate::Message;

/// Keeps messages in memory: for tests, and for relays that may forget when they stop.
///
/// One [`Quota`] for each receiver, and a bound on all receivers together. Times out by Tokio's clock.
#[derive(Debug)]
pub struct MemoryInbox {
    quota: Quota,
    max_bytes: usize,
    shelves: Mutex<Shelves>,
}

#[derive(Debug, Default)]
struct Shelves {
    by_receiver: HashMap<u32, Shelf>,
    /// Bytes of all bodies.
    bytes: usize,
    last_entry: u128,
}

/// The messages of one receiver, oldest first.
#[derive(Debug, Default)]
struct Shelf {
    entries: VecDeque<(Instant, Stored)>,
    bytes: usize,
}

/// Bytes of all bodies together, unless told otherwise: 64 MiB.
const MAX_BYTES: usize = 64 * 1024 * 1024;

impl MemoryInbox {
    /// An empty inbox with the default quota, and 64 MiB for all receivers together.
    #[must_use]
    pub fn new() -> Self {
        Self::with_quota(Quota::default(), MAX_BYTES)
    }

    /// An empty inbox; `max_bytes` bounds the bodies of all receivers together.
    #[must_use]
    pub fn with_quota(quota: Quota, max_bytes: usize) -> Self {
        Self {
            quota,
            max_bytes,
            shelves: Mutex::default(),
        }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryInbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox for MemoryInbox {
    async fn store(&self, receiver: u32, message: &Message) -> Result<(), InboxError> {
        self.shelves()
            .store(receiver, message, self, Instant::now())
    }

    async fn fetch(
        &self,
        receiver: u32,
        after: EntryId,
        max: usize,
    ) -> Result<Vec<Stored>, InboxError> {
        let mut shelves = self.shelves();
        shelves.expire(receiver, &self.quota, Instant::now());
        let Some(shelf) = shelves.by_receiver.get(&receiver) else {
            return Ok(Vec::new());
        };
        let from = shelf
            .entries
            .partition_point(|(_, stored)| stored.entry <= after);
        Ok(shelf
            .entries
            .iter()
            .skip(from)
            .take(max)
            .map(|(_, stored)| stored.clone())
            .collect())
    }

    async fn remove(&self, receiver: u32, entries: &[EntryId]) -> Result<(), InboxError> {
        let mut shelves = self.shelves();
        for entry in entries {
            shelves.remove(receiver, *entry);
        }
        Ok(())
    }
}

impl Shelves {
    fn store(
        &mut self,
        receiver: u32,
        message: &Message,
        inbox: &MemoryInbox,
        now: Instant,
    ) -> Result<(), InboxError> {
        self.expire(receiver, &inbox.quota, now);
        let shelf = self.by_receiver.entry(receiver).or_default();
        let len = message.body.len();
        let fits = shelf.entries.len() < inbox.quota.messages
            && shelf.bytes + len <= inbox.quota.bytes
            && self.bytes + len <= inbox.max_bytes;
        if !fits {
            let full = InboxError::Full {
                receiver,
                messages: shelf.entries.len(),
                bytes: shelf.bytes,
            };
            self.forget_if_empty(receiver);
            return Err(full);
        }
        self.last_entry += 1;
        self.bytes += len;
        shelf.bytes += len;
        let stored = Stored {
            entry: EntryId(self.last_entry),
            // A body of its own: it may lie here for days, and a slice would keep a whole read buffer alive.
            message: Message {
                head: message.head,
                body: Bytes::copy_from_slice(&message.body),
            },
        };
        shelf.entries.push_back((now, stored));
        Ok(())
    }

    fn expire(&mut self, receiver: u32, quota: &Quota, now: Instant) {
        let (Some(ttl), Some(shelf)) = (quota.ttl, self.by_receiver.get_mut(&receiver)) else {
            return;
        };
        while shelf
            .entries
            .front()
            .is_some_and(|(stored_at, _)| now.duration_since(*stored_at) >= ttl)
        {
            if let Some((_, stored)) = shelf.entries.pop_front() {
                shelf.bytes -= stored.message.body.len();
                self.bytes -= stored.message.body.len();
            }
        }
        self.forget_if_empty(receiver);
    }

    fn remove(&mut self, receiver: u32, entry: EntryId) {
        let Some(shelf) = self.by_receiver.get_mut(&receiver) else {
            return;
        };
        let Ok(at) = shelf
            .entries
            .binary_search_by_key(&entry, |(_, stored)| stored.entry)
        else {
            return;
        };
        if let Some((_, stored)) = shelf.entries.remove(at) {
            shelf.bytes -= stored.message.body.len();
            self.bytes -= stored.message.body.len();
        }
        self.forget_if_empty(receiver);
    }

    fn forget_if_empty(&mut self, receiver: u32) {
        if self
            .by_receiver
            .get(&receiver)
            .is_some_and(|shelf| shelf.entries.is_empty())
        {
            self.by_receiver.remove(&receiver);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn quota(messages: usize, bytes: usize, ttl: Option<Duration>) -> Quota {
        Quota {
            messages,
            bytes,
            ttl,
        }
    }

    async fn texts(inbox: &MemoryInbox, after: EntryId) -> Vec<String> {
        let stored = inbox.fetch(1, after, 10).await.expect("in memory");
        stored
            .iter()
            .map(|stored| String::from_utf8_lossy(&stored.message.body).into_owned())
            .collect()
    }

    #[tokio::test]
    async fn keeps_the_order_and_fetches_behind_an_entry() {
        let inbox = MemoryInbox::new();
        for text in ["a", "b", "c"] {
            inbox
                .store(1, &Message::text(9, 1, text))
                .await
                .expect("within the quota");
            inbox
                .store(2, &Message::text(9, 2, "for another"))
                .await
                .expect("within the quota");
        }
        assert_eq!(texts(&inbox, EntryId::default()).await, ["a", "b", "c"]);
        let first = inbox
            .fetch(1, EntryId::default(), 1)
            .await
            .expect("in memory")[0]
            .entry;
        assert_eq!(texts(&inbox, first).await, ["b", "c"]);
        inbox.remove(1, &[first, first]).await.expect("in memory");
        assert_eq!(texts(&inbox, EntryId::default()).await, ["b", "c"]);
    }

    #[tokio::test]
    async fn refuses_what_exceeds_a_quota_and_takes_it_when_there_is_room() {
        let inbox = MemoryInbox::with_quota(quota(2, 10, None), 15);
        let message = |text: &str| Message::text(9, 1, text);
        inbox
            .store(1, &message("12345678"))
            .await
            .expect("within the quota");
        let full = inbox.store(1, &message("123")).await.expect_err("11 bytes");
        assert_eq!(full.to_string(), "inbox of 1 is full: 1 messages, 8 bytes");
        inbox
            .store(1, &message("12"))
            .await
            .expect("within the quota");
        inbox.store(1, &message("")).await.expect_err("3 messages");
        inbox
            .store(2, &message("123456"))
            .await
            .expect_err("16 bytes in sum");
        let all = inbox
            .fetch(1, EntryId::default(), 9)
            .await
            .expect("in memory");
        inbox.remove(1, &[all[0].entry]).await.expect("in memory");
        inbox
            .store(2, &message("123456"))
            .await
            .expect("8 bytes in sum");
    }

    #[tokio::test(start_paused = true)]
    async fn forgets_what_is_too_old() {
        let inbox = MemoryInbox::with_quota(quota(10, 100, Some(Duration::from_secs(10))), 100);
        inbox
            .store(1, &Message::text(9, 1, "old"))
            .await
            .expect("within the quota");
        tokio::time::advance(Duration::from_secs(6)).await;
        inbox
            .store(1, &Message::text(9, 1, "new"))
            .await
            .expect("within the quota");
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(texts(&inbox, EntryId::default()).await, ["new"]);
        assert_eq!(inbox.shelves().bytes, 3);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(texts(&inbox, EntryId::default()).await, [""; 0]);
        assert!(inbox.shelves().by_receiver.is_empty());
    }
}
