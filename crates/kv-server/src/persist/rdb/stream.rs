//! Streams: their nodes as listpacks, what the stream says of itself, and the groups.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use super::error::{ErrorKind, Result};
use super::packed::Malformed;
use super::source::Source;
use super::string::Strings;
use super::{kind, length, listpack};
use crate::value::Stream;
use crate::value::stream::{Group, Id, NodeBuilder, Pending};

/// Stands for a number of entries read that is not known.
const UNKNOWN: u64 = u64::MAX;

/// Writes a stream as [`kind::STREAM_2`].
pub(super) fn write(
    strings: &mut Strings,
    out: &mut impl Write,
    stream: &Stream,
) -> io::Result<()> {
    let log = &stream.log;
    length::write(out, log.nodes() as u64)?;
    log.each_listpack(|base, listpack| {
        strings.write(out, &base.to_bytes())?;
        strings.write(out, listpack)
    })?;
    length::write(out, log.len())?;
    for id in [log.last, log.first, log.max_deleted] {
        write_id(out, id)?;
    }
    length::write(out, log.added)?;
    length::write(out, stream.groups.len() as u64)?;
    for (name, group) in &stream.groups {
        strings.write(out, name)?;
        write_id(out, group.last)?;
        length::write(out, group.read.unwrap_or(UNKNOWN))?;
        length::write(out, group.pending_len() as u64)?;
        for (id, pending) in group.pending_from(Id::MIN) {
            out.write_all(&id.to_bytes())?;
            out.write_all(&pending.delivered_ms.to_le_bytes())?;
            length::write(out, pending.deliveries)?;
        }
        length::write(out, group.consumers().len() as u64)?;
        for consumer in group.consumers() {
            strings.write(out, consumer.name())?;
            out.write_all(&consumer.seen_ms.to_le_bytes())?;
            length::write(out, consumer.pending() as u64)?;
            for id in consumer.pending_from(Id::MIN) {
                out.write_all(&id.to_bytes())?;
            }
        }
    }
    Ok(())
}

fn write_id(out: &mut impl Write, id: Id) -> io::Result<()> {
    length::write(out, id.ms)?;
    length::write(out, id.seq)
}

/// Why the items of a listpack are no node.
enum NodeError {
    Listpack(Malformed),
    Items(&'static str),
}

impl From<Malformed> for NodeError {
    fn from(malformed: Malformed) -> Self {
        Self::Listpack(malformed)
    }
}

impl From<NodeError> for ErrorKind {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Listpack(malformed) => malformed.into(),
            NodeError::Items(problem) => Self::Stream(problem),
        }
    }
}

/// Reads a stream of one of its three kinds; `space` is for strings.
pub(super) fn read<R: Read>(
    stored: u8,
    source: &mut Source<R>,
    space: &mut Vec<u8>,
) -> Result<Stream> {
    let mut stream = Stream::default();
    let log = &mut stream.log;
    for _ in 0..source.length()? {
        source.string(space)?;
        let Ok(base) = <[u8; 16]>::try_from(&space[..]) else {
            return Err(source.error(ErrorKind::Stream("an id that is not 16 bytes long")));
        };
        let mut node = NodeBuilder::new(Id::from_bytes(base));
        source.string(space)?;
        let items = listpack::entries(space, |entry| {
            node.push(entry.item()).map_err(NodeError::Items)
        });
        items
            .and_then(|()| node.finish(log).map_err(NodeError::Items))
            .map_err(|error| source.error(error.into()))?;
    }
    let len = source.length()?;
    let last = read_id(source)?;
    log.describe(len, last)
        .map_err(|problem| source.error(ErrorKind::Stream(problem)))?;
    log.added = len;
    if stored != kind::STREAM {
        // The first id, which the entries tell.
        read_id(source)?;
        log.max_deleted = read_id(source)?;
        log.added = source.length()?;
        if i64::try_from(log.added).is_err() {
            return Err(source.error(ErrorKind::Stream("more entries than there can be")));
        }
    }
    for _ in 0..source.length()? {
        source.string(space)?;
        let name = Box::from(&space[..]);
        let last = read_id(source)?;
        let read = if stored == kind::STREAM {
            log.count_up_to(last)
        } else {
            Some(source.length()?).filter(|&read| i64::try_from(read).is_ok())
        };
        let mut group = Group::new(last, read);
        read_group(stored, source, space, &mut group)?;
        if stream.groups.insert(name, Box::new(group)).is_some() {
            return Err(source.error(ErrorKind::Duplicate));
        }
    }
    Ok(stream)
}

fn read_id<R: Read>(source: &mut Source<R>) -> Result<Id> {
    Ok(Id::new(source.length()?, source.length()?))
}

/// What is pending in a group, and its consumers.
fn read_group<R: Read>(
    stored: u8,
    source: &mut Source<R>,
    space: &mut Vec<u8>,
    group: &mut Group,
) -> Result<()> {
    // Without owners yet.
    let mut pending = BTreeMap::new();
    for _ in 0..source.length()? {
        let id = Id::from_bytes(source.array()?);
        let delivered_ms = i64::from_le_bytes(source.array()?);
        let delivery = (delivered_ms, source.length()?);
        if pending.insert(id, delivery).is_some() {
            return Err(source.error(ErrorKind::Duplicate));
        }
    }
    for _ in 0..source.length()? {
        source.string(space)?;
        let seen_ms = i64::from_le_bytes(source.array()?);
        let Some(owner) = group.add(space, seen_ms) else {
            return Err(source.error(ErrorKind::Duplicate));
        };
        group.consumer_mut(owner).active_ms = if stored == kind::STREAM_3 {
            Some(i64::from_le_bytes(source.array()?)).filter(|&active| active != -1)
        } else {
            // Nothing better is known.
            Some(seen_ms)
        };
        for _ in 0..source.length()? {
            let id = Id::from_bytes(source.array()?);
            let Some((delivered_ms, deliveries)) = pending.remove(&id) else {
                return Err(source.error(ErrorKind::Stream(
                    "an entry of a consumer that is not pending",
                )));
            };
            group.assign(
                id,
                Pending {
                    delivered_ms,
                    deliveries,
                    owner,
                },
            );
        }
    }
    if !pending.is_empty() {
        return Err(source.error(ErrorKind::Stream("a pending entry of no consumer")));
    }
    Ok(())
}
