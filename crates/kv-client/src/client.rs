//! [`Client`]: the handle that commands are called on.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use crate::config::Config;
use crate::connection::driver::Driver;
use crate::connection::engine::Engine;
use crate::connection::handshake::{Established, establish};
use crate::connection::lanes::Lanes;
use crate::connection::link::{Life, Link};
use crate::connection::session::Session;
use crate::connection::topics::Topics;
use crate::error::{Error, Result};
use crate::pubsub::Carrier;

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
    pub(crate) link: Arc<Link>,
    /// The same connection, as subscriptions see it.
    pub(crate) carrier: Carrier,
    pub(crate) lanes: Lanes,
    /// What new connections are given; kept up to date by the driver.
    pub(crate) session: Arc<Mutex<Session>>,
    /// The connection for subscriptions, if the shared one cannot carry them.
    dedicated: Mutex<Option<Carrier>>,
    /// To be waited for when the client is closed.
    drivers: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end(Life::Abandoned);
    }
}

impl Inner {
    fn end(&self, life: Life) {
        self.link.end(life);
        if let Some(dedicated) = &*locked(&self.dedicated) {
            dedicated.link.end(life);
        }
        self.lanes.close();
    }

    /// The connection for subscriptions that the shared one, which speaks RESP2, cannot carry.
    pub(crate) fn dedicated(&self) -> Carrier {
        let mut dedicated = locked(&self.dedicated);
        if let Some(carrier) = &*dedicated {
            return carrier.clone();
        }
        let session = Arc::new(Mutex::new(locked(&self.session).clone()));
        let (carrier, driver) = drive(&self.config, session, true, None);
        if self.link.lock().life() != Life::Open {
            carrier.link.end(Life::Closing);
        }
        locked(&self.drivers).push(driver);
        dedicated.insert(carrier).clone()
    }
}

/// Starts a connection.
fn drive(
    config: &Arc<Config>,
    session: Arc<Mutex<Session>>,
    dedicated: bool,
    established: Option<Established>,
) -> (Carrier, JoinHandle<()>) {
    let link = Arc::new(Link::new(config.max_in_flight, config.max_unwritten_bytes));
    if let Some(established) = &established {
        link.lock().connected(established.version);
    }
    let topics = Arc::new(Topics::new(dedicated));
    let engine = Engine::new(config.limits, session, Arc::clone(&topics));
    let driver = Driver::new(Arc::clone(&link), Arc::clone(config), engine);
    (
        Carrier { link, topics },
        tokio::spawn(driver.run(established)),
    )
}

/// No code panics while it holds one of these locks, so a poisoned one is as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a client is doing, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Whether there is a connection.
    pub connected: bool,
    /// Connections made since the client began; all but the first are reconnects.
    pub connections: u64,
    /// Commands that were admitted and have not been answered.
    pub in_flight: usize,
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
        let established = establish(&config, &config.session()).await?;
        Ok(Self::start(config, Some(established)))
    }

    /// Makes a client without waiting for its connection, which is made in the background.
    ///
    /// Commands wait for it, until their time limit. Must be called in a Tokio runtime, which then runs the connection.
    ///
    /// # Errors
    ///
    /// If the URL is not one.
    pub fn connect_lazy<C>(server: C) -> Result<Self>
    where
        C: TryInto<Config>,
        C::Error: Into<Error>,
    {
        Ok(Self::start(server.try_into().map_err(Into::into)?, None))
    }

    fn start(config: Config, established: Option<Established>) -> Self {
        let config = Arc::new(config);
        let session = Arc::new(Mutex::new(config.session()));
        let (carrier, driver) = drive(&config, Arc::clone(&session), false, established);
        let lanes = Lanes::new(&config);
        let link = Arc::clone(&carrier.link);
        let drivers = Mutex::new(vec![driver]);
        let dedicated = Mutex::default();
        Self {
            inner: Arc::new(Inner {
                config,
                link,
                carrier,
                lanes,
                session,
                dedicated,
                drivers,
            }),
        }
    }

    /// Lets the commands under way finish, refuses new ones, and closes the connection; the other handles are then of
    /// no use any more. While there is no connection, commands that wait for one fail as not sent.
    ///
    /// # Cancel safety
    ///
    /// Once polled, it closes the client even if it is dropped.
    pub async fn close(&self) {
        self.inner.end(Life::Closing);
        let drivers = std::mem::take(&mut *locked(&self.inner.drivers));
        for driver in drivers {
            // A driver that panicked has closed its connection too.
            let _ = driver.await;
        }
    }

    /// What a new connection is given now.
    pub(crate) fn session(&self) -> Session {
        self.inner
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the client was closed, or is over with its only connection (see [`Config::reconnect`]).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.link.lock().life() != Life::Open
    }

    /// What the client is doing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let status = self.inner.link.lock().status;
        Stats {
            connected: status.connected,
            connections: status.connections,
            in_flight: self.inner.link.in_flight(),
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
            .field("stats", &self.stats())
            .finish()
    }
}
