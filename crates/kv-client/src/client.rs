//! [`Client`]: the handle that commands are called on.

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use crate::cluster::Cluster;
use crate::config::{Address, Config};
use crate::connection::handshake::establish;
use crate::connection::link::Life;
use crate::connection::node::Node;
use crate::error::{Error, Result};
use crate::stats::Stats;

/// A handle to a server. Cloning it is cheap; the clones share one connection, and it closes with the last of them.
///
/// All methods take `&self`, and commands of all clones and tasks are pipelined onto the connection as they come.
/// A method such as [`get`](Self::get) only makes a [`Command`](crate::Command); awaiting that runs it.
///
/// ```
/// # async fn example() -> kv_client::Result<()> {
/// use kv_client::Client;
///
/// let client = Client::connect("redis://localhost:6379").await?;
/// client.set("greeting", "hello").await?;
/// assert_eq!(client.get("greeting").await?.as_deref(), Some(&b"hello"[..]));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: Arc<Config>,
    pub(crate) servers: Servers,
    /// Transactions that were run, or may have been; a [watch](Client::watch) is not begun again then.
    pub(crate) transactions: AtomicUsize,
}

/// Where commands go.
pub(crate) enum Servers {
    One(Arc<Node>),
    Cluster(Arc<Cluster>),
}

impl Client {
    /// Connects to a server: a URL, `host:port`, the path of a Unix socket, a [`SocketAddr`](std::net::SocketAddr) or a [`Config`].
    ///
    /// Must be called in a Tokio runtime, which then runs the connection.
    ///
    /// # Errors
    ///
    /// If the URL is not one, the server cannot be reached within [`Config::connect_timeout`], or it refuses the login,
    /// the database or the protocol. Later failures of the connection are dealt with behind the scenes.
    pub async fn connect<C>(server: C) -> Result<Self>
    where
        C: TryInto<Config>,
        C::Error: Into<Error>,
    {
        let config = server.try_into().map_err(Into::into)?;
        if let Address::Cluster(_) = &config.address {
            let cluster = Cluster::connect(Arc::new(config)).await?;
            return Ok(Self::of_cluster(cluster));
        }
        Self::connect_alone(config).await
    }

    /// Connects to what is one server at a time.
    pub(crate) async fn connect_alone(config: Config) -> Result<Self> {
        let session = config.session();
        let established = establish(&config, &session).await?;
        let session = Arc::new(Mutex::new(session));
        let node = Node::start(Arc::new(config), session, None, Some(established));
        Ok(Self::of_node(Arc::new(node)))
    }

    /// Makes a client without waiting for its connection, which is made in the background.
    ///
    /// Commands wait for it, until their time limit; they fail at once if the server refuses what the configuration asks for,
    /// or is not what it says: no cluster, or no Redis at all. Must be called in a Tokio runtime, which then runs the connection.
    ///
    /// # Errors
    ///
    /// If the URL is not one.
    pub fn connect_lazy<C>(server: C) -> Result<Self>
    where
        C: TryInto<Config>,
        C::Error: Into<Error>,
    {
        let config = Arc::new(server.try_into().map_err(Into::into)?);
        if let Address::Cluster(_) = &config.address {
            return Ok(Self::of_cluster(Cluster::start(config)));
        }
        let session = Arc::new(Mutex::new(config.session()));
        let node = Node::start(config, session, None, None);
        Ok(Self::of_node(Arc::new(node)))
    }

    /// A handle on this one server.
    pub(crate) fn of_node(node: Arc<Node>) -> Self {
        Self {
            inner: Arc::new(Inner {
                config: Arc::clone(&node.config),
                servers: Servers::One(node),
                transactions: AtomicUsize::new(0),
            }),
        }
    }

    fn of_cluster(cluster: Arc<Cluster>) -> Self {
        Self {
            inner: Arc::new(Inner {
                config: Arc::clone(&cluster.config),
                servers: Servers::Cluster(cluster),
                transactions: AtomicUsize::new(0),
            }),
        }
    }

    /// Lets the commands under way finish, refuses new ones, and closes the connection; the other handles are then of
    /// no use any more. Whoever closes it waits until that is done.
    ///
    /// Commands are under way from the first poll of their futures until they are answered, out of time or dropped. So it takes
    /// no longer than their time limits ([`Config::command_timeout`]). A future that waited for room
    /// ([`Config::max_in_flight`]), has got it, and is not polled for a second fails as [`ErrorKind::Closed`](crate::ErrorKind::Closed), not sent; so do
    /// commands that wait for a connection while there is none.
    ///
    /// Commands that block, watches and monitors are not waited for: what has begun goes on until it is over or dropped.
    ///
    /// # Cancel safety
    ///
    /// Once polled, it closes the client even if it is dropped.
    pub async fn close(&self) {
        match &self.inner.servers {
            Servers::One(node) => node.close().await,
            Servers::Cluster(cluster) => cluster.close().await,
        }
    }

    /// Whether the client was closed, or is over with its only connection (see [`Config::reconnect`]).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.inner.servers {
            Servers::One(node) => node.link.lock().life() != Life::Open,
            Servers::Cluster(cluster) => cluster.is_closed(),
        }
    }

    /// What the client is doing and has done; the sums over all nodes of a cluster.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) {
    /// let stats = client.stats();
    /// println!("{} under way, {} reconnects", stats.in_flight, stats.reconnects);
    /// println!("99 % within {:?}", stats.shared.latency.quantile(0.99));
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.inner.servers {
            Servers::One(node) => Stats::of(node),
            Servers::Cluster(cluster) => cluster.stats(),
        }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.inner.config.address.to_string())
            .field("connected", &self.stats().connected)
            .finish_non_exhaustive()
    }
}
