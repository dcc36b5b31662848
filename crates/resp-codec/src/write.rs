//! Free functions that append one RESP type each to a buffer.
//!
//! The types that RESP3 added take a [`Version`] and fall back, in RESP2, to what Redis sends there.
//! An aggregate is its header followed by its elements, written by the caller.
//!
//! ```
//! use bytes::BytesMut;
//! use resp_codec::{Version, write};
//!
//! let mut out = BytesMut::new();
//! write::map_header(&mut out, Version::Resp3, 1);
//! write::bulk(&mut out, b"hits");
//! write::integer(&mut out, 7);
//! assert_eq!(out, "%1\r\n$4\r\nhits\r\n:7\r\n");
//! ```

use bytes::BytesMut;

use crate::{
    number::{self, F64_LEN, I64_LEN},
    version::Version,
    word,
};

/// `+text`. Carriage returns and line feeds in `text` become blanks, so that no text can forge a reply.
#[inline]
pub fn simple_string(out: &mut BytesMut, text: &[u8]) {
    line(out, b'+', text);
}

/// `-text`. Carriage returns and line feeds in `text` become blanks, so that no text can forge a reply.
#[inline]
pub fn error(out: &mut BytesMut, text: &[u8]) {
    line(out, b'-', text);
}

/// `:value`
#[inline]
pub fn integer(out: &mut BytesMut, value: i64) {
    match u32::try_from(value) {
        Ok(value) => number_line(out, b':', value),
        Err(_) => long_number_line(out, b':', value < 0, value.unsigned_abs()),
    }
}

/// `$len`, the bytes, and a line end.
#[inline]
pub fn bulk(out: &mut BytesMut, data: &[u8]) {
    // A type byte, twenty digits, two line ends.
    out.reserve(data.len().saturating_add(25));
    header(out, b'$', data.len());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// The header of a bulk string of `len` bytes; the bytes and a line end follow, written by the caller.
#[inline]
pub fn bulk_header(out: &mut BytesMut, len: usize) {
    header(out, b'$', len);
}

/// A bulk string that holds a decimal number.
#[inline]
pub fn bulk_i64(out: &mut BytesMut, value: i64) {
    bulk(out, number::format_i64(value, &mut [0; I64_LEN]));
}

/// Null: `$-1` in RESP2, `_` in RESP3.
#[inline]
pub fn null(out: &mut BytesMut, version: Version) {
    out.extend_from_slice(match version {
        Version::Resp2 => b"$-1\r\n",
        Version::Resp3 => b"_\r\n",
    });
}

/// The null array: `*-1` in RESP2, `_` in RESP3.
#[inline]
pub fn null_array(out: &mut BytesMut, version: Version) {
    out.extend_from_slice(match version {
        Version::Resp2 => b"*-1\r\n",
        Version::Resp3 => b"_\r\n",
    });
}

/// The header of an array of `len` elements.
#[inline]
pub fn array_header(out: &mut BytesMut, len: usize) {
    header(out, b'*', len);
}

/// The header of a request of `args` arguments, its name included; each follows by [`bulk`].
#[inline]
pub fn request_header(out: &mut BytesMut, args: usize) {
    header(out, b'*', args);
}

/// The header of a map of `pairs` keys and values; in RESP2 an array of twice as many elements.
#[inline]
pub fn map_header(out: &mut BytesMut, version: Version, pairs: usize) {
    match version {
        Version::Resp2 => header(out, b'*', pairs.saturating_mul(2)),
        Version::Resp3 => header(out, b'%', pairs),
    }
}

/// The header of a set of `len` elements; in RESP2 an array.
#[inline]
pub fn set_header(out: &mut BytesMut, version: Version, len: usize) {
    header(
        out,
        if version == Version::Resp3 {
            b'~'
        } else {
            b'*'
        },
        len,
    );
}

/// The header of a push of `len` elements; in RESP2 an array.
#[inline]
pub fn push_header(out: &mut BytesMut, version: Version, len: usize) {
    header(
        out,
        if version == Version::Resp3 {
            b'>'
        } else {
            b'*'
        },
        len,
    );
}

/// The header of an attribute of `pairs` keys and values. The frame that it describes follows the pairs.
///
/// RESP2 has no attributes: leave them out there.
#[inline]
pub fn attribute_header(out: &mut BytesMut, pairs: usize) {
    header(out, b'|', pairs);
}

/// A floating-point number: `,1.5`, in RESP2 a bulk string. Its text is that of [`number::format_f64`].
#[inline]
pub fn double(out: &mut BytesMut, version: Version, value: f64) {
    let mut buffer = [0; F64_LEN];
    let text = number::format_f64(value, &mut buffer);
    match version {
        Version::Resp2 => bulk(out, text),
        Version::Resp3 => parts(out, b',', text),
    }
}

/// `#t` or `#f`; in RESP2 the integer 1 or 0.
#[inline]
pub fn boolean(out: &mut BytesMut, version: Version, value: bool) {
    out.extend_from_slice(match (version, value) {
        (Version::Resp2, false) => b":0\r\n",
        (Version::Resp2, true) => b":1\r\n",
        (Version::Resp3, false) => b"#f\r\n",
        (Version::Resp3, true) => b"#t\r\n",
    });
}

/// `(digits`; in RESP2 a bulk string. `digits` is a decimal integer of any length, with or without a sign.
#[inline]
pub fn big_number(out: &mut BytesMut, version: Version, digits: &[u8]) {
    match version {
        Version::Resp2 => bulk(out, digits),
        Version::Resp3 => line(out, b'(', digits),
    }
}

/// `!len` and the text of an error; in RESP2 a plain error, in which line ends become blanks.
#[inline]
pub fn bulk_error(out: &mut BytesMut, version: Version, text: &[u8]) {
    match version {
        Version::Resp2 => error(out, text),
        Version::Resp3 => {
            header(out, b'!', text.len());
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// `=len`, three bytes that name the format (`txt`, `mkd`), a colon and the text; in RESP2 a bulk string of the text.
#[inline]
pub fn verbatim(out: &mut BytesMut, version: Version, format: &[u8; 3], data: &[u8]) {
    match version {
        Version::Resp2 => bulk(out, data),
        Version::Resp3 => {
            header(out, b'=', data.len().saturating_add(4));
            out.extend_from_slice(format);
            out.extend_from_slice(b":");
            out.extend_from_slice(data);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// A type byte, a length and a line end.
#[inline]
fn header(out: &mut BytesMut, kind: u8, len: usize) {
    match u32::try_from(len) {
        Ok(len) => number_line(out, kind, len),
        Err(_) => long_number_line(out, kind, false, u64::try_from(len).unwrap_or(u64::MAX)),
    }
}

/// A type byte, a number and a line end.
///
/// Most numbers have one or two digits, and copies of a fixed size are a store or two. That is why others are copied with
/// what is behind them in the register, which is then cut off.
#[inline]
fn number_line(out: &mut BytesMut, kind: u8, value: u32) {
    match u8::try_from(value) {
        Ok(value @ 0..=9) => out.extend_from_slice(&[kind, b'0' | value, b'\r', b'\n']),
        Ok(value @ 10..=99) => {
            out.extend_from_slice(&[kind, b'0' | (value / 10), b'0' | (value % 10), b'\r', b'\n']);
        }
        _ => longer_number_line(out, kind, value),
    }
}

/// [`number_line`] of three digits and more.
#[inline(never)]
fn longer_number_line(out: &mut BytesMut, kind: u8, value: u32) {
    match word::number_line(kind, value) {
        Some((line, len)) => {
            let end = out.len().saturating_add(len);
            out.extend_from_slice(&line.to_le_bytes());
            out.truncate(end);
        }
        None => long_number_line(out, kind, false, value.into()),
    }
}

/// [`number_line`] of any size and sign.
#[inline(never)]
fn long_number_line(out: &mut BytesMut, kind: u8, negative: bool, value: u64) {
    let mut buffer = [0; 24]; // the longest takes 23
    buffer[22] = b'\r';
    buffer[23] = b'\n';
    let mut start = number::digits(value, &mut buffer[..22]);
    if negative {
        start = number::put(&mut buffer, start, b'-');
    }
    start = number::put(&mut buffer, start, kind);
    out.extend_from_slice(buffer.get(start..).unwrap_or_default());
}

/// A type byte and a text that may hold line ends.
#[inline]
fn line(out: &mut BytesMut, kind: u8, text: &[u8]) {
    let start = out.len();
    parts(out, kind, text);
    if text.iter().any(|b| matches!(b, b'\r' | b'\n')) {
        blank_line_ends(out, start.saturating_add(1), text.len());
    }
}

#[cold]
fn blank_line_ends(out: &mut BytesMut, start: usize, len: usize) {
    for byte in out.iter_mut().skip(start).take(len) {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

/// A type byte, a text without line ends, and a line end.
#[inline]
fn parts(out: &mut BytesMut, kind: u8, text: &[u8]) {
    out.reserve(text.len().saturating_add(3));
    out.extend_from_slice(&[kind]);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}
