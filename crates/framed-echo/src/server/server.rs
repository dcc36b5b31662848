//! Starting and stopping.

use std::{
    fmt,
    future::{self, Future},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
#[cfg(feature = "tls")]
use tokio_rustls::rustls;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, debug, debug_span, info};

use super::{
    Echo, Handler, Peer,
    budget::Budget,
    config::Config,
    connection,
    listener::{Bind, Bound},
    stats::{Counters, Stats},
};
use crate::{
    Frame, Reply,
    control::{Code, FromServer, MessageId, Outcome, Refusal},
};

/// A running server. Dropped, it stops at once; [`shutdown`](Self::shutdown) stops it gracefully.
///
/// ```
/// use framed_echo::{ClientCodec, Item, Reply, Request, server::Server};
/// use futures::{SinkExt, StreamExt};
/// use tokio_util::codec::Framed;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::builder().bind("127.0.0.1:0").start().await?;
/// let mut client = Framed::new(server.connect(), ClientCodec::new());
/// client.send(Request::text(10_000_000, 10_000_001, "hi")).await?;
/// let echo = client.next().await.expect("the server answers")?;
/// assert_eq!(echo, Item::Frame(Reply::text(10_000_000, "hi")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server<H = Echo> {
    inner: Arc<Inner<H>>,
    bound: Vec<Bound>,
}

/// What all connections of a server share.
pub(super) struct Inner<H> {
    pub(super) handler: H,
    pub(super) config: Config,
    pub(super) counters: Arc<Counters>,
    pub(super) budget: Arc<Budget>,
    /// Nothing new is accepted, and what is under way is brought to an end.
    pub(super) draining: CancellationToken,
    /// Connections end now. A child of nothing: draining leaves it alone.
    pub(super) cut: CancellationToken,
    /// Listeners and connections, to wait for.
    tasks: TaskTracker,
    last_connection: AtomicU64,
    open: AtomicUsize,
}

/// The port that the protocol's servers listen on.
pub const DEFAULT_PORT: u16 = 8888;

/// Bytes that an in-memory connection holds in each direction.
const IN_MEMORY_BYTES: usize = 64 * 1024;

impl Server {
    /// An echo server with the default [`Config`] on port 8888 of all interfaces, unless told otherwise.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            handler: Echo,
            config: Config::default(),
            binds: None,
        }
    }
}

/// Sets up a [`Server`].
#[derive(Debug)]
pub struct Builder<H = Echo> {
    handler: H,
    config: Config,
    /// `None`: the default address.
    binds: Option<Vec<Bind>>,
}

impl<H: Handler> Builder<H> {
    /// Replaces the behaviour. Default: [`Echo`].
    #[must_use]
    pub fn handler<T: Handler>(self, handler: T) -> Builder<T> {
        let Self { config, binds, .. } = self;
        Builder {
            handler,
            config,
            binds,
        }
    }

    /// Replaces the settings.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Listens on a TCP address such as `127.0.0.1:8888`; port 0 takes a free one. May be called several times, and
    /// together with the other kinds. Default, if no kind is called: `0.0.0.0:8888`.
    #[must_use]
    pub fn bind(self, address: impl Into<String>) -> Self {
        self.listen(Bind::Tcp(address.into()))
    }

    /// Listens on a TCP address and speaks TLS there.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn bind_tls(self, address: impl Into<String>, config: Arc<rustls::ServerConfig>) -> Self {
        self.listen(Bind::Tls(address.into(), config.into()))
    }

    /// Listens on a Unix socket. A socket file that nobody listens on any more is replaced; the file is removed when
    /// the server stops.
    #[cfg(unix)]
    #[must_use]
    pub fn bind_unix(self, path: impl Into<std::path::PathBuf>) -> Self {
        self.listen(Bind::Unix(path.into()))
    }

    /// Listens nowhere: connections come from [`Server::connect`] and [`Server::serve`].
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.binds.get_or_insert_default();
        self
    }

    fn listen(mut self, bind: Bind) -> Self {
        self.binds.get_or_insert_default().push(bind);
        self
    }

    /// Binds the addresses and starts to serve, on the runtime that this is called on.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound, which the text names; then nothing has been started.
    pub async fn start(self) -> io::Result<Server<H>> {
        let Self {
            handler,
            mut config,
            binds,
        } = self;
        config.chunk_bytes = config.chunk_bytes.clamp(1, MAX_CHUNK_BYTES);
        config.memory_bytes = config.memory_bytes.max(4 * config.chunk_bytes as usize);
        let default = || vec![Bind::Tcp(format!("0.0.0.0:{DEFAULT_PORT}"))];
        let mut listeners = Vec::new();
        for bind in binds.unwrap_or_else(default) {
            listeners.push(bind.listen().await?);
        }
        let inner = Arc::new(Inner {
            handler,
            budget: Budget::new(config.memory_bytes),
            config,
            counters: Arc::default(),
            draining: CancellationToken::new(),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
            last_connection: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        });
        let mut bound = Vec::new();
        for listener in listeners {
            info!(address = %listener.bound(), "listening");
            bound.push(listener.bound().clone());
            inner.tasks.spawn(listener.run(Arc::clone(&inner)));
        }
        Ok(Server { inner, bound })
    }
}

/// Longer chunks would not bound anything worth bounding.
const MAX_CHUNK_BYTES: u32 = 1 << 24;

impl<H: Handler> Server<H> {
    /// The first TCP address that the server listens on.
    ///
    /// # Panics
    ///
    /// If it was started without one.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        let tcp = self.bound.iter().find_map(|bound| match bound {
            Bound::Tcp(address) => Some(*address),
            #[cfg(unix)]
            Bound::Unix(_) => None,
        });
        tcp.expect("this server listens on a TCP address")
    }

    /// The handler that it was started with.
    #[must_use]
    pub fn handler(&self) -> &H {
        &self.inner.handler
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.inner.counters.snapshot();
        stats.memory_bytes = self.inner.budget.used() as u64;
        stats
    }

    /// Connects without a socket: bytes written here are read by the server.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(IN_MEMORY_BYTES);
        self.serve(far, "memory");
        near
    }

    /// Serves a connection that somebody else has accepted. `address` is for people to read.
    pub fn serve<IO>(&self, io: IO, address: impl Into<String>)
    where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.inner.serve(future::ready(Ok(io)), address.into());
    }

    /// Stops: accepts nothing more, lets each connection end as described below, and closes what is left when the
    /// deadline has passed.
    ///
    /// A plain connection is read up to the end of the frame it is in, gets what it is owed, and is closed. A client
    /// that said hello is told GOODBYE and has until the deadline to acknowledge what it has and to close.
    pub async fn shutdown(self, deadline: Duration) -> Drained {
        let Inner {
            draining,
            cut,
            tasks,
            open,
            counters,
            ..
        } = &*self.inner;
        info!(open = open.load(Relaxed), ?deadline, "draining");
        let before = counters.snapshot().closed;
        draining.cancel();
        tasks.close();
        let in_time = tokio::time::timeout(deadline, tasks.wait()).await;
        let left = if in_time.is_ok() {
            0
        } else {
            open.load(Relaxed)
        };
        cut.cancel();
        tasks.wait().await;
        let closed = counters.snapshot().closed - before;
        let drained = Drained {
            finished: closed.saturating_sub(left as u64),
            cut: left as u64,
        };
        info!(finished = drained.finished, cut = drained.cut, "stopped");
        drained
    }
}

impl<H> Drop for Server<H> {
    fn drop(&mut self) {
        self.inner.draining.cancel();
        self.inner.cut.cancel();
    }
}

/// How the connections ended in a [`shutdown`](Server::shutdown).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that ended by themselves.
    pub finished: u64,
    /// Connections that were closed at the deadline.
    pub cut: u64,
}

impl<H: Handler> Inner<H> {
    /// Serves one connection in a task of its own, or turns it away at the cap. `io` may take a handshake.
    pub(super) fn serve<IO>(
        self: &Arc<Self>,
        io: impl Future<Output = io::Result<IO>> + Send + 'static,
        address: String,
    ) where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        Counters::add(&self.counters.accepted, 1);
        let slot = Slot::take(self);
        let server = Arc::clone(self);
        let number = self.last_connection.fetch_add(1, Relaxed) + 1;
        let span = debug_span!("conn", id = number, peer = %address);
        let task = async move {
            let io = match server.handshake(io).await {
                Ok(io) => io,
                Err(error) => return debug!(%error, "no handshake"),
            };
            match slot {
                Some(_slot) => connection::run(server, number, address, io).await,
                None => server.turn_away(io).await,
            }
        };
        self.tasks.spawn(task.instrument(span));
    }

    async fn handshake<IO>(&self, io: impl Future<Output = io::Result<IO>>) -> io::Result<IO> {
        let timeout = self.config.read_timeout.unwrap_or(Duration::MAX);
        tokio::select! {
            io = tokio::time::timeout(timeout, io) => io?,
            () = self.cut.cancelled() => Err(io::ErrorKind::Interrupted.into()),
        }
    }

    async fn turn_away(&self, io: impl AsyncRead + AsyncWrite + Send) {
        Counters::add(&self.counters.turned_away, 1);
        debug!("turned away");
        let text = format!("all {} connections are taken", self.config.max_connections);
        let Frame { header, body } = busy(text);
        let mut output = crate::output::Output::default();
        output.header(header, u32::try_from(body.len()).unwrap_or(0));
        output.bytes(body);
        let mut io = std::pin::pin!(io);
        // One attempt: a fresh connection has room for these few bytes.
        let write = std::future::poll_fn(|cx| output.poll_write(io.as_mut(), cx));
        tokio::select! {
            _ = write => {}
            () = self.cut.cancelled() => {}
        }
        let _ = io.shutdown().await;
    }

    /// Tells a peer what its message met with, unless the handler does.
    pub(super) fn answer(&self, peer: &Peer, id: Option<MessageId>, handled: Result<(), Refusal>) {
        match (handled, id) {
            (Ok(()), Some(id)) if !H::REPORTS => peer.report(id, Outcome::Delivered),
            (Ok(()), _) => {}
            (Err(refusal), id) => self.refuse(peer, id, refusal),
        }
    }

    /// Tells a peer that something of its was refused.
    pub(super) fn refuse(&self, peer: &Peer, id: Option<MessageId>, mut refusal: Refusal) {
        refusal.id = refusal.id.or(id);
        debug!(code = %refusal.code, "refused");
        peer.refuse(refusal);
    }
}

fn busy(text: String) -> Reply {
    FromServer::Error(Refusal::new(Code::Busy, text)).into_reply(0)
}

impl<H: fmt::Debug> fmt::Debug for Inner<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut inner = f.debug_struct("Inner");
        inner
            .field("handler", &self.handler)
            .field("config", &self.config);
        inner.field("open", &self.open).finish_non_exhaustive()
    }
}

/// One of the connections that a server may have.
struct Slot<H>(Arc<Inner<H>>);

impl<H> Slot<H> {
    fn take(server: &Arc<Inner<H>>) -> Option<Self> {
        let max = server.config.max_connections;
        let more = |open: usize| Some(open + 1).filter(|open| *open <= max);
        let taken = server.open.fetch_update(Relaxed, Relaxed, more).is_ok();
        taken.then(|| Self(Arc::clone(server)))
    }
}

impl<H> Drop for Slot<H> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}
