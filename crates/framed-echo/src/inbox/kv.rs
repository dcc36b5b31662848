//! An inbox in a key-value server with streams: Redis from 6.2 on, Valkey, or kv-server.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kv_client::Client;

use super::{EntryId, Inbox, InboxError, Quota, Stored};
use crate::{Head, Kind, Message, control::MessageId};

/// Keeps messages in a key-value server, where they survive the relay.
///
/// | key | holds |
/// |---|---|
/// | `framed:inbox:{ID}` | a stream with one entry a message: field `h` is the head, `b` the body |
/// | `framed:inbox:{ID}:bytes` | the bytes of all bodies in it |
///
/// Both expire together when nothing has been stored for as long as the quota's TTL. A message is as safe as the server
/// makes it: with `appendfsync always` once it is stored. Several relays may share a server; then the quota may be
/// exceeded by what they store at the same moment.
#[derive(Debug)]
pub struct KvInbox {
    client: Client,
    quota: Quota,
    /// The lengths of the bodies that have been fetched and not been removed: the server tells only once.
    lens: Mutex<HashMap<(u32, EntryId), usize>>,
}

/// Entries looked at in one go when old ones are searched for.
const EXPIRY_BATCH: usize = 64;

impl KvInbox {
    /// Keeps messages in the server at this URL, such as `redis://localhost:6379`, with the default quota.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, InboxError> {
        let client = Client::connect(url).await.map_err(failed)?;
        Ok(Self::new(client, Quota::default()))
    }

    /// Keeps messages in the server of this client.
    #[must_use]
    pub fn new(client: Client, quota: Quota) -> Self {
        Self {
            client,
            quota,
            lens: Mutex::default(),
        }
    }

    /// The time of the server, in milliseconds; the ids of its entries begin with it.
    async fn now_ms(&self) -> Result<u64, InboxError> {
        let (seconds, micros): (u64, u64) =
            self.client.command("TIME").into().await.map_err(failed)?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// Messages and bytes in an inbox. An empty one holds nothing, whatever the count of bytes has come to.
    async fn usage(&self, receiver: u32) -> Result<(usize, usize), InboxError> {
        let messages = self
            .client
            .command("XLEN")
            .arg(key(receiver))
            .into::<usize>();
        let bytes = self
            .client
            .command("GET")
            .arg(bytes_key(receiver))
            .into::<Option<i64>>();
        let (messages, bytes) = self
            .client
            .pipeline((messages, bytes))
            .await
            .map_err(failed)?;
        let bytes = bytes.filter(|_| messages > 0).unwrap_or(0);
        Ok((messages, usize::try_from(bytes).unwrap_or(0)))
    }

    /// Forgets how long these messages are, and returns how long they are together.
    fn forget(&self, receiver: u32, entries: &[EntryId]) -> usize {
        let mut lens = self.lens.lock().unwrap_or_else(PoisonError::into_inner);
        let known = entries
            .iter()
            .filter_map(|entry| lens.remove(&(receiver, *entry)));
        known.sum()
    }

    fn has_room(&self, (messages, bytes): (usize, usize), len: usize) -> bool {
        messages < self.quota.messages && bytes + len <= self.quota.bytes
    }

    /// Entries behind `after`, old ones too.
    async fn range(
        &self,
        receiver: u32,
        after: EntryId,
        max: usize,
    ) -> Result<Vec<Stored>, InboxError> {
        let range = self
            .client
            .command("XRANGE")
            .arg(key(receiver))
            .arg(format!("({}", id_text(after)));
        let range = range
            .arg("+")
            .arg("COUNT")
            .arg(max)
            .into::<Vec<(String, Vec<Bytes>)>>();
        let entries = range.await.map_err(failed)?;
        let mut lens = self.lens.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .into_iter()
            .map(|(id, fields)| {
                let stored = read_entry(receiver, &id, fields)
                    .ok_or_else(|| failed(Foreign { receiver, id }))?;
                lens.insert((receiver, stored.entry), stored.message.body.len());
                Ok(stored)
            })
            .collect()
    }

    /// Removes the messages at the front that are too old; returns whether there were any.
    async fn expire(&self, receiver: u32) -> Result<bool, InboxError> {
        let oldest = self
            .range(receiver, EntryId::default(), EXPIRY_BATCH)
            .await?;
        let old = self.split_expired(oldest).await?.0;
        self.remove(receiver, &old).await?;
        Ok(!old.is_empty())
    }

    /// The ids of those that are too old, and the others.
    async fn split_expired(
        &self,
        stored: Vec<Stored>,
    ) -> Result<(Vec<EntryId>, Vec<Stored>), InboxError> {
        let (Some(ttl), false) = (self.quota.ttl, stored.is_empty()) else {
            return Ok((Vec::new(), stored));
        };
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let oldest_ms = self.now_ms().await?.saturating_sub(ttl_ms);
        let (old, rest): (Vec<_>, Vec<_>) = stored
            .into_iter()
            .partition(|stored| stored.entry.0 >> 64 < u128::from(oldest_ms));
        Ok((old.into_iter().map(|stored| stored.entry).collect(), rest))
    }
}

impl Inbox for KvInbox {
    async fn store(&self, receiver: u32, message: &Message) -> Result<(), InboxError> {
        let len = message.body.len();
        let mut usage = self.usage(receiver).await?;
        while !self.has_room(usage, len) {
            if !self.expire(receiver).await? {
                let (messages, bytes) = usage;
                return Err(InboxError::Full {
                    receiver,
                    messages,
                    bytes,
                });
            }
            usage = self.usage(receiver).await?;
        }
        let (key, bytes_key) = (key(receiver), bytes_key(receiver));
        let add = self.client.command("XADD").arg(&*key).arg("*");
        let add = add
            .arg("h")
            .arg(write_head(&message.head))
            .arg("b")
            .arg(message.body.clone());
        // An empty inbox begins to count anew.
        let count = if usage.0 == 0 { "SET" } else { "INCRBY" };
        let count = self.client.command(count).arg(&*bytes_key).arg(len);
        let mut batch = vec![add, count];
        if let Some(ttl) = self.quota.ttl {
            let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            for key in [&key, &bytes_key] {
                batch.push(self.client.command("PEXPIRE").arg(&**key).arg(ttl_ms));
            }
        }
        self.client.transaction(batch).await.map_err(failed)?;
        Ok(())
    }

    async fn fetch(
        &self,
        receiver: u32,
        after: EntryId,
        max: usize,
    ) -> Result<Vec<Stored>, InboxError> {
        let mut after = after;
        loop {
            let stored = self.range(receiver, after, max).await?;
            let Some(last) = stored.last().map(|stored| stored.entry) else {
                return Ok(stored);
            };
            let (old, stored) = self.split_expired(stored).await?;
            self.remove(receiver, &old).await?;
            if !stored.is_empty() {
                return Ok(stored);
            }
            after = last;
        }
    }

    async fn remove(&self, receiver: u32, entries: &[EntryId]) -> Result<(), InboxError> {
        if entries.is_empty() {
            return Ok(());
        }
        // Taken out: what was delivered twice is removed twice, and may be counted once only.
        let freed = self.forget(receiver, entries);
        let mut delete = self.client.command("XDEL").arg(key(receiver));
        for entry in entries {
            delete = delete.arg(id_text(*entry));
        }
        let count = self
            .client
            .command("DECRBY")
            .arg(bytes_key(receiver))
            .arg(freed);
        self.client
            .transaction(vec![delete, count])
            .await
            .map_err(failed)?;
        self.forget(receiver, entries); // fetched once more meanwhile
        Ok(())
    }
}

/// The braces keep both keys on one node of a cluster.
fn key(receiver: u32) -> String {
    format!("framed:inbox:{{{receiver}}}")
}

fn bytes_key(receiver: u32) -> String {
    format!("framed:inbox:{{{receiver}}}:bytes")
}

/// The two halves of a stream's entry id make up ours.
fn id_text(entry: EntryId) -> String {
    format!("{}-{}", entry.0 >> 64, entry.0 & u128::from(u64::MAX))
}

fn parse_id(text: &str) -> Option<EntryId> {
    let (ms, sequence) = text.split_once('-')?;
    let (ms, sequence): (u64, u64) = (ms.parse().ok()?, sequence.parse().ok()?);
    Some(EntryId(u128::from(ms) << 64 | u128::from(sequence)))
}

fn write_head(head: &Head) -> Bytes {
    let mut out = BytesMut::with_capacity(21);
    out.put_u32(head.sender);
    out.put_u64(head.id.map_or(0, MessageId::get));
    out.put_u64(head.re.map_or(0, MessageId::get));
    out.put_u8(head.kind.0);
    out.freeze()
}

fn read_entry(receiver: u32, id: &str, fields: Vec<Bytes>) -> Option<Stored> {
    let Ok([_, mut head, _, body]) = <[Bytes; 4]>::try_from(fields) else {
        return None;
    };
    let head = Head {
        sender: head.try_get_u32().ok()?,
        receiver,
        id: MessageId::new(head.try_get_u64().ok()?),
        re: MessageId::new(head.try_get_u64().ok()?),
        kind: Kind(head.try_get_u8().ok()?),
    };
    let message = Message { head, body };
    Some(Stored {
        entry: parse_id(id)?,
        message,
    })
}

/// Somebody else writes to our keys.
#[derive(Debug, thiserror::Error)]
#[error("entry {id} in the inbox of {receiver} is not a message")]
struct Foreign {
    receiver: u32,
    id: String,
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> InboxError {
    InboxError::Failed(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_ids_survive_the_store() {
        let mut message = Message::new(7, 8, Kind(99), "body");
        message.head.id = MessageId::new(u64::MAX);
        message.head.re = MessageId::new(3);
        let fields = vec![
            Bytes::from("h"),
            write_head(&message.head),
            Bytes::from("b"),
            message.body.clone(),
        ];
        let stored = read_entry(8, "1760000000000-5", fields).expect("as written");
        assert_eq!(stored.message, message);
        assert_eq!(id_text(stored.entry), "1760000000000-5");
        assert!(read_entry(8, "1-1", vec![Bytes::new(); 4]).is_none());
    }
}
