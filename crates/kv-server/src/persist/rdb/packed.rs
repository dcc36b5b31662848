//! What the packed encodings have in common: a whole collection in one string, its entries strings or integers.

use crate::value::Item;

/// One entry of a packed collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    String(&'a [u8]),
    Integer(i64),
}

impl<'a> Entry<'a> {
    /// The entry as the string it stands for.
    pub(super) fn bytes<'b>(self, buffer: &'b mut IntBuf) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::String(bytes) => bytes,
            Self::Integer(number) => buffer.format(number),
        }
    }

    /// The entry as collections hold it.
    pub(super) fn item(self) -> Item<'a> {
        match self {
            Self::String(bytes) => Item::of(bytes),
            Self::Integer(number) => Item::Int(number),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a score is a double; Redis rounds likewise"
    )]
    pub(super) fn score(self) -> Option<f64> {
        match self {
            Self::String(bytes) => parse_score(bytes),
            Self::Integer(number) => Some(number as f64),
        }
    }
}

/// A score as Redis prints it; `None` for what is no number.
pub(super) fn parse_score(text: &[u8]) -> Option<f64> {
    let score: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!score.is_nan()).then_some(score)
}

/// What is wrong with a packed string, and at which of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) encoding: &'static str,
    pub(super) problem: &'static str,
    pub(super) at: usize,
}

/// A position in a packed string; reading past its end is an error.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    encoding: &'static str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(encoding: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            encoding,
        }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let Some((taken, _)) = self.bytes[self.at..].split_at_checked(len) else {
            return Err(self.malformed("entry beyond the end"));
        };
        self.at += len;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let Some(array) = self.bytes[self.at..].first_chunk() else {
            return Err(self.malformed("entry beyond the end"));
        };
        self.at += N;
        Ok(*array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A length of four bytes, the lowest first.
    pub(super) fn len_u32(&mut self) -> Result<usize, Malformed> {
        let len = u32::from_le_bytes(self.array()?);
        usize::try_from(len).map_err(|_| self.malformed("entry beyond the end"))
    }

    /// An integer of three bytes, the lowest first.
    pub(super) fn i24(&mut self) -> Result<i64, Malformed> {
        let [low, middle, high] = self.array()?;
        Ok(i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8))
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn malformed(&self, problem: &'static str) -> Malformed {
        Malformed {
            encoding: self.encoding,
            problem,
            at: self.at,
        }
    }
}

/// Space for the decimal form of an integer.
pub(super) struct IntBuf([u8; 20]);

impl IntBuf {
    pub(super) fn new() -> Self {
        Self([0; 20])
    }

    pub(super) fn format(&mut self, number: i64) -> &[u8] {
        let mut start = self.0.len();
        let mut rest = number.unsigned_abs();
        loop {
            start -= 1;
            let [digit, ..] = (rest % 10).to_le_bytes();
            self.0[start] = b'0' + digit;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            start -= 1;
            self.0[start] = b'-';
        }
        &self.0[start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_printed_like_everywhere() {
        for number in [0, 7, -1, 10, 1_234_567_890, i64::MIN, i64::MAX] {
            assert_eq!(IntBuf::new().format(number), number.to_string().as_bytes());
        }
    }

    #[test]
    fn three_bytes_keep_their_sign() {
        for (bytes, number) in [
            ([0xff; 3], -1),
            ([0, 0, 0x80], -8_388_608),
            ([0xff, 0xff, 0x7f], 8_388_607),
        ] {
            assert_eq!(Cursor::new("test", &bytes).i24(), Ok(number));
        }
    }

    #[test]
    fn scores_are_numbers_or_infinite() {
        assert_eq!(parse_score(b"1.5"), Some(1.5));
        assert_eq!(parse_score(b"-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_score(b"1.7976931348623157e+308"), Some(f64::MAX));
        assert_eq!(parse_score(b"nan"), None);
        assert_eq!(parse_score(b"\xff"), None);
    }
}
