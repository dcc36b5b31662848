//! Lines and the lengths that stand on them.

/// How a line ends in the bytes that are there.
pub(crate) enum Line {
    /// `\r\n` begins here.
    Ends(usize),
    /// Not yet; everything before this place has been searched.
    Partial(usize),
    /// A `\r` without `\n`, or a `\n` without `\r`, stands here.
    Broken(usize),
}

/// Searches `buf` for the end of a line, beginning at `from`.
pub(crate) fn find(buf: &[u8], from: usize) -> Line {
    let Some(at) = first_line_end(buf, from) else {
        return Line::Partial(buf.len());
    };
    match buf.get(at..) {
        Some([b'\r', b'\n', ..]) => Line::Ends(at),
        Some([b'\r']) => Line::Partial(at),
        _ => Line::Broken(at),
    }
}

/// The first `\r` or `\n` at or after `from`.
fn first_line_end(buf: &[u8], from: usize) -> Option<usize> {
    let found = buf
        .get(from..)?
        .iter()
        .position(|&byte| byte == b'\r' || byte == b'\n')?;
    from.checked_add(found)
}

/// The length at the start of `bytes`, and how many bytes it takes together with its `\r\n`.
///
/// Only the plain case, complete and without fault; for all others the caller looks at the whole line.
#[inline]
pub(crate) fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [a @ b'0'..=b'9', b'\r', b'\n', ..] => Some((digit(a), 3)),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', ..] => Some((digit(a) * 10 + digit(b), 4)),
        [
            a @ b'1'..=b'9',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            b'\r',
            b'\n',
            ..,
        ] => Some((digit(a) * 100 + digit(b) * 10 + digit(c), 5)),
        [b'1'..=b'9', ..] => long_length(bytes),
        _ => None,
    }
}

#[inline]
fn digit(byte: u8) -> usize {
    usize::from(byte & 15)
}

/// Lengths of 4 to 10 digits.
fn long_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value: u64 = 0; // ten digits always fit
    for (count, &byte) in bytes.iter().take(11).enumerate() {
        if !byte.is_ascii_digit() {
            let ended = matches!(bytes.get(count..), Some([b'\r', b'\n', ..]));
            return if ended {
                Some((usize::try_from(value).ok()?, count.checked_add(2)?))
            } else {
                None
            };
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(byte & 15));
    }
    None
}
