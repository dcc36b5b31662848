//! A sorted set: a pack in order while it is small; members by hash and scores in a tree when it is large.

mod indexed;
mod members;
mod packed;
#[cfg(test)]
mod tests;
mod tree;

use self::indexed::Indexed;
use crate::value::pack::{Item, Pack};
use crate::value::{Value, ValueType};

/// When a sorted set changes its form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// `zset-max-listpack-entries`
    pub(crate) entries: usize,
    /// `zset-max-listpack-value`, in bytes.
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

/// A member with its score.
pub(crate) type Scored<'a> = (Item<'a>, f64);

/// A place between two members.
///
/// Places by member are meant for sets in which all scores are equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cut<'a> {
    Start,
    BeforeScore(f64),
    AfterScore(f64),
    BeforeMember(&'a [u8]),
    AfterMember(&'a [u8]),
    End,
}

/// Byte strings in the order of their scores, those with the same score in their own order.
#[derive(Debug, Clone)]
pub(crate) enum Zset {
    Pack(Pack),
    Tree(Box<Indexed>),
}

impl Default for Zset {
    fn default() -> Self {
        Self::Pack(Pack::default())
    }
}

impl Zset {
    /// An empty set that is about to get `count` members, the longest of `longest` bytes as far as is known.
    pub(crate) fn for_members(count: usize, longest: usize, limits: &Limits) -> Self {
        if count <= limits.entries && longest <= limits.value {
            Self::default()
        } else {
            Self::Tree(Box::default())
        }
    }

    /// `count` members are about to be added: the compact form is given up at once if it cannot hold them.
    pub(crate) fn expect(&mut self, count: usize, limits: &Limits) {
        if matches!(self, Self::Pack(_)) && count > limits.entries {
            self.make_tree();
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.len() / 2,
            Self::Tree(tree) => tree.len(),
        }
    }

    pub(crate) fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Pack(pack) => packed::find(pack, member).map(|(_, score)| score),
            Self::Tree(tree) => tree.score(member),
        }
    }

    /// How many members are before this one, and its score.
    pub(crate) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            Self::Pack(pack) => packed::rank_of(pack, member),
            Self::Tree(tree) => tree.rank(member),
        }
    }

    /// How many members are before a place.
    pub(crate) fn count_before(&self, cut: Cut<'_>) -> usize {
        match self {
            Self::Pack(pack) => packed::count_before(pack, cut),
            Self::Tree(tree) => tree.count_before(cut),
        }
    }

    /// Asks `decide` for the new score of a member, telling it the present one; `None` changes nothing. Scores are never NaN.
    pub(crate) fn update(
        &mut self,
        member: &[u8],
        limits: &Limits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) {
        let pack = match self {
            Self::Pack(pack) => pack,
            Self::Tree(tree) => return tree.update(member, decide),
        };
        match packed::find(pack, member) {
            Some((at, old)) => {
                if let Some(score) = decide(Some(old)).filter(|&score| score != old) {
                    packed::set_score(pack, at, score);
                }
            }
            None => {
                if let Some(score) = decide(None) {
                    self.insert_new(member, score, limits);
                }
            }
        }
    }

    /// Sets the score of a member. `false` if the member was there before.
    pub(crate) fn insert(&mut self, member: &[u8], score: f64, limits: &Limits) -> bool {
        let mut is_new = false;
        self.update(member, limits, |old| {
            is_new = old.is_none();
            Some(score)
        });
        is_new
    }

    /// Adds a member that is not there.
    fn insert_new(&mut self, member: &[u8], score: f64, limits: &Limits) {
        match self {
            Self::Pack(pack)
                if pack.len() / 2 < limits.entries
                    && member.len() <= limits.value
                    && pack.has_room_for(member.len()) =>
            {
                packed::insert(pack, member, score);
            }
            Self::Pack(_) => {
                self.make_tree();
                self.insert_new(member, score, limits);
            }
            Self::Tree(tree) => tree.insert(member, score),
        }
    }

    fn make_tree(&mut self) {
        let mut tree = Box::<Indexed>::default();
        for (member, score) in self.iter() {
            tree.insert(member.bytes(&mut Default::default()), score);
        }
        *self = Self::Tree(tree);
    }

    /// Takes the compact form if the limits allow it: for a set that was just made as the result of an operation.
    pub(crate) fn compact(&mut self, limits: &Limits) {
        let fits = self.len() <= limits.entries
            && self.iter().all(|(member, _)| member.len() <= limits.value);
        if fits && matches!(self, Self::Tree(_)) {
            let mut pack = Pack::default();
            for (member, score) in self.iter() {
                packed::insert(&mut pack, member.bytes(&mut Default::default()), score);
            }
            *self = Self::Pack(pack);
        }
    }

    /// Takes a member out. `false` if it is not there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Pack(pack) => {
                let found = pack.find(pack.first(), member, 2);
                if let Some(at) = found {
                    pack.remove(at, 2);
                }
                found.is_some()
            }
            Self::Tree(tree) => tree.remove(member),
        }
    }

    /// Takes `count` members from number `rank` on out, as far as they exist.
    pub(crate) fn remove_range(&mut self, rank: usize, count: usize) {
        match self {
            Self::Pack(pack) => {
                pack.remove_range(rank.saturating_mul(2), count.saturating_mul(2));
            }
            Self::Tree(tree) => tree.remove_range(rank, count),
        }
    }

    /// All members in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Scored<'_>> {
        self.iter_from(0)
    }

    /// The members from number `rank` on.
    pub(crate) fn iter_from(&self, rank: usize) -> impl Iterator<Item = Scored<'_>> {
        let (pack, tree) = self.forms();
        let pack = pack.map(|pack| packed::iter_from(pack, rank));
        let tree = tree.map(|tree| tree.iter_from(rank));
        pack.into_iter().flatten().chain(tree.into_iter().flatten())
    }

    /// The members before number `rank`, the last one first.
    pub(crate) fn iter_back_from(&self, rank: usize) -> impl Iterator<Item = Scored<'_>> {
        let rank = rank.min(self.len());
        let (pack, tree) = self.forms();
        let pack = pack.map(|pack| packed::iter_back_from(pack, rank));
        let tree = tree.map(|tree| tree.iter_back_from(rank));
        pack.into_iter().flatten().chain(tree.into_iter().flatten())
    }

    fn forms(&self) -> (Option<&Pack>, Option<&Indexed>) {
        match self {
            Self::Pack(pack) => (Some(pack), None),
            Self::Tree(tree) => (None, Some(tree)),
        }
    }

    /// Shows some members from `cursor` on, and returns the next cursor, 0 at the end; a compact set shows all of them.
    pub(crate) fn scan(&self, cursor: u64, mut f: impl FnMut(Scored<'_>)) -> u64 {
        match self {
            Self::Tree(tree) => tree.scan(cursor, f),
            Self::Pack(_) => {
                self.iter().for_each(&mut f);
                0
            }
        }
    }

    /// The name that `OBJECT ENCODING` gives.
    pub(crate) fn encoding(&self) -> &'static str {
        match self {
            Self::Pack(_) => "listpack",
            Self::Tree(_) => "skiplist",
        }
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.memory(),
            Self::Tree(tree) => tree.memory(),
        }
    }
}

impl From<Zset> for Value {
    fn from(zset: Zset) -> Self {
        Self::Zset(zset)
    }
}

impl ValueType for Zset {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Zset(zset) => Some(zset),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Zset(zset) => Some(zset),
            _ => None,
        }
    }
}
