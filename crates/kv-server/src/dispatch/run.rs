//! Running a handler: its context, what it costs, and what comes of its changes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::BytesMut;
use tracing::error;

use crate::command::{Args, CustomFn, Flags, Handler, HandlerFn, RowId};
use crate::connection::session::Session;
use crate::context::{Context, OtherDbs, Wait};
use crate::engine::{Engine, Shared};
use crate::error::ReplyError;
use crate::reply::Reply;

/// On what occasion a handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// A request just came in.
    Request,
    /// EXEC runs it: it must not wait.
    Nested,
    /// It waited, and a key it waits for changed.
    Again,
}

/// A handler, taken out of the table so that it can be called with everything else.
enum Callee {
    Builtin(HandlerFn),
    Custom(Arc<CustomFn>),
    Nobody,
}

impl Callee {
    #[inline]
    fn of(handler: &Handler) -> Self {
        match handler {
            Handler::Builtin(handle) => Self::Builtin(*handle),
            Handler::Custom(handle) => Self::Custom(handle.clone()),
            Handler::Exec | Handler::Container => Self::Nobody,
        }
    }
}

impl Engine {
    /// Runs a handler; returns what it waits for, if it does.
    pub(crate) fn call(
        &mut self,
        session: &mut Session,
        row: RowId,
        args: Args<'_>,
        run: Run,
        out: &mut BytesMut,
    ) -> Option<Wait> {
        let start = out.len();
        let index = session.db;
        let alone = self.begin_timing(row, &args);
        let now_us = self.now_us;
        let callee = Callee::of(&self.shared.commands.row(row).command.handler);
        let (db, others) = OtherDbs::split(&mut self.dbs, index);
        let version = session.version;
        let mut wait = None;
        db.begin(now_us.div_euclid(1000));
        db.set_touching(!session.no_touch);
        let mut cx = Context {
            db,
            others,
            out: Reply { buf: out, version },
            session,
            shared: &mut self.shared,
            row,
            wait: &mut wait,
            now_us,
            nested: run == Run::Nested,
            is_own_call: false,
        };
        let result = catch_unwind(AssertUnwindSafe(|| match callee {
            Callee::Builtin(handle) => handle(args, &mut cx),
            Callee::Custom(handle) => handle(args, &mut cx),
            Callee::Nobody => Err(ReplyError::Syntax),
        }));
        let Shared {
            stats, commands, ..
        } = &mut self.shared;
        let result = result.unwrap_or_else(|_| {
            let name = commands.row(row).full_name.clone();
            // The panic's own message and place are on standard error already.
            error!(command = name, "a handler panicked");
            stats.panics += 1;
            session.closing = true;
            wait = None;
            Err(ReplyError::Internal(name))
        });
        stats.commands += u64::from(run != Run::Again);
        let counted = stats.command(row);
        // A command that waits is counted when it is done.
        counted.all_calls += u64::from(wait.is_none());
        if let Err(error) = result {
            counted.failed += 1;
            stats.error(&error);
            out.truncate(start);
            Reply {
                buf: out,
                version: session.version,
            }
            .error(&error);
        }
        if alone {
            let us = self.end_timing(row);
            if wait.is_none() {
                self.shared.note_duration(session, row, args, us, now_us);
            }
        }
        if !self.shared.monitors.is_empty() && run != Run::Again {
            self.shared
                .show_to_monitors(session, row, args, index, now_us);
        }
        if self.shared.tracking.is_on() {
            self.follow_keys(session, row, args, run);
        }
        self.settle(index, row, args);
        wait
    }

    /// After a command: hands on its effects and events, and notes the keys that became ready.
    #[inline]
    fn settle(&mut self, index: usize, row: RowId, args: Args<'_>) {
        let crosses = self
            .shared
            .commands
            .row(row)
            .command
            .flags
            .contains(Flags::CROSS_DB)
            || std::mem::take(&mut self.shared.crossed);
        if self.shared.config.maxmemory > 0 {
            if crosses {
                self.count_all_memory();
            } else {
                self.count_memory(index);
            }
        }
        if self.dbs[index].changes.is_empty() && !crosses {
            self.shared.effects.discard();
            return;
        }
        let touched = if crosses {
            0..self.dbs.len()
        } else {
            index..index + 1
        };
        let mut count = 0;
        for number in touched {
            let db = &mut self.dbs[number];
            count += std::mem::take(&mut db.changes.count);
            self.soonest_expiry = self.soonest_expiry.min(db.next_expiry());
            if !db.changes.is_empty() {
                self.shared.publish_changes(number, db);
                if !db.changes.ready.is_empty() {
                    self.ready_dbs.push(number);
                }
            }
        }
        self.shared.stats.changes += count;
        self.shared.stats.changes_since_save += count;
        if count > 0 && self.shared.effects.are_followed() {
            self.shared.effects.publish(index, args.all());
        } else {
            self.shared.effects.discard();
        }
    }
}
