//! A leaf: places in order.

use std::ops::Range;

use super::{Edge, Place};
use crate::value::zset::members::Id;

/// Up to [`LEAF`] entries, at least one except in a tree of none; scores and ids are apart, so that a search reads little.
///
/// There may be a gap in front of them, so that taking from the front moves nothing, and adding inside moves the shorter side.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    scores: [f64; LEAF],
    ids: [Id; LEAF],
    start: u32,
    end: u32,
}

/// Entries of a leaf at most.
pub(in crate::value::zset) const LEAF: usize = 64;

impl Default for Leaf {
    fn default() -> Self {
        Self {
            scores: [0.0; LEAF],
            ids: [Id::default(); LEAF],
            start: 0,
            end: 0,
        }
    }
}

impl Leaf {
    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Where the entries are.
    #[inline]
    fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most `LEAF`")]
    fn set_range(&mut self, range: Range<usize>) {
        (self.start, self.end) = (range.start as u32, range.end as u32);
    }

    #[inline]
    fn scores(&self) -> &[f64] {
        &self.scores[self.range()]
    }

    #[inline]
    fn ids(&self) -> &[Id] {
        &self.ids[self.range()]
    }

    #[inline]
    pub(super) fn place(&self, at: usize) -> Place {
        Place {
            score: self.scores()[at],
            id: self.ids()[at],
        }
    }

    pub(super) fn places(
        &self,
        run: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = Place> + use<'_> {
        let scores = self.scores()[run.clone()].iter();
        scores
            .zip(&self.ids()[run])
            .map(|(&score, &id)| Place { score, id })
    }

    pub(super) fn set_id(&mut self, at: usize, id: Id) {
        let range = self.range();
        self.ids[range][at] = id;
    }

    /// Gives an entry another score if it stays where it is; at the ends of a leaf its neighbours would have to be asked.
    pub(super) fn set_score(&mut self, at: usize, score: f64) -> bool {
        let range = self.range();
        let scores = &mut self.scores[range];
        let stays =
            at > 0 && at + 1 < scores.len() && scores[at - 1] < score && score < scores[at + 1];
        if stays {
            scores[at] = score;
        }
        stays
    }

    /// How many of the entries the condition holds for, which are the first ones.
    #[inline]
    pub(super) fn count(&self, before: &impl Fn(Place) -> bool) -> usize {
        let (scores, ids) = (self.scores(), self.ids());
        let (mut low, mut high) = (0, scores.len());
        while low < high {
            let middle = (low + high) / 2;
            if before(Place {
                score: scores[middle],
                id: ids[middle],
            }) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Returns the leaf behind this one, if it had to be split.
    pub(super) fn insert(
        &mut self,
        place: Place,
        before: &impl Fn(Place) -> bool,
        edge: Edge,
    ) -> Option<Self> {
        let at = self.count(before);
        if self.len() < LEAF {
            self.insert_at(at, place);
            return None;
        }
        let cut = match edge {
            Edge { last: true, .. } if at == LEAF => LEAF,
            Edge { first: true, .. } if at == 0 => 0,
            _ => LEAF / 2,
        };
        let mut sibling = Self::default();
        sibling.push(self, cut..LEAF);
        self.set_range(0..cut);
        if at > cut || at == LEAF {
            sibling.insert_at(at - cut, place);
        } else {
            self.insert_at(at, place);
        }
        Some(sibling)
    }

    /// Adds some of the entries of another leaf behind its own; there is room.
    fn push(&mut self, other: &Self, run: Range<usize>) {
        self.shift(self.range(), 0);
        let to = self.len()..self.len() + run.len();
        self.scores[to.clone()].copy_from_slice(&other.scores()[run.clone()]);
        self.ids[to.clone()].copy_from_slice(&other.ids()[run]);
        self.set_range(0..to.end);
    }

    /// Adds the entries of the leaf behind, if that leaves some room.
    pub(super) fn absorb(&mut self, behind: &Self) -> bool {
        let fits = self.len() + behind.len() <= LEAF / 4 * 3;
        if fits {
            self.push(behind, 0..behind.len());
        }
        fits
    }

    /// Moves what is in a range of the arrays.
    fn shift(&mut self, from: Range<usize>, to: usize) {
        self.scores.copy_within(from.clone(), to);
        self.ids.copy_within(from, to);
    }

    fn insert_at(&mut self, at: usize, place: Place) {
        let Range { start, end } = self.range();
        let at = start + at;
        // The shorter side moves, if it can.
        let at = if start > 0 && (end == LEAF || at - start < end - at) {
            self.shift(start..at, start - 1);
            self.set_range(start - 1..end);
            at - 1
        } else {
            self.shift(at..end, at + 1);
            self.set_range(start..end + 1);
            at
        };
        self.scores[at] = place.score;
        self.ids[at] = place.id;
    }

    pub(super) fn remove(&mut self, run: Range<usize>) {
        let Range { start, end } = self.range();
        let (from, to) = (start + run.start, start + run.end);
        if from - start < end - to {
            self.shift(start..from, start + run.len());
            self.set_range(start + run.len()..end);
        } else {
            self.shift(to..end, from);
            self.set_range(start..end - run.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_with_a_gap_in_front_does_what_a_vector_does() {
        let mut state = 1_u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let place = |number: u32| Place {
            score: f64::from(number),
            id: Id::of_number(number),
        };
        let (mut leaf, mut model) = (Leaf::default(), Vec::new());
        for number in 0..20_000 {
            // The length goes up and down, and reaches both ends.
            let grows = number / 100 % 2 == 0;
            if model.is_empty() || grows && model.len() < LEAF {
                let at = random(model.len() + 1);
                leaf.insert_at(at, place(number));
                model.insert(at, place(number));
            } else {
                let from = [0, random(model.len()), model.len() - 1][random(3)];
                let count = random(3).min(model.len() - from);
                leaf.remove(from..from + count);
                model.drain(from..from + count);
            }
            let places: Vec<Place> = leaf.places(0..leaf.len()).collect();
            assert_eq!(places, model, "after {number}");
        }
    }
}
