//! The floating-point numbers of INCRBYFLOAT and HINCRBYFLOAT: C's `long double` as x86 has it, with 64 bits of mantissa.
//!
//! Redis reads them with `strtold`, adds, and prints them with `%.17Lf` less trailing zeros, so that 0.1 + 0.2 is 0.3 and not
//! 0.30000000000000004. To answer the same bytes this does the same: every step is exact and then rounded once, to the nearest, ties
//! to even.

/// A number, or an infinity, which can be read but not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LongDouble {
    Finite(Finite),
    Infinite,
}

/// `±mantissa * 2^exponent`. The mantissa's top bit is set unless the exponent is the least one, as it is for zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finite {
    is_negative: bool,
    mantissa: u64,
    exponent: i32,
}

const EXPONENT_MIN: i32 = -16445;
const EXPONENT_MAX: i32 = 16320;
/// Redis reads numbers of fewer bytes than this.
const TEXT_MAX: usize = 5 * 1024;
/// Decimal exponents beyond this are out of range whatever stands before them in a text that short.
const DECIMAL_EXPONENT_MAX: i32 = 100_000;
/// Digits behind the point.
const DECIMALS: usize = 17;

impl LongDouble {
    pub(crate) const ZERO: Self = Self::Finite(Finite {
        is_negative: false,
        mantissa: 0,
        exponent: EXPONENT_MIN,
    });

    /// Reads a number: decimal or hexadecimal, with a sign and an exponent, or an infinity.
    ///
    /// `None` for anything else, for `nan`, for what is too large, and for what is so small that it would become zero.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= TEXT_MAX {
            return None;
        }
        let (is_negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
            return Some(Self::Infinite);
        }
        let mut finite = match text {
            [b'0', b'x' | b'X', rest @ ..] => hexadecimal(rest)?,
            _ => decimal(text)?,
        };
        finite.is_negative = is_negative;
        Some(Self::Finite(finite))
    }

    /// The sum; `None` if it is not finite.
    pub(crate) fn add(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Finite(a), Self::Finite(b)) => a.add(b).map(Self::Finite),
            _ => None,
        }
    }

    /// As Redis writes it: all digits before the point, up to 17 behind it, no exponent.
    pub(crate) fn to_decimal(self) -> Vec<u8> {
        match self {
            Self::Finite(finite) => finite.to_decimal(),
            Self::Infinite => b"inf".to_vec(),
        }
    }
}

impl Finite {
    /// The nearest to `number * 2^exponent`, which is meant to be a little more if `inexact`; then `number` must have more than 65 bits.
    /// `None` if it is too large.
    fn nearest(number: u128, exponent: i32, inexact: bool) -> Option<Self> {
        let above = i32::try_from(number.leading_zeros()).ok()?;
        let drop = (64 - above).max(EXPONENT_MIN - exponent);
        let mut exponent = exponent + drop;
        let (kept, beyond) = match u32::try_from(drop) {
            Ok(drop @ 0..=127) => {
                let kept = number >> drop;
                (kept, (number - (kept << drop), 1_u128 << drop))
            }
            Ok(_) => (0, (number.min(1), 1 << 3)),
            Err(_) => (number << drop.unsigned_abs(), (0, 1)),
        };
        // Twice the dropped part against the unit that it is a part of.
        let (dropped, unit) = beyond;
        let half = unit / 2;
        let round_up =
            drop > 0 && (dropped > half || dropped == half && (inexact || kept & 1 == 1));
        let mut mantissa = kept + u128::from(round_up);
        if mantissa > u128::from(u64::MAX) {
            mantissa /= 2;
            exponent += 1;
        }
        if mantissa == 0 {
            exponent = EXPONENT_MIN;
        }
        (exponent <= EXPONENT_MAX).then_some(Self {
            is_negative: false,
            mantissa: u64::try_from(mantissa).ok()?,
            exponent,
        })
    }

    fn add(self, other: Self) -> Option<Self> {
        const ROOM: i32 = 62;
        let (large, small) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        let apart = (large.exponent - small.exponent).unsigned_abs();
        let a = u128::from(large.mantissa) << ROOM;
        let whole = u128::from(small.mantissa) << ROOM;
        let b = whole.checked_shr(apart).unwrap_or(0);
        let inexact = b.checked_shl(apart).unwrap_or(0) != whole;
        let exponent = large.exponent - ROOM;
        let (number, is_negative) = if large.is_negative == small.is_negative {
            (a + b, large.is_negative)
        } else if a >= b {
            // What was shifted out of `b` is to be taken off as well: one less, and a little more.
            (a - b - u128::from(inexact), large.is_negative && a > b)
        } else {
            (b - a, small.is_negative)
        };
        let sum = Self::nearest(number, exponent, inexact)?;
        Some(Self { is_negative, ..sum })
    }

    fn to_decimal(self) -> Vec<u8> {
        let mut digits = match u32::try_from(-self.exponent) {
            Err(_) | Ok(0) => {
                let mut number = Big::from(self.mantissa);
                number.shift_left(self.exponent.unsigned_abs());
                number.into_digits()
            }
            Ok(shift) => fraction(self.mantissa, shift),
        };
        if self.is_negative && digits != b"0" {
            digits.insert(0, b'-');
        }
        digits
    }
}

/// `mantissa / 2^shift`, rounded to 17 digits behind the point.
fn fraction(mantissa: u64, shift: u32) -> Vec<u8> {
    let scaled = u128::from(mantissa) * 10_u128.pow(17);
    let kept = scaled.checked_shr(shift).unwrap_or(0);
    let rounded = if shift < 128 {
        let dropped = scaled - (kept << shift);
        let half = 1 << (shift - 1);
        kept + u128::from(dropped > half || dropped == half && kept & 1 == 1)
    } else {
        0
    };
    let mut digits = format!("{rounded:018}").into_bytes();
    digits.insert(digits.len() - DECIMALS, b'.');
    let zeros = digits
        .iter()
        .rev()
        .take_while(|&&digit| digit == b'0')
        .count();
    digits.truncate(digits.len() - zeros);
    if digits.last() == Some(&b'.') {
        digits.pop();
    }
    digits
}

/// Splits `123.45e6` into its digits, how many of them stand behind the point, and the exponent, which stands behind `marker`.
fn split(text: &[u8], marker: u8, is_digit: impl Fn(u8) -> bool) -> Option<(Vec<u8>, i32, i32)> {
    let end = text
        .iter()
        .position(|byte| byte.eq_ignore_ascii_case(&marker));
    let (number, exponent) = match end {
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let point = number.iter().position(|&byte| byte == b'.');
    let digits = match point {
        Some(at) => [&number[..at], &number[at + 1..]].concat(),
        None => number.to_vec(),
    };
    let behind = point.map_or(0, |at| number.len() - at - 1);
    let is_number = !digits.is_empty() && digits.iter().all(|&digit| is_digit(digit));
    is_number.then_some((digits, i32::try_from(behind).ok()?, exponent))
}

/// Reads an exponent; a huge one becomes one that is just as much out of range.
fn exponent(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value: i32, digit| {
        (value * 10 + i32::from(digit - b'0')).min(DECIMAL_EXPONENT_MAX)
    });
    Some(sign * value)
}

fn hexadecimal(text: &[u8]) -> Option<Finite> {
    let (digits, behind, exponent) = split(text, b'p', |digit| digit.is_ascii_hexdigit())?;
    let mut number = Big::default();
    for digit in digits {
        number.multiply_add(16, char::from(digit).to_digit(16)?);
    }
    number.nearest(exponent - 4 * behind, false)
}

fn decimal(text: &[u8]) -> Option<Finite> {
    const FIVES: u32 = 13;
    let (digits, behind, exponent) = split(text, b'e', |digit| digit.is_ascii_digit())?;
    let leading_zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    let digits = &digits[leading_zeros..];
    let exponent = exponent - behind;
    let magnitude = exponent + i32::try_from(digits.len()).ok()?;
    if !digits.is_empty() && !(-5_000..5_000).contains(&magnitude) {
        return None;
    }
    let mut number = Big::default();
    for chunk in digits.chunks(9) {
        let (mut scale, mut value) = (1, 0);
        for digit in chunk {
            scale *= 10;
            value = value * 10 + u32::from(digit - b'0');
        }
        number.multiply_add(scale, value);
    }
    if number.is_zero() {
        return number.nearest(0, false);
    }
    if exponent >= 0 {
        let mut left = exponent.unsigned_abs();
        while left > 0 {
            let step = left.min(9);
            number.multiply_add(10_u32.pow(step), 0);
            left -= step;
        }
        return number.nearest(0, false);
    }
    // n / 10^k is n / 5^k, with k taken off the binary exponent. Beforehand n is made long enough for the quotient to keep 130 bits.
    let fives = exponent.unsigned_abs();
    let shift = (130 + fives * 7 / 3).saturating_sub(number.bits());
    number.shift_left(shift);
    let mut inexact = false;
    let mut left = fives;
    while left > 0 {
        let step = left.min(FIVES);
        inexact |= number.divide(5_u32.pow(step)) != 0;
        left -= step;
    }
    number.nearest(exponent - i32::try_from(shift).ok()?, inexact)
}

/// A whole number of any length; the lowest word comes first.
#[derive(Debug, Default)]
struct Big {
    words: Vec<u32>,
}

impl From<u64> for Big {
    fn from(number: u64) -> Self {
        let mut big = Self::default();
        big.multiply_add(1, high(number));
        big.shift_left(32);
        big.multiply_add(1, low(number));
        big
    }
}

impl Big {
    fn is_zero(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    fn bits(&self) -> u32 {
        let words = self.words.len() - self.words.iter().rev().take_while(|&&w| w == 0).count();
        match words.checked_sub(1) {
            Some(last) => {
                u32::try_from(words * 32).unwrap_or(u32::MAX) - self.words[last].leading_zeros()
            }
            None => 0,
        }
    }

    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = summand;
        for word in &mut self.words {
            let product = u64::from(*word) * u64::from(factor) + u64::from(carry);
            (*word, carry) = (low(product), high(product));
        }
        if carry > 0 {
            self.words.push(carry);
        }
    }

    /// Divides; returns the remainder.
    fn divide(&mut self, divisor: u32) -> u32 {
        let mut rest = 0;
        for word in self.words.iter_mut().rev() {
            let dividend = u64::from(rest) << 32 | u64::from(*word);
            *word = low(dividend / u64::from(divisor));
            rest = low(dividend % u64::from(divisor));
        }
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
        rest
    }

    fn shift_left(&mut self, bits: u32) {
        self.multiply_add(1 << (bits % 32), 0);
        let words = bits as usize / 32;
        self.words.splice(0..0, std::iter::repeat_n(0, words));
    }

    /// The nearest to this number times `2^exponent`; `None` if it is too large, or becomes zero without being it.
    fn nearest(mut self, exponent: i32, inexact: bool) -> Option<Finite> {
        let is_zero = self.is_zero();
        let bits = self.bits();
        // Down to four words, the top one not empty.
        let excess = bits.div_ceil(32).saturating_sub(4) as usize;
        let dropped = self.words.drain(..excess).any(|word| word != 0);
        let number = (self.words.iter().take(4).rev())
            .fold(0, |number: u128, &word| number << 32 | u128::from(word));
        let exponent = exponent.checked_add(i32::try_from(excess * 32).ok()?)?;
        Finite::nearest(number, exponent, inexact || dropped)
            .filter(|finite| is_zero || finite.mantissa != 0)
    }

    fn into_digits(mut self) -> Vec<u8> {
        let mut chunks = Vec::new();
        while !self.is_zero() {
            chunks.push(self.divide(1_000_000_000));
        }
        let mut digits = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            digits.push_str(&format!("{chunk:09}"));
        }
        digits.into_bytes()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
fn low(number: u64) -> u32 {
    number as u32
}

fn high(number: u64) -> u32 {
    (number >> 32) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::{Reference, Reply};

    fn sum(a: &str, b: &str) -> Option<String> {
        let sum = LongDouble::parse(a.as_bytes())?.add(LongDouble::parse(b.as_bytes())?)?;
        String::from_utf8(sum.to_decimal()).ok()
    }

    #[test]
    fn sums_surprise_nobody() {
        for (a, b, expected) in [
            ("0.1", "0.2", "0.3"),
            ("10.50", "0.1", "10.6"),
            ("3.0e3", "1.5", "3001.5"),
            ("5.0e3", "2.0e2", "5200"),
            ("1", "-1", "0"),
            ("-0.5", "0.25", "-0.25"),
            ("-1e-20", "0", "0"),
            ("17179869184", "1.5", "17179869185.5"),
            ("0x1p4", ".5", "16.5"),
            ("1e-18", "0", "0"),
            ("6e-18", "0", "0.00000000000000001"),
        ] {
            assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        }
    }

    #[test]
    fn what_is_no_finite_number_is_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "+",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "0x",
            "0x.",
            "0xp1",
            "1.2.3",
            "nan",
            "1e5000",
            "1e-5000",
            "1e99999999999999999999",
            "infinit",
            "1_0",
            "٣",
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        for text in ["inf", "-inf", "+Infinity"] {
            assert_eq!(
                LongDouble::parse(text.as_bytes()),
                Some(LongDouble::Infinite)
            );
            assert_eq!(sum(text, "1"), None);
        }
        assert_eq!(sum("1e4932", "1e4932"), None, "the sum is too large");
        assert!(LongDouble::parse(&[b'1'; TEXT_MAX]).is_none());
    }

    /// Numbers with many and few digits, near the limits and near each other.
    fn numbers() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?[0-9]{1,25}",
            "-?[0-9]{0,20}\\.[0-9]{1,40}",
            "-?[0-9]{1,3}\\.[0-9]{1,3}",
            "[-+]?[0-9]\\.[0-9]{0,30}[eE][-+]?[0-9]{1,2}",
            "-?[1-9](\\.[0-9]{1,30})?e-?4[0-9]{3}",
            "-?[1-9](\\.[0-9]{1,30})?e-49[45][0-9]",
            "-?(922337203685477580[0-9]|1844674407370955161[0-9])\\.(5|50000000000000000000|49999999999)",
            "-?0x[0-9a-f]{1,20}(\\.[0-9a-f]{1,4})?(p-?[0-9]{1,3})?",
            "-?0x1p-?16[34][0-9]{2}",
            "[0-9a-fx.e+-]{1,6}",
        ]
    }

    #[test]
    fn agrees_with_a_real_server_to_the_last_digit() {
        use proptest::strategy::ValueTree;
        if !cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
            return;
        }
        let Some(mut redis) = Reference::start(None) else {
            return;
        };
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let numbers = numbers();
        let mut draw = || {
            let tree = numbers.new_tree(&mut runner);
            tree.expect("a number").current()
        };
        for _ in 0..3_000 {
            let (a, b) = (draw(), draw());
            redis.call(["SET", "n", &a]);
            let theirs = match redis.call(["INCRBYFLOAT", "n", &b]) {
                Reply::Bulk(text) => String::from_utf8(text).ok(),
                _ => None,
            };
            assert_eq!(sum(&a, &b), theirs, "{a} + {b}");
        }
    }
}
