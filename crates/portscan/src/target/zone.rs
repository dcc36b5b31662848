//! Zones: the interface behind which a link-local address is, and sets of addresses by zone.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
};

use super::{Block, RangeSet};

/// The zone of a link-local address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Zone {
    /// As it was written: the name of an interface, or its number.
    pub(super) name: String,
    /// The number of the interface, which the next boot may change: it is looked up again rather than kept.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) index: u32,
}

impl Zone {
    /// Asks the system for the number of an interface.
    ///
    /// # Errors
    ///
    /// There is no such interface.
    pub(super) async fn lookup(name: &str) -> io::Result<Self> {
        // The resolver knows the interfaces, on every system; the address itself does not matter.
        let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such interface");
        let found = tokio::net::lookup_host((format!("fe80::1%{name}"), 0)).await;
        let index = found
            .map_err(|_| missing())?
            .find_map(|addr| scope_id(&addr))
            .ok_or_else(missing)?;
        Ok(Self {
            name: name.to_owned(),
            index,
        })
    }

    /// The zone of an address that the resolver gave.
    pub(super) fn of(addr: &SocketAddr) -> Option<Self> {
        let index = scope_id(addr)?;
        Some(Self {
            name: index.to_string(),
            index,
        })
    }
}

fn scope_id(addr: &SocketAddr) -> Option<u32> {
    match addr {
        SocketAddr::V6(addr) => Some(addr.scope_id()).filter(|&id| id != 0),
        SocketAddr::V4(_) => None,
    }
}

/// The first link-local address of a block.
pub(super) fn link_local(block: Block) -> Option<IpAddr> {
    let is_link_local =
        |addr: &IpAddr| matches!(addr, IpAddr::V6(addr) if addr.is_unicast_link_local());
    [block.first, block.last].into_iter().find(is_link_local)
}

/// Addresses that are in a set whatever their zone, and those that are in it in one zone.
#[derive(Debug, Default)]
pub(super) struct ByZone {
    everywhere: RangeSet,
    zones: BTreeMap<u32, RangeSet>,
}

impl ByZone {
    pub(super) fn insert(&mut self, block: Block, zone: Option<&Zone>) {
        match zone {
            Some(zone) => drop(self.zones.entry(zone.index).or_default().insert(block)),
            None => drop(self.everywhere.insert(block)),
        }
    }

    /// The parts of a block in a zone that are not in the set, in order.
    pub(super) fn missing(&self, block: Block, zone: Option<&Zone>) -> Vec<Block> {
        let parts = self.everywhere.missing(block);
        match zone.and_then(|zone| self.zones.get(&zone.index)) {
            Some(set) => parts
                .into_iter()
                .flat_map(|part| set.missing(part))
                .collect(),
            None => parts,
        }
    }

    /// The first address of a block that is in the set in another zone.
    pub(super) fn elsewhere(&self, block: Block, zone: &Zone) -> Option<IpAddr> {
        let others = self.zones.iter().filter(|&(&index, _)| index != zone.index);
        others.filter_map(|(_, set)| set.first_of(block)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first: &str, last: &str) -> Block {
        Block {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
        }
    }

    fn zone(index: u32) -> Zone {
        Zone {
            name: index.to_string(),
            index,
        }
    }

    #[test]
    fn an_address_of_one_zone_is_not_that_of_another() {
        let mut set = ByZone::default();
        set.insert(block("fe80::5", "fe80::6"), Some(&zone(1)));
        set.insert(block("fe80::9", "fe80::9"), None);
        let all = block("fe80::1", "fe80::9");
        let left = |index| set.missing(all, Some(&zone(index)));
        assert_eq!(
            left(1),
            [block("fe80::1", "fe80::4"), block("fe80::7", "fe80::8")]
        );
        assert_eq!(left(2), [block("fe80::1", "fe80::8")]);
        assert_eq!(set.elsewhere(all, &zone(1)), None);
        assert_eq!(
            set.elsewhere(all, &zone(2)),
            Some("fe80::5".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn an_interface_has_a_number_and_an_unknown_one_none() {
        let loopback = Zone::lookup("lo").await.unwrap();
        assert_eq!((loopback.name.as_str(), loopback.index > 0), ("lo", true));
        let error = Zone::lookup("none-such").await.unwrap_err();
        assert_eq!(error.to_string(), "there is no such interface");
    }
}
