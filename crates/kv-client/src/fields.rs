//! Replies that are maps with known fields, as structs.

use std::collections::HashMap;

use bytes::Bytes;

use crate::error::ReplyError;
use crate::from_reply::FromReply;
use crate::reply::Reply;

/// The fields of a map, to be taken one after the other by their names.
#[derive(Debug)]
pub struct Fields(HashMap<Bytes, Reply>);

impl Fields {
    /// The fields of a map, or of a list of names and values in turn. Null, as of a key that is not there, has none.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub fn read(reply: Reply) -> Result<Self, ReplyError> {
        HashMap::from_reply(reply).map(Self)
    }

    /// Whether there is this field.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name.as_bytes())
    }

    /// The value of a field. One that is not there counts as null, which is `None` and the empty list.
    ///
    /// # Errors
    ///
    /// If the value has another type, or there is none and the type has no word for that.
    pub fn take<T: FromReply>(&mut self, name: &str) -> Result<T, ReplyError> {
        let Some(value) = self.0.remove(name.as_bytes()) else {
            return T::from_reply(Reply::Null).map_err(|_| {
                ReplyError::new(format!("a map with the field '{name}'"), "one without it")
            });
        };
        T::from_reply(value).map_err(|error| {
            let expected = format!("{} in the field '{name}'", error.expected());
            ReplyError::new(expected, error.got().to_owned())
        })
    }
}

/// A struct that is read from a map, each field by its name there.
macro_rules! reply_struct {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty = $wire:literal,)+
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl $crate::from_reply::FromReply for $name {
            fn from_reply(reply: $crate::reply::Reply) -> Result<Self, $crate::error::ReplyError> {
                let mut fields = $crate::fields::Fields::read(reply)?;
                Ok(Self { $($field: fields.take($wire)?,)+ })
            }
        }
    )+};
}
pub(crate) use reply_struct;
