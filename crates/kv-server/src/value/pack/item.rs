//! One element as a pack stores it: an integer where its text is one, else bytes.

use resp_codec::number::{I64_LEN, format_i64, parse_i64};

/// Room for the digits of an [`Item`] that is an integer.
pub(crate) type Digits = [u8; I64_LEN];

/// An element of a collection, borrowed.
///
/// Text that is the shortest decimal form of an `i64` may be either variant; what [`Item::of`] returns is canonical.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    Int(i64),
    Text(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The canonical item: an integer if the text reads as one.
    pub(crate) fn of(text: &'a [u8]) -> Self {
        parse_i64(text).map_or(Self::Text(text), Self::Int)
    }

    /// The text; `digits` holds it if the item is an integer.
    pub(crate) fn bytes<'b>(self, digits: &'b mut Digits) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Int(number) => format_i64(number, digits),
            Self::Text(text) => text,
        }
    }

    pub(crate) fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut [0; I64_LEN]).to_vec()
    }

    /// The integer that the text is, whichever variant holds it.
    pub(crate) fn integer(self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(number),
            Self::Text(text) => parse_i64(text),
        }
    }

    /// Whether this is its text.
    pub(crate) fn equals(self, text: &[u8]) -> bool {
        match self {
            Self::Int(number) => parse_i64(text) == Some(number),
            Self::Text(own) => own == text,
        }
    }

    /// Length of the text.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Int(number) => digits_of(number),
            Self::Text(text) => text.len(),
        }
    }
}

/// Length of a number in decimal, its sign included.
pub(crate) fn digits_of(number: i64) -> usize {
    let digits = number
        .unsigned_abs()
        .checked_ilog10()
        .map_or(1, |log| log as usize + 1);
    digits + usize::from(number < 0)
}

/// The bytes before the text of an element: all of it for an integer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    bytes: [u8; 9],
    len: usize,
}

// First bytes, as in a listpack: https://github.com/antirez/listpack/blob/master/listpack.md
/// `10`: a string of up to 63 bytes.
const TEXT_6: u8 = 0x80;
/// `110`: an integer of 13 bits with sign.
const INT_13: u8 = 0xc0;
/// `1110`: a string of up to 4,095 bytes.
const TEXT_12: u8 = 0xe0;
const TEXT_32: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;

impl Head {
    pub(super) fn of(item: Item<'_>) -> Self {
        match item {
            Item::Int(number) => Self::integer(number),
            Item::Text(text) => Self::text(text.len()),
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn new(first: u8, rest: &[u8]) -> Self {
        let mut bytes = [0; 9];
        bytes[0] = first;
        bytes[1..=rest.len()].copy_from_slice(rest);
        Self {
            bytes,
            len: 1 + rest.len(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range of each arm fits, and the bits are what is stored"
    )]
    fn integer(number: i64) -> Self {
        let bytes = number.to_le_bytes();
        match number {
            0..=127 => Self::new(number as u8, &[]),
            -4096..=4095 => Self::new(INT_13 | (number >> 8) as u8 & 0x1f, &bytes[..1]),
            -0x8000..=0x7fff => Self::new(INT_16, &bytes[..2]),
            -0x80_0000..=0x7f_ffff => Self::new(INT_24, &bytes[..3]),
            -0x8000_0000..=0x7fff_ffff => Self::new(INT_32, &bytes[..4]),
            _ => Self::new(INT_64, &bytes),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range of each arm fits; elements are at most `ITEM_MAX` long"
    )]
    fn text(len: usize) -> Self {
        match len {
            0..=63 => Self::new(TEXT_6 | len as u8, &[]),
            64..=4095 => Self::new(TEXT_12 | (len >> 8) as u8, &[len as u8]),
            _ => Self::new(TEXT_32, &(len as u32).to_le_bytes()),
        }
    }
}

/// Reads the element at the start of `bytes`; returns it and its length without the length behind it.
#[inline]
pub(super) fn decode(bytes: &[u8]) -> (Item<'_>, usize) {
    let first = bytes[0];
    let (head, len) = match first {
        0..TEXT_6 => return (Item::Int(first.into()), 1),
        TEXT_6..INT_13 => (1, usize::from(first & 0x3f)),
        INT_13..TEXT_12 => {
            let high = i64::from(first & 0x1f) << 59 >> 51;
            return (Item::Int(high | i64::from(bytes[1])), 2);
        }
        TEXT_12..TEXT_32 => (2, usize::from(first & 0xf) << 8 | usize::from(bytes[1])),
        TEXT_32 => (
            5,
            u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize,
        ),
        _ => {
            let width = int_width(first);
            let mut wide = [0; 8];
            wide[8 - width..].copy_from_slice(&bytes[1..=width]);
            return (
                Item::Int(i64::from_le_bytes(wide) >> (64 - 8 * width)),
                1 + width,
            );
        }
    };
    (Item::Text(&bytes[head..head + len]), head + len)
}

/// Length of the element at the start of `bytes` without the length behind it.
#[inline]
pub(super) fn measure(bytes: &[u8]) -> usize {
    let first = bytes[0];
    match first {
        0..TEXT_6 => 1,
        TEXT_6..INT_13 => 1 + usize::from(first & 0x3f),
        INT_13..TEXT_12 => 2,
        TEXT_12..TEXT_32 => 2 + (usize::from(first & 0xf) << 8 | usize::from(bytes[1])),
        TEXT_32 => 5 + u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize,
        _ => 1 + int_width(first),
    }
}

fn int_width(first: u8) -> usize {
    match first {
        INT_16 => 2,
        INT_24 => 3,
        INT_32 => 4,
        _ => 8,
    }
}

/// How many bytes the length behind an element takes.
#[inline]
pub(super) fn tail_len(len: usize) -> usize {
    match len {
        0..=0x7f => 1,
        // Redis takes a byte more than it needs for the last length of each.
        0x80..0x3fff => 2,
        0x3fff..0x1f_ffff => 3,
        0x1f_ffff..0x0fff_ffff => 4,
        _ => 5,
    }
}

/// Writes the length of an element behind it: seven bits a byte, to be read backwards until a byte below 128.
#[expect(clippy::cast_possible_truncation, reason = "seven bits")]
pub(super) fn write_tail(mut len: usize, tail: &mut [u8]) {
    let mut bytes = tail.iter_mut().rev().peekable();
    while let Some(byte) = bytes.next() {
        *byte = (len & 0x7f) as u8;
        len >>= 7;
        if bytes.peek().is_some() {
            *byte |= 0x80;
        }
    }
}

/// Reads the length that ends `bytes`; returns it and how many bytes it takes.
#[inline]
pub(super) fn read_tail(bytes: &[u8]) -> (usize, usize) {
    let (mut len, mut taken) = (0, 0);
    for &byte in bytes.iter().rev() {
        len |= usize::from(byte & 0x7f) << (7 * taken);
        taken += 1;
        if byte < 0x80 {
            break;
        }
    }
    (len, taken)
}
