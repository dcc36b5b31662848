//! The one place that knows how each type of value goes into a snapshot and comes out of it.

use std::io::{self, Write};

use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::table::Entry as _;
use crate::persist::rdb::{Build, Collection, Duplicate, Writer};
use crate::value::{Text, Value};

/// Writes a key with its value and expiry.
pub(super) fn write<W: Write>(writer: &mut Writer<W>, entry: &Entry) -> io::Result<()> {
    let key = entry.key();
    let expire_ms = Some(entry.expire_at()).filter(|&at| at != NEVER);
    match entry.value() {
        None | Some(Value::String(_)) => {
            let text = entry.as_string().unwrap_or_default();
            writer.string(key, expire_ms, text)
        }
    }
}

/// A value as it came out of a snapshot.
pub(super) enum Loaded {
    String(Vec<u8>),
    Collection(Value),
    /// Of a type that this server does not have; its name.
    Unknown(&'static str),
}

impl Loaded {
    /// The entry of a key; the error is the name of the type.
    pub(super) fn into_entry(self, key: &[u8], expire_at: i64) -> Result<Entry, &'static str> {
        match self {
            Self::String(text) => Ok(Entry::string_from(key, text, expire_at)),
            Self::Collection(value) => Ok(Entry::object(key, value, expire_at)),
            Self::Unknown(name) => Err(name),
        }
    }
}

/// Builds values while they are read.
pub(super) struct Builder(Loaded);

impl Builder {
    pub(super) fn new() -> Self {
        Self(Loaded::String(Vec::new()))
    }
}

impl Build for Builder {
    type Value = Loaded;

    fn string(&mut self, value: Vec<u8>) {
        self.0 = Loaded::String(value);
    }

    fn begin(&mut self, kind: Collection, _: usize) {
        self.0 = Loaded::Unknown(match kind {
            Collection::List => "list",
            Collection::Set => "set",
            Collection::Hash => "hash",
            Collection::Zset => "zset",
        });
    }

    fn list(&mut self, _: &[u8]) {}

    fn set(&mut self, _: &[u8]) -> Result<(), Duplicate> {
        Ok(())
    }

    fn hash(&mut self, _: &[u8], _: &[u8]) -> Result<(), Duplicate> {
        Ok(())
    }

    fn zset(&mut self, _: &[u8], _: f64) -> Result<(), Duplicate> {
        Ok(())
    }

    fn finish(&mut self) -> Loaded {
        std::mem::replace(&mut self.0, Loaded::String(Vec::new()))
    }
}
