//! The life of one connection: a reader, a writer and a timer in one task, and what they leave behind.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

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
}

impl<H: Handler> Connection<H> {
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

    /// Runs what the reader has to wait for, and tells the outbox that it waits.
    ///
    /// Meanwhile acknowledgements lie unread, perhaps the very ones that the work waits for.
    pub(super) async fn while_reader_waits<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return output; // the usual case, at no cost
        }
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
    let outbox = Outbox::new(server.config.queue.clone(), &server.budget);
    let connection = Connection {
        peer: Peer::new(number, address, outbox, Arc::clone(&server.counters)),
        activity: Activity::new(),
        background: Mutex::default(),
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

async fn serve<H: Handler>(
    connection: &Connection<H>,
    io: impl AsyncRead + AsyncWrite + Send,
) -> End {
    let (read, write) = tokio::io::split(io);
    let (server, peer) = (&connection.server, &connection.peer);
    let mut reader = pin!(Reader::new(connection).run(read));
    let mut writer = pin!(writer::run(connection, write));
    let mut shutdown = pin!(server.cut.cancelled());
    let mut timer = pin!(Watch::new(&connection.activity, &server.config).run(peer));
    let mut is_reading = true;
    loop {
        tokio::select! {
            biased; // what is read now is written in the same turn
            result = &mut reader, if is_reading => {
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
            result = &mut writer => return match result {
                Ok(true) => End::Finished,
                Ok(false) => End::Cut,
                Err(error) => End::Failed(error.into()),
            },
            due = &mut timer => {
                let counter = match due {
                    Due::ReadTimeout => &server.counters.read_timeouts,
                    Due::WriteTimeout => &server.counters.write_timeouts,
                    Due::Idle => &server.counters.idle,
                };
                Counters::add(counter, 1);
                return End::Due(due);
            }
            () = &mut shutdown => return End::Shutdown,
        }
    }
}
