//! A hash: a pack of fields and values in turn while it is small, a table of pairs when it is large; and beside them the
//! times of fields that expire.

mod expiring;
mod pair;
#[cfg(test)]
mod tests;
mod times;

use self::expiring::Expiring;
pub(crate) use self::pair::Pair;
use crate::keyspace::table::{Entry, Slot, Stats, Table};
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
    Large(Box<Large>),
}

/// What is not compact. One pointer to all of it, so that a hash takes no more room beside its key than a pack does.
#[derive(Debug, Clone)]
pub(crate) enum Large {
    Table(Table<Pair>),
    Expiring(Expiring),
}

/// Any form of a hash.
enum Form<'a> {
    Pack(&'a Pack),
    Table(&'a Table<Pair>),
    Expiring(&'a Expiring),
}

/// Any form of a hash, to be changed.
enum FormMut<'a> {
    Pack(&'a mut Pack),
    Table(&'a mut Table<Pair>),
    Expiring(&'a mut Expiring),
}

impl Default for Hash {
    fn default() -> Self {
        Self::Pack(Pack::default())
    }
}

impl From<Large> for Hash {
    fn from(large: Large) -> Self {
        Self::Large(Box::new(large))
    }
}

impl Hash {
    #[inline]
    fn form(&self) -> Form<'_> {
        match self {
            Self::Pack(pack) => Form::Pack(pack),
            Self::Large(large) => match &**large {
                Large::Table(table) => Form::Table(table),
                Large::Expiring(expiring) => Form::Expiring(expiring),
            },
        }
    }

    #[inline]
    fn form_mut(&mut self) -> FormMut<'_> {
        match self {
            Self::Pack(pack) => FormMut::Pack(pack),
            Self::Large(large) => match &mut **large {
                Large::Table(table) => FormMut::Table(table),
                Large::Expiring(expiring) => FormMut::Expiring(expiring),
            },
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self.form() {
            Form::Pack(pack) => pack.len() / 2,
            Form::Table(table) => table.len(),
            Form::Expiring(expiring) => expiring.len(),
        }
    }

    /// Whether fields are due that are not taken out yet.
    pub(crate) fn hides_any(&self) -> bool {
        matches!(self.form(), Form::Expiring(expiring) if expiring.hides_any())
    }

    /// Whether it holds nothing at all, not even fields that only wait to be taken out.
    pub(crate) fn is_empty(&self) -> bool {
        match self.form() {
            Form::Expiring(expiring) => expiring.fields.is_empty(),
            _ => self.len() == 0,
        }
    }

    pub(crate) fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        match self.form() {
            Form::Pack(pack) => {
                let at = pack.find(pack.first(), field, 2)?;
                pack.next(at).map(|value| pack.at(value))
            }
            Form::Table(table) => table.get(field).map(|pair| Item::Text(pair.value())),
            Form::Expiring(expiring) if expiring.hides(field) => None,
            Form::Expiring(expiring) => expiring.fields.get(field),
        }
    }

    pub(crate) fn contains(&self, field: &[u8]) -> bool {
        match self.form() {
            Form::Pack(pack) => pack.find(pack.first(), field, 2).is_some(),
            Form::Table(table) => table.find(field).is_some(),
            Form::Expiring(expiring) => !expiring.hides(field) && expiring.fields.contains(field),
        }
    }

    /// Before pairs are set: gives up the compact form if it cannot hold them.
    pub(crate) fn expect<'a>(
        &mut self,
        fields: usize,
        texts: impl Iterator<Item = &'a [u8]>,
        limits: &Limits,
    ) {
        if let FormMut::Expiring(expiring) = self.form_mut() {
            return expiring.fields.expect(fields, texts, limits);
        }
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

    /// Sets the value of a field, which from then on does not expire. Whether the field is new.
    ///
    /// Long texts are for [`expect`](Self::expect) to find; only the number of fields is looked at here.
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        match self.form_mut() {
            FormMut::Pack(pack) => {
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
            FormMut::Table(table) => {
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
            FormMut::Expiring(_) => {
                let is_new = self.set_keeping_expiry(field, value, limits);
                self.persist(field);
                is_new
            }
        }
    }

    fn make_table(&mut self) {
        let mut table = Table::new();
        for (field, value) in self.iter() {
            let pair = Pair::new(
                field.bytes(&mut Default::default()),
                value.bytes(&mut Default::default()),
            );
            table.insert_unique(table.hash(pair.key()), pair);
        }
        *self = Large::Table(table).into();
    }

    /// Takes a field out. `false` if it is not there.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        match self.form_mut() {
            FormMut::Pack(pack) => {
                let found = pack.find(pack.first(), field, 2);
                if let Some(at) = found {
                    pack.remove(at, 2);
                }
                found.is_some()
            }
            FormMut::Table(table) => table.remove(field).is_some(),
            FormMut::Expiring(expiring) => {
                let was_there = !expiring.hides(field);
                let removed = expiring.fields.remove(field);
                expiring.times.remove(field);
                self.settle();
                removed && was_there
            }
        }
    }

    /// All fields with their values: in order of insertion in a pack, else in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
        let (plain, hiding) = match self.form() {
            Form::Expiring(expiring) => {
                let hiding = Some(expiring).filter(|expiring| expiring.hides_any());
                (&expiring.fields, hiding)
            }
            _ => (self, None),
        };
        let (pack, table) = match plain.form() {
            Form::Pack(pack) => (Some(pack), None),
            Form::Table(table) => (None, Some(table)),
            Form::Expiring(_) => (None, None),
        };
        let mut items = pack.into_iter().flat_map(Pack::iter);
        let packed = std::iter::from_fn(move || Some((items.next()?, items.next()?)));
        let table = table.into_iter().flat_map(|table| table.iter());
        let all =
            packed.chain(table.map(|pair| (Item::Text(pair.key()), Item::Text(pair.value()))));
        all.filter(move |(field, _)| {
            hiding.is_none_or(|hiding| !hiding.hides(field.bytes(&mut Default::default())))
        })
    }

    /// A field with its value, each with the same chance; `None` if there is none.
    pub(crate) fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<(Item<'_>, Item<'_>)> {
        match self.form() {
            Form::Pack(pack) => {
                let at = pack.nth(2 * below(random(), self.len())?)?;
                Some((pack.at(at), pack.at(pack.next(at)?)))
            }
            Form::Table(table) => {
                let pair = table.at(table.random(random)?);
                Some((Item::Text(pair.key()), Item::Text(pair.value())))
            }
            Form::Expiring(expiring) if expiring.hides_any() => {
                self.iter().nth(below(random(), self.len())?)
            }
            Form::Expiring(expiring) => expiring.fields.random(random),
        }
    }

    /// Shows some pairs from `cursor` on, and returns the next cursor, 0 at the end; a compact hash shows all of them.
    pub(crate) fn scan(&self, cursor: u64, f: &mut dyn FnMut(Item<'_>, Item<'_>)) -> u64 {
        match self.form() {
            Form::Table(table) => table.scan(cursor, |pair| {
                f(Item::Text(pair.key()), Item::Text(pair.value()))
            }),
            Form::Pack(_) => {
                self.iter().for_each(|(field, value)| f(field, value));
                0
            }
            Form::Expiring(expiring) => expiring.fields.scan(cursor, &mut |field, value| {
                if !expiring.hides(field.bytes(&mut Default::default())) {
                    f(field, value);
                }
            }),
        }
    }

    /// Whether a few random fields are found without looking at all.
    pub(crate) fn is_table(&self) -> bool {
        match self.form() {
            Form::Pack(_) => false,
            Form::Table(_) => true,
            Form::Expiring(expiring) => !expiring.hides_any() && expiring.fields.is_table(),
        }
    }

    /// How full its table is, if it is one.
    pub(crate) fn table_stats(&self) -> Option<Stats> {
        match self.form() {
            Form::Table(table) => Some(table.stats()),
            Form::Pack(_) | Form::Expiring(_) => None,
        }
    }

    /// The name that `OBJECT ENCODING` gives.
    pub(crate) fn encoding(&self) -> &'static str {
        match self.form() {
            Form::Pack(_) => "listpack",
            Form::Table(_) => "hashtable",
            Form::Expiring(expiring) if matches!(expiring.fields, Self::Pack(_)) => "listpackex",
            Form::Expiring(_) => "hashtable",
        }
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        match self.form() {
            Form::Pack(pack) => pack.memory(),
            Form::Table(table) => size_of::<Large>() + table.memory() + table.entry_bytes(),
            Form::Expiring(expiring) => {
                size_of::<Large>() + expiring.fields.memory() + expiring.times.memory()
            }
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
