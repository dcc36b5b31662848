//! Consumer groups of streams, and questions about streams.

use std::time::Duration;

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::class::Class::Blocking;
use crate::client::Client;
use crate::command::Command;
use crate::command::generic::{millis, unix_ms};
use crate::command::stream::{StreamEntry, StreamId};
use crate::error::ReplyError;
use crate::fields::reply_struct;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

/// The options of [`Client::xreadgroup`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XReadGroupOptions;

/// The options of [`Client::xgroup_create`] and [`Client::xgroup_setid`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XGroupCreateOptions;

/// The options of [`Client::xpending_range`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XPendingOptions;

/// The options of [`Client::xclaim`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XClaimOptions;

/// The options of [`Client::xautoclaim`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XAutoClaimOptions;

reply_struct! {
    /// A stream, as [`Client::xinfo_stream`] describes it.
    pub struct StreamInfo {
        /// Number of entries.
        length: u64 = "length",
        /// Keys of the tree that holds them.
        radix_tree_keys: u64 = "radix-tree-keys",
        /// Nodes of that tree.
        radix_tree_nodes: u64 = "radix-tree-nodes",
        /// The highest id that was given out.
        last_generated_id: StreamId = "last-generated-id",
        /// The highest id that was deleted. As of Redis 7.0.
        max_deleted_entry_id: Option<StreamId> = "max-deleted-entry-id",
        /// How many entries it ever had. As of Redis 7.0.
        entries_added: Option<u64> = "entries-added",
        /// Number of consumer groups.
        groups: u64 = "groups",
        /// The oldest entry.
        first_entry: Option<StreamEntry> = "first-entry",
        /// The newest entry.
        last_entry: Option<StreamEntry> = "last-entry",
    }

    /// A stream with all that belongs to it, as [`Client::xinfo_stream_full`] describes it.
    pub struct StreamFullInfo {
        /// Number of entries.
        length: u64 = "length",
        /// The highest id that was given out.
        last_generated_id: StreamId = "last-generated-id",
        /// How many entries it ever had. As of Redis 7.0.
        entries_added: Option<u64> = "entries-added",
        /// The oldest entries.
        entries: Vec<StreamEntry> = "entries",
        /// Its consumer groups.
        groups: Vec<FullGroupInfo> = "groups",
    }

    /// A consumer group with its consumers.
    pub struct FullGroupInfo {
        /// Its name.
        name: Bytes = "name",
        /// The last entry that was delivered.
        last_delivered_id: StreamId = "last-delivered-id",
        /// How many entries were delivered; `None` if the server cannot tell.
        entries_read: Option<u64> = "entries-read",
        /// Entries that were not delivered yet; `None` if the server cannot tell.
        lag: Option<u64> = "lag",
        /// Entries that were delivered and not acknowledged.
        pending_count: u64 = "pel-count",
        /// The oldest of them: id, consumer, milliseconds since 1970 when it was delivered last, and how often.
        pending: Vec<(StreamId, Bytes, i64, u64)> = "pending",
        /// Its consumers.
        consumers: Vec<FullConsumerInfo> = "consumers",
    }

    /// A consumer with its entries.
    pub struct FullConsumerInfo {
        /// Its name.
        name: Bytes = "name",
        /// When it last tried to read or claim, in milliseconds since 1970.
        seen_time_ms: i64 = "seen-time",
        /// When it last got something, in milliseconds since 1970; -1 if never. As of Redis 7.2.
        active_time_ms: Option<i64> = "active-time",
        /// Entries that were delivered to it and not acknowledged.
        pending_count: u64 = "pel-count",
        /// The oldest of them: id, milliseconds since 1970 when it was delivered last, and how often.
        pending: Vec<(StreamId, i64, u64)> = "pending",
    }

    /// A consumer group, as [`Client::xinfo_groups`] describes it.
    pub struct GroupInfo {
        /// Its name.
        name: Bytes = "name",
        /// Number of consumers.
        consumers: u64 = "consumers",
        /// Entries that were delivered and not acknowledged.
        pending: u64 = "pending",
        /// The last entry that was delivered.
        last_delivered_id: StreamId = "last-delivered-id",
        /// How many entries were delivered; `None` if the server cannot tell.
        entries_read: Option<u64> = "entries-read",
        /// Entries that were not delivered yet; `None` if the server cannot tell.
        lag: Option<u64> = "lag",
    }

    /// A consumer, as [`Client::xinfo_consumers`] describes it.
    pub struct ConsumerInfo {
        /// Its name.
        name: Bytes = "name",
        /// Entries that were delivered to it and not acknowledged.
        pending: u64 = "pending",
        /// Milliseconds since it last tried to read or claim.
        idle_ms: i64 = "idle",
        /// Milliseconds since it last got something; -1 if never. As of Redis 7.2.
        inactive_ms: Option<i64> = "inactive",
    }
}

/// What a group was delivered and has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingSummary {
    /// Number of entries.
    pub count: u64,
    /// The lowest id.
    pub min: Option<StreamId>,
    /// The highest id.
    pub max: Option<StreamId>,
    /// Consumers with such entries, and how many.
    pub consumers: Vec<(Bytes, u64)>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingEntry {
    /// Its number.
    pub id: StreamId,
    /// To whom it was delivered.
    pub consumer: Bytes,
    /// How long ago, in whole milliseconds.
    pub idle: Duration,
    /// How often.
    pub deliveries: u64,
}

/// What XAUTOCLAIM took over: entries, or their ids only.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AutoClaimed<T = StreamEntry> {
    /// Where to go on; [`StreamId::MIN`] at the end.
    pub next: StreamId,
    /// What now belongs to the consumer.
    pub claimed: Vec<T>,
    /// What was to be taken over, but is not in the stream any more. As of Redis 7.0.
    pub deleted: Vec<StreamId>,
}

impl FromReply for PendingSummary {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let (count, min, max, consumers) = FromReply::from_reply(reply)?;
        Ok(Self {
            count,
            min,
            max,
            consumers,
        })
    }
}

impl FromReply for PendingEntry {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let (id, consumer, idle, deliveries) = FromReply::from_reply(reply)?;
        Ok(Self {
            id,
            consumer,
            idle: Duration::from_millis(idle),
            deliveries,
        })
    }
}

impl<T: FromReply> FromReply for AutoClaimed<T> {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut parts = Vec::<Reply>::from_reply(reply)?.into_iter();
        let mut part = || parts.next().unwrap_or(Reply::Null);
        Ok(Self {
            next: FromReply::from_reply(part())?,
            claimed: FromReply::from_reply(part())?,
            deleted: FromReply::from_reply(part())?,
        })
    }
}

impl Client {
    /// [XREADGROUP](https://redis.io/docs/latest/commands/xreadgroup/): reads as a consumer of a group; of each stream that
    /// has some, entries that nobody else of the group was given (id `">"`), or those that this consumer was given before
    /// and has not acknowledged.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use std::time::Duration;
    ///
    /// client.xgroup_create("jobs", "workers", "0").mkstream().await?;
    /// for (key, entries) in client.xreadgroup("workers", "me", [("jobs", ">")]).count(10).block(Duration::from_secs(5)).await? {
    ///     for entry in entries {
    ///         client.xack(&key, "workers", entry.id).await?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn xreadgroup<K: ToArg, I: ToArg>(
        &self,
        group: impl ToArg,
        consumer: impl ToArg,
        streams: impl IntoIterator<Item = (K, I)>,
    ) -> Command<'_, Vec<(Bytes, Vec<StreamEntry>)>, XReadGroupOptions> {
        self.typed(row!("XREADGROUP"))
            .with("GROUP")
            .with(group)
            .with(consumer)
            .with_streams(streams)
    }

    /// [XACK](https://redis.io/docs/latest/commands/xack/): acknowledges entries; how many were pending.
    pub fn xack(&self, key: impl ToArg, group: impl ToArg, ids: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("XACK")).with(key).with(group).with_all(ids)
    }

    /// [XGROUP CREATE](https://redis.io/docs/latest/commands/xgroup-create/): makes a group that is to be given the
    /// entries behind `id`; `"$"` for new ones only.
    pub fn xgroup_create(
        &self,
        key: impl ToArg,
        group: impl ToArg,
        id: impl ToArg,
    ) -> Command<'_, (), XGroupCreateOptions> {
        self.typed(row!("XGROUP CREATE"))
            .with(key)
            .with(group)
            .with(id)
    }

    /// [XGROUP SETID](https://redis.io/docs/latest/commands/xgroup-setid/): sets the last entry that counts as
    /// delivered.
    pub fn xgroup_setid(
        &self,
        key: impl ToArg,
        group: impl ToArg,
        id: impl ToArg,
    ) -> Command<'_, (), XGroupCreateOptions> {
        self.typed(row!("XGROUP SETID"))
            .with(key)
            .with(group)
            .with(id)
    }

    /// [XGROUP DESTROY](https://redis.io/docs/latest/commands/xgroup-destroy/): deletes a group; whether there was one.
    pub fn xgroup_destroy(&self, key: impl ToArg, group: impl ToArg) -> Command<'_, bool> {
        self.typed(row!("XGROUP DESTROY")).with(key).with(group)
    }

    /// [XGROUP CREATECONSUMER](https://redis.io/docs/latest/commands/xgroup-createconsumer/): makes a consumer; whether
    /// it is new.
    pub fn xgroup_createconsumer(
        &self,
        key: impl ToArg,
        group: impl ToArg,
        consumer: impl ToArg,
    ) -> Command<'_, bool> {
        self.typed(row!("XGROUP CREATECONSUMER"))
            .with(key)
            .with(group)
            .with(consumer)
    }

    /// [XGROUP DELCONSUMER](https://redis.io/docs/latest/commands/xgroup-delconsumer/): deletes a consumer; how many
    /// entries it had pending, which nobody will be given any more.
    pub fn xgroup_delconsumer(
        &self,
        key: impl ToArg,
        group: impl ToArg,
        consumer: impl ToArg,
    ) -> Command<'_, u64> {
        self.typed(row!("XGROUP DELCONSUMER"))
            .with(key)
            .with(group)
            .with(consumer)
    }

    /// [XPENDING](https://redis.io/docs/latest/commands/xpending/): what a group was delivered and has not
    /// acknowledged.
    pub fn xpending(&self, key: impl ToArg, group: impl ToArg) -> Command<'_, PendingSummary> {
        self.typed(row!("XPENDING")).with(key).with(group)
    }

    /// [XPENDING](https://redis.io/docs/latest/commands/xpending/) with a range: entries that were delivered and not
    /// acknowledged, from one id to another, up to so many.
    pub fn xpending_range(
        &self,
        key: impl ToArg,
        group: impl ToArg,
        start: impl ToArg,
        end: impl ToArg,
        count: u64,
    ) -> Command<'_, Vec<PendingEntry>, XPendingOptions> {
        self.typed(row!("XPENDING"))
            .with(key)
            .with(group)
            .options_here()
            .with(start)
            .with(end)
            .with(count)
    }

    /// [XCLAIM](https://redis.io/docs/latest/commands/xclaim/): takes over entries that were delivered to others at
    /// least `min_idle` ago; those it got.
    pub fn xclaim(
        &self,
        key: impl ToArg,
        group: impl ToArg,
        consumer: impl ToArg,
        min_idle: Duration,
        ids: impl ToArgs,
    ) -> Command<'_, Vec<StreamEntry>, XClaimOptions> {
        self.typed(row!("XCLAIM"))
            .with(key)
            .with(group)
            .with(consumer)
            .with(millis(min_idle))
            .with_all(ids)
    }

    /// [XAUTOCLAIM](https://redis.io/docs/latest/commands/xautoclaim/): takes over what was delivered to others at
    /// least `min_idle` ago, from an id on.
    pub fn xautoclaim(
        &self,
        key: impl ToArg,
        group: impl ToArg,
        consumer: impl ToArg,
        min_idle: Duration,
        start: impl ToArg,
    ) -> Command<'_, AutoClaimed, XAutoClaimOptions> {
        self.typed(row!("XAUTOCLAIM"))
            .with(key)
            .with(group)
            .with(consumer)
            .with(millis(min_idle))
            .with(start)
    }

    /// [XINFO STREAM](https://redis.io/docs/latest/commands/xinfo-stream/): what the server knows of a stream.
    pub fn xinfo_stream(&self, key: impl ToArg) -> Command<'_, StreamInfo> {
        self.typed(row!("XINFO STREAM")).with(key)
    }

    /// [XINFO GROUPS](https://redis.io/docs/latest/commands/xinfo-groups/): the consumer groups of a stream.
    pub fn xinfo_groups(&self, key: impl ToArg) -> Command<'_, Vec<GroupInfo>> {
        self.typed(row!("XINFO GROUPS")).with(key)
    }

    /// [XINFO CONSUMERS](https://redis.io/docs/latest/commands/xinfo-consumers/): the consumers of a group.
    pub fn xinfo_consumers(
        &self,
        key: impl ToArg,
        group: impl ToArg,
    ) -> Command<'_, Vec<ConsumerInfo>> {
        self.typed(row!("XINFO CONSUMERS")).with(key).with(group)
    }

    /// [XINFO STREAM](https://redis.io/docs/latest/commands/xinfo-stream/) with FULL: a stream with its groups and their
    /// consumers, and up to `count` entries of each list; all of them if that is 0.
    pub fn xinfo_stream_full(&self, key: impl ToArg, count: u64) -> Command<'_, StreamFullInfo> {
        self.typed(row!("XINFO STREAM"))
            .with(key)
            .with("FULL")
            .with("COUNT")
            .with(count)
    }
}

impl<T> Command<'_, T, XReadGroupOptions> {
    /// Up to so many of each stream.
    pub fn count(self, count: u64) -> Self {
        self.option(("COUNT", count))
    }

    /// Waits up to `timeout` until there is an entry, or for ever if that is zero. It then runs on a connection of its
    /// own (see [`Config::max_lanes`](crate::Config::max_lanes)).
    pub fn block(self, timeout: Duration) -> Self {
        self.with_class(Blocking).option(("BLOCK", millis(timeout)))
    }

    /// Counts what is delivered as acknowledged.
    pub fn noack(self) -> Self {
        self.option("NOACK")
    }
}

impl<T> Command<'_, T, XGroupCreateOptions> {
    /// Makes the stream if there is none. For [`Client::xgroup_create`].
    pub fn mkstream(self) -> Self {
        self.with("MKSTREAM")
    }

    /// Says how many entries count as delivered, so that the server can tell the lag.
    pub fn entries_read(self, count: u64) -> Self {
        self.with("ENTRIESREAD").with(count)
    }
}

impl<T> Command<'_, T, XPendingOptions> {
    /// Only what was delivered at least so long ago.
    pub fn idle(self, min_idle: Duration) -> Self {
        self.option(("IDLE", millis(min_idle)))
    }

    /// Only what was delivered to this consumer.
    pub fn consumer(self, consumer: impl ToArg) -> Self {
        self.with(consumer)
    }
}

impl<'a, T> Command<'a, T, XClaimOptions> {
    /// The entries count as delivered so long ago. Default: now.
    pub fn idle(self, idle: Duration) -> Self {
        self.with("IDLE").with(millis(idle))
    }

    /// The entries count as delivered at this time, in whole milliseconds.
    pub fn time(self, at: std::time::SystemTime) -> Self {
        self.with("TIME").with(unix_ms(at))
    }

    /// The entries count as delivered so often. Default: once more than before.
    pub fn retrycount(self, count: u64) -> Self {
        self.with("RETRYCOUNT").with(count)
    }

    /// Also entries that were never delivered to anybody.
    pub fn force(self) -> Self {
        self.with("FORCE")
    }

    /// Says what was delivered to the group last.
    pub fn last_id(self, id: StreamId) -> Self {
        self.with("LASTID").with(id)
    }

    /// Only the ids, and without counting a delivery.
    pub fn justid(self) -> Command<'a, Vec<StreamId>, XClaimOptions> {
        self.with("JUSTID").decoded(Vec::from_reply)
    }
}

impl<'a, T> Command<'a, T, XAutoClaimOptions> {
    /// Looks at up to so many entries. The server's default: 100.
    pub fn count(self, count: u64) -> Self {
        self.with("COUNT").with(count)
    }

    /// Only the ids, and without counting a delivery.
    pub fn justid(self) -> Command<'a, AutoClaimed<StreamId>, XAutoClaimOptions> {
        self.with("JUSTID").decoded(AutoClaimed::from_reply)
    }
}
