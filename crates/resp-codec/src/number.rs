//! Numbers as the protocol and Redis's commands write and read them.

use bytes::BytesMut;

/// The room that [`format_i64`] needs.
pub const I64_LEN: usize = 20;

/// The room that [`format_f64`] needs.
pub const F64_LEN: usize = 32;

/// Parses a decimal integer by the rules of Redis's `string2ll`.
///
/// No plus sign, no leading zeros, no blanks, nothing behind the digits, within the range of an `i64`.
///
/// ```
/// use resp_codec::number::parse_i64;
///
/// assert_eq!(parse_i64(b"-42"), Some(-42));
/// assert_eq!(parse_i64(b"042"), None);
/// assert_eq!(parse_i64(b"+42"), None);
/// ```
#[must_use]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [] | [b'0', ..] => return None,
        _ if digits.len() > 19 => return None,
        _ => {}
    }
    let mut value: u64 = 0; // 19 digits always fit
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    if negative {
        0i64.checked_sub_unsigned(value)
    } else {
        i64::try_from(value).ok()
    }
}

/// Writes `value` in decimal into the end of `buffer`, and returns that end.
#[must_use]
#[inline]
pub fn format_i64(value: i64, buffer: &mut [u8; I64_LEN]) -> &[u8] {
    let start = digits(value.unsigned_abs(), buffer);
    let start = if value < 0 {
        put(buffer, start, b'-')
    } else {
        start
    };
    buffer.get(start..).unwrap_or_default()
}

/// Appends `value` in decimal.
#[inline]
pub fn write_i64(out: &mut BytesMut, value: i64) {
    out.extend_from_slice(format_i64(value, &mut [0; I64_LEN]));
}

/// Writes the digits of `value` to the end of `buffer`; where they begin.
#[inline]
pub(crate) fn digits(mut value: u64, buffer: &mut [u8]) -> usize {
    let mut at = buffer.len();
    loop {
        let digit = u8::try_from(value % 10).unwrap_or_default();
        at = put(buffer, at, b'0' | digit);
        value /= 10;
        if value == 0 {
            return at;
        }
    }
}

/// Puts `byte` before the position `at`; the new position.
#[inline]
pub(crate) fn put(buffer: &mut [u8], at: usize, byte: u8) -> usize {
    let at = at.saturating_sub(1);
    if let Some(place) = buffer.get_mut(at) {
        *place = byte;
    }
    at
}

/// Parses a floating-point number as Redis reads one from an argument (`string2d`, C's `strtod`).
///
/// Takes a sign, `inf` and `infinity` in any case, exponents, and hexadecimal (`0x1.8p3`); refuses blanks, `nan`, and
/// what overflows or vanishes to zero.
///
/// ```
/// use resp_codec::number::parse_f64;
///
/// assert_eq!(parse_f64(b"3.0e3"), Some(3000.0));
/// assert_eq!(parse_f64(b"-inf"), Some(f64::NEG_INFINITY));
/// assert_eq!(parse_f64(b"nan"), None);
/// ```
#[must_use]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let (value, digits) = match hexadecimal(text) {
        Some((digits, exponent, negative)) => (
            scaled(digits, exponent.parse::<i32>().ok()?, negative)?,
            digits,
        ),
        None => (text.parse::<f64>().ok()?, text.split(['e', 'E']).next()?),
    };
    let written_infinite = digits.contains(['n', 'N']);
    let written_zero = !digits.contains(|digit: char| digit != '0' && digit.is_ascii_hexdigit());
    let out_of_range =
        (value.is_infinite() && !written_infinite) || (value == 0.0 && !written_zero);
    (!value.is_nan() && !out_of_range).then_some(value)
}

/// The parts of `0x1.8p3`: the digits behind `0x`, the exponent, and whether there is a minus sign.
fn hexadecimal(text: &str) -> Option<(&str, &str, bool)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let rest = unsigned
        .strip_prefix("0x")
        .or_else(|| unsigned.strip_prefix("0X"))?;
    let (digits, exponent) = rest.split_once(['p', 'P']).unwrap_or((rest, "0"));
    Some((digits, exponent, text.starts_with('-')))
}

/// The value of hexadecimal digits with an optional point, times two to the power of `exponent`.
///
/// Sixty bits of the digits count, the last of them rounded to odd, which rounds the value right.
fn scaled(digits: &str, exponent: i32, negative: bool) -> Option<f64> {
    let (mut bits, mut exponent, mut point, mut count) = (0u64, exponent, false, 0u32);
    for digit in digits.chars() {
        if digit == '.' && !point {
            point = true;
            continue;
        }
        let digit = u64::from(digit.to_digit(16)?);
        count = count.saturating_add(1);
        if bits >> 56 == 0 {
            bits = bits << 4 | digit;
            exponent = if point {
                exponent.saturating_sub(4)
            } else {
                exponent
            };
        } else {
            bits |= u64::from(digit != 0);
            exponent = if point {
                exponent
            } else {
                exponent.saturating_add(4)
            };
        }
    }
    if count == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "this is where it is rounded")]
    let mut value = bits as f64;
    // In steps, because two to the power of the whole exponent may not exist where the value does.
    while exponent != 0 && value != 0.0 && value.is_finite() {
        let step = exponent.clamp(-900, 900);
        value *= 2f64.powi(step);
        exponent = exponent.saturating_sub(step);
    }
    Some(if negative { -value } else { value })
}

/// Appends `value` as [`format_f64`] writes it.
pub fn write_f64(out: &mut BytesMut, value: f64) {
    out.extend_from_slice(format_f64(value, &mut [0; F64_LEN]));
}

/// Writes a floating-point number as Redis 7.2 does (`d2string`), and returns it.
///
/// Whole numbers have no point and no exponent up to 2^62; the rest is the shortest form that reads back the same,
/// with an exponent where that is shorter; `inf`, `-inf`, `nan`, `-0`.
///
/// ```
/// use resp_codec::number::{F64_LEN, format_f64};
///
/// assert_eq!(format_f64(3000.0, &mut [0; F64_LEN]), b"3000");
/// assert_eq!(format_f64(0.1, &mut [0; F64_LEN]), b"0.1");
/// assert_eq!(format_f64(1e-9, &mut [0; F64_LEN]), b"1e-9");
/// ```
#[must_use]
pub fn format_f64(value: f64, buffer: &mut [u8; F64_LEN]) -> &[u8] {
    let len = print::f64(value, buffer);
    buffer.get(..len).unwrap_or_default()
}

/// The layout of Redis's `fpconv_dtoa` over the shortest digits, which Rust's `{:e}` yields.
mod print {
    use std::io::Write;

    pub(super) fn f64(value: f64, buffer: &mut [u8]) -> usize {
        let mut out = buffer;
        let room = out.len();
        let _ = whole(value, &mut out); // the longest form is shorter than `F64_LEN`
        room.saturating_sub(out.len())
    }

    fn whole(value: f64, out: &mut &mut [u8]) -> std::io::Result<()> {
        const MAX_WHOLE: f64 = 4_611_686_018_427_387_904.0; // LLONG_MAX / 2 as a double
        if value.is_nan() {
            return out.write_all(b"nan");
        }
        if value.is_infinite() {
            return out.write_all(if value < 0.0 { b"-inf" } else { b"inf" });
        }
        if value == 0.0 {
            return out.write_all(if value.is_sign_negative() {
                b"-0"
            } else {
                b"0"
            });
        }
        if value.abs() <= MAX_WHOLE && value.trunc() == value {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^62")]
            return write!(out, "{}", value as i64);
        }
        if value < 0.0 {
            out.write_all(b"-")?;
        }
        shortest(value.abs(), value < 0.0, out)
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "exponents and digit counts of an f64 are below 400"
    )]
    fn shortest(value: f64, negative: bool, out: &mut &mut [u8]) -> std::io::Result<()> {
        let mut text = [0u8; 32];
        let mut rest: &mut [u8] = &mut text;
        write!(rest, "{value:e}")?;
        let left = rest.len();
        let text = text.get(..32 - left).unwrap_or_default();

        let e = text.iter().position(|&b| b == b'e').unwrap_or(text.len());
        let (mantissa, exponent) = text.split_at(e);
        let exponent = exponent.get(1..).and_then(super::parse_i64).unwrap_or(0);
        let mut digits = [0u8; 20];
        let mut count = 0usize;
        for (place, &digit) in digits
            .iter_mut()
            .zip(mantissa.iter().filter(|b| b.is_ascii_digit()))
        {
            *place = digit;
            count += 1;
        }
        let digits = digits.get(..count).unwrap_or_default();

        let count = i64::try_from(count).unwrap_or(0);
        let k = exponent - count + 1; // value = digits * 10^k
        let magnitude = exponent.abs();
        if k >= 0 && magnitude < count + 7 {
            out.write_all(digits)?;
            for _ in 0..k {
                out.write_all(b"0")?;
            }
            return Ok(());
        }
        if k < 0 && (k > -7 || magnitude < 4) {
            let point = count + k; // digits before the point
            if point <= 0 {
                out.write_all(b"0.")?;
                for _ in point..0 {
                    out.write_all(b"0")?;
                }
                return out.write_all(digits);
            }
            let (before, after) = digits.split_at(usize::try_from(point).unwrap_or(0));
            out.write_all(before)?;
            out.write_all(b".")?;
            return out.write_all(after);
        }
        let kept = digits
            .get(..if negative { 17 } else { 18 })
            .unwrap_or(digits);
        let (first, others) = kept.split_at(1.min(kept.len()));
        out.write_all(first)?;
        if !others.is_empty() {
            out.write_all(b".")?;
            out.write_all(others)?;
        }
        write!(out, "e{}{magnitude}", if exponent < 0 { '-' } else { '+' })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_is_parsed_as_strtod_does_and_out_of_range_is_refused() {
        for (text, value) in [
            ("0", 0.0),
            ("-0", -0.0),
            ("0e5", 0.0),
            ("+1.5", 1.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1E-3", 0.001),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("4.9e-324", 5e-324),
            ("0x10", 16.0),
            ("-0X1.8p1", -3.0),
            ("0x.8", 0.5),
            ("0x1p-1074", 5e-324),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x0p9999", 0.0),
            ("0x100000000000000000", 295_147_905_179_352_825_856.0),
        ] {
            assert_eq!(
                parse_f64(text.as_bytes()).map(f64::to_bits),
                Some(value.to_bits()),
                "{text:?}"
            );
        }
        for text in [
            "",
            " 1",
            "1 ",
            "nan",
            "-nan",
            "1e",
            "e5",
            ".",
            "1.2.3",
            "1e999",
            "-1e999",
            "1e-999",
            "0x",
            "0x.",
            "0x1p",
            "0xg",
            "0x1.1.1",
            "0x1p99999",
            "0x1p-99999",
            "0b1",
            "1_000",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_double_is_printed_as_redis_prints_it() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-42.0, "-42"),
            (3.5, "3.5"),
            (0.1, "0.1"),
            (0.000001, "0.000001"),
            (0.0000012, "1.2e-6"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (1.0 / 3.0, "0.3333333333333333"),
            (123456.789, "123456.789"),
            (1e17, "100000000000000000"),
            (4611686018427387904.0, "4611686018427387904"),
            (4611686018427388928.0, "4611686018427389000"),
            (1e20, "1e+20"),
            (1.2345e25, "1.2345e+25"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-f64::MAX, "-1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            let mut buffer = [0; F64_LEN];
            assert_eq!(
                std::str::from_utf8(format_f64(value, &mut buffer)),
                Ok(text)
            );
        }
    }
}
