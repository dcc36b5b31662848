//! Where to connect and how: [`Config`], read from a URL or built step by step.

mod address;
mod credentials;
mod options;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use resp_codec::Limits;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::address::{Address, Connector};
pub(crate) use self::address::{AddressMap, Stream};
pub use self::credentials::{Credentials, CredentialsProvider};
use crate::cache::Caching;
use crate::class::Retry;
use crate::connection::backoff::Backoff;
use crate::connection::login::Login;
use crate::connection::session::Session;
use crate::error::Error;
use crate::sentinel::Sentinels;
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
/// | option | value |
/// |---|---|
/// | `db`, `name` | as [`db`](Self::db) and [`client_name`](Self::client_name) |
/// | `protocol` | `2`, `3`, `auto` |
/// | `connect_timeout_ms`, `command_timeout_ms`, `keepalive_ms` | milliseconds; 0 turns the last two off |
/// | `retry`, `max_retries` | `never`, `safe`, `repeatable`, `always`; a number |
/// | `reconnect`, `backoff_min_ms`, `backoff_max_ms` | `yes`, `no`; milliseconds |
/// | `max_in_flight`, `max_unwritten_bytes`, `max_lanes`, `bulk_from` | numbers; `bulk_from=0` is `None` |
/// | `cache_bytes`, `cache_age_ms` | numbers, each of which turns caching on |
/// | `limit_depth`, `limit_elements`, `limit_bulk_bytes`, `limit_inline_bytes`, `limit_frame_bytes` | numbers, as in [`Limits`] |
/// | `read_from`, `refresh_ms` | of a cluster: `primary`, `replica`, `any`; milliseconds, 0 is never |
/// | `sentinel_user`, `sentinel_password` | of sentinels |
/// | `ca_file`, `cert_file`, `key_file`, `server_name` | with TLS |
///
/// An unknown option is an error, and so is one that is given twice or means nothing to such a server. What a URL cannot say
/// is code: a [`connector`](Self::connector), a [`CredentialsProvider`].
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) address: Address,
    pub(crate) credentials: Option<CredentialsProvider>,
    pub(crate) db: u32,
    pub(crate) name: Option<String>,
    pub(crate) protocol: Protocol,
    pub(crate) connect_timeout: Duration,
    pub(crate) command_timeout: Option<Duration>,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) max_in_flight: usize,
    pub(crate) max_unwritten_bytes: usize,
    pub(crate) max_lanes: usize,
    pub(crate) bulk_from: Option<usize>,
    pub(crate) retry: Retry,
    pub(crate) max_retries: u32,
    pub(crate) backoff: Backoff,
    pub(crate) reconnect: bool,
    pub(crate) limits: Limits,
    /// What is known of the sentinels by now.
    pub(crate) sentinels: Sentinels,
    pub(crate) sentinel_credentials: Option<CredentialsProvider>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
    pub(crate) caching: Option<Caching>,
    pub(crate) read_from: ReadFrom,
    pub(crate) refresh_interval: Option<Duration>,
    pub(crate) address_map: Option<AddressMap>,
    /// Commands do not wait for a connection that could not be made: there are other nodes.
    pub(crate) fail_fast: bool,
    /// Whether the keepalive is asked for with PING; a server that blocks on purpose would not answer.
    pub(crate) pings: bool,
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
        let sentinels = match &address {
            Address::Sentinel { sentinels, .. } => Sentinels::new(sentinels),
            _ => Sentinels::default(),
        };
        Self {
            address,
            sentinels,
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
            bulk_from: Some(1024 * 1024),
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
            address_map: None,
            fail_fast: false,
            pings: true,
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

    /// Whether its connections are secured.
    pub(crate) fn uses_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }

    /// Where a server is reached that announces this address, or of which others do.
    pub(crate) fn reach(&self, host: &str, port: u16) -> (String, u16) {
        match &self.address_map {
            Some(map) => map.reach(host, port),
            None => (host.to_owned(), port),
        }
    }

    /// Whether its connections are to lead to whichever server is the primary.
    pub(crate) fn follows_primary(&self) -> bool {
        matches!(self.address, Address::Sentinel { .. })
    }

    pub(crate) fn session(&self) -> Session {
        Session {
            login: Login::new(self.credentials.clone()),
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
