//! A map that is filled in the order of its keys and emptied from the front: the nodes of a stream by id.
//!
//! A `BTreeMap` leaves each of its nodes half empty when keys come in order, and has room for eleven from the first one on.

use std::collections::VecDeque;

use crate::value::Held;

/// Keys in ascending order with values, in runs without gaps.
#[derive(Debug)]
pub(crate) struct Runs<K, V> {
    /// None is empty.
    runs: VecDeque<Run<K, V>>,
    len: usize,
    /// Entries that there is memory for.
    room: usize,
}

#[derive(Debug, Clone)]
struct Run<K, V> {
    /// Not greater than the first key, and greater than the last one of the run before; here, so that a search reads few runs.
    from: K,
    entries: Held<Vec<(K, V)>>,
}

const _: () = assert!(
    size_of::<Run<u64, u64>>() == 32,
    "who may share takes no room"
);

/// Entries of a run at most.
const RUN: usize = 64;

/// A place between entries: a run, and how many of its entries come before, which is less than all; or the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    run: usize,
    at: usize,
}

impl<K, V> Default for Runs<K, V> {
    fn default() -> Self {
        Self {
            runs: VecDeque::new(),
            len: 0,
            room: 0,
        }
    }
}

impl<K: Clone, V: Clone> Clone for Runs<K, V> {
    fn clone(&self) -> Self {
        Self::of(self.runs.clone())
    }
}

impl<K, V> Runs<K, V> {
    fn of(runs: VecDeque<Run<K, V>>) -> Self {
        Self {
            len: runs.iter().map(|run| run.entries.get().len()).sum(),
            room: runs.iter().map(|run| run.entries.get().capacity()).sum(),
            runs,
        }
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Runs<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let mut entries = self.runs.iter().flat_map(|run| run.entries.get());
        self.len == other.len
            && other
                .runs
                .iter()
                .flat_map(|run| run.entries.get())
                .all(|entry| entries.next() == Some(entry))
    }
}

impl<K: Clone, V: Clone> Runs<K, V> {
    /// Makes a copy cheap: from now on it has all runs in common with this one, until one of them changes.
    pub(crate) fn share(&mut self) {
        for run in &mut self.runs {
            run.entries.share();
        }
    }
}

/// The entries of a run, to be changed; `room` is that of all runs.
#[inline]
fn own<'a, E: Clone>(entries: &'a mut Held<Vec<E>>, room: &mut usize) -> &'a mut Vec<E> {
    if entries.is_shared() {
        take_back(entries, room);
    }
    entries.get_mut()
}

#[cold]
fn take_back<E: Clone>(entries: &mut Held<Vec<E>>, room: &mut usize) {
    *room -= entries.get().capacity();
    *room += entries.get_mut().capacity();
}

impl<K: Ord + Copy, V: Clone> Runs<K, V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a value behind all others. Its key is greater than theirs.
    pub(super) fn push(&mut self, key: K, value: V) -> &mut V {
        debug_assert!(self.last().is_none_or(|(last, _)| last < key), "in order");
        let full = self
            .runs
            .back()
            .is_none_or(|run| run.entries.get().len() == RUN);
        if full {
            // The first run grows as a vector does; a small map has few entries.
            let is_first = self.runs.is_empty();
            if is_first {
                self.runs.reserve_exact(1);
            }
            let entries = Vec::with_capacity(if is_first { 1 } else { RUN });
            self.room += entries.capacity();
            let entries = Held::Own(entries);
            self.runs.push_back(Run { from: key, entries });
        }
        self.len += 1;
        let end = self.runs.len() - 1;
        let entries = own(&mut self.runs[end].entries, &mut self.room);
        let len = entries.len();
        if len == entries.capacity() {
            self.room -= len;
            entries.reserve_exact(len.min(RUN - len));
            self.room += entries.capacity();
        }
        entries.push((key, value));
        &mut entries[len].1
    }

    pub(super) fn last(&self) -> Option<(K, &V)> {
        self.iter().next_back()
    }

    pub(super) fn last_mut(&mut self) -> Option<(K, &mut V)> {
        let run = self.runs.back_mut()?;
        let (key, value) = own(&mut run.entries, &mut self.room).last_mut()?;
        Some((*key, value))
    }

    /// The last value whose key is not greater than this one.
    pub(super) fn upto_mut(&mut self, key: K) -> Option<(K, &mut V)> {
        let Cursor { run, at } = self.back(self.count(|other| other <= key))?;
        let (key, value) = &mut own(&mut self.runs[run].entries, &mut self.room)[at];
        Some((*key, value))
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        let Cursor { run, at } = self.back(self.count(|other| other <= key))?;
        if self.runs[run].entries.get()[at].0 != key {
            return None;
        }
        let entries = own(&mut self.runs[run].entries, &mut self.room);
        let (_, value) = entries.remove(at);
        self.len -= 1;
        self.room -= entries.capacity();
        if entries.is_empty() {
            self.runs.remove(run);
            self.tighten();
            return Some(value);
        }
        if entries.len() <= entries.capacity() / 4 {
            entries.shrink_to(entries.len() * 2);
        }
        self.room += entries.capacity();
        Some(value)
    }

    /// Takes out some values at the front, as many as go at once.
    pub(super) fn pop_first_run(&mut self) {
        if let Some(run) = self.runs.pop_front() {
            self.len -= run.entries.get().len();
            self.room -= run.entries.get().capacity();
        }
    }

    /// Takes out the values of all lesser keys.
    pub(super) fn split_before(&mut self, key: K) -> Self {
        let Cursor { run, at } = self.count(|other| other < key);
        let mut taken = Self::of(self.runs.drain(..run).collect());
        self.room -= taken.room;
        if at > 0 {
            let Run { from, entries } = &mut self.runs[0];
            let (from, entries) = (*from, own(entries, &mut self.room).drain(..at).collect());
            let entries = Held::Own(entries);
            taken.runs.push_back(Run { from, entries });
            taken = Self::of(taken.runs);
        }
        self.len -= taken.len;
        self.tighten();
        taken
    }

    /// After runs went: gives memory back.
    fn tighten(&mut self) {
        if self.runs.len() < self.runs.capacity() / 4 {
            self.runs.shrink_to(self.runs.len() * 2);
        }
    }

    pub(super) fn iter(&self) -> Range<'_, K, V> {
        self.before(Cursor {
            run: self.runs.len(),
            at: 0,
        })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values from the last key that is not greater than `start` to the last that is not greater than `end`.
    pub(super) fn around(&self, start: K, end: K) -> Range<'_, K, V> {
        let from = self.count(|key| key <= start);
        let end = self.count(|key| key <= end);
        let start = self.back(from).unwrap_or(from);
        Range {
            map: self,
            start,
            // A range must not end before it begins.
            end: if end.is_before(start) { start } else { end },
        }
    }

    fn before(&self, end: Cursor) -> Range<'_, K, V> {
        Range {
            map: self,
            start: Cursor { run: 0, at: 0 },
            end,
        }
    }

    /// The place behind the entries whose keys the condition holds for, which are the first ones.
    fn count(&self, holds: impl Fn(K) -> bool) -> Cursor {
        let runs = self.runs.partition_point(|run| holds(run.from));
        let Some(run) = runs.checked_sub(1) else {
            return Cursor { run: 0, at: 0 };
        };
        let entries = self.runs[run].entries.get();
        let at = entries.partition_point(|(key, _)| holds(*key));
        self.normal(run, at)
    }

    fn normal(&self, run: usize, at: usize) -> Cursor {
        if at < self.runs[run].entries.get().len() {
            Cursor { run, at }
        } else {
            Cursor {
                run: run + 1,
                at: 0,
            }
        }
    }

    /// The entry before a place.
    fn back(&self, Cursor { run, at }: Cursor) -> Option<Cursor> {
        if let Some(at) = at.checked_sub(1) {
            return Some(Cursor { run, at });
        }
        let run = run.checked_sub(1)?;
        let at = self.runs[run].entries.get().len() - 1;
        Some(Cursor { run, at })
    }

    /// Bytes allocated for the map, without what the values own.
    pub(super) fn memory(&self) -> usize {
        self.runs.capacity() * size_of::<Run<K, V>>() + self.room * size_of::<(K, V)>()
    }
}

impl Cursor {
    fn is_before(self, other: Self) -> bool {
        (self.run, self.at) < (other.run, other.at)
    }
}

/// Entries in order.
#[derive(Debug)]
pub(super) struct Range<'a, K, V> {
    map: &'a Runs<K, V>,
    start: Cursor,
    end: Cursor,
}

impl<K, V> Clone for Range<'_, K, V> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, K: Ord + Copy, V: Clone> Range<'a, K, V> {
    fn entry(&self, Cursor { run, at }: Cursor) -> (K, &'a V) {
        let (key, value) = &self.map.runs[run].entries.get()[at];
        (*key, value)
    }
}

impl<'a, K: Ord + Copy, V: Clone> Iterator for Range<'a, K, V> {
    type Item = (K, &'a V);

    fn next(&mut self) -> Option<(K, &'a V)> {
        if self.start == self.end {
            return None;
        }
        let entry = self.entry(self.start);
        self.start = self.map.normal(self.start.run, self.start.at + 1);
        Some(entry)
    }
}

impl<K: Ord + Copy, V: Clone> DoubleEndedIterator for Range<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.start == self.end {
            return None;
        }
        self.end = self.map.back(self.end)?;
        Some(self.entry(self.end))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Edit {
        /// So many keys, this far apart.
        Push(u32, u32),
        Remove(usize),
        RemoveMany(usize, usize),
        PopFirst(u32),
        SplitBefore(u32),
        Change(u32),
        /// Somebody reads what there is now from here on.
        Share,
    }

    fn edit() -> impl Strategy<Value = Edit> {
        prop_oneof![
            4 => (1..300_u32, 1..5_u32).prop_map(|(count, step)| Edit::Push(count, step)),
            2 => any::<usize>().prop_map(Edit::Remove),
            1 => (any::<usize>(), 1..150_usize).prop_map(|(from, count)| Edit::RemoveMany(from, count)),
            2 => (0..80_u32).prop_map(Edit::PopFirst),
            2 => (0..1_500_u32).prop_map(Edit::SplitBefore),
            1 => (0..1_500_u32).prop_map(Edit::Change),
            1 => Just(Edit::Share),
        ]
    }

    type Model = BTreeMap<u32, u32>;

    fn remove(runs: &mut Runs<u32, u32>, model: &mut Model, at: usize) {
        if let Some(&key) = model.keys().nth(at % model.len().max(1)) {
            assert_eq!(runs.remove(key), model.remove(&key));
            assert_eq!(runs.remove(key), None);
        }
    }

    fn pop_first<V: Clone>(runs: &mut Runs<u32, V>) -> Option<V> {
        let (key, _) = runs.iter().next()?;
        runs.remove(key)
    }

    fn apply(runs: &mut Runs<u32, u32>, model: &mut Model, edit: Edit) {
        match edit {
            Edit::Push(count, step) => {
                let last = model.keys().next_back().copied().unwrap_or(0);
                for n in 1..=count {
                    let key = last + n * step;
                    *runs.push(key, key) += 1;
                    model.insert(key, key + 1);
                }
            }
            Edit::Remove(at) => remove(runs, model, at),
            Edit::RemoveMany(from, count) => {
                (0..count).for_each(|_| remove(runs, model, from));
            }
            Edit::PopFirst(count) => {
                for _ in 0..count {
                    assert_eq!(pop_first(runs), model.pop_first().map(|(_, value)| value));
                }
            }
            Edit::SplitBefore(key) => {
                let rest = model.split_off(&key);
                let taken = std::mem::replace(model, rest);
                let split = runs.split_before(key);
                check(&split, &taken);
            }
            Edit::Change(key) => {
                let expected = model.range_mut(..=key).next_back();
                let found = runs.upto_mut(key);
                assert_eq!(
                    found.as_ref().map(|(key, value)| (*key, **value)),
                    expected.as_ref().map(|(key, value)| (**key, **value))
                );
                for value in found
                    .map(|(_, value)| value)
                    .into_iter()
                    .chain(expected.map(|(_, value)| value))
                {
                    *value += 7;
                }
            }
            Edit::Share => runs.share(),
        }
    }

    fn check(runs: &Runs<u32, u32>, model: &Model) {
        let expected: Vec<_> = model.iter().map(|(key, value)| (*key, *value)).collect();
        let owned = |(key, value): (u32, &u32)| (key, *value);
        assert_eq!(
            (runs.len(), runs.is_empty()),
            (model.len(), model.is_empty())
        );
        assert_eq!(runs.iter().map(owned).collect::<Vec<_>>(), expected);
        let mut back: Vec<_> = runs.iter().rev().map(owned).collect();
        back.reverse();
        assert_eq!(back, expected);
        assert_eq!(runs.iter().next().map(owned), expected.first().copied());
        assert_eq!(runs.last().map(owned), expected.last().copied());
        let top = model.keys().next_back().copied().unwrap_or(0);
        for start in (0..=top + 2).step_by(37) {
            let upto = model.range(..=start).next_back();
            for end in [start / 2, start, start + 90] {
                let from = upto.map_or(start, |(key, _)| *key);
                let expected: Vec<_> = if from <= end {
                    model.range(from..=end).collect()
                } else {
                    Vec::new()
                };
                let mut both = runs.around(start, end);
                let found: Vec<_> = std::iter::from_fn(|| both.next()).collect();
                assert!(
                    found.iter().map(|(key, value)| (key, *value)).eq(expected),
                    "{start} to {end}"
                );
                assert!(both.next_back().is_none());
            }
        }
        assert_eq!(runs, &runs.clone());
        let room = runs.runs.iter().map(|run| run.entries.get().capacity());
        assert_eq!(runs.room, room.sum::<usize>());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn runs_do_what_a_btree_map_does(edits in prop::collection::vec(edit(), 1..25)) {
            let (mut runs, mut model) = (Runs::default(), Model::new());
            let mut readers = Vec::new();
            for edit in edits {
                let is_read = matches!(edit, Edit::Share);
                apply(&mut runs, &mut model, edit);
                check(&runs, &model);
                if is_read {
                    readers.push((runs.clone(), model.clone()));
                }
            }
            for (runs, model) in readers {
                check(&runs, &model);
            }
        }
    }

    #[test]
    fn who_is_filled_in_order_has_no_gaps() {
        let mut runs = Runs::default();
        for key in 0..10_000_u32 {
            runs.push(key, [key; 5]);
        }
        let needed = 10_000 * size_of::<(u32, [u32; 5])>();
        assert!(runs.memory() < needed + needed / 20, "{}", runs.memory());
        while runs.len() > 100 {
            pop_first(&mut runs);
        }
        assert!(runs.memory() < needed / 20, "{}", runs.memory());
    }
}
