//! From expressions to addresses: host names are looked up, exclusions cut out, and every address gets an index.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    sync::Arc,
};

use super::{
    Block, RangeSet, Targets,
    expr::Item,
    zone::{ByZone, Zone, link_local},
};
use crate::Error;

/// The addresses of a scan, each with an index; memory is that of the expressions, not of the addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Addresses {
    parts: Vec<Part>,
    /// Names that could not be looked up, with the reason.
    unresolved: Vec<(String, String)>,
}

/// A block, the index of its first address, and the name it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Part {
    block: Block,
    start: u64,
    name: Option<String>,
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    zone: Option<Zone>,
}

/// One address of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The address.
    pub addr: IpAddr,
    /// The host name it was given by.
    pub name: Option<Arc<str>>,
    /// The zone of a link-local address, as it was written.
    pub zone: Option<Arc<str>>,
    /// The number of the zone's interface; 0 without a zone.
    pub scope_id: u32,
}

impl Target {
    /// A port of this address, with its zone.
    #[must_use]
    pub fn socket_addr(&self, port: u16) -> SocketAddr {
        match self.addr {
            IpAddr::V4(addr) => SocketAddrV4::new(addr, port).into(),
            IpAddr::V6(addr) => SocketAddrV6::new(addr, port, 0, self.scope_id).into(),
        }
    }
}

impl Targets {
    /// Looks up host names and zones with the system's resolver, and cuts out exclusions and repetitions.
    ///
    /// A name without an address does not fail the others, nor does a zone without an interface: it is listed by
    /// [`Addresses::unresolved`].
    ///
    /// # Errors
    ///
    /// [`Error::TooManyAddresses`] or [`Error::TooManyRanges`]; [`Error::NoZone`] for a link-local address without its zone,
    /// [`Error::TwoZones`] for one in two zones.
    ///
    /// # Cancel safety
    ///
    /// A look-up that has begun runs to its end on the blocking pool of Tokio; nothing else is left behind.
    pub async fn resolve(&self, first_only: bool) -> Result<Addresses, Error> {
        let mut addresses = Addresses::default();
        let mut excluded = ByZone::default();
        for item in &self.exclude {
            match find(item).await? {
                Ok(found) => found
                    .iter()
                    .for_each(|(block, zone)| excluded.insert(*block, zone.as_ref())),
                // What is to be left out and cannot be looked up is reported, never silently scanned over.
                Err(error) => addresses.unresolved.push((item.to_string(), error)),
            }
        }
        let mut seen = RangeSet::default();
        let mut zones = ByZone::default();
        for item in &self.include {
            let mut found = match find(item).await? {
                Ok(found) => found,
                Err(error) => {
                    addresses.unresolved.push((item.to_string(), error));
                    continue;
                }
            };
            let name = match item {
                Item::Name(name) => Some(name),
                _ => None,
            };
            if name.is_some() && first_only {
                found.truncate(1);
            }
            for (block, zone) in found {
                for part in excluded.missing(block, zone.as_ref()) {
                    if let Some(zone) = &zone {
                        if let Some(addr) = zones.elsewhere(part, zone) {
                            return Err(Error::TwoZones { addr });
                        }
                        zones.insert(part, Some(zone));
                    } else if let Some(addr) = link_local(part) {
                        return Err(Error::NoZone { addr });
                    }
                    for fresh in seen.insert(part) {
                        addresses.push(fresh, name.cloned(), zone.clone())?;
                    }
                }
            }
        }
        Ok(addresses)
    }

    /// The addresses of expressions without names.
    pub(crate) fn ranges(&self) -> Result<RangeSet, Error> {
        let mut all = RangeSet::default();
        for item in self.include.iter().chain(&self.exclude) {
            match item {
                Item::Name(name) => return Err(Error::NameInScope { name: name.clone() }),
                Item::Zoned(..) => {
                    return Err(Error::ZoneInScope {
                        target: item.to_string(),
                    });
                }
                Item::Range(..) | Item::Octets(_) => {}
            }
        }
        let mut holes = RangeSet::default();
        for item in &self.exclude {
            blocks(item)?
                .into_iter()
                .for_each(|block| drop(holes.insert(block)));
        }
        for item in &self.include {
            for part in blocks(item)?
                .into_iter()
                .flat_map(|block| holes.missing(block))
            {
                all.insert(part);
            }
        }
        Ok(all)
    }
}

impl Addresses {
    fn push(
        &mut self,
        block: Block,
        name: Option<String>,
        zone: Option<Zone>,
    ) -> Result<(), Error> {
        let start = self.len();
        block
            .len()
            .and_then(|len| start.checked_add(len))
            .filter(|&end| end <= MAX_ADDRESSES)
            .ok_or(Error::TooManyAddresses { max: MAX_ADDRESSES })?;
        if self.parts.len() == MAX_RANGES {
            return Err(Error::TooManyRanges { max: MAX_RANGES });
        }
        self.parts.push(Part {
            block,
            start,
            name,
            zone,
        });
        Ok(())
    }

    /// The number of addresses.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.parts
            .last()
            .map_or(0, |part| part.start + part.block.len().unwrap_or(0))
    }

    /// Whether there is no address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The address at an index, in the order of the expressions.
    #[must_use]
    pub fn get(&self, index: u64) -> Option<Target> {
        let part = &self.parts[..self.parts.partition_point(|part| part.start <= index)].last()?;
        let offset = index - part.start;
        (offset < part.block.len().unwrap_or(0)).then(|| Target {
            addr: part.block.get(offset),
            name: part.name.as_deref().map(Arc::from),
            zone: part.zone.as_ref().map(|zone| zone.name.as_str().into()),
            scope_id: part.zone.as_ref().map_or(0, |zone| zone.index),
        })
    }

    /// The addresses, one by one.
    pub fn iter(&self) -> impl Iterator<Item = Target> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The names that could not be looked up, with the reason.
    #[must_use]
    pub fn unresolved(&self) -> &[(String, String)] {
        &self.unresolved
    }

    /// Looks up the numbers of the zones' interfaces again, for addresses that come from a checkpoint.
    ///
    /// # Errors
    ///
    /// An interface that is no longer there.
    pub(crate) async fn renew_zones(&mut self) -> Result<(), Error> {
        for part in &mut self.parts {
            if let Some(zone) = &mut part.zone {
                *zone = Zone::lookup(&zone.name)
                    .await
                    .map_err(|source| Error::Zone {
                        zone: zone.name.clone(),
                        source,
                    })?;
            }
        }
        Ok(())
    }

    /// The names and zones of the blocks that have one, by their first address.
    pub(crate) fn given(&self) -> impl Iterator<Item = (Block, Option<&str>, Option<&str>)> {
        self.parts.iter().filter_map(|part| {
            let zone = part.zone.as_ref().map(|zone| zone.name.as_str());
            let name = part.name.as_deref();
            (name.is_some() || zone.is_some()).then_some((part.block, name, zone))
        })
    }

    /// Whether the parts follow one another without a gap, each of a length that can be counted.
    pub(crate) fn check(&self) -> Result<(), ()> {
        let mut start = 0;
        for part in &self.parts {
            let (first, last) = (part.block.first, part.block.last);
            if part.start != start || first.is_ipv4() != last.is_ipv4() || first > last {
                return Err(());
            }
            start = part
                .block
                .len()
                .and_then(|len| start.checked_add(len))
                .ok_or(())?;
        }
        if start <= MAX_ADDRESSES {
            Ok(())
        } else {
            Err(())
        }
    }

    /// The first address that `scope` does not hold.
    pub(crate) fn first_outside(&self, scope: &RangeSet) -> Option<IpAddr> {
        self.parts
            .iter()
            .find_map(|part| scope.missing(part.block).first().map(|b| b.first))
    }

    /// Whether every address is a loopback address.
    pub(crate) fn all_loopback(&self) -> bool {
        self.parts
            .iter()
            .all(|part| part.block.first.is_loopback() && part.block.last.is_loopback())
    }
}

/// The blocks of an expression, each with its zone, or what the resolver said against it.
async fn find(item: &Item) -> Result<Result<Vec<Found>, String>, Error> {
    let found = match item {
        Item::Name(name) => lookup(name).await,
        Item::Zoned(first, last, zone) => Zone::lookup(zone).await.map(|zone| {
            let (first, last) = ((*first).into(), (*last).into());
            vec![(Block { first, last }, Some(zone))]
        }),
        item => Ok(blocks(item)?
            .into_iter()
            .map(|block| (block, None))
            .collect()),
    };
    Ok(found.map_err(|error| error.to_string()))
}

type Found = (Block, Option<Zone>);

async fn lookup(name: &str) -> io::Result<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    for addr in tokio::net::lookup_host((name, 0)).await? {
        let entry = (Block::one(addr.ip()), Zone::of(&addr));
        if entry.1.is_none() && link_local(entry.0).is_some() {
            let problem = format!("its address {} is link-local and needs a zone", addr.ip());
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        // The resolver repeats an address once for each kind of socket.
        if !found.contains(&entry) {
            found.push(entry);
        }
    }
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        ));
    }
    Ok(found)
}

/// The contiguous blocks of an expression that is no name.
fn blocks(item: &Item) -> Result<Vec<Block>, Error> {
    let octets = match *item {
        Item::Range(first, last) => return Ok(vec![Block { first, last }]),
        Item::Octets(octets) => octets,
        Item::Name(_) | Item::Zoned(..) => return Ok(Vec::new()),
    };
    let [a, b, c, (first, last)] = octets;
    let count = [a, b, c]
        .iter()
        .map(|(first, last)| usize::from(last - first) + 1)
        .product::<usize>();
    if count > MAX_RANGES {
        return Err(Error::TooManyRanges { max: MAX_RANGES });
    }
    let mut blocks = Vec::with_capacity(count);
    for a in a.0..=a.1 {
        for b in b.0..=b.1 {
            for c in c.0..=c.1 {
                blocks.push(Block {
                    first: Ipv4Addr::new(a, b, c, first).into(),
                    last: Ipv4Addr::new(a, b, c, last).into(),
                });
            }
        }
    }
    Ok(blocks)
}

/// The most addresses of one scan: enough for every IPv4 address, and for an IPv6 /80.
const MAX_ADDRESSES: u64 = 1 << 48;

/// The most contiguous ranges of one scan.
const MAX_RANGES: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    async fn list(text: &str) -> Vec<String> {
        let targets: Targets = text.parse().unwrap();
        targets
            .resolve(false)
            .await
            .unwrap()
            .iter()
            .map(|t| t.addr.to_string())
            .collect()
    }

    #[tokio::test]
    async fn every_form_names_the_addresses_it_says() {
        assert_eq!(
            list("10.0.0.1-3").await,
            ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        );
        assert_eq!(
            list("10.0.0.255-10.0.1.0").await,
            ["10.0.0.255", "10.0.1.0"]
        );
        assert_eq!(
            list("10.0.0-1.1-2").await,
            ["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2"]
        );
        assert_eq!(
            list("10.0.0.5/30").await,
            ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"]
        );
        assert_eq!(
            list("2001:db8::fe-2001:db8::100").await,
            ["2001:db8::fe", "2001:db8::ff", "2001:db8::100"]
        );
        assert_eq!(
            list("10.0.0.0/30 !10.0.0.1-2").await,
            ["10.0.0.0", "10.0.0.3"]
        );
        assert_eq!(
            list("10.0.0.2 10.0.0.1-3 10.0.0.2").await,
            ["10.0.0.2", "10.0.0.1", "10.0.0.3"]
        );
    }

    #[tokio::test]
    async fn the_whole_of_ipv4_costs_one_block() {
        let all = "0.0.0.0/0"
            .parse::<Targets>()
            .unwrap()
            .resolve(false)
            .await
            .unwrap();
        assert_eq!(all.len(), 1 << 32);
        assert_eq!(all.parts.len(), 1);
        assert_eq!(
            all.get((1 << 32) - 1).unwrap().addr.to_string(),
            "255.255.255.255"
        );
        assert_eq!(all.get(1 << 32), None);
    }

    #[tokio::test]
    async fn too_much_is_refused_with_the_limit() {
        let resolve = |text: &str| text.parse::<Targets>().unwrap();
        let wide = resolve("2001:db8::/64").resolve(false).await.unwrap_err();
        assert_eq!(wide.to_string(), "more than 281474976710656 addresses");
        let holes = resolve("1-200.0-255.0-255.1")
            .resolve(false)
            .await
            .unwrap_err();
        assert_eq!(holes.to_string(), "more than 65536 separate address ranges");
    }

    #[tokio::test]
    async fn a_name_keeps_its_name_and_an_unknown_one_stops_nothing() {
        let targets: Targets = "no-such-name.invalid localhost 10.0.0.1".parse().unwrap();
        let addresses = targets.resolve(true).await.unwrap();
        assert_eq!(addresses.unresolved()[0].0, "no-such-name.invalid");
        let first = addresses.get(0).unwrap();
        assert_eq!(first.name.as_deref(), Some("localhost"));
        assert!(first.addr.is_loopback());
        assert_eq!(addresses.len(), 2);
    }

    #[tokio::test]
    async fn a_link_local_address_has_one_zone() {
        let resolve = async |text: &str| {
            let found = text.parse::<Targets>().unwrap().resolve(false).await;
            found.map_err(|error| error.to_string())
        };
        let one = resolve("fe80::1%lo fe80::%lo/127 !fe80::%lo")
            .await
            .unwrap();
        assert_eq!(one.len(), 1);
        let target = one.get(0).unwrap();
        assert_eq!(target.zone.as_deref(), Some("lo"));
        assert_eq!(
            target.socket_addr(80).to_string(),
            format!("[fe80::1%{}]:80", target.scope_id)
        );
        let elsewhere = resolve("fe80::1%lo !fe80::1%4000000000").await.unwrap();
        assert_eq!(elsewhere.len(), 1, "left out in another zone");
        assert_eq!(resolve("fe80::1%lo !fe80::1").await.unwrap().len(), 0);
        assert_eq!(
            resolve("fe80::5").await.unwrap_err(),
            "fe80::5 is link-local and needs its zone, as in fe80::5%eth0"
        );
        assert_eq!(
            resolve("fe80::5%lo fe80::4%4000000000 fe80::%lo/120")
                .await
                .unwrap_err(),
            "fe80::4 is asked for in two zones; scan them one after the other"
        );
        let unknown = resolve("fe80::1%none-such 10.0.0.1").await.unwrap();
        assert_eq!(
            unknown.unresolved(),
            [(
                "fe80::1%none-such".to_owned(),
                "there is no such interface".to_owned()
            )]
        );
        assert_eq!(unknown.len(), 1);
    }
}
