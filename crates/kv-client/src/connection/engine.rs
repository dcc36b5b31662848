//! The exchange on one connection: what is to be written, what was written, and who gets which reply.
//!
//! It takes bytes and `now`, and does no I/O. Positions are counted in bytes since the client began, over all of its
//! connections, so that `end <= written` is all there is to know about whether the server can have seen a command.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use resp_codec::{DecodeError, FrameDecoder, Kind, Limits, Version};
use tokio::time::Instant;

use crate::cache::Cache;
use crate::connection::link::{Answer, Failure, Parcel, Shared, Ticket, TimeLimit};
use crate::connection::outgoing::Outgoing;
use crate::connection::session::{Effect, Session};
use crate::connection::topics::{Notice, Topic, Topics};
use crate::error::{Error, ErrorKind, Outcome, Phase};
use crate::reply::{Elements, Reply};

/// See the module.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Not written yet.
    pub(crate) out: Outgoing,
    /// Read and not decoded yet.
    pub(crate) input: BytesMut,
    decoder: FrameDecoder,
    /// Room to make for a read.
    read_size: usize,
    limits: Limits,
    /// Commands without a reply, in the order in which they are written. Those with `end <= written` are written whole.
    pending: VecDeque<Pending>,
    /// Where the next byte is written. `written + out.len()` is the `end` of the last pending command.
    written: u64,
    /// Answers on their way to the callers.
    answers: Vec<(Ticket, Answer)>,
    /// Commands answered and bytes written since the last exchange.
    answered: usize,
    freed: usize,
    /// Bytes of the engine's own commands among those written; no caller waits for their room.
    own: usize,
    /// Scratch space.
    parcels: Vec<Parcel>,
    /// No pending command's deadline is earlier.
    next_deadline: Option<Instant>,
    ping_pending: bool,
    /// Shared with the handles; changed by replies to SELECT, AUTH and CLIENT SETNAME.
    session: Arc<Mutex<Session>>,
    topics: Arc<Topics>,
    /// What the pending commands of the sender `Topics` are about, in their order.
    confirming: VecDeque<Confirming>,
    /// Commands of the sender `Topics` that are not written are of no use any more.
    stale_topics: bool,
    /// What was read over this connection and is kept.
    pub(crate) cache: Option<Arc<Cache>>,
    /// The server of this connection has refused a write because it is a replica.
    refused: bool,
}

#[derive(Debug)]
struct Pending {
    sender: Sender,
    start: u64,
    end: u64,
    /// Its deadline is `None` once it has passed.
    limit: TimeLimit,
    effect: Option<Box<Effect>>,
    batch: Option<Box<Batch>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Caller(Ticket),
    /// The sign of life that the driver asks for.
    Ping,
    /// The subscriptions.
    Topics,
}

#[derive(Debug)]
struct Batch {
    /// Where each command ends, counted from the batch's start.
    ends: Box<[usize]>,
    replies: Vec<Reply>,
}

impl Pending {
    fn commands(&self) -> usize {
        match self.sender {
            Sender::Ping | Sender::Topics => 0,
            Sender::Caller(_) => self.batch.as_ref().map_or(1, |batch| batch.ends.len()),
        }
    }

    fn len(&self) -> usize {
        length(self.end - self.start)
    }
}

/// A SUBSCRIBE or UNSUBSCRIBE that is under way. It has no reply of its own; each topic brings a message out of band.
#[derive(Debug)]
struct Confirming {
    topics: Vec<Topic>,
    subscribes: bool,
    remaining: usize,
}

/// Bulk strings from this length on are split off the read buffer; shorter ones are copied out of it.
const SPLIT_FROM: usize = 16 * 1024;
/// Room in the read buffer before a read: what it is at first, and what it grows to while reads fill it.
const READ: usize = 16 * 1024;
const MAX_READ: usize = 128 * 1024;
/// The most that is reserved for a frame that has been announced and has not arrived.
const MAX_RESERVE: usize = 1024 * 1024;

impl Engine {
    pub(crate) fn new(limits: Limits, session: Arc<Mutex<Session>>, topics: Arc<Topics>) -> Self {
        Self {
            out: Outgoing::default(),
            input: BytesMut::new(),
            decoder: FrameDecoder::new(limits),
            read_size: READ,
            limits,
            pending: VecDeque::new(),
            written: 0,
            answers: Vec::new(),
            answered: 0,
            freed: 0,
            own: 0,
            parcels: Vec::new(),
            next_deadline: None,
            ping_pending: false,
            session,
            topics,
            confirming: VecDeque::new(),
            stale_topics: false,
            refused: false,
            cache: None,
        }
    }

    /// Nothing that is kept is of use any more.
    fn clear_cache(&self) {
        if let Some(cache) = &self.cache {
            cache.clear();
        }
    }

    /// Starts on a new connection, which has already delivered `input`.
    pub(crate) fn connected(&mut self, version: Version, input: BytesMut) {
        if version == Version::Resp2 && !self.topics.dedicated {
            self.topics.refuse_all();
        }
        self.decoder = FrameDecoder::new(self.limits);
        self.input = input;
        self.refused = false;
    }

    /// Whether the server of this connection has turned out to be a replica.
    pub(crate) fn was_refused(&self) -> bool {
        self.refused
    }

    /// Whether no command that was written whole waits for its reply.
    pub(crate) fn is_drained(&self) -> bool {
        self.pending
            .front()
            .is_none_or(|front| front.end > self.written)
    }

    /// What the next connection is to be given.
    pub(crate) fn session(&self) -> Session {
        self.session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Gives the callers their answers and takes their new commands.
    pub(crate) fn exchange(
        &mut self,
        shared: &mut Shared,
        now: impl Fn() -> Instant,
        wake: &mut Vec<Waker>,
    ) {
        self.deliver(shared, wake);
        if shared.has_arrivals() {
            self.collect(shared, now());
        }
        if shared.has_waiters() {
            let deadline = shared.stamp_waiters(now());
            self.remember(deadline);
        }
        if shared.take_abandoned() || self.stale_topics {
            self.withdraw(shared, wake);
        }
    }

    fn deliver(&mut self, shared: &mut Shared, wake: &mut Vec<Waker>) {
        for (ticket, answer) in self.answers.drain(..) {
            shared.answer(ticket, answer, wake);
        }
        if self.answered > 0 || self.freed > 0 {
            let own = self.own.min(self.freed);
            self.own -= own;
            shared.release(
                std::mem::take(&mut self.answered),
                std::mem::take(&mut self.freed) - own,
                wake,
            );
        }
    }

    fn collect(&mut self, shared: &mut Shared, now: Instant) {
        let mut end = self.end();
        shared.collect(&mut self.out, &mut self.parcels);
        let mut earliest = None::<Instant>;
        for parcel in self.parcels.drain(..) {
            let start = end;
            end += position(parcel.len);
            let limit = parcel.limit.started(now);
            if let Some(deadline) = limit.deadline {
                earliest = Some(earliest.map_or(deadline, |other| other.min(deadline)));
            }
            let batch = parcel.ends.map(|ends| {
                Box::new(Batch {
                    replies: Vec::with_capacity(ends.len()),
                    ends,
                })
            });
            let sender = Sender::Caller(parcel.ticket);
            self.pending.push_back(Pending {
                sender,
                start,
                end,
                limit,
                effect: parcel.effect,
                batch,
            });
        }
        self.remember(earliest);
    }

    fn remember(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.next_deadline = Some(
                self.next_deadline
                    .map_or(deadline, |other| other.min(deadline)),
            );
        }
    }

    /// The position behind everything that is to be written.
    fn end(&self) -> u64 {
        self.written + position(self.out.len())
    }

    /// When [`Self::expire`] has something to do, at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next_deadline
    }

    /// Whether every command has been answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.answers.is_empty()
    }

    /// The socket took `n` bytes.
    pub(crate) fn wrote(&mut self, n: usize) {
        self.out.advance(n);
        self.written += position(n);
        self.freed += n;
    }

    /// Asks the server for a sign of life, unless it was asked already.
    pub(crate) fn ping(&mut self) {
        const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
        if self.ping_pending {
            return;
        }
        let start = self.end();
        self.out.tail().extend_from_slice(PING);
        self.own += PING.len();
        let end = self.end();
        let limit = TimeLimit::default();
        self.pending.push_back(Pending {
            sender: Sender::Ping,
            start,
            end,
            limit,
            effect: None,
            batch: None,
        });
        self.ping_pending = true;
    }

    /// Subscribes and unsubscribes as the subscribers want it.
    pub(crate) fn sync_topics(&mut self) {
        for (request, topics) in self.topics.difference() {
            let start = self.end();
            request.encode(&mut self.out);
            let end = self.end();
            self.own += length(end - start);
            let limit = TimeLimit::default();
            self.pending.push_back(Pending {
                sender: Sender::Topics,
                start,
                end,
                limit,
                effect: None,
                batch: None,
            });
            let subscribes = !request.name().contains("UNSUB");
            self.confirming.push_back(Confirming {
                remaining: topics.len(),
                topics,
                subscribes,
            });
        }
    }

    /// The driver ends, and no subscription gets anything more.
    pub(crate) fn end_topics(&self) {
        self.topics.end();
    }

    fn front_is_topics(&self, subscribes: bool) -> bool {
        self.pending
            .front()
            .is_some_and(|front| front.sender == Sender::Topics)
            && self
                .confirming
                .front()
                .is_some_and(|front| front.subscribes == subscribes)
    }

    /// One topic of the front command is dealt with.
    fn confirm_one(&mut self) {
        if let Some(front) = self.confirming.front_mut() {
            front.remaining -= 1;
            if front.remaining == 0 {
                self.finish(|_| Answer::One(Reply::Null));
            }
        }
    }

    /// A message out of band.
    fn notice(&mut self, elements: Elements) {
        if self
            .cache
            .as_ref()
            .is_some_and(|cache| cache.notice(&elements))
        {
            return;
        }
        match self.topics.notice(&elements) {
            Notice::Message | Notice::Other => {}
            Notice::Pong => self.pair(Reply::Array(elements)),
            Notice::Subscribed(topic) => {
                self.topics.confirmed(&topic);
                if self.front_is_topics(true) {
                    self.confirm_one();
                }
            }
            Notice::Unsubscribed(topic) => {
                if self.front_is_topics(false) {
                    self.confirm_one();
                } else {
                    self.topics.withdrawn(&topic);
                }
            }
        }
    }

    /// Makes room for the next read.
    pub(crate) fn reserve(&mut self) {
        let room = self.input.capacity() - self.input.len();
        if room == 0 {
            self.read_size = (self.read_size * 2).min(MAX_READ);
        }
        if room < READ / 4 {
            self.input
                .reserve(self.decoder.missing().clamp(self.read_size, MAX_RESERVE));
        }
    }

    /// Decodes what was read, and pairs replies with commands.
    pub(crate) fn decode(&mut self) -> Result<(), DecodeError> {
        while let Some(&first) = self.input.first() {
            let reply = match first {
                b'*' | b'%' | b'~' | b'>' | b'|' => {
                    match self.decoder.decode_owned(&mut self.input)? {
                        Some(frame) => Reply::from_owned(frame),
                        None => return Ok(()),
                    }
                }
                _ => match self.scalar()? {
                    Some(reply) => reply,
                    None => return Ok(()),
                },
            };
            match reply {
                Reply::Push(elements) => self.notice(elements),
                Reply::Array(elements) if self.topics.is_notice(&elements) => self.notice(elements),
                reply => self.pair(reply),
            }
        }
        Ok(())
    }

    fn scalar(&mut self) -> Result<Option<Reply>, DecodeError> {
        let Some(view) = self.decoder.decode(&self.input)? else {
            return Ok(None);
        };
        let frame_len = view.frame_len();
        match view.as_bytes() {
            Some(bytes) if bytes.len() >= SPLIT_FROM && view.kind() == Kind::BulkString => {
                let len = bytes.len();
                Ok(Some(Reply::split_bulk(&mut self.input, frame_len, len)))
            }
            _ => {
                let reply = Reply::from_scalar(view);
                self.input.advance(frame_len);
                Ok(Some(reply))
            }
        }
    }

    /// Gives `reply` to the command that has waited longest. A reply too many is dropped: nobody asked for it.
    fn pair(&mut self, reply: Reply) {
        let Some(front) = self.pending.front_mut() else {
            return;
        };
        if let Reply::Error(error) = &reply {
            self.refused |= error.code() == "READONLY";
        }
        if front.sender == Sender::Topics {
            // Only a refusal comes as a reply.
            if let (Reply::Error(error), Some(refused)) = (reply, self.confirming.front()) {
                self.topics.refuse(&refused.topics, &Error::server(error));
            }
            self.finish(|_| Answer::One(Reply::Null));
        } else if let Some(batch) = &mut front.batch {
            batch.replies.push(reply);
            if batch.replies.len() < batch.ends.len() {
                return;
            }
            let replies = std::mem::take(&mut batch.replies);
            self.finish(|_| Answer::Many {
                executed_maybe: replies.len(),
                replies,
                failure: None,
            });
        } else {
            if let (Some(effect), true) = (front.effect.take(), reply.is_ok()) {
                effect.apply(&mut self.session.lock().unwrap_or_else(PoisonError::into_inner));
                // The keys of another database, or those that another user may read.
                self.clear_cache();
            }
            self.finish(|_| Answer::One(reply));
        }
    }

    /// Takes the first pending command off the list and answers it.
    fn finish(&mut self, answer: impl FnOnce(&mut Pending) -> Answer) {
        let Some(mut front) = self.pending.pop_front() else {
            return;
        };
        self.answered += front.commands();
        match front.sender {
            Sender::Caller(ticket) => self.answers.push((ticket, answer(&mut front))),
            Sender::Ping => self.ping_pending = false,
            Sender::Topics => {
                self.confirming.pop_front();
            }
        }
    }

    /// Answers every command whose time is over. What was not written of them never will be.
    pub(crate) fn expire(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        online: bool,
        cause: Option<&Error>,
        wake: &mut Vec<Waker>,
    ) {
        self.deliver(shared, wake);
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
            |timeout| {
                timed_out(
                    Phase::Queued,
                    timeout.unwrap_or_default(),
                    cause,
                    Outcome::NotSent,
                )
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
    fn withdraw(&mut self, shared: &mut Shared, wake: &mut Vec<Waker>) {
        let written = self.written;
        let first = self
            .pending
            .partition_point(|pending| pending.start < written);
        let mut old = std::mem::take(&mut self.out);
        if let Some(cut) = first.checked_sub(1).and_then(|last| self.pending.get(last)) {
            old.move_to(length(cut.end.saturating_sub(written)), &mut self.out);
        }
        let mut commands = 0;
        let mut bytes = 0;
        let stale_topics = std::mem::take(&mut self.stale_topics);
        for mut pending in self.pending.split_off(first) {
            let len = pending.len();
            if pending.sender == Sender::Topics && stale_topics {
                old.advance(len);
                self.own -= len;
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
        debug_assert!(old.is_empty(), "every byte belongs to a pending command");
        if commands > 0 {
            shared.release(commands, bytes, wake);
        }
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
        self.deliver(shared, wake);
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

fn position(len: usize) -> u64 {
    len as u64
}

fn length(distance: u64) -> usize {
    usize::try_from(distance).unwrap_or(usize::MAX)
}
