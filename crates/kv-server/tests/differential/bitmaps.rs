//! Commands on bits.

use crate::compare::Rule;
use crate::generate::{Line, NUMBERS};

/// Beyond these a string takes half a gigabyte.
const OFFSETS: &[&[u8]] = &[
    b"0",
    b"1",
    b"7",
    b"8",
    b"100",
    b"1023",
    b"5000",
    b"-1",
    b"4294967296",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"x",
    b"",
    b"1.5",
];
/// Redis computes with overflow what is far beyond the longest string.
const PLACES: &[&[u8]] = &[
    b"#0",
    b"#1",
    b"#-1",
    b"#100",
    b"#",
    b"#x",
    b"##1",
    b"4294967296",
];
const BITS: &[&[u8]] = &[b"0", b"1", b"1", b"0", b"2", b"-1", b"x", b""];
const FIELDS: &[&[u8]] = &[
    b"u1", b"i1", b"u3", b"i5", b"u8", b"i8", b"u16", b"u31", b"i32", b"u63", b"i63", b"i64",
    b"u64", b"i65", b"u0", b"i", b"x8", b"", b"u-1",
];
const UNITS: &[&[u8]] = &[b"BYTE", b"BIT", b"bit", b"x"];

impl Line<'_> {
    pub(crate) fn bitmap_command(&mut self) -> Rule {
        match self.rng.next() % 16 {
            0..=3 => self.words("SETBIT").key().from(OFFSETS).from(BITS),
            4 => self.words("GETBIT").key().from(OFFSETS),
            5..=6 => self.words("BITCOUNT").key().range(),
            7..=8 => self.words("BITPOS").key().from(BITS).range(),
            9..=10 => {
                let combined = self
                    .words("BITOP")
                    .one_of(&["AND", "or", "XOR", "NOT", "x"]);
                let combined = combined.key().key();
                while !combined.rng.chance(2) {
                    combined.key();
                }
                combined
            }
            11 => {
                self.words("BITFIELD_RO").key();
                while !self.rng.chance(3) {
                    self.field(&["GET", "GET", "GET", "SET"]);
                }
                self
            }
            _ => {
                self.words("BITFIELD").key();
                while !self.rng.chance(4) {
                    self.field(&["GET", "SET", "INCRBY", "OVERFLOW", "set", "x"]);
                }
                self
            }
        };
        Rule::Exact
    }

    /// No range, or one with an end, or one with a unit.
    fn range(&mut self) -> &mut Self {
        if !self.rng.chance(4) {
            self.number();
            if !self.rng.chance(4) {
                self.number();
                if self.rng.chance(2) {
                    self.from(UNITS);
                }
            }
        }
        self
    }

    fn field(&mut self, names: &[&str]) {
        self.one_of(names);
        let name = self.last_word().to_ascii_uppercase();
        if name == b"OVERFLOW" {
            self.one_of(&["WRAP", "SAT", "FAIL", "fail", "x"]);
            return;
        }
        self.from(FIELDS);
        if self.rng.chance(2) {
            self.from(OFFSETS);
        } else {
            self.from(PLACES);
        }
        if name != b"GET" {
            self.from(NUMBERS);
        }
    }
}
