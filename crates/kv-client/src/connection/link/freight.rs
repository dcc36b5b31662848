//! What goes over a connection, and what comes of it.

use std::time::Duration;

use tokio::time::Instant;

use super::Ticket;
use crate::connection::outgoing::Outgoing;
use crate::connection::session::Effect;
use crate::error::{ErrorKind, Outcome};
use crate::reply::Reply;

/// What a command came to.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The reply to a single command. An error reply is one.
    One(Reply),
    /// The replies to a batch, and why the rest of them is missing, if some are.
    Many {
        replies: Vec<Reply>,
        failure: Option<Failure>,
        executed_maybe: usize,
        /// So many of its commands may have been executed by an attempt before this one.
        earlier: usize,
    },
    /// No reply will come.
    Failed(Failure),
}

/// Why there is no reply.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) outcome: Outcome,
    /// When the command's time is over, for whoever sends it again.
    pub(crate) deadline: Option<Instant>,
}

/// How long a command may take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeLimit {
    /// The limit, as the error message words it.
    pub(crate) timeout: Option<Duration>,
    /// When it is reached. The driver, which knows the time, sets it when it first sees the command.
    pub(crate) deadline: Option<Instant>,
}

impl TimeLimit {
    pub(crate) fn started(self, now: Instant) -> Self {
        Self {
            deadline: self.deadline.or_else(|| now.checked_add(self.timeout?)),
            ..self
        }
    }
}

/// One command, or a batch that belongs together, between a caller and the driver.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) ticket: Ticket,
    /// Its encoded length.
    pub(crate) len: usize,
    pub(crate) limit: TimeLimit,
    /// What a good reply changes in the session.
    pub(crate) effect: Option<Box<Effect>>,
    /// If it is a batch: where each command ends, counted from the start of the first.
    pub(crate) ends: Option<Box<[usize]>>,
}

/// What a caller wants to send.
pub(crate) trait Freight {
    /// Number of commands.
    fn commands(&self) -> usize;
    /// An upper bound of the encoded length.
    fn len(&self) -> usize;
    /// Appends the wire form; says where each command of a batch ends.
    fn encode(&self, out: &mut Outgoing) -> Option<Box<[usize]>>;
    fn effect(&self) -> Option<Box<Effect>>;
    /// Calls `each` for every key that it may change, with `None` for all that there are.
    fn each_change(&self, each: &mut dyn FnMut(Option<&[u8]>));
    /// How long the server may take to answer on purpose, if it blocks and not for ever.
    fn patience(&self) -> Option<Duration> {
        None
    }
    /// What became of the whole, if `executed_maybe` commands of it may have been executed.
    fn outcome(&self, failure: &Failure, _executed_maybe: usize) -> Outcome {
        failure.outcome
    }
}
