//! A large sorted set: members in a store of records, found by their hashes and, in order, through a tree.

use std::hint::black_box;

use super::members::{Id, Members};
use super::tree::{LEAF, Place, Tree};
use super::{Cut, Scored};
use crate::keyspace::table::{Seed, Slot, Table, WARM_MAX};
use crate::value::pack::Item;

/// Who is in a slot of the index: an id plus one, 0 for nobody.
#[derive(Debug, Clone, Copy, Default)]
struct Ref(u32);

impl Ref {
    fn new(id: Id) -> Self {
        Self(id.number() + 1)
    }

    #[inline]
    fn id(self) -> Id {
        Id::of_number(self.0 - 1)
    }
}

impl Slot for Ref {
    #[inline]
    fn is_vacant(&self) -> bool {
        self.0 == 0
    }
}

/// Members that are read ahead together.
const AHEAD: usize = 8;
const _: () = assert!(AHEAD <= WARM_MAX);

/// Members with scores; each member's bytes are stored once.
#[derive(Debug, Default, Clone)]
pub(crate) struct Indexed {
    members: Members,
    index: Table<Ref>,
    tree: Tree,
    /// How many more members can leave from an end before others are [read ahead](Self::warm).
    warmed: usize,
}

/// Finds the hash of whoever is in a slot.
fn rehash(seed: Seed, members: &Members) -> impl Fn(&Ref) -> u64 + '_ {
    move |slot| seed.hash(members.text(slot.id()))
}

/// Whether a place comes before a member with this score.
fn is_before(members: &Members, score: f64, text: &[u8]) -> impl Fn(Place) -> bool {
    move |place| place.score < score || place.score == score && members.text(place.id) < text
}

/// Whether a place comes before a member with this score, or is the member's own.
fn is_upto(members: &Members, score: f64, text: &[u8]) -> impl Fn(Place) -> bool {
    move |place| place.score < score || place.score == score && members.text(place.id) <= text
}

impl Indexed {
    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    fn find(&self, member: &[u8]) -> Option<Id> {
        let is = |slot: &Ref| self.members.text(slot.id()) == member;
        let at = self.index.find_by(self.index.hash(member), is)?;
        Some(self.index.at(at).id())
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|id| self.members.score(id))
    }

    /// How many members are before this one, and its score.
    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        let rank = self.tree.count(is_before(&self.members, score, member));
        Some((rank, score))
    }

    /// How many members are before a cut.
    pub(super) fn count_before(&self, cut: Cut<'_>) -> usize {
        let members = &self.members;
        match cut {
            Cut::Start => 0,
            Cut::BeforeScore(score) => self.tree.count(|place| place.score < score),
            Cut::AfterScore(score) => self.tree.count(|place| place.score <= score),
            Cut::BeforeMember(text) => self.tree.count(|place| members.text(place.id) < text),
            Cut::AfterMember(text) => self.tree.count(|place| members.text(place.id) <= text),
            Cut::End => self.len(),
        }
    }

    /// Asks `decide` for the new score of a member, telling it the present one; `None` changes nothing.
    pub(super) fn update(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) {
        let hash = self.index.hash(member);
        let members = &self.members;
        let found = self
            .index
            .find_by(hash, |slot| members.text(slot.id()) == member);
        let Some(at) = found else {
            if let Some(score) = decide(None) {
                self.insert_new(hash, member, score);
            }
            return;
        };
        let id = self.index.at(at).id();
        let old = self.members.score(id);
        let Some(score) = decide(Some(old)).filter(|&score| score != old) else {
            return;
        };
        self.members.set_score(id, score);
        let upto = is_upto(&self.members, old, member);
        if !self.tree.set_score(score, &upto) {
            self.tree.remove(&upto);
            let before = is_before(&self.members, score, member);
            self.tree.insert(Place { score, id }, before);
        }
    }

    /// Adds a member that is not there.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        self.insert_new(self.index.hash(member), member, score);
    }

    fn insert_new(&mut self, hash: u64, member: &[u8], score: f64) {
        let id = self.members.insert(member, score);
        let seed = self.index.seed();
        self.index
            .insert_by(hash, Ref::new(id), rehash(seed, &self.members));
        self.tree
            .insert(Place { score, id }, is_before(&self.members, score, member));
    }

    /// Takes a member out. `false` if it is not there.
    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let Some(id) = self.find(member) else {
            return false;
        };
        let score = self.members.score(id);
        self.tree.remove(is_upto(&self.members, score, member));
        self.forget(id);
        self.tighten(1);
        true
    }

    /// Takes `count` members from number `rank` on out, as far as they exist.
    pub(super) fn remove_range(&mut self, rank: usize, count: usize) {
        if count == 1 && (rank == 0 || rank + 1 == self.len()) {
            self.warm(rank == 0);
        }
        let mut left = count;
        while left > 0 {
            // What leaves at once is of one leaf.
            let (mut gone, mut removed) = ([Id::default(); LEAF], 0);
            self.tree.remove_run(rank, left, |place| {
                gone[removed] = place.id;
                removed += 1;
            });
            if removed == 0 {
                break;
            }
            left -= removed;
            gone[..removed].iter().for_each(|&id| self.forget(id));
            self.tighten(removed);
        }
    }

    /// Members often leave one after the other, from an end: reads where the index has some that will go soon, so that the cache misses of them all overlap.
    fn warm(&mut self, from_front: bool) {
        if !self.index.is_worth_warming() {
            return;
        }
        if self.warmed == 0 {
            let mut ids = [Id::default(); AHEAD];
            let mut count = 0;
            let mut note = |place: Place| {
                ids[count] = place.id;
                count += 1;
            };
            if from_front {
                self.tree.run(0).take(AHEAD).for_each(&mut note);
            } else {
                let run = self.tree.run_back(self.len());
                run.rev().take(AHEAD).for_each(&mut note);
            }
            let ids = &ids[..count];
            let touched = ids.iter().map(|&id| self.members.touch(id));
            black_box(touched.sum::<usize>());
            self.index.warm(ids.iter().map(|&id| self.members.text(id)));
            self.warmed = count.max(1);
        }
        self.warmed -= 1;
    }

    /// Takes a member that the tree does not have any more out of the index and the store.
    fn forget(&mut self, id: Id) {
        let seed = self.index.seed();
        let hash = self.index.hash(self.members.text(id));
        if let Some(at) = self.index.find_by(hash, |slot| slot.id() == id) {
            self.index.remove_at_by(at, rehash(seed, &self.members));
        }
        self.members.remove(id);
    }

    /// After so many members went: moves others to free records, if there are many.
    fn tighten(&mut self, removed: usize) {
        // Two for one, so that never more is free than taken.
        for _ in 0..2 * removed {
            let Some((last, to)) = self.members.loose() else {
                return;
            };
            let text = self.members.text(last);
            let upto = is_upto(&self.members, self.members.score(last), text);
            self.tree.set_id(last, to, upto);
            let hash = self.index.hash(text);
            if let Some(at) = self.index.find_by(hash, |slot| slot.id() == last) {
                *self.index.at_mut(at) = Ref::new(to);
            }
            self.members.relocate(last, to);
        }
    }

    fn scored(&self, place: Place) -> Scored<'_> {
        (Item::Text(self.members.text(place.id)), place.score)
    }

    /// The members from number `rank` on.
    pub(super) fn iter_from(&self, mut rank: usize) -> impl Iterator<Item = Scored<'_>> {
        let runs = std::iter::from_fn(move || {
            let run = self.tree.run(rank);
            (rank < self.len()).then(|| {
                rank += run.size_hint().0;
                run
            })
        });
        runs.flatten().map(|place| self.scored(place))
    }

    /// The members before number `rank`, the last one first.
    pub(super) fn iter_back_from(&self, mut rank: usize) -> impl Iterator<Item = Scored<'_>> {
        let runs = std::iter::from_fn(move || {
            (rank > 0).then(|| {
                let run = self.tree.run_back(rank);
                rank -= run.size_hint().0;
                run.rev()
            })
        });
        runs.flatten().map(|place| self.scored(place))
    }

    /// Shows some members from `cursor` on, and returns the next cursor, 0 at the end.
    pub(super) fn scan(&self, cursor: u64, mut f: impl FnMut(Scored<'_>)) -> u64 {
        let hash = rehash(self.index.seed(), &self.members);
        self.index.scan_by(cursor, hash, |slot| {
            let id = slot.id();
            f((Item::Text(self.members.text(id)), self.members.score(id)));
        })
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.members.memory() + self.index.memory() + self.tree.memory()
    }

    /// The same, added up.
    #[cfg(test)]
    pub(super) fn memory_added_up(&self) -> usize {
        let structure = size_of::<Self>() + self.index.memory();
        structure + self.members.memory_added_up() + self.tree.memory_added_up()
    }
}
