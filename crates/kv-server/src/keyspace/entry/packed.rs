//! A short string with its key in one allocation: `meta, key length, [expiry], key, value`.

use super::NEVER;
use crate::value::Form;

// Bits of the first byte.
const HAS_EXPIRY: u8 = 1;
/// The key's length takes two bytes.
const LONG_KEY: u8 = 1 << 1;
/// [`Form::Text`]
const TEXT: u8 = 1 << 2;
/// [`Form::Edited`]
const EDITED: u8 = 1 << 3;
const EXPIRY_BYTES: usize = 8;

/// Where the parts are.
struct Layout {
    key: usize,
    value: usize,
}

impl Layout {
    #[inline]
    fn of(packed: &[u8]) -> Self {
        let meta = packed[0];
        let (len, head) = if meta & LONG_KEY == 0 {
            (usize::from(packed[1]), 2)
        } else {
            (usize::from(u16::from_le_bytes([packed[1], packed[2]])), 3)
        };
        let key = if meta & HAS_EXPIRY == 0 {
            head
        } else {
            head + EXPIRY_BYTES
        };
        Self {
            key,
            value: key + len,
        }
    }
}

/// Packs a string; its key is shorter than 64 KiB.
pub(super) fn pack(key: &[u8], value: &[u8], expire_at: i64, form: Form) -> Box<[u8]> {
    // Exactly as much as is needed: a vector with room to spare would be moved to become a box.
    let head = if key.len() > 0xff { 3 } else { 2 };
    let expiry = if expire_at == NEVER { 0 } else { EXPIRY_BYTES };
    let mut bytes = Vec::with_capacity(head + expiry + key.len() + value.len());
    let mut meta = form_bits(form);
    if expire_at != NEVER {
        meta |= HAS_EXPIRY;
    }
    match u8::try_from(key.len()) {
        Ok(len) => bytes.extend_from_slice(&[meta, len]),
        Err(_) => {
            #[expect(clippy::cast_possible_truncation, reason = "at most PACKED_MAX")]
            let [low, high] = (key.len() as u16).to_le_bytes();
            bytes.extend_from_slice(&[meta | LONG_KEY, low, high]);
        }
    }
    if expire_at != NEVER {
        bytes.extend_from_slice(&expire_at.to_le_bytes());
    }
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value);
    bytes.into_boxed_slice()
}

#[inline]
pub(super) fn key(packed: &[u8]) -> &[u8] {
    let layout = Layout::of(packed);
    &packed[layout.key..layout.value]
}

#[inline]
pub(super) fn value(packed: &[u8]) -> &[u8] {
    &packed[Layout::of(packed).value..]
}

#[inline]
pub(super) fn value_mut(packed: &mut [u8]) -> &mut [u8] {
    let at = Layout::of(packed).value;
    &mut packed[at..]
}

#[inline]
pub(super) fn form(packed: &[u8]) -> Form {
    match packed[0] & (TEXT | EDITED) {
        0 => Form::Plain,
        TEXT => Form::Text,
        _ => Form::Edited,
    }
}

#[inline]
pub(super) fn set_form(packed: &mut [u8], form: Form) {
    packed[0] = packed[0] & !(TEXT | EDITED) | form_bits(form);
}

#[inline]
fn form_bits(form: Form) -> u8 {
    match form {
        Form::Plain => 0,
        Form::Text => TEXT,
        Form::Edited => EDITED,
    }
}

/// [`NEVER`], or a Unix time in milliseconds.
#[inline]
pub(super) fn expire_at(packed: &[u8]) -> i64 {
    let head = match packed[0] & (HAS_EXPIRY | LONG_KEY) {
        HAS_EXPIRY => 2,
        0 | LONG_KEY => return NEVER,
        _ => 3,
    };
    packed[head..]
        .first_chunk()
        .map_or(NEVER, |bytes| i64::from_le_bytes(*bytes))
}

/// Sets another time, or none where there is none. `false` if it takes another size to do so.
#[inline]
pub(super) fn set_expire_at(packed: &mut [u8], at: i64) -> bool {
    let has_expiry = packed[0] & HAS_EXPIRY != 0;
    if has_expiry != (at != NEVER) {
        return false;
    }
    if has_expiry {
        let head = if packed[0] & LONG_KEY == 0 { 2 } else { 3 };
        packed[head..head + EXPIRY_BYTES].copy_from_slice(&at.to_le_bytes());
    }
    true
}
