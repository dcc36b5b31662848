//! The settings of a server: what the builder sets, CONFIG GET shows and CONFIG SET changes.

mod file;
pub(crate) mod params;
mod value;

use std::path::PathBuf;
use std::time::Duration;

pub use file::{Directive, directives};
pub(crate) use value::{memory_size, percentile};

use crate::eviction::{ClientLimit, Policy, Worth};
use crate::keyspace::notify::Class;
use crate::keyspace::usage::{Frequency, Usage};
use crate::value::{hash, list, set, stream, zset};

/// Settings under the lock; names and defaults are those of
/// [redis.conf](https://redis.io/docs/latest/operate/oss_and_stack/management/config/) unless said otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Host names or addresses to listen on.
    pub(crate) bind: Vec<String>,
    /// `None` listens on no TCP port at all; 0 lets the system choose.
    pub(crate) port: Option<u16>,
    pub(crate) unix_socket: Option<PathBuf>,
    /// Permissions of the socket file.
    pub(crate) unix_socket_mode: Option<u32>,
    /// Number of databases; fixed at start.
    pub(crate) databases: usize,
    pub(crate) requirepass: Option<Vec<u8>>,
    pub(crate) max_clients: usize,
    /// Closes idle connections; whole seconds.
    pub(crate) timeout: Option<Duration>,
    /// `proto-max-bulk-len`.
    pub(crate) max_bulk_bytes: usize,
    /// `client-query-buffer-limit`.
    pub(crate) query_buffer_limit: usize,
    /// `client-output-buffer-limit`: of normal connections, replicas and subscribers.
    pub(crate) normal_output: OutputLimit,
    pub(crate) replica_output: OutputLimit,
    pub(crate) pubsub_output: OutputLimit,
    pub(crate) notify: Class,
    /// Bytes of data and connections above which keys are evicted; 0 for no limit.
    pub(crate) maxmemory: usize,
    pub(crate) policy: Policy,
    /// Keys that are compared before one is evicted.
    pub(crate) maxmemory_samples: usize,
    /// `maxmemory-eviction-tenacity`, 0 to 100.
    pub(crate) eviction_tenacity: u32,
    /// How uses are counted under an LFU policy: `lfu-log-factor`, `lfu-decay-time`.
    pub(crate) frequency: Frequency,
    /// Evicted keys are propagated as UNLINK rather than DEL. Large values are freed aside in any case.
    pub(crate) lazy_eviction: bool,
    /// `maxmemory-clients`
    pub(crate) client_limit: ClientLimit,
    pub(crate) dir: PathBuf,
    pub(crate) db_filename: String,
    /// `save` points: seconds and changes.
    pub(crate) save: Vec<(u64, u64)>,
    pub(crate) rdb_compression: bool,
    pub(crate) rdb_checksum: bool,
    /// When collections leave their compact forms: `hash-max-listpack-*`, `list-max-listpack-size`, `set-max-*`, `zset-max-listpack-*`;
    /// and how large a node of a stream is: `stream-node-max-*`.
    pub(crate) hash: hash::Limits,
    pub(crate) list: list::Limits,
    /// `hz`: how often a second active expiry looks for keys, at most. From 1 to 500.
    pub(crate) hz: u32,
    pub(crate) set: set::Limits,
    pub(crate) zset: zset::Limits,
    pub(crate) stream: stream::Limits,
    /// `slowlog-log-slower-than`, in microseconds; commands that take less are not noted, and none if it is negative.
    pub(crate) slowlog_us: i64,
    /// `slowlog-max-len`
    pub(crate) slowlog_len: usize,
    /// `latency-monitor-threshold`, in milliseconds; 0 is off.
    pub(crate) latency_threshold_ms: u64,
    /// `latency-tracking`: whether it is counted how many calls of each command took how long.
    pub(crate) tracks_latency: bool,
    /// `latency-tracking-info-percentiles`: what INFO tells of them, each from 0 to 100.
    pub(crate) latency_percentiles: Vec<f64>,
    /// `tracking-table-max-keys`; 0 is no limit.
    pub(crate) tracking_keys: usize,
    /// Whether there are snapshots at all: without, nothing is read from the disk and nothing written to it.
    pub(crate) snapshots: bool,
    /// Refuses writes while snapshots fail.
    pub(crate) stop_writes_on_save_error: bool,
    /// Who may use DEBUG, and who may change protected parameters.
    pub(crate) debug_command: Protection,
    pub(crate) protected_configs: Protection,
    /// Accepts requests that nest and requests that are no arrays.
    pub(crate) nested_requests: bool,
}

/// One class of `client-output-buffer-limit`; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputLimit {
    /// Bytes above which a connection is closed at once.
    pub(crate) hard: usize,
    /// Bytes above which it is closed after `soft_seconds`.
    pub(crate) soft: usize,
    pub(crate) soft_seconds: u64,
}

impl OutputLimit {
    pub(crate) const NONE: Self = Self {
        hard: 0,
        soft: 0,
        soft_seconds: 0,
    };

    /// The hard limit, for comparisons.
    pub(crate) fn hard_bytes(self) -> usize {
        if self.hard == 0 {
            usize::MAX
        } else {
            self.hard
        }
    }
}

/// Who may use a dangerous command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    No,
    Yes,
    /// Only connections from this machine.
    Local,
}

impl Config {
    pub(crate) fn requires_auth(&self) -> bool {
        self.requirepass.is_some()
    }

    /// Whether every command is timed by itself: somebody wants to hear of less than any command takes by chance.
    #[inline]
    pub(crate) fn times_all(&self) -> bool {
        (0..1000).contains(&self.slowlog_us) || self.latency_threshold_ms > 0
    }

    /// The file of snapshots, if there are any.
    pub(crate) fn snapshot_path(&self) -> Option<PathBuf> {
        self.snapshots.then(|| self.dir.join(&self.db_filename))
    }

    /// What is noted of keys that are used.
    pub(crate) fn usage(&self) -> Usage {
        match self.policy.worth {
            Worth::Frequency => Usage::Frequency(self.frequency),
            _ => Usage::Age,
        }
    }

    /// Active expiry rests so long between two sweeps; a manual clock that jumps wakes it earlier.
    pub(crate) fn sweep_pause_ms(&self) -> i64 {
        1000 / i64::from(self.hz)
    }

    /// Whether the data is saved when the server ends.
    pub(crate) fn saves_on_exit(&self) -> bool {
        self.snapshots && !self.save.is_empty()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: vec!["127.0.0.1".to_owned()],
            port: Some(0),
            unix_socket: None,
            unix_socket_mode: None,
            databases: 16,
            requirepass: None,
            max_clients: 10_000,
            timeout: None,
            max_bulk_bytes: 512 << 20,
            query_buffer_limit: 1 << 30,
            normal_output: OutputLimit::NONE,
            replica_output: OutputLimit {
                hard: 256 << 20,
                soft: 64 << 20,
                soft_seconds: 60,
            },
            pubsub_output: OutputLimit {
                hard: 32 << 20,
                soft: 8 << 20,
                soft_seconds: 60,
            },
            notify: Class::NONE,
            maxmemory: 0,
            policy: Policy::NONE,
            maxmemory_samples: 5,
            eviction_tenacity: 10,
            frequency: Frequency {
                log_factor: 10,
                decay_minutes: 1,
            },
            lazy_eviction: false,
            client_limit: ClientLimit::Bytes(0),
            dir: PathBuf::from("."),
            db_filename: "dump.rdb".to_owned(),
            save: Vec::new(),
            rdb_compression: true,
            rdb_checksum: true,
            hash: hash::Limits::default(),
            list: list::Limits::default(),
            hz: 10,
            set: set::Limits::default(),
            zset: zset::Limits::default(),
            stream: stream::Limits::default(),
            slowlog_us: 10_000,
            slowlog_len: 128,
            latency_threshold_ms: 0,
            tracks_latency: true,
            latency_percentiles: vec![50.0, 99.0, 99.9],
            tracking_keys: 1_000_000,
            snapshots: false,
            stop_writes_on_save_error: true,
            debug_command: Protection::No,
            protected_configs: Protection::No,
            nested_requests: false,
        }
    }
}
