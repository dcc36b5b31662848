//! The best candidates for eviction seen so far, kept from one search to the next.

/// A key that may be evicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The higher, the sooner it goes.
    pub(crate) score: u64,
    pub(crate) db: usize,
    pub(crate) key: Box<[u8]>,
}

/// Up to sixteen candidates. Some of them may be gone meanwhile, or be used again; that is why it is an approximation.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// By ascending score.
    candidates: Vec<Candidate>,
}

const SIZE: usize = 16;

impl Pool {
    /// Takes a key in if it is better than the worst, or there is room.
    pub(crate) fn offer(&mut self, db: usize, key: &[u8], score: u64) {
        let is_full = self.candidates.len() == SIZE;
        let at = self
            .candidates
            .partition_point(|candidate| candidate.score < score);
        if is_full && at == 0 {
            return;
        }
        // A few samples often meet the same key twice.
        let is_known = |candidate: &Candidate| candidate.db == db && *candidate.key == *key;
        if self.candidates.iter().any(is_known) {
            return;
        }
        let key = key.into();
        self.candidates.insert(at, Candidate { score, db, key });
        if is_full {
            self.candidates.remove(0);
        }
    }

    /// Takes the best one out.
    pub(crate) fn best(&mut self) -> Option<Candidate> {
        self.candidates.pop()
    }

    pub(crate) fn clear(&mut self) {
        self.candidates.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_sixteen_stay_and_come_out_best_first() {
        let mut pool = Pool::default();
        for score in (0..40).chain(0..40).rev() {
            pool.offer(0, format!("key:{score}").as_bytes(), score);
        }
        pool.offer(1, b"key:39", 38);
        let mut scores = Vec::new();
        while let Some(candidate) = pool.best() {
            scores.push((candidate.score, candidate.db));
        }
        let expected: Vec<_> = [(39, 0), (38, 0), (38, 1)]
            .into_iter()
            .chain((25..=37).rev().map(|score| (score, 0)))
            .collect();
        scores.sort_unstable_by(|one, two| two.0.cmp(&one.0).then(one.1.cmp(&two.1)));
        assert_eq!(scores, expected);
    }
}
