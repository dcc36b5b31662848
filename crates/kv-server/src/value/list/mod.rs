//! A list: one pack while it is small, a tree of packs when it is large.

mod page;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;

use self::tree::{Behind, Node};
use crate::value::pack::{Item, Pack};
use crate::value::{Value, ValueType};

/// How much a pack of a list may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `list-max-listpack-size`: negative numbers are sizes, -1 is 4 KiB, -2 is 8 KiB and so on to -5; positive ones are elements.
    pub(crate) size: i32,
    /// `list-compress-depth`: so many packs at each end of a tree are not compressed; 0 compresses none at all.
    pub(crate) depth: usize,
    /// In a tree, an element of so many bytes has a pack of its own.
    pub(crate) alone: usize,
}

impl Limits {
    pub(crate) const fn new(size: i32) -> Self {
        Self {
            size,
            depth: 0,
            alone: 1 << 30,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(-2)
    }
}

/// A pack that is limited by its number of elements is no larger than this either.
const SAFE_BYTES: usize = 8192;
/// Bytes that an element takes beside its text, as Redis estimates them.
const OVERHEAD: usize = 8;

impl Limits {
    /// Bytes and elements that fit.
    fn amounts(self) -> (usize, usize) {
        match usize::try_from(self.size) {
            Ok(count) => (SAFE_BYTES, count.max(1)),
            Err(_) => (4096 << (self.size.unsigned_abs() - 1).min(4), usize::MAX),
        }
    }

    fn allows(self, bytes: usize, count: usize) -> bool {
        let (max_bytes, max_count) = self.amounts();
        bytes <= max_bytes && count <= max_count
    }

    fn allows_half(self, bytes: usize, count: usize) -> bool {
        let (max_bytes, max_count) = self.amounts();
        // The size is limited for safety only when elements are counted.
        let max_bytes = if max_count == usize::MAX {
            max_bytes / 2
        } else {
            max_bytes
        };
        bytes <= max_bytes && count <= max_count / 2
    }

    fn allows_one_more(self, pack: &Pack, text: &[u8]) -> bool {
        pack.is_empty()
            || text.len() < self.alone
                && self.allows(pack.listpack_len() + text.len() + OVERHEAD, pack.len() + 1)
                && !self.stands_alone(pack)
    }

    /// Whether a pack holds an element that shares it with no other.
    fn stands_alone(self, pack: &Pack) -> bool {
        let only = (pack.len() == 1).then(|| pack.nth(0)).flatten();
        only.is_some_and(|at| pack.at(at).len() >= self.alone)
    }
}

/// One end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Left,
    Right,
}

/// A sequence of byte strings.
#[derive(Debug, Clone)]
pub(crate) enum List {
    Pack(Pack),
    Tree(Box<Node>),
}

impl Default for List {
    fn default() -> Self {
        Self::Pack(Pack::default())
    }
}

impl List {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.len(),
            Self::Tree(tree) => tree.len(),
        }
    }

    /// Before elements are added: gives up the compact form if it cannot hold them. `bytes` is the length of their text.
    pub(crate) fn expect(&mut self, count: usize, bytes: usize, limits: Limits) {
        if let Self::Pack(pack) = self {
            if !limits.allows(pack.listpack_len() + bytes, pack.len() + count) {
                *self = Self::Tree(Box::new(match std::mem::take(pack) {
                    pack if pack.is_empty() => Node::default(),
                    pack => Node::from(pack),
                }));
            }
        }
    }

    /// After elements were taken out: returns to the compact form if that is filled by half at most.
    pub(crate) fn shrink(&mut self, limits: Limits) {
        if let Self::Tree(tree) = self {
            let only = tree.only_pack();
            if only.is_some_and(|(bytes, count)| limits.allows_half(bytes, count)) {
                *self = Self::Pack(tree.take_pack());
            }
        }
    }

    /// Adds an element. Before, [`expect`](Self::expect) must have been told of it.
    pub(crate) fn push(&mut self, end: End, text: &[u8], limits: Limits) {
        match (self, end) {
            (Self::Pack(pack), End::Left) => pack.push_front(text),
            (Self::Pack(pack), End::Right) => pack.push_back(text),
            (Self::Tree(tree), End::Left) => tree.edit(0, limits, &mut |pack, _| {
                if limits.allows_one_more(pack, text) {
                    pack.push_front(text);
                    return Behind::default();
                }
                let behind = std::mem::take(pack);
                pack.push_back(text);
                [behind, Pack::default()]
            }),
            (Self::Tree(tree), End::Right) => tree.edit(tree.len(), limits, &mut |pack, _| {
                if limits.allows_one_more(pack, text) {
                    pack.push_back(text);
                    return Behind::default();
                }
                let mut behind = Pack::default();
                behind.push_back(text);
                [behind, Pack::default()]
            }),
        }
    }

    /// Shows an element at an end and takes it out. `false` if there is none.
    pub(crate) fn pop(&mut self, end: End, limits: Limits, f: impl FnOnce(Item<'_>)) -> bool {
        let Some(last) = self.len().checked_sub(1) else {
            return false;
        };
        let index = if end == End::Left { 0 } else { last };
        if let Some(item) = self.get(index) {
            f(item);
        }
        self.remove(index, 1, limits);
        true
    }

    /// The element of this number.
    pub(crate) fn get(&self, index: usize) -> Option<Item<'_>> {
        let (pack, index) = self.pack_of(index)?;
        pack.nth(index).map(|at| pack.at(at))
    }

    /// Calls `f` with every element; leaves nothing to [`close`](Self::close).
    pub(crate) fn for_each(&self, mut f: impl FnMut(Item<'_>)) {
        match self {
            Self::Pack(pack) => pack.iter().for_each(f),
            Self::Tree(tree) => tree.for_each_pack(&mut |pack| pack.iter().for_each(&mut f)),
        }
    }

    /// Whether parts of it are compressed, so that readers have to [`close`](Self::close) it.
    #[inline]
    pub(crate) fn is_squeezed(&self) -> bool {
        matches!(self, Self::Tree(tree) if tree.squeezed() > 0)
    }

    /// Gives back what reading took to decompress these elements.
    pub(crate) fn close(&mut self, elements: Range<usize>) {
        if let Self::Tree(tree) = self {
            tree.close(elements.start, elements.end);
        }
    }

    fn pack_of(&self, index: usize) -> Option<(&Pack, usize)> {
        match self {
            Self::Pack(pack) => (index < pack.len()).then_some((pack, index)),
            Self::Tree(tree) => tree.pack_of(index),
        }
    }

    /// The elements from number `index` on.
    pub(crate) fn iter_from(&self, mut index: usize) -> impl Iterator<Item = Item<'_>> {
        std::iter::from_fn(move || {
            let (pack, within) = self.pack_of(index)?;
            index += pack.len() - within;
            Some(pack.iter_from(pack.nth(within)?))
        })
        .flatten()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        self.iter_from(0)
    }

    /// The elements from number `index` on backwards; none if that is not there.
    pub(crate) fn iter_back_from(&self, index: usize) -> impl Iterator<Item = Item<'_>> {
        let mut left = if index < self.len() { index + 1 } else { 0 };
        std::iter::from_fn(move || {
            let (pack, within) = self.pack_of(left.checked_sub(1)?)?;
            left -= within + 1;
            let mut at = pack.nth(within);
            Some(std::iter::from_fn(move || {
                let here = at?;
                at = pack.previous(here);
                Some(pack.at(here))
            }))
        })
        .flatten()
    }

    /// Puts another element in the place of one. Before, [`expect`](Self::expect) must have been told of it.
    pub(crate) fn set(&mut self, index: usize, text: &[u8], limits: Limits) {
        match self {
            Self::Pack(pack) => {
                if let Some(at) = pack.nth(index) {
                    pack.replace(at, Item::of(text));
                }
            }
            Self::Tree(tree) => tree.edit(index, limits, &mut |pack, index| {
                pack.remove_range(index, 1);
                insert(pack, index, text, limits)
            }),
        }
    }

    /// Adds an element before the one of this number. Before, [`expect`](Self::expect) must have been told of it.
    pub(crate) fn insert(&mut self, index: usize, text: &[u8], limits: Limits) {
        match self {
            Self::Pack(pack) => {
                let at = pack.nth(index).unwrap_or_else(|| pack.behind());
                pack.insert(at, Item::of(text));
            }
            Self::Tree(tree) => tree.edit(index, limits, &mut |pack, index| {
                insert(pack, index, text, limits)
            }),
        }
    }

    /// Takes out `count` elements from number `from` on, as far as they exist.
    pub(crate) fn remove(&mut self, from: usize, count: usize, limits: Limits) {
        match self {
            Self::Pack(pack) => {
                pack.remove_range(from, count);
            }
            Self::Tree(tree) => {
                let mut left = count.min(tree.len().saturating_sub(from));
                while left > 0 {
                    tree.edit(from, limits, &mut |pack, index| {
                        left -= pack.remove_range(index, left);
                        Behind::default()
                    });
                }
            }
        }
    }

    /// Takes out up to `max` elements that are this text, the first or the last ones; returns how many.
    pub(crate) fn remove_equal(
        &mut self,
        text: &[u8],
        from: End,
        max: usize,
        limits: Limits,
    ) -> usize {
        let mut removed = 0;
        match self {
            Self::Pack(pack) => removed = pack.remove_equal(text, from == End::Right, max),
            Self::Tree(tree) => {
                // Elements before (or behind) this number have been looked at.
                let mut edge = if from == End::Left { 0 } else { tree.len() };
                while removed < max
                    && (if from == End::Left {
                        edge < tree.len()
                    } else {
                        edge > 0
                    })
                {
                    let index = if from == End::Left { edge } else { edge - 1 };
                    tree.edit(index, limits, &mut |pack, within| {
                        let len = pack.len();
                        let taken = pack.remove_equal(text, from == End::Right, max - removed);
                        removed += taken;
                        match from {
                            End::Left => edge += len - within - taken,
                            End::Right => edge -= within + 1,
                        }
                        Behind::default()
                    });
                }
            }
        }
        removed
    }

    /// The name that `OBJECT ENCODING` gives.
    pub(crate) fn encoding(&self) -> &'static str {
        match self {
            Self::Pack(_) => "listpack",
            Self::Tree(_) => "quicklist",
        }
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.memory(),
            Self::Tree(tree) => size_of::<Node>() + tree.memory(),
        }
    }
}

/// Adds an element to a pack before a number, and splits the pack if it would be too large.
fn insert(pack: &mut Pack, index: usize, text: &[u8], limits: Limits) -> Behind {
    if limits.allows_one_more(pack, text) {
        let at = pack.nth(index).unwrap_or_else(|| pack.behind());
        pack.insert(at, Item::of(text));
        return Behind::default();
    }
    let mut behind = pack.split_off(index);
    if limits.allows_one_more(pack, text) {
        pack.push_back(text);
        [behind, Pack::default()]
    } else if limits.allows_one_more(&behind, text) {
        behind.push_front(text);
        [behind, Pack::default()]
    } else {
        let mut alone = Pack::default();
        alone.push_back(text);
        [alone, behind]
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

impl ValueType for List {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }
}
