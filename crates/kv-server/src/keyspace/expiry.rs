//! Expiry: lazily when a key is looked at, actively within a time budget.

use crate::engine::Engine;
use crate::keyspace::notify::Class;
use crate::keyspace::table::{Entry as _, Position};
use crate::keyspace::{
    Db,
    entry::{Entry, NEVER},
};

/// Entries that one turn of active expiry looks at in a database; about a millisecond's work.
const BUDGET: usize = 4096;

impl Db {
    /// Whether a key is there but its time has come; leaves it where it is.
    pub(crate) fn is_expired(&self, key: &[u8]) -> bool {
        self.table
            .find(key)
            .is_some_and(|at| self.table.at(at).expire_at() < self.now)
    }

    /// For who only looks: a key whose time has come is removed, and fields whose time has come are taken out; while
    /// expired keys are kept, both are hidden instead.
    #[cold]
    pub(super) fn settle_expired(&mut self, at: Position) -> Option<Position> {
        let is_dead = self.table.at(at).expire_at() < self.now;
        match (is_dead, self.keeps_expired) {
            (true, true) => None,
            (true, false) => {
                self.remove_expired(at);
                None
            }
            (false, true) => self.hide_fields(at),
            (false, false) => self.expire_fields(at),
        }
    }

    pub(super) fn remove_expired(&mut self, at: Position) {
        let entry = self.remove_at(at);
        self.note_expired(&entry);
    }

    fn note_expired(&mut self, entry: &Entry) {
        let key = entry.key();
        self.counters.expired += 1;
        self.event(Class::EXPIRED, "expired", key);
        self.touched_by_expiry(key);
        self.changes.expired.push(key.into());
    }

    /// A lower bound of the time at which the next key or field expires; [`NEVER`] if none does.
    #[inline]
    pub(crate) fn next_expiry(&self) -> i64 {
        let keys = match self.volatile {
            0 => NEVER,
            _ => self.table.next_expiry(),
        };
        keys.min(self.next_field_expiry().unwrap_or(NEVER))
    }

    #[cfg(test)]
    pub(crate) fn expire_everything(&mut self) {
        while self.expire_some() {}
        while self.expire_some_fields() {}
    }

    /// Removes keys whose time has come, as many as the budget allows. Returns whether more may be due.
    fn expire_some(&mut self) -> bool {
        self.count_handed_out();
        let mut due = Vec::new();
        let before_now = self.now.saturating_sub(1);
        let sweep = self
            .table
            .expired(before_now, &mut self.expiry_cursor, BUDGET, |entry| {
                due.push(entry)
            });
        self.volatile -= due.len();
        for entry in &mut due {
            self.keep_removed(entry);
            self.deadlines.remove(entry.key());
            self.note_expired(entry);
        }
        !sweep.finished
    }
}

impl Engine {
    /// One turn of active expiry over all databases. Returns whether more keys may be due.
    pub(crate) fn expire_actively(&mut self) -> bool {
        let now = self.now_ms();
        self.last_sweep_ms = now;
        let (mut more, mut any) = (false, false);
        for (index, db) in self.dbs.iter_mut().enumerate() {
            if db.next_expiry() < now {
                db.begin(now);
                more |= db.expire_some();
                more |= db.expire_some_fields();
                any = true;
                self.shared.publish_changes(index, db);
            }
        }
        if any && self.shared.config.maxmemory > 0 {
            self.count_all_memory();
        }
        self.look_for_expiries();
        more
    }

    /// Finds out anew when the next key or field expires.
    pub(crate) fn look_for_expiries(&mut self) {
        let each = self.dbs.iter().map(Db::next_expiry);
        self.soonest_expiry = each.min().unwrap_or(NEVER);
    }
}
