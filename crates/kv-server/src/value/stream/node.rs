//! A run of entries in one allocation, as Redis's listpack nodes hold them.
//!
//! The names of the first entry's fields come first: their number, the names, a 0. An entry is flags, the distance of its id
//! from the node's, then its values if its fields have just those names, else the number of its fields and all of them; and
//! last, how many items that is, for those who come from behind.

use crate::value::Item;
use crate::value::pack::{Iter, class, push_item, start_of_last};
use crate::value::stream::Id;

/// Entries one behind the other. Those that were deleted keep their place, marked.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Node {
    /// Encoded items.
    pub(super) bytes: Vec<u8>,
    /// Entries that are not deleted.
    pub(super) live: u32,
    pub(super) deleted: u32,
}

impl Clone for Node {
    /// With its room to grow: what a node takes is counted by its place.
    fn clone(&self) -> Self {
        let mut bytes = Vec::with_capacity(self.bytes.capacity());
        bytes.extend_from_slice(&self.bytes);
        Self {
            bytes,
            live: self.live,
            deleted: self.deleted,
        }
    }
}

/// Flags of an entry.
pub(super) const DELETED: u8 = 1;
pub(super) const SAME_FIELDS: u8 = 2;
/// What a listpack has around its items.
const LISTPACK_FRAME: usize = 7;
const LISTPACK_END: u8 = 0xff;

/// An entry of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) id: Id,
    /// The number of fields.
    pub(crate) len: usize,
    /// The names, if the node holds them.
    names: Option<Iter<'a>>,
    items: Iter<'a>,
}

impl<'a> Entry<'a> {
    /// Fields and their values.
    pub(crate) fn fields(mut self) -> impl Iterator<Item = (Item<'a>, Item<'a>)> {
        (0..self.len).map_while(move |_| {
            let name = match &mut self.names {
                Some(names) => names.next()?,
                None => self.items.next()?,
            };
            Some((name, self.items.next()?))
        })
    }
}

/// The fixed part of an entry.
#[derive(Debug, Clone, Copy)]
struct Head {
    flags: u8,
    id: Id,
    /// The number of fields.
    fields: usize,
    /// Where what is not fixed begins, and how many items it has.
    items: usize,
    count: usize,
}

impl Node {
    /// A node whose first entry will have fields of these names, with room for so many bytes.
    pub(super) fn new<'a>(names: impl ExactSizeIterator<Item = &'a [u8]>, room: usize) -> Self {
        let mut node = Self {
            bytes: Vec::with_capacity(room),
            ..Self::default()
        };
        node.push_number(names.len());
        names.for_each(|name| node.push(Item::of(name)));
        node.push_number(0);
        node
    }

    fn push(&mut self, item: Item<'_>) {
        push_item(&mut self.bytes, item);
    }

    fn push_number(&mut self, number: usize) {
        self.push(Item::Int(i64::try_from(number).unwrap_or(i64::MAX)));
    }

    /// Adds an entry behind all others. `fields` are names and values in turn.
    pub(super) fn append<'a>(
        &mut self,
        base: Id,
        id: Id,
        fields: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    ) {
        let text: usize = fields.clone().map(<[u8]>::len).sum();
        // Eleven bytes are what an item takes at most beside its text.
        self.reserve(text + (fields.len() + 5) * 11);
        let count = fields.len() / 2;
        let same = self.has_names(fields.clone().step_by(2));
        self.push_number(usize::from(if same { SAME_FIELDS } else { 0 }));
        let (ms, seq) = id.minus(base);
        self.push(Item::Int(ms));
        self.push(Item::Int(seq));
        if same {
            for value in fields.skip(1).step_by(2) {
                self.push(Item::of(value));
            }
            self.push_number(count + 3);
        } else {
            self.push_number(count);
            fields.for_each(|text| self.push(Item::of(text)));
            self.push_number(2 * count + 4);
        }
        self.live += 1;
    }

    /// Makes room, in steps that allocators have anyway.
    fn reserve(&mut self, more: usize) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            self.bytes.reserve_exact(class(needed) - self.bytes.len());
        }
    }

    fn has_names<'a>(&self, names: impl ExactSizeIterator<Item = &'a [u8]>) -> bool {
        let (count, own) = self.names();
        count == names.len() && own.zip(names).all(|(own, name)| own.equals(name))
    }

    /// The names that entries share, and how many they are.
    fn names(&self) -> (usize, Iter<'_>) {
        let mut items = Iter::of(&self.bytes);
        let count = number(&mut items);
        (count, items)
    }

    /// Gives back what room is left, once nothing is added any more.
    pub(super) fn close(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Where the first entry is.
    fn first(&self) -> usize {
        let (count, mut items) = self.names();
        // The names, and the 0 behind them.
        items.nth(count);
        self.bytes.len() - items.bytes_left()
    }

    fn head(&self, base: Id, at: usize) -> Head {
        let mut items = Iter::of(&self.bytes[at..]);
        let flags = number(&mut items);
        let id = base.plus((integer(&mut items), integer(&mut items)));
        let same = flags & usize::from(SAME_FIELDS) != 0;
        let fields = if same {
            self.names().0
        } else {
            number(&mut items)
        };
        Head {
            flags: u8::try_from(flags).unwrap_or(0),
            id,
            fields,
            items: self.bytes.len() - items.bytes_left(),
            count: if same { fields } else { fields * 2 },
        }
    }

    fn entry(&self, head: Head) -> Entry<'_> {
        let same = head.flags & SAME_FIELDS != 0;
        Entry {
            id: head.id,
            len: head.fields,
            names: same.then(|| self.names().1),
            items: Iter::of(&self.bytes[head.items..]),
        }
    }

    /// The place behind an entry.
    fn behind(&self, head: Head) -> usize {
        let mut items = Iter::of(&self.bytes[head.items..]);
        items.nth(head.count);
        self.bytes.len() - items.bytes_left()
    }

    /// The live entries.
    pub(super) fn entries(&self, base: Id) -> Entries<'_> {
        Entries {
            node: self,
            base,
            at: self.first(),
        }
    }

    /// The live entries, the last one first.
    pub(super) fn entries_back(&self, base: Id) -> EntriesBack<'_> {
        EntriesBack {
            node: self,
            base,
            end: self.bytes.len(),
        }
    }

    /// Marks the entry with this id as deleted. `false` if there is none.
    pub(super) fn delete(&mut self, base: Id, id: Id) -> bool {
        let mut at = self.first();
        while at < self.bytes.len() {
            let head = self.head(base, at);
            if head.id >= id {
                let found = head.id == id && head.flags & DELETED == 0;
                if found {
                    self.mark(at);
                }
                return found;
            }
            at = self.behind(head);
        }
        false
    }

    /// Marks live entries as deleted, from the first one on, while `goes` says so; returns how many.
    pub(super) fn delete_while(&mut self, base: Id, mut goes: impl FnMut(Id) -> bool) -> u32 {
        let before = self.live;
        let mut at = self.first();
        while at < self.bytes.len() {
            let head = self.head(base, at);
            if head.flags & DELETED == 0 {
                if !goes(head.id) {
                    break;
                }
                self.mark(at);
            }
            at = self.behind(head);
        }
        before - self.live
    }

    fn mark(&mut self, at: usize) {
        // A number below 128 is its own encoding.
        self.bytes[at] |= DELETED;
        self.live -= 1;
        self.deleted += 1;
    }

    /// The id of the last entry, deleted or not.
    pub(super) fn last_id(&self, base: Id) -> Id {
        EntriesBack {
            node: self,
            base,
            end: self.bytes.len(),
        }
        .next_head()
        .map_or(base, |head| head.id)
    }

    /// Bytes that a listpack of these entries has.
    pub(super) fn listpack_len(&self) -> usize {
        let number = |number: u32| match number {
            0..=127 => 2,
            128..=4095 => 3,
            4096..=0x7fff => 4,
            0x8000..=0x7f_ffff => 5,
            _ => 6,
        };
        LISTPACK_FRAME + number(self.live) + number(self.deleted) + self.bytes.len()
    }

    /// The listpack, of which the items here are all but two.
    pub(super) fn write_listpack(&self, out: &mut Vec<u8>) {
        let len = u32::try_from(self.listpack_len()).unwrap_or(u32::MAX);
        let items = Iter::of(&self.bytes).count() + 2;
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&u16::try_from(items).unwrap_or(u16::MAX).to_le_bytes());
        push_item(out, Item::Int(self.live.into()));
        push_item(out, Item::Int(self.deleted.into()));
        out.extend_from_slice(&self.bytes);
        out.push(LISTPACK_END);
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

/// The next item, which is a number.
fn integer(items: &mut Iter<'_>) -> i64 {
    items.next().and_then(Item::integer).unwrap_or(0)
}

fn number(items: &mut Iter<'_>) -> usize {
    usize::try_from(integer(items)).unwrap_or(0)
}

/// The live entries of a node.
#[derive(Debug, Clone)]
pub(super) struct Entries<'a> {
    node: &'a Node,
    base: Id,
    at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        while self.at < self.node.bytes.len() {
            let head = self.node.head(self.base, self.at);
            self.at = self.node.behind(head);
            if head.flags & DELETED == 0 {
                return Some(self.node.entry(head));
            }
        }
        None
    }
}

/// The live entries of a node, backwards.
#[derive(Debug, Clone)]
pub(super) struct EntriesBack<'a> {
    node: &'a Node,
    base: Id,
    /// The end of the entry that comes next.
    end: usize,
}

impl EntriesBack<'_> {
    /// The entry before, deleted or not.
    fn next_head(&mut self) -> Option<Head> {
        let bytes = &self.node.bytes;
        let mut at = start_of_last(&bytes[..self.end]);
        // Behind the names there is a 0 in its place.
        let count = number(&mut Iter::of(&bytes[at..]));
        if count == 0 {
            return None;
        }
        for _ in 0..count {
            at = start_of_last(&bytes[..at]);
        }
        self.end = at;
        Some(self.node.head(self.base, at))
    }
}

impl<'a> Iterator for EntriesBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let head = self.next_head()?;
            if head.flags & DELETED == 0 {
                return Some(self.node.entry(head));
            }
        }
    }
}
