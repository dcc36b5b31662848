//! The nodes of a cluster, as callers see them.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::arg::ToArg;
use crate::client::{Client, Servers};
use crate::cluster::slots::key_slot;
use crate::config::Address;
use crate::connection::node::Node;
use crate::request::Request;

/// What a node does in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// It serves slots.
    Primary,
    /// It follows a primary.
    Replica,
}

/// A node of a cluster; see [`Client::cluster_nodes`].
#[derive(Clone, Debug)]
pub struct ClusterNode {
    address: Address,
    role: Role,
    slots: Vec<RangeInclusive<u16>>,
    node: Arc<Node>,
}

impl ClusterNode {
    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What it does.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The slots that it serves, or follows, in ascending order.
    #[must_use]
    pub fn slots(&self) -> &[RangeInclusive<u16>] {
        &self.slots
    }

    /// A handle on this node alone, which shares the connection that the cluster's client has to it: for INFO, CONFIG and
    /// the like. It follows no redirects, and ends when the node leaves the cluster.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::of_node(Arc::clone(&self.node))
    }
}

impl Client {
    /// The nodes of the cluster that are in good health, as far as is known now; empty if this is no cluster.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// for node in client.cluster_nodes() {
    ///     let clients = node.client().client_list().await?.lines().count();
    ///     println!("{} ({:?}) has {clients} clients", node.address(), node.role());
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn cluster_nodes(&self) -> Vec<ClusterNode> {
        let Servers::Cluster(cluster) = &self.inner.servers else {
            return Vec::new();
        };
        let map = cluster.map();
        let mut nodes = Vec::new();
        for shard in &map.shards {
            let slots = map.ranges(&shard.primary);
            if slots.is_empty() {
                continue;
            }
            let primary = std::iter::once((&shard.primary, Role::Primary));
            let replicas = shard.replicas.iter().map(|addr| (addr, Role::Replica));
            for (addr, role) in primary.chain(replicas) {
                let node = cluster.node(addr);
                nodes.push(ClusterNode {
                    address: node.config.address.clone(),
                    role,
                    slots: slots.clone(),
                    node,
                });
            }
        }
        nodes
    }

    /// The primary that serves a key now, as far as is known; `None` if no node does, or this is no cluster.
    #[must_use]
    pub fn cluster_node_of(&self, key: impl ToArg) -> Option<ClusterNode> {
        let Servers::Cluster(cluster) = &self.inner.servers else {
            return None;
        };
        let mut request = Request::new("GET");
        key.to_arg(&mut request);
        let slot = key_slot(request.args().next()?);
        let map = cluster.map();
        let primary = &map.shard(slot)?.primary;
        let node = cluster.node(primary);
        Some(ClusterNode {
            address: node.config.address.clone(),
            role: Role::Primary,
            slots: map.ranges(primary),
            node,
        })
    }
}
