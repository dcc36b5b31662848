//! The write-effect point: what a command did to the data, for whoever wants to follow it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use tracing::error;

use crate::keyspace::ExpiredFields;

/// One change of the data, as a command that repeats it exactly.
///
/// Relative times are absolute (`EXPIRE` arrives as `PEXPIREAT`), random choices are made (`SPOP` arrives as `SREM`), and keys that expire or
/// are evicted arrive as `DEL`. The commands of a transaction arrive one by one, in order. A custom command arrives as the built-in ones that
/// repeat what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The database.
    pub db: usize,
    /// The command and its arguments.
    pub command: Vec<Bytes>,
}

/// A callback that sees each [`Effect`], in the order in which they happened. It runs under the server's lock: it must be quick.
pub(crate) type Observer = Arc<dyn Fn(&Effect) + Send + Sync>;

/// The effects of the command that is running, and who follows them.
#[derive(Default)]
pub(crate) struct Effects {
    observers: Vec<Observer>,
    /// What the running command wants propagated in place of itself, and in which database if not the selected one.
    rewritten: Vec<(Option<usize>, Vec<Bytes>)>,
    /// Nothing else of it is to be propagated, even if that is nothing at all.
    only_rewritten: bool,
}

impl Effects {
    pub(crate) fn new(observers: Vec<Observer>) -> Self {
        Self {
            observers,
            rewritten: Vec::new(),
            only_rewritten: false,
        }
    }

    /// Whether anybody follows; if not, nothing is copied.
    #[inline]
    pub(crate) fn are_followed(&self) -> bool {
        !self.observers.is_empty()
    }

    pub(crate) fn rewrite(&mut self, command: &[&[u8]]) {
        self.rewrite_in(None, command);
    }

    /// As [`rewrite`](Self::rewrite), in a certain database.
    pub(crate) fn rewrite_in(&mut self, db: Option<usize>, command: &[&[u8]]) {
        if self.are_followed() {
            let command = command.iter().map(|arg| Bytes::copy_from_slice(arg));
            self.rewritten.push((db, command.collect()));
        }
    }

    /// From now on the running command is not propagated as it is, though it may ask for nothing in its place: what a consumer has
    /// read again is noted, but changes no data.
    pub(crate) fn only_rewritten(&mut self) {
        self.only_rewritten = true;
    }

    /// Whether the running command may be propagated as it is, given how many commands it had asked for before.
    pub(crate) fn is_as_sent(&self, rewritten: usize) -> bool {
        !self.only_rewritten && self.rewritten.len() == rewritten
    }

    /// How many commands the running one has asked for so far.
    pub(crate) fn rewritten(&self) -> usize {
        self.rewritten.len()
    }

    /// Hands on what a command did: its rewritten form if it gave one, else itself.
    pub(crate) fn publish<'a>(&mut self, db: usize, args: impl Iterator<Item = &'a [u8]>) {
        if self.is_as_sent(0) {
            self.emit(db, args.map(Bytes::copy_from_slice).collect());
        } else {
            for (other, command) in std::mem::take(&mut self.rewritten) {
                self.emit(other.unwrap_or(db), command);
            }
        }
        self.only_rewritten = false;
    }

    /// A key was removed because its time came.
    pub(crate) fn publish_expired(&self, db: usize, key: &[u8]) {
        self.emit(
            db,
            vec![Bytes::from_static(b"DEL"), Bytes::copy_from_slice(key)],
        );
    }

    /// Fields of a hash were removed because their time came.
    pub(crate) fn publish_expired_fields(&self, db: usize, expired: &ExpiredFields) {
        let words = [&b"HDEL"[..], &expired.key].into_iter();
        let words = words.chain(expired.fields.iter().map(|field| &**field));
        self.emit(db, words.map(Bytes::copy_from_slice).collect());
    }

    /// A key was removed to make room; `lazily` if its memory is freed aside.
    pub(crate) fn publish_evicted(&self, db: usize, key: &[u8], lazily: bool) {
        let command = Bytes::from_static(if lazily { b"UNLINK" } else { b"DEL" });
        self.emit(db, vec![command, Bytes::copy_from_slice(key)]);
    }

    /// Drops what a command that changed nothing, or failed, had said.
    pub(crate) fn discard(&mut self) {
        self.rewritten.clear();
        self.only_rewritten = false;
    }

    fn emit(&self, db: usize, command: Vec<Bytes>) {
        let effect = Effect { db, command };
        for observer in &self.observers {
            // An observer is the caller's; its panic must not take the engine with it.
            if catch_unwind(AssertUnwindSafe(|| observer(&effect))).is_err() {
                error!("an observer panicked");
            }
        }
    }
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effects")
            .field("observers", &self.observers.len())
            .finish_non_exhaustive()
    }
}
