//! EXEC, which runs other commands.

use bytes::BytesMut;

use super::Run;
use crate::command::{Args, RowId};
use crate::connection::session::Session;
use crate::engine::Engine;
use crate::error::{ReplyError, Result};
use crate::reply::Reply;

impl Engine {
    /// EXEC cannot run its commands, for a reason of its own.
    pub(super) fn abort_exec(
        &mut self,
        session: &mut Session,
        error: &ReplyError,
        out: &mut BytesMut,
    ) {
        session.multi = None;
        session.unwatch(&mut self.dbs);
        let aborted = ReplyError::text(format!(
            "EXECABORT Transaction discarded because of: {error}"
        ));
        self.refuse(session, &aborted, out);
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
        let start = reply.position();
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
            // Nobody will get the replies, but all of it has to run.
            if out.len() > self.shared.output_limit(session).hard_bytes() {
                session.cut_off = true;
                out.truncate(start);
            }
        }
        Ok(())
    }

    /// Runs EXEC, and counts and times it beside the commands that it runs: what they take is part of it.
    pub(super) fn count_exec(
        &mut self,
        session: &mut Session,
        row: RowId,
        args: Args<'_>,
        out: &mut BytesMut,
    ) {
        let begin_us = self.time_apart();
        let result = self.exec(session, out);
        let end_us = self.time_apart();
        let us = u64::try_from(end_us - begin_us).unwrap_or(0);
        let stats = &mut self.shared.stats;
        stats.commands += 1;
        let calls_before = stats.command(row).all_calls;
        stats.command(row).all_calls += 1;
        stats.spent(row, us, calls_before);
        let now_us = self.now_us;
        self.shared.note_duration(session, row, args, us, now_us);
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
            db.has_expired_since_watch(&watched.key, session.id)
        })
    }
}
