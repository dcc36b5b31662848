//! What eviction asks of a database: how worthless its keys are, and to remove one.

use crate::eviction::{Policy, Worth};
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::notify::Class;
use crate::keyspace::table::Entry as _;
use crate::keyspace::usage::{Usage, age};
use crate::keyspace::{Db, stamp};

impl Db {
    /// Sets what is noted of keys that are used.
    pub(crate) fn set_usage(&mut self, usage: Usage) {
        self.usage = usage;
    }

    /// How many keys a policy may evict.
    pub(crate) fn evictable(&self, policy: Policy) -> usize {
        if policy.volatile {
            self.volatile
        } else {
            self.table.len()
        }
    }

    /// Shows up to `count` keys that a policy may evict, neighbours from a random place, and how much they deserve it.
    pub(crate) fn sample_evictable(
        &self,
        policy: Policy,
        now_ms: i64,
        count: usize,
        random: u64,
        mut f: impl FnMut(&[u8], u64),
    ) {
        let now = stamp(now_ms);
        self.table
            .sample(random, count, policy.volatile, |_, entry, clock| {
                let score = match (policy.worth, self.usage) {
                    (Worth::Ttl, _) => u64::MAX - u64::try_from(entry.expire_at()).unwrap_or(0),
                    (Worth::Frequency, Usage::Frequency(frequency)) => {
                        u64::from(255 - frequency.count(clock, now_ms).min(255))
                    }
                    _ => u64::from(age(now, clock)),
                };
                f(entry.key(), score);
            });
    }

    /// A key that a policy may evict, each with about the same chance.
    pub(crate) fn random_evictable(
        &self,
        policy: Policy,
        mut random: impl FnMut() -> u64,
    ) -> Option<Box<[u8]>> {
        if !policy.volatile {
            let at = self.table.random(random)?;
            return Some(self.table.at(at).key().into());
        }
        let mut found = None;
        self.table.sample(random(), 1, true, |_, entry, _| {
            found = Some(entry.key().into());
        });
        found
    }

    /// Removes a key to make room. `None` if it is gone, or the policy may not touch it any more.
    pub(crate) fn evict(&mut self, key: &[u8], policy: Policy) -> Option<Entry> {
        let at = self.table.find(key)?;
        if policy.volatile && self.table.at(at).expire_at() == NEVER {
            return None;
        }
        let entry = self.remove_at(at);
        self.counters.evicted += 1;
        self.event(Class::EVICTED, "evicted", key);
        if !self.watched.is_empty() {
            self.touch_watchers(key);
        }
        self.changes.evicted.push(key.into());
        Some(entry)
    }
}
