//! Snapshots of a running server: what happens on threads that may block.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::{io, mem};

use tracing::{error, info};

use crate::engine::Engine;
use crate::error::Error;
use crate::keyspace::Db;
use crate::persist::{Job, SaveError, load_file};
use crate::server::Inner;

impl Engine {
    /// Begins a snapshot of the data as it is now; see [`Saves`](crate::persist::Saves).
    pub(crate) fn begin_save(&mut self) -> Result<Job, SaveError> {
        let now_ms = self.now_ms();
        let shared = &mut self.shared;
        shared.saves.begin(
            &shared.config,
            self.dbs.iter_mut().enumerate(),
            now_ms,
            shared.stats.changes_since_save,
        )
    }

    /// Ends a snapshot, however it came out.
    fn end_save(&mut self, result: &Result<usize, SaveError>) {
        let now_ms = self.now_ms();
        let shared = &mut self.shared;
        shared.stats.changes_since_save -= shared.saves.end(now_ms, result.is_ok());
        match result {
            Ok(kept_bytes) => shared.saves.kept_bytes = *kept_bytes,
            Err(failed) => {
                error!(error = %failed, "snapshot");
                self.dbs.iter_mut().for_each(Db::stop_preserving);
            }
        }
    }

    /// A save point was reached, or BGSAVE was part of a transaction.
    pub(crate) fn save_if_due(&mut self) {
        let now_ms = self.now_ms();
        let shared = &mut self.shared;
        let due = shared
            .saves
            .due(&shared.config, shared.stats.changes_since_save);
        if due.is_some_and(|at| at <= now_ms) && !shared.saves.has_job() {
            shared.saves.scheduled = false;
            match self.begin_save() {
                Ok(job) => self.shared.saves.queue(job),
                Err(failed) => error!(error = %failed, "snapshot"),
            }
        }
    }
}

impl Inner {
    pub(crate) fn snapshot_path(&self) -> Option<PathBuf> {
        self.lock.lock().shared.config.snapshot_path()
    }

    /// Loads a snapshot into the empty databases; that there is no file is fine.
    pub(crate) fn load(&self, path: &Path) -> Result<(), Error> {
        let now_ms = self.clock.now_ms();
        let mut engine = self.lock.lock();
        let engine = &mut *engine;
        let loaded = load_file(path, &mut engine.dbs, now_ms, &engine.shared.config);
        let loaded = loaded.map_err(|source| Error::Snapshot {
            path: path.to_owned(),
            source: source.into(),
        })?;
        if let Some(loaded) = loaded {
            info!(path = %path.display(), keys = loaded.keys, expired = loaded.expired, "loaded");
            engine.shared.saves.loaded = loaded;
            engine.count_all_memory();
            engine.look_for_expiries();
        }
        Ok(())
    }

    /// Writes a snapshot that was begun, taking the lock for a moment at a time.
    pub(crate) fn write_snapshot(&self, job: &Job) -> Result<(), SaveError> {
        let write = || {
            job.write(|number| {
                let mut engine = self.lock.lock();
                let preserving = engine
                    .dbs
                    .iter_mut()
                    .find(|db| db.preserves() == Some(number));
                preserving.map(|db| db.read_preserved()).unwrap_or_default()
            })
        };
        // The next snapshot must not wait for one that will never end.
        let result = catch_unwind(AssertUnwindSafe(write))
            .unwrap_or_else(|_| Err(job.failed(io::Error::other("a panic"))));
        let mut engine = self.lock.lock();
        engine.set_now(self.clock.now_us());
        engine.end_save(&result);
        let next_deadline = engine.next_deadline();
        drop(engine);
        self.reschedule(next_deadline);
        result.map(mem::drop)
    }
}
