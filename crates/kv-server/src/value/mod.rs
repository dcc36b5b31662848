//! The types of values; each structure is pure, in a file of its own.

pub(crate) mod bits;
mod blob;
pub(crate) mod hash;
mod held;
pub(crate) mod list;
pub(crate) mod pack;
pub(crate) mod set;
pub(crate) mod stream;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod zset;

pub(crate) use blob::Blob;
pub(crate) use hash::Hash;
pub(crate) use held::Held;
pub(crate) use list::List;
pub(crate) use pack::Item;
pub(crate) use set::Set;
pub(crate) use stream::Stream;
pub(crate) use text::{Form, Text};
pub(crate) use zset::Zset;

use crate::keyspace::table::Stats;

/// A value that is not a packed string.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// In a box: what is short is not here, and the collections are smaller than this.
    String(Box<Text>),
    List(List),
    Hash(Hash),
    Set(Set),
    Zset(Zset),
    /// In a box, which is small beside a stream.
    Stream(Box<Stream>),
}

/// Memory of this size goes back to the system page by page.
const SLOW_BYTES: usize = 1 << 20;
/// Collections of more elements than this are freed aside, as Redis's lazy freeing does from 64 on.
const SLOW_ELEMENTS: usize = 64;

/// A collection: how to find it in a [`Value`], and how to make one of it.
pub(crate) trait ValueType: Sized + Into<Value> {
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
}

impl Default for Value {
    /// Allocates nothing.
    fn default() -> Self {
        Self::List(List::default())
    }
}

impl Value {
    /// Whether a snapshot may read it where it is. A compressed list opens what is read.
    pub(crate) fn is_readable_aside(&self) -> bool {
        !matches!(self, Self::List(list) if list.is_squeezed())
    }

    /// Makes a copy cheap, where parts of the value can be shared.
    pub(crate) fn share_parts(&mut self) {
        if let Self::Stream(stream) = self {
            stream.share_nodes();
        }
    }

    /// The name that `TYPE` gives.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
            Self::Zset(_) => "zset",
            Self::Stream(_) => "stream",
        }
    }

    /// The name that `OBJECT ENCODING` gives to a collection; a string's depends on its key's entry.
    pub(crate) fn encoding(&self) -> &'static str {
        match self {
            Self::String(_) => "raw",
            Self::List(list) => list.encoding(),
            Self::Hash(hash) => hash.encoding(),
            Self::Set(set) => set.encoding(),
            Self::Zset(zset) => zset.encoding(),
            Self::Stream(_) => "stream",
        }
    }

    /// Whether this is a collection without elements; such a key does not exist, unless it is a stream.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::String(_) | Self::Stream(_) => false,
            Self::List(list) => list.len() == 0,
            Self::Hash(hash) => hash.is_empty(),
            Self::Set(set) => set.len() == 0,
            Self::Zset(zset) => zset.len() == 0,
        }
    }

    /// A lower bound of the time at which a field of a hash expires; `i64::MAX` if none does.
    #[inline]
    pub(crate) fn next_field_expiry(&self) -> i64 {
        match self {
            Self::Hash(hash) => hash.next_expiry(),
            _ => i64::MAX,
        }
    }

    /// Whether freeing it takes more than some microseconds: many allocations, or much memory that goes back to the system.
    pub(crate) fn is_slow_to_free(&self) -> bool {
        match self {
            Self::String(text) => text.memory() > SLOW_BYTES,
            Self::List(list) => list.len() > SLOW_ELEMENTS,
            Self::Hash(hash) => hash.len() > SLOW_ELEMENTS,
            Self::Set(set) => set.len() > SLOW_ELEMENTS,
            Self::Zset(zset) => zset.len() > SLOW_ELEMENTS,
            Self::Stream(stream) => stream.weight() > SLOW_ELEMENTS,
        }
    }

    /// Frees a part of what is slow to free, if it comes in parts. Returns whether more of it is left than goes with the value.
    pub(crate) fn free_some(&mut self) -> bool {
        match self {
            Self::Stream(stream) => stream.free_some(),
            _ => false,
        }
    }

    /// What its table looks like, if it has one.
    pub(crate) fn table_stats(&self) -> Option<Stats> {
        match self {
            Self::Hash(hash) => hash.table_stats(),
            Self::Set(Set::Table(table)) => Some(table.stats()),
            _ => None,
        }
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::String(text) => size_of::<Text>() + text.memory(),
            Self::List(list) => list.memory(),
            Self::Hash(hash) => hash.memory(),
            Self::Set(set) => set.memory(),
            Self::Zset(zset) => zset.memory(),
            Self::Stream(stream) => stream.memory(),
        }
    }
}
