//! The options of a [`Config`], each a method.

use std::time::Duration;

use resp_codec::Limits;

use super::{AddressMap, Config, CredentialsProvider, Protocol, ReadFrom};
use crate::cache::Caching;
use crate::class::Retry;
use crate::connection::backoff::Backoff;
#[cfg(feature = "tls")]
use crate::tls::Tls;

impl Config {
    /// Logs in with the sentinels, which have users of their own: with [`Credentials`](super::Credentials), or what a
    /// [`CredentialsProvider`] says at each connection to one of them. Default: no login.
    #[must_use]
    pub fn sentinel_credentials(mut self, credentials: impl Into<CredentialsProvider>) -> Self {
        self.sentinel_credentials = Some(credentials.into());
        self
    }

    /// Secures every TCP connection by TLS; to sentinels and to all nodes of a cluster, too. Default: no TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Logs in on every connection: with [`Credentials`](super::Credentials), or with what a [`CredentialsProvider`] says when the
    /// connection is made. Default: no login. [`Client::set_credentials`](crate::Client::set_credentials) changes it later.
    #[must_use]
    pub fn credentials(mut self, credentials: impl Into<CredentialsProvider>) -> Self {
        self.credentials = Some(credentials.into());
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
    /// retries all count. `None` is for ever. Default: 5 s. [`Command::timeout`](crate::Command::timeout) sets it for one command,
    /// and says what holds for those that block.
    #[must_use]
    pub fn command_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.command_timeout = timeout.into();
        self
    }

    /// After this long without a byte from the server it is asked for a sign of life with PING; after this long again
    /// without one the connection is given up and made anew. `None` never asks. Default: 10 s.
    ///
    /// A command that keeps the server busy for longer than twice this time therefore fails as *maybe executed*. On connections
    /// where commands block, which get no answer meanwhile, the system asks (TCP keep-alive, in whole seconds); it does
    /// so on all others too.
    #[must_use]
    pub fn keepalive(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.keepalive = interval.into();
        self
    }

    /// The most commands that may be under way at once, at least one; more wait their turn, in order of arrival. Default: 10,000.
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
    /// command at a time; more of them wait their turn. At least one. Default: 16.
    #[must_use]
    pub fn max_lanes(mut self, lanes: usize) -> Self {
        self.max_lanes = lanes.max(1);
        self
    }

    /// Requests from this many bytes on go over a connection of their own, one for each server, so that small ones do not
    /// wait behind them. `None` keeps everything on one connection; see [Lanes](crate#lanes) for what that means for the
    /// order. [`Command::bulk`](crate::Command::bulk) decides for one command. Default: 1 MiB.
    ///
    /// There is no second connection without [`reconnect`](Self::reconnect).
    #[must_use]
    pub fn bulk_from(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.bulk_from = bytes.into();
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

    /// The largest replies that are accepted; `bulk_bytes` also bounds the arguments that are sent. Default: [`Limits::client`].
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

    /// Says where to reach the nodes of a cluster, and the servers that sentinels name, if not at the addresses that they
    /// announce: behind address translation, in containers, through a tunnel. It is asked for every announced address, and
    /// never for those in this configuration. Default: where they say.
    ///
    /// ```
    /// use kv_client::Config;
    ///
    /// let config = Config::cluster([("db.example", 7000)])
    ///     .map_addresses(|_announced, port| ("db.example".to_owned(), port));
    /// ```
    #[must_use]
    pub fn map_addresses(
        mut self,
        map: impl Fn(&str, u16) -> (String, u16) + Send + Sync + 'static,
    ) -> Self {
        self.address_map = Some(AddressMap::new(map));
        self
    }

    /// How often a cluster is asked which node serves what, if nothing else gives cause to ask. `None` is never.
    /// Default: 60 s.
    #[must_use]
    pub fn refresh_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.refresh_interval = interval.into();
        self
    }
}
