//! Patterns of BY and GET: keys, or fields of hashes, that belong to an element.

use crate::keyspace::Db;
use crate::value::{Hash, Item, Value};

/// Where to look for what belongs to an element.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// No `*`: the same for all elements, which is nothing.
    Constant,
    /// A string under a key with the element in it, or a field of a hash.
    Key {
        before: &'a [u8],
        behind: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Self::Element;
        }
        let Some(star) = text.iter().position(|&byte| byte == b'*') else {
            return Self::Constant;
        };
        let (before, behind) = (&text[..star], &text[star + 1..]);
        let arrow = behind.windows(2).position(|two| two == b"->");
        match arrow.filter(|arrow| arrow + 2 < behind.len()) {
            Some(arrow) => Self::Key {
                before,
                behind: &behind[..arrow],
                field: Some(&behind[arrow + 2..]),
            },
            None => Self::Key {
                before,
                behind,
                field: None,
            },
        }
    }

    pub(super) fn is_constant(self) -> bool {
        matches!(self, Self::Constant | Self::Element)
    }

    /// Looks up what belongs to an element; `key` is scratch space.
    pub(super) fn find<'d>(
        self,
        element: &'d [u8],
        db: &'d mut Db,
        key: &mut Vec<u8>,
    ) -> Option<Item<'d>> {
        let (before, behind, field) = match self {
            Self::Element => return Some(Item::Text(element)),
            Self::Constant => return None,
            Self::Key {
                before,
                behind,
                field,
            } => (before, behind, field),
        };
        key.clear();
        for part in [before, element, behind] {
            key.extend_from_slice(part);
        }
        let entry = db.read(key)?;
        match field {
            None => entry.as_string().map(Item::Text),
            Some(field) => match entry.value()? {
                Value::Hash(hash) => Hash::get(hash, field),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_stands_behind_the_first_arrow_behind_the_star() {
        for (text, expected) in [
            ("w_*", Some(("w_", "", None))),
            ("*", Some(("", "", None))),
            ("a*b*c", Some(("a", "b*c", None))),
            ("o_*->f", Some(("o_", "", Some("f")))),
            ("o_*x->f->g", Some(("o_", "x", Some("f->g")))),
            ("o_*->", Some(("o_", "->", None))),
            ("o->x_*", Some(("o->x_", "", None))),
            ("#*", Some(("#", "", None))),
            ("##", None),
            ("x->y", None),
            ("", None),
        ] {
            let found = match Pattern::parse(text.as_bytes()) {
                Pattern::Key {
                    before,
                    behind,
                    field,
                } => Some((before, behind, field)),
                Pattern::Constant | Pattern::Element => None,
            };
            let expected = expected.map(|(before, behind, field)| {
                (
                    before.as_bytes(),
                    behind.as_bytes(),
                    field.map(str::as_bytes),
                )
            });
            assert_eq!(found, expected, "{text}");
        }
        assert!(matches!(Pattern::parse(b"#"), Pattern::Element));
    }
}
