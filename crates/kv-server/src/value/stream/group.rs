//! A consumer group: how far it has come, who reads for it, and what they have not acknowledged yet.

use std::collections::{BTreeMap, BTreeSet};

use crate::value::stream::{Id, map_bytes};

/// A group of consumers that share the entries of a stream among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    /// The last entry that was delivered.
    pub(crate) last: Id,
    /// How many entries of the stream come up to there, if that is known.
    pub(crate) read: Option<u64>,
    /// What was delivered and not acknowledged. Its owner has the id among its own.
    pending: BTreeMap<Id, Pending>,
    names: BTreeMap<Box<[u8]>, Owner>,
    /// By number; `None` where one was removed.
    consumers: Vec<Option<Consumer>>,
    /// Bytes of the consumers' names.
    name_bytes: usize,
}

/// The number of a consumer in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u32);

/// An entry that was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending {
    /// When it was delivered last: Unix time in milliseconds.
    pub(crate) delivered_ms: i64,
    /// How often.
    pub(crate) deliveries: u64,
    pub(crate) owner: Owner,
}

/// Somebody who reads for a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Consumer {
    name: Box<[u8]>,
    /// When it last asked for entries: Unix time in milliseconds.
    pub(crate) seen_ms: i64,
    /// When it last got one; `None` if it never did.
    pub(crate) active_ms: Option<i64>,
    pending: BTreeSet<Id>,
}

impl Consumer {
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many entries it has not acknowledged.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The first of those from an id on.
    pub(crate) fn pending_from(&self, id: Id) -> impl Iterator<Item = Id> {
        self.pending.range(id..).copied()
    }
}

impl PartialEq for Group {
    /// Consumers are compared by name, whatever their numbers are.
    fn eq(&self, other: &Self) -> bool {
        // Who owns what is among the consumers.
        let deliveries = |group: &Self| {
            let pending = group.pending.iter();
            let pending = pending.map(|(id, one)| (*id, one.delivered_ms, one.deliveries));
            pending.collect::<Vec<_>>()
        };
        (self.last, self.read) == (other.last, other.read)
            && deliveries(self) == deliveries(other)
            && self.consumers().eq(other.consumers())
    }
}

impl Group {
    pub(crate) fn new(last: Id, read: Option<u64>) -> Self {
        Self {
            last,
            read,
            ..Self::default()
        }
    }

    /// The consumer of this name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Owner> {
        self.names.get(name).copied()
    }

    /// Adds a consumer; `None` if there is one of this name.
    pub(crate) fn add(&mut self, name: &[u8], now_ms: i64) -> Option<Owner> {
        if self.names.contains_key(name) {
            return None;
        }
        let free = if self.names.len() < self.consumers.len() {
            self.consumers.iter().position(Option::is_none)
        } else {
            None
        };
        let number = free.unwrap_or_else(|| {
            self.consumers.push(None);
            self.consumers.len() - 1
        });
        self.consumers[number] = Some(Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: None,
            pending: BTreeSet::new(),
        });
        let owner = Owner(u32::try_from(number).expect("fewer consumers than 4 billion"));
        self.names.insert(name.into(), owner);
        self.name_bytes += 2 * name.len();
        Some(owner)
    }

    pub(crate) fn consumer(&self, owner: Owner) -> &Consumer {
        self.consumers[owner.0 as usize]
            .as_ref()
            .expect("an owner is a consumer of its group")
    }

    pub(crate) fn consumer_mut(&mut self, owner: Owner) -> &mut Consumer {
        self.consumers[owner.0 as usize]
            .as_mut()
            .expect("an owner is a consumer of its group")
    }

    /// Takes a consumer out, and what it has not acknowledged; returns how much that was.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<usize> {
        let owner = self.names.remove(name)?;
        self.name_bytes -= 2 * name.len();
        let consumer = self.consumers[owner.0 as usize].take()?;
        while self.consumers.last().is_some_and(Option::is_none) {
            self.consumers.pop();
        }
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// The consumers by name.
    pub(crate) fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.names.values().map(|owner| self.consumer(*owner))
    }

    /// What was delivered and not acknowledged, from an id on.
    pub(crate) fn pending_from(&self, id: Id) -> impl DoubleEndedIterator<Item = (Id, &Pending)> {
        self.pending.range(id..).map(|(id, pending)| (*id, pending))
    }

    /// How many entries are not acknowledged.
    pub(crate) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn pending(&self, id: Id) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// Notes that an entry belongs to a consumer now, whosever it was before.
    pub(crate) fn assign(&mut self, id: Id, pending: Pending) {
        let before = self.pending.insert(id, pending);
        if before.is_none_or(|before| before.owner != pending.owner) {
            if let Some(before) = before {
                self.consumer_mut(before.owner).pending.remove(&id);
            }
            self.consumer_mut(pending.owner).pending.insert(id);
        }
    }

    /// Notes that an entry was dealt with; `false` if it was not pending.
    pub(crate) fn acknowledge(&mut self, id: Id) -> bool {
        let Some(pending) = self.pending.remove(&id) else {
            return false;
        };
        self.consumer_mut(pending.owner).pending.remove(&id);
        true
    }

    /// Bytes allocated, about.
    pub(super) fn memory(&self) -> usize {
        // The consumers' own maps are taken to be as full as the group's.
        map_bytes::<Id, Pending>(self.pending.len())
            + map_bytes::<Id, ()>(self.pending.len())
            + map_bytes::<Box<[u8]>, Owner>(self.names.len())
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + self.name_bytes
    }
}
