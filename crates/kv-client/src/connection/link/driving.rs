//! The driver's side of a link.

use std::task::Waker;
use std::time::Duration;

use resp_codec::Version;
use tokio::time::Instant;

use super::{Answer, Failure, Life, Parcel, Shared, State, Ticket, Waiter, index};
use crate::connection::outgoing::Outgoing;
use crate::error::ErrorKind;

/// How long the end of a connection waits for a caller that has room and does not use it.
const GRACE: Duration = Duration::from_secs(1);

/// What the driver uses, under the lock.
impl Shared {
    pub(crate) fn life(&self) -> Life {
        self.life
    }

    /// The driver's last act.
    pub(crate) fn bury(&mut self, epitaph: Option<ErrorKind>) {
        self.life = Life::Ended;
        self.epitaph = epitaph;
        self.status.connected = false;
    }

    /// Where the present connection leads.
    pub(crate) fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// Has the driver leave the present connection for a new one.
    pub(crate) fn leave(&mut self) {
        self.leaving = self.peer.is_some();
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(crate) fn disconnected(&mut self) {
        self.status.connected = false;
        self.peer = None;
        self.leaving = false;
    }

    pub(crate) fn connected(&mut self, version: Version, peer: &str) {
        self.status.connected = true;
        self.peer = Some(peer.to_owned());
        self.status.version = Some(version);
    }

    /// Leaves `waker` to be woken by the next caller.
    pub(crate) fn listen(&mut self, waker: &Waker) {
        match &mut self.driver {
            Some(old) if old.will_wake(waker) => {}
            old => *old = Some(waker.clone()),
        }
    }

    pub(crate) fn has_arrivals(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Moves the inbox to the driver.
    pub(crate) fn collect(&mut self, out: &mut Outgoing, parcels: &mut Vec<Parcel>) {
        out.append(&mut self.inbox);
        if parcels.is_empty() {
            std::mem::swap(parcels, &mut self.arrived);
        } else {
            parcels.append(&mut self.arrived);
        }
    }

    /// Whether somebody still waits for this answer.
    pub(crate) fn is_wanted(&self, ticket: Ticket) -> bool {
        let slot = &self.slots[index(ticket.slot)];
        slot.turn == ticket.turn && matches!(slot.state, State::Sent)
    }

    /// Whether callers gave commands up since the last look.
    pub(crate) fn take_abandoned(&mut self) -> bool {
        std::mem::take(&mut self.abandoned)
    }

    /// Leaves an answer for whoever holds the ticket; nobody may. The first one counts: after a time-out there may be more.
    pub(crate) fn answer(&mut self, ticket: Ticket, answer: Answer, wake: &mut Vec<Waker>) {
        let slot = &mut self.slots[index(ticket.slot)];
        if slot.turn == ticket.turn && !matches!(slot.state, State::Answered(_)) {
            slot.state = State::Answered(answer);
            wake.extend(slot.waker.take());
        }
    }

    /// Gives room back: `commands` are answered, `bytes` are written or dropped.
    pub(crate) fn release(&mut self, commands: usize, bytes: usize, wake: &mut Vec<Waker>) {
        self.in_flight -= commands;
        self.unwritten -= bytes;
        if !self.waiters.is_empty() {
            self.grant(wake);
        }
    }

    /// Starts the clock of waiters that are new; when the first of their time limits is reached.
    pub(crate) fn stamp_waiters(&mut self, now: Instant) -> Option<Instant> {
        for waiter in self.waiters.iter_mut().rev() {
            if waiter.limit.deadline.is_some() {
                break;
            }
            waiter.limit = waiter.limit.started(now);
        }
        let waiting = self
            .waiters
            .iter()
            .filter_map(|waiter| waiter.limit.deadline)
            .min();
        if !self.awaits_granted() {
            return waiting;
        }
        let granted = self
            .slots
            .iter_mut()
            .filter_map(|slot| match &mut slot.state {
                State::Granted(waiter) => {
                    waiter.limit = waiter.limit.started(now);
                    let until = *waiter.until.get_or_insert(now + GRACE);
                    Some(
                        waiter
                            .limit
                            .deadline
                            .map_or(until, |limit| limit.min(until)),
                    )
                }
                _ => None,
            });
        granted.chain(waiting).min()
    }

    pub(crate) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Whether the end of the connection depends on callers that have room and may not use it in time.
    pub(crate) fn awaits_granted(&self) -> bool {
        self.life == Life::Closing && self.granted > 0
    }

    /// Whether callers wait for room, or have it and have not handed their freight over, or the driver has not seen that.
    pub(crate) fn has_newcomers(&self) -> bool {
        self.granted > 0 || self.has_waiters() || self.has_arrivals()
    }

    /// Takes the waiters whose time is over (all of them if `now` is `None`) out of the line, and takes room back from
    /// those who have not used it. `failure` is told their time limits, if that is why.
    pub(crate) fn expire_waiters(
        &mut self,
        now: Option<Instant>,
        failure: impl Fn(Option<Duration>) -> Failure,
        wake: &mut Vec<Waker>,
    ) {
        let has_passed =
            |end: Option<Instant>| now.is_none_or(|now| end.is_some_and(|end| end <= now));
        let is_late = |waiter: &Waiter| has_passed(waiter.limit.deadline);
        let is_over = |waiter: &Waiter| is_late(waiter) || has_passed(waiter.until);
        let mut expired = Vec::new();
        if self.granted > 0 {
            let granted = self.slots.iter().filter_map(|slot| match slot.state {
                State::Granted(waiter) if is_over(&waiter) => Some(waiter),
                _ => None,
            });
            expired.extend(granted);
            self.granted -= expired.len();
            for waiter in &expired {
                self.in_flight -= waiter.commands;
                self.unwritten -= waiter.len;
            }
        }
        self.waiters.retain(|waiter| {
            let over = is_over(waiter);
            if over {
                expired.push(*waiter);
            }
            !over
        });
        for waiter in expired {
            let failure = failure(waiter.limit.timeout.filter(|_| is_late(&waiter)));
            self.answer(waiter.ticket, Answer::Failed(failure), wake);
        }
        self.grant(wake);
    }
}
