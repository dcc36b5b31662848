//! One key with its value and expiry, in 16 bytes of table and, for most strings, one allocation.

mod label;
mod packed;

use resp_codec::number::parse_i64;

use self::label::Label;
use crate::keyspace::table::{self, Entry as _};
use crate::value::{Form, Hash, Held, Text, Value, ValueType as _};

/// A slot of the keyspace's table.
///
/// Two variants of which the first has the only niche: 16 bytes in all, so a bucket of eleven fits four cache lines.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A short string (`packed.rs`). Empty means a vacant slot.
    Packed(Box<[u8]>),
    /// Everything else.
    Object(Box<Object>),
}

const _: () = assert!(size_of::<Entry>() == 16);

#[derive(Debug)]
pub(crate) struct Object {
    label: Label,
    value: Held<Value>,
}

const _: () = assert!(size_of::<Object>() <= 48);

/// Strings whose key and value are longer together get an [`Object`], so that a new expiry does not copy them.
const PACKED_MAX: usize = 1024;
/// Edited strings get an [`Object`], whose vector can grow, above this length.
const EDITED_PACKED_MAX: usize = 128;
/// Plain strings up to this length are `embstr` in `OBJECT ENCODING`, longer ones `raw`.
const EMBEDDED_MAX: usize = 44;
/// Larger values are shared with a snapshot rather than copied for it; copying so much takes a few microseconds.
const SHARED_MIN: usize = 16 << 10;
/// The `expire_at` of a key that does not expire.
pub(crate) const NEVER: i64 = i64::MAX;
/// The last time at which a key can expire, in the year 292,278,994.
pub(crate) const LATEST: i64 = NEVER - 1;

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
        Self::Packed(packed::pack(key, &value, expire_at, Form::Plain))
    }

    /// A string of a certain form.
    pub(crate) fn string_in(form: Form, key: &[u8], value: &[u8], expire_at: i64) -> Self {
        if key.len() + value.len() > PACKED_MAX {
            let text = Text::new(value.to_vec(), form);
            return Self::object(key, Value::String(Box::new(text)), expire_at);
        }
        Self::Packed(packed::pack(key, value, expire_at, form))
    }

    /// A string that was edited or computed.
    pub(crate) fn edited(key: &[u8], value: Vec<u8>, expire_at: i64) -> Self {
        if key.len() + value.len() > EDITED_PACKED_MAX {
            let text = Text::new(value, Form::Edited);
            return Self::object(key, Value::String(Box::new(text)), expire_at);
        }
        Self::Packed(packed::pack(key, &value, expire_at, Form::Edited))
    }

    /// A value of any type.
    pub(crate) fn object(key: &[u8], value: Value, expire_at: i64) -> Self {
        Self::Object(Box::new(Object {
            label: Label::new(key, expire_at),
            value: Held::Own(value),
        }))
    }

    #[inline]
    pub(crate) fn expire_at(&self) -> i64 {
        match self {
            Self::Packed(packed) => packed::expire_at(packed),
            Self::Object(object) => object.label.expire_at(),
        }
    }

    pub(crate) fn set_expire_at(&mut self, at: i64) {
        match self {
            Self::Packed(packed) => {
                if !packed::set_expire_at(packed, at) {
                    let (key, value) = (packed::key(packed), packed::value(packed));
                    *packed = packed::pack(key, value, at, packed::form(packed));
                }
            }
            Self::Object(object) => object.label = Label::new(object.label.key(), at),
        }
    }

    /// The text, if this is a string.
    #[inline]
    pub(crate) fn as_string(&self) -> Option<&[u8]> {
        match self {
            Self::Packed(packed) => Some(packed::value(packed)),
            Self::Object(object) => match object.value.get() {
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
        if packed::value(packed).len() != value.len() || !packed::set_expire_at(packed, expire_at) {
            return false;
        }
        packed::value_mut(packed).copy_from_slice(value);
        packed::set_form(packed, form);
        true
    }

    /// The bytes of a string, to be edited without changing their number.
    pub(crate) fn string_bytes_mut(&mut self) -> Option<&mut [u8]> {
        match self {
            Self::Packed(packed) => {
                packed::set_form(packed, Form::Edited);
                Some(packed::value_mut(packed))
            }
            Self::Object(object) => match object.value.get_mut() {
                Value::String(text) => Some(text.edit()),
                _ => None,
            },
        }
    }

    /// Edits a string that may become longer or shorter. `false` for a collection.
    pub(crate) fn edit_string(&mut self, edit: impl FnOnce(&mut Vec<u8>)) -> bool {
        match self {
            Self::Packed(packed) => {
                let mut value = packed::value(packed).to_vec();
                edit(&mut value);
                *self = Self::edited(packed::key(packed), value, packed::expire_at(packed));
                true
            }
            Self::Object(object) => match object.value.get_mut() {
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
            Self::Packed(packed) => packed::form(packed),
            Self::Object(object) => match object.value.get() {
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
            Self::Object(object) => Some(object.value.get()),
            Self::Packed(_) => None,
        }
    }

    #[inline]
    pub(crate) fn value_mut(&mut self) -> Option<&mut Value> {
        match self {
            Self::Object(object) => Some(object.value.get_mut()),
            Self::Packed(_) => None,
        }
    }

    /// The value of a collection, to be changed; `None` while somebody else reads it.
    pub(crate) fn value_alone(&mut self) -> Option<&mut Value> {
        match self {
            Self::Object(object) => object.value.get_alone(),
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
                let (form, value) = (packed::form(packed), packed::value(packed));
                Self::string_in(form, key, value, self.expire_at())
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
            Self::Packed(packed) => {
                let (form, value) = (packed::form(packed), packed::value(packed));
                Self::string_in(form, key, value, self.expire_at())
            }
            Self::Object(object) => {
                Self::object(key, object.value.get().clone(), object.label.expire_at())
            }
        }
    }

    /// Whether [`shared`](Self::shared) makes no copy.
    pub(crate) fn is_worth_sharing(&self) -> bool {
        let Self::Object(object) = self else {
            return false;
        };
        let value = object.value.get();
        value.memory() >= SHARED_MIN && value.is_readable_aside()
    }

    /// The same entry, for who only reads it: what is large is shared, and copied when it is changed meanwhile.
    pub(crate) fn shared(&mut self) -> Self {
        let is_large = self.is_worth_sharing();
        match self {
            Self::Object(object) if is_large => {
                if let Some(value) = object.value.get_alone() {
                    value.share_parts();
                }
                Self::Object(Box::new(Object {
                    label: Label::new(object.label.key(), object.label.expire_at()),
                    value: Held::Shared(object.value.share()),
                }))
            }
            _ => self.copied(self.key()),
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
                size_of::<Object>() + object.label.memory() + object.value.get().memory()
            }
        }
    }
}

impl table::Entry for Entry {
    #[inline]
    fn key(&self) -> &[u8] {
        match self {
            Self::Packed(packed) => packed::key(packed),
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
