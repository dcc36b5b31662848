//! What a client is doing, and has done: [`Stats`].

use crate::connection::link::Link;
use crate::connection::node::Node;
use crate::latency::Latency;

/// What a client is doing, at one moment, and has done since it began; in a cluster the sums over all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Whether there is a connection; to at least one node, if it is a cluster.
    pub connected: bool,
    /// Connections of the shared lane that were made since the client began.
    pub connections: u64,
    /// Those among them, and among the connections of the bulk lane, that took the place of one that was lost.
    pub reconnects: u64,
    /// Commands that were admitted and have not been answered, on the shared and the bulk lane.
    pub in_flight: usize,
    /// Times that a command was sent again: after its connection was lost, or because a node was not ready for it.
    pub retries: u64,
    /// Commands that a node of a cluster sent on to another one.
    pub redirects: u64,
    /// The connection that callers share.
    pub shared: LaneStats,
    /// The connection for what is large.
    pub bulk: LaneStats,
    /// Connections on which a command blocks.
    pub blocking: usize,
    /// Connections on which a [watch](crate::Client::watch) is run.
    pub watching: usize,
}

/// What happens on a [lane](crate#lanes); see [`Stats`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneStats {
    /// Commands that were admitted and have not been answered.
    pub in_flight: usize,
    /// Callers that wait for room: for [`Config::max_in_flight`](crate::Config::max_in_flight) or
    /// [`Config::max_unwritten_bytes`](crate::Config::max_unwritten_bytes).
    pub waiting: usize,
    /// Bytes of commands that were admitted and are not written, as of when the connection last had its turn.
    pub unwritten_bytes: usize,
    /// How long its answers took.
    pub latency: Latency,
}

impl Stats {
    pub(crate) fn of(node: &Node) -> Self {
        let (status, shared) = look_at(&node.link);
        let bulk = node.bulk.link();
        let (bulk_status, bulk) = bulk.as_deref().map(look_at).unwrap_or_default();
        Self {
            connected: status.connected,
            connections: status.connections,
            reconnects: status.connections.saturating_sub(1)
                + bulk_status.connections.saturating_sub(1),
            in_flight: shared.in_flight + bulk.in_flight,
            retries: status.retries + bulk_status.retries,
            redirects: 0,
            shared,
            bulk,
            blocking: node.lanes.busy(),
            watching: node.booths.busy(),
        }
    }

    /// What is left of it when its node has left.
    pub(crate) fn past(self) -> Self {
        let past = |lane: LaneStats| LaneStats {
            latency: lane.latency,
            ..LaneStats::default()
        };
        Self {
            connections: self.connections,
            reconnects: self.reconnects,
            retries: self.retries,
            shared: past(self.shared),
            bulk: past(self.bulk),
            ..Self::default()
        }
    }

    /// The sum of both.
    pub(crate) fn add(&mut self, other: &Self) {
        self.connected |= other.connected;
        self.connections += other.connections;
        self.reconnects += other.reconnects;
        self.in_flight += other.in_flight;
        self.retries += other.retries;
        self.redirects += other.redirects;
        self.shared.add(&other.shared);
        self.bulk.add(&other.bulk);
        self.blocking += other.blocking;
        self.watching += other.watching;
    }
}

impl LaneStats {
    fn add(&mut self, other: &Self) {
        self.in_flight += other.in_flight;
        self.waiting += other.waiting;
        self.unwritten_bytes += other.unwritten_bytes;
        self.latency.add(&other.latency);
    }
}

fn look_at(link: &Link) -> (crate::connection::link::Status, LaneStats) {
    let shared = link.lock();
    (shared.status, shared.lane_stats())
}
