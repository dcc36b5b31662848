//! The entries of a stream: nodes by the id of their first entry.

use crate::value::stream::node::{Entries, EntriesBack, Entry, Node};
use crate::value::stream::runs::{self, Runs};
use crate::value::stream::{Id, Limits};

/// Entries in the order of their ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    /// By the id from which the entries' distances count; all of a node's ids are less than the next one.
    pub(super) nodes: Runs<Id, Node>,
    /// Entries.
    pub(super) len: u64,
    /// The id that was given last.
    pub(crate) last: Id,
    /// The first entry's id; [`Id::MIN`] if there is none.
    pub(crate) first: Id,
    /// The greatest id that was deleted by itself, rather than trimmed.
    pub(crate) max_deleted: Id,
    /// How many entries there ever were.
    pub(crate) added: u64,
    /// Bytes that the nodes have allocated.
    pub(super) bytes: usize,
}

impl PartialEq for Log {
    /// Room to grow makes no difference.
    fn eq(&self, other: &Self) -> bool {
        let parts = |log: &Self| (log.len, log.last, log.first, log.max_deleted, log.added);
        self.nodes == other.nodes && parts(self) == parts(other)
    }
}

/// What is reserved at most for a node that is expected to become like the one before; as much as Redis does.
const ROOM_MAX: usize = 4096;
/// What all entries together can be; a node is never larger.
pub(crate) const ENTRY_MAX: usize = 1 << 30;

impl Log {
    /// The number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The number of nodes.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Adds an entry. `fields` are names and values in turn, of no more than [`ENTRY_MAX`] bytes; its id is greater than
    /// [`last`](Self::last).
    pub(crate) fn append<'a>(
        &mut self,
        id: Id,
        fields: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        limits: Limits,
    ) {
        let text = fields.clone().map(<[u8]>::len).sum();
        let mut room = 0;
        let mut to = None;
        if let Some((base, node)) = self.nodes.last_mut() {
            if limits.allow(node, text) {
                to = Some((base, node));
            } else {
                self.bytes -= node.memory();
                node.close();
                self.bytes += node.memory();
                // The next one will be much like it, unless it is one of a huge entry.
                room = node.memory().min(ROOM_MAX);
            }
        }
        let (base, node) = match to {
            Some((base, node)) => {
                self.bytes -= node.memory();
                (base, node)
            }
            None => {
                let names = fields.clone().step_by(2);
                (id, self.nodes.push(id, Node::new(names, room)))
            }
        };
        node.append(base, id, fields);
        self.bytes += node.memory();
        self.len += 1;
        self.added += 1;
        self.last = id;
        if self.len == 1 {
            self.first = id;
        }
    }

    /// Takes an entry out. `false` if there is none with this id.
    pub(crate) fn delete(&mut self, id: Id) -> bool {
        let Some((base, node)) = self.nodes.upto_mut(id) else {
            return false;
        };
        if !node.delete(base, id) {
            return false;
        }
        if node.live == 0 {
            self.bytes -= node.memory();
            self.nodes.remove(base);
        }
        self.len -= 1;
        self.max_deleted = self.max_deleted.max(id);
        if id == self.first {
            self.find_first();
        }
        true
    }

    /// Looks up what is the first entry now.
    pub(super) fn find_first(&mut self) {
        let first = self.range(Id::MIN, Id::MAX).next();
        self.first = first.map_or(Id::MIN, |entry| entry.id);
    }

    /// The id of the first entry; the last of all ids if there is none.
    pub(crate) fn first_or_max(&self) -> Id {
        if self.len == 0 { Id::MAX } else { self.first }
    }

    /// The entries from one id to another, both included.
    pub(crate) fn range(&self, start: Id, end: Id) -> Range<'_> {
        Range {
            nodes: self.nodes.around(start, end),
            entries: None,
            start,
            end,
        }
    }

    /// The entries from one id to another, both included, the last one first.
    pub(crate) fn range_back(&self, start: Id, end: Id) -> RangeBack<'_> {
        RangeBack {
            nodes: self.nodes.around(start, end),
            entries: None,
            start,
            end,
        }
    }

    /// The entry with this id.
    pub(crate) fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The id of the last entry, which is less than [`last`](Self::last) if that was deleted.
    pub(crate) fn top(&self) -> Option<Id> {
        let entry = self.range_back(Id::MIN, Id::MAX).next()?;
        Some(entry.id)
    }

    /// Whether an entry comes behind this id.
    pub(crate) fn reaches_behind(&self, id: Id) -> bool {
        self.top().is_some_and(|top| top > id)
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.nodes.memory()
    }
}

/// Entries in order.
#[derive(Debug, Clone)]
pub(crate) struct Range<'a> {
    nodes: runs::Range<'a, Id, Node>,
    entries: Option<Entries<'a>>,
    start: Id,
    end: Id,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(entries) = &mut self.entries {
                for entry in entries {
                    if entry.id > self.end {
                        return None;
                    }
                    if entry.id >= self.start {
                        return Some(entry);
                    }
                }
            }
            let (base, node) = self.nodes.next()?;
            self.entries = Some(node.entries(base));
        }
    }
}

/// Entries from the last one on.
#[derive(Debug, Clone)]
pub(crate) struct RangeBack<'a> {
    nodes: runs::Range<'a, Id, Node>,
    entries: Option<EntriesBack<'a>>,
    start: Id,
    end: Id,
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(entries) = &mut self.entries {
                for entry in entries {
                    if entry.id < self.start {
                        return None;
                    }
                    if entry.id <= self.end {
                        return Some(entry);
                    }
                }
            }
            let (base, node) = self.nodes.next_back()?;
            self.entries = Some(node.entries_back(base));
        }
    }
}
