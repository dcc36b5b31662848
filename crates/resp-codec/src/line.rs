//! Lines, of any length, whole or not.

use crate::word;

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
#[inline(always)]
pub(crate) fn find(buf: &[u8], from: usize) -> Line {
    let near = buf
        .get(from..)
        .and_then(|rest| rest.first_chunk())
        .and_then(|near| word::line_end(u64::from_le_bytes(*near)));
    match near {
        Some(ahead) => ends_at(buf, from.wrapping_add(ahead)), // inside `buf`
        None => find_far(buf, from),
    }
}

#[inline(never)]
fn find_far(buf: &[u8], from: usize) -> Line {
    let rest = buf.get(from..).unwrap_or_default();
    let mut words = rest.chunks_exact(8);
    let mut offset = from;
    for word in &mut words {
        if let Some(ahead) = word
            .try_into()
            .ok()
            .and_then(|word| word::line_end(u64::from_le_bytes(word)))
        {
            return ends_at(buf, offset.saturating_add(ahead));
        }
        offset = offset.saturating_add(8);
    }
    match words
        .remainder()
        .iter()
        .position(|&byte| byte == b'\r' || byte == b'\n')
    {
        Some(ahead) => ends_at(buf, offset.saturating_add(ahead)),
        None => Line::Partial(buf.len()),
    }
}

/// What the `\r` or `\n` at `at` means.
#[inline]
fn ends_at(buf: &[u8], at: usize) -> Line {
    match buf.get(at..) {
        Some([b'\r', b'\n', ..]) => Line::Ends(at),
        Some([b'\r']) => Line::Partial(at),
        _ => Line::Broken(at),
    }
}
