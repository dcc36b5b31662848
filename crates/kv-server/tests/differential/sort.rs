//! SORT and SORT_RO.

use crate::compare::Rule;
use crate::generate::{KEYS, Line, NUMBERS};

const PATTERNS: &[&[u8]] = &[
    b"*", b"*", b"*->1", b"*->abc", b"*->", b"#", b"", b"nosort", b"->*", b"*x->0",
];

impl Line<'_> {
    pub(crate) fn sort_command(&mut self) -> Rule {
        if self.rng.chance(4) {
            // Elements that are keys, so that patterns find something.
            self.one_of(&["RPUSH", "SADD"]).key();
            while !self.rng.chance(4) {
                self.from(KEYS);
            }
            return Rule::Exact;
        }
        let may_store = !self.rng.chance(3);
        self.words(if may_store { "SORT" } else { "SORT_RO" }).key();
        let alpha = self.rng.chance(2);
        let by = self.rng.chance(2).then(|| self.rng.pick(PATTERNS));
        let mut words: Vec<Vec<&[u8]>> = Vec::new();
        if alpha {
            words.push(vec![b"ALPHA"]);
        }
        if let Some(by) = by {
            words.push(vec![b"by", by]);
        }
        while self.rng.chance(2) {
            words.push(vec![b"GET", self.rng.pick(PATTERNS)]);
        }
        if self.rng.chance(2) {
            words.push(vec![self.rng.pick(&[&b"DESC"[..], b"ASC", b"desc"])]);
        }
        // Elements that weigh the same come in any order, and so do those of a set that is not sorted.
        let is_constant = by.is_some_and(|by| !by.contains(&b'*'));
        let any_order = is_constant || alpha && by.is_some();
        let stores = may_store && !any_order && self.rng.chance(3);
        if stores {
            words.push(vec![b"STORE", self.rng.pick(KEYS)]);
        } else if self.rng.chance(20) {
            words.push(vec![self.rng.pick(&[
                &b"STORE"[..],
                b"BY",
                b"GET",
                b"x",
                b"LIMIT",
            ])]);
        }
        // To Redis a text ends with its first zero byte when it is not stored.
        let exact = !any_order && (stores || !alpha);
        if exact && self.rng.chance(2) {
            words.push(vec![
                b"LIMIT",
                self.rng.pick(NUMBERS),
                self.rng.pick(NUMBERS),
            ]);
        }
        while !words.is_empty() {
            let at = usize::try_from(self.rng.next() % words.len() as u64).unwrap();
            for word in words.swap_remove(at) {
                self.from(&[word]);
            }
        }
        if exact { Rule::Exact } else { Rule::AnyOrder }
    }
}
