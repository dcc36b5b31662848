//! One command or batch on its way: admitted, sent, answered, and sent again where that is safe.

use std::task::{Context, Poll};

use crate::class::Class;
use crate::connection::link::{
    Admission, Answer, Failure, Freight, Link, Progress, Ticket, TimeLimit,
};
use crate::connection::outgoing::Outgoing;
use crate::connection::session::Effect;
use crate::error::{Error, ErrorKind, Outcome};
use crate::request::Request;

/// The caller's side of an exchange. Dropping it gives the command up.
#[derive(Debug)]
pub(crate) struct Exchange<'a, F: Freight> {
    link: &'a Link,
    freight: F,
    limit: TimeLimit,
    resends: bool,
    repeats: bool,
    retries_left: u32,
    stage: Stage,
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
    /// `resends` and `repeats` say whether it may be sent again after it certainly was not executed, and after it may have been.
    pub(crate) fn new(
        link: &'a Link,
        freight: F,
        limit: TimeLimit,
        resends: bool,
        repeats: bool,
        max_retries: u32,
    ) -> Self {
        Self {
            link,
            freight,
            limit,
            repeats,
            resends,
            retries_left: max_retries,
            stage: Stage::New,
        }
    }

    pub(crate) fn freight(&self) -> &F {
        &self.freight
    }

    /// The answer; an error only if there is none and there will be none.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Answer, Failure>> {
        loop {
            match self.stage {
                Stage::New => match self.link.admit(&self.freight, self.limit, cx.waker()) {
                    Admission::Sent(ticket) | Admission::Waiting(ticket) => {
                        self.stage = Stage::Admitted(ticket);
                        return Poll::Pending;
                    }
                    Admission::Closed(kind) => {
                        self.stage = Stage::Done;
                        return Poll::Ready(Err(Failure {
                            kind,
                            outcome: Outcome::NotSent,
                            deadline: None,
                        }));
                    }
                },
                Stage::Admitted(ticket) => match self.link.poll(ticket, cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Progress::Granted(limit)) => {
                        self.link.redeem(ticket, &self.freight, limit, cx.waker());
                        return Poll::Pending;
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
                            _ => return Poll::Ready(Ok(answer)),
                        };
                        if !self.is_to_be_sent_again(failure, outcome) {
                            return Poll::Ready(match answer {
                                Answer::Failed(failure) => Err(failure),
                                answer => Ok(answer),
                            });
                        }
                        self.retries_left -= 1;
                        self.limit.deadline = failure.deadline;
                        self.stage = Stage::New;
                    }
                },
                Stage::Done => panic!("polled again after it was ready"),
            }
        }
    }

    fn is_to_be_sent_again(&self, failure: &Failure, outcome: Outcome) -> bool {
        let allowed = match outcome {
            Outcome::NotSent => self.resends,
            Outcome::MaybeExecuted => self.repeats,
            Outcome::Rejected | Outcome::Executed => false,
        };
        allowed && self.retries_left > 0 && matches!(failure.kind, ErrorKind::Lost { .. })
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
}

/// The commands of a batch.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) list: Vec<Request>,
    /// They stand between MULTI and EXEC: without the last of them, none is executed.
    pub(crate) atomic: bool,
}

impl Freight for Requests {
    fn commands(&self) -> usize {
        self.list.len()
    }

    fn len(&self) -> usize {
        self.list.iter().map(Request::len).sum()
    }

    fn encode(&self, out: &mut Outgoing) -> Option<Box<[usize]>> {
        let before = out.len();
        let ends = self.list.iter().map(|request| {
            request.encode(out);
            out.len() - before
        });
        Some(ends.collect())
    }

    /// Commands with effects are refused in batches.
    fn effect(&self) -> Option<Box<Effect>> {
        None
    }

    fn outcome(&self, failure: &Failure, executed_maybe: usize) -> Outcome {
        if self.atomic && executed_maybe < self.list.len() {
            Outcome::NotSent
        } else {
            failure.outcome
        }
    }
}

/// Refuses commands that would break a connection that others use too. In a batch, also those that need one of their
/// own and those whose effect on the session is to be remembered.
pub(crate) fn check_shared(request: &Request, in_batch: bool) -> Result<(), Error> {
    let instead = match request.class() {
        Class::Unshared => match request.name() {
            "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE"
            | "SUNSUBSCRIBE" => "use Client::subscribe",
            "MULTI" | "EXEC" | "DISCARD" => "use Client::transaction",
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
