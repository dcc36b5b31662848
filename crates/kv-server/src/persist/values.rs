//! The one place that knows how each type of value goes into a snapshot and comes out of it.

use std::borrow::Cow;
use std::io::{self, Write};

use tracing::debug;

use crate::config::Config;
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::table::Entry as _;
use crate::persist::rdb::{self, Build, Collection, Dump, Duplicate, ErrorKind, Writer};
use crate::value::list::End;
use crate::value::{Hash, Item, List, Set, Stream, Value, Zset};

/// Writes a key with its value and expiry.
pub(super) fn write<W: Write>(writer: &mut Writer<W>, entry: &Entry) -> io::Result<()> {
    let key = entry.key();
    let expire_ms = Some(entry.expire_at()).filter(|&at| at != NEVER);
    match entry.value() {
        None | Some(Value::String(_)) => {
            let text = entry.as_string().unwrap_or_default();
            writer.string(key, expire_ms, text)
        }
        Some(Value::List(list)) => writer.list(key, expire_ms, list.len(), list.iter().map(bytes)),
        Some(Value::Hash(hash)) => {
            if let Some(first) = hash.first_expiry() {
                return writer.expiring_hash(key, expire_ms, hash.len(), first, with_expiry(hash));
            }
            let fields = hash
                .iter()
                .map(|(field, value)| (bytes(field), bytes(value)));
            writer.hash(key, expire_ms, hash.len(), fields)
        }
        Some(Value::Set(set)) => writer.set(key, expire_ms, set.len(), set.iter().map(bytes)),
        Some(Value::Zset(zset)) => {
            let members = zset.iter().map(|(member, score)| (bytes(member), score));
            writer.zset(key, expire_ms, zset.len(), members)
        }
        Some(Value::Stream(stream)) => writer.stream(key, expire_ms, stream),
    }
}

/// A value as the payload of DUMP.
///
/// The error is that of an element missing or too many, which no value shows.
pub(crate) fn dump(entry: &Entry, config: &Config) -> io::Result<Vec<u8>> {
    let mut dump = Dump::new(config.rdb_compression);
    match entry.value() {
        None | Some(Value::String(_)) => dump.string(entry.as_string().unwrap_or_default()),
        Some(Value::List(list)) => dump.list(list.len(), list.iter().map(bytes)),
        Some(Value::Hash(hash)) => {
            if let Some(first) = hash.first_expiry() {
                return dump.expiring_hash(hash.len(), first, with_expiry(hash));
            }
            let fields = hash
                .iter()
                .map(|(field, value)| (bytes(field), bytes(value)));
            dump.hash(hash.len(), fields)
        }
        Some(Value::Set(set)) => dump.set(set.len(), set.iter().map(bytes)),
        Some(Value::Zset(zset)) => {
            let members = zset.iter().map(|(member, score)| (bytes(member), score));
            dump.zset(zset.len(), members)
        }
        Some(Value::Stream(stream)) => dump.stream(stream),
    }
}

/// Why a payload of RESTORE is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error("DUMP payload version or checksum are wrong")]
    Checksum,
    #[error("Bad data format")]
    Format,
}

/// The entry that a payload of DUMP describes.
pub(crate) fn restore(
    payload: &[u8],
    key: &[u8],
    expire_at: i64,
    config: &Config,
) -> Result<Entry, RestoreError> {
    let loaded = rdb::restore(payload, &mut Builder::new(config)).map_err(|error| {
        debug!(%error, "a payload of RESTORE");
        match error.kind() {
            ErrorKind::Footer | ErrorKind::Version { .. } | ErrorKind::Checksum { .. } => {
                RestoreError::Checksum
            }
            _ => RestoreError::Format,
        }
    })?;
    Ok(loaded.into_entry(key, expire_at))
}

fn with_expiry(hash: &Hash) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>, Option<i64>)> {
    let fields = hash.iter_with_expiry();
    fields.map(|(field, value, at)| (bytes(field), bytes(value), at))
}

fn bytes(item: Item<'_>) -> Cow<'_, [u8]> {
    match item {
        Item::Text(text) => Cow::Borrowed(text),
        number => Cow::Owned(number.to_vec()),
    }
}

/// A value as it came out of a snapshot.
pub(super) enum Loaded {
    String(Vec<u8>),
    Collection(Value),
}

impl Loaded {
    /// The entry of a key.
    pub(super) fn into_entry(self, key: &[u8], expire_at: i64) -> Entry {
        match self {
            Self::String(text) => Entry::string_from(key, text, expire_at),
            Self::Collection(value) => Entry::object(key, value, expire_at),
        }
    }
}

/// Builds values while they are read, in the forms that the configuration asks for.
pub(super) struct Builder<'c> {
    config: &'c Config,
    value: Loaded,
}

impl<'c> Builder<'c> {
    pub(super) fn new(config: &'c Config) -> Self {
        Self {
            config,
            value: Loaded::String(Vec::new()),
        }
    }
}

impl Build for Builder<'_> {
    type Value = Loaded;

    fn string(&mut self, value: Vec<u8>) {
        self.value = Loaded::String(value);
    }

    fn begin(&mut self, kind: Collection, hint: usize) {
        self.value = match kind {
            Collection::List => Loaded::Collection(Value::List(List::default())),
            Collection::Set => {
                let mut set = Set::default();
                set.expect(hint, &self.config.set);
                Loaded::Collection(Value::Set(set))
            }
            Collection::Hash => {
                let mut hash = Hash::default();
                hash.expect(hint, std::iter::empty(), &self.config.hash);
                Loaded::Collection(Value::Hash(hash))
            }
            Collection::Zset => {
                let mut zset = Zset::default();
                zset.expect(hint, &self.config.zset);
                Loaded::Collection(Value::Zset(zset))
            }
        };
    }

    fn list(&mut self, element: &[u8]) {
        if let Loaded::Collection(Value::List(list)) = &mut self.value {
            list.expect(1, element.len(), self.config.list);
            list.push(End::Right, element, self.config.list);
        }
    }

    fn set(&mut self, member: &[u8]) -> Result<(), Duplicate> {
        if let Loaded::Collection(Value::Set(set)) = &mut self.value {
            if !set.insert(member, &self.config.set) {
                return Err(Duplicate);
            }
        }
        Ok(())
    }

    fn hash(&mut self, field: &[u8], value: &[u8]) -> Result<(), Duplicate> {
        if let Loaded::Collection(Value::Hash(hash)) = &mut self.value {
            let texts = [field, value].into_iter();
            hash.expect(hash.len() + 1, texts, &self.config.hash);
            if !hash.set(field, value, &self.config.hash) {
                return Err(Duplicate);
            }
        }
        Ok(())
    }

    fn expiring_hash(
        &mut self,
        field: &[u8],
        value: &[u8],
        expire_ms: i64,
    ) -> Result<(), Duplicate> {
        self.hash(field, value)?;
        if let Loaded::Collection(Value::Hash(hash)) = &mut self.value {
            hash.set_expire_at(field, expire_ms);
        }
        Ok(())
    }

    fn zset(&mut self, member: &[u8], score: f64) -> Result<(), Duplicate> {
        if let Loaded::Collection(Value::Zset(zset)) = &mut self.value {
            if !zset.insert(member, score, &self.config.zset) {
                return Err(Duplicate);
            }
        }
        Ok(())
    }

    fn stream(&mut self, stream: Stream) {
        self.value = Loaded::Collection(stream.into());
    }

    fn finish(&mut self) -> Loaded {
        std::mem::replace(&mut self.value, Loaded::String(Vec::new()))
    }
}
