//! A stream: entries in the order of their ids, and the groups that read them.
//!
//! | file | holds |
//! |---|---|
//! | `id.rs` | ids and how they are read |
//! | `node.rs` | some hundred entries in one allocation |
//! | `runs.rs` | the map that nodes are in |
//! | `log.rs`, `trim.rs`, `radix.rs` | the entries: nodes by id; taking old ones out; what XINFO says of the nodes |
//! | `build.rs` | nodes from a snapshot |
//! | `group.rs`, `lag.rs` | consumer groups; how far behind they are |

mod build;
mod group;
mod id;
mod lag;
mod log;
mod node;
mod radix;
mod runs;
#[cfg(test)]
mod tests;
mod trim;

use std::collections::BTreeMap;

use self::node::Node;
use crate::value::{Value, ValueType};

pub(crate) use build::NodeBuilder;
pub(crate) use group::{Consumer, Group, Owner, Pending};
pub(crate) use id::{Given, Id};
pub(crate) use log::{ENTRY_MAX, Log};
pub(crate) use node::Entry;
pub(crate) use trim::{Keep, Trim, Trimmed};

/// How much a node may hold: `stream-node-max-bytes` and `stream-node-max-entries`, 0 for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 4096,
            entries: 100,
        }
    }
}

impl Limits {
    /// Whether an entry with so many bytes of text may go into a node.
    fn allow(self, node: &Node, text: usize) -> bool {
        let max = if self.bytes == 0 {
            ENTRY_MAX
        } else {
            self.bytes.min(ENTRY_MAX)
        };
        let entries = u64::from(node.live) + u64::from(node.deleted);
        node.listpack_len() + text < max && (self.entries == 0 || entries < self.entries)
    }
}

/// Entries, and who reads them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Stream {
    pub(crate) log: Log,
    /// In boxes, because a map has room for eleven from the first one on.
    pub(crate) groups: BTreeMap<Box<[u8]>, Box<Group>>,
}

/// Of 64 nodes each, which are freed in one go.
const RUNS_FREED_AT_ONCE: usize = 4;

impl Stream {
    /// How much there is to free, in allocations or so.
    pub(crate) fn weight(&self) -> usize {
        let groups = self.groups.values();
        let pending: usize = groups.map(|group| group.pending_len() + 1).sum();
        self.log.nodes() + pending
    }

    /// Makes a copy cheap, but for its groups: nodes are copied when they change, a run of 64 at a time.
    pub(crate) fn share_nodes(&mut self) {
        self.log.nodes.share();
    }

    /// Frees some nodes; returns whether more are left.
    pub(crate) fn free_some(&mut self) -> bool {
        for _ in 0..RUNS_FREED_AT_ONCE {
            self.log.nodes.pop_first_run();
        }
        !self.log.nodes.is_empty()
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        let groups = self.groups.iter();
        let groups: usize = groups
            .map(|(name, group)| size_of::<Group>() + name.len() + group.memory())
            .sum();
        let map = map_bytes::<Box<[u8]>, Box<Group>>(self.groups.len());
        size_of::<Self>() + self.log.memory() + map + groups
    }
}

/// What a map has allocated, about. Its nodes have eleven places; where keys come in order six of them are filled, so one element in
/// seven is a level above, where nodes have pointers too.
fn map_bytes<K, V>(len: usize) -> usize {
    let leaf = 11 * size_of::<(K, V)>() + 16;
    if len == 0 {
        return 0;
    }
    leaf.max(len * (leaf * 8 / 49 + 2))
}

impl From<Stream> for Value {
    fn from(stream: Stream) -> Self {
        Self::Stream(Box::new(stream))
    }
}

impl From<Trimmed> for Value {
    /// What was taken out, to be freed.
    fn from(trimmed: Trimmed) -> Self {
        let log = Log {
            nodes: trimmed.nodes,
            ..Log::default()
        };
        Stream {
            log,
            ..Stream::default()
        }
        .into()
    }
}

impl ValueType for Stream {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Stream(stream) => Some(stream),
            _ => None,
        }
    }
}
