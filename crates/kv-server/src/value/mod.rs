//! The types of values; each structure is pure, in a file of its own.

mod text;

pub(crate) use text::{Form, Text};

/// A value that is not a packed string.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    String(Text),
}

/// A collection: how to find it in a [`Value`], and how to make one of it.
pub(crate) trait ValueType: Sized + Into<Value> {
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
}

impl Value {
    /// The name that `TYPE` gives.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
        }
    }

    /// The name that `OBJECT ENCODING` gives to a collection; a string's depends on its key's entry.
    pub(crate) fn encoding(&self) -> &'static str {
        match self {
            Self::String(_) => "raw",
        }
    }

    /// Whether this is a collection without elements; such a key does not exist.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::String(_) => false,
        }
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::String(text) => text.memory(),
        }
    }
}
