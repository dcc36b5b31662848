//! The settings of a server: what the builder sets, CONFIG GET shows and CONFIG SET changes.

use std::path::PathBuf;
use std::time::Duration;

use crate::keyspace::notify::Class;

/// Settings under the lock; names and defaults are those of
/// [redis.conf](https://redis.io/docs/latest/operate/oss_and_stack/management/config/) unless said otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Config {
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
    /// Hard `client-output-buffer-limit` of normal connections; `usize::MAX` is none.
    pub(crate) normal_output_limit: usize,
    /// Hard `client-output-buffer-limit` of subscribers.
    pub(crate) pubsub_output_limit: usize,
    pub(crate) notify: Class,
    pub(crate) dir: PathBuf,
    pub(crate) db_filename: String,
    /// `save` points: seconds and changes.
    pub(crate) save: Vec<(u64, u64)>,
    pub(crate) rdb_compression: bool,
    pub(crate) rdb_checksum: bool,
    /// Accepts requests that nest and requests that are no arrays.
    pub(crate) nested_requests: bool,
}

impl Config {
    pub(crate) fn requires_auth(&self) -> bool {
        self.requirepass.is_some()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            databases: 16,
            requirepass: None,
            max_clients: 10_000,
            timeout: None,
            max_bulk_bytes: 512 << 20,
            query_buffer_limit: 1 << 30,
            normal_output_limit: usize::MAX,
            pubsub_output_limit: 32 << 20,
            notify: Class::NONE,
            dir: PathBuf::from("."),
            db_filename: "dump.rdb".to_owned(),
            save: Vec::new(),
            rdb_compression: true,
            rdb_checksum: true,
            nested_requests: false,
        }
    }
}
