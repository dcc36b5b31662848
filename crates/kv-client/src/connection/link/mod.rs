//! What callers and the driver of a connection share: an inbox of encoded commands, and a slot for each answer.
//!
//! One lock guards both. A caller holds it while its command is copied into the inbox and again to take its answer; the
//! driver holds it once for each batch. Nothing here does I/O or reads a clock.

mod driving;
mod freight;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use resp_codec::Version;
use tokio::time::Instant;

pub(crate) use self::freight::{Answer, Failure, Freight, Parcel, TimeLimit};
use crate::connection::outgoing::Outgoing;
use crate::error::ErrorKind;
use crate::latency::Latency;
use crate::stats::LaneStats;

/// The meeting point of the handles of one connection and its driver.
#[derive(Debug)]
pub(crate) struct Link {
    shared: Mutex<Shared>,
    /// It leads to whichever server is the primary: one that refuses writes is left, and what it refused goes to the next.
    pub(crate) follows_primary: bool,
}

/// See [`Link`].
#[derive(Debug)]
pub(crate) struct Shared {
    /// Encoded commands that the driver has not taken yet, and what is known of each.
    inbox: Outgoing,
    arrived: Vec<Parcel>,
    slots: Vec<Slot>,
    /// Slots whose answer was taken, to be used again.
    vacant: Vec<u32>,
    /// Callers that found no room, in order of arrival.
    waiters: VecDeque<Waiter>,
    /// How many of those who waited have room and have not handed their freight over.
    granted: usize,
    /// Commands admitted and not answered; `in_flight <= max_in_flight` unless a single batch is larger.
    in_flight: usize,
    /// Bytes admitted and not written.
    unwritten: usize,
    max_in_flight: usize,
    max_unwritten: usize,
    driver: Option<Waker>,
    /// Callers gave up commands that may not be written yet.
    abandoned: bool,
    life: Life,
    /// Why it ended, if not because it was closed.
    epitaph: Option<ErrorKind>,
    /// Where the present connection leads, if there is one.
    peer: Option<String>,
    /// The present connection leads to the wrong server by now.
    leaving: bool,
    pub(crate) status: Status,
    /// How long answers took.
    pub(crate) latency: Latency,
}

/// What is known of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) connected: bool,
    /// The protocol of the present or the last connection.
    pub(crate) version: Option<Version>,
    /// Connections made so far.
    pub(crate) connections: u64,
    /// Times that a caller sent something again.
    pub(crate) retries: u64,
}

/// Whether the connection takes commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    /// It does.
    Open,
    /// It finishes what was admitted, and then ends.
    Closing,
    /// No handle is left, nobody waits for anything.
    Abandoned,
    /// The driver has ended.
    Ended,
}

/// Names a slot, and the one use of it that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    slot: u32,
    /// Incremented with every use, so that an answer that nobody waits for any more cannot reach the slot's next user.
    turn: u32,
}

#[derive(Debug)]
struct Slot {
    turn: u32,
    state: State,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum State {
    Vacant,
    /// Among the waiters.
    Waiting,
    /// Was a waiter; room is reserved for it.
    Granted(Waiter),
    /// Handed to the driver.
    Sent,
    Answered(Answer),
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    ticket: Ticket,
    commands: usize,
    len: usize,
    limit: TimeLimit,
    /// It has room, which is taken back then, because the connection is to end.
    until: Option<Instant>,
}

/// What came of an attempt to hand over freight.
pub(crate) enum Admission {
    /// The driver will send it.
    Sent(Ticket),
    /// There is no room; the caller is woken when there is.
    Waiting(Ticket),
    Closed(ErrorKind),
}

/// What a caller finds in its slot.
pub(crate) enum Progress {
    Answered(Answer),
    /// The freight must now be handed over with [`Link::redeem`].
    Granted(TimeLimit),
}

impl Link {
    pub(crate) fn new(max_in_flight: usize, max_unwritten: usize) -> Self {
        Self {
            follows_primary: false,
            shared: Mutex::new(Shared {
                inbox: Outgoing::default(),
                arrived: Vec::new(),
                slots: Vec::new(),
                vacant: Vec::new(),
                waiters: VecDeque::new(),
                granted: 0,
                in_flight: 0,
                unwritten: 0,
                max_in_flight,
                max_unwritten,
                driver: None,
                abandoned: false,
                life: Life::Open,
                epitaph: None,
                peer: None,
                leaving: false,
                status: Status::default(),
                latency: Latency::default(),
            }),
        }
    }

    /// No code panics while it holds the lock, so a poisoned one is as good as any.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands `freight` to the driver, or gets in line if there is no room for it.
    pub(crate) fn admit(
        &self,
        freight: &impl Freight,
        limit: TimeLimit,
        waker: &Waker,
    ) -> Admission {
        let mut shared = self.lock();
        if shared.life != Life::Open {
            return Admission::Closed(shared.epitaph.clone().unwrap_or(ErrorKind::Closed));
        }
        let (commands, len) = (freight.commands(), freight.len());
        let driver;
        let admission;
        if shared.waiters.is_empty() && shared.has_room(commands, len) {
            let ticket = shared.occupy(State::Sent, waker);
            shared.in_flight += commands;
            shared.hand_over(ticket, freight, limit);
            driver = shared.driver.take();
            admission = Admission::Sent(ticket);
        } else {
            let ticket = shared.occupy(State::Waiting, waker);
            shared.waiters.push_back(Waiter {
                ticket,
                commands,
                len,
                limit,
                until: None,
            });
            driver = shared.driver.take();
            admission = Admission::Waiting(ticket);
        }
        drop(shared);
        if let Some(driver) = driver {
            driver.wake();
        }
        admission
    }

    /// Hands over freight for which room was granted; `false` if it was taken back, and there is an answer instead.
    pub(crate) fn redeem(
        &self,
        ticket: Ticket,
        freight: &impl Freight,
        limit: TimeLimit,
        waker: &Waker,
    ) -> bool {
        let mut shared = self.lock();
        let slot = &mut shared.slots[index(ticket.slot)];
        if !matches!(slot.state, State::Granted(_)) {
            return false;
        }
        slot.state = State::Sent;
        slot.waker = Some(waker.clone());
        shared.granted -= 1;
        shared.unwritten -= freight.len(); // the grant's estimate; `hand_over` adds the true length
        shared.hand_over(ticket, freight, limit);
        let driver = shared.driver.take();
        drop(shared);
        if let Some(driver) = driver {
            driver.wake();
        }
        true
    }

    /// Takes what has become of the ticket's freight.
    pub(crate) fn poll(&self, ticket: Ticket, cx: &Context<'_>) -> Poll<Progress> {
        let mut shared = self.lock();
        let slot = &mut shared.slots[index(ticket.slot)];
        debug_assert_eq!(slot.turn, ticket.turn, "a slot is freed by its owner only");
        match &slot.state {
            State::Granted(waiter) => Poll::Ready(Progress::Granted(waiter.limit)),
            State::Answered(_) => {
                let State::Answered(answer) = std::mem::replace(&mut slot.state, State::Vacant)
                else {
                    unreachable!("matched above")
                };
                shared.vacate(ticket);
                Poll::Ready(Progress::Answered(answer))
            }
            State::Vacant | State::Waiting | State::Sent => {
                match &mut slot.waker {
                    Some(waker) if waker.will_wake(cx.waker()) => {}
                    waker => *waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// Gives up the ticket's freight: what is not written yet never will be, and a reply that comes is thrown away.
    ///
    /// `commands` and `len` are those of the freight.
    pub(crate) fn abandon(&self, ticket: Ticket, commands: usize, len: usize) {
        let mut wake = Vec::new();
        let mut shared = self.lock();
        let state = std::mem::replace(&mut shared.slots[index(ticket.slot)].state, State::Vacant);
        let mut driver = None;
        match state {
            State::Waiting => {
                shared.waiters.retain(|waiter| waiter.ticket != ticket);
                shared.grant(&mut wake);
            }
            State::Granted(_) => {
                shared.granted -= 1;
                shared.in_flight -= commands;
                shared.unwritten -= len;
                shared.grant(&mut wake);
                if shared.life == Life::Closing {
                    // It may have waited for this one only.
                    driver = shared.driver.take();
                }
            }
            State::Sent => {
                shared.abandoned = true;
                driver = shared.driver.take();
            }
            State::Vacant | State::Answered(_) => {}
        }
        shared.vacate(ticket);
        drop(shared);
        wake.extend(driver);
        wake.into_iter().for_each(Waker::wake);
    }

    /// Ends the connection: at once, or after what was admitted is answered.
    pub(crate) fn end(&self, life: Life) {
        let mut shared = self.lock();
        if shared.life < life {
            shared.life = life;
        }
        let driver = shared.driver.take();
        drop(shared);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Wakes the driver, for reasons of its own.
    pub(crate) fn nudge(&self) {
        let driver = self.lock().driver.take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Something is sent again.
    pub(crate) fn count_retry(&self) {
        self.lock().status.retries += 1;
    }
}

/// What callers use, under the lock.
impl Shared {
    pub(crate) fn lane_stats(&self) -> LaneStats {
        LaneStats {
            in_flight: self.in_flight,
            waiting: self.waiters.len(),
            unwritten_bytes: self.unwritten,
            latency: self.latency.clone(),
        }
    }

    /// A single freight that exceeds a limit is admitted when it is alone.
    fn has_room(&self, commands: usize, len: usize) -> bool {
        (self.in_flight == 0 || self.in_flight + commands <= self.max_in_flight)
            && (self.unwritten == 0 || self.unwritten + len <= self.max_unwritten)
    }

    fn occupy(&mut self, state: State, waker: &Waker) -> Ticket {
        if let Some(slot) = self.vacant.pop() {
            let free = &mut self.slots[index(slot)];
            free.state = state;
            match &mut free.waker {
                Some(old) if old.will_wake(waker) => {}
                old => *old = Some(waker.clone()),
            }
            return Ticket {
                slot,
                turn: free.turn,
            };
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "one slot for each of the callers, which are fewer than 2^32"
        )]
        let slot = self.slots.len() as u32;
        self.slots.push(Slot {
            turn: 0,
            state,
            waker: Some(waker.clone()),
        });
        Ticket { slot, turn: 0 }
    }

    fn vacate(&mut self, ticket: Ticket) {
        let slot = &mut self.slots[index(ticket.slot)];
        slot.state = State::Vacant;
        slot.turn = slot.turn.wrapping_add(1);
        self.vacant.push(ticket.slot);
    }

    fn hand_over(&mut self, ticket: Ticket, freight: &impl Freight, limit: TimeLimit) {
        let before = self.inbox.len();
        let ends = freight.encode(&mut self.inbox);
        let len = self.inbox.len() - before;
        self.unwritten += len;
        self.arrived.push(Parcel {
            ticket,
            len,
            limit,
            effect: freight.effect(),
            ends,
        });
    }

    /// Lets waiters in while there is room, and a driver.
    fn grant(&mut self, wake: &mut Vec<Waker>) {
        while let Some(&first) = self.waiters.front() {
            if self.life == Life::Ended || !self.has_room(first.commands, first.len) {
                break;
            }
            self.waiters.pop_front();
            self.granted += 1;
            self.in_flight += first.commands;
            self.unwritten += first.len;
            let slot = &mut self.slots[index(first.ticket.slot)];
            slot.state = State::Granted(first);
            wake.extend(slot.waker.take());
        }
    }
}

fn index(slot: u32) -> usize {
    slot as usize
}
