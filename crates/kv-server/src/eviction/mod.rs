//! `maxmemory`: what counts as used, and making room.
//!
//! Keys to evict are chosen as in Redis: a few are sampled in each database, the best sixteen of all samples are kept in
//! a pool, and the best of these goes. Databases count their memory exactly, so no more is evicted than is needed.

mod clients;
mod policy;
mod pool;

pub(crate) use self::clients::ClientLimit;
pub(crate) use self::policy::{Policy, Worth};
use self::pool::{Candidate, Pool};
use crate::command::{Flags, Handler, RowId};
use crate::connection::session::Session;
use crate::engine::Engine;
use crate::error::ReplyError;
use crate::keyspace::Db;
use crate::keyspace::usage::Usage;

/// What eviction remembers.
#[derive(Debug, Default)]
pub(crate) struct Eviction {
    pool: Pool,
    /// The database that lost a key last, for policies that choose by chance.
    last_db: usize,
    /// Too much is used, and the turn was too short: the timer goes on.
    pub(crate) unfinished: bool,
    /// Bytes of all databases as they were last counted.
    data: usize,
    /// What of `data` is each database's.
    by_db: Vec<usize>,
}

/// Whether there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Enough,
    /// Not yet: the timer goes on evicting.
    Soon,
    /// Not enough, and nothing may be evicted.
    None,
}

/// Keys that one turn evicts at least, and at the tenacity 10.
const TURN_MIN: usize = 16;
const TURN_DEFAULT: usize = 256;

/// How many keys one turn may evict. Redis allows 500 µs at the tenacity 10 and 15 % more for each step above it;
/// this allows what can be done in about that time, for the engine does not look at clocks.
fn turn(tenacity: u32) -> usize {
    match tenacity {
        0..=10 => TURN_MIN.max(TURN_DEFAULT * tenacity as usize / 10),
        11..=99 => (10..tenacity).fold(TURN_DEFAULT, |keys, _| keys + keys * 3 / 20),
        _ => usize::MAX,
    }
}

impl Engine {
    /// Before a command: makes room if too much is used. An error if there is none and the command must not run without.
    pub(crate) fn check_memory(
        &mut self,
        session: &Session,
        row: RowId,
    ) -> std::result::Result<(), ReplyError> {
        if self.make_room() != Room::None || !self.takes_memory(session, row) {
            return Ok(());
        }
        self.shared.stats.command(row).rejected += 1;
        Err(ReplyError::OutOfMemory)
    }

    /// Whether a command may take memory: by its row, by what EXEC will run, or because MULTI will queue it.
    fn takes_memory(&self, session: &Session, row: RowId) -> bool {
        let commands = &self.shared.commands;
        let denied = |row| commands.row(row).command.flags.contains(Flags::DENYOOM);
        let command = &commands.row(row).command;
        let Some(multi) = &session.multi else {
            return denied(row);
        };
        if matches!(command.handler, Handler::Exec) {
            return multi.queue.iter().any(|request| denied(request.row));
        }
        let ends_multi = matches!(&*command.name, "DISCARD" | "QUIT" | "RESET");
        !ends_multi || commands.row(row).parent.is_some()
    }

    /// Counts a database anew, after a command ran on it.
    #[inline]
    pub(crate) fn count_memory(&mut self, index: usize) {
        let bytes = self.dbs[index].memory();
        if let Some(counted) = self.shared.eviction.by_db.get_mut(index) {
            self.shared.eviction.data = self.shared.eviction.data - *counted + bytes;
            *counted = bytes;
        }
    }

    /// Counts all databases anew: something else than a command of theirs changed them.
    pub(crate) fn count_all_memory(&mut self) {
        self.shared.eviction.recount(self.dbs.iter_mut());
    }

    fn used_memory(&self) -> usize {
        self.shared.eviction.data + self.shared.clients.memory() + self.shared.notes_memory()
    }

    /// Evicts keys while more than `maxmemory` is used, as many as one turn allows.
    fn make_room(&mut self) -> Room {
        let max = self.shared.config.maxmemory;
        // CLIENT PAUSE keeps the data as it is.
        if max == 0 || self.used_memory() <= max || self.shared.pause.is_some() {
            self.shared.eviction.unfinished = false;
            return Room::Enough;
        }
        let policy = self.shared.config.policy;
        if policy.worth == Worth::All {
            self.shared.eviction.unfinished = false;
            return Room::None;
        }
        let mut left = turn(self.shared.config.eviction_tenacity);
        while self.used_memory() > max {
            if left == 0 {
                self.shared.eviction.unfinished = true;
                return Room::Soon;
            }
            left -= 1;
            if !self.evict_one(policy) {
                self.shared.eviction.unfinished = false;
                return Room::None;
            }
        }
        self.shared.eviction.unfinished = false;
        Room::Enough
    }

    /// One more turn of what a command could not finish. Returns whether there is still more to do.
    pub(crate) fn go_on_evicting(&mut self) -> bool {
        self.shared.eviction.unfinished && self.make_room() == Room::Soon
    }

    fn evict_one(&mut self, policy: Policy) -> bool {
        let evicted = if policy.worth == Worth::Chance {
            self.evict_any(policy)
        } else {
            self.evict_best(policy)
        };
        let Some(index) = evicted else {
            return false;
        };
        self.shared.publish_changes(index, &mut self.dbs[index]);
        self.count_memory(index);
        true
    }

    /// A random key of the next database that has one.
    fn evict_any(&mut self, policy: Policy) -> Option<usize> {
        let count = self.dbs.len();
        for _ in 0..count {
            let index = (self.shared.eviction.last_db + 1) % count;
            self.shared.eviction.last_db = index;
            let rng = &mut self.shared.rng;
            if let Some(key) = self.dbs[index].random_evictable(policy, || rng.next()) {
                self.evict_key(index, &key, policy);
                return Some(index);
            }
        }
        None
    }

    /// The key that deserves it most, of those in the pool.
    fn evict_best(&mut self, policy: Policy) -> Option<usize> {
        let now = self.now_ms();
        loop {
            let mut any = false;
            let samples = self.shared.config.maxmemory_samples;
            for (index, db) in self.dbs.iter().enumerate() {
                if db.evictable(policy) > 0 {
                    any = true;
                    let random = self.shared.rng.next();
                    let pool = &mut self.shared.eviction.pool;
                    db.sample_evictable(policy, now, samples, random, |key, score| {
                        pool.offer(index, key, score);
                    });
                }
            }
            if !any {
                return None;
            }
            while let Some(Candidate { db, key, .. }) = self.shared.eviction.pool.best() {
                if self.evict_key(db, &key, policy) {
                    return Some(db);
                }
            }
        }
    }

    /// `false` if the key is not there any more.
    fn evict_key(&mut self, index: usize, key: &[u8], policy: Policy) -> bool {
        let Some(entry) = self.dbs[index].evict(key, policy) else {
            return false;
        };
        self.shared.garbage.bury(entry);
        true
    }
}

impl Eviction {
    /// Takes up new settings of `maxmemory`: counts anew, and forgets candidates that another policy chose.
    pub(crate) fn restart<'d>(&mut self, dbs: impl Iterator<Item = &'d mut Db>, usage: Usage) {
        self.pool.clear();
        // Whatever is too much goes now, not with the next command.
        self.unfinished = true;
        self.recount_with(dbs, |db| db.set_usage(usage));
    }

    fn recount<'d>(&mut self, dbs: impl Iterator<Item = &'d mut Db>) {
        self.recount_with(dbs, |_| {});
    }

    fn recount_with<'d>(
        &mut self,
        dbs: impl Iterator<Item = &'d mut Db>,
        mut before: impl FnMut(&mut Db),
    ) {
        self.by_db.clear();
        for db in dbs {
            before(db);
            self.by_db.push(db.memory());
        }
        self.data = self.by_db.iter().sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_grows_with_the_tenacity_up_to_no_end() {
        assert_eq!((turn(0), turn(10), turn(100)), (16, 256, usize::MAX));
        assert!((1..=100).all(|tenacity| turn(tenacity - 1) <= turn(tenacity)));
    }

    #[test]
    fn every_policy_has_the_name_it_is_found_by() {
        for name in Policy::names().split(", ") {
            assert_eq!(Policy::named(name).map(Policy::name), Some(name));
        }
        assert_eq!(
            Policy::named("ALLKEYS-LRU").map(Policy::name),
            Some("allkeys-lru")
        );
        assert_eq!(Policy::named("lru"), None);
    }
}
