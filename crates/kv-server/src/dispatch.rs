//! The one path of a request: row, arity, authentication, subscriber mode, MULTI, pause, handler, effects.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::BytesMut;
use resp_codec::Arg;
use tracing::error;

use crate::command::{Args, CustomFn, Flags, Handler, HandlerFn, Row, RowId};
use crate::connection::peer::Close;
use crate::connection::session::{ReplyMode, Request, Session};
use crate::context::{Context, OtherDbs, Wait};
use crate::dialect::Unknown;
use crate::engine::{Engine, Shared};
use crate::error::{ReplyError, Result};
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

/// What the connection does after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    /// Wait: the engine answers when a key is ready or the time is up.
    Block,
    /// CLIENT PAUSE: try the same request again later.
    Postpone,
    /// Close once the replies are sent.
    Close,
    /// Close without sending anything more.
    Cut,
}

impl Engine {
    /// Runs one request of a connection, and writes its reply to `out`.
    pub(crate) fn execute(
        &mut self,
        session: &mut Session,
        buf: &[u8],
        args: &[Arg],
        out: &mut BytesMut,
    ) -> Flow {
        let start = out.len();
        let flow = self.dispatch(session, buf, args, out);
        if session.reply_mode != ReplyMode::On && flow != Flow::Postpone {
            if let Some(blocked) = &mut session.blocked {
                blocked.silent = true;
            }
            suppress(session, out, start);
        }
        if session.peer.has_mail() {
            match session.peer.collect(out) {
                Some(Close::Now) => return Flow::Cut,
                Some(Close::AfterOutput) => session.closing = true,
                None => {}
            }
        }
        if session.closing { Flow::Close } else { flow }
    }

    fn dispatch(
        &mut self,
        session: &mut Session,
        buf: &[u8],
        args: &[Arg],
        out: &mut BytesMut,
    ) -> Flow {
        let (row, skip) = match self.admit(session, buf, args) {
            Ok(found) => found,
            Err(error) => {
                self.refuse(session, &error, out);
                return Flow::Continue;
            }
        };
        if self.shared.config.maxmemory > 0 {
            if let Err(error) = self.check_memory(session, row) {
                if matches!(self.shared.commands.row(row).command.handler, Handler::Exec) {
                    self.abort_exec(session, &error, out);
                } else {
                    self.refuse(session, &error, out);
                }
                return Flow::Continue;
            }
            self.tell_before_reply(session, out);
        }
        if self.shared.pause.is_some() && self.is_paused(session, row) {
            session.postponed = true;
            return Flow::Postpone;
        }
        session.postponed = false;
        let command = &self.shared.commands.row(row).command;
        if let Some(multi) = session
            .multi
            .as_mut()
            .filter(|_| !runs_inside_multi(&command.name))
        {
            // A transaction that fails anyway takes no memory.
            if !multi.broken && !session.peer.is_touched() {
                multi.push(Request::copy(row, buf, args));
            }
            out.extend_from_slice(b"+QUEUED\r\n");
            return Flow::Continue;
        }
        session.last_command = Some(row);
        session.commands += 1;
        let flow = if matches!(command.handler, Handler::Exec) {
            self.count_exec(session, row, Args::new(buf, args), out);
            Flow::Continue
        } else {
            match self.call(
                session,
                row,
                Args::new(buf, args).skip(skip),
                Run::Request,
                out,
            ) {
                Some(wait) => {
                    self.block(session, wait, Request::copy(row, buf, args));
                    Flow::Block
                }
                None => Flow::Continue,
            }
        };
        if std::mem::take(&mut self.shared.slept) {
            self.now_us = self.shared.clock.now_us();
        }
        self.serve_ready_keys();
        if self.shared.tracking.is_on() {
            self.shared.send_invalidations(Some(session));
        }
        flow
    }

    /// Finds the row, and checks whatever can be checked without running it. Returns how many words the name takes.
    fn admit(&mut self, session: &Session, buf: &[u8], args: &[Arg]) -> Result<(RowId, usize)> {
        let commands = &self.shared.commands;
        let mut words = args.iter().map(|arg| arg.of(buf));
        let name = words.next().unwrap_or_default();
        let is_frame = args.first().is_some_and(|arg| arg.is_frame());
        let found = self.found.find(commands, name).filter(|_| !is_frame);
        let Some(mut row) = found else {
            return Err(match &self.shared.on_unknown {
                Some(error) if args.is_empty() => error.0(Unknown::Nothing),
                Some(error) if is_frame => error.0(Unknown::Frame(name)),
                Some(error) => error.0(Unknown::Name(name)),
                None => unknown(name, words),
            });
        };
        let mut skip = 1;
        if !commands.row(row).subcommands.is_empty() {
            match words.next() {
                Some(sub) => match commands.find_sub(row, sub) {
                    Some(found) => (row, skip) = (found, 2),
                    None => return Err(unknown_sub(commands.row(row), sub)),
                },
                None if matches!(commands.row(row).command.handler, Handler::Container) => {
                    return Err(self.rejected(
                        row,
                        ReplyError::Arity(commands.row(row).full_name.clone().into()),
                    ));
                }
                None => {}
            }
        }
        let found = commands.row(row);
        let flags = found.command.flags;
        if !found.command.accepts(args.len()) {
            return Err(self.rejected(row, ReplyError::Arity(found.full_name.clone().into())));
        }
        if !session.authenticated
            && !flags.contains(Flags::NO_AUTH)
            && self.shared.config.requires_auth()
        {
            return Err(self.rejected(row, ReplyError::NoAuth));
        }
        if session.is_subscriber()
            && session.version == resp_codec::Version::Resp2
            && !allowed_when_subscribed(&found.command.name)
        {
            let name = found.full_name.clone();
            return Err(self.rejected(row, ReplyError::Subscribed(name)));
        }
        if session.multi.is_some() && flags.contains(Flags::NO_MULTI) {
            return Err(self.rejected(row, ReplyError::NotInMulti));
        }
        if flags.contains(Flags::WRITE) && self.shared.refuses_writes() {
            return Err(self.rejected(row, ReplyError::SaveFailed));
        }
        Ok((row, skip))
    }

    fn rejected(&mut self, row: RowId, error: ReplyError) -> ReplyError {
        self.shared.stats.command(row).rejected += 1;
        error
    }

    /// Answers a request that does not run; inside of MULTI the transaction is spoilt.
    fn refuse(&mut self, session: &mut Session, error: &ReplyError, out: &mut BytesMut) {
        if let Some(multi) = &mut session.multi {
            multi.broken = true;
        }
        self.shared.stats.commands += 1;
        self.shared.stats.error(error);
        Reply {
            buf: out,
            version: session.version,
        }
        .error(error);
    }

    /// EXEC cannot run its commands, for a reason of its own.
    fn abort_exec(&mut self, session: &mut Session, error: &ReplyError, out: &mut BytesMut) {
        session.multi = None;
        session.unwatch(&mut self.dbs);
        let aborted = ReplyError::text(format!(
            "EXECABORT Transaction discarded because of: {error}"
        ));
        self.refuse(session, &aborted, out);
    }

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

    fn is_paused(&self, session: &Session, row: RowId) -> bool {
        let Some(pause) = self.shared.pause else {
            return false;
        };
        let may_write = |row: RowId| {
            self.shared
                .commands
                .row(row)
                .command
                .flags
                .intersects(Flags::WRITE | Flags::MAY_REPLICATE)
        };
        if !pause.writes_only || may_write(row) {
            return true;
        }
        let is_exec = matches!(self.shared.commands.row(row).command.handler, Handler::Exec);
        is_exec
            && session
                .multi
                .iter()
                .flat_map(|multi| &multi.queue)
                .any(|request| may_write(request.row))
    }

    /// EXEC: all queued commands, or none.
    fn exec(&mut self, session: &mut Session, out: &mut BytesMut) -> Result {
        let multi = session.multi.take();
        let multi = multi.ok_or(ReplyError::WithoutMulti("EXEC"))?;
        let touched = session.peer.is_touched() || self.watched_key_expired(session);
        session.unwatch(&mut self.dbs);
        if multi.broken {
            return Err(ReplyError::ExecAbort);
        }
        let mut reply = Reply {
            buf: out,
            version: session.version,
        };
        if touched {
            reply.null_array();
            return Ok(());
        }
        reply.array(multi.queue.len());
        for request in &multi.queue {
            let skip = self.name_words(request.row);
            self.call(
                session,
                request.row,
                request.args().skip(skip),
                Run::Nested,
                out,
            );
        }
        Ok(())
    }

    /// Runs EXEC, and counts it beside the commands that it runs.
    fn count_exec(
        &mut self,
        session: &mut Session,
        row: RowId,
        args: Args<'_>,
        out: &mut BytesMut,
    ) {
        self.time(Some(row));
        let result = self.exec(session, out);
        let stats = &mut self.shared.stats;
        stats.commands += 1;
        stats.command(row).all_calls += 1;
        session.end_caching();
        if !self.shared.monitors.is_empty() {
            self.shared
                .show_to_monitors(session, row, args, session.db, self.now_us);
        }
        let stats = &mut self.shared.stats;
        if let Err(error) = result {
            stats.command(row).failed += 1;
            stats.error(&error);
            Reply {
                buf: out,
                version: session.version,
            }
            .error(&error);
        }
    }

    /// A key that was there at WATCH may have expired since without anybody noticing.
    fn watched_key_expired(&mut self, session: &Session) -> bool {
        let now = self.now_ms();
        session.watched.iter().any(|watched| {
            let db = &mut self.dbs[watched.db];
            db.begin(now);
            db.is_expired(&watched.key)
        })
    }

    /// How many words name this command: two for a subcommand.
    pub(crate) fn name_words(&self, row: RowId) -> usize {
        1 + usize::from(self.shared.commands.row(row).parent.is_some())
    }
}

/// Cuts the replies of a connection that does not want them.
fn suppress(session: &mut Session, out: &mut BytesMut, start: usize) {
    match session.reply_mode {
        ReplyMode::On => return,
        ReplyMode::Off => {}
        ReplyMode::SkipNext => session.reply_mode = ReplyMode::Skip,
        ReplyMode::Skip => session.reply_mode = ReplyMode::On,
    }
    out.truncate(start);
}

fn runs_inside_multi(name: &str) -> bool {
    matches!(
        name,
        "EXEC" | "DISCARD" | "MULTI" | "WATCH" | "QUIT" | "RESET"
    )
}

fn allowed_when_subscribed(name: &str) -> bool {
    matches!(
        name,
        "SUBSCRIBE"
            | "PSUBSCRIBE"
            | "SSUBSCRIBE"
            | "UNSUBSCRIBE"
            | "PUNSUBSCRIBE"
            | "SUNSUBSCRIBE"
            | "PING"
            | "QUIT"
            | "RESET"
    )
}

/// Redis quotes at most 128 bytes of the name and of the arguments.
const QUOTED_MAX: usize = 128;

fn unknown<'a>(name: &[u8], words: impl Iterator<Item = &'a [u8]>) -> ReplyError {
    let mut args = String::new();
    for word in words {
        if args.len() >= QUOTED_MAX {
            break;
        }
        args.push_str(&format!("'{}' ", quoted(word, QUOTED_MAX - args.len())));
    }
    ReplyError::UnknownCommand {
        name: quoted(name, QUOTED_MAX),
        args,
    }
}

fn unknown_sub(container: &Row, name: &[u8]) -> ReplyError {
    ReplyError::UnknownSubcommand {
        name: quoted(name, QUOTED_MAX),
        container: container.command.name.clone(),
    }
}

fn quoted(word: &[u8], max: usize) -> String {
    String::from_utf8_lossy(word.get(..max).unwrap_or(word)).into_owned()
}
