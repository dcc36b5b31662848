//! The exchange on one connection: what is to be written, what was written, and who gets which reply.
//!
//! It takes bytes and `now`, and does no I/O. Positions are counted in bytes since the client began, over all of its
//! connections, so that `end <= written` is all there is to know about whether the server can have seen a command.

mod failing;
mod reading;
mod timing;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use bytes::BytesMut;
use resp_codec::{FrameDecoder, Limits, Version};
use tokio::time::Instant;

use self::timing::Timing;
use crate::cache::Cache;
use crate::connection::link::{Answer, Parcel, Shared, Ticket, TimeLimit};
use crate::connection::outgoing::Outgoing;
use crate::connection::session::{Effect, Session};
use crate::connection::topics::{Topic, Topics};
use crate::error::Error;
use crate::reply::Reply;

pub(crate) use self::reading::{FULL_BLOCK, Garbled};

/// See the module.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Not written yet.
    pub(crate) out: Outgoing,
    /// Read and not decoded yet.
    pub(crate) input: BytesMut,
    decoder: FrameDecoder,
    /// The size of the block that is read into.
    block: usize,
    limits: Limits,
    /// Commands without a reply, in the order in which they are written. Those with `end <= written` are written whole.
    pending: VecDeque<Pending>,
    /// Where the next byte is written. `written + out.len()` is the `end` of the last pending command.
    written: u64,
    /// Answers on their way to the callers, each with the number of its commands.
    answers: VecDeque<(Ticket, usize, Answer)>,
    /// Bytes written since the last exchange.
    freed: usize,
    /// Bytes of the engine's own commands; no caller waits for their room. Whichever bytes are written, these are taken
    /// off first, so there may be fewer than are still to be written: then callers' room is held for the difference.
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
    timing: Timing,
    /// The server of this connection has refused a write because it is a replica.
    refused: bool,
}

/// So many callers get their answers at once, or this part of all that wait for one, if that is more. Then what they ask
/// next is written: the server works on it while the others have their turn, instead of waiting for all of them.
const PORTION: usize = 64;
const PORTIONS: usize = 8;

#[derive(Debug)]
struct Pending {
    sender: Sender,
    start: u64,
    end: u64,
    /// Its deadline is `None` once it has passed.
    limit: TimeLimit,
    effect: Option<Box<Effect>>,
    batch: Option<Box<Batch>>,
    /// With whom it was taken up.
    wave: u32,
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
    /// How many of them have their reply. A batch whose time is over still waits for the rest.
    received: usize,
    /// The replies, unless they went to the caller when its time was over.
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
    /// The number of the request.
    number: u64,
}

impl Confirming {
    /// Whether the server's next message of this kind may be about `topic`. They come in order.
    fn awaits(&self, topic: &Topic) -> bool {
        let next = self.topics.len() - self.remaining;
        self.topics.get(next) == Some(topic) || self.topics.contains(topic)
    }
}

impl Engine {
    pub(crate) fn new(limits: Limits, session: Arc<Mutex<Session>>, topics: Arc<Topics>) -> Self {
        Self {
            out: Outgoing::default(),
            input: BytesMut::new(),
            decoder: FrameDecoder::new(limits),
            block: reading::BLOCK,
            limits,
            pending: VecDeque::new(),
            written: 0,
            answers: VecDeque::new(),
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
            timing: Timing::default(),
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

    /// Gives callers their answers, as many as have their turn at once, and takes new commands.
    pub(crate) fn exchange(
        &mut self,
        shared: &mut Shared,
        now: impl Fn() -> Instant,
        wake: &mut Vec<Waker>,
    ) {
        let in_flight = self.pending.len() + self.answers.len();
        self.deliver(shared, (in_flight / PORTIONS).max(PORTION), wake);
        if shared.has_arrivals() {
            self.collect(shared, now());
        }
        if shared.has_waiters() || shared.awaits_granted() {
            let deadline = shared.stamp_waiters(now());
            self.remember(deadline);
        }
        if shared.take_abandoned() || self.stale_topics {
            self.withdraw(shared, wake);
        }
    }

    /// Gives callers their answers, so many at most.
    fn deliver(&mut self, shared: &mut Shared, most: usize, wake: &mut Vec<Waker>) {
        if self.freed == 0 && self.answers.is_empty() {
            return;
        }
        self.timing.report(&mut shared.latency);
        let mut answered = 0;
        for (ticket, commands, answer) in self.answers.drain(..most.min(self.answers.len())) {
            answered += commands;
            shared.answer(ticket, answer, wake);
        }
        let own = self.own.min(self.freed);
        self.own -= own;
        shared.release(answered, std::mem::take(&mut self.freed) - own, wake);
    }

    /// Whether callers wait for answers that are here already.
    pub(crate) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    fn collect(&mut self, shared: &mut Shared, now: Instant) {
        let mut end = self.end();
        let wave = self.timing.begin(now, self.pending.is_empty());
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
                    received: 0,
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
                wave,
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

    /// What is decoded from now on was read at this time.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.timing.heard(now);
    }

    /// Whether every command has been answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.answers.is_empty()
    }

    /// Whether no caller waits for anything any more.
    pub(crate) fn is_forsaken(&self, shared: &Shared) -> bool {
        let is_wanted = |pending: &Pending| match pending.sender {
            Sender::Caller(ticket) => shared.is_wanted(ticket),
            Sender::Ping | Sender::Topics => false,
        };
        self.answers.is_empty() && !shared.has_newcomers() && !self.pending.iter().any(is_wanted)
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
            wave: 0,
        });
        self.ping_pending = true;
    }

    /// Subscribes and unsubscribes as the subscribers want it.
    pub(crate) fn sync_topics(&mut self) {
        for renewal in self.topics.difference() {
            let request = renewal.request;
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
                wave: 0,
            });
            let subscribes = !request.name().contains("UNSUB");
            self.confirming.push_back(Confirming {
                remaining: renewal.topics.len(),
                topics: renewal.topics,
                subscribes,
                number: renewal.number,
            });
        }
    }

    /// The driver ends, and no subscription gets anything more.
    pub(crate) fn hinder_topics(&self, cause: Option<&Error>, is_final: bool) {
        self.topics.hinder(cause, is_final);
    }

    pub(crate) fn end_topics(&self) {
        self.topics.end();
    }

    /// Takes the first pending command off the list and answers it.
    fn finish(&mut self, answer: impl FnOnce(&mut Pending) -> Answer) {
        let Some(mut front) = self.pending.pop_front() else {
            return;
        };
        match front.sender {
            Sender::Caller(ticket) => {
                let answer = answer(&mut front);
                self.answers.push_back((ticket, front.commands(), answer));
            }
            Sender::Ping => self.ping_pending = false,
            Sender::Topics => {
                self.confirming.pop_front();
            }
        }
    }
}

fn position(len: usize) -> u64 {
    len as u64
}

fn length(distance: u64) -> usize {
    usize::try_from(distance).unwrap_or(usize::MAX)
}
