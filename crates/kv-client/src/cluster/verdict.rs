//! What an answer means for a request in a cluster: it is done, goes elsewhere, or is to be tried again later.
//!
//! A request goes on only if it certainly was not executed, or may be executed twice: MOVED, ASK and their like are said
//! instead of running it.

use crate::cluster::map::Addr;
use crate::connection::exchange::Again;
use crate::connection::handshake::is_transient;
use crate::connection::link::Failure;
use crate::error::{ErrorKind, Outcome};
use crate::reply::Reply;

/// See the module.
#[derive(Debug)]
pub(crate) enum Verdict {
    Done(Result<Reply, Failure>),
    /// The slot is served by this node now.
    Moved(u16, Addr),
    /// This key is being moved to this node; the slot is still served by the one that said so.
    Ask(Addr),
    /// To be tried again after a while. If there is no time for that, this is the result.
    Later(Result<Reply, Failure>),
}

/// Judges what `node` answered. A repetition of what may have been executed is taken off `again`.
pub(crate) fn judge(answer: Result<Reply, Failure>, node: &Addr, again: &mut Again) -> Verdict {
    match answer {
        Ok(Reply::Error(error)) => match error.code() {
            "MOVED" | "ASK" => {
                let mut words = error.message().split(' ');
                let slot = words.next().and_then(|slot| slot.parse().ok());
                let addr = words.next().and_then(|addr| Addr::parse(addr, node));
                match (slot, addr) {
                    (Some(slot), Some(addr)) if error.code() == "MOVED" => {
                        Verdict::Moved(slot, addr)
                    }
                    (Some(_), Some(addr)) => Verdict::Ask(addr),
                    _ => Verdict::Done(Ok(Reply::Error(error))),
                }
            }
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "READONLY" if again.resends => {
                Verdict::Later(Ok(Reply::Error(error)))
            }
            _ if error.is_forced_unblock() && again.resends => {
                Verdict::Later(Ok(Reply::Error(error)))
            }
            _ => Verdict::Done(Ok(Reply::Error(error))),
        },
        Ok(reply) => Verdict::Done(Ok(reply)),
        Err(failure) => match (&failure.kind, failure.outcome) {
            // It left the cluster before the request left this process.
            (ErrorKind::Closed, Outcome::NotSent) => Verdict::Later(Err(failure)),
            (kind, Outcome::NotSent) if again.resends && is_transient(kind) => {
                Verdict::Later(Err(failure))
            }
            (ErrorKind::Lost { .. }, Outcome::MaybeExecuted)
                if again.allows(Outcome::MaybeExecuted) =>
            {
                again.left -= 1;
                Verdict::Later(Err(failure))
            }
            _ => Verdict::Done(Err(failure)),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;
    use crate::class::{Class, Retry};
    use crate::error::ServerError;

    fn said(text: &str) -> Result<Reply, Failure> {
        Ok(Reply::Error(ServerError::new(text.as_bytes())))
    }

    fn lost(outcome: Outcome) -> Result<Reply, Failure> {
        Err(Failure {
            kind: ErrorKind::Lost {
                addr: "h:1".to_owned(),
                source: Arc::new(io::ErrorKind::ConnectionReset.into()),
            },
            outcome,
            deadline: None,
        })
    }

    fn judged(answer: Result<Reply, Failure>, class: Class, retry: Retry) -> Verdict {
        judge(answer, &Addr::new("h", 1), &mut Again::of(retry, class, 2))
    }

    #[test]
    fn redirects_are_followed_whatever_the_policy_for_they_are_refusals() {
        for retry in [Retry::Never, Retry::Safe] {
            let moved = judged(said("MOVED 5 10.0.0.1:7000"), Class::Write, retry);
            assert!(
                matches!(moved, Verdict::Moved(5, addr) if addr == Addr::new("10.0.0.1", 7000))
            );
            let ask = judged(said("ASK 5 :7000"), Class::Write, retry);
            assert!(matches!(ask, Verdict::Ask(addr) if addr == Addr::new("h", 7000)));
        }
        assert!(matches!(
            judged(said("MOVED"), Class::Write, Retry::Safe),
            Verdict::Done(_)
        ));
    }

    #[test]
    fn a_write_that_may_have_run_is_done_and_one_that_did_not_goes_on() {
        let judged = |outcome, class, retry| judged(lost(outcome), class, retry);
        let maybe = Outcome::MaybeExecuted;
        assert!(matches!(
            judged(maybe, Class::Write, Retry::Safe),
            Verdict::Done(_)
        ));
        assert!(matches!(
            judged(maybe, Class::Read, Retry::Safe),
            Verdict::Later(_)
        ));
        assert!(matches!(
            judged(maybe, Class::Write, Retry::Always),
            Verdict::Later(_)
        ));
        assert!(matches!(
            judged(Outcome::NotSent, Class::Write, Retry::Safe),
            Verdict::Later(_)
        ));
        assert!(matches!(
            judged(Outcome::NotSent, Class::Write, Retry::Never),
            Verdict::Done(_)
        ));
    }

    #[test]
    fn a_read_is_not_repeated_more_often_than_allowed() {
        let mut again = Again::of(Retry::Safe, Class::Read, 2);
        for expected in [true, true, false] {
            let verdict = judge(lost(Outcome::MaybeExecuted), &Addr::new("h", 1), &mut again);
            assert_eq!(matches!(verdict, Verdict::Later(_)), expected);
        }
    }
}
