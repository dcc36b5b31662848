//! Which channels are subscribed to on a connection, and who wants their messages.
//!
//! Subscribers say what they want; the driver compares that with what the connection has, and sends the difference. A new
//! connection has nothing, so after a reconnect everything is the difference.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::cluster::key_slot;
use crate::connection::orphans::Orphanage;
use crate::error::{Error, ErrorKind, Outcome};
use crate::mailbox::Mailbox;
use crate::pubsub::Message;
use crate::reply::{Elements, Reply};
use crate::request::Request;

/// What can be subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Topic {
    pub(crate) kind: TopicKind,
    pub(crate) name: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TopicKind {
    Channel,
    Pattern,
    Shard,
}

impl TopicKind {
    const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::Shard];

    pub(crate) fn subscribe(self) -> &'static str {
        match self {
            Self::Channel => "SUBSCRIBE",
            Self::Pattern => "PSUBSCRIBE",
            Self::Shard => "SSUBSCRIBE",
        }
    }

    /// Topics that one command can name together: sharded channels must be in one slot.
    fn grouped(self, topics: Vec<Topic>) -> Vec<Vec<Topic>> {
        let mut groups: Vec<Vec<Topic>> = Vec::new();
        for topic in topics {
            let together = |group: &&mut Vec<Topic>| match (self, group.first()) {
                (Self::Shard, Some(first)) => key_slot(&first.name) == key_slot(&topic.name),
                _ => true,
            };
            match groups.iter_mut().find(together) {
                Some(group) => group.push(topic),
                None => groups.push(vec![topic]),
            }
        }
        groups
    }

    /// Which topics the messages are for that begin with `word`.
    pub(crate) fn of_message(word: &[u8]) -> Option<Self> {
        match word {
            b"message" => Some(Self::Channel),
            b"pmessage" => Some(Self::Pattern),
            b"smessage" => Some(Self::Shard),
            _ => None,
        }
    }

    fn unsubscribe(self) -> &'static str {
        match self {
            Self::Channel => "UNSUBSCRIBE",
            Self::Pattern => "PUNSUBSCRIBE",
            Self::Shard => "SUNSUBSCRIBE",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Topics {
    entries: Mutex<Entries>,
    /// The driver has something to send.
    changed: AtomicBool,
    /// The connection carries nothing but subscriptions, and so may be one of RESP2.
    pub(crate) dedicated: bool,
    /// In a cluster, where topics go that this node does not want or cannot keep.
    orphanage: Option<Arc<Orphanage>>,
    /// There will be no connection any more.
    ended: AtomicBool,
    /// Why there is no connection.
    hindrance: Mutex<Option<Error>>,
}

/// Those of each kind by their names.
#[derive(Debug, Default)]
struct Entries([HashMap<Bytes, Entry>; 3]);

impl Entries {
    fn of(&mut self, kind: TopicKind) -> &mut HashMap<Bytes, Entry> {
        &mut self.0[kind as usize]
    }

    fn get_mut(&mut self, topic: &Topic) -> Option<&mut Entry> {
        self.of(topic.kind).get_mut(&topic.name)
    }

    fn remove(&mut self, topic: &Topic) -> Option<Entry> {
        self.of(topic.kind).remove(&topic.name)
    }

    fn names(&self) -> impl Iterator<Item = Topic> + '_ {
        let kinds = TopicKind::ALL.into_iter().zip(&self.0);
        kinds.flat_map(|(kind, entries)| {
            entries.keys().map(move |name| Topic {
                kind,
                name: name.clone(),
            })
        })
    }
}

#[derive(Debug)]
struct Entry {
    /// Nobody is left: it is to be unsubscribed from.
    mailboxes: Vec<Arc<Mailbox>>,
    state: State,
}

impl Entry {
    /// The server does not have it any more.
    fn displaced(&mut self) {
        let was_confirmed = self.state == State::Confirmed;
        self.state = State::Wanted;
        self.mailboxes
            .iter()
            .for_each(|mailbox| mailbox.displaced(was_confirmed));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Wanted,
    /// In the request with this number.
    Requested(u64),
    Confirmed,
}

/// A request that makes the connection have what is wanted.
pub(crate) struct Renewal {
    pub(crate) request: Request,
    pub(crate) topics: Vec<Topic>,
    /// No other of this process has the same.
    pub(crate) number: u64,
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a message out of band is.
pub(crate) enum Notice {
    /// A message, which was delivered.
    Message,
    /// The answer to a part of a SUBSCRIBE or UNSUBSCRIBE.
    Subscribed(Topic),
    Unsubscribed(Topic),
    /// The answer to PING on a RESP2 connection with subscriptions.
    Pong,
    Other,
}

impl Topics {
    pub(crate) fn new(dedicated: bool, orphanage: Option<Arc<Orphanage>>) -> Self {
        Self {
            entries: Mutex::default(),
            changed: AtomicBool::new(false),
            dedicated,
            orphanage,
            ended: AtomicBool::new(false),
            hindrance: Mutex::default(),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether there are subscriptions that any node of a cluster could carry.
    pub(crate) fn has_plain(&self) -> bool {
        let mut entries = self.lock();
        !self.has_ended()
            && [TopicKind::Channel, TopicKind::Pattern]
                .into_iter()
                .any(|kind| !entries.of(kind).is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) {
        self.changed.store(true, Ordering::Release);
    }

    pub(crate) fn add(&self, topic: &Topic, mailbox: &Arc<Mailbox>) {
        let mut entries = self.lock();
        if self.has_ended() {
            drop(entries);
            return self.dismiss(topic.clone(), vec![Arc::clone(mailbox)]);
        }
        let entry = entries
            .of(topic.kind)
            .entry(topic.name.clone())
            .or_insert_with(|| Entry {
                mailboxes: Vec::new(),
                state: State::Wanted,
            });
        entry.mailboxes.push(Arc::clone(mailbox));
        match entry.state {
            State::Wanted => self.change(),
            State::Requested(_) => {}
            State::Confirmed => mailbox.confirm(next_number()),
        }
    }

    /// Whether it was there.
    pub(crate) fn remove(&self, topic: &Topic, mailbox: &Arc<Mailbox>) -> bool {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(topic) else {
            return false;
        };
        let before = entry.mailboxes.len();
        entry.mailboxes.retain(|other| !Arc::ptr_eq(other, mailbox));
        if entry.mailboxes.is_empty() {
            self.change();
        }
        entry.mailboxes.len() < before
    }

    /// This connection has no more to do with a topic.
    fn dismiss(&self, topic: Topic, mailboxes: Vec<Arc<Mailbox>>) {
        match &self.orphanage {
            Some(orphanage) => orphanage.take_in(topic, mailboxes),
            None => mailboxes.iter().for_each(|mailbox| mailbox.end()),
        }
    }

    /// The requests that make the connection have what is wanted.
    pub(crate) fn difference(&self) -> Vec<Renewal> {
        if !self.changed.load(Ordering::Acquire) || !self.changed.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        let mut entries = self.lock();
        let mut difference = Vec::new();
        for kind in TopicKind::ALL {
            let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
            entries.of(kind).retain(|name, entry| {
                let topic = || Topic {
                    kind,
                    name: name.clone(),
                };
                if entry.mailboxes.is_empty() {
                    if entry.state != State::Wanted {
                        unwanted.push(topic());
                    }
                    return false;
                }
                if entry.state == State::Wanted {
                    wanted.push(topic());
                }
                true
            });
            for (name, topics) in [(kind.subscribe(), wanted), (kind.unsubscribe(), unwanted)] {
                for topics in kind.grouped(topics) {
                    let mut request = Request::new(name);
                    let number = next_number();
                    for topic in &topics {
                        request.push(&topic.name);
                        if let Some(entry) = entries.get_mut(topic) {
                            entry.state = State::Requested(number);
                        }
                    }
                    difference.push(Renewal {
                        request,
                        topics,
                        number,
                    });
                }
            }
        }
        difference
    }

    /// The connection is gone, and with it all it had.
    pub(crate) fn lost(&self) {
        for entries in &mut self.lock().0 {
            entries.retain(|_, entry| !entry.mailboxes.is_empty());
            for entry in entries.values_mut() {
                entry.displaced();
            }
            if !entries.is_empty() {
                self.change();
            }
        }
    }

    /// There is no connection, for this reason; `None` when there is one again. If waiting does not help (`is_final`), who
    /// has asked for a subscription and does not have it yet will not get it.
    pub(crate) fn hinder(&self, cause: Option<&Error>, is_final: bool) {
        let mut hindrance = self
            .hindrance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *hindrance = cause.cloned();
        drop(hindrance);
        // In a cluster another node may carry them.
        let Some(cause) = cause.filter(|_| is_final && self.orphanage.is_none()) else {
            return;
        };
        let entries = self.lock();
        for entry in entries.0.iter().flat_map(HashMap::values) {
            for mailbox in &entry.mailboxes {
                mailbox.refuse_unconfirmed(cause);
            }
        }
    }

    /// Why there is no connection, if an attempt has told.
    pub(crate) fn hindrance(&self) -> Option<Error> {
        let hindrance = self.hindrance.lock();
        hindrance.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// No messages will come any more.
    pub(crate) fn end(&self) {
        let mut entries = self.lock();
        self.ended.store(true, Ordering::Release);
        let Entries(all) = std::mem::take(&mut *entries);
        for (kind, entries) in TopicKind::ALL.into_iter().zip(all) {
            for (name, mut entry) in entries {
                entry.displaced();
                self.dismiss(Topic { kind, name }, entry.mailboxes);
            }
        }
    }

    /// The server refuses the request with this number; without one, it is nothing that was asked for.
    pub(crate) fn refuse(&self, topics: &[Topic], number: Option<u64>, error: &Error) {
        let mut entries = self.lock();
        let is_meant = |entry: &mut Entry| match number {
            Some(number) => entry.state == State::Requested(number),
            None => true,
        };
        let elsewhere = self.orphanage.is_some()
            && matches!(
                error.code(),
                Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN")
            );
        for topic in topics {
            if !entries.get_mut(topic).is_some_and(is_meant) {
                continue; // it was given up, and perhaps asked for again
            }
            if let Some(entry) = entries.remove(topic) {
                if elsewhere {
                    self.dismiss(topic.clone(), entry.mailboxes);
                    continue;
                }
                entry
                    .mailboxes
                    .iter()
                    .for_each(|mailbox| mailbox.refuse(error));
            }
        }
    }

    /// The shared connection has become one of RESP2, which cannot carry subscriptions beside commands.
    pub(crate) fn refuse_all(&self) {
        let topics: Vec<_> = self.lock().names().collect();
        let instead = "the server has stopped speaking RESP3; subscribe again";
        let kind = ErrorKind::Unshared {
            command: "SUBSCRIBE".to_owned(),
            instead,
        };
        self.refuse(&topics, None, &Error::new(kind, Outcome::NotSent));
    }

    /// The server has done what the request with this number asks for `topic`.
    pub(crate) fn confirmed(&self, topic: &Topic, number: u64) {
        let mut entries = self.lock();
        let entry = entries.get_mut(topic);
        // If it was given up and asked for again meanwhile, the answer to that is still to come.
        if let Some(entry) = entry.filter(|entry| entry.state == State::Requested(number)) {
            entry.state = State::Confirmed;
            for mailbox in &entry.mailboxes {
                mailbox.confirm(number);
            }
        }
    }

    /// The server has taken a subscription away, without being asked.
    pub(crate) fn withdrawn(&self, topic: &Topic) {
        let mut entries = self.lock();
        if self.orphanage.is_some() {
            // Its slot has moved to another node.
            if let Some(mut entry) = entries.remove(topic) {
                entry.displaced();
                self.dismiss(topic.clone(), entry.mailboxes);
            }
        } else if let Some(entry) = entries.get_mut(topic) {
            entry.displaced();
            self.change();
        }
    }

    /// Whether an array is, on a RESP2 connection, what a push is on one of RESP3.
    pub(crate) fn is_notice(&self, elements: &Elements) -> bool {
        const WORDS: [&[u8]; 10] = [
            b"message",
            b"pmessage",
            b"smessage",
            b"subscribe",
            b"psubscribe",
            b"ssubscribe",
            b"unsubscribe",
            b"punsubscribe",
            b"sunsubscribe",
            b"pong",
        ];
        let first = elements.iter().next();
        self.dedicated
            && first.is_some_and(|word| word.as_bytes().is_some_and(|word| WORDS.contains(&word)))
    }

    /// Reads a message out of band, and delivers it if it was published.
    pub(crate) fn notice(&self, elements: &Elements) -> Notice {
        let mut elements = elements.iter();
        let mut bytes = || match elements.next() {
            Some(Reply::Bulk(bytes) | Reply::Simple(bytes)) => bytes,
            _ => Bytes::new(),
        };
        let word = bytes();
        if let Some(kind) = TopicKind::of_message(&word) {
            let name = bytes();
            let channel = (kind == TopicKind::Pattern).then(&mut bytes);
            self.deliver(kind, &name, channel.as_deref(), bytes());
            return Notice::Message;
        }
        let mut topic = |kind| Topic {
            kind,
            name: bytes(),
        };
        match &word[..] {
            b"subscribe" => Notice::Subscribed(topic(TopicKind::Channel)),
            b"psubscribe" => Notice::Subscribed(topic(TopicKind::Pattern)),
            b"ssubscribe" => Notice::Subscribed(topic(TopicKind::Shard)),
            b"unsubscribe" => Notice::Unsubscribed(topic(TopicKind::Channel)),
            b"punsubscribe" => Notice::Unsubscribed(topic(TopicKind::Pattern)),
            b"sunsubscribe" => Notice::Unsubscribed(topic(TopicKind::Shard)),
            b"pong" => Notice::Pong,
            _ => Notice::Other,
        }
    }

    /// Delivers what was published for the topic `name`. `channel` is where, if that is not the topic itself.
    pub(crate) fn deliver(
        &self,
        kind: TopicKind,
        name: &[u8],
        channel: Option<&[u8]>,
        payload: Bytes,
    ) {
        let mut entries = self.lock();
        let Some((name, entry)) = entries.of(kind).get_key_value(name) else {
            return;
        };
        let Some((last, others)) = entry.mailboxes.split_last() else {
            return;
        };
        let message = Message {
            channel: channel.map_or_else(|| name.clone(), Bytes::copy_from_slice),
            pattern: channel.map(|_| name.clone()),
            payload,
        };
        others
            .iter()
            .for_each(|mailbox| mailbox.deliver(message.clone()));
        last.deliver(message);
    }
}
