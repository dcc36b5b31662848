//! The bytes of a request: without an allocation while they are few, shared when they are many.

use std::ops::{Deref, Range};

use bytes::Bytes;
use resp_codec::number::{I64_LEN, format_i64};

use super::SHARED_FROM;
use crate::connection::outgoing::Outgoing;

/// The bytes of a request, to be copied into the write buffer or to be sent from where they are.
#[derive(Clone)]
pub(super) enum Body {
    /// What takes no allocation.
    Short {
        len: u8,
        bytes: [u8; SHORT],
    },
    Open(Vec<u8>),
    Sealed(Bytes),
}

/// Room for a short command: a name, a key of some twenty bytes and a value of 64. More room would make moving it, and the
/// many in a pipeline, dearer than the allocation that it saves.
const SHORT: usize = 110;
/// Room for a longer one, so that building it takes one allocation.
pub(super) const LONGER: usize = 128;
/// The array header that a body starts with, up to [`MAX_COUNTED`] arguments: `*`, a digit, CR LF.
pub(super) const COUNTED: &[u8; 4] = b"*1\r\n";
pub(super) const MAX_COUNTED: usize = 9;

impl Body {
    /// The array header of one argument.
    pub(super) const START: Self = {
        let mut bytes = [0; SHORT];
        let [first, second, third, fourth] = *COUNTED;
        (bytes[0], bytes[1], bytes[2], bytes[3]) = (first, second, third, fourth);
        Self::Short { len: 4, bytes }
    };

    /// Appends a bulk string.
    #[inline]
    pub(super) fn push(&mut self, arg: &[u8]) {
        if !self.push_short(arg) {
            push_open(self.open(arg.len()), arg);
        }
    }

    /// Appends a bulk string, if this is a short request and stays one.
    #[inline]
    fn push_short(&mut self, arg: &[u8]) -> bool {
        let Self::Short { len, bytes } = self else {
            return false;
        };
        let Some((header, digits)) = short_header(arg.len()) else {
            return false;
        };
        let start = usize::from(*len);
        let data = start + digits;
        let end = data + arg.len() + 2;
        if end > SHORT {
            return false;
        }
        // Copies of a fixed length are a store or two; the argument overwrites what is too much of the header.
        bytes[start..start + 5].copy_from_slice(&header);
        bytes[data..end - 2].copy_from_slice(arg);
        bytes[end - 2..end].copy_from_slice(b"\r\n");
        *len = u8::try_from(end).unwrap_or_default(); // at most `SHORT`
        true
    }

    /// To be changed, with room for an argument of `more` bytes if it has to be moved.
    #[inline]
    pub(super) fn open(&mut self, more: usize) -> &mut Vec<u8> {
        if !matches!(self, Self::Open(_)) {
            self.move_out(more);
        }
        match self {
            Self::Open(body) => body,
            _ => unreachable!("opened above"),
        }
    }

    #[cold]
    fn move_out(&mut self, more: usize) {
        let open = match self {
            Self::Open(_) => return,
            Self::Sealed(body) => std::mem::take(body).into(),
            Self::Short { .. } => {
                let mut open = Vec::with_capacity(LONGER + more);
                open.extend_from_slice(self);
                open
            }
        };
        *self = Self::Open(open);
    }

    /// Writes the number of arguments, at most [`MAX_COUNTED`], into the array header.
    #[inline]
    pub(super) fn count(&mut self, args: usize) {
        let bytes: &mut [u8] = match self {
            Self::Short { bytes, .. } => bytes,
            body => body.open(0),
        };
        if let (Ok(digit), Some(place)) = (u8::try_from(args), bytes.get_mut(1)) {
            *place = b'0' + digit;
        }
    }

    pub(super) fn encode(&self, part: Range<usize>, out: &mut Outgoing) {
        match self {
            Self::Sealed(body) if part.len() >= SHARED_FROM => out.push_shared(body.slice(part)),
            body => out.tail().extend_from_slice(&body[part]),
        }
    }
}

/// The header of a bulk string of at most 99 bytes, and its length.
#[inline]
fn short_header(len: usize) -> Option<([u8; 5], usize)> {
    match u8::try_from(len) {
        Ok(n @ 0..=9) => Some(([b'$', b'0' + n, b'\r', b'\n', 0], 4)),
        Ok(n @ 10..=99) => Some(([b'$', b'0' + n / 10, b'0' + n % 10, b'\r', b'\n'], 5)),
        _ => None,
    }
}

/// Appends a bulk string to what is no short request any more.
fn push_open(body: &mut Vec<u8>, arg: &[u8]) {
    // A header of at most twenty digits, and two line ends.
    body.reserve(arg.len() + 25);
    match short_header(arg.len()) {
        Some((header, digits)) => {
            // As above: a copy of a fixed length, and off with what is too much.
            body.extend_from_slice(&header);
            body.truncate(body.len() - (header.len() - digits));
        }
        None => push_header(body, arg.len()),
    }
    body.extend_from_slice(arg);
    body.extend_from_slice(b"\r\n");
}

/// Appends the header of a bulk string of any length.
pub(super) fn push_header(body: &mut Vec<u8>, len: usize) {
    let len = i64::try_from(len).unwrap_or(i64::MAX); // no slice is longer
    body.push(b'$');
    body.extend_from_slice(format_i64(len, &mut [0; I64_LEN]));
    body.extend_from_slice(b"\r\n");
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Open(body) => body,
            Self::Sealed(body) => body,
        }
    }
}
