//! Nodes from the items of a listpack, which may come from anywhere.

use crate::value::Item;
use crate::value::pack::push_item;
use crate::value::stream::node::{DELETED, Node, SAME_FIELDS};
use crate::value::stream::{Id, Log};

/// Takes the items of a node's listpack one by one, and checks that they are one.
#[derive(Debug)]
pub(crate) struct NodeBuilder {
    base: Id,
    node: Node,
    /// Fields of the node, and of the entry that is being read.
    shared: u64,
    fields: u64,
    flags: i64,
    ms: i64,
    /// The id of the last entry.
    last: Option<Id>,
    expected: Expected,
    /// What the node says of its entries.
    live: u32,
    deleted: u32,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Live,
    Deleted,
    Shared,
    /// So many names.
    Names(u64),
    Zero,
    Flags,
    Ms,
    Seq,
    Fields,
    /// So many texts.
    Texts(u64),
    /// The number of items of the entry.
    Count,
}

/// What is wrong with the items.
type Problem = &'static str;

impl NodeBuilder {
    pub(crate) fn new(base: Id) -> Self {
        Self {
            base,
            node: Node::default(),
            shared: 0,
            fields: 0,
            flags: 0,
            ms: 0,
            last: None,
            expected: Expected::Live,
            live: 0,
            deleted: 0,
        }
    }

    pub(crate) fn push(&mut self, item: Item<'_>) -> Result<(), Problem> {
        let (text, number) = (item, item.integer());
        let count = || {
            let count = number.and_then(|number| u64::try_from(number).ok());
            count.ok_or("a number was expected")
        };
        let some =
            || count().and_then(|count| u32::try_from(count).map_err(|_| "too many entries"));
        let mut stored = number.map_or(text, Item::Int);
        self.expected = match self.expected {
            Expected::Live => {
                self.live = some()?;
                self.expected = Expected::Deleted;
                return Ok(());
            }
            Expected::Deleted => {
                self.deleted = some()?;
                self.expected = Expected::Shared;
                return Ok(());
            }
            Expected::Shared => {
                self.shared = count()?;
                after(self.shared, Expected::Names, Expected::Zero)
            }
            Expected::Names(left) => {
                stored = text;
                after(left - 1, Expected::Names, Expected::Zero)
            }
            Expected::Zero if number == Some(0) => Expected::Flags,
            Expected::Zero => return Err("no end of the names"),
            Expected::Flags => {
                let known = i64::from(DELETED | SAME_FIELDS);
                let flags = number.filter(|flags| (0..=known).contains(flags));
                self.flags = flags.ok_or("unknown flags")?;
                Expected::Ms
            }
            Expected::Ms => {
                self.ms = number.ok_or("a number was expected")?;
                Expected::Seq
            }
            Expected::Seq => {
                let seq = number.ok_or("a number was expected")?;
                let id = self.base.plus((self.ms, seq));
                if id < self.base || self.last.is_some_and(|last| id <= last) {
                    return Err("ids out of order");
                }
                self.last = Some(id);
                if self.flags & i64::from(SAME_FIELDS) == 0 {
                    Expected::Fields
                } else {
                    self.fields = self.shared;
                    after(self.fields, Expected::Texts, Expected::Count)
                }
            }
            Expected::Fields => {
                self.fields = count()?;
                let texts = self.fields.checked_mul(2).ok_or("too many fields")?;
                after(texts, Expected::Texts, Expected::Count)
            }
            Expected::Texts(left) => {
                stored = text;
                after(left - 1, Expected::Texts, Expected::Count)
            }
            Expected::Count => {
                let same = self.flags & i64::from(SAME_FIELDS) != 0;
                let items = if same {
                    self.fields.checked_add(3)
                } else {
                    self.fields
                        .checked_mul(2)
                        .and_then(|texts| texts.checked_add(4))
                };
                if items.is_none_or(|items| count() != Ok(items)) {
                    return Err("wrong number of items in an entry");
                }
                if self.flags & i64::from(DELETED) == 0 {
                    self.node.live += 1;
                } else {
                    self.node.deleted += 1;
                }
                Expected::Flags
            }
        };
        push_item(&mut self.node.bytes, stored);
        Ok(())
    }

    /// Adds the node behind all others of a stream.
    pub(crate) fn finish(mut self, log: &mut Log) -> Result<(), Problem> {
        if self.expected != Expected::Flags {
            return Err("an entry without end");
        }
        if (self.node.live, self.node.deleted) != (self.live, self.deleted) {
            return Err("wrong number of entries");
        }
        let before = log.nodes.last();
        if before.is_some_and(|(base, node)| node.last_id(base) >= self.base || base >= self.base) {
            return Err("nodes out of order");
        }
        self.node.close();
        log.len += u64::from(self.node.live);
        log.bytes += self.node.memory();
        log.nodes.push(self.base, self.node);
        Ok(())
    }
}

/// `more(left)`, or `none` if nothing is left.
fn after(left: u64, more: impl FnOnce(u64) -> Expected, none: Expected) -> Expected {
    if left == 0 { none } else { more(left) }
}

impl Log {
    /// After all nodes were added: what the stream says of itself. Fails if the entries say otherwise.
    pub(crate) fn describe(&mut self, len: u64, last: Id) -> Result<(), Problem> {
        if len != self.len {
            return Err("wrong number of entries");
        }
        let end = self.nodes.last();
        if end.is_some_and(|(base, node)| node.last_id(base) > last) {
            return Err("an entry behind the last id");
        }
        self.last = last;
        self.find_first();
        Ok(())
    }

    /// Nodes in the form of listpacks: calls `f` with the base and the bytes of each.
    pub(crate) fn each_listpack<E>(
        &self,
        mut f: impl FnMut(Id, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut bytes = Vec::new();
        for (base, node) in self.nodes.iter() {
            bytes.clear();
            node.write_listpack(&mut bytes);
            f(base, &bytes)?;
        }
        Ok(())
    }
}
