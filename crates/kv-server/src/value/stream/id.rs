//! The id of an entry: a time in milliseconds, and a number among the entries of that time.

use std::fmt;

use resp_codec::number::parse_i64;

/// The id of an entry. Ids order entries by the time at which they were added.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) ms: u64,
    pub(crate) seq: u64,
}

/// An id whose number may be left to the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) ms: u64,
    /// `None` for `*`.
    pub(crate) seq: Option<u64>,
}

/// Room for the text of an id.
pub(crate) type IdText = [u8; 41];

/// Longer texts are no ids, whatever they say.
const TEXT_MAX: usize = 127;

impl Id {
    /// No entry has it, and all entries come behind it.
    pub(crate) const MIN: Self = Self { ms: 0, seq: 0 };
    pub(crate) const MAX: Self = Self {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    pub(crate) const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The least id that is greater.
    pub(crate) fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_add(1)?, 0)),
        }
    }

    /// The greatest id that is less.
    pub(crate) fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_sub(1)?, u64::MAX)),
        }
    }

    /// Reads `ms-seq`, or `ms` alone, which stands for the id with the given number.
    pub(crate) fn parse(text: &[u8], missing_seq: u64) -> Option<Self> {
        let (ms, seq) = halves(text)?;
        Some(Self {
            ms: parse_u64(ms)?,
            seq: seq.map_or(Some(missing_seq), parse_u64)?,
        })
    }

    /// The text, `ms-seq`, written to the end of `text`.
    pub(crate) fn text(self, text: &mut IdText) -> &[u8] {
        let start = write_before(text, text.len(), self.seq) - 1;
        text[start] = b'-';
        let start = write_before(text, start, self.ms);
        &text[start..]
    }

    /// The distance from another id, half by half; [`plus`](Self::plus) takes it back.
    #[expect(clippy::cast_possible_wrap, reason = "a distance wraps both ways")]
    pub(super) fn minus(self, base: Self) -> (i64, i64) {
        let (ms, seq) = (
            self.ms.wrapping_sub(base.ms),
            self.seq.wrapping_sub(base.seq),
        );
        (ms as i64, seq as i64)
    }

    #[expect(clippy::cast_sign_loss, reason = "a distance wraps both ways")]
    pub(super) fn plus(self, (ms, seq): (i64, i64)) -> Self {
        Self::new(
            self.ms.wrapping_add(ms as u64),
            self.seq.wrapping_add(seq as u64),
        )
    }

    /// Sixteen bytes that sort as ids do.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        let [high, low] = [0, 8].map(|at| {
            bytes[at..]
                .first_chunk()
                .map_or(0, |half| u64::from_be_bytes(*half))
        });
        Self::new(high, low)
    }
}

impl Given {
    /// Reads `ms-seq`, `ms-*`, or `ms` alone, whose number is 0.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (ms, seq) = halves(text)?;
        Some(Self {
            ms: parse_u64(ms)?,
            seq: match seq {
                Some(b"*") => None,
                Some(seq) => Some(parse_u64(seq)?),
                None => Some(0),
            },
        })
    }
}

/// Writes a number so that it ends at a place; returns where it begins.
fn write_before(text: &mut IdText, mut at: usize, mut number: u64) -> usize {
    loop {
        at -= 1;
        let [digit, ..] = (number % 10).to_le_bytes();
        text[at] = b'0' + digit;
        number /= 10;
        if number == 0 {
            return at;
        }
    }
}

/// Splits at the first `-`. As for Redis, a zero byte ends the text.
fn halves(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if text.len() > TEXT_MAX {
        return None;
    }
    let text = text.split(|&byte| byte == 0).next()?;
    let mut halves = text.splitn(2, |&byte| byte == b'-');
    Some((halves.next()?, halves.next()))
}

/// A number as `strtoull` takes it: blanks, `+` and zeros may stand before it.
fn parse_u64(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !blank(byte))?;
    let text = &text[start..];
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &byte| {
        let digit = u64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        number.checked_mul(10)?.checked_add(digit)
    })
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        for (text, id) in [
            ("5-7", Some((5, 7))),
            ("5", Some((5, 9))),
            ("0-0", Some((0, 0))),
            (
                "18446744073709551615-18446744073709551615",
                Some((u64::MAX, u64::MAX)),
            ),
            ("18446744073709551616-0", None),
            ("5-18446744073709551616", None),
            ("05-007", Some((5, 7))),
            (" 5-+7", Some((5, 7))),
            ("5- 7", Some((5, 7))),
            ("5-7 ", None),
            ("5-", None),
            ("-5", None),
            ("-", None),
            ("", None),
            ("5-7-9", None),
            ("5--7", None),
            ("5-*", None),
            ("5\0x-7", Some((5, 9))),
            ("x", None),
            ("0x5", None),
        ] {
            let id = id.map(|(ms, seq)| Id::new(ms, seq));
            assert_eq!(Id::parse(text.as_bytes(), 9), id, "{text:?}");
        }
        let long = format!("{}1", "0".repeat(127));
        assert_eq!(Id::parse(long.as_bytes(), 0), None);
        assert_eq!(Id::parse(&long.as_bytes()[1..], 0), Some(Id::new(1, 0)));
    }

    #[test]
    fn a_number_may_be_left_open() {
        let given = |ms, seq| Some(Given { ms, seq });
        assert_eq!(Given::parse(b"5-*"), given(5, None));
        assert_eq!(Given::parse(b"5-7"), given(5, Some(7)));
        assert_eq!(Given::parse(b"5"), given(5, Some(0)));
        assert_eq!(Given::parse(b"*-*"), None);
        assert_eq!(Given::parse(b"5-**"), None);
    }

    #[test]
    fn each_id_has_neighbours_but_for_the_ends() {
        let id = Id::new(5, u64::MAX);
        assert_eq!(id.next(), Some(Id::new(6, 0)));
        assert_eq!(Id::new(6, 0).previous(), Some(id));
        assert_eq!(Id::MAX.next(), None);
        assert_eq!(Id::MIN.previous(), None);
        assert_eq!(Id::from_bytes(id.to_bytes()), id);
        for id in [id, Id::MIN, Id::MAX, Id::new(1_700_000_000_123, 42)] {
            let text = id.to_string();
            assert_eq!(id.text(&mut [0; 41]), text.as_bytes());
            assert_eq!(Id::parse(text.as_bytes(), 0), Some(id));
        }
    }

    #[test]
    fn distances_lead_back_however_they_wrap() {
        let ids = [Id::MIN, Id::new(1, u64::MAX), Id::new(u64::MAX, 3), Id::MAX];
        for from in ids {
            for to in ids {
                assert_eq!(from.plus(to.minus(from)), to, "{from} to {to}");
            }
        }
    }
}
