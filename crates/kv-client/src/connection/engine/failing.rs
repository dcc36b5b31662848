//! Commands that get no reply: their time is over, nobody wants them, the connection is lost.

use std::task::Waker;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::{Batch, Engine, Pending, Sender, length, position};
use crate::connection::link::{Answer, Failure, Shared};
use crate::error::{Error, ErrorKind, Outcome, Phase};

impl Engine {
    /// Answers every command whose time is over. What was not written of them never will be.
    pub(crate) fn expire(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        online: bool,
        cause: Option<&Error>,
        wake: &mut Vec<Waker>,
    ) {
        self.deliver(shared, usize::MAX, wake);
        let written = self.written;
        let mut unwritten = false;
        let mut earliest = None::<Instant>;
        for pending in &mut self.pending {
            let (Some(deadline), Some(timeout)) = (pending.limit.deadline, pending.limit.timeout)
            else {
                continue;
            };
            if deadline > now {
                earliest = Some(earliest.map_or(deadline, |other| other.min(deadline)));
                continue;
            }
            pending.limit.deadline = None;
            let phase = if pending.end <= written {
                Phase::Waiting
            } else if online || pending.start < written {
                Phase::Writing
            } else {
                Phase::Connecting
            };
            // A command that is written in part will be written whole when the socket takes more.
            let outcome = if pending.start < written {
                Outcome::MaybeExecuted
            } else {
                Outcome::NotSent
            };
            unwritten |= outcome == Outcome::NotSent;
            let failure = timed_out(phase, timeout, cause, outcome);
            let sent = if outcome == Outcome::NotSent {
                0
            } else {
                pending.commands()
            };
            if let Sender::Caller(ticket) = pending.sender {
                shared.answer(
                    ticket,
                    unanswered(pending.batch.as_deref_mut(), failure, sent),
                    wake,
                );
            }
        }
        self.next_deadline = earliest;
        shared.expire_waiters(
            Some(now),
            |timeout| match timeout {
                Some(timeout) => timed_out(Phase::Queued, timeout, cause, Outcome::NotSent),
                None => Failure {
                    kind: ErrorKind::Closed,
                    outcome: Outcome::NotSent,
                    deadline: None,
                },
            },
            wake,
        );
        let waiting = shared.stamp_waiters(now);
        self.remember(waiting);
        if unwritten {
            self.withdraw(shared, wake);
        }
    }

    /// Takes commands that nobody waits for out of what is to be written.
    pub(super) fn withdraw(&mut self, shared: &mut Shared, wake: &mut Vec<Waker>) {
        let written = self.written;
        let first = self
            .pending
            .partition_point(|pending| pending.start < written);
        let rest = self.rest_of_written();
        let mut old = std::mem::take(&mut self.out);
        old.move_to(rest, &mut self.out);
        let mut commands = 0;
        let mut bytes = 0;
        let stale_topics = std::mem::take(&mut self.stale_topics);
        for mut pending in self.pending.split_off(first) {
            let len = pending.len();
            if pending.sender == Sender::Topics && stale_topics {
                old.advance(len);
                let own = len.min(self.own);
                self.own -= own;
                bytes += len - own;
                continue;
            }
            if let Sender::Caller(ticket) = pending.sender {
                if !shared.is_wanted(ticket) {
                    old.advance(len);
                    commands += pending.commands();
                    bytes += len;
                    continue;
                }
            }
            pending.start = self.end();
            old.move_to(len, &mut self.out);
            pending.end = self.end();
            self.pending.push_back(pending);
        }
        let is_callers = |pending: &&Pending| matches!(pending.sender, Sender::Caller(_));
        let last = self.pending.iter().rev().find(is_callers);
        let last = last.map(|pending| pending.wave);
        self.timing.withdrawn(last);
        debug_assert!(old.is_empty(), "every byte belongs to a pending command");
        if commands > 0 || bytes > 0 {
            shared.release(commands, bytes, wake);
        }
    }

    /// How many bytes are left of a command that is written in part. It need not be pending: a peer may answer before it has read all.
    fn rest_of_written(&self) -> usize {
        let first = self
            .pending
            .partition_point(|pending| pending.start < self.written);
        let next = self.pending.get(first);
        length(next.map_or_else(|| self.end(), |pending| pending.start) - self.written)
    }

    /// The connection is gone. Commands that were written, wholly or in part, are answered; the others stay for the next.
    pub(crate) fn lost(&mut self, kind: &ErrorKind) {
        while let Some(front) = self.pending.front() {
            if front.start >= self.written {
                break;
            }
            let whole = front.end <= self.written;
            let remainder = length(front.end.saturating_sub(self.written));
            let sent = match &front.batch {
                Some(batch) => batch
                    .ends
                    .iter()
                    .filter(|&&end| front.start + position(end) <= self.written)
                    .count(),
                None => usize::from(whole),
            };
            self.wrote(remainder); // the rest of a command that was cut is of no use to anybody
            self.finish(|pending| {
                let outcome = if sent > 0 {
                    Outcome::MaybeExecuted
                } else {
                    Outcome::NotSent
                };
                unanswered(
                    pending.batch.as_deref_mut(),
                    Failure {
                        kind: kind.clone(),
                        outcome,
                        deadline: pending.limit.deadline,
                    },
                    sent,
                )
            });
        }
        self.wrote(self.rest_of_written());
        self.topics.lost();
        self.clear_cache();
        self.confirming.clear();
        self.stale_topics = true;
        // A sign of life that was not asked for yet need not be asked of the next connection, but it does no harm either.
        self.ping_pending = self
            .pending
            .iter()
            .any(|pending| pending.sender == Sender::Ping);
        self.input = BytesMut::new();
    }

    /// Answers everything that is left: none of it was written.
    pub(crate) fn give_up(&mut self, shared: &mut Shared, kind: &ErrorKind, wake: &mut Vec<Waker>) {
        while !self.pending.is_empty() {
            self.finish(|pending| {
                let failure = Failure {
                    kind: kind.clone(),
                    outcome: Outcome::NotSent,
                    deadline: None,
                };
                unanswered(pending.batch.as_deref_mut(), failure, 0)
            });
        }
        let rest = self.out.len();
        self.wrote(rest);
        self.ping_pending = false;
        self.deliver(shared, usize::MAX, wake);
        shared.expire_waiters(
            None,
            |_| Failure {
                kind: kind.clone(),
                outcome: Outcome::NotSent,
                deadline: None,
            },
            wake,
        );
    }
}

/// What is said of a command, or a batch, that will get no further reply. `sent` commands of it may have been executed.
fn unanswered(batch: Option<&mut Batch>, failure: Failure, sent: usize) -> Answer {
    match batch {
        None => Answer::Failed(failure),
        Some(batch) => Answer::Many {
            replies: std::mem::take(&mut batch.replies),
            failure: Some(failure),
            executed_maybe: sent,
            earlier: 0,
        },
    }
}

fn timed_out(phase: Phase, after: Duration, cause: Option<&Error>, outcome: Outcome) -> Failure {
    Failure {
        kind: ErrorKind::Timeout {
            phase,
            after,
            source: cause.cloned().map(Box::new),
        },
        outcome,
        deadline: None,
    }
}
