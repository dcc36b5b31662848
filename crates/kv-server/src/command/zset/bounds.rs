//! The ends of ranges, as ZRANGE and its relatives write them.

use resp_codec::number::parse_f64;

use crate::command::Args;
use crate::error::{ReplyError, Result};
use crate::value::Zset;
use crate::value::zset::Cut;

/// From where to where a range goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bounds<'a> {
    /// Ranks; negative ones count from the end.
    Ranks(i64, i64),
    Cuts(Cut<'a>, Cut<'a>),
}

/// What the ends of a range are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

impl<'a> Bounds<'a> {
    /// The next two arguments, the lower end first unless `reverse`.
    pub(super) fn parse(by: By, reverse: bool, args: &mut Args<'a>) -> Result<Self> {
        let (first, second) = (args.next()?, args.next()?);
        Self::read(by, reverse, first, second)
    }

    pub(super) fn read(by: By, reverse: bool, first: &'a [u8], second: &'a [u8]) -> Result<Self> {
        let (min, max) = if reverse && by != By::Rank {
            (second, first)
        } else {
            (first, second)
        };
        let cuts = match by {
            By::Rank => {
                let rank = |text| resp_codec::number::parse_i64(text).ok_or(ReplyError::NotInteger);
                return Ok(Self::Ranks(rank(min)?, rank(max)?));
            }
            By::Score => score_cut(min, false)
                .zip(score_cut(max, true))
                .ok_or_else(|| ReplyError::text("ERR min or max is not a float")),
            By::Lex => lex_cut(min, false)
                .zip(lex_cut(max, true))
                .ok_or_else(|| ReplyError::text("ERR min or max not valid string range item")),
        };
        cuts.map(|(min, max)| Self::Cuts(min, max))
    }

    /// The ranks that the range covers, counted from the end if `reverse`: the first one, and the one behind the last.
    pub(super) fn ranks(self, zset: &Zset, reverse: bool) -> (usize, usize) {
        let len = zset.len();
        match self {
            Self::Ranks(start, stop) => {
                let start = index(start, len);
                let stop = match stop {
                    0.. => index(stop.saturating_add(1), len),
                    // The last one is -1, and what is behind it is not 0.
                    _ => index(stop, len + 1),
                };
                let stop = stop.max(start);
                if reverse {
                    (len - stop, len - start)
                } else {
                    (start, stop)
                }
            }
            Self::Cuts(min, max) => {
                let start = zset.count_before(min);
                (start, zset.count_before(max).max(start))
            }
        }
    }
}

/// A rank that may be negative, within `0..=len`.
fn index(rank: i64, len: usize) -> usize {
    let distance = usize::try_from(rank.unsigned_abs()).unwrap_or(usize::MAX);
    if rank < 0 {
        len.saturating_sub(distance)
    } else {
        distance.min(len)
    }
}

/// `1.5` or `(1.5`, as C's `strtod` reads it: blanks before the number are fine, and nothing at all is 0.
fn score_cut<'a>(text: &[u8], is_end: bool) -> Option<Cut<'a>> {
    let (number, is_open) = match text {
        [b'(', number @ ..] => (number, true),
        number => (number, false),
    };
    let number = number.trim_ascii_start();
    let score = match number {
        [] => 0.0,
        _ => parse_f64(number).or_else(|| std::str::from_utf8(number).ok()?.parse().ok())?,
    };
    Some(score).filter(|score| !score.is_nan()).map(|score| {
        if is_open == is_end {
            Cut::BeforeScore(score)
        } else {
            Cut::AfterScore(score)
        }
    })
}

/// `[text`, `(text`, `-` or `+`.
fn lex_cut(text: &[u8], is_end: bool) -> Option<Cut<'_>> {
    match text {
        b"-" => Some(Cut::Start),
        b"+" => Some(Cut::End),
        [b'(', text @ ..] if is_end => Some(Cut::BeforeMember(text)),
        [b'[', text @ ..] if !is_end => Some(Cut::BeforeMember(text)),
        [b'(' | b'[', text @ ..] => Some(Cut::AfterMember(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_range_of_scores_are_read_as_c_reads_numbers() {
        for (text, min, max) in [
            ("1", Some(Cut::BeforeScore(1.0)), Some(Cut::AfterScore(1.0))),
            (
                "(1",
                Some(Cut::AfterScore(1.0)),
                Some(Cut::BeforeScore(1.0)),
            ),
            (
                "-inf",
                Some(Cut::BeforeScore(f64::NEG_INFINITY)),
                Some(Cut::AfterScore(f64::NEG_INFINITY)),
            ),
            (
                "1e999",
                Some(Cut::BeforeScore(f64::INFINITY)),
                Some(Cut::AfterScore(f64::INFINITY)),
            ),
            ("", Some(Cut::BeforeScore(0.0)), Some(Cut::AfterScore(0.0))),
            (
                "( 2",
                Some(Cut::AfterScore(2.0)),
                Some(Cut::BeforeScore(2.0)),
            ),
            (
                "0x10",
                Some(Cut::BeforeScore(16.0)),
                Some(Cut::AfterScore(16.0)),
            ),
            ("nan", None, None),
            ("1 ", None, None),
            ("[1", None, None),
            ("((1", None, None),
        ] {
            assert_eq!(score_cut(text.as_bytes(), false), min, "{text}");
            assert_eq!(score_cut(text.as_bytes(), true), max, "{text}");
        }
    }

    #[test]
    fn ranks_count_from_either_end() {
        let mut zset = Zset::default();
        for member in [b"a", b"b", b"c", b"d"] {
            zset.insert(member, 0.0, &Default::default());
        }
        for (start, stop, from, to) in [
            (0, -1, 0, 4),
            (1, 2, 1, 3),
            (-2, -1, 2, 4),
            (-100, 0, 0, 1),
            (3, 100, 3, 4),
            (4, 100, 4, 4),
            (2, 1, 2, 2),
            (0, -4, 0, 1),
            (0, -5, 0, 0),
            (i64::MIN, i64::MAX, 0, 4),
            (i64::MAX, i64::MIN, 4, 4),
        ] {
            let ranks = Bounds::Ranks(start, stop);
            assert_eq!(ranks.ranks(&zset, false), (from, to), "{start} {stop}");
            assert_eq!(
                ranks.ranks(&zset, true),
                (4 - to, 4 - from),
                "{start} {stop}"
            );
        }
    }
}
