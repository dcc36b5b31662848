//! A set: sorted integers or a pack while it is small, a table of members when it is large.

mod intset;
#[cfg(test)]
mod tests;

pub(crate) use self::intset::IntSet;
use crate::keyspace::table::{Entry, Position, Slot, Table};
use crate::value::blob::Blob;
use crate::value::pack::{Item, Pack, digits_of};
use crate::value::{Value, ValueType};

/// When a set changes its form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// `set-max-intset-entries`
    pub(crate) ints: usize,
    /// `set-max-listpack-entries`
    pub(crate) entries: usize,
    /// `set-max-listpack-value`, in bytes.
    pub(crate) value: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ints: 512,
            entries: 128,
            value: 64,
        }
    }
}

/// Whether a difference is less work by asking the others about each member of the first one than by taking all of theirs out of it; takes their lengths.
pub(crate) fn asking_is_less(first: usize, others: impl ExactSizeIterator<Item = usize>) -> bool {
    let asking = first.saturating_mul(others.len() + 1) / 2;
    asking <= first + others.sum::<usize>()
}

/// A set of byte strings.
#[derive(Debug, Clone)]
pub(crate) enum Set {
    Ints(IntSet),
    Pack(Pack),
    Table(Box<Table<Member>>),
}

/// A member of a set in the form of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Member(Blob);

impl Slot for Member {
    #[inline]
    fn is_vacant(&self) -> bool {
        self.0.is_vacant()
    }

    #[inline]
    fn touch(&self) -> usize {
        self.0.touch()
    }

    #[inline]
    fn memory(&self) -> usize {
        self.0.memory()
    }
}

impl Entry for Member {
    #[inline]
    fn key(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::Ints(IntSet::default())
    }
}

impl Set {
    /// An empty set that is about to get `count` members, the first of them `first`.
    pub(crate) fn for_members(first: &[u8], count: usize, limits: &Limits) -> Self {
        let is_int = Item::of(first).integer().is_some();
        if is_int && count <= limits.ints {
            Self::default()
        } else if count <= limits.entries {
            Self::Pack(Pack::default())
        } else {
            Self::Table(Box::default())
        }
    }

    /// `count` members are about to be added: a compact form that cannot hold them is given up at once.
    pub(crate) fn expect(&mut self, count: usize, limits: &Limits) {
        let too_many = match self {
            Self::Ints(_) => count > limits.ints,
            Self::Pack(_) => count > limits.entries,
            Self::Table(_) => false,
        };
        if too_many {
            self.make_table();
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Pack(pack) => pack.len(),
            Self::Table(table) => table.len(),
        }
    }

    pub(crate) fn contains(&self, member: &[u8]) -> bool {
        match self {
            Self::Ints(ints) => Item::of(member)
                .integer()
                .is_some_and(|number| ints.contains(number)),
            Self::Pack(pack) => pack.find(pack.first(), member, 1).is_some(),
            Self::Table(table) => table.find(member).is_some(),
        }
    }

    /// Adds a member. `false` if it is there already.
    pub(crate) fn insert(&mut self, member: &[u8], limits: &Limits) -> bool {
        match self {
            Self::Ints(ints) => {
                let Some(number) = Item::of(member).integer() else {
                    self.leave_ints(member.len(), limits);
                    return self.insert(member, limits);
                };
                let new = ints.insert(number);
                if ints.len() > limits.ints {
                    self.make_table();
                }
                new
            }
            Self::Pack(pack) => {
                if pack.find(pack.first(), member, 1).is_some() {
                    return false;
                }
                if pack.len() < limits.entries
                    && member.len() <= limits.value
                    && pack.has_room_for(member.len())
                {
                    pack.push_back(member);
                    return true;
                }
                self.make_table();
                self.insert(member, limits)
            }
            Self::Table(table) => {
                let hash = table.hash(member);
                let new = table.find_hashed(hash, member).is_none();
                if new {
                    table.insert_unique(hash, Member(Blob::of(&[member])));
                }
                new
            }
        }
    }

    /// A member that is no integer of `len` bytes comes to a set of integers.
    fn leave_ints(&mut self, len: usize, limits: &Limits) {
        let Self::Ints(ints) = self else {
            return;
        };
        let ends = [ints.first(), ints.last()];
        let longest = ends.into_iter().flatten().map(digits_of).max().unwrap_or(0);
        if ints.len() < limits.entries && len.max(longest) <= limits.value {
            let mut pack = Pack::default();
            for number in ints.iter() {
                pack.insert(pack.behind(), Item::Int(number));
            }
            *self = Self::Pack(pack);
        } else {
            self.make_table();
        }
    }

    fn make_table(&mut self) {
        let mut table = Box::new(Table::new());
        for item in self.iter() {
            let member = Member(Blob::of(&[item.bytes(&mut Default::default())]));
            table.insert_unique(table.hash(member.key()), member);
        }
        *self = Self::Table(table);
    }

    /// Takes the most compact form: for a set that was just made as the result of an operation.
    pub(crate) fn compact(&mut self, limits: &Limits) {
        if !matches!(self, Self::Ints(_))
            && self.len() <= limits.ints
            && self.iter().all(|item| item.integer().is_some())
        {
            let mut ints = IntSet::default();
            self.iter().filter_map(Item::integer).for_each(|number| {
                ints.insert(number);
            });
            *self = Self::Ints(ints);
        }
    }

    /// Takes a member out. `false` if it is not there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Ints(ints) => Item::of(member)
                .integer()
                .is_some_and(|number| ints.remove(number)),
            Self::Pack(pack) => {
                let found = pack.find(pack.first(), member, 1);
                if let Some(at) = found {
                    pack.remove(at, 1);
                }
                found.is_some()
            }
            Self::Table(table) => table.remove(member).is_some(),
        }
    }

    /// All members: ascending if they are integers, in order of insertion in a pack, else in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        let (ints, pack, table) = match self {
            Self::Ints(ints) => (Some(ints), None, None),
            Self::Pack(pack) => (None, Some(pack), None),
            Self::Table(table) => (None, None, Some(table)),
        };
        let ints = ints.into_iter().flat_map(IntSet::iter).map(Item::Int);
        let pack = pack.into_iter().flat_map(Pack::iter);
        let table = table.into_iter().flat_map(|table| table.iter());
        ints.chain(pack)
            .chain(table.map(|member| Item::Text(member.key())))
    }

    /// A member, each with the same chance; `None` if there is none.
    pub(crate) fn random(&self, random: impl FnMut() -> u64) -> Option<Item<'_>> {
        match (self, self.place(random)?) {
            (Self::Ints(ints), Place::Index(index)) => Some(Item::Int(ints.at(index))),
            (Self::Pack(pack), Place::Index(index)) => pack.nth(index).map(|at| pack.at(at)),
            (Self::Table(table), Place::Table(at)) => Some(Item::Text(table.at(at).key())),
            _ => None,
        }
    }

    /// Takes a random member out and shows it.
    pub(crate) fn pop(&mut self, random: impl FnMut() -> u64, f: impl FnOnce(Item<'_>)) -> bool {
        match (self.place(random), self) {
            (Some(Place::Index(index)), Self::Ints(ints)) => {
                f(Item::Int(ints.at(index)));
                ints.remove_at(index);
            }
            (Some(Place::Index(index)), Self::Pack(pack)) => {
                let at = pack.nth(index).unwrap_or_else(|| pack.first());
                f(pack.at(at));
                pack.remove(at, 1);
            }
            (Some(Place::Table(at)), Self::Table(table)) => {
                f(Item::Text(table.remove_at(at).key()))
            }
            _ => return false,
        }
        true
    }

    fn place(&self, mut random: impl FnMut() -> u64) -> Option<Place> {
        match self {
            Self::Table(table) => table.random(random).map(Place::Table),
            _ => below(random(), self.len()).map(Place::Index),
        }
    }

    /// Shows some members from `cursor` on, and returns the next cursor, 0 at the end; a compact set shows all of them.
    pub(crate) fn scan(&self, cursor: u64, mut f: impl FnMut(Item<'_>)) -> u64 {
        match self {
            Self::Table(table) => table.scan(cursor, |member| f(Item::Text(member.key()))),
            _ => {
                self.iter().for_each(f);
                0
            }
        }
    }

    /// The name that `OBJECT ENCODING` gives.
    pub(crate) fn encoding(&self) -> &'static str {
        match self {
            Self::Ints(_) => "intset",
            Self::Pack(_) => "listpack",
            Self::Table(_) => "hashtable",
        }
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.memory(),
            Self::Pack(pack) => pack.memory(),
            Self::Table(table) => size_of::<Table<Member>>() + table.memory() + table.entry_bytes(),
        }
    }
}

/// Where a randomly chosen member is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Index(usize),
    Table(Position),
}

/// Maps 64 random bits to `0..len`.
pub(super) fn below(random: u64, len: usize) -> Option<usize> {
    let wide = u128::from(random) * len as u128;
    (len > 0).then(|| usize::try_from(wide >> 64).unwrap_or(0))
}

impl From<Set> for Value {
    fn from(set: Set) -> Self {
        Self::Set(set)
    }
}

impl ValueType for Set {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Set(set) => Some(set),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Set(set) => Some(set),
            _ => None,
        }
    }
}
