//! The life of one connection: read, decode a batch, execute it under the lock, write.
//!
//! A connection is one hand-written future. It borrows its buffers from its thread while it works, so that an idle connection holds none,
//! and it is polled when its socket, its [`Peer`] or the lock has something for it.

mod batch;
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
use crate::connection::peer::{Close, Peer};
use crate::connection::session::Session;
use crate::dispatch::Flow;
use crate::engine::Engine;
use crate::keyspace::table::WARM_MAX;
use crate::server::Inner;

/// Requests that are executed before the lock is offered to others.
const TURN: usize = 256;
/// Turns before the connection lets other tasks of its thread run.
const TURNS_A_POLL: usize = 16;
/// With this much output unsent, no further request is executed: the client has to read first.
const OUTPUT_PAUSE_BYTES: usize = 256 << 20;

/// One connection, over anything that reads and writes.
pub(crate) struct Connection<T> {
    io: T,
    server: Arc<Inner>,
    peer: Arc<Peer>,
    span: Span,
    decoder: RequestDecoder,
    authenticated: bool,
    /// The beginning of a request whose end has not arrived.
    partial: BytesMut,
    /// Decoded requests that could not be executed yet: the lock was taken, or the client is blocked or paused.
    batch: Option<Box<Batch>>,
    out: BytesMut,
    /// Bytes of `out` that are sent already.
    sent: usize,
    closing: bool,
    /// The peer will send no more.
    end_of_stream: bool,
}

/// A connection's place in the engine.
pub(crate) struct Registered {
    pub(crate) peer: Arc<Peer>,
    pub(crate) span: Span,
    pub(crate) authenticated: bool,
}

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// The peer closed, or both sides agreed.
    Closed,
    Failed(io::Error),
    /// Output limit or the like.
    Cut,
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
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// A connection whose session is registered with the engine already.
    pub(crate) fn new(io: T, server: Arc<Inner>, registered: Registered) -> Self {
        let Registered {
            peer,
            span,
            authenticated,
        } = registered;
        let decoder = protocol::decoder(&server, authenticated);
        Self {
            io,
            server,
            peer,
            span,
            decoder,
            authenticated,
            partial: BytesMut::new(),
            batch: None,
            out: BytesMut::new(),
            sent: 0,
            closing: false,
            end_of_stream: false,
        }
    }

    /// Works until nothing can be done; `Ready` when the connection is over.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..TURNS_A_POLL {
            if self.peer.has_mail() {
                self.compact_output();
                match self.peer.collect(&mut self.out) {
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
                    Poll::Ready(End::Closed)
                } else {
                    Poll::Pending
                };
            }
            if self.out.len() - self.sent > OUTPUT_PAUSE_BYTES {
                return Poll::Pending;
            }
            let batch = match self.batch.take() {
                Some(batch) => batch,
                None => match ready!(self.poll_read(cx)) {
                    Ok(Some(batch)) => batch,
                    Ok(None) if flushed => return Poll::Ready(End::Closed),
                    Ok(None) => return Poll::Pending,
                    Err(error) => return Poll::Ready(End::Failed(error)),
                },
            };
            ready!(self.poll_execute(batch, cx));
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
        let round = self.round();
        batch.decode(&mut self.decoder, round);
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

    /// Executes decoded requests under the lock, a turn at most.
    fn poll_execute(&mut self, mut batch: Box<Batch>, cx: &mut Context<'_>) -> Poll<()> {
        let server = self.server.clone();
        let Poll::Ready(mut engine) = server.lock.poll_lock(cx) else {
            self.batch = Some(batch);
            return Poll::Pending;
        };
        if self.out.capacity() == 0 {
            self.out = scratch::take_out();
        }
        engine.set_now(server.clock.now_us());
        let progress = match engine.shared.clients.take(self.peer.id) {
            Some(mut session) => {
                session.query_bytes = batch.buf.len();
                session.query_room = batch.buf.capacity() - batch.buf.len();
                let progress = self.execute_turn(&mut engine, &mut session, &mut batch);
                // The rest of the buffer goes back to the thread.
                session.query_bytes = batch.buf.len() - batch.decoded;
                session.query_room = 0;
                session.output_bytes = self.out.len() - self.sent;
                self.follow(&session);
                engine.shared.clients.put_back(session);
                progress
            }
            None => Progress::Closing,
        };
        let next_deadline = engine.next_deadline();
        drop(engine);
        server.reschedule(next_deadline);
        match progress {
            Progress::Done => {
                if let Some(error) = batch.error.take() {
                    self.reject(error);
                } else if batch.decoded < batch.buf.len() {
                    // The round may have ended at its bound rather than at the end of the bytes.
                    let round = self.round();
                    batch.decode(&mut self.decoder, round);
                    if !batch.is_done() || batch.error.is_some() {
                        self.batch = Some(batch);
                        return Poll::Ready(());
                    }
                    if self.partial_too_long(&batch) {
                        self.closing = true;
                    }
                }
                self.give_back(batch);
                Poll::Ready(())
            }
            Progress::More => {
                self.batch = Some(batch);
                Poll::Ready(())
            }
            Progress::Waiting => {
                if batch.is_done() && batch.error.is_none() && batch.decoded == batch.buf.len() {
                    // Read on: that is how the end of the stream shows.
                    self.give_back(batch);
                    return Poll::Ready(());
                }
                self.batch = Some(batch);
                // Whatever was answered before has to go out now.
                match self.poll_flush(cx) {
                    Poll::Ready(Err(_)) => self.closing = true,
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
                if self.peer.has_mail() || self.closing {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }
            Progress::Closing => {
                self.closing = true;
                self.give_back(batch);
                Poll::Ready(())
            }
        }
    }

    /// The requests of a turn. A panic in a handler costs this connection only.
    fn execute_turn(
        &mut self,
        engine: &mut Engine,
        session: &mut Session,
        batch: &mut Batch,
    ) -> Progress {
        if self.peer.has_mail() {
            self.closing |= self.peer.collect(&mut self.out).is_some();
        }
        if engine.shared.shut_down {
            return Progress::Closing;
        }
        if session.blocked.is_some() {
            return Progress::Waiting;
        }
        session.active_ms = engine.now_ms();
        for turn in 0..TURN {
            if turn % WARM_MAX == 0 && batch.remaining() > 1 {
                engine.dbs[session.db].warm(batch.upcoming_keys());
            }
            let Some((buf, args)) = batch.peek() else {
                break;
            };
            let before = self.out.len();
            let out = &mut self.out;
            let flow = catch_unwind(AssertUnwindSafe(|| engine.execute(session, buf, args, out)));
            match flow {
                Ok(Flow::Continue) => batch.advance(),
                Ok(Flow::Block) => {
                    batch.advance();
                    return Progress::Waiting;
                }
                Ok(Flow::Postpone) => return Progress::Waiting,
                Ok(Flow::Close) => return Progress::Closing,
                Err(_) => {
                    let name = args
                        .first()
                        .map(|arg| String::from_utf8_lossy(arg.of(buf)).into_owned())
                        .unwrap_or_default();
                    error!(command = name, "a handler panicked");
                    self.out.truncate(before);
                    protocol::internal_error(&mut self.out, name);
                    return Progress::Closing;
                }
            }
        }
        if batch.is_done() {
            Progress::Done
        } else {
            Progress::More
        }
    }

    /// Takes over what the last requests changed for the connection itself.
    fn follow(&mut self, session: &Session) {
        if session.authenticated != self.authenticated {
            self.authenticated = session.authenticated;
            self.decoder
                .set_limits(protocol::limits(&self.server, self.authenticated));
        }
    }

    /// Answers a request that is no request; the connection ends.
    fn reject(&mut self, error: resp_codec::DecodeError) {
        debug!(%error, "protocol error");
        protocol::reject(&mut self.out, &error, self.authenticated);
        self.closing = true;
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

    fn partial_too_long(&self, batch: &Batch) -> bool {
        batch.buf.len() - batch.decoded > self.server.query_buffer_limit
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.out.len() {
            let sent = ready!(Pin::new(&mut self.io).poll_write(cx, &self.out[self.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.sent = 0;
        if self.out.capacity() > 0 {
            scratch::put_out(std::mem::take(&mut self.out));
        }
        // A socket needs no flush, a buffered transport of the caller's may.
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Moves unsent output to the front, so that it does not grow behind what is sent.
    fn compact_output(&mut self) {
        if self.sent > 0 {
            bytes::Buf::advance(&mut self.out, self.sent);
            self.sent = 0;
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Connection<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.peer.register(cx.waker());
        let span = this.span.clone();
        let _entered = span.enter();
        let end = ready!(this.drive(cx));
        debug!(?end, "closed");
        Poll::Ready(())
    }
}

impl<T> Drop for Connection<T> {
    fn drop(&mut self) {
        self.server.lock.lock().disconnect(self.peer.id);
    }
}
