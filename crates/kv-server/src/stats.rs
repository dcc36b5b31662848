//! The counters behind INFO and the embedding API.

use crate::command::RowId;

/// Counted since the start or since `CONFIG RESETSTAT`.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) commands: u64,
    pub(crate) connections: u64,
    pub(crate) rejected_connections: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) errors: u64,
    /// Requests that ended in a protocol error.
    pub(crate) protocol_errors: u64,
    /// Handlers that panicked; each cost its connection.
    pub(crate) panics: u64,
    /// Changes of the data since the start, and since the last snapshot.
    pub(crate) changes: u64,
    pub(crate) changes_since_save: u64,
    /// Connections closed because their output grew beyond its limit.
    pub(crate) output_limit_disconnections: u64,
    /// By row of the command table.
    pub(crate) per_command: Vec<CommandStats>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct CommandStats {
    pub(crate) calls: u64,
    /// Refused before they ran.
    pub(crate) rejected: u64,
    /// Ran and answered an error.
    pub(crate) failed: u64,
}

impl Stats {
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            per_command: vec![CommandStats::default(); rows],
            ..Self::default()
        }
    }

    #[inline]
    pub(crate) fn command(&mut self, row: RowId) -> &mut CommandStats {
        &mut self.per_command[usize::from(row)]
    }

    /// `CONFIG RESETSTAT`.
    pub(crate) fn reset(&mut self) {
        let changes_since_save = self.changes_since_save;
        *self = Self {
            changes_since_save,
            ..Self::new(self.per_command.len())
        };
    }
}
