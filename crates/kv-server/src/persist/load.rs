//! Reading a snapshot into the databases.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::config::Config;
use crate::keyspace::Db;
use crate::keyspace::entry::{LATEST, NEVER};
use crate::persist::rdb::{self, Item, Reader};
use crate::persist::values::Builder;

/// What a snapshot held.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) keys: u64,
    /// Keys whose time had come; they are left out.
    pub(crate) expired: u64,
}

/// Why a snapshot could not be loaded. The server does not start then: half of the data is worse than none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("cannot be opened")]
    Open(#[source] io::Error),
    #[error(transparent)]
    Format(#[from] rdb::Error),
    #[error("key \"{0}\" is there twice")]
    Duplicate(String),
    #[error("key \"{key}\" is in database {db}, but there are only {databases}")]
    Database {
        key: String,
        db: u64,
        databases: usize,
    },
    #[error("it holds {0}, which this server does not have")]
    Section(&'static str),
}

/// Loads a file. `None` if there is none.
pub(crate) fn load_file(
    path: &Path,
    dbs: &mut [Db],
    now_ms: i64,
    config: &Config,
) -> Result<Option<Loaded>, LoadError> {
    match File::open(path) {
        Ok(file) => load(file, dbs, now_ms, config).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LoadError::Open(error)),
    }
}

fn load(
    source: impl Read,
    dbs: &mut [Db],
    now_ms: i64,
    config: &Config,
) -> Result<Loaded, LoadError> {
    let mut reader = Reader::new(source)?;
    if !config.rdb_checksum {
        reader = reader.ignore_checksum();
    }
    let mut build = Builder::new(config);
    let mut loaded = Loaded::default();
    dbs.iter_mut().for_each(|db| db.begin(now_ms));
    while let Some(item) = reader.next_with(&mut build)? {
        let entry = match item {
            Item::Entry(entry) => entry,
            Item::Aux { .. } | Item::Size { .. } => continue,
            Item::Function(_) => return Err(LoadError::Section("a library of functions")),
            Item::ModuleAux { .. } => return Err(LoadError::Section("data of a module")),
        };
        let expire_at = entry.expire_ms.map_or(NEVER, |at| at.min(LATEST));
        if expire_at < now_ms {
            loaded.expired += 1;
            continue;
        }
        let shown = || shown(&entry.key);
        let databases = dbs.len();
        let db = usize::try_from(entry.db)
            .ok()
            .and_then(|db| dbs.get_mut(db))
            .ok_or_else(|| LoadError::Database {
                key: shown(),
                db: entry.db,
                databases,
            })?;
        if !db.load(entry.value.into_entry(&entry.key, expire_at)) {
            return Err(LoadError::Duplicate(shown()));
        }
        // Each counts only where the policy asks for it.
        if let Some(seconds) = entry.idle_s {
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            db.set_idle_seconds(&entry.key, seconds);
        }
        if let Some(count) = entry.frequency {
            db.set_frequency(&entry.key, count);
        }
        loaded.keys += 1;
    }
    Ok(loaded)
}

/// A key in an error: at most 128 bytes of it.
fn shown(key: &[u8]) -> String {
    const MAX: usize = 128;
    key.get(..MAX).unwrap_or(key).escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::table::Seed;
    use crate::persist::rdb::{Options, Writer};

    fn dbs() -> Vec<Db> {
        (0..2).map(|_| Db::new(Seed::new(1, 2))).collect()
    }

    fn error(fill: impl FnOnce(&mut Writer<Vec<u8>>) -> io::Result<()>) -> String {
        let mut writer = Writer::new(Vec::new(), Options::default()).unwrap();
        writer.database(1, 1, 0).unwrap();
        fill(&mut writer).unwrap();
        let file = writer.finish().unwrap();
        load(&file[..], &mut dbs(), 1_000, &Config::default())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_the_server_cannot_hold_is_named() {
        assert_eq!(
            error(|file| {
                file.string(b"a\xff", None, b"1")?;
                file.string(b"a\xff", None, b"2")
            }),
            "key \"a\\xff\" is there twice"
        );
        assert_eq!(
            error(|file| {
                file.database(2, 1, 0)?;
                file.string(b"k", None, b"1")
            }),
            "key \"k\" is in database 2, but there are only 2"
        );
    }

    #[test]
    fn keys_whose_time_has_come_are_left_out() {
        let mut writer = Writer::new(Vec::new(), Options::default()).unwrap();
        writer.database(1, 3, 2).unwrap();
        writer.string(b"dead", Some(999), b"1").unwrap();
        writer.string(b"just alive", Some(1_000), b"2").unwrap();
        writer.string(b"forever", None, b"3").unwrap();
        let file = writer.finish().unwrap();
        let mut dbs = dbs();
        let loaded = load(&file[..], &mut dbs, 1_000, &Config::default()).unwrap();
        assert_eq!((loaded.keys, loaded.expired), (2, 1));
        assert_eq!((dbs[1].len(), dbs[1].volatile()), (2, 1));
        dbs[1].begin(1_000);
        assert_eq!(dbs[1].expire_at(b"just alive"), Some(1_000));
    }
}
