//! The counters behind INFO and the embedding API.

use std::collections::BTreeMap;

use crate::command::RowId;
use crate::error::ReplyError;

/// Different first words of errors that are counted apart; custom commands may make up as many as they like.
const ERROR_CODES_MAX: usize = 128;

/// Counted since the start or since `CONFIG RESETSTAT`.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) commands: u64,
    pub(crate) connections: u64,
    pub(crate) rejected_connections: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// Error replies by their first word.
    errors: BTreeMap<String, u64>,
    /// Handlers that panicked; each cost its connection.
    pub(crate) panics: u64,
    /// Changes of the data since the start, and since the last snapshot.
    pub(crate) changes: u64,
    pub(crate) changes_since_save: u64,
    /// Connections closed because their output grew beyond its limit.
    pub(crate) output_limit_disconnections: u64,
    /// Connections closed because all of them together took more than `maxmemory-clients`.
    pub(crate) evicted_clients: u64,
    /// By row of the command table.
    pub(crate) per_command: Vec<CommandStats>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct CommandStats {
    pub(crate) calls: u64,
    /// Time spent on them, in microseconds.
    pub(crate) us: u64,
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

    /// Counts an error reply.
    pub(crate) fn error(&mut self, error: &ReplyError) {
        let text = error.to_string();
        let code = text.split(' ').next().unwrap_or_default();
        if let Some(count) = self.errors.get_mut(code) {
            *count += 1;
        } else if self.errors.len() < ERROR_CODES_MAX {
            self.errors.insert(code.to_owned(), 1);
        }
    }

    /// Error replies of any kind.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.values().sum()
    }

    pub(crate) fn errors_by_code(&self) -> impl Iterator<Item = (&str, u64)> {
        self.errors
            .iter()
            .map(|(code, count)| (code.as_str(), *count))
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
