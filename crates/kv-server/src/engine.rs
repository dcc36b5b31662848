//! Everything under the lock: the databases, and what all connections share.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clients::Clients;
use crate::clock::Clock;
use crate::command::{Args, Flags, Found, RowId, Table};
use crate::config::Config;
use crate::connection::session::Session;
use crate::dialect::OnUnknown;
use crate::effect::Effects;
use crate::eviction::Eviction;
use crate::garbage::Garbage;
use crate::keyspace::{Db, entry::NEVER};
use crate::latency::Spikes;
use crate::monitor::Monitors;
use crate::persist::Saves;
use crate::pubsub::PubSub;
use crate::rng::Rng;
use crate::slowlog::SlowLog;
use crate::stats::Stats;
use crate::tracking::Tracking;

/// The data and state of one server; commands run on it one at a time.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) dbs: Vec<Db>,
    pub(crate) shared: Shared,
    /// Unix time in microseconds when the lock was last taken: the time of all commands until it is let go.
    pub(crate) now_us: i64,
    /// The row that was looked up last.
    pub(crate) found: Found,
    /// Databases in which a key became ready for a blocked client.
    pub(crate) ready_dbs: Vec<usize>,
    /// Whose time is running, and since when, in microseconds.
    pub(crate) timed: (Option<RowId>, i64),
    /// How often that command had been called by then.
    pub(crate) timed_calls: u64,
    /// A lower bound of the time at which the next key or field expires: lowered after each command, exact after active expiry.
    pub(crate) soonest_expiry: i64,
    /// When active expiry last ran.
    pub(crate) last_sweep_ms: i64,
    /// When connections were last looked after.
    pub(crate) last_patrol_ms: i64,
}

/// With more arguments than this no command is brief.
const BRIEF_ARGS: usize = 64;

/// What is not a database.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) commands: Arc<Table>,
    pub(crate) clients: Clients,
    pub(crate) pubsub: PubSub,
    pub(crate) tracking: Tracking,
    pub(crate) monitors: Monitors,
    pub(crate) slowlog: SlowLog,
    pub(crate) spikes: Spikes,
    pub(crate) stats: Stats,
    pub(crate) effects: Effects,
    /// The running command has changed databases other than the selected one, though its row does not say so.
    pub(crate) crossed: bool,
    pub(crate) on_unknown: Option<OnUnknown>,
    pub(crate) rng: Rng,
    pub(crate) garbage: Garbage,
    pub(crate) eviction: Eviction,
    /// CLIENT PAUSE.
    pub(crate) pause: Option<Pause>,
    pub(crate) saves: Saves,
    /// A client has sent SHUTDOWN: nothing is executed any more.
    pub(crate) shut_down: bool,
    /// Whether keys are removed when their time comes, without anybody looking at them (DEBUG SET-ACTIVE-EXPIRE).
    pub(crate) active_expiry: bool,
    /// Nothing happens by itself (DEBUG PAUSE-CRON).
    pub(crate) cron_paused: bool,
    /// The running command took its time (DEBUG SLEEP): the next one looks at the clock again.
    pub(crate) slept: bool,
    pub(crate) clock: Clock,
    pub(crate) shutdown_requested: Arc<Notify>,
    pub(crate) started_ms: i64,
    /// 40 hexadecimal digits, new at each start.
    pub(crate) run_id: String,
    /// 40 hexadecimal digits that name the history of the data.
    pub(crate) replication_id: String,
    pub(crate) tcp_port: u16,
    /// The server stops: newcomers are not let in.
    pub(crate) stopping: bool,
}

/// CLIENT PAUSE: requests wait until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) until_ms: i64,
    /// Only commands that may write.
    pub(crate) writes_only: bool,
}

/// All databases by number; the one that a running command selected is among them.
pub(crate) trait Databases {
    fn at(&mut self, index: usize) -> &mut Db;
}

impl Databases for Vec<Db> {
    fn at(&mut self, index: usize) -> &mut Db {
        &mut self[index]
    }
}

impl Shared {
    /// Forgets a connection: its subscriptions, watched keys and place in queues.
    pub(crate) fn disconnect(&mut self, dbs: &mut impl Databases, id: u64) {
        if let Some(mut session) = self.clients.remove(id) {
            self.forget(dbs, &mut session);
        }
    }

    /// Whether writes are refused because snapshots fail.
    #[inline]
    pub(crate) fn refuses_writes(&self) -> bool {
        self.saves.failed && self.config.stop_writes_on_save_error && self.config.saves_on_exit()
    }

    /// A command that was timed by itself took so long: for the slow log, and for LATENCY.
    pub(crate) fn note_duration(
        &mut self,
        session: &Session,
        row: RowId,
        args: Args<'_>,
        us: u64,
        now_us: i64,
    ) {
        self.note_slow(session, row, args, us, now_us);
        let is_fast = self.commands.row(row).command.flags.contains(Flags::FAST);
        self.note_spike(if is_fast { "fast-command" } else { "command" }, us);
    }

    /// Something took so long: notes it for LATENCY, if that is long enough.
    pub(crate) fn note_spike(&mut self, event: &'static str, us: u64) {
        let threshold = self.config.latency_threshold_ms;
        let ms = us / 1000;
        if threshold > 0 && ms >= threshold {
            let at_s = self.clock.now_ms().div_euclid(1000);
            self.spikes.note(event, at_s, ms);
        }
    }

    /// Takes back whatever a session registered elsewhere.
    pub(crate) fn forget(&mut self, dbs: &mut impl Databases, session: &mut Session) {
        self.unblock(dbs, session);
        session.unwatch(dbs);
        self.pubsub.unsubscribe_all(session);
        self.tracking.end(session);
        self.monitors.remove(&session.id);
    }
}

impl Engine {
    pub(crate) fn now_ms(&self) -> i64 {
        self.now_us.div_euclid(1000)
    }

    /// Sets the time of the commands that follow.
    pub(crate) fn set_now(&mut self, now_us: i64) {
        self.now_us = now_us;
        self.shared.stats.note_sample(now_us);
        self.timed = (None, now_us);
    }

    /// From now on the time is this command's; up to now it was that of the one before.
    ///
    /// The clock is read only where one command follows another, so a run of the same ones is measured as a whole.
    #[inline]
    pub(crate) fn time(&mut self, row: Option<RowId>) {
        let (before, since) = self.timed;
        if before == row {
            return;
        }
        let since = match before {
            Some(before) => {
                let now = self.shared.clock.now_us();
                let spent = u64::try_from(now - since).unwrap_or(0);
                self.shared.stats.spent(before, spent, self.timed_calls);
                now
            }
            None => since,
        };
        self.timed = (row, since);
        if let Some(row) = row {
            self.timed_calls = self.shared.stats.command(row).all_calls;
        }
    }

    /// From now on the time is this command's. Returns whether it is timed by itself, which [`end_timing`](Self::end_timing) ends.
    #[inline]
    pub(crate) fn begin_timing(&mut self, row: RowId, args: &Args<'_>) -> bool {
        let is_brief = self.shared.commands.row(row).is_brief && args.len() <= BRIEF_ARGS;
        if is_brief && !self.shared.config.times_all() {
            self.time(Some(row));
            return false;
        }
        self.time(None);
        self.time(Some(row));
        true
    }

    /// Ends the time of the command before, and returns when that was: now.
    pub(crate) fn time_apart(&mut self) -> i64 {
        self.time(None);
        // Whoever took its own time left off a while ago.
        self.timed.1 = self.shared.clock.now_us();
        self.timed.1
    }

    /// The time that a command took which was timed by itself, in microseconds.
    pub(crate) fn end_timing(&mut self, row: RowId) -> u64 {
        let since = self.timed.1;
        let now = self.shared.clock.now_us();
        let spent = u64::try_from(now - since).unwrap_or(0);
        self.shared.stats.spent(row, spent, self.timed_calls);
        self.timed = (None, now);
        spent
    }

    /// Forgets a connection: its subscriptions, watched keys and place in queues.
    pub(crate) fn disconnect(&mut self, id: u64) {
        self.shared.disconnect(&mut self.dbs, id);
    }

    /// The earliest time at which [`tick`](Self::tick) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        let blocked = self
            .shared
            .clients
            .deadlines
            .first_key_value()
            .map(|((at, _), ())| *at);
        let pause = self.shared.pause.map(|pause| pause.until_ms);
        let expires =
            self.soonest_expiry != NEVER && self.shared.active_expiry && !self.shared.cron_paused;
        let expiry = expires.then(|| {
            self.soonest_expiry.saturating_add(1).max(
                self.last_sweep_ms
                    .saturating_add(self.shared.config.sweep_pause_ms()),
            )
        });
        let aside = !self.shared.garbage.is_empty() || self.shared.eviction.unfinished;
        let aside = aside.then(|| self.now_ms());
        let shared = &self.shared;
        let save = shared
            .saves
            .due(&shared.config, shared.stats.changes_since_save)
            .filter(|_| !shared.cron_paused);
        let patrol = self.next_patrol().filter(|_| !shared.cron_paused);
        [blocked, pause.or(expiry), patrol, aside, save]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due: timeouts of blocked clients, the end of a pause, active expiry. Returns whether work is left for at once.
    pub(crate) fn tick(&mut self) -> bool {
        let now = self.now_ms();
        while let Some((&(at, id), ())) = self.shared.clients.deadlines.first_key_value() {
            if at > now {
                break;
            }
            self.shared.clients.deadlines.pop_first();
            self.shared.end_wait(&mut self.dbs, id, None);
        }
        if self.shared.pause.is_some_and(|pause| pause.until_ms <= now) {
            self.shared.pause = None;
            for db in &mut self.dbs {
                db.set_keeping_expired(false);
            }
            self.shared.clients.wake_postponed();
        }
        let cron = !self.shared.cron_paused;
        if cron {
            self.patrol();
            self.save_if_due();
        }
        // CLIENT PAUSE keeps the data as it is.
        if self.shared.pause.is_some() {
            return false;
        }
        let expiring = cron
            && self.shared.active_expiry
            && self.timed_as("expire-cycle", Self::expire_actively);
        let evicting = self.timed_as("eviction-cycle", Self::go_on_evicting);
        self.shared.send_invalidations(None);
        evicting || expiring
    }

    /// Does something, and notes it for LATENCY if it takes too long.
    fn timed_as<T>(&mut self, event: &'static str, work: impl FnOnce(&mut Self) -> T) -> T {
        if self.shared.config.latency_threshold_ms == 0 {
            return work(self);
        }
        let before = self.shared.clock.now_us();
        let done = work(self);
        let us = self.shared.clock.now_us() - before;
        self.shared
            .note_spike(event, u64::try_from(us).unwrap_or(0));
        done
    }
}
