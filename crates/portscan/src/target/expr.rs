//! One target expression: its grammar and its written form.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// One parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// From the first to the last address, both included, of one family.
    Range(IpAddr, IpAddr),
    /// From the first to the last of some link-local addresses, and the zone that they are in.
    Zoned(Ipv6Addr, Ipv6Addr, String),
    /// One range of values in each octet, at least one octet with more than one value before the last such.
    Octets([(u8, u8); 4]),
    /// A host name.
    Name(String),
}

/// What is wrong, and at which byte of the expression.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) problem: String,
}

fn wrong<T>(at: usize, problem: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        at,
        problem: problem.into(),
    })
}

/// Reads one expression.
pub(super) fn parse(text: &str) -> Result<Item, Wrong> {
    if text.is_empty() {
        return wrong(0, "the target is missing");
    }
    if text.contains("://") {
        return wrong(0, "this is a URL; give its host name only");
    }
    if let Some((addr, rest)) = text.split_once('%') {
        return zoned(addr, rest);
    }
    if let Some((addr, prefix)) = text.split_once('/') {
        return cidr(parse_addr(addr, 0)?, prefix, addr.len() + 1);
    }
    if let Some((first, last)) = text.split_once('-') {
        let at = first.len() + 1;
        if let Ok(first) = first.parse::<IpAddr>() {
            if last.contains('.') && !last.contains('-') || last.contains(':') {
                return range(first, parse_addr(last, at)?, at);
            }
        }
    }
    if text.contains(':') {
        if let Some((addr, _)) = text
            .split_once(':')
            .filter(|(addr, _)| addr.parse::<Ipv4Addr>().is_ok())
        {
            return wrong(addr.len(), "a target has no port; ports are given apart");
        }
        let addr = parse_addr(text, 0)?;
        return Ok(Item::Range(addr, addr));
    }
    if text
        .bytes()
        .all(|b| b.is_ascii_digit() || b".-*".contains(&b))
    {
        return octets(text);
    }
    name(text)
}

/// Reads an address, a block or a range, and what stands behind its `%`: a zone, and perhaps the length of a prefix, as in
/// [RFC 4007](https://www.rfc-editor.org/rfc/rfc4007#section-11).
fn zoned(addr: &str, rest: &str) -> Result<Item, Wrong> {
    let at = addr.len() + 1;
    let (zone, prefix) = match rest.split_once('/') {
        Some((zone, prefix)) => (zone, Some(prefix)),
        None => (rest, None),
    };
    if zone.is_empty() {
        return wrong(at, "the zone is missing");
    }
    let allowed = |c: char| c.is_ascii_graphic() && !"%:".contains(c);
    if let Some((offset, c)) = zone.char_indices().find(|&(_, c)| !allowed(c)) {
        return wrong(
            at + offset,
            format!("a zone has no {c:?}; it stands at the end, once"),
        );
    }
    if zone.len() > LONGEST_ZONE {
        return wrong(at, format!("a zone has at most {LONGEST_ZONE} characters"));
    }
    let item = match prefix {
        Some(prefix) => cidr(parse_addr(addr, 0)?, prefix, at + zone.len() + 1)?,
        None => parse(addr)?,
    };
    match item {
        Item::Range(IpAddr::V6(first), IpAddr::V6(last))
            if first.is_unicast_link_local() && last.is_unicast_link_local() =>
        {
            Ok(Item::Zoned(first, last, zone.to_owned()))
        }
        _ => wrong(
            0,
            "only link-local addresses, those of fe80::/10, have a zone",
        ),
    }
}

fn parse_addr(text: &str, at: usize) -> Result<IpAddr, Wrong> {
    if text.contains(':') {
        return match text.parse::<Ipv6Addr>() {
            Ok(addr) => Ok(addr.into()),
            Err(_) => wrong(at, format!("{text:?} is not an IPv6 address")),
        };
    }
    match octets(text) {
        Ok(Item::Range(first, last)) if first == last => Ok(first),
        Ok(_) => wrong(at, format!("{text:?} is not a single address")),
        Err(error) => wrong(at + error.at, error.problem),
    }
}

fn range(first: IpAddr, last: IpAddr, at: usize) -> Result<Item, Wrong> {
    if first.is_ipv4() != last.is_ipv4() {
        return wrong(at, "both ends of a range are IPv4 or both are IPv6");
    }
    if first > last {
        return wrong(at, "range runs backwards");
    }
    Ok(Item::Range(first, last))
}

fn cidr(addr: IpAddr, prefix: &str, at: usize) -> Result<Item, Wrong> {
    let bits = if addr.is_ipv4() { 32 } else { 128 };
    if prefix.is_empty() {
        return wrong(at, "the prefix length is missing");
    }
    let Some(length) = decimal(prefix) else {
        return wrong(at, format!("{prefix:?} is not a prefix length"));
    };
    if length > bits {
        return wrong(at, format!("prefix length {length} exceeds {bits}"));
    }
    let host_bits = bits - length;
    Ok(match addr {
        IpAddr::V4(addr) => {
            let mask = u32::MAX.checked_shr(length).unwrap_or(0);
            debug_assert!(host_bits <= 32);
            let first = addr.to_bits() & !mask;
            Item::Range(
                Ipv4Addr::from_bits(first).into(),
                Ipv4Addr::from_bits(first | mask).into(),
            )
        }
        IpAddr::V6(addr) => {
            let mask = u128::MAX.checked_shr(length).unwrap_or(0);
            let first = addr.to_bits() & !mask;
            Item::Range(
                Ipv6Addr::from_bits(first).into(),
                Ipv6Addr::from_bits(first | mask).into(),
            )
        }
    })
}

fn octets(text: &str) -> Result<Item, Wrong> {
    let mut octets = [(0, 0); 4];
    let mut at = 0;
    let mut count = 0;
    for part in text.split('.') {
        if part.is_empty() {
            return wrong(at, "an octet is missing");
        }
        let bounds = if part == "*" {
            (0, 255)
        } else if let Some((first, last)) = part.split_once('-') {
            let bounds = (octet(first, at)?, octet(last, at + first.len() + 1)?);
            if bounds.0 > bounds.1 {
                return wrong(at, format!("range {part} runs backwards"));
            }
            bounds
        } else {
            let value = octet(part, at)?;
            (value, value)
        };
        if let Some(slot) = octets.get_mut(count) {
            *slot = bounds;
        }
        count += 1;
        at += part.len() + 1;
    }
    if count != 4 {
        return wrong(0, format!("an IPv4 address has 4 octets, not {count}"));
    }
    // One contiguous run is a range; so is a run that covers whole octets behind its first free one.
    let free = octets
        .iter()
        .position(|(first, last)| first != last)
        .unwrap_or(3);
    if octets[free + 1..].iter().all(|&bounds| bounds == (0, 255)) {
        return Ok(Item::Range(
            Ipv4Addr::from(octets.map(|(first, _)| first)).into(),
            Ipv4Addr::from(octets.map(|(_, last)| last)).into(),
        ));
    }
    Ok(Item::Octets(octets))
}

fn octet(text: &str, at: usize) -> Result<u8, Wrong> {
    if text.is_empty() {
        return wrong(at, "an octet is missing");
    }
    match decimal(text) {
        Some(value) => match u8::try_from(value) {
            Ok(value) => Ok(value),
            Err(_) => wrong(at, format!("octet {text} exceeds 255")),
        },
        None => wrong(at, format!("{text:?} is not an octet")),
    }
}

/// A number without sign or blanks; too large a number is `u32::MAX`.
fn decimal(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

fn name(text: &str) -> Result<Item, Wrong> {
    if text.len() > 253 {
        return wrong(253, "a host name has at most 253 characters");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if let Some((at, c)) = text.char_indices().find(|&(_, c)| !allowed(c)) {
        return wrong(at, format!("a host name has no {c:?}"));
    }
    let mut at = 0;
    for label in text.strip_suffix('.').unwrap_or(text).split('.') {
        if label.is_empty() {
            return wrong(at, "a label of a host name is empty");
        }
        if label.len() > 63 {
            return wrong(at, "a label of a host name has at most 63 characters");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return wrong(at, "a label of a host name does not begin or end with '-'");
        }
        at += label.len() + 1;
    }
    Ok(Item::Name(text.to_owned()))
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Range(first, last) if first == last => write!(f, "{first}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Zoned(first, last, zone) if first == last => write!(f, "{first}%{zone}"),
            Self::Zoned(first, last, zone) => write!(f, "{first}-{last}%{zone}"),
            Self::Octets(octets) => {
                for (i, (first, last)) in octets.iter().enumerate() {
                    let dot = if i == 0 { "" } else { "." };
                    match first == last {
                        true => write!(f, "{dot}{first}")?,
                        false => write!(f, "{dot}{first}-{last}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// The longest name of an interface, as in the system's `IFNAMSIZ`.
const LONGEST_ZONE: usize = 15;
