//! Which probe comes next: targets times ports in groups of addresses, in the order and the shard that were asked for.

use crate::{
    Addresses, Ports, Target,
    order::{Permutation, mix},
};

/// The order of the probes within a group of 1,024 addresses; groups follow one another, so memory stays bounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Order {
    /// Addresses and ports mixed, by the seed; gentle to each single address. The default.
    #[default]
    Random,
    /// All ports of the first address, then of the second, ...
    HostMajor,
    /// The first port on all addresses, then the second, ...: a port sweep.
    PortMajor,
}

/// All that determines the sequence of probes.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Plan {
    pub(crate) addresses: Addresses,
    pub(crate) ports: Ports,
    pub(crate) order: Order,
    pub(crate) seed: u64,
    /// From 1.
    pub(crate) shard: u32,
    pub(crate) shards: u32,
}

impl Plan {
    /// The number of groups.
    pub(crate) fn groups(&self) -> u64 {
        self.addresses.len().div_ceil(GROUP)
    }

    /// The addresses of a group.
    pub(crate) fn group(&self, group: u64) -> impl Iterator<Item = Target> + '_ {
        (group * GROUP..((group + 1) * GROUP).min(self.addresses.len()))
            .filter_map(|i| self.addresses.get(i))
    }

    /// The number of addresses of a group.
    pub(crate) fn group_size(&self, group: u64) -> usize {
        let before = group.saturating_mul(GROUP);
        let size = self.addresses.len().saturating_sub(before).min(GROUP);
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// The number of probes of this shard, to within one for each group.
    pub(crate) fn probes(&self) -> u64 {
        self.addresses.len().saturating_mul(self.ports.len() as u64) / u64::from(self.shards)
    }
}

/// The place of a probe in the whole scan: its group, and its position within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Place {
    pub(crate) group: u64,
    pub(crate) at: u32,
}

/// Walks through the probes of one group.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    group: u64,
    /// The members that are scanned, as indices within the group; `None` for all `size` of them.
    live: Option<Vec<u16>>,
    hosts: u32,
    ports: u32,
    order: Order,
    mixed: Permutation,
    /// The positions of this shard are those equal to `phase` modulo `shards`.
    phase: u32,
    shards: u32,
    next: u32,
}

impl Cursor {
    /// Starts a group of `size` addresses, of which only `live` are scanned.
    pub(crate) fn new(plan: &Plan, group: u64, size: usize, live: Option<Vec<u16>>) -> Self {
        let hosts = u32::try_from(live.as_ref().map_or(size, Vec::len)).unwrap_or(0);
        let ports = u32::try_from(plan.ports.len()).unwrap_or(0);
        let shards = plan.shards;
        // The shard that gets the odd probe differs from group to group.
        let turn = u32::try_from(group % u64::from(shards)).unwrap_or(0);
        let phase = (plan.shard - 1 + turn) % shards;
        let mixed = Permutation::new(hosts * ports, mix(plan.seed ^ mix(group)));
        Self {
            group,
            live,
            hosts,
            ports,
            order: plan.order,
            mixed,
            phase,
            shards,
            next: phase,
        }
    }

    /// Continues at a position.
    pub(crate) fn seek(&mut self, next: u32) {
        self.next = next.max(self.phase);
    }

    pub(crate) fn position(&self) -> u32 {
        self.next
    }

    pub(crate) fn live(&self) -> Option<&[u16]> {
        self.live.as_deref()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.next >= self.hosts * self.ports
    }

    /// The member of the group and the index of the port at a position; `None` beyond the end.
    pub(crate) fn at(&self, position: u32) -> Option<(usize, usize)> {
        if position >= self.hosts * self.ports {
            return None;
        }
        let (host, port) = match self.order {
            Order::Random => {
                let mixed = self.mixed.get(position);
                (mixed % self.hosts, mixed / self.hosts)
            }
            Order::HostMajor => (position / self.ports, position % self.ports),
            Order::PortMajor => (position % self.hosts, position / self.hosts),
        };
        let member = match &self.live {
            Some(live) => usize::from(live[host as usize]),
            None => host as usize,
        };
        Some((member, port as usize))
    }

    /// The next probe: its place, the member of the group and the index of the port.
    pub(crate) fn next(&mut self) -> Option<(Place, usize, usize)> {
        let at = self.next;
        let (member, port) = self.at(at)?;
        self.next = at.saturating_add(self.shards);
        Some((
            Place {
                group: self.group,
                at,
            },
            member,
            port,
        ))
    }
}

/// Addresses that are scanned together, as nmap does: times 65,535 ports they still fit into 32 bits.
pub(crate) const GROUP: u64 = 1024;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Targets;

    async fn plan(targets: &str, ports: &str, order: Order) -> Plan {
        let targets: Targets = targets.parse().unwrap();
        Plan {
            addresses: targets.resolve(false).await.unwrap(),
            ports: ports.parse().unwrap(),
            order,
            seed: 7,
            shard: 1,
            shards: 1,
        }
    }

    fn walk(plan: &Plan) -> Vec<(u64, usize, usize)> {
        let mut all = Vec::new();
        for group in 0..plan.groups() {
            let mut cursor = Cursor::new(plan, group, plan.group(group).count(), None);
            while let Some((place, member, port)) = cursor.next() {
                all.push((place.group, member, port));
            }
        }
        all
    }

    #[tokio::test]
    async fn every_order_visits_every_probe_once() {
        for order in [Order::Random, Order::HostMajor, Order::PortMajor] {
            let plan = plan("10.0.0.0/21", "1-3", order).await;
            assert_eq!(plan.groups(), 2);
            let all = walk(&plan);
            assert_eq!(all.len(), 2048 * 3);
            assert_eq!(
                all.iter().collect::<HashSet<_>>().len(),
                2048 * 3,
                "{order:?}"
            );
        }
    }

    #[tokio::test]
    async fn the_orders_are_what_they_say() {
        assert_eq!(
            walk(&plan("10.0.0.1-2", "1-2", Order::HostMajor).await),
            [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]
        );
        assert_eq!(
            walk(&plan("10.0.0.1-2", "1-2", Order::PortMajor).await),
            [(0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)]
        );
    }

    #[tokio::test]
    async fn the_shards_together_are_the_whole() {
        let mut plan = plan("10.0.0.0/21", "1-5", Order::Random).await;
        let whole: HashSet<_> = walk(&plan).into_iter().collect();
        plan.shards = 3;
        let mut parts = Vec::new();
        for shard in 1..=3 {
            plan.shard = shard;
            parts.extend(walk(&plan));
        }
        assert_eq!(parts.len(), whole.len());
        assert_eq!(parts.into_iter().collect::<HashSet<_>>(), whole);
    }

    #[tokio::test]
    async fn a_walk_resumes_where_it_stopped() {
        let plan = plan("10.0.0.1-9", "1-9", Order::Random).await;
        let mut whole = Cursor::new(&plan, 0, 9, None);
        let mut first = whole.clone();
        let head: Vec<_> = std::iter::from_fn(|| first.next()).take(30).collect();
        let mut second = Cursor::new(&plan, 0, 9, None);
        second.seek(first.position());
        let tail: Vec<_> = std::iter::from_fn(|| second.next()).collect();
        assert_eq!(
            [head, tail].concat(),
            std::iter::from_fn(|| whole.next()).collect::<Vec<_>>()
        );
    }
}
