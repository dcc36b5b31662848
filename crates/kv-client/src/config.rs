//! Where to connect and how: [`Config`], read from a URL or built step by step.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use resp_codec::Limits;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::cache::Caching;
use crate::class::Retry;
use crate::connection::backoff::Backoff;
use crate::connection::session::Session;
use crate::error::Error;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::url::UrlError;

/// How a [`Client`](crate::Client) connects and behaves.
///
/// It is read from a URL, and each option can also be set by a method:
///
/// ```
/// use std::time::Duration;
/// use kv_client::Config;
///
/// let config: Config = "redis://app:secret@db.example:6379/2?command_timeout_ms=500".parse()?;
/// let config = config.client_name("shop").max_retries(0).connect_timeout(Duration::from_secs(1));
/// assert_eq!(config.to_string(), "redis://app@db.example:6379/2?name=shop&connect_timeout_ms=1000&command_timeout_ms=500&max_retries=0");
/// # Ok::<(), kv_client::UrlError>(())
/// ```
///
/// | URL | meaning |
/// |---|---|
/// | `redis://`, `valkey://` | `[user[:password]@]host[:port][/db]`; port 6379 |
/// | `redis+unix://`, `valkey+unix://`, `unix://` | `[user[:password]@]/path/of.sock`; the database as option `db` |
/// | `redis-cluster://`, `valkey-cluster://` | `[user[:password]@]host[:port][,host[:port]...]`: some nodes of a cluster |
/// | `redis-sentinel://`, `valkey-sentinel://` | `[user[:password]@]host[:port][,host[:port]...]/service[/db]`: sentinels, port 26379, and the name of what they watch |
/// | `rediss://`, `valkeys://`, `rediss-cluster://`, `valkeys-cluster://`, `rediss-sentinel://`, `valkeys-sentinel://` | the same over TLS, with the feature `tls` |
/// | `host`, `host:port`, `/path/of.sock` | short for the first two |
///
/// Options are `db`, `name`, `protocol` (`2`, `3`, `auto`), `connect_timeout_ms`, `command_timeout_ms`, `keepalive_ms`
/// (0 turns these two off), `max_in_flight`, `max_unwritten_bytes`, `max_lanes`, `max_retries`, `cache_bytes` and `cache_age_ms` (each of which turns caching on); of a cluster also
/// `read_from` (`primary`, `replica`, `any`) and `refresh_ms` (0 is never);
/// of sentinels `sentinel_user` and `sentinel_password`; with TLS `ca_file`, `cert_file`, `key_file` and `server_name`. An unknown option is an error.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) address: Address,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) db: u32,
    pub(crate) name: Option<String>,
    pub(crate) protocol: Protocol,
    pub(crate) connect_timeout: Duration,
    pub(crate) command_timeout: Option<Duration>,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) max_in_flight: usize,
    pub(crate) max_unwritten_bytes: usize,
    pub(crate) max_lanes: usize,
    pub(crate) retry: Retry,
    pub(crate) max_retries: u32,
    pub(crate) backoff: Backoff,
    pub(crate) reconnect: bool,
    pub(crate) limits: Limits,
    pub(crate) sentinel_credentials: Option<Credentials>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
    pub(crate) caching: Option<Caching>,
    pub(crate) read_from: ReadFrom,
    pub(crate) refresh_interval: Option<Duration>,
    /// Commands do not wait for a connection that could not be made: there are other nodes.
    pub(crate) fail_fast: bool,
    /// Connections are to serve reads although their server is a replica.
    pub(crate) readonly: bool,
}

/// Which nodes of a cluster serve the commands that only read ([`Class::Read`](crate::Class::Read)).
///
/// A replica may be behind its primary: what was just written may not be there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadFrom {
    /// Primaries. The default.
    #[default]
    Primary,
    /// Replicas, in turn; the primary if there is none, or if the one whose turn it was could not be reached.
    Replica,
    /// Primary and replicas in turn.
    Any,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A host, by name or address, and a port.
    Tcp {
        /// A name, an IPv4 or an IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// Streams that the caller makes.
    Custom(Connector),
    /// A cluster: some of its nodes, by host and port, which are asked for the others.
    Cluster(Vec<(String, u16)>),
    /// Whichever server is the primary of a service, as its sentinels say.
    Sentinel {
        /// The name of the service, the *master name* in sentinel.conf.
        service: String,
        /// The sentinels, by host and port.
        sentinels: Vec<(String, u16)>,
    },
}

/// Makes the streams of [`Address::Custom`]; see [`Config::connector`].
#[derive(Clone)]
pub struct Connector(Arc<dyn Fn() -> Dialing + Send + Sync>);

type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Whatever bytes go through.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A user's name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Option<String>,
    password: String,
}

/// The version of the protocol to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP3 if the server knows it, RESP2 otherwise. The default.
    #[default]
    Auto,
    /// RESP2, without asking: HELLO is never sent.
    Resp2,
    /// RESP3, or an error.
    Resp3,
}

impl Default for Config {
    /// `localhost:6379`.
    fn default() -> Self {
        Self::new(Address::Tcp {
            host: "localhost".to_owned(),
            port: 6379,
        })
    }
}

impl Config {
    /// The defaults, with this address.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            credentials: None,
            db: 0,
            name: None,
            protocol: Protocol::Auto,
            connect_timeout: Duration::from_secs(5),
            command_timeout: Some(Duration::from_secs(5)),
            keepalive: Some(Duration::from_secs(10)),
            max_in_flight: 10_000,
            max_unwritten_bytes: 64 * 1024 * 1024,
            max_lanes: 16,
            retry: Retry::Safe,
            max_retries: 2,
            backoff: Backoff::default(),
            reconnect: true,
            limits: Limits::client(),
            sentinel_credentials: None,
            #[cfg(feature = "tls")]
            tls: None,
            caching: None,
            read_from: ReadFrom::Primary,
            refresh_interval: Some(Duration::from_secs(60)),
            fail_fast: false,
            readonly: false,
        }
    }

    /// A cluster, which is found through any of these nodes.
    ///
    /// ```
    /// use kv_client::{Config, ReadFrom};
    ///
    /// let config = Config::cluster([("10.0.0.1", 7000), ("10.0.0.2", 7000)]).read_from(ReadFrom::Replica);
    /// assert_eq!(config.to_string(), "redis-cluster://10.0.0.1:7000,10.0.0.2:7000?read_from=replica");
    /// ```
    pub fn cluster<H: Into<String>>(seeds: impl IntoIterator<Item = (H, u16)>) -> Self {
        let seeds = seeds.into_iter().map(|(host, port)| (host.into(), port));
        Self::new(Address::Cluster(seeds.collect()))
    }

    /// A configuration whose connections are made by `connect`: a proxy, a tunnel, TLS of your own, memory.
    ///
    /// It is called for the first connection and for each one after that.
    ///
    /// ```
    /// use kv_client::Config;
    /// use tokio::net::TcpStream;
    ///
    /// let config = Config::connector(|| TcpStream::connect("127.0.0.1:6379"));
    /// ```
    pub fn connector<F, S, Fut>(connect: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::new(Address::Custom(Connector::new(connect)))
    }

    /// Whichever server is the primary of `service`, as these sentinels say.
    ///
    /// ```
    /// use kv_client::Config;
    ///
    /// let config = Config::sentinel("mymaster", [("10.0.0.1", 26379), ("10.0.0.2", 26379)]).db(2);
    /// assert_eq!(config.to_string(), "redis-sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster/2");
    /// ```
    pub fn sentinel<H: Into<String>>(
        service: impl Into<String>,
        sentinels: impl IntoIterator<Item = (H, u16)>,
    ) -> Self {
        let sentinels = sentinels
            .into_iter()
            .map(|(host, port)| (host.into(), port));
        Self::new(Address::Sentinel {
            service: service.into(),
            sentinels: sentinels.collect(),
        })
    }

    /// Logs in with the sentinels, which have users of their own. Default: no login.
    #[must_use]
    pub fn sentinel_credentials(mut self, credentials: Credentials) -> Self {
        self.sentinel_credentials = Some(credentials);
        self
    }

    /// Secures every TCP connection by TLS; to sentinels and to all nodes of a cluster, too. Default: no TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Whether its connections are secured.
    pub(crate) fn uses_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }

    /// Whether its connections are to lead to whichever server is the primary.
    pub(crate) fn follows_primary(&self) -> bool {
        matches!(self.address, Address::Sentinel { .. })
    }

    /// Logs in on every connection. Default: no login.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Selects a database on every connection. Default: 0.
    #[must_use]
    pub fn db(mut self, db: u32) -> Self {
        self.db = db;
        self
    }

    /// Names every connection, as CLIENT SETNAME does. Default: no name.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The version of the protocol. Default: [`Protocol::Auto`].
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// The time in which a connection must be made *and* set up. Default: 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The time from the first poll of a command to its reply: waiting in the queue, reconnecting, writing, waiting and
    /// retries all count. `None` is for ever. Default: 5 s. [`Command::timeout`](crate::Command::timeout) sets it for one command.
    #[must_use]
    pub fn command_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.command_timeout = timeout.into();
        self
    }

    /// After this long without a byte from the server it is asked for a sign of life with PING; after this long again
    /// without one the connection is given up and made anew. `None` never asks. Default: 10 s.
    ///
    /// A command that keeps the server busy for longer than twice this time therefore fails as *maybe executed*.
    #[must_use]
    pub fn keepalive(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.keepalive = interval.into();
        self
    }

    /// The most commands that may be under way at once; more wait their turn, in order of arrival. Default: 10,000.
    #[must_use]
    pub fn max_in_flight(mut self, commands: usize) -> Self {
        self.max_in_flight = commands.max(1);
        self
    }

    /// The most bytes that may wait to be written; commands beyond wait their turn, in order of arrival. A single larger
    /// command goes alone. Default: 64 MiB.
    #[must_use]
    pub fn max_unwritten_bytes(mut self, bytes: usize) -> Self {
        self.max_unwritten_bytes = bytes.max(1);
        self
    }

    /// The most connections that blocking commands (BLPOP and its like) may have beside the shared one, each lent to one
    /// command at a time; more of them wait their turn. Default: 16.
    #[must_use]
    pub fn max_lanes(mut self, lanes: usize) -> Self {
        self.max_lanes = lanes.max(1);
        self
    }

    /// Which commands are sent again when a connection was lost after they had been written. Default: [`Retry::Safe`].
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How often one command is sent again at most. Default: 2.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// The delays between attempts to reconnect. Default: 50 ms to 5 s.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Whether a lost connection is made anew. If not, the client is over with its connection. Default: yes.
    #[must_use]
    pub fn reconnect(mut self, reconnect: bool) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// The largest replies that are accepted. Default: [`Limits::client`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps the replies to reads that are [`cached`](crate::Command::cached), until the server says that they have
    /// changed ([CLIENT TRACKING](https://redis.io/docs/latest/commands/client-tracking/)). With RESP2 nothing is kept.
    /// Default: off.
    #[must_use]
    pub fn caching(mut self, caching: impl Into<Option<Caching>>) -> Self {
        self.caching = caching.into();
        self
    }

    /// Which nodes of a cluster serve reads; a single server serves them all. Default: [`ReadFrom::Primary`].
    #[must_use]
    pub fn read_from(mut self, nodes: ReadFrom) -> Self {
        self.read_from = nodes;
        self
    }

    /// How often a cluster is asked which node serves what, if nothing else gives cause to ask. `None` is never.
    /// Default: 60 s.
    #[must_use]
    pub fn refresh_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.refresh_interval = interval.into();
        self
    }

    pub(crate) fn session(&self) -> Session {
        Session {
            credentials: self.credentials.clone(),
            db: self.db,
            name: self.name.clone().map(Into::into),
        }
    }

    /// Where the server is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl Connector {
    /// See [`Config::connector`].
    pub fn new<F, S, Fut>(connect: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self(Arc::new(move || {
            let dialing = connect();
            Box::pin(async move { Ok(Box::new(dialing.await?) as Box<dyn Stream>) })
        }))
    }

    pub(crate) fn dial(&self) -> Dialing {
        (self.0)()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl PartialEq for Connector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Connector {}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Custom(_) => f.write_str("the caller's stream"),
            Self::Cluster(seeds) => write_list(f, seeds),
            Self::Sentinel { service, .. } => write!(f, "the primary of {service}"),
        }
    }
}

/// `host:port,host:port`
pub(crate) fn write_list(f: &mut fmt::Formatter<'_>, list: &[(String, u16)]) -> fmt::Result {
    for (position, (host, port)) in list.iter().enumerate() {
        let comma = if position > 0 { "," } else { "" };
        match host.contains(':') {
            true => write!(f, "{comma}[{host}]:{port}")?,
            false => write!(f, "{comma}{host}:{port}")?,
        }
    }
    Ok(())
}

impl Credentials {
    /// A user of the server's access control list.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: Some(user.into()),
            password: password.into(),
        }
    }

    /// The password of the default user, `requirepass` in redis.conf.
    pub fn password(password: impl Into<String>) -> Self {
        Self {
            user: None,
            password: password.into(),
        }
    }

    /// The user; `None` is the default user.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(crate) fn secret(&self) -> &str {
        &self.password
    }
}

/// Never shows the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl From<SocketAddr> for Config {
    fn from(addr: SocketAddr) -> Self {
        Self::new(Address::Tcp {
            host: addr.ip().to_string(),
            port: addr.port(),
        })
    }
}

impl TryFrom<&str> for Config {
    type Error = UrlError;

    fn try_from(url: &str) -> Result<Self, UrlError> {
        url.parse()
    }
}

impl TryFrom<&String> for Config {
    type Error = UrlError;

    fn try_from(url: &String) -> Result<Self, UrlError> {
        url.parse()
    }
}

impl TryFrom<String> for Config {
    type Error = UrlError;

    fn try_from(url: String) -> Result<Self, UrlError> {
        url.parse()
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
