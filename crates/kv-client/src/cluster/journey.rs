//! How far a request has come on its way through a cluster.

use crate::class::Class;
use crate::cluster::map::Addr;
use crate::cluster::send::Around;
use crate::config::ReadFrom;
use crate::connection::exchange::Again;
use crate::connection::link::Failure;
use crate::error::{ErrorKind, Outcome, runs_script};
use crate::reply::Reply;
use crate::request::Request;

/// How far a request has come.
#[derive(Debug)]
pub(super) struct Journey {
    pub(super) slot: Option<u16>,
    /// Where it goes next, if somebody said so: the address, and whether ASKING is to go first.
    pub(super) sent_on: Option<(Addr, bool)>,
    pub(super) again: Again,
    pub(super) hops: u32,
    /// How often it was tried again without having been sent on.
    pub(super) waits: u32,
    /// Which nodes may serve it, if it reads; what it said itself, and what the configuration says.
    pub(super) reads_from: ReadFrom,
    /// It is to be served in another way than the connections are set up for.
    differs: bool,
    /// What it came to last, if it is to be tried again.
    pub(super) late: Option<Result<Reply, Failure>>,
    /// An attempt before the present one may have been executed.
    pub(super) earlier: bool,
    /// It runs a script, which may say what a server says too.
    pub(super) is_script: bool,
}

impl Journey {
    pub(super) fn new(slot: Option<u16>, again: Again) -> Self {
        Self {
            slot,
            sent_on: None,
            again,
            hops: 0,
            waits: 0,
            reads_from: ReadFrom::Primary,
            differs: false,
            late: None,
            earlier: false,
            is_script: false,
        }
    }

    /// One of this request.
    pub(super) fn of(request: &Request, slot: Option<u16>, again: Again) -> Self {
        Self {
            is_script: runs_script(request.name()),
            ..Self::new(slot, again)
        }
    }

    /// The same one, of a request that may go to replicas if it only reads: as `wish` says, or else the `usual` policy.
    pub(super) fn reading(self, class: Class, wish: Option<ReadFrom>, usual: ReadFrom) -> Self {
        if class != Class::Read || self.slot.is_none() {
            return self;
        }
        let reads_from = wish.unwrap_or(usual);
        let of_replicas = |policy| policy != ReadFrom::Primary;
        Self {
            reads_from,
            differs: of_replicas(reads_from) != of_replicas(usual),
            ..self
        }
    }

    /// What a result means together with those of the attempts before: whatever became of the last one, an earlier one may
    /// have been executed.
    pub(super) fn all_attempts(&self, result: Result<Reply, Failure>) -> Result<Reply, Failure> {
        match result {
            Ok(Reply::Error(error)) if self.earlier => Err(Failure {
                kind: ErrorKind::Server(error),
                outcome: Outcome::MaybeExecuted,
                deadline: None,
            }),
            Err(failure) if self.earlier => Err(Failure {
                outcome: Outcome::MaybeExecuted,
                ..failure
            }),
            result => result,
        }
    }

    /// What has to stand around it at its present destination.
    pub(super) fn around(&self) -> Around {
        match &self.sent_on {
            Some((_, true)) => Around::Asking,
            Some((_, false)) => Around::Nothing,
            None if !self.differs => Around::Nothing,
            None if self.reads_from == ReadFrom::Primary => Around::ReadWrite,
            None => Around::ReadOnly,
        }
    }
}
