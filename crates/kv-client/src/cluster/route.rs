//! Where a request is to go, decided by its name and its keys alone.

use crate::class::Class;
use crate::cluster::slots::key_slot;
use crate::error::ErrorKind;
use crate::request::Request;

/// Where a request is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To the node of this slot.
    Slot(u16),
    /// To any node: it has no keys.
    Any,
    /// To every primary, and the replies become one.
    Everywhere(Fold),
    /// In parts, one for each slot, and the replies become one.
    Split(Fold),
}

/// How several replies become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    /// All of them succeed, and the first one stands for all.
    First,
    /// The sum of numbers.
    Sum,
    /// The smallest number.
    Min,
    /// Lists of 0 and 1, of which a place has 1 only if all have.
    And,
    /// One list after the other.
    Concat,
    /// A list with the elements in the order of the keys.
    Gather,
}

/// Where `request` is to go.
///
/// # Errors
///
/// If its keys are in different slots and it cannot be split, or if it makes sense on one node only.
pub(crate) fn route(request: &Request) -> Result<Route, ErrorKind> {
    let mut slots = Slots::default();
    request
        .keys()
        .into_iter()
        .for_each(|key| slots.add(key_slot(key)));
    match slots {
        Slots::None => keyless(request),
        Slots::One(slot) => Ok(Route::Slot(slot)),
        Slots::Several(first, second) => match request.name() {
            "MGET" => Ok(Route::Split(Fold::Gather)),
            "MSET" => Ok(Route::Split(Fold::First)),
            "DEL" | "UNLINK" | "EXISTS" | "TOUCH" => Ok(Route::Split(Fold::Sum)),
            _ => Err(ErrorKind::CrossSlot { first, second }),
        },
    }
}

/// The one slot of all keys of several requests, if there are any keys.
pub(crate) fn common_slot<'a>(
    requests: impl Iterator<Item = &'a Request>,
) -> Result<Option<u16>, ErrorKind> {
    let mut slots = Slots::default();
    for request in requests {
        request
            .keys()
            .into_iter()
            .for_each(|key| slots.add(key_slot(key)));
    }
    match slots {
        Slots::None => Ok(None),
        Slots::One(slot) => Ok(Some(slot)),
        Slots::Several(first, second) => Err(ErrorKind::CrossSlot { first, second }),
    }
}

/// The parts of a request that goes to several slots, each with its slot and the positions of its keys among all.
pub(crate) fn split(request: &Request) -> Vec<(u16, Request, Vec<usize>)> {
    let words = if request.name() == "MSET" { 2 } else { 1 };
    let args: Vec<&[u8]> = request.args().collect();
    let mut parts: Vec<(u16, Request, Vec<usize>)> = Vec::new();
    for (position, key) in args.chunks(words).enumerate() {
        let slot = key_slot(key[0]);
        let found = parts.iter().position(|part| part.0 == slot);
        let part = found.unwrap_or_else(|| {
            parts.push((slot, Request::new(request.clone_name()), Vec::new()));
            parts.len() - 1
        });
        key.iter().for_each(|arg| parts[part].1.push(arg));
        parts[part].2.push(position);
    }
    for (_, part, _) in &mut parts {
        part.set_class(request.class());
    }
    parts
}

fn keyless(request: &Request) -> Result<Route, ErrorKind> {
    let subcommand = request.args().next().map(<[u8]>::to_ascii_uppercase);
    let subcommand = subcommand.as_deref().unwrap_or_default();
    Ok(match (request.name(), subcommand) {
        ("SCAN", _) => {
            return Err(ErrorKind::OneNode {
                instead: "use Client::scan_keys, or ask one of Client::cluster_nodes",
            });
        }
        ("DBSIZE", _) | ("PUBSUB", b"NUMPAT") => Route::Everywhere(Fold::Sum),
        ("WAIT", _) => Route::Everywhere(Fold::Min),
        ("KEYS", _) | ("PUBSUB", b"CHANNELS" | b"SHARDCHANNELS") => Route::Everywhere(Fold::Concat),
        ("SCRIPT", b"EXISTS") => Route::Everywhere(Fold::And),
        ("SCRIPT", b"LOAD" | b"FLUSH")
        | ("FUNCTION", b"LOAD" | b"DELETE" | b"FLUSH" | b"RESTORE")
        | ("CONFIG", b"SET" | b"RESETSTAT" | b"REWRITE")
        | ("SLOWLOG" | "LATENCY", b"RESET")
        | ("FLUSHALL" | "FLUSHDB", _) => Route::Everywhere(Fold::First),
        _ if request.class() == Class::Session => Route::Everywhere(Fold::First),
        _ => Route::Any,
    })
}

#[derive(Clone, Copy, Default)]
enum Slots {
    #[default]
    None,
    One(u16),
    /// The first two that differ.
    Several(u16, u16),
}

impl Slots {
    fn add(&mut self, slot: u16) {
        *self = match *self {
            Self::None => Self::One(slot),
            Self::One(first) if first != slot => Self::Several(first, slot),
            same => same,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Request {
        let mut words = line.split(' ');
        let mut request = Request::new(words.next().unwrap_or_default().to_owned());
        words.for_each(|word| request.push(word.as_bytes()));
        request
    }

    #[test]
    fn a_request_goes_where_its_keys_are() {
        for (line, expected) in [
            ("GET foo", Route::Slot(12182)),
            ("MGET {foo}a {foo}b", Route::Slot(12182)),
            ("MGET foo bar", Route::Split(Fold::Gather)),
            ("EXISTS foo bar", Route::Split(Fold::Sum)),
            ("SPUBLISH foo x", Route::Slot(12182)),
            ("PUBLISH foo x", Route::Any),
            ("DBSIZE", Route::Everywhere(Fold::Sum)),
            ("script load x", Route::Everywhere(Fold::First)),
            ("EVAL x 1 foo", Route::Slot(12182)),
            ("EVAL x 0", Route::Any),
            ("PING", Route::Any),
        ] {
            let line = line.replacen("script", "SCRIPT", 1);
            assert_eq!(route(&request(&line)).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_split_is_refused_with_a_hint() {
        let error = route(&request("SUNION foo bar")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "keys are in different slots (12182 and 5061) of the cluster; keys that belong together need a common {tag}"
        );
        assert!(route(&request("SCAN 0")).is_err());
    }

    #[test]
    fn parts_keep_the_values_with_their_keys_and_remember_the_order() {
        let parts = split(&request("MSET foo 1 bar 2 {foo}x 3"));
        let shown: Vec<_> = parts
            .iter()
            .map(|(slot, part, positions)| {
                let args: Vec<_> = part.args().map(String::from_utf8_lossy).collect();
                (*slot, args.join(" "), positions.clone())
            })
            .collect();
        assert_eq!(
            shown,
            [
                (12182, "foo 1 {foo}x 3".to_owned(), vec![0, 2]),
                (5061, "bar 2".to_owned(), vec![1])
            ]
        );
    }
}
