//! The counters behind INFO and the embedding API.

use std::collections::{BTreeMap, VecDeque};

use crate::command::RowId;
use crate::error::ReplyError;
use crate::latency::Histogram;

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
    /// By row, of those that were called.
    histograms: Vec<Option<Box<Histogram>>>,
    /// `latency-tracking`: whether the histograms are kept.
    pub(crate) has_histograms: bool,
    /// The latest at the end; taken when somebody works.
    samples: VecDeque<Sample>,
}

/// Counters at some moment, to tell how fast they grow.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sample {
    /// In Unix microseconds.
    at_us: i64,
    pub(crate) commands: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// Samples are at least so far apart, and so many are kept: what happened in the last 1.6 s, as in Redis.
const SAMPLE_US: i64 = 100_000;
const SAMPLES: usize = 16;
const WINDOW_US: i64 = 16 * SAMPLE_US;

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct CommandStats {
    /// Since the start; [`calls`](Self::calls) are those that are shown.
    pub(crate) all_calls: u64,
    /// What `all_calls` was at the last CONFIG RESETSTAT.
    calls_before_reset: u64,
    /// Time spent on them, in microseconds.
    pub(crate) us: u64,
    /// Refused before they ran.
    pub(crate) rejected: u64,
    /// Ran and answered an error.
    pub(crate) failed: u64,
}

impl CommandStats {
    /// Calls since the start or since CONFIG RESETSTAT.
    pub(crate) fn calls(self) -> u64 {
        self.all_calls - self.calls_before_reset
    }

    /// Forgets everything but how many calls there were at all, by which those of a run are told.
    fn reset(self) -> Self {
        Self {
            all_calls: self.all_calls,
            calls_before_reset: self.all_calls,
            ..Self::default()
        }
    }
}

impl Stats {
    pub(crate) fn new(rows: usize, has_histograms: bool) -> Self {
        Self {
            has_histograms,
            per_command: vec![CommandStats::default(); rows],
            histograms: vec![None; rows],
            ..Self::default()
        }
    }

    #[inline]
    pub(crate) fn command(&mut self, row: RowId) -> &mut CommandStats {
        &mut self.per_command[usize::from(row)]
    }

    /// A command took so long in all its calls since [`all_calls`](CommandStats::all_calls) was this.
    pub(crate) fn spent(&mut self, row: RowId, us: u64, calls_before: u64) {
        let counted = self.command(row);
        counted.us += us;
        let calls = counted.all_calls - calls_before;
        if !self.has_histograms {
            return;
        }
        if let Some(each) = us.checked_div(calls) {
            self.histograms[usize::from(row)]
                .get_or_insert_default()
                .record(each, calls);
        }
    }

    /// How long the calls of a command took, if there were any.
    pub(crate) fn histogram(&self, row: RowId) -> Option<&Histogram> {
        self.histograms[usize::from(row)].as_deref()
    }

    fn sample(&self, now_us: i64) -> Sample {
        Sample {
            at_us: now_us,
            commands: self.commands,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
        }
    }

    /// Notes how far the counters are, if the last time was long enough ago.
    #[inline]
    pub(crate) fn note_sample(&mut self, now_us: i64) {
        let last = self.samples.back().map_or(i64::MIN, |last| last.at_us);
        if now_us >= last.saturating_add(SAMPLE_US) {
            self.add_sample(now_us);
        }
    }

    #[cold]
    fn add_sample(&mut self, now_us: i64) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(self.sample(now_us));
    }

    /// What the counters grew by in a second of late.
    pub(crate) fn rates(&self, now_us: i64) -> Sample {
        let now = self.sample(now_us);
        let window = now_us.saturating_sub(WINDOW_US);
        let recent = self.samples.iter().find(|sample| sample.at_us >= window);
        let since = recent
            .or_else(|| self.samples.back())
            .copied()
            .unwrap_or(now);
        let us = u64::try_from(now_us - since.at_us).unwrap_or(0).max(1000);
        let a_second = |now: u64, then: u64| (now - then) * 1_000_000 / us;
        Sample {
            at_us: now_us,
            commands: a_second(now.commands, since.commands),
            bytes_in: a_second(now.bytes_in, since.bytes_in),
            bytes_out: a_second(now.bytes_out, since.bytes_out),
        }
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
        let per_command = std::mem::take(&mut self.per_command);
        *self = Self {
            changes_since_save,
            per_command: per_command.into_iter().map(CommandStats::reset).collect(),
            histograms: vec![None; self.histograms.len()],
            has_histograms: self.has_histograms,
            ..Self::default()
        };
    }
}
