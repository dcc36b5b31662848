//! One command or batch on its way: admitted, sent, answered, and sent again where that is safe.

use std::borrow::Borrow;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::class::{Class, Retry};
use crate::config::Config;
use crate::connection::link::{
    Admission, Answer, Failure, Freight, Link, Progress, Ticket, TimeLimit,
};
use crate::connection::outgoing::Outgoing;
use crate::connection::session::Effect;
use crate::error::{Error, ErrorKind, Outcome, ServerError};
use crate::patience;
use crate::reply::Reply;
use crate::request::Request;

/// The caller's side of an exchange. Dropping it gives the command up.
#[derive(Debug)]
pub(crate) struct Exchange<'a, F: Freight> {
    link: &'a Link,
    freight: F,
    limit: TimeLimit,
    again: Again,
    stage: Stage,
    /// So many of its commands may have been executed by an attempt before the present one.
    earlier: usize,
}

/// Whether something is sent again when its connection was lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Again {
    /// After it certainly was not executed.
    pub(crate) resends: bool,
    /// After it may have been executed.
    pub(crate) repeats: bool,
    /// How often at most.
    pub(crate) left: u32,
}

impl Again {
    /// Whoever sends it looks after that.
    pub(crate) const NEVER: Self = Self {
        resends: false,
        repeats: false,
        left: 0,
    };

    /// What `retry` says about a command of this class.
    pub(crate) fn of(retry: Retry, class: Class, max_retries: u32) -> Self {
        Self {
            resends: retry != Retry::Never,
            repeats: retry.repeats(class),
            left: max_retries,
        }
    }

    pub(crate) fn allows(&self, outcome: Outcome) -> bool {
        let allowed = match outcome {
            Outcome::NotSent => self.resends,
            Outcome::MaybeExecuted => self.repeats,
            Outcome::Rejected | Outcome::Executed => false,
        };
        allowed && self.left > 0
    }
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Not handed over.
    New,
    /// A ticket is held.
    Admitted(Ticket),
    Done,
}

impl<'a, F: Freight> Exchange<'a, F> {
    pub(crate) fn new(link: &'a Link, freight: F, limit: TimeLimit, again: Again) -> Self {
        Self {
            link,
            freight,
            limit,
            again,
            stage: Stage::New,
            earlier: 0,
        }
    }

    /// Waits for the answer.
    pub(crate) async fn run(mut self) -> Result<Answer, Failure> {
        poll_fn(|cx| self.poll(cx)).await
    }

    pub(crate) fn freight(&self) -> &F {
        &self.freight
    }

    /// The answer; an error only if there is none and there will be none.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Answer, Failure>> {
        loop {
            match self.stage {
                Stage::New => match self.admit(cx) {
                    Admission::Sent(ticket) | Admission::Waiting(ticket) => {
                        self.stage = Stage::Admitted(ticket);
                        return Poll::Pending;
                    }
                    Admission::Closed(kind) => {
                        self.stage = Stage::Done;
                        return Poll::Ready(self.all_attempts(Err(Failure {
                            kind,
                            outcome: Outcome::NotSent,
                            deadline: None,
                        })));
                    }
                },
                Stage::Admitted(ticket) => match self.link.poll(ticket, cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Progress::Granted(limit)) => {
                        let waker = cx.waker();
                        if self.link.redeem(ticket, &self.freight, limit, waker) {
                            return Poll::Pending;
                        }
                    }
                    Poll::Ready(Progress::Answered(answer)) => {
                        self.stage = Stage::Done;
                        let (failure, outcome) = match &answer {
                            Answer::Failed(failure) => (failure, failure.outcome),
                            Answer::Many {
                                failure: Some(failure),
                                executed_maybe,
                                ..
                            } => (failure, self.freight.outcome(failure, *executed_maybe)),
                            Answer::One(Reply::Error(error)) if self.goes_to_next(error) => {
                                self.again.left -= 1;
                                self.link.count_retry();
                                self.stage = Stage::New;
                                continue;
                            }
                            _ => return Poll::Ready(self.all_attempts(Ok(answer))),
                        };
                        if !self.is_to_be_sent_again(failure, outcome) {
                            return Poll::Ready(self.all_attempts(match answer {
                                Answer::Failed(failure) => Err(failure),
                                answer => Ok(answer),
                            }));
                        }
                        if outcome == Outcome::MaybeExecuted {
                            let executed = match &answer {
                                Answer::Many { executed_maybe, .. } => *executed_maybe,
                                Answer::One(_) | Answer::Failed(_) => self.freight.commands(),
                            };
                            self.earlier = self.earlier.max(executed);
                        }
                        self.again.left -= 1;
                        self.link.count_retry();
                        self.limit.deadline = failure.deadline;
                        self.stage = Stage::New;
                    }
                },
                Stage::Done => panic!("polled again after it was ready"),
            }
        }
    }

    /// What this answer means together with those of the attempts before: whatever became of the last one, an earlier one may
    /// have been executed.
    #[inline]
    fn all_attempts(&self, answer: Result<Answer, Failure>) -> Result<Answer, Failure> {
        if self.earlier == 0 {
            return answer;
        }
        match answer {
            Ok(Answer::One(Reply::Error(error))) => Err(Failure {
                kind: ErrorKind::Server(error),
                outcome: Outcome::MaybeExecuted,
                deadline: None,
            }),
            Ok(Answer::Many {
                replies,
                failure,
                executed_maybe,
                ..
            }) => Ok(Answer::Many {
                replies,
                failure,
                executed_maybe: executed_maybe.max(self.earlier),
                earlier: self.earlier,
            }),
            Ok(answer) => Ok(answer),
            Err(failure) => Err(Failure {
                outcome: Outcome::MaybeExecuted,
                ..failure
            }),
        }
    }

    /// Refused by a server that has become a replica, whose connection is being left for that to the primary.
    fn goes_to_next(&self, error: &ServerError) -> bool {
        self.link.follows_primary
            && (error.is_of_replica() || error.is_forced_unblock())
            && self.again.resends
            && self.again.left > 0
    }

    fn admit(&mut self, cx: &Context<'_>) -> Admission {
        if self.link.follows_primary {
            // It may be sent again after a reply, which does not say when its time is over.
            self.limit = self.limit.started(Instant::now());
        }
        self.link.admit(&self.freight, self.limit, cx.waker())
    }

    fn is_to_be_sent_again(&self, failure: &Failure, outcome: Outcome) -> bool {
        self.again.allows(outcome) && matches!(failure.kind, ErrorKind::Lost { .. })
    }
}

impl<F: Freight> Drop for Exchange<'_, F> {
    fn drop(&mut self) {
        if let Stage::Admitted(ticket) = self.stage {
            self.link
                .abandon(ticket, self.freight.commands(), self.freight.len());
        }
    }
}

impl Freight for Request {
    fn commands(&self) -> usize {
        1
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn encode(&self, out: &mut Outgoing) -> Option<Box<[usize]>> {
        self.encode(out);
        None
    }

    fn effect(&self) -> Option<Box<Effect>> {
        Effect::of(self)
    }

    fn each_change(&self, each: &mut dyn FnMut(Option<&[u8]>)) {
        match (self.class(), self.name()) {
            (Class::Read, _) => {}
            (_, "FLUSHALL" | "FLUSHDB" | "SWAPDB") => each(None),
            _ => self.keys().into_iter().for_each(|key| each(Some(key))),
        }
    }

    fn patience(&self) -> Option<Duration> {
        patience::of(self)
    }
}

impl<F: Freight> Freight for &F {
    fn commands(&self) -> usize {
        (**self).commands()
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn encode(&self, out: &mut Outgoing) -> Option<Box<[usize]>> {
        (**self).encode(out)
    }

    fn effect(&self) -> Option<Box<Effect>> {
        (**self).effect()
    }

    fn each_change(&self, each: &mut dyn FnMut(Option<&[u8]>)) {
        (**self).each_change(each);
    }

    fn patience(&self) -> Option<Duration> {
        (**self).patience()
    }

    fn outcome(&self, failure: &Failure, executed_maybe: usize) -> Outcome {
        (**self).outcome(failure, executed_maybe)
    }
}

/// The commands of a batch.
#[derive(Debug)]
pub(crate) struct Requests<R> {
    pub(crate) list: Vec<R>,
    /// They stand between MULTI and EXEC: without the last of them, none is executed.
    pub(crate) atomic: bool,
}

impl<R: Borrow<Request>> Freight for Requests<R> {
    fn commands(&self) -> usize {
        self.list.len()
    }

    fn len(&self) -> usize {
        self.list.iter().map(|request| request.borrow().len()).sum()
    }

    fn encode(&self, out: &mut Outgoing) -> Option<Box<[usize]>> {
        let before = out.len();
        let ends = self.list.iter().map(|request| {
            request.borrow().encode(out);
            out.len() - before
        });
        Some(ends.collect())
    }

    /// Commands with effects are refused in batches.
    fn effect(&self) -> Option<Box<Effect>> {
        None
    }

    fn each_change(&self, each: &mut dyn FnMut(Option<&[u8]>)) {
        for request in &self.list {
            request.borrow().each_change(each);
        }
    }

    /// At most one of them blocks.
    fn patience(&self) -> Option<Duration> {
        let mut each = self.list.iter();
        each.find_map(|request| patience::of(request.borrow()))
    }

    fn outcome(&self, failure: &Failure, executed_maybe: usize) -> Outcome {
        if self.atomic && executed_maybe < self.list.len() {
            Outcome::NotSent
        } else {
            failure.outcome
        }
    }
}

/// Refuses what is not to be sent: commands that would break a shared connection, and arguments that no server takes.
pub(crate) fn check(request: &Request, config: &Config, in_batch: bool) -> Result<(), Error> {
    let max = config.limits.bulk_bytes;
    if request.len() > max {
        // A server would cut the connection, which others use too, and leave it open what became of their commands.
        if let Some(len) = request.args().map(<[u8]>::len).find(|&len| len > max) {
            let kind = ErrorKind::TooLong { len, max };
            return Err(Error::new(kind, Outcome::NotSent).of(request.clone_name()));
        }
    }
    check_shared(request, in_batch)
}

/// Refuses commands that would break a connection that others use too. In a batch, also those that need one of their
/// own and those whose effect on the session is to be remembered.
fn check_shared(request: &Request, in_batch: bool) -> Result<(), Error> {
    let instead = match request.class() {
        Class::Unshared => match request.name() {
            "SUBSCRIBE" => "use Client::subscribe",
            "PSUBSCRIBE" => "use Client::psubscribe",
            "SSUBSCRIBE" => "use Client::ssubscribe",
            "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" => "drop the Subscription",
            "MULTI" | "EXEC" | "DISCARD" => "use Client::transaction",
            "WATCH" | "UNWATCH" => "use Client::watch",
            "MONITOR" => "use Client::monitor",
            "QUIT" => "use Client::close",
            "HELLO" => "use Config::protocol and Config::credentials",
            _ => "it changes what other callers of this client see",
        },
        Class::Blocking if in_batch => "await it by itself: it would hold up the rest of the batch",
        Class::Session if in_batch => {
            "await it by itself: it changes the connection for all callers"
        }
        _ => return Ok(()),
    };
    let kind = ErrorKind::Unshared {
        command: request.name().to_owned(),
        instead,
    };
    Err(Error::new(kind, Outcome::NotSent).of(request.name().to_owned()))
}
