//! A leaf: places in order.

use super::{Edge, Place};
use crate::value::zset::members::Id;

/// Up to [`LEAF`] entries, at least one except in a tree of none; scores and ids are apart, so that a search reads little.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) scores: [f64; LEAF],
    pub(super) ids: [Id; LEAF],
    pub(super) len: usize,
}

/// Entries of a leaf at most.
pub(super) const LEAF: usize = 64;
impl Default for Leaf {
    fn default() -> Self {
        Self {
            scores: [0.0; LEAF],
            ids: [Id::default(); LEAF],
            len: 0,
        }
    }
}

impl Leaf {
    #[inline]
    pub(super) fn place(&self, at: usize) -> Place {
        Place {
            score: self.scores[at],
            id: self.ids[at],
        }
    }

    pub(super) fn places(
        &self,
        run: std::ops::Range<usize>,
    ) -> impl DoubleEndedIterator<Item = Place> + '_ {
        let scores = self.scores[run.clone()].iter();
        scores
            .zip(&self.ids[run])
            .map(|(&score, &id)| Place { score, id })
    }

    /// How many of the entries the condition holds for, which are the first ones.
    #[inline]
    pub(super) fn count(&self, before: &impl Fn(Place) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = (low + high) / 2;
            if before(self.place(middle)) {
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
        if self.len < LEAF {
            self.insert_at(at, place);
            return None;
        }
        let cut = match edge {
            Edge { last: true, .. } if at == LEAF => LEAF,
            Edge { first: true, .. } if at == 0 => 0,
            _ => LEAF / 2,
        };
        let mut sibling = Self {
            len: LEAF - cut,
            ..Self::default()
        };
        sibling.scores[..LEAF - cut].copy_from_slice(&self.scores[cut..]);
        sibling.ids[..LEAF - cut].copy_from_slice(&self.ids[cut..]);
        self.len = cut;
        if at > cut || at == LEAF {
            sibling.insert_at(at - cut, place);
        } else {
            self.insert_at(at, place);
        }
        Some(sibling)
    }

    fn insert_at(&mut self, at: usize, place: Place) {
        self.scores.copy_within(at..self.len, at + 1);
        self.ids.copy_within(at..self.len, at + 1);
        self.scores[at] = place.score;
        self.ids[at] = place.id;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, run: std::ops::Range<usize>) {
        self.scores.copy_within(run.end..self.len, run.start);
        self.ids.copy_within(run.end..self.len, run.start);
        self.len -= run.len();
    }
}
