//! What a report keeps of the addresses of a scan.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};

use super::HostReport;
use crate::order::mix;

/// The addresses of a report: found by a hash, read in ascending order.
///
/// Every verdict looks for its address, and a scan goes through its addresses at random: among 256 of them a tree costs
/// more than all else that is done with a verdict, since the processor cannot guess its turns.
#[derive(Debug, Clone)]
pub(super) struct HostTable {
    /// As they came.
    hosts: Vec<HostReport>,
    /// Places in `hosts`, by the hash of the address; [`VACANT`] in at least half. The length is a power of two.
    index: Vec<u32>,
    /// Differs from table to table, so that nobody can choose addresses whose hashes meet.
    key: u64,
}

impl HostTable {
    pub(super) fn new() -> Self {
        Self {
            hosts: Vec::new(),
            index: vec![VACANT; 2],
            key: RandomState::new().hash_one(0),
        }
    }

    pub(super) fn get(&self, addr: IpAddr) -> Option<&HostReport> {
        let place = self.index[self.slot(addr)];
        self.hosts.get(place as usize)
    }

    pub(super) fn get_mut(&mut self, addr: IpAddr) -> Option<&mut HostReport> {
        let place = self.index[self.slot(addr)];
        self.hosts.get_mut(place as usize)
    }

    pub(super) fn get_or_insert_with(
        &mut self,
        addr: IpAddr,
        new: impl FnOnce() -> HostReport,
    ) -> &mut HostReport {
        let mut place = self.index[self.slot(addr)] as usize;
        if place >= self.hosts.len() {
            place = self.hosts.len();
            self.push(new());
        }
        &mut self.hosts[place]
    }

    /// Adds an address, or replaces what is kept of it.
    pub(super) fn insert(&mut self, host: HostReport) {
        match self.get_mut(host.addr) {
            Some(known) => *known = host,
            None => self.push(host),
        }
    }

    /// Adds an address that is not there yet.
    fn push(&mut self, host: HostReport) {
        let addr = host.addr;
        self.hosts.push(host);
        if self.hosts.len() * 2 > self.index.len() {
            self.index = vec![VACANT; self.index.len() * 2];
            (0..self.hosts.len()).for_each(|at| self.enter(self.hosts[at].addr, at));
        } else {
            self.enter(addr, self.hosts.len() - 1);
        }
    }

    fn enter(&mut self, addr: IpAddr, at: usize) {
        let slot = self.slot(addr);
        // More addresses than 32 bits can count do not fit into memory.
        self.index[slot] = u32::try_from(at).unwrap_or(VACANT);
    }

    /// Where an address stands in the index, or the vacant place where it would.
    fn slot(&self, addr: IpAddr) -> usize {
        let mask = self.index.len() - 1;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low bits of a hash are wanted"
        )]
        let mut slot = self.hash(addr) as usize & mask;
        while let Some(host) = self.hosts.get(self.index[slot] as usize) {
            if host.addr == addr {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn hash(&self, addr: IpAddr) -> u64 {
        match addr {
            IpAddr::V4(addr) => mix(self.key ^ u64::from(addr.to_bits())),
            IpAddr::V6(addr) => {
                let bits = addr.to_bits();
                #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
                let (high, low) = ((bits >> 64) as u64, bits as u64);
                mix(mix(self.key ^ high) ^ low)
            }
        }
    }

    /// The addresses, IPv4 first, in ascending order.
    pub(super) fn ordered(&self) -> impl Iterator<Item = &HostReport> {
        let mut hosts: Vec<&HostReport> = self.hosts.iter().collect();
        hosts.sort_unstable_by_key(|host| host.addr);
        hosts.into_iter()
    }

    /// The addresses as they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &HostReport> {
        self.hosts.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }
}

impl PartialEq for HostTable {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|host| other.get(host.addr) == Some(host))
    }
}

impl Eq for HostTable {}

/// No place.
const VACANT: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Addresses of both families, near each other and far apart, some of them equal.
    fn addr() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0_u32..200).prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
            (0_u32..8).prop_map(|bits| IpAddr::from((bits << 24).to_be_bytes())),
            (0_u128..200).prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
            (0_u128..8).prop_map(|bits| IpAddr::from((bits << 64).to_be_bytes())),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_map_in_ascending_order(addrs in proptest::collection::vec((addr(), any::<bool>()), 0..500)) {
            let (mut table, mut map) = (HostTable::new(), BTreeMap::new());
            for (i, &(addr, replaces)) in addrs.iter().enumerate() {
                let new = || HostReport { name: Some(i.to_string()), ..HostReport::new(addr) };
                if replaces {
                    table.insert(new());
                    map.insert(addr, new());
                } else {
                    let kept = table.get_or_insert_with(addr, new);
                    prop_assert_eq!(&*kept, map.entry(addr).or_insert_with(new));
                }
            }
            prop_assert!(table.ordered().eq(map.values()));
            prop_assert_eq!((table.len(), table.is_empty()), (map.len(), map.is_empty()));
            prop_assert!(map.keys().all(|&addr| table.get(addr) == map.get(&addr)));
            prop_assert_eq!(table.get("203.0.113.1".parse().unwrap()), None);
            let mut other = HostTable::new();
            map.into_values().rev().for_each(|host| other.insert(host));
            prop_assert_eq!(&table, &other);
            other.insert(HostReport::new("203.0.113.1".parse().unwrap()));
            prop_assert_ne!(&table, &other);
        }
    }
}
