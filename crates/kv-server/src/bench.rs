//! The structures of `value/` for the benches, each with what the bench measures.

#![allow(missing_docs, reason = "no API")]
#![allow(clippy::missing_panics_doc, reason = "no API")]

use crate::value::bits;
use crate::value::list::{self, End};
use crate::value::set::{self, IntSet};
use crate::value::zset::Cut;
use crate::value::{Item, hash, pack, zset};

/// A short sequence in one allocation.
#[derive(Debug, Clone, Default)]
pub struct Pack(pack::Pack);

impl Pack {
    pub fn push_back(&mut self, text: &[u8]) {
        self.0.push_back(text);
    }

    #[must_use]
    pub fn contains(&self, text: &[u8]) -> bool {
        self.0.find(self.0.first(), text, 1).is_some()
    }

    #[must_use]
    pub fn nth_is_text(&self, index: usize) -> bool {
        let at = self.0.nth(index);
        at.is_some_and(|at| matches!(self.0.at(at), Item::Text(_)))
    }

    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let len = |item| match item {
            Item::Text(text) => text.len(),
            Item::Int(_) => 1,
        };
        self.0.iter().map(len).sum()
    }
}

/// A long sequence.
#[derive(Debug, Clone, Default)]
pub struct List(list::List);

impl List {
    pub fn push_back(&mut self, text: &[u8]) {
        let limits = list::Limits::default();
        self.0.expect(1, text.len(), limits);
        self.0.push(End::Right, text, limits);
    }

    pub fn pop_front(&mut self) -> bool {
        self.0.pop(End::Left, list::Limits::default(), |_| {})
    }

    #[must_use]
    pub fn has(&self, index: usize) -> bool {
        self.0.get(index).is_some()
    }

    pub fn insert(&mut self, index: usize, text: &[u8]) {
        self.0.insert(index, text, list::Limits::default());
    }

    pub fn remove(&mut self, index: usize) {
        self.0.remove(index, 1, list::Limits::default());
    }
}

/// Fields and values.
#[derive(Debug, Clone, Default)]
pub struct Hash(hash::Hash);

impl Hash {
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        self.0.set(field, value, &hash::Limits::default())
    }

    #[must_use]
    pub fn contains(&self, field: &[u8]) -> bool {
        self.0.get(field).is_some()
    }

    pub fn remove(&mut self, field: &[u8]) -> bool {
        self.0.remove(field)
    }
}

/// Integers in order.
#[derive(Debug, Clone, Default)]
pub struct Ints(IntSet);

impl Ints {
    pub fn insert(&mut self, number: i64) -> bool {
        self.0.insert(number)
    }

    #[must_use]
    pub fn contains(&self, number: i64) -> bool {
        self.0.contains(number)
    }
}

/// Members.
#[derive(Debug, Clone, Default)]
pub struct Set(set::Set);

impl Set {
    pub fn insert(&mut self, member: &[u8]) -> bool {
        self.0.insert(member, &set::Limits::default())
    }

    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.0.contains(member)
    }

    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.0.remove(member)
    }
}

/// Members with scores.
#[derive(Debug, Clone, Default)]
pub struct Zset(zset::Zset);

impl Zset {
    pub fn insert(&mut self, member: &[u8], score: f64) -> bool {
        self.0.insert(member, score, &zset::Limits::default())
    }

    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        self.0.rank(member).map(|(rank, _)| rank)
    }

    #[must_use]
    pub fn count_below(&self, score: f64) -> usize {
        self.0.count_before(Cut::BeforeScore(score))
    }

    #[must_use]
    pub fn sum_of(&self, rank: usize, count: usize) -> f64 {
        let scored = self.0.iter_from(rank).take(count);
        scored.map(|(_, score)| score).sum()
    }

    pub fn pop_first(&mut self) {
        self.0.remove_range(0, 1);
    }
}

/// BITCOUNT of a whole string.
#[must_use]
pub fn count_bits(bytes: &[u8]) -> u64 {
    bits::count(bytes)
}

/// BITPOS of a whole string.
#[must_use]
pub fn first_bit(bytes: &[u8], on: bool) -> Option<u64> {
    bits::position(bytes, on, 0..bytes.len() as u64 * 8)
}

/// BITOP AND.
#[must_use]
pub fn and(strings: &[&[u8]]) -> Vec<u8> {
    bits::combine(bits::Operation::And, strings)
}
