//! Snapshots in files that a custom command names: to be kept aside, read back, or merged.

use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::NEVER;
use crate::keyspace::notify::Class;
use crate::keyspace::table::Entry as _;
use crate::keyspace::{Db, Part};
use crate::persist::{self, load_file};

/// What happens to the keys that are there when a snapshot is read into a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They are removed: the data is what the snapshot holds.
    Remove,
    /// They stay, except those that the snapshot holds too.
    Replace,
    /// They stay, and keys of the same name in the snapshot are left out.
    Keep,
}

impl Context<'_> {
    /// Writes all databases to a file in Redis's RDB format, which is replaced as a whole or not at all.
    ///
    /// Nobody is served meanwhile, as by SAVE. The server's own snapshot and `LASTSAVE` are not touched. `path` is taken as it is: a command
    /// that gets it from a client has to decide which paths it allows.
    ///
    /// # Errors
    ///
    /// If the file cannot be written, or while a snapshot is being written in the background.
    pub fn save_snapshot(&mut self, path: impl Into<PathBuf>) -> Result {
        let now_ms = self.now_ms();
        let dbs = self.others.with(self.db);
        let job = self
            .shared
            .saves
            .begin_at(path.into(), &self.shared.config, dbs, now_ms)?;
        let result = job.write(|number| self.read_preserved(number));
        self.others
            .with(self.db)
            .for_each(|(_, db)| db.stop_preserving());
        result?;
        Ok(())
    }

    /// Reads a snapshot in Redis's RDB format into the databases, and returns how many keys it brought; `None` if there is no such file.
    ///
    /// A file that is damaged changes nothing. Keys whose time has come are left out. Nobody is served meanwhile.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no snapshot, or holds what this server does not have.
    pub fn load_snapshot(
        &mut self,
        path: impl AsRef<Path>,
        existing: Existing,
    ) -> Result<Option<usize>> {
        let now_ms = self.now_ms();
        let dbs = self.others.with(self.db);
        let mut loaded: Vec<Db> = dbs.map(|(_, db)| db.new_empty()).collect();
        let found = load_file(path.as_ref(), &mut loaded, now_ms, &self.shared.config);
        let found = found.map_err(|error| {
            let path = path.as_ref().display();
            ReplyError::text(format!("ERR {path}: {error}"))
        })?;
        if found.is_none() {
            return Ok(None);
        }
        self.shared.crossed = true;
        let mut brought = 0;
        let effects = &mut self.shared.effects;
        for ((number, db), mut loaded) in self.others.with(self.db).zip(loaded) {
            db.begin(now_ms);
            if existing == Existing::Remove && db.len() > 0 {
                db.clear();
                effects.rewrite_in(Some(number), &[b"FLUSHDB"]);
            }
            let keys: Vec<Box<[u8]>> = loaded.iter().map(|entry| entry.key().into()).collect();
            for key in keys {
                if existing == Existing::Keep && db.contains(&key) {
                    continue;
                }
                let Some(entry) = loaded.remove(&key) else {
                    continue;
                };
                if effects.are_followed() {
                    let payload = persist::dump(&entry, &self.shared.config).map_err(|error| {
                        ReplyError::text(format!("ERR {}: {error}", key.escape_ascii()))
                    })?;
                    let at = match entry.expire_at() {
                        NEVER => 0,
                        at => at,
                    };
                    let at = at.to_string();
                    let restore: [&[u8]; 6] = [
                        b"RESTORE",
                        &key,
                        at.as_bytes(),
                        &payload,
                        b"REPLACE",
                        b"ABSTTL",
                    ];
                    effects.rewrite_in(Some(number), &restore);
                }
                db.insert(entry);
                db.changed(Class::GENERIC, "restore", &key);
                brought += 1;
            }
        }
        Ok(Some(brought))
    }

    /// The next part of what a database preserves for a snapshot.
    pub(crate) fn read_preserved(&mut self, number: usize) -> Part {
        let preserving = self.others.with(self.db).find(|(at, _)| *at == number);
        preserving
            .map(|(_, db)| db.read_preserved())
            .unwrap_or_default()
    }
}
