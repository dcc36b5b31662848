//! One key with its value and expiry, in 16 bytes of table and, for most strings, one allocation.

use resp_codec::number::parse_i64;

use crate::keyspace::table;
use crate::value::{Blob, Form, Hash, Text, Value, ValueType as _};

/// A slot of the keyspace's table.
///
/// Two variants of which the first has the only niche: 16 bytes in all, so a bucket of eleven fits four cache lines.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A short string: `meta, key length, [expiry], key, value` in one allocation. Empty means a vacant slot.
    Packed(Box<[u8]>),
    /// Everything else.
    Object(Box<Object>),
}

const _: () = assert!(size_of::<Entry>() == 16);

#[derive(Debug)]
pub(crate) struct Object {
    label: Label,
    value: Value,
}

const _: () = assert!(size_of::<Object>() <= 48);

/// The key of an object, and when it expires: most collections never do, and have short keys.
#[derive(Debug)]
enum Label {
    Forever(Blob),
    Until(Box<Until>),
}

#[derive(Debug)]
struct Until {
    /// Unix time in milliseconds.
    at: i64,
    key: Blob,
}

impl Label {
    fn new(key: &[u8], expire_at: i64) -> Self {
        let key = Blob::of(&[key]);
        match expire_at {
            NEVER => Self::Forever(key),
            at => Self::Until(Box::new(Until { at, key })),
        }
    }

    #[inline]
    fn key(&self) -> &[u8] {
        match self {
            Self::Forever(key) => key.as_slice(),
            Self::Until(until) => until.key.as_slice(),
        }
    }

    #[inline]
    fn expire_at(&self) -> i64 {
        match self {
            Self::Forever(_) => NEVER,
            Self::Until(until) => until.at,
        }
    }

    /// Bytes allocated.
    fn memory(&self) -> usize {
        match self {
            Self::Forever(key) => key.memory(),
            Self::Until(until) => size_of::<Until>() + until.key.memory(),
        }
    }
}

/// Strings whose key and value are longer together get an [`Object`], so that a new expiry does not copy them.
const PACKED_MAX: usize = 1024;
/// Edited strings get an [`Object`], whose vector can grow, above this length.
const EDITED_PACKED_MAX: usize = 128;
/// Plain strings up to this length are `embstr` in `OBJECT ENCODING`, longer ones `raw`.
const EMBEDDED_MAX: usize = 44;
/// The `expire_at` of a key that does not expire.
pub(crate) const NEVER: i64 = i64::MAX;
/// The last time at which a key can expire, in the year 292,278,994.
pub(crate) const LATEST: i64 = NEVER - 1;

// Bits of the first byte of a packed entry.
const HAS_EXPIRY: u8 = 1;
/// The key's length takes two bytes.
const LONG_KEY: u8 = 1 << 1;
/// [`Form::Text`]
const TEXT: u8 = 1 << 2;
/// [`Form::Edited`]
const EDITED: u8 = 1 << 3;
const EXPIRY_BYTES: usize = 8;

/// Where the parts of a packed entry are.
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

impl Entry {
    /// A string.
    pub(crate) fn string(key: &[u8], value: &[u8], expire_at: i64) -> Self {
        Self::string_in(Form::Plain, key, value, expire_at)
    }

    /// A string whose bytes are there already.
    pub(crate) fn string_from(key: &[u8], value: Vec<u8>, expire_at: i64) -> Self {
        if key.len() + value.len() > PACKED_MAX {
            return Self::object(key, Value::String(Box::new(Text::from(value))), expire_at);
        }
        Self::packed(key, &value, expire_at, Form::Plain)
    }

    /// A string of a certain form.
    pub(crate) fn string_in(form: Form, key: &[u8], value: &[u8], expire_at: i64) -> Self {
        if key.len() + value.len() > PACKED_MAX {
            let text = Text::new(value.to_vec(), form);
            return Self::object(key, Value::String(Box::new(text)), expire_at);
        }
        Self::packed(key, value, expire_at, form)
    }

    /// A string that was edited or computed.
    pub(crate) fn edited(key: &[u8], value: Vec<u8>, expire_at: i64) -> Self {
        if key.len() + value.len() > EDITED_PACKED_MAX {
            let text = Text::new(value, Form::Edited);
            return Self::object(key, Value::String(Box::new(text)), expire_at);
        }
        Self::packed(key, &value, expire_at, Form::Edited)
    }

    fn packed(key: &[u8], value: &[u8], expire_at: i64, form: Form) -> Self {
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
        Self::Packed(bytes.into_boxed_slice())
    }

    /// A value of any type.
    pub(crate) fn object(key: &[u8], value: Value, expire_at: i64) -> Self {
        Self::Object(Box::new(Object {
            label: Label::new(key, expire_at),
            value,
        }))
    }

    #[inline]
    pub(crate) fn expire_at(&self) -> i64 {
        match self {
            Self::Packed(packed) => packed_expiry(packed),
            Self::Object(object) => object.label.expire_at(),
        }
    }

    pub(crate) fn set_expire_at(&mut self, at: i64) {
        match self {
            Self::Packed(packed) => {
                let meta = packed[0];
                let has_expiry = meta & HAS_EXPIRY != 0;
                if has_expiry && at != NEVER {
                    let head = if meta & LONG_KEY == 0 { 2 } else { 3 };
                    packed[head..head + EXPIRY_BYTES].copy_from_slice(&at.to_le_bytes());
                } else if has_expiry || at != NEVER {
                    let layout = Layout::of(packed);
                    *self = Self::packed(
                        &packed[layout.key..layout.value],
                        &packed[layout.value..],
                        at,
                        form_of(meta),
                    );
                }
            }
            Self::Object(object) => object.label = Label::new(object.label.key(), at),
        }
    }

    /// The text, if this is a string.
    #[inline]
    pub(crate) fn as_string(&self) -> Option<&[u8]> {
        match self {
            Self::Packed(packed) => Some(&packed[Layout::of(packed).value..]),
            Self::Object(object) => match &object.value {
                Value::String(text) => Some(text.as_slice()),
                _ => None,
            },
        }
    }

    /// Overwrites a packed string of the same length in place; `false` if the entry is of another shape.
    #[inline]
    pub(crate) fn overwrite(&mut self, value: &[u8], expire_at: i64, form: Form) -> bool {
        let Self::Packed(packed) = self else {
            return false;
        };
        let layout = Layout::of(packed);
        let has_expiry = packed[0] & HAS_EXPIRY != 0;
        if packed.len() - layout.value != value.len() || has_expiry != (expire_at != NEVER) {
            return false;
        }
        packed[layout.value..].copy_from_slice(value);
        packed[0] = packed[0] & !(TEXT | EDITED) | form_bits(form);
        if has_expiry {
            self.set_expire_at(expire_at);
        }
        true
    }

    /// The bytes of a string, to be edited without changing their number.
    pub(crate) fn string_bytes_mut(&mut self) -> Option<&mut [u8]> {
        match self {
            Self::Packed(packed) => {
                packed[0] = packed[0] & !TEXT | EDITED;
                let at = Layout::of(packed).value;
                Some(&mut packed[at..])
            }
            Self::Object(object) => match &mut object.value {
                Value::String(text) => Some(text.edit()),
                _ => None,
            },
        }
    }

    /// Edits a string that may become longer or shorter. `false` for a collection.
    pub(crate) fn edit_string(&mut self, edit: impl FnOnce(&mut Vec<u8>)) -> bool {
        match self {
            Self::Packed(packed) => {
                let expire_at = packed_expiry(packed);
                let layout = Layout::of(packed);
                let key = &packed[layout.key..layout.value];
                let mut value = packed[layout.value..].to_vec();
                edit(&mut value);
                *self = Self::edited(key, value, expire_at);
                true
            }
            Self::Object(object) => match &mut object.value {
                Value::String(text) => {
                    edit(text.edit());
                    true
                }
                _ => false,
            },
        }
    }

    fn form(&self) -> Form {
        match self {
            Self::Packed(packed) => form_of(packed[0]),
            Self::Object(object) => match &object.value {
                Value::String(text) => text.form(),
                _ => Form::Plain,
            },
        }
    }

    /// Where it is in memory, for DEBUG OBJECT: in-place changes leave it there.
    pub(crate) fn address(&self) -> *const u8 {
        match self {
            Self::Packed(packed) => packed.as_ptr(),
            Self::Object(object) => std::ptr::from_ref::<Object>(object).cast(),
        }
    }

    /// The name that `OBJECT ENCODING` gives.
    pub(crate) fn encoding(&self) -> &'static str {
        match (self.as_string(), self.value(), self.form()) {
            (Some(text), _, Form::Plain) if parse_i64(text).is_some() => "int",
            (Some(text), _, Form::Plain | Form::Text) if text.len() <= EMBEDDED_MAX => "embstr",
            (None, Some(value), _) => value.encoding(),
            _ => "raw",
        }
    }

    /// The value of a collection; `None` for strings.
    #[inline]
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Object(object) => Some(&object.value),
            Self::Packed(_) => None,
        }
    }

    #[inline]
    pub(crate) fn value_mut(&mut self) -> Option<&mut Value> {
        match self {
            Self::Object(object) => Some(&mut object.value),
            Self::Packed(_) => None,
        }
    }

    /// A hash, to be changed.
    pub(crate) fn hash_mut(&mut self) -> Option<&mut Hash> {
        self.value_mut().and_then(Hash::of_mut)
    }

    /// The same value under another key.
    pub(crate) fn renamed(self, key: &[u8]) -> Self {
        match self {
            Self::Packed(ref packed) => {
                let layout = Layout::of(packed);
                Self::string_in(
                    form_of(packed[0]),
                    key,
                    &packed[layout.value..],
                    self.expire_at(),
                )
            }
            Self::Object(mut object) => {
                object.label = Label::new(key, object.label.expire_at());
                Self::Object(object)
            }
        }
    }

    /// A copy under another key.
    pub(crate) fn copied(&self, key: &[u8]) -> Self {
        match self {
            Self::Packed(packed) => Self::string_in(
                form_of(packed[0]),
                key,
                &packed[Layout::of(packed).value..],
                self.expire_at(),
            ),
            Self::Object(object) => {
                Self::object(key, object.value.clone(), object.label.expire_at())
            }
        }
    }

    /// The name that `TYPE` gives.
    pub(crate) fn type_name(&self) -> &'static str {
        self.value().map_or("string", Value::type_name)
    }

    /// Whether freeing it takes longer than passing it on to be freed by somebody who has time.
    pub(crate) fn is_slow_to_free(&self) -> bool {
        self.value().is_some_and(Value::is_slow_to_free)
    }
}

#[inline]
fn form_bits(form: Form) -> u8 {
    match form {
        Form::Plain => 0,
        Form::Text => TEXT,
        Form::Edited => EDITED,
    }
}

#[inline]
fn form_of(meta: u8) -> Form {
    match meta & (TEXT | EDITED) {
        0 => Form::Plain,
        TEXT => Form::Text,
        _ => Form::Edited,
    }
}

#[inline]
fn packed_expiry(packed: &[u8]) -> i64 {
    let head = match packed[0] & (HAS_EXPIRY | LONG_KEY) {
        HAS_EXPIRY => 2,
        0 | LONG_KEY => return NEVER,
        _ => 3,
    };
    packed[head..]
        .first_chunk()
        .map_or(NEVER, |bytes| i64::from_le_bytes(*bytes))
}

impl Default for Entry {
    /// A vacant slot; allocates nothing.
    fn default() -> Self {
        Self::Packed(Box::default())
    }
}

impl table::Slot for Entry {
    #[inline]
    fn is_vacant(&self) -> bool {
        matches!(self, Self::Packed(packed) if packed.is_empty())
    }

    #[inline]
    fn touch(&self) -> usize {
        match self {
            Self::Packed(packed) => {
                // The value ends in another cache line, as often as not.
                let ends = packed.first().zip(packed.last());
                ends.map_or(0, |(first, last)| usize::from(*first) + usize::from(*last))
            }
            Self::Object(object) => object.label.key().len(),
        }
    }

    fn expire_at(&self) -> Option<i64> {
        Some(self.expire_at()).filter(|&at| at != NEVER)
    }

    /// Key and value, without the table's slot.
    fn memory(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.len(),
            Self::Object(object) => {
                size_of::<Object>() + object.label.memory() + object.value.memory()
            }
        }
    }
}

impl table::Entry for Entry {
    #[inline]
    fn key(&self) -> &[u8] {
        match self {
            Self::Packed(packed) => {
                let layout = Layout::of(packed);
                &packed[layout.key..layout.value]
            }
            Self::Object(object) => object.label.key(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::table::Entry as _;
    use super::*;

    fn text(entry: &Entry) -> &[u8] {
        entry.as_string().unwrap()
    }

    #[test]
    fn a_packed_entry_keeps_key_value_and_expiry_apart() {
        for key_len in [0, 1, 254, 255, 256, 600] {
            for expire_at in [NEVER, 0, 1_700_000_000_000] {
                let key = vec![b'k'; key_len];
                let mut entry = Entry::string(&key, b"value", expire_at);
                assert!(matches!(entry, Entry::Packed(_)));
                assert_eq!(
                    (entry.key(), text(&entry), entry.expire_at()),
                    (&key[..], &b"value"[..], expire_at)
                );
                for at in [5, NEVER, NEVER, 6, 7] {
                    entry.set_expire_at(at);
                    assert_eq!(
                        (entry.key(), text(&entry), entry.expire_at()),
                        (&key[..], &b"value"[..], at)
                    );
                }
            }
        }
    }

    #[test]
    fn a_value_of_the_same_length_is_overwritten_in_place() {
        let mut entry = Entry::string(b"k", b"12345", NEVER);
        assert!(entry.overwrite(b"67890", NEVER, Form::Plain));
        assert_eq!(text(&entry), b"67890");
        assert!(
            !entry.overwrite(b"678901", NEVER, Form::Plain),
            "another length"
        );
        assert!(
            !entry.overwrite(b"67890", 77, Form::Plain),
            "no room for an expiry"
        );
    }

    #[test]
    fn an_edited_integer_is_raw_until_it_is_set_again() {
        let mut entry = Entry::string(b"k", b"123", NEVER);
        assert_eq!(entry.encoding(), "int");
        entry.string_bytes_mut().unwrap()[0] = b'9';
        assert_eq!((text(&entry), entry.encoding()), (&b"923"[..], "raw"));
        assert!(entry.overwrite(b"456", NEVER, Form::Plain));
        assert_eq!(entry.encoding(), "int");
        assert!(entry.overwrite(b"457", NEVER, Form::Text));
        assert_eq!(entry.encoding(), "embstr");
        entry.set_expire_at(99);
        assert_eq!(entry.renamed(b"other").encoding(), "embstr");
    }

    #[test]
    fn an_edited_string_keeps_key_and_expiry_as_it_grows() {
        let mut entry = Entry::string(b"key", b"", 7);
        for len in 1..=300 {
            entry.edit_string(|text| text.push(b'x'));
            assert_eq!(
                (
                    entry.key(),
                    text(&entry).len(),
                    entry.expire_at(),
                    entry.encoding()
                ),
                (&b"key"[..], len, 7, "raw")
            );
        }
        assert!(
            matches!(entry, Entry::Object(_)),
            "long ones can grow in place"
        );
    }

    #[test]
    fn encodings_go_by_content_and_length() {
        for (value, name) in [
            (&b"0"[..], "int"),
            (b"-9223372036854775808", "int"),
            (b"9223372036854775808", "embstr"),
            (b"01", "embstr"),
            (b"", "embstr"),
            (&[b'x'; 44], "embstr"),
            (&[b'x'; 45], "raw"),
            (&[b'x'; 5000], "raw"),
        ] {
            assert_eq!(Entry::string(b"k", value, NEVER).encoding(), name);
        }
    }

    #[test]
    fn long_strings_become_objects_and_keep_their_expiry_when_renamed() {
        let long = vec![b'x'; PACKED_MAX];
        let entry = Entry::string(b"key", &long, 9).renamed(b"other");
        assert!(matches!(entry, Entry::Object(_)));
        assert_eq!(
            (entry.key(), text(&entry), entry.expire_at()),
            (&b"other"[..], &long[..], 9)
        );
        assert_eq!(text(&entry.copied(b"third")), &long[..]);
    }
}
