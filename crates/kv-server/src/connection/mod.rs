//! The life of one connection: read, decode a batch, execute it under the lock, write.
//!
//! A connection is one hand-written future. It borrows its buffers from its thread while it works, so that an idle connection holds none,
//! and it is polled when its socket, its [`Peer`] or the lock has something for it.

mod batch;
mod end;
mod look_ahead;
mod output;
pub(crate) mod peer;
mod protocol;
mod scratch;
pub(crate) mod session;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use resp_codec::RequestDecoder;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{Span, debug, error};

use crate::connection::batch::{Batch, Round};
use crate::connection::end::End;
use crate::connection::output::Output;
use crate::connection::peer::{Close, Peer};
use crate::connection::session::Session;
use crate::dispatch::Flow;
use crate::engine::Engine;
use crate::keyspace::table::WARM_MAX;
use crate::lock::Ticket;
use crate::server::Inner;
use crate::stats::Stats;

/// Requests that are executed before the lock is offered to others.
const TURN: usize = 256;
/// Turns before the connection lets other tasks of its thread run.
const TURNS_A_POLL: usize = 16;
/// With this much output unsent, no further request is executed: the client has to read first.
const OUTPUT_PAUSE_BYTES: usize = 256 << 20;
/// The same before authentication: strangers get no memory.
const UNAUTHENTICATED_OUTPUT_PAUSE_BYTES: usize = 16 << 10;
/// A connection that waits for keys, with requests pending, reads on up to here, to notice that its peer is gone.
const READ_AHEAD_BYTES: usize = 64 << 10;

/// One connection, over anything that reads and writes.
pub(crate) struct Connection<T> {
    io: T,
    server: Arc<Inner>,
    peer: Arc<Peer>,
    /// Where its session is.
    place: usize,
    span: Span,
    decoder: RequestDecoder,
    authenticated: bool,
    /// The beginning of a request whose end has not arrived.
    partial: BytesMut,
    /// Decoded requests that could not be executed yet: the lock was taken, or the client is blocked or paused.
    batch: Option<Box<Batch>>,
    out: Output,
    /// Bytes read and written that the engine has not counted yet.
    traffic: Traffic,
    /// The database of the last request, if its table is too large for the cache.
    large_db: Option<usize>,
    closing: bool,
    /// The peer will send no more.
    end_of_stream: bool,
    /// A place in the queue for the lock.
    ticket: Ticket,
    /// Whether the last poll ended in the queue for the lock.
    queued: bool,
    /// The connection is over, and only has to leave the engine.
    over: bool,
    left: bool,
}

/// A connection's place in the engine.
pub(crate) struct Registered {
    pub(crate) peer: Arc<Peer>,
    pub(crate) place: usize,
    pub(crate) span: Span,
    pub(crate) authenticated: bool,
}

/// What executing a batch came to.
enum Progress {
    /// All of it is executed.
    Done,
    /// Some of it is left, for the next turn.
    More,
    /// The client waits for keys or for the end of a pause.
    Waiting,
    Closing,
    /// The connection ends without sending what it has.
    Cut,
}

/// Bytes that went over the wire since they were last counted.
#[derive(Debug, Default)]
struct Traffic {
    read: usize,
    written: usize,
}

impl Traffic {
    fn count(&mut self, session: &mut Session, stats: &mut Stats) {
        let Self { read, written } = std::mem::take(self);
        session.bytes_in += read as u64;
        session.bytes_out += written as u64;
        stats.bytes_in += read as u64;
        stats.bytes_out += written as u64;
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// A connection whose session is registered with the engine already.
    pub(crate) fn new(io: T, server: Arc<Inner>, registered: Registered) -> Self {
        let Registered {
            peer,
            place,
            span,
            authenticated,
        } = registered;
        let decoder = protocol::decoder(&server, authenticated);
        Self {
            io,
            server,
            peer,
            place,
            span,
            decoder,
            authenticated,
            partial: BytesMut::new(),
            batch: None,
            out: Output::default(),
            traffic: Traffic::default(),
            large_db: None,
            closing: false,
            end_of_stream: false,
            ticket: Ticket::default(),
            queued: false,
            over: false,
            left: false,
        }
    }

    /// Works until nothing can be done; `Ready` when the connection is over.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..TURNS_A_POLL {
            if self.peer.has_mail() {
                match self.peer.collect(self.out.buf()) {
                    Some(Close::Now) => return Poll::Ready(End::Cut),
                    Some(Close::AfterOutput) => self.closing = true,
                    None => {}
                }
            }
            let flushed = match self.poll_flush(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(error)) => return Poll::Ready(End::Failed(error)),
                Poll::Pending => false,
            };
            if self.closing {
                return if flushed {
                    self.poll_hang_up(cx).map(|()| End::Closed)
                } else {
                    Poll::Pending
                };
            }
            if self.out.unsent() > self.output_pause() {
                return Poll::Pending;
            }
            let batch = match self.batch.take() {
                Some(batch) => batch,
                None => match ready!(self.poll_read(cx)) {
                    Ok(Some(batch)) => match self.set_aside(batch) {
                        Some(batch) => batch,
                        None => {
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                    },
                    Ok(None) if flushed => return Poll::Ready(End::Closed),
                    Ok(None) => return Poll::Pending,
                    Err(error) => return Poll::Ready(End::Failed(error)),
                },
            };
            if let Some(end) = ready!(self.poll_execute(batch, cx)) {
                return Poll::Ready(end);
            }
        }
        // Others on this thread want to run too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads and decodes. `None` at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Box<Batch>>>> {
        if self.end_of_stream {
            return Poll::Ready(Ok(None));
        }
        let mut batch = scratch::take_batch();
        if !self.partial.is_empty() {
            std::mem::swap(&mut batch.buf, &mut self.partial);
            protocol::make_room(&mut batch.buf, self.decoder.missing());
        }
        let read = tokio_util::io::poll_read_buf(Pin::new(&mut self.io), cx, &mut batch.buf);
        let read = match read {
            Poll::Ready(Ok(read)) => read,
            other => {
                self.give_back(batch);
                return other.map_ok(|_| None);
            }
        };
        if read == 0 {
            self.end_of_stream = true;
            self.give_back(batch);
            return Poll::Ready(Ok(None));
        }
        self.traffic.read += read;
        let round = self.round();
        batch.decode(&mut self.decoder, round);
        if batch.is_empty() {
            // A request in many small pieces is no idle connection.
            self.peer.set_active(self.server.clock.now_ms());
        }
        Poll::Ready(Ok(Some(batch)))
    }

    /// Keeps the unfinished request of a batch, and returns the batch's memory to the thread.
    fn give_back(&mut self, mut batch: Box<Batch>) {
        let own = self.partial.capacity() > 0;
        if own {
            // The batch works in this connection's own buffer, and `partial` holds the thread's.
            std::mem::swap(&mut batch.buf, &mut self.partial);
            bytes::Buf::advance(&mut self.partial, batch.decoded);
            if self.partial.is_empty() {
                self.partial = BytesMut::new();
            }
        } else {
            let rest = &batch.buf[batch.decoded..];
            if !rest.is_empty() {
                self.partial =
                    BytesMut::with_capacity(protocol::room_for(rest.len(), self.decoder.missing()));
                self.partial.extend_from_slice(rest);
            }
        }
        scratch::put_batch(batch);
    }

    /// Executes decoded requests under the lock, a turn at most. Returns why the connection is over, if it is.
    fn poll_execute(&mut self, mut batch: Box<Batch>, cx: &mut Context<'_>) -> Poll<Option<End>> {
        let server = self.server.clone();
        let Poll::Ready(mut engine) = server.lock.poll_lock(&mut self.ticket, cx) else {
            self.queued = true;
            self.batch = Some(batch);
            return Poll::Pending;
        };
        if self.large_db.is_some() {
            look_ahead::warm(&server, &engine.dbs);
        }
        engine.set_now(server.clock.now_us());
        let progress = match engine.shared.clients.take_from(self.place, self.peer.id) {
            Some(mut session) => {
                session.query_bytes = batch.buf.len();
                session.query_room = batch.buf.capacity() - batch.buf.len();
                if engine.limits_clients() && !engine.allows_request(&mut session) {
                    engine.shared.clients.put_back(session);
                    return Poll::Ready(Some(End::Cut));
                }
                let progress = self.execute_turn(&mut engine, &mut session, &mut batch);
                engine.time(None);
                // The rest of the buffer goes back to the thread.
                session.query_bytes = batch.buf.len() - batch.decoded;
                session.query_room = 0;
                self.peer.set_unsent(self.out.unsent());
                self.traffic.count(&mut session, &mut engine.shared.stats);
                self.follow(&session, &engine);
                engine.shared.clients.put_back(session);
                if engine.shared.counts_clients() {
                    engine.evict_clients();
                }
                progress
            }
            None => Progress::Closing,
        };
        let next_deadline = engine.next_deadline();
        drop(engine);
        server.reschedule(next_deadline);
        match progress {
            Progress::Done => self.finish_round(batch),
            Progress::More => self.batch = Some(batch),
            Progress::Waiting => return self.poll_wait(batch, cx).map(|()| None),
            Progress::Closing => {
                self.closing = true;
                self.give_back(batch);
            }
            Progress::Cut => return Poll::Ready(Some(End::Cut)),
        }
        Poll::Ready(None)
    }

    /// All decoded requests are executed: looks for more in what was read.
    fn finish_round(&mut self, mut batch: Box<Batch>) {
        if let Some(error) = batch.error.take() {
            self.reject(error);
        } else if batch.decoded < batch.buf.len() {
            // The round may have ended at its bound rather than at the end of the bytes.
            let round = self.round();
            batch.decode(&mut self.decoder, round);
            if !batch.is_done() || batch.error.is_some() {
                self.batch = Some(batch);
                return;
            }
            if batch.buf.len() - batch.decoded > self.server.query_buffer_limit {
                debug!("the query buffer reached its limit");
                self.closing = true;
            }
        }
        self.give_back(batch);
    }

    /// The client waits for keys or for the end of a pause.
    fn poll_wait(&mut self, mut batch: Box<Batch>, cx: &mut Context<'_>) -> Poll<()> {
        if batch.is_done() && batch.error.is_none() && batch.decoded == batch.buf.len() {
            // Read on: that is how the end of the stream shows.
            self.give_back(batch);
            return Poll::Ready(());
        }
        // Whatever was answered before has to go out now.
        if let Poll::Ready(Err(_)) = self.poll_flush(cx) {
            self.closing = true;
        }
        let mut waits = false;
        while !waits && !self.closing && batch.buf.len() - batch.decoded < READ_AHEAD_BYTES {
            match tokio_util::io::poll_read_buf(Pin::new(&mut self.io), cx, &mut batch.buf) {
                Poll::Ready(Ok(0) | Err(_)) => self.closing = true,
                Poll::Ready(Ok(read)) => self.traffic.read += read,
                Poll::Pending => waits = true,
            }
        }
        self.batch = Some(batch);
        if self.peer.has_mail() || self.closing {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// The requests of a turn. A panic costs this connection only, also one outside of a handler.
    fn execute_turn(
        &mut self,
        engine: &mut Engine,
        session: &mut Session,
        batch: &mut Batch,
    ) -> Progress {
        let out = self.out.buf();
        if self.peer.has_mail() {
            match self.peer.collect(out) {
                Some(Close::Now) => return Progress::Cut,
                Some(Close::AfterOutput) => return Progress::Closing,
                None => {}
            }
        }
        if engine.shared.shut_down {
            return Progress::Closing;
        }
        if session.blocked.is_some() {
            return Progress::Waiting;
        }
        self.peer.set_active(engine.now_ms());
        let limit = engine.shared.output_limit(session);
        for turn in 0..TURN {
            if turn % WARM_MAX == 0 && batch.remaining() > 1 {
                engine.dbs[session.db].warm(batch.upcoming_keys());
            }
            let Some((buf, args)) = batch.peek() else {
                break;
            };
            let before = out.len();
            let flow = catch_unwind(AssertUnwindSafe(|| engine.execute(session, buf, args, out)));
            match flow {
                Ok(Flow::Continue) => batch.advance(),
                Ok(Flow::Block) => {
                    batch.advance();
                    return Progress::Waiting;
                }
                Ok(Flow::Postpone) => return Progress::Waiting,
                Ok(Flow::Close) => return Progress::Closing,
                Ok(Flow::Cut) => return Progress::Cut,
                Err(_) => {
                    let name = args
                        .first()
                        .map(|arg| String::from_utf8_lossy(arg.of(buf)).into_owned())
                        .unwrap_or_default();
                    error!(command = name, "a command panicked outside of its handler");
                    engine.shared.stats.panics += 1;
                    out.truncate(before);
                    protocol::internal_error(out, name);
                    return Progress::Closing;
                }
            }
            if out.len() > limit.hard_bytes() {
                engine.shared.stats.output_limit_disconnections += 1;
                debug!(bytes = out.len(), "the output reached its limit");
                return Progress::Cut;
            }
            if out.len() > OUTPUT_PAUSE_BYTES {
                break;
            }
        }
        engine.shared.clients.note_output(out.len(), limit);
        if batch.is_done() {
            Progress::Done
        } else {
            Progress::More
        }
    }

    /// Takes over what the last requests changed for the connection itself.
    fn follow(&mut self, session: &Session, engine: &Engine) {
        self.large_db = engine.dbs[session.db].is_large().then_some(session.db);
        let authenticated = session.authenticated || !engine.shared.config.requires_auth();
        if authenticated != self.authenticated {
            self.authenticated = authenticated;
            self.decoder
                .set_limits(protocol::limits(&self.server, authenticated));
        }
    }

    /// Before authentication requests are decoded one by one, because AUTH lifts the limits for the next one.
    fn round(&self) -> Round {
        let max = if self.authenticated {
            batch::REQUESTS_MAX
        } else {
            1
        };
        Round {
            max,
            keep_empty: self.server.nested_requests,
        }
    }

    fn output_pause(&self) -> usize {
        if self.authenticated {
            OUTPUT_PAUSE_BYTES
        } else {
            UNAUTHENTICATED_OUTPUT_PAUSE_BYTES
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.out.unsent();
        let (sent, result) = self.out.poll_send(&mut self.io, cx);
        if before > 0 {
            self.traffic.written += sent;
            self.peer.set_unsent(self.out.unsent());
            if result.is_pending() && sent > 0 {
                // A long reply that goes out slowly is no idle connection.
                self.peer.set_active(self.server.clock.now_ms());
            }
        }
        result
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Connection<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.peer.register(cx.waker());
        let span = this.span.clone();
        let _entered = span.enter();
        if !this.over {
            this.queued = false;
            let end = this.drive(cx);
            if !this.queued {
                this.server.lock.leave(&mut this.ticket);
            }
            let end = ready!(end);
            debug!(?end, "closed");
            this.over = true;
            this.out.clear();
        }
        this.poll_leave(cx)
    }
}
