//! CLIENT: what the server knows of its connections, and what it does with them.

use std::time::Duration;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::command::generic::millis;
use crate::fields::reply_struct;
use crate::table::row;

/// The options of [`Client::client_pause`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClientPauseOptions;

/// The options of [`Client::client_unblock`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClientUnblockOptions;

reply_struct! {
    /// How a connection takes part in client-side caching.
    pub struct TrackingInfo {
        /// `on` or `off`, and the options.
        flags: Vec<String> = "flags",
        /// The connection that is told of changes; 0 for this one, -1 without tracking.
        redirect: i64 = "redirect",
        /// What the names of keys begin with, if not all are tracked.
        prefixes: Vec<String> = "prefixes",
    }
}

/// Which connections CLIENT KILL ends: those that fit everything that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFilter(Vec<(&'static str, String)>);

impl ClientFilter {
    /// Every connection but one's own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The connection of this number.
    #[must_use]
    pub fn id(self, id: i64) -> Self {
        self.and("ID", id.to_string())
    }

    /// The connection from this address and port.
    #[must_use]
    pub fn addr(self, addr: impl Into<String>) -> Self {
        self.and("ADDR", addr.into())
    }

    /// The connections to this address and port of the server.
    #[must_use]
    pub fn local_addr(self, addr: impl Into<String>) -> Self {
        self.and("LADDR", addr.into())
    }

    /// The connections of this kind: `normal`, `master`, `replica`, `pubsub`.
    #[must_use]
    pub fn kind(self, kind: impl Into<String>) -> Self {
        self.and("TYPE", kind.into())
    }

    /// The connections that are logged in as this user.
    #[must_use]
    pub fn user(self, user: impl Into<String>) -> Self {
        self.and("USER", user.into())
    }

    /// Whether to spare the connection that asks. Default: yes.
    #[must_use]
    pub fn skip_me(self, skip: bool) -> Self {
        self.and("SKIPME", if skip { "yes" } else { "no" }.to_owned())
    }

    fn and(mut self, word: &'static str, value: String) -> Self {
        self.0.push((word, value));
        self
    }
}

impl ToArgs for ClientFilter {
    fn to_args(&self, request: &mut crate::request::Request) {
        if self.0.is_empty() {
            ("SKIPME", "yes").to_args(request);
        }
        for (word, value) in &self.0 {
            (word, value).to_args(request);
        }
    }
}

impl Client {
    /// [CLIENT KILL](https://redis.io/docs/latest/commands/client-kill/): ends connections; how many.
    pub fn client_kill(&self, filter: ClientFilter) -> Command<'_, u64> {
        self.typed(row!("CLIENT KILL")).with_all(filter)
    }

    /// [CLIENT PAUSE](https://redis.io/docs/latest/commands/client-pause/): lets all clients wait for so long.
    pub fn client_pause(&self, timeout: Duration) -> Command<'_, (), ClientPauseOptions> {
        self.typed(row!("CLIENT PAUSE")).with(millis(timeout))
    }

    /// [CLIENT UNPAUSE](https://redis.io/docs/latest/commands/client-unpause/): ends
    /// [`client_pause`](Self::client_pause).
    pub fn client_unpause(&self) -> Command<'_, ()> {
        self.typed(row!("CLIENT UNPAUSE"))
    }

    /// [CLIENT UNBLOCK](https://redis.io/docs/latest/commands/client-unblock/): ends the waiting of a command that
    /// blocks, as if its time were over; whether there was one.
    pub fn client_unblock(&self, id: i64) -> Command<'_, bool, ClientUnblockOptions> {
        self.typed(row!("CLIENT UNBLOCK")).with(id)
    }

    /// [CLIENT NO-EVICT](https://redis.io/docs/latest/commands/client-no-evict/): whether the server spares this
    /// connection when the memory of its clients runs out. Not restored after a reconnect.
    pub fn client_no_evict(&self, on: bool) -> Command<'_, ()> {
        self.typed(row!("CLIENT NO-EVICT")).with(on_off(on))
    }

    /// [CLIENT NO-TOUCH](https://redis.io/docs/latest/commands/client-no-touch/): whether the commands of this
    /// connection leave the age of keys as it is. For all clones of this client, until a reconnect. As of Redis 7.2.
    pub fn client_no_touch(&self, on: bool) -> Command<'_, ()> {
        self.typed(row!("CLIENT NO-TOUCH")).with(on_off(on))
    }

    /// [CLIENT SETINFO](https://redis.io/docs/latest/commands/client-setinfo/): says what library this is: `LIB-NAME`
    /// or `LIB-VER`. Not restored after a reconnect. As of Redis 7.2.
    pub fn client_setinfo(&self, attribute: impl ToArg, value: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("CLIENT SETINFO"))
            .with(attribute)
            .with(value)
    }

    /// [CLIENT GETREDIR](https://redis.io/docs/latest/commands/client-getredir/): the connection that is told of
    /// changes; 0 for this one, -1 without tracking.
    pub fn client_getredir(&self) -> Command<'_, i64> {
        self.typed(row!("CLIENT GETREDIR"))
    }

    /// [CLIENT TRACKINGINFO](https://redis.io/docs/latest/commands/client-trackinginfo/): how this connection takes
    /// part in client-side caching.
    pub fn client_trackinginfo(&self) -> Command<'_, TrackingInfo> {
        self.typed(row!("CLIENT TRACKINGINFO"))
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

impl<T> Command<'_, T, ClientPauseOptions> {
    /// Only commands that may write wait.
    pub fn writes_only(self) -> Self {
        self.with("WRITE")
    }
}

impl<T> Command<'_, T, ClientUnblockOptions> {
    /// The command that waits fails, in place of running out of time.
    pub fn with_error(self) -> Self {
        self.with("ERROR")
    }
}
