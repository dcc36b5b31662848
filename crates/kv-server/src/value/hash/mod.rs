//! A hash: a pack of fields and values in turn while it is small, a table of pairs when it is large.

mod pair;
#[cfg(test)]
mod tests;

pub(crate) use self::pair::Pair;
use crate::keyspace::table::{Entry, Slot, Table};
use crate::value::pack::{Item, Pack};
use crate::value::set::below;
use crate::value::{Value, ValueType};

/// When a hash changes its form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// `hash-max-listpack-entries`
    pub(crate) entries: usize,
    /// `hash-max-listpack-value`, in bytes.
    pub(crate) value: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 128,
            value: 64,
        }
    }
}

/// A map of byte strings.
#[derive(Debug, Clone)]
pub(crate) enum Hash {
    Pack(Pack),
    Table(Box<Table<Pair>>),
}

impl Default for Hash {
    fn default() -> Self {
        Self::Pack(Pack::default())
    }
}

impl Hash {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.len() / 2,
            Self::Table(table) => table.len(),
        }
    }

    pub(crate) fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        match self {
            Self::Pack(pack) => {
                let at = pack.find(pack.first(), field, 2)?;
                pack.next(at).map(|value| pack.at(value))
            }
            Self::Table(table) => table.get(field).map(|pair| Item::Text(pair.value())),
        }
    }

    pub(crate) fn contains(&self, field: &[u8]) -> bool {
        match self {
            Self::Pack(pack) => pack.find(pack.first(), field, 2).is_some(),
            Self::Table(table) => table.find(field).is_some(),
        }
    }

    /// Before pairs are set: gives up the compact form if it cannot hold them.
    pub(crate) fn expect<'a>(
        &mut self,
        fields: usize,
        texts: impl Iterator<Item = &'a [u8]>,
        limits: &Limits,
    ) {
        if let Self::Pack(pack) = self {
            let mut sum = 0;
            let long = texts.map(<[u8]>::len).any(|len| {
                sum += len;
                len > limits.value
            });
            if long || fields > limits.entries || !pack.has_room_for(sum) {
                self.make_table();
            }
        }
    }

    /// Sets the value of a field. Whether the field is new.
    ///
    /// Long texts are for [`expect`](Self::expect) to find; only the number of fields is looked at here.
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        match self {
            Self::Pack(pack) => {
                if let Some(value_at) = pack
                    .find(pack.first(), field, 2)
                    .and_then(|at| pack.next(at))
                {
                    pack.replace(value_at, Item::of(value));
                    return false;
                }
                pack.push_back(field);
                pack.push_back(value);
                if pack.len() / 2 > limits.entries {
                    self.make_table();
                }
                true
            }
            Self::Table(table) => {
                let hash = table.hash(field);
                match table.find_hashed(hash, field) {
                    Some(at) => {
                        let pair = table.at_mut(at);
                        let before = pair.memory();
                        pair.set_value(value);
                        let after = pair.memory();
                        table.note_resized(before, after);
                        false
                    }
                    None => {
                        table.insert_unique(hash, Pair::new(field, value));
                        true
                    }
                }
            }
        }
    }

    fn make_table(&mut self) {
        let mut table = Box::new(Table::new());
        for (field, value) in self.iter() {
            let pair = Pair::new(
                field.bytes(&mut Default::default()),
                value.bytes(&mut Default::default()),
            );
            table.insert_unique(table.hash(pair.key()), pair);
        }
        *self = Self::Table(table);
    }

    /// Takes a field out. `false` if it is not there.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            Self::Pack(pack) => {
                let found = pack.find(pack.first(), field, 2);
                if let Some(at) = found {
                    pack.remove(at, 2);
                }
                found.is_some()
            }
            Self::Table(table) => table.remove(field).is_some(),
        }
    }

    /// All fields with their values: in order of insertion in a pack, else in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
        let (pack, table) = match self {
            Self::Pack(pack) => (Some(pack), None),
            Self::Table(table) => (None, Some(table)),
        };
        let mut items = pack.into_iter().flat_map(Pack::iter);
        let packed = std::iter::from_fn(move || Some((items.next()?, items.next()?)));
        let table = table.into_iter().flat_map(|table| table.iter());
        packed.chain(table.map(|pair| (Item::Text(pair.key()), Item::Text(pair.value()))))
    }

    /// A field with its value, each with the same chance; `None` if there is none.
    pub(crate) fn random(&self, mut random: impl FnMut() -> u64) -> Option<(Item<'_>, Item<'_>)> {
        match self {
            Self::Pack(pack) => {
                let at = pack.nth(2 * below(random(), self.len())?)?;
                Some((pack.at(at), pack.at(pack.next(at)?)))
            }
            Self::Table(table) => {
                let pair = table.at(table.random(random)?);
                Some((Item::Text(pair.key()), Item::Text(pair.value())))
            }
        }
    }

    /// Shows some pairs from `cursor` on, and returns the next cursor, 0 at the end; a compact hash shows all of them.
    pub(crate) fn scan(&self, cursor: u64, mut f: impl FnMut(Item<'_>, Item<'_>)) -> u64 {
        match self {
            Self::Table(table) => table.scan(cursor, |pair| {
                f(Item::Text(pair.key()), Item::Text(pair.value()))
            }),
            Self::Pack(_) => {
                self.iter().for_each(|(field, value)| f(field, value));
                0
            }
        }
    }

    /// The name that `OBJECT ENCODING` gives.
    pub(crate) fn encoding(&self) -> &'static str {
        match self {
            Self::Pack(_) => "listpack",
            Self::Table(_) => "hashtable",
        }
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.memory(),
            Self::Table(table) => size_of::<Table<Pair>>() + table.memory() + table.entry_bytes(),
        }
    }
}

impl From<Hash> for Value {
    fn from(hash: Hash) -> Self {
        Self::Hash(hash)
    }
}

impl ValueType for Hash {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Hash(hash) => Some(hash),
            _ => None,
        }
    }
}
