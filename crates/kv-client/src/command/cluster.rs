//! CLUSTER: what a node knows of its cluster, and what it does there.

use bytes::Bytes;
use resp_codec::Frame;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::error::ReplyError;
use crate::fields::reply_struct;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

/// The options of [`Client::cluster_failover`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClusterFailoverOptions;

/// Slots that belong to the same nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotRange {
    /// The first.
    pub start: u16,
    /// The last.
    pub end: u16,
    /// The primary, and then its replicas: address, port, and number in the cluster. The address is `None` if the node
    /// does not know it: it is then that of the node that was asked.
    pub nodes: Vec<(Option<String>, u16, String)>,
}

impl FromReply for SlotRange {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut parts = Vec::<Reply>::from_reply(reply)?.into_iter();
        let mut part = || parts.next().unwrap_or(Reply::Null);
        let (start, end) = (part(), part());
        let node = |reply: Reply| {
            let mut parts = Vec::<Reply>::from_reply(reply)?.into_iter();
            let mut part = || parts.next().unwrap_or(Reply::Null);
            Ok((
                FromReply::from_reply(part())?,
                FromReply::from_reply(part())?,
                FromReply::from_reply(part())?,
            ))
        };
        Ok(Self {
            start: FromReply::from_reply(start)?,
            end: FromReply::from_reply(end)?,
            nodes: parts.map(node).collect::<Result<_, ReplyError>>()?,
        })
    }
}

reply_struct! {
    /// Nodes with the same slots.
    pub struct Shard {
        /// The first and the last slot of each range.
        slots: Vec<(u16, u16)> = "slots",
        /// The nodes.
        nodes: Vec<ShardNode> = "nodes",
    }

    /// A node of a shard.
    pub struct ShardNode {
        /// Its number in the cluster.
        id: String = "id",
        /// Its port without TLS.
        port: Option<u16> = "port",
        /// Its port with TLS.
        tls_port: Option<u16> = "tls-port",
        /// Its address.
        ip: Option<String> = "ip",
        /// The address that clients are to use.
        endpoint: Option<String> = "endpoint",
        /// Its name, if it has one.
        hostname: Option<String> = "hostname",
        /// `master` or `replica`.
        role: String = "role",
        /// How much it wrote, or has taken over.
        replication_offset: i64 = "replication-offset",
        /// `online`, `failed` or `loading`.
        health: String = "health",
    }

    /// A connection between two nodes.
    pub struct ClusterLink {
        /// `to` or `from`.
        direction: String = "direction",
        /// The other node.
        node: String = "node",
        /// When it began, in milliseconds since 1970.
        create_time_ms: i64 = "create-time",
        /// What it is waiting for: `r`, `w`.
        events: String = "events",
        /// How much memory the queue of messages takes, in bytes.
        send_buffer_allocated: u64 = "send-buffer-allocated",
        /// How much of that is in use.
        send_buffer_used: u64 = "send-buffer-used",
    }
}

/// What to do with a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotState {
    /// It comes here from this node.
    Importing(String),
    /// It goes to this node.
    Migrating(String),
    /// It belongs to this node.
    Node(String),
    /// It neither comes nor goes.
    Stable,
}

impl ToArgs for SlotState {
    fn to_args(&self, request: &mut crate::request::Request) {
        match self {
            Self::Importing(node) => ("IMPORTING", node).to_args(request),
            Self::Migrating(node) => ("MIGRATING", node).to_args(request),
            Self::Node(node) => ("NODE", node).to_args(request),
            Self::Stable => "STABLE".to_args(request),
        }
    }
}

impl Client {
    /// [CLUSTER INFO](https://redis.io/docs/latest/commands/cluster-info/): the state of the cluster, a line each.
    pub fn cluster_info(&self) -> Command<'_, String> {
        self.typed(row!("CLUSTER INFO"))
    }

    /// [CLUSTER NODES](https://redis.io/docs/latest/commands/cluster-nodes/): the nodes, a line each.
    pub fn cluster_nodes_text(&self) -> Command<'_, String> {
        self.typed(row!("CLUSTER NODES"))
    }

    /// [CLUSTER MYID](https://redis.io/docs/latest/commands/cluster-myid/): the number of this node.
    pub fn cluster_myid(&self) -> Command<'_, String> {
        self.typed(row!("CLUSTER MYID"))
    }

    /// [CLUSTER MYSHARDID](https://redis.io/docs/latest/commands/cluster-myshardid/): the number of this node's shard.
    /// As of Redis 7.2.
    pub fn cluster_myshardid(&self) -> Command<'_, String> {
        self.typed(row!("CLUSTER MYSHARDID"))
    }

    /// [CLUSTER SLOTS](https://redis.io/docs/latest/commands/cluster-slots/): which node has which slots.
    pub fn cluster_slots(&self) -> Command<'_, Vec<SlotRange>> {
        self.typed(row!("CLUSTER SLOTS"))
    }

    /// [CLUSTER SHARDS](https://redis.io/docs/latest/commands/cluster-shards/): which nodes have which slots. As of
    /// Redis 7.0.
    pub fn cluster_shards(&self) -> Command<'_, Vec<Shard>> {
        self.typed(row!("CLUSTER SHARDS"))
    }

    /// [CLUSTER LINKS](https://redis.io/docs/latest/commands/cluster-links/): the connections of this node to others.
    /// As of Redis 7.0.
    pub fn cluster_links(&self) -> Command<'_, Vec<ClusterLink>> {
        self.typed(row!("CLUSTER LINKS"))
    }

    /// [CLUSTER KEYSLOT](https://redis.io/docs/latest/commands/cluster-keyslot/): the slot of a key.
    pub fn cluster_keyslot(&self, key: impl ToArg) -> Command<'_, u16> {
        self.typed(row!("CLUSTER KEYSLOT")).with(key)
    }

    /// [CLUSTER COUNTKEYSINSLOT](https://redis.io/docs/latest/commands/cluster-countkeysinslot/): how many keys of a
    /// slot this node has.
    pub fn cluster_countkeysinslot(&self, slot: u16) -> Command<'_, u64> {
        self.typed(row!("CLUSTER COUNTKEYSINSLOT")).with(slot)
    }

    /// [CLUSTER GETKEYSINSLOT](https://redis.io/docs/latest/commands/cluster-getkeysinslot/): up to so many keys of a
    /// slot.
    pub fn cluster_getkeysinslot(&self, slot: u16, count: u64) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("CLUSTER GETKEYSINSLOT"))
            .with(slot)
            .with(count)
    }

    /// [CLUSTER COUNT-FAILURE-REPORTS](https://redis.io/docs/latest/commands/cluster-count-failure-reports/): how many
    /// nodes say that this one has failed.
    pub fn cluster_count_failure_reports(&self, node: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("CLUSTER COUNT-FAILURE-REPORTS")).with(node)
    }

    /// [CLUSTER REPLICAS](https://redis.io/docs/latest/commands/cluster-replicas/): the replicas of a node, as in
    /// CLUSTER NODES.
    pub fn cluster_replicas(&self, node: impl ToArg) -> Command<'_, Vec<String>> {
        self.typed(row!("CLUSTER REPLICAS")).with(node)
    }

    /// [CLUSTER SLAVES](https://redis.io/docs/latest/commands/cluster-slaves/): the old name of CLUSTER REPLICAS.
    pub fn cluster_slaves(&self, node: impl ToArg) -> Command<'_, Vec<String>> {
        self.typed(row!("CLUSTER SLAVES")).with(node)
    }

    /// [CLUSTER SLOT-STATS](https://redis.io/docs/latest/commands/cluster-slot-stats/): how much the slots are used:
    /// `("SLOTSRANGE", 0, 100)`. As of Redis 8.2 and Valkey 8.
    pub fn cluster_slot_stats(&self, args: impl ToArgs) -> Command<'_, Frame> {
        self.typed(row!("CLUSTER SLOT-STATS")).with_all(args)
    }

    /// [CLUSTER ADDSLOTS](https://redis.io/docs/latest/commands/cluster-addslots/): gives slots to this node.
    pub fn cluster_addslots(&self, slots: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("CLUSTER ADDSLOTS")).with_all(slots)
    }

    /// [CLUSTER ADDSLOTSRANGE](https://redis.io/docs/latest/commands/cluster-addslotsrange/): gives ranges of slots to
    /// this node. As of Redis 7.0.
    pub fn cluster_addslotsrange(&self, ranges: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("CLUSTER ADDSLOTSRANGE")).with_all(ranges)
    }

    /// [CLUSTER DELSLOTS](https://redis.io/docs/latest/commands/cluster-delslots/): lets this node forget who has these
    /// slots.
    pub fn cluster_delslots(&self, slots: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("CLUSTER DELSLOTS")).with_all(slots)
    }

    /// [CLUSTER DELSLOTSRANGE](https://redis.io/docs/latest/commands/cluster-delslotsrange/): lets this node forget who
    /// has these ranges of slots. As of Redis 7.0.
    pub fn cluster_delslotsrange(&self, ranges: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("CLUSTER DELSLOTSRANGE")).with_all(ranges)
    }

    /// [CLUSTER FLUSHSLOTS](https://redis.io/docs/latest/commands/cluster-flushslots/): lets this node forget who has
    /// which slots.
    pub fn cluster_flushslots(&self) -> Command<'_, ()> {
        self.typed(row!("CLUSTER FLUSHSLOTS"))
    }

    /// [CLUSTER SETSLOT](https://redis.io/docs/latest/commands/cluster-setslot/): says to whom a slot belongs, comes or
    /// goes.
    pub fn cluster_setslot(&self, slot: u16, state: SlotState) -> Command<'_, ()> {
        self.typed(row!("CLUSTER SETSLOT"))
            .with(slot)
            .with_all(state)
    }

    /// [CLUSTER MEET](https://redis.io/docs/latest/commands/cluster-meet/): adds a node to the cluster.
    pub fn cluster_meet(&self, ip: impl ToArg, port: u16) -> Command<'_, ()> {
        self.typed(row!("CLUSTER MEET")).with(ip).with(port)
    }

    /// [CLUSTER FORGET](https://redis.io/docs/latest/commands/cluster-forget/): removes a node from the cluster.
    pub fn cluster_forget(&self, node: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("CLUSTER FORGET")).with(node)
    }

    /// [CLUSTER REPLICATE](https://redis.io/docs/latest/commands/cluster-replicate/): makes this node a replica of
    /// another.
    pub fn cluster_replicate(&self, node: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("CLUSTER REPLICATE")).with(node)
    }

    /// [CLUSTER FAILOVER](https://redis.io/docs/latest/commands/cluster-failover/): makes this replica the primary.
    pub fn cluster_failover(&self) -> Command<'_, (), ClusterFailoverOptions> {
        self.typed(row!("CLUSTER FAILOVER"))
    }

    /// [CLUSTER RESET](https://redis.io/docs/latest/commands/cluster-reset/): takes this node out of its cluster.
    pub fn cluster_reset(&self) -> Command<'_, ()> {
        self.typed(row!("CLUSTER RESET"))
    }

    /// [CLUSTER RESET](https://redis.io/docs/latest/commands/cluster-reset/) HARD: also with a new number.
    pub fn cluster_reset_hard(&self) -> Command<'_, ()> {
        self.typed(row!("CLUSTER RESET")).with("HARD")
    }

    /// [CLUSTER BUMPEPOCH](https://redis.io/docs/latest/commands/cluster-bumpepoch/): raises the number of the
    /// configuration.
    pub fn cluster_bumpepoch(&self) -> Command<'_, String> {
        self.typed(row!("CLUSTER BUMPEPOCH"))
    }

    /// [CLUSTER SET-CONFIG-EPOCH](https://redis.io/docs/latest/commands/cluster-set-config-epoch/): sets the number of
    /// the configuration of a new node.
    pub fn cluster_set_config_epoch(&self, epoch: u64) -> Command<'_, ()> {
        self.typed(row!("CLUSTER SET-CONFIG-EPOCH")).with(epoch)
    }

    /// [CLUSTER SAVECONFIG](https://redis.io/docs/latest/commands/cluster-saveconfig/): writes the state of the cluster
    /// to disk.
    pub fn cluster_saveconfig(&self) -> Command<'_, ()> {
        self.typed(row!("CLUSTER SAVECONFIG"))
    }
}

impl<T> Command<'_, T, ClusterFailoverOptions> {
    /// Without asking the primary.
    pub fn force(self) -> Self {
        self.with("FORCE")
    }

    /// Without asking anybody.
    pub fn takeover(self) -> Self {
        self.with("TAKEOVER")
    }
}
