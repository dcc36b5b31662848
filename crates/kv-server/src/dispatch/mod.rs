//! The one path of a request: row, arity, authentication, subscriber mode, MULTI, pause, handler, effects.

mod exec;
mod run;
mod unknown;

use bytes::BytesMut;
use resp_codec::Arg;

pub(crate) use self::run::Run;
use self::unknown::{unknown, unknown_sub};
use crate::command::{Args, Flags, Handler, Row, RowId};
use crate::connection::peer::Close;
use crate::connection::session::{ReplyMode, Request, Session};
use crate::dialect::Unknown;
use crate::engine::Engine;
use crate::error::{ReplyError, Result};
use crate::reply::Reply;

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
        let cut_off = std::mem::take(&mut session.cut_off);
        if session.reply_mode != ReplyMode::On && flow != Flow::Postpone {
            if let Some(blocked) = &mut session.blocked {
                blocked.silent = true;
            }
            suppress(session, out, start);
        } else if cut_off {
            self.shared.stats.output_limit_disconnections += 1;
            return Flow::Cut;
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
        let found = self.shared.commands.row(row);
        let command = &found.command;
        if let Some(multi) = session.multi.as_mut().filter(|_| !runs_inside_multi(found)) {
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
            && !allowed_when_subscribed(found)
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

fn runs_inside_multi(row: &Row) -> bool {
    let names = matches!(
        &*row.command.name,
        "EXEC" | "DISCARD" | "MULTI" | "WATCH" | "QUIT" | "RESET"
    );
    names && row.parent.is_none() // SLOWLOG RESET is another one
}

fn allowed_when_subscribed(row: &Row) -> bool {
    let names = matches!(
        &*row.command.name,
        "SUBSCRIBE"
            | "PSUBSCRIBE"
            | "SSUBSCRIBE"
            | "UNSUBSCRIBE"
            | "PUNSUBSCRIBE"
            | "SUNSUBSCRIBE"
            | "PING"
            | "QUIT"
            | "RESET"
    );
    names && row.parent.is_none()
}
