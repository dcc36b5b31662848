//! The task that owns a connection: it writes what callers queued, reads what the server answers, and reconnects.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use crate::config::{Config, Stream};
use crate::connection::backoff::random;
use crate::connection::engine::{Engine, FULL_BLOCK, Garbled};
use crate::connection::handshake::{Established, establish, is_transient};
use crate::connection::link::{Life, Link};
use crate::error::{Error, ErrorKind, Outcome};

/// The driver of one connection after another.
pub(crate) struct Driver {
    link: Arc<Link>,
    config: Arc<Config>,
    engine: Engine,
    timer: Timer,
    /// Why there is no connection.
    cause: Option<Error>,
    /// The server of the present or the last connection.
    peer: String,
    /// The connection is being left, at this time at the latest.
    leaving: Option<Instant>,
    /// When the last byte came from the server.
    heard: Instant,
    /// When it was asked for a sign of life, if none has come since.
    pinged: Option<Instant>,
    /// The stream may hold written bytes back.
    unflushed: bool,
    /// The last read did not fill its room, so the next finds nothing, most likely.
    drained: bool,
    wake: Vec<Waker>,
}

/// After so many bytes read, callers have a turn: they take their values out of the cache and write what comes next, and
/// the block is free again.
const TURN: usize = FULL_BLOCK;

/// How long a server that is being left has for the replies it owes, and a stream for its own end.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why a connection, or the driver, ends.
enum End {
    /// The connection is lost.
    Lost(ErrorKind),
    /// The client has no more use for it.
    Closed,
}

impl Driver {
    pub(crate) fn new(link: Arc<Link>, config: Arc<Config>, engine: Engine) -> Self {
        Self {
            link,
            config,
            engine,
            timer: Timer::new(),
            cause: None,
            peer: String::new(),
            leaving: None,
            heard: Instant::now(),
            pinged: None,
            unflushed: false,
            drained: false,
            wake: Vec::new(),
        }
    }

    /// Runs until the client is closed, or dropped, or over with its only connection.
    pub(crate) async fn run(mut self, mut first: Option<Established>) {
        let epitaph = loop {
            let established = match first.take() {
                Some(established) => established,
                None => match self.reconnect().await {
                    Some(established) => established,
                    None => break None,
                },
            };
            match self.serve(established).await {
                End::Closed => break None,
                End::Lost(kind) => {
                    self.engine.lost(&kind);
                    if !self.config.reconnect {
                        break Some(kind);
                    }
                    let cause = Error::new(kind, Outcome::NotSent);
                    self.engine.hinder_topics(Some(&cause), false);
                    self.cause = Some(cause);
                }
            }
        };
        let mut shared = self.link.lock();
        shared.bury(epitaph.clone());
        // What arrived in the last moment is answered like the rest.
        self.engine
            .exchange(&mut shared, Instant::now, &mut self.wake);
        self.engine.give_up(
            &mut shared,
            &epitaph.unwrap_or(ErrorKind::Closed),
            &mut self.wake,
        );
        drop(shared);
        self.engine.end_topics();
        self.wake.drain(..).for_each(Waker::wake);
    }

    /// Serves one connection until it ends.
    async fn serve(&mut self, established: Established) -> End {
        let Established {
            mut stream,
            version,
            login,
            peer,
            input,
        } = established;
        info!(addr = %peer, ?version, "connected");
        self.peer = peer;
        self.leaving = None;
        self.engine.connected(version, input);
        self.cause = None;
        self.engine.hinder_topics(None, false);
        self.heard = Instant::now();
        self.pinged = None;
        {
            let mut shared = self.link.lock();
            shared.connected(version, &self.peer);
            shared.status.connections += 1;
        }
        // Whoever replaces a login looks for connections that stand after that; this one looks for a new login.
        let end = if self.engine.session().login.turn() != login {
            self.lost(io::Error::other("its login is out of date"))
        } else if let Err(error) = self.engine.decode() {
            self.unreadable(error)
        } else {
            std::future::poll_fn(|cx| self.poll_serve(cx, &mut *stream)).await
        };
        self.link.lock().disconnected();
        match &end {
            End::Lost(kind) => warn!(addr = %self.peer, error = %kind, "connection lost"),
            End::Closed => {
                debug!(addr = %self.peer, "closing");
                // The peer's opinion of the farewell is of no interest.
                let _ = timeout(FAREWELL, stream.shutdown()).await;
            }
        }
        end
    }

    /// Reads before it takes commands: what has arrived is given to its callers and what they have queued is written in one
    /// go, with the lock taken once.
    fn poll_serve(&mut self, cx: &mut Context<'_>, stream: &mut dyn Stream) -> Poll<End> {
        let mut read = 0;
        self.drained = false;
        loop {
            let mut idle = false;
            // While there are answers that wait for their turn, more of them would only wait longer.
            if !self.engine.has_answers() {
                match self.poll_read(cx, stream) {
                    Poll::Ready(Ok(0)) => {
                        let error =
                            io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the server");
                        return Poll::Ready(self.lost(error));
                    }
                    Poll::Ready(Ok(n)) => read += n,
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    // Whatever came before has been dealt with; who comes from now on wakes this task.
                    Poll::Pending if read > 0 => break,
                    Poll::Pending => idle = true,
                }
            }
            if let Some(end) = self.exchange(cx, true) {
                return Poll::Ready(end);
            }
            if self.leaving.is_some() && self.engine.is_drained() {
                return Poll::Ready(self.left());
            }
            if let Err(error) = self.poll_write(cx, stream) {
                // Replies that are already here still count.
                while let Poll::Ready(Ok(1..)) = self.poll_read(cx, stream) {}
                return Poll::Ready(self.lost(error));
            }
            if idle || self.engine.has_answers() {
                break;
            }
            // Only now: a server that always has as much to say would keep everything from being written.
            if read >= TURN {
                cx.waker().wake_by_ref();
                break;
            }
        }
        self.poll_timer(cx, true)
    }

    /// Gives answers, takes commands; says whether it is time to end.
    fn exchange(&mut self, cx: &Context<'_>, online: bool) -> Option<End> {
        let mut shared = self.link.lock();
        self.engine
            .exchange(&mut shared, Instant::now, &mut self.wake);
        if online {
            self.engine.sync_topics();
        }
        shared.listen(cx.waker());
        let leaves =
            shared.is_leaving() || (self.link.follows_primary && self.engine.was_refused());
        if online && leaves && self.leaving.is_none() {
            self.leaving = Some(Instant::now() + FAREWELL);
        }
        let end = match shared.life() {
            Life::Open => false,
            Life::Closing => !online || self.engine.is_forsaken(&shared),
            Life::Abandoned | Life::Ended => true,
        };
        drop(shared);
        self.wake.drain(..).for_each(Waker::wake);
        if self.engine.has_answers() {
            // Behind those who have theirs.
            cx.waker().wake_by_ref();
        }
        end.then_some(End::Closed)
    }

    /// Writes until there is nothing more to write or the socket takes no more.
    fn poll_write(&mut self, cx: &mut Context<'_>, stream: &mut dyn Stream) -> io::Result<()> {
        // What a server that is being left has not seen yet is for the next one.
        while !self.engine.out.is_empty() && self.leaving.is_none() {
            let stream = Pin::new(&mut *stream);
            let out = &self.engine.out;
            let written = if out.is_contiguous() {
                stream.poll_write(cx, out.first())
            } else {
                let (slices, used) = out.slices();
                poll_write_slices(stream, cx, &slices[..used])
            };
            match written {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => self.engine.wrote(n),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
            self.unflushed = true;
        }
        if self.unflushed {
            if let Poll::Ready(flushed) = Pin::new(stream).poll_flush(cx) {
                self.unflushed = false;
                flushed?;
            }
        }
        Ok(())
    }

    /// Reads once and decodes; how many bytes. None is the end of the stream.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut dyn Stream,
    ) -> Poll<Result<usize, End>> {
        if !self.drained {
            // Only now: before the callers had their turn, they hold what was read into the block.
            self.engine.reserve();
        }
        let room = self.engine.input.capacity() - self.engine.input.len();
        let read = pin!(stream.read_buf(&mut self.engine.input)).poll(cx);
        match ready!(read) {
            Ok(0) => Poll::Ready(Ok(0)),
            Ok(n) => {
                self.drained = n < room;
                self.heard = Instant::now();
                self.engine.heard(self.heard);
                self.pinged = None;
                let decoded = self.engine.decode();
                Poll::Ready(decoded.map(|()| n).map_err(|error| self.unreadable(error)))
            }
            Err(error) => Poll::Ready(Err(self.lost(error))),
        }
    }

    /// Deals with deadlines and silence.
    fn poll_timer(&mut self, cx: &mut Context<'_>, online: bool) -> Poll<End> {
        let keepalive = self
            .config
            .keepalive
            .filter(|_| online && self.config.pings);
        loop {
            let silence = keepalive.map(|interval| self.pinged.unwrap_or(self.heard) + interval);
            let leaving = self.leaving.filter(|_| online);
            let alarms = [self.engine.next_deadline(), silence, leaving];
            let Some(alarm) = alarms.into_iter().flatten().min() else {
                return Poll::Pending;
            };
            ready!(self.timer.poll(cx, alarm));
            let now = Instant::now();
            let mut shared = self.link.lock();
            self.engine.expire(
                &mut shared,
                now,
                online,
                self.cause.as_ref(),
                &mut self.wake,
            );
            let closing = shared.life() != Life::Open;
            drop(shared);
            self.wake.drain(..).for_each(Waker::wake);
            if closing {
                cx.waker().wake_by_ref(); // to see whether that was the last it waited for
            }
            if leaving.is_some_and(|leaving| now >= leaving) {
                return Poll::Ready(self.left());
            }
            if silence.is_some_and(|silence| now >= silence) {
                if self.pinged.is_some() {
                    let text = format!("no sign of life for {:?}", now - self.heard);
                    return Poll::Ready(self.lost(io::Error::new(io::ErrorKind::TimedOut, text)));
                }
                self.engine.ping();
                self.pinged = Some(now);
                cx.waker().wake_by_ref(); // to write it
            }
        }
    }

    /// Makes a connection, however long it takes, while commands queue up and run out of time. `None`: nobody wants it any more.
    async fn reconnect(&mut self) -> Option<Established> {
        let config = Arc::clone(&self.config);
        for attempt in 0u32.. {
            let session = self.engine.session();
            let delay = config.backoff.delay(attempt, random(u64::from(attempt)));
            let mut connecting = pin!(async {
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                establish(&config, &session).await
            });
            let outcome = std::future::poll_fn(|cx| {
                if self.exchange(cx, false).is_some() {
                    return Poll::Ready(None);
                }
                if config.fail_fast && attempt > 0 && !self.engine.is_idle() {
                    // Somebody else may serve it.
                    if let Some(cause) = self.cause.clone() {
                        self.give_up(&cause);
                    }
                }
                if let Poll::Ready(result) = connecting.as_mut().poll(cx) {
                    return Poll::Ready(Some(result));
                }
                self.poll_timer(cx, false).map(|_| None)
            });
            match outcome.await? {
                Ok(established) => return Some(established),
                Err(error) => {
                    debug!(addr = %config.address, attempt, %error, "not connected");
                    let is_final = !is_transient(error.kind());
                    self.engine.hinder_topics(Some(&error), is_final);
                    if is_final {
                        warn!(addr = %config.address, %error, "cannot connect");
                        self.give_up(&error);
                    } else if config.fail_fast {
                        self.give_up(&error);
                    }
                    self.cause = Some(error);
                }
            }
        }
        None
    }

    /// Waiting would not help: everything that is queued fails for the reason that there is no connection.
    fn give_up(&mut self, error: &Error) {
        let mut shared = self.link.lock();
        self.engine
            .exchange(&mut shared, Instant::now, &mut self.wake);
        self.engine
            .give_up(&mut shared, error.kind(), &mut self.wake);
        drop(shared);
        self.wake.drain(..).for_each(Waker::wake);
    }

    fn left(&self) -> End {
        self.lost(io::Error::other("it is not the primary any more"))
    }

    fn lost(&self, error: io::Error) -> End {
        End::Lost(ErrorKind::Lost {
            addr: self.peer.clone(),
            source: Arc::new(error),
        })
    }

    fn unreadable(&self, error: Garbled) -> End {
        match error {
            Garbled::Undecodable(source) => End::Lost(ErrorKind::Protocol {
                addr: self.peer.clone(),
                source,
            }),
            Garbled::Unasked(reply) => self.lost(io::Error::other(format!(
                "it sent {reply} that nobody asked for"
            ))),
        }
    }
}

fn poll_write_slices(
    stream: Pin<&mut dyn Stream>,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    if stream.is_write_vectored() {
        stream.poll_write_vectored(cx, slices)
    } else {
        stream.poll_write(cx, slices.first().map_or(&[], |slice| slice))
    }
}

/// One alarm. Setting it to a later time costs nothing: it rings too early, and is set again.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    set: Option<Instant>,
}

impl Timer {
    fn new() -> Self {
        Self {
            sleep: Box::pin(sleep_until(Instant::now())),
            set: None,
        }
    }

    /// Ready when `alarm` has passed, or an earlier alarm that was set before.
    fn poll(&mut self, cx: &mut Context<'_>, alarm: Instant) -> Poll<()> {
        match self.set {
            // This task was noted then, and will be woken.
            Some(set) if alarm >= set && !self.sleep.is_elapsed() => return Poll::Pending,
            Some(set) if alarm >= set => {}
            _ => {
                self.sleep.as_mut().reset(alarm);
                self.set = Some(alarm);
            }
        }
        // A task that has used up its budget would not be noted by the alarm.
        let sleep = pin!(tokio::task::unconstrained(self.sleep.as_mut()));
        ready!(sleep.poll(cx));
        self.set = None;
        Poll::Ready(())
    }
}
