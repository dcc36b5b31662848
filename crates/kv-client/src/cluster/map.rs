//! Which node serves which slot, as CLUSTER SHARDS or CLUSTER SLOTS says.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::cluster::slots::SLOTS;
use crate::error::ReplyError;
use crate::from_reply::FromReply;
use crate::reply::{Elements, Reply};

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Addr {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

/// A primary with its replicas, those that are in good health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) primary: Addr,
    pub(crate) replicas: Vec<Addr>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotMap {
    /// For each slot the position of its shard, or [`NOBODY`].
    slots: Vec<u16>,
    pub(crate) shards: Vec<Shard>,
    /// Nodes that have failed.
    failed: Vec<Addr>,
    /// The first slot of each shard that has no primary at present.
    headless: Vec<u16>,
    /// Some replicas are not ready yet: it is worth asking again soon.
    pub(crate) is_loading: bool,
}

const NOBODY: u16 = u16::MAX;

impl Addr {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// Reads `host:port`, where an empty host is that of the node that said it.
    pub(crate) fn parse(text: &str, said_by: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|&port| port != 0)?;
        let host = match host.trim_start_matches('[').trim_end_matches(']') {
            "" | "?" => Arc::clone(&said_by.host),
            host => host.into(),
        };
        Some(Self { host, port })
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Default for SlotMap {
    /// Nobody serves anything.
    fn default() -> Self {
        Self {
            slots: vec![NOBODY; SLOTS],
            shards: Vec::new(),
            failed: Vec::new(),
            headless: Vec::new(),
            is_loading: false,
        }
    }
}

impl SlotMap {
    /// The shard that serves a slot.
    pub(crate) fn shard(&self, slot: u16) -> Option<&Shard> {
        self.shards
            .get(usize::from(*self.slots.get(usize::from(slot))?))
    }

    /// Whether a node is in the map, as a primary or a replica.
    pub(crate) fn knows(&self, addr: &Addr) -> bool {
        self.all().any(|other| other == addr)
    }

    /// Whether it can be about the same cluster as `known`, which `said_by` may be a node of: somebody serves something, and
    /// it has heard of one of the other nodes, or of none that are new.
    pub(crate) fn goes_on_from(&self, known: &Self, said_by: &Addr) -> bool {
        let mut others = known.all().filter(|&addr| addr != said_by).peekable();
        let heard_of = |addr| self.knows(addr) || self.failed.contains(addr);
        !self.shards.is_empty()
            && (others.peek().is_none()
                || others.any(heard_of)
                || self.all().all(|addr| known.knows(addr)))
    }

    /// One slot of each shard, also of those that have no primary at present: who is to reach all of them waits for that.
    pub(crate) fn one_of_each(&self) -> Vec<u16> {
        let mut seen = vec![false; self.shards.len()];
        let mut slots = Vec::with_capacity(self.shards.len());
        for (slot, &place) in (0u16..).zip(&self.slots) {
            if let Some(seen @ false) = seen.get_mut(usize::from(place)) {
                *seen = true;
                slots.push(slot);
            }
        }
        let headless = self.headless.iter().copied();
        slots.extend(headless.filter(|&slot| self.shard(slot).is_none()));
        slots
    }

    /// All nodes.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Addr> {
        self.shards
            .iter()
            .flat_map(|shard| std::iter::once(&shard.primary).chain(&shard.replicas))
    }

    /// The slots of the shard of a node, in ascending order.
    pub(crate) fn ranges(&self, primary: &Addr) -> Vec<RangeInclusive<u16>> {
        let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
        for slot in (0u16..).take(SLOTS) {
            if self
                .shard(slot)
                .is_none_or(|shard| shard.primary != *primary)
            {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end() + 1 == slot => *last = *last.start()..=slot,
                _ => ranges.push(slot..=slot),
            }
        }
        ranges
    }

    /// A node said that this slot is served by `addr` now. Whether that is news.
    pub(crate) fn moved(&mut self, slot: u16, addr: &Addr) -> bool {
        let Some(place) = self.slots.get_mut(usize::from(slot)) else {
            return false;
        };
        let is = |shard: &Shard| shard.primary == *addr;
        if self.shards.get(usize::from(*place)).is_some_and(is) {
            return false;
        }
        let shard = self.shards.iter().position(is).unwrap_or(self.shards.len());
        let Ok(index) = u16::try_from(shard) else {
            return false;
        };
        *place = index;
        if shard == self.shards.len() {
            // A replica that was promoted, or a node that is new. Until the next refresh it has no replicas.
            self.shards.push(Shard {
                primary: addr.clone(),
                replicas: Vec::new(),
            });
        }
        true
    }

    fn add(&mut self, primary: Addr, replicas: Vec<Addr>, ranges: &[(u16, u16)]) {
        let Ok(index) = u16::try_from(self.shards.len()) else {
            return;
        };
        for &(first, last) in ranges {
            let range = usize::from(first)..=usize::from(last);
            if let Some(slots) = self.slots.get_mut(range) {
                slots.fill(index);
            }
        }
        self.shards.push(Shard { primary, replicas });
    }

    /// Reads the reply to CLUSTER SHARDS. `tls` says which of a node's ports is meant.
    pub(crate) fn from_shards(reply: Reply, said_by: &Addr, tls: bool) -> Result<Self, ReplyError> {
        let mut map = Self::default();
        for shard in list(reply, "a list of shards")?.iter() {
            let (mut slots, mut nodes) = (Vec::new(), Vec::new());
            fields(shard, |name, value| {
                match name {
                    b"slots" => slots = Vec::<u16>::from_reply(value)?,
                    b"nodes" => nodes = list(value, "a list of nodes")?.iter().collect(),
                    _ => {}
                }
                Ok(())
            })?;
            let (mut primary, mut replicas) = (None, Vec::new());
            for node in nodes {
                match read_node(node, said_by, tls)? {
                    Some((addr, Health::Online, true)) => primary = Some(addr),
                    Some((addr, Health::Online, false)) => replicas.push(addr),
                    Some((_, Health::Loading, _)) => map.is_loading = true,
                    Some((addr, Health::Failed, _)) => map.failed.push(addr),
                    None => {}
                }
            }
            let ranges: Vec<_> = slots
                .chunks_exact(2)
                .map(|pair| (pair[0], pair[1]))
                .collect();
            // A shard whose primary is down has nobody who takes writes until a replica is promoted.
            match (primary, ranges.first()) {
                (_, None) => {}
                (Some(primary), Some(_)) => map.add(primary, replicas, &ranges),
                (None, Some(&(first, _))) => map.headless.push(first),
            }
        }
        Ok(map)
    }

    /// Reads the reply to CLUSTER SLOTS.
    pub(crate) fn from_slots(reply: Reply, said_by: &Addr) -> Result<Self, ReplyError> {
        let mut map = Self::default();
        // The ranges of each primary, which may have several entries.
        let mut shards: Vec<(Shard, Vec<(u16, u16)>)> = Vec::new();
        for entry in list(reply, "a list of slots")?.iter() {
            let entry = list(entry, "a range of slots")?;
            let mut parts = entry.iter();
            let mut number = || u16::from_reply(parts.next().unwrap_or(Reply::Null));
            let range = (number()?, number()?);
            let mut nodes = Vec::new();
            for node in parts {
                let node = list(node, "a node")?;
                let mut node = node.iter();
                let host = <Option<String>>::from_reply(node.next().unwrap_or(Reply::Null))?;
                let port = u16::from_reply(node.next().unwrap_or(Reply::Null))?;
                nodes.push(named(host.as_deref(), port, said_by));
            }
            let mut nodes = nodes.into_iter();
            let Some(primary) = nodes.next() else {
                continue;
            };
            let replicas = nodes.collect();
            match shards
                .iter_mut()
                .find(|(shard, _)| shard.primary == primary)
            {
                Some((_, ranges)) => ranges.push(range),
                None => shards.push((Shard { primary, replicas }, vec![range])),
            }
        }
        for (shard, ranges) in shards {
            map.add(shard.primary, shard.replicas, &ranges);
        }
        Ok(map)
    }
}

enum Health {
    Online,
    Loading,
    Failed,
}

/// A node of CLUSTER SHARDS: its address, its health, and whether it is a primary. `None` if it has no port of this kind.
fn read_node(
    node: Reply,
    said_by: &Addr,
    tls: bool,
) -> Result<Option<(Addr, Health, bool)>, ReplyError> {
    let (mut endpoint, mut ip) = (None::<Option<String>>, None::<String>);
    let (mut port, mut tls_port) = (None, None);
    let (mut is_primary, mut health) = (false, Health::Online);
    fields(node, |name, value| {
        match name {
            b"endpoint" => endpoint = Some(Option::from_reply(value)?),
            b"ip" => ip = Option::from_reply(value)?,
            b"port" => port = Some(u16::from_reply(value)?),
            b"tls-port" => tls_port = Some(u16::from_reply(value)?),
            b"role" => is_primary = String::from_reply(value)? == "master",
            b"health" => {
                health = match String::from_reply(value)?.as_str() {
                    "online" => Health::Online,
                    "loading" => Health::Loading,
                    _ => Health::Failed,
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    let port = if tls { tls_port } else { port };
    let host = match endpoint {
        // It is where the one that speaks of it was reached, whatever it takes for its own address.
        Some(None) => None,
        Some(Some(host)) if !matches!(host.as_str(), "" | "?") => Some(host),
        Some(Some(_)) | None => ip,
    };
    let addr = port.map(|port| named(host.as_deref(), port, said_by));
    Ok(addr.map(|addr| (addr, health, is_primary)))
}

/// Without a name of its own, a node is where the one that spoke of it is.
fn named(host: Option<&str>, port: u16, said_by: &Addr) -> Addr {
    match host {
        None | Some("" | "?") => Addr {
            host: Arc::clone(&said_by.host),
            port,
        },
        Some(host) => Addr::new(host, port),
    }
}

fn list(reply: Reply, expected: &'static str) -> Result<Elements, ReplyError> {
    let mismatch = reply.mismatch(expected);
    reply.into_elements().ok_or(mismatch)
}

/// Calls `each` for every field of a map, which RESP2 sends as a flat list.
fn fields(
    reply: Reply,
    mut each: impl FnMut(&[u8], Reply) -> Result<(), ReplyError>,
) -> Result<(), ReplyError> {
    let elements = list(reply, "a map")?;
    let mut elements = elements.iter();
    while let (Some(name), Some(value)) = (elements.next(), elements.next()) {
        each(name.as_bytes().unwrap_or_default(), value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
