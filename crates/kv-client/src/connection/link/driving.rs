//! The driver's side of a link.

use std::task::Waker;
use std::time::Duration;

use resp_codec::Version;
use tokio::time::Instant;

use super::{Answer, Failure, Life, Parcel, Shared, State, Ticket, index};
use crate::connection::outgoing::Outgoing;
use crate::error::ErrorKind;

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

    /// Starts the clock of waiters that are new.
    pub(crate) fn stamp_waiters(&mut self, now: Instant) -> Option<Instant> {
        for waiter in self.waiters.iter_mut().rev() {
            if waiter.limit.deadline.is_some() {
                break;
            }
            waiter.limit = waiter.limit.started(now);
        }
        self.waiters
            .iter()
            .filter_map(|waiter| waiter.limit.deadline)
            .min()
    }

    pub(crate) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Takes the waiters whose time is over (all of them if `now` is `None`) out of the line.
    pub(crate) fn expire_waiters(
        &mut self,
        now: Option<Instant>,
        failure: impl Fn(Option<Duration>) -> Failure,
        wake: &mut Vec<Waker>,
    ) {
        let mut expired = Vec::new();
        self.waiters.retain(|waiter| {
            let over = now.is_none_or(|now| {
                waiter
                    .limit
                    .deadline
                    .is_some_and(|deadline| deadline <= now)
            });
            if over {
                expired.push((waiter.ticket, waiter.limit.timeout));
            }
            !over
        });
        for (ticket, timeout) in expired {
            self.answer(ticket, Answer::Failed(failure(timeout)), wake);
        }
        self.grant(wake);
    }
}
