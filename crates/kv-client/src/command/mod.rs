//! [`Command`]: a command as a value, to be awaited or put into a pipeline; and the typed commands, a file for each family.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;

use resp_codec::Frame;

use crate::arg::{ToArg, ToArgs};
use crate::class::Class;
use crate::client::Client;
use crate::config::ReadFrom;
use crate::connection::exchange::Again;
use crate::connection::link::TimeLimit;
use crate::error::{ReplyError, Result};
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::request::Request;
use crate::table::Row;

mod acl;
mod bitmap;
mod client_admin;
mod cluster;
mod connection;
mod diagnosis;
mod future;
mod generic;
mod geo;
mod hash;
mod hash_ttl;
mod hyperloglog;
mod introspection;
mod list;
mod pubsub;
mod scripting;
mod server;
mod set;
mod settings;
mod sort;
mod stream;
mod stream_group;
mod string;
mod zset;
mod zset_range;
mod zset_sets;

pub use acl::{AclLogEntry, AclPatterns, AclUser};
pub use bitmap::{BitField, BitOp, BitOverflow};
pub use client_admin::{ClientFilter, TrackingInfo};
pub use cluster::{ClusterLink, Shard, ShardNode, SlotRange, SlotState};
pub use diagnosis::{LatencyEvent, LatencyHistogram, SlowCommand};
pub use future::CommandFuture;
pub(crate) use future::{finish, single};
pub use generic::{ExpireTime, KeyType, Ttl};
pub use geo::{GeoBy, GeoFound, GeoFrom, GeoUnit};
pub use hash_ttl::FieldChange;
pub use introspection::CommandInfo;
pub use list::Side;
pub use scripting::{FunctionInfo, FunctionStats, LibraryInfo, RunningScript};
pub use server::{ModuleInfo, ServerRole};
pub(crate) use settings::{Settings, setter};
pub use stream::{StreamEntry, StreamId, Trim};
pub use stream_group::{
    AutoClaimed, ConsumerInfo, FullConsumerInfo, FullGroupInfo, GroupInfo, PendingEntry,
    PendingSummary, StreamFullInfo, StreamInfo,
};
pub use zset::ScoreEnd;
pub use zset_sets::Aggregate;

/// Which options a [`Command`] has: its last type parameter.
pub mod options {
    pub use super::AnyOptions;
    pub use super::bitmap::{BitFieldOptions, BitFieldReadOptions, BitRangeOptions};
    pub use super::client_admin::{ClientPauseOptions, ClientUnblockOptions};
    pub use super::cluster::ClusterFailoverOptions;
    pub use super::diagnosis::MemoryUsageOptions;
    pub use super::generic::{CopyOptions, ExpireOptions, RestoreOptions, ScanOptions};
    pub use super::geo::{GeoAddOptions, GeoRadiusOptions, GeoSearchOptions, GeoStoreOptions};
    pub use super::hash::HRandFieldOptions;
    pub use super::hash_ttl::{HExpireOptions, HGetExOptions, HSetExOptions};
    pub use super::introspection::CommandListOptions;
    pub use super::list::{LMPopOptions, LPosOptions};
    pub use super::scripting::{
        FlushOptions, FunctionListOptions, FunctionLoadOptions, FunctionRestoreOptions,
    };
    pub use super::server::{FailoverOptions, MigrateOptions, ShutdownOptions};
    pub use super::sort::{SortOptions, SortReadOptions};
    pub use super::stream::{XAddOptions, XRangeOptions, XReadOptions, XSetIdOptions};
    pub use super::stream_group::{
        XAutoClaimOptions, XClaimOptions, XGroupCreateOptions, XPendingOptions, XReadGroupOptions,
    };
    pub use super::string::{GetExOptions, LcsOptions, SetOptions};
    pub use super::zset::{ZAddOptions, ZMPopOptions, ZRandMemberOptions, ZRankOptions};
    pub use super::zset_range::{
        ZRangeByLexOptions, ZRangeByScoreOptions, ZRangeOptions, ZRevRangeOptions,
    };
    pub use super::zset_sets::{InterCardOptions, ZCombineOptions, ZDiffOptions};
}

/// One command to a server, which is run when it is awaited and not before.
///
/// `T` is what it comes to; [`into`](Self::into) changes that. `O` says which options the command has: those of SET, say,
/// are methods of `Command<_, _, SetOptions>`.
///
/// ```
/// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
/// use std::time::Duration;
///
/// client.set("k", "v").ex(Duration::from_secs(60)).await?;
/// let text: Option<String> = client.get("k").into().await?;
/// let fresh: bool = client.set("k", "w").nx().timeout(Duration::from_millis(100)).await?;
/// # Ok(()) }
/// ```
///
/// # Cancel safety
///
/// Dropping the future before it is ready gives the command up. If it was not written to the socket yet, it never will
/// be; otherwise the server runs it and its reply is thrown away. Other commands are not affected in either case.
#[must_use = "a command does nothing until it is awaited"]
pub struct Command<'a, T, O = ()> {
    client: &'a Client,
    pub(crate) request: Request,
    pub(crate) decode: Decode<T>,
    pub(crate) settings: Settings,
    options: PhantomData<O>,
}

/// Turns a reply, which is not an error, into the command's type.
pub(crate) type Decode<T> = fn(Reply) -> Result<T, ReplyError>;

/// Those of [`Client::command`], a command of any name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AnyOptions;

impl Client {
    /// A command by its name, for what has no method of its own. It comes to a [`Frame`].
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// let longest: String = client.command("LCS").arg("key1").arg("key2").into().await?;
    /// let used = client.command("MEMORY").arg("USAGE").arg("key1").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Commands that would break a connection shared by many callers (SUBSCRIBE, MULTI, MONITOR, ...) are refused
    /// without being sent. Commands that block have a connection of their own.
    pub fn command(&self, name: &str) -> Command<'_, Frame, AnyOptions> {
        Command::new(
            self,
            Request::new(name.to_ascii_uppercase()),
            Frame::from_reply,
        )
    }

    pub(crate) fn typed<T: FromReply, O>(&self, row: &'static Row) -> Command<'_, T, O> {
        self.read_by(row, T::from_reply)
    }

    /// A command of one list of arguments.
    pub(crate) fn typed_list<T: FromReply, O>(
        &self,
        row: &'static Row,
        args: impl ToArgs,
    ) -> Command<'_, T, O> {
        let mut request = Request::of_about(row, args.likely_len());
        args.to_args(&mut request);
        Command::new(self, request, T::from_reply)
    }

    pub(crate) fn read_by<T, O>(&self, row: &'static Row, decode: Decode<T>) -> Command<'_, T, O> {
        Command::new(self, Request::of(row), decode)
    }
}

impl<T> Command<'_, T, AnyOptions> {
    /// Appends an argument, or any number of them.
    pub fn arg(mut self, args: impl ToArgs) -> Self {
        args.to_args(&mut self.request);
        self
    }

    /// Says what may be done with this command when its connection breaks. Default: what is known of its name;
    /// an unknown name is [`Class::Write`], which is never run twice.
    pub fn class(mut self, class: Class) -> Self {
        self.request.set_class(class);
        self
    }
}

impl<'a, T, O> Command<'a, T, O> {
    pub(crate) fn into_parts(self) -> (&'a Client, Request, Decode<T>, Settings) {
        (self.client, self.request, self.decode, self.settings)
    }

    pub(crate) fn new(client: &'a Client, request: Request, decode: Decode<T>) -> Self {
        Self {
            client,
            request,
            decode,
            settings: Settings::default(),
            options: PhantomData,
        }
    }

    setter! {
        /// Limits the time from the first poll to the reply, or lifts the limit with `None`. Default:
        /// [`Config::command_timeout`](crate::Config::command_timeout). A command that blocks for a time has that in addition, from
        /// the moment it has a [lane](crate#lanes); one that may block for ever has no limit.
        timeout
    }

    setter! {
        /// Whether to send it again after its connection was lost. Default: [`Config::retry`](crate::Config::retry).
        retry
    }

    setter! {
        /// Whether to send it over the connection for what is large, whatever its length: with `true` a read whose reply is
        /// large does not hold up the replies to others, with `false` a large value stays in line with them. Default: by
        /// [`Config::bulk_from`](crate::Config::bulk_from), and never without that. In a batch the batch decides.
        ///
        /// ```
        /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
        /// let film = client.get("film").bulk(true).await?;
        /// # Ok(()) }
        /// ```
        bulk
    }

    /// Which nodes of a cluster may serve this read. Default: [`Config::read_from`](crate::Config::read_from). It means nothing
    /// to a single server, to what does more than read, and to a [transaction](Client::transaction), which goes to the primary.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use kv_client::ReadFrom;
    ///
    /// let headlines = client.lrange("headlines", 0, 9).read_from(ReadFrom::Any).await?; // may be a moment behind
    /// # Ok(()) }
    /// ```
    ///
    /// What differs from the configuration costs two more commands (READONLY, READWRITE) around this one, and is not served
    /// from a [cache](Self::cached).
    pub fn read_from(mut self, nodes: ReadFrom) -> Self {
        self.settings.read_from = Some(nodes);
        self
    }

    /// The same command, whose reply becomes a `U`.
    pub fn into<U: FromReply>(self) -> Command<'a, U, O> {
        self.decoded(U::from_reply)
    }

    /// What would be sent: its name, arguments, keys and class.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) {
    /// let command = client.rename("old", "new");
    /// assert_eq!(command.request().name(), "RENAME");
    /// assert_eq!(command.request().keys(), [b"old", b"new"]);
    /// assert_eq!(command.request().class(), kv_client::Class::Write);
    /// # }
    /// ```
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The same command as one without options, so that different ones fit into one list.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use kv_client::Reply;
    ///
    /// let commands = vec![
    ///     client.set("k", 1).into::<Reply>().plain(),
    ///     client.incr("k").into().plain(),
    ///     client.command("OBJECT").arg(("ENCODING", "k")).into().plain(),
    /// ];
    /// let replies: Vec<Reply> = client.pipeline(commands).await?;
    /// # Ok(()) }
    /// ```
    pub fn plain(self) -> Command<'a, T> {
        let Self {
            client,
            request,
            decode,
            settings,
            ..
        } = self;
        Command {
            client,
            request,
            decode,
            settings,
            options: PhantomData,
        }
    }

    pub(crate) fn decoded<U>(self, decode: Decode<U>) -> Command<'a, U, O> {
        let Self {
            client,
            request,
            settings,
            options,
            ..
        } = self;
        Command {
            client,
            request,
            decode,
            settings,
            options,
        }
    }

    /// Appends one argument.
    pub(crate) fn with(mut self, arg: impl ToArg) -> Self {
        arg.to_arg(&mut self.request);
        self
    }

    /// Appends any number of arguments.
    pub(crate) fn with_all(mut self, args: impl ToArgs) -> Self {
        args.to_args(&mut self.request);
        self
    }

    /// Appends how many arguments these are, and then them.
    pub(crate) fn with_counted(mut self, args: impl ToArgs) -> Self {
        self.request.push_counted(args);
        self
    }

    /// What [`Self::option`] adds stands here, before what follows.
    pub(crate) fn options_here(mut self) -> Self {
        self.request.options_here();
        self
    }

    /// Adds an option where they belong.
    pub(crate) fn option(mut self, args: impl ToArgs) -> Self {
        self.request.insert(args);
        self
    }

    pub(crate) fn with_class(mut self, class: Class) -> Self {
        self.request.set_class(class);
        self
    }
}

impl<T, O> fmt::Debug for Command<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.request.name())
            .field("class", &self.request.class())
            .finish_non_exhaustive()
    }
}

impl<'a, T, O> IntoFuture for Command<'a, T, O> {
    type Output = Result<T>;
    type IntoFuture = CommandFuture<'a, T>;

    fn into_future(self) -> CommandFuture<'a, T> {
        let Self {
            client,
            request,
            decode,
            settings,
            ..
        } = self;
        CommandFuture::new(client, request, decode, settings)
    }
}

impl Client {
    /// How long a command may take, and whether it is sent again.
    pub(crate) fn plan(&self, request: &Request, settings: Settings) -> (TimeLimit, Again) {
        let config = &self.inner.config;
        let retry = settings.retry.unwrap_or(config.retry);
        let again = Again::of(retry, request.class(), config.max_retries);
        let timeout = match request.class() {
            Class::Blocking => settings.timeout.flatten(),
            _ => settings.timeout.unwrap_or(config.command_timeout),
        };
        let limit = TimeLimit {
            timeout,
            deadline: None,
        };
        (limit, again)
    }
}
