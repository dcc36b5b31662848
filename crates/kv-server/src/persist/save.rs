//! Writing snapshots: what a server knows about them, and the work itself.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::config::Config;
use crate::eviction::Worth;
use crate::keyspace::{Db, Part, Preserved};
use crate::persist::rdb::{Options, Writer};
use crate::persist::{Loaded, file, values};
use crate::version::REDIS_VERSION;

/// The snapshots of a server so far. Times are Unix times in milliseconds.
#[derive(Debug)]
pub(crate) struct Saves {
    /// When the data was last saved; at first, when the server started.
    pub(crate) last_ms: i64,
    /// When a snapshot was last begun in the background.
    tried_ms: i64,
    /// Whether the last snapshot failed.
    pub(crate) failed: bool,
    pub(crate) count: u64,
    /// How long the last one in the background took.
    pub(crate) duration_ms: Option<i64>,
    /// Bytes that the last one copied because they changed meanwhile.
    pub(crate) kept_bytes: usize,
    /// What the snapshot at the start held.
    pub(crate) loaded: Loaded,
    pub(crate) running: Option<Running>,
    /// Begun, and waiting for a thread to write it.
    job: Option<Job>,
    /// BGSAVE inside of a transaction: to be begun behind it.
    pub(crate) scheduled: bool,
}

/// A snapshot that is being written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Running {
    pub(crate) since_ms: i64,
    /// Changes that it includes.
    changes: u64,
}

/// A snapshot to write: the data as of one moment, which the databases preserve until it is read.
#[derive(Debug)]
pub(crate) struct Job {
    path: PathBuf,
    options: Options,
    now_ms: i64,
    used_memory: usize,
    dbs: Vec<Size>,
}

/// How much there is in a database.
#[derive(Debug, Clone, Copy)]
struct Size {
    number: usize,
    keys: usize,
    expires: usize,
}

/// Why a snapshot could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    #[error("Snapshots are turned off: this server keeps its data in memory only")]
    Off,
    #[error("Background save already in progress")]
    Running,
    #[error("Cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// After a failure the next attempt in the background waits this long, as in Redis.
const RETRY_MS: i64 = 5_000;

impl Saves {
    pub(crate) fn new(now_ms: i64) -> Self {
        Self {
            last_ms: now_ms,
            tried_ms: 0,
            failed: false,
            count: 0,
            duration_ms: None,
            kept_bytes: 0,
            loaded: Loaded::default(),
            running: None,
            job: None,
            scheduled: false,
        }
    }

    /// Begins a snapshot of the data as it is now.
    pub(crate) fn begin<'d>(
        &mut self,
        config: &Config,
        dbs: impl Iterator<Item = (usize, &'d mut Db)>,
        now_ms: i64,
        changes: u64,
    ) -> Result<Job, SaveError> {
        let path = config.snapshot_path().ok_or(SaveError::Off)?;
        let job = self.begin_at(path, config, dbs, now_ms)?;
        self.running = Some(Running {
            since_ms: now_ms,
            changes,
        });
        self.kept_bytes = 0;
        Ok(job)
    }

    /// Begins a snapshot in a file that is not the server's own; it does not count as a save.
    pub(crate) fn begin_at<'d>(
        &self,
        path: PathBuf,
        config: &Config,
        dbs: impl Iterator<Item = (usize, &'d mut Db)>,
        now_ms: i64,
    ) -> Result<Job, SaveError> {
        if self.running.is_some() {
            return Err(SaveError::Running);
        }
        let mut job = Job {
            path,
            options: Options {
                compress: config.rdb_compression,
                checksum: config.rdb_checksum,
            },
            now_ms,
            used_memory: 0,
            dbs: Vec::new(),
        };
        // Who does not evict by it does not need to know.
        let with_usage = matches!(config.policy.worth, Worth::Age | Worth::Frequency);
        for (number, db) in dbs.filter(|(_, db)| db.len() > 0) {
            db.begin(now_ms);
            db.preserve(number, with_usage);
            job.used_memory += db.memory();
            job.dbs.push(Size {
                number,
                keys: db.len(),
                expires: db.volatile(),
            });
        }
        Ok(job)
    }

    /// Leaves a snapshot that was begun to the next thread that has time.
    pub(crate) fn queue(&mut self, job: Job) {
        self.tried_ms = job.now_ms;
        self.job = Some(job);
    }

    pub(crate) fn has_job(&self) -> bool {
        self.job.is_some()
    }

    /// The snapshot that waits for a thread.
    pub(crate) fn take_job(&mut self) -> Option<Job> {
        self.job.take()
    }

    /// Notes how a snapshot came out. Returns how many changes it took with it.
    pub(crate) fn end(&mut self, now_ms: i64, ok: bool) -> u64 {
        let Some(running) = self.running.take() else {
            return 0;
        };
        self.failed = !ok;
        self.duration_ms = Some(now_ms.saturating_sub(running.since_ms).max(0));
        if !ok {
            return 0;
        }
        self.last_ms = now_ms;
        self.count += 1;
        running.changes
    }

    /// When a snapshot is due, after this many changes; 0 if at once.
    pub(crate) fn due(&self, config: &Config, changes: u64) -> Option<i64> {
        if self.job.is_some() {
            return Some(0);
        }
        if self.running.is_some() || !config.snapshots {
            return None;
        }
        if self.scheduled {
            return Some(0);
        }
        let retry = if self.failed {
            self.tried_ms + RETRY_MS
        } else {
            0
        };
        config
            .save
            .iter()
            .filter(|(_, least)| changes >= *least)
            .map(|(seconds, _)| {
                let pause = i64::try_from(*seconds)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(1000);
                self.last_ms.saturating_add(pause).max(retry)
            })
            .min()
    }
}

impl Job {
    /// Writes the snapshot; `read` gives the next part of what a database preserves. Returns the bytes that were copied meanwhile.
    pub(crate) fn write(&self, mut read: impl FnMut(usize) -> Part) -> Result<usize, SaveError> {
        let mut kept_bytes = 0;
        let result = file::replace(&self.path, |file| {
            let mut writer = self.begin(file)?;
            for size in &self.dbs {
                writer.database(size.number as u64, size.keys as u64, size.expires as u64)?;
                let mut more = true;
                while more {
                    let part = read(size.number);
                    kept_bytes += part.kept_bytes;
                    more = part.more;
                    for Preserved { entry, used } in &part.entries {
                        if let Some(used) = used {
                            writer.used(*used)?;
                        }
                        values::write(&mut writer, entry)?;
                    }
                }
            }
            writer.finish()
        });
        result
            .map(|()| kept_bytes)
            .map_err(|source| self.failed(source))
    }

    pub(crate) fn failed(&self, source: io::Error) -> SaveError {
        SaveError::Write {
            path: self.path.clone(),
            source,
        }
    }

    fn begin(&self, file: File) -> io::Result<Writer<File>> {
        let mut writer = Writer::new(file, self.options)?;
        let seconds = self.now_ms.div_euclid(1000).to_string();
        let memory = self.used_memory.to_string();
        let bits = usize::BITS.to_string();
        writer.aux("redis-ver", REDIS_VERSION.as_bytes())?;
        writer.aux("redis-bits", bits.as_bytes())?;
        writer.aux("ctime", seconds.as_bytes())?;
        writer.aux("used-mem", memory.as_bytes())?;
        Ok(writer)
    }
}
