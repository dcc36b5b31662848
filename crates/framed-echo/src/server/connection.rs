//! The life of one connection: a reader, a writer and a timer in one task, and what they leave behind.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Poll,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
};
use tracing::debug;

use super::{
    Handler, Peer,
    activity::{Activity, Due, Watch},
    outbox::Outbox,
    reader::Reader,
    server::Inner,
    stats::Counters,
    writer,
};
use crate::Error;

/// What the halves of a connection share.
#[derive(Debug)]
pub(super) struct Connection<H> {
    pub(super) server: Arc<Inner<H>>,
    pub(super) peer: Peer,
    pub(super) activity: Activity,
    /// What runs beside the messages: [`Handler::empty`]. Cancelled with the connection.
    background: Mutex<JoinSet<()>>,
    is_draining: AtomicBool,
}

impl<H: Handler> Connection<H> {
    /// Whether the connection is to end at the next opportunity. The reader is polled when this changes.
    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Relaxed)
    }

    /// Runs something of the handler's beside the connection.
    pub(super) fn spawn<F>(&self, work: impl FnOnce(Arc<Inner<H>>, Peer) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let work = work(Arc::clone(&self.server), self.peer.clone());
        let mut background = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while background.try_join_next().is_some() {}
        background.spawn(work);
    }

    /// Waits for something on the reader's behalf, and tells the outbox so.
    ///
    /// Meanwhile acknowledgements lie unread, perhaps the very ones that the work waits for.
    pub(super) async fn while_reader_waits<T>(&self, work: Pin<&mut impl Future<Output = T>>) -> T {
        self.peer.outbox().set_reader_waits(true);
        let output = work.await;
        self.peer.outbox().set_reader_waits(false);
        output
    }
}

/// Serves one connection from its first byte to its last.
pub(super) async fn run<H: Handler>(
    server: Arc<Inner<H>>,
    number: u64,
    address: String,
    io: impl AsyncRead + AsyncWrite + Send,
) {
    let outbox = Outbox::new(server.config.queue.clone(), &server.budget, H::REPORTS);
    let connection = Connection {
        peer: Peer::new(number, address, outbox, Arc::clone(&server.counters)),
        activity: Activity::new(),
        background: Mutex::default(),
        is_draining: AtomicBool::new(false),
        server,
    };
    debug!("open");
    let end = serve(&connection, io).await;

    let Connection {
        server,
        peer,
        background,
        ..
    } = connection;
    let mut background = background
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    background.shutdown().await;
    let undelivered = peer.outbox().take_undelivered();
    debug!(?end, undelivered = undelivered.len(), "closed");
    server.handler.closed(&peer, undelivered).await;
    Counters::add(&server.counters.closed, 1);
}

/// Why a connection is over.
#[derive(Debug)]
#[expect(dead_code, reason = "the log reads it, through `Debug`")]
enum End {
    /// Both sides are done.
    Finished,
    /// Closed from this side without writing what was left.
    Cut,
    Due(Due),
    /// The server's shutdown has run out of time.
    Shutdown,
    Failed(Error),
}

/// What interrupts a connection from outside.
enum Alarm {
    /// The peer did nothing for too long.
    Due(Due),
    /// The server is about to stop.
    Drain,
    /// The server's shutdown has run out of time.
    Shutdown,
}

/// What the task of a connection has to look at.
enum Step {
    Alarm(Alarm),
    Read(Result<(), Error>),
    Written(io::Result<bool>),
}

async fn serve<H: Handler>(
    connection: &Connection<H>,
    io: impl AsyncRead + AsyncWrite + Send,
) -> End {
    let (read, write) = tokio::io::split(io);
    let (server, peer) = (&connection.server, &connection.peer);
    let mut reader = pin!(Reader::new(connection).run(read));
    let mut writer = pin!(writer::run(connection, write));
    let timer = Watch::new(&connection.activity, &server.config).run(peer);
    // They seldom have anything to say, and in here they are not asked unless they have.
    let mut alarms = FuturesUnordered::<BoxFuture<'_, Alarm>>::new();
    alarms.push(Box::pin(timer.map(Alarm::Due)));
    alarms.push(Box::pin(server.draining.cancelled().map(|()| Alarm::Drain)));
    alarms.push(Box::pin(server.cut.cancelled().map(|()| Alarm::Shutdown)));
    let mut is_reading = true;
    loop {
        let step = poll_fn(|cx| {
            if let Poll::Ready(Some(alarm)) = alarms.poll_next_unpin(cx) {
                return Poll::Ready(Step::Alarm(alarm));
            }
            if is_reading {
                // The writer comes next, in this very turn: what the reader queues need not wake this task.
                peer.outbox().set_writer_is_next(true);
                let read = reader.as_mut().poll(cx);
                peer.outbox().set_writer_is_next(false);
                if let Poll::Ready(read) = read {
                    return Poll::Ready(Step::Read(read));
                }
            }
            writer.as_mut().poll(cx).map(Step::Written)
        });
        match step.await {
            Step::Alarm(Alarm::Drain) => connection.is_draining.store(true, Relaxed), // the reader is polled next
            Step::Alarm(Alarm::Shutdown) => return End::Shutdown,
            Step::Alarm(Alarm::Due(due)) => {
                let counter = match due {
                    Due::ReadTimeout => &server.counters.read_timeouts,
                    Due::WriteTimeout => &server.counters.write_timeouts,
                    Due::Idle => &server.counters.idle,
                };
                Counters::add(counter, 1);
                return End::Due(due);
            }
            Step::Read(result) => {
                is_reading = false;
                match result {
                    // The peer has finished sending; what it is owed is still written.
                    Ok(()) => peer.outbox().finish(),
                    Err(Error::Io(error)) => return End::Failed(error.into()),
                    Err(error) => {
                        Counters::add(&server.counters.truncated, 1);
                        debug!(%error, "truncated");
                        peer.outbox().finish();
                    }
                }
            }
            Step::Written(Ok(true)) => return End::Finished,
            Step::Written(Ok(false)) => return End::Cut,
            Step::Written(Err(error)) => return End::Failed(error.into()),
        }
    }
}
