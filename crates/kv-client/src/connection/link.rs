//! What callers and the driver of a connection share: an inbox of encoded commands, and a slot for each answer.
//!
//! One lock guards both. A caller holds it while its command is copied into the inbox and again to take its answer; the
//! driver holds it once for each batch. Nothing here does I/O or reads a clock.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use resp_codec::Version;
use tokio::time::Instant;

use crate::connection::outgoing::Outgoing;
use crate::connection::session::Effect;
use crate::error::{ErrorKind, Outcome};
use crate::reply::Reply;

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
}

/// What is known of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) connected: bool,
    /// The protocol of the present or the last connection.
    pub(crate) version: Option<Version>,
    /// Connections made so far.
    pub(crate) connections: u64,
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
    Granted(TimeLimit),
    /// Handed to the driver.
    Sent,
    Answered(Answer),
}

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

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    commands: usize,
    len: usize,
    limit: TimeLimit,
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
    /// What became of the whole, if `executed_maybe` commands of it may have been executed.
    fn outcome(&self, failure: &Failure, _executed_maybe: usize) -> Outcome {
        failure.outcome
    }
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

    /// Hands over freight for which room was granted.
    pub(crate) fn redeem(
        &self,
        ticket: Ticket,
        freight: &impl Freight,
        limit: TimeLimit,
        waker: &Waker,
    ) {
        let mut shared = self.lock();
        shared.unwritten -= freight.len(); // the grant's estimate; `hand_over` adds the true length
        let slot = &mut shared.slots[index(ticket.slot)];
        slot.state = State::Sent;
        slot.waker = Some(waker.clone());
        shared.hand_over(ticket, freight, limit);
        let driver = shared.driver.take();
        drop(shared);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Takes what has become of the ticket's freight.
    pub(crate) fn poll(&self, ticket: Ticket, cx: &Context<'_>) -> Poll<Progress> {
        let mut shared = self.lock();
        let slot = &mut shared.slots[index(ticket.slot)];
        debug_assert_eq!(slot.turn, ticket.turn, "a slot is freed by its owner only");
        match &slot.state {
            State::Granted(limit) => Poll::Ready(Progress::Granted(*limit)),
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
                shared.in_flight -= commands;
                shared.unwritten -= len;
                shared.grant(&mut wake);
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

    /// Commands admitted and not answered yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.lock().in_flight
    }
}

/// What callers use, under the lock.
impl Shared {
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

    /// Lets waiters in while there is room.
    fn grant(&mut self, wake: &mut Vec<Waker>) {
        while let Some(first) = self.waiters.front() {
            let (ticket, commands, len, limit) =
                (first.ticket, first.commands, first.len, first.limit);
            if !self.has_room(commands, len) {
                break;
            }
            self.waiters.pop_front();
            self.in_flight += commands;
            self.unwritten += len;
            let slot = &mut self.slots[index(ticket.slot)];
            slot.state = State::Granted(limit);
            wake.extend(slot.waker.take());
        }
    }
}

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

    /// Leaves an answer for whoever holds the ticket; nobody may.
    pub(crate) fn answer(&mut self, ticket: Ticket, answer: Answer, wake: &mut Vec<Waker>) {
        let slot = &mut self.slots[index(ticket.slot)];
        if slot.turn == ticket.turn {
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

fn index(slot: u32) -> usize {
    slot as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(&'static [u8]);

    impl Freight for Bytes {
        fn commands(&self) -> usize {
            1
        }
        fn len(&self) -> usize {
            self.0.len()
        }
        fn encode(&self, out: &mut Outgoing) -> Option<Box<[usize]>> {
            out.tail().extend_from_slice(self.0);
            None
        }
        fn effect(&self) -> Option<Box<Effect>> {
            None
        }
    }

    fn sent(link: &Link, bytes: &'static [u8]) -> Ticket {
        match link.admit(&Bytes(bytes), TimeLimit::default(), Waker::noop()) {
            Admission::Sent(ticket) => ticket,
            _ => panic!("no room for {bytes:?}"),
        }
    }

    fn waiting(link: &Link, bytes: &'static [u8]) -> Ticket {
        match link.admit(&Bytes(bytes), TimeLimit::default(), Waker::noop()) {
            Admission::Waiting(ticket) => ticket,
            _ => panic!("room for {bytes:?}"),
        }
    }

    fn poll(link: &Link, ticket: Ticket) -> Poll<Progress> {
        link.poll(ticket, &Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_answer_that_nobody_waits_for_does_not_reach_the_next_user_of_the_slot() {
        let link = Link::new(8, 1000);
        let first = sent(&link, b"first");
        link.abandon(first, 1, 5);
        let second = sent(&link, b"second");
        assert_eq!(first.slot, second.slot, "the slot is used again");

        link.lock()
            .answer(first, Answer::One(Reply::Integer(1)), &mut Vec::new());
        assert!(
            poll(&link, second).is_pending(),
            "the first answer is thrown away"
        );
        link.lock()
            .answer(second, Answer::One(Reply::Integer(2)), &mut Vec::new());
        assert!(matches!(
            poll(&link, second),
            Poll::Ready(Progress::Answered(Answer::One(Reply::Integer(2))))
        ));
    }

    #[test]
    fn whoever_waits_for_room_is_let_in_in_order_of_arrival() {
        let link = Link::new(1, 1000);
        let _sent = sent(&link, b"a");
        let (first, second, third) = (
            waiting(&link, b"bb"),
            waiting(&link, b"cc"),
            waiting(&link, b"dd"),
        );
        link.abandon(second, 1, 2);
        link.lock().release(1, 1, &mut Vec::new());
        assert!(matches!(
            poll(&link, first),
            Poll::Ready(Progress::Granted(_))
        ));
        assert!(poll(&link, third).is_pending());
        link.abandon(first, 1, 2);
        assert!(
            matches!(poll(&link, third), Poll::Ready(Progress::Granted(_))),
            "room that is given back goes to the next"
        );
        link.redeem(third, &Bytes(b"dd"), TimeLimit::default(), Waker::noop());
        assert_eq!(link.in_flight(), 1);
    }

    #[test]
    fn a_command_larger_than_the_limit_is_let_in_alone() {
        let link = Link::new(100, 4);
        let _large = sent(&link, b"larger than four bytes");
        let _waits = waiting(&link, b"b");
    }
}
