//! What waits to be written to one connection: a bounded queue, and large bodies that take turns with it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes};
use futures::task::AtomicWaker;
use tokio::sync::Notify;

use super::{
    budget::{Budget, Charge},
    config::QueueLimits,
    handler::Delivery,
};
use crate::{
    Head, Reply, ReplyHeader,
    control::{FromServer, MESSAGE_PREFIX, kind, put_message_prefix},
    output::Output,
};

/// The outgoing side of a connection. Any task may fill it; the connection's writer empties it.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: QueueLimits,
    /// Whether the handler wants to know what becomes of messages, [`Handler::REPORTS`](super::Handler::REPORTS).
    is_tracked: bool,
    state: Mutex<State>,
    writer: AtomicWaker,
    /// The writer is about to look, and needs no waking.
    writer_is_next: AtomicBool,
    /// Notified when messages or chunks have left, and when the outbox closes.
    room: Notify,
}

#[derive(Debug)]
struct State {
    /// Messages that nobody will ask about, encoded already; they come before the queue.
    ready: Output,
    /// As in [`Outbox`].
    is_tracked: bool,
    queue: VecDeque<Entry>,
    /// Bytes of the bodies in `queue`.
    queued_bytes: usize,
    /// Messages in `queue`.
    queued_messages: usize,
    /// Written (or about to be), and not known to have arrived. Oldest first; for a session in the order of the tags.
    unsettled: VecDeque<Delivery>,
    unsettled_bytes: usize,
    /// The tag of the first of `unsettled`.
    first_tag: u64,
    /// Large bodies, by number.
    bodies: BTreeMap<u64, Body>,
    /// Bodies that the queue has come to; the first that has something to send is next.
    turns: VecDeque<u64>,
    /// The large body that a plain peer is in the middle of.
    current: Option<u64>,
    next_body: u64,
    /// Large bodies that have been written to a session whole, until they are acknowledged.
    unsettled_bodies: VecDeque<(u64, Delivery)>,
    charge: Charge,
    /// Whether the peer said hello: it gets control frames.
    session: bool,
    /// The longest body that a session gets in one frame.
    chunk_bytes: usize,
    phase: Phase,
    /// Nobody reads the peer's acknowledgements at the moment; see [`State::is_window_full`].
    reader_waits: bool,
    /// Somebody wants to know when the queue is empty.
    notify_when_empty: bool,
    /// The connection cannot go on: half a body to a plain peer, or a session that never acknowledges.
    broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// What is queued is written, and nothing is added.
    Finishing,
    /// Nothing more is written.
    Closed,
}

#[derive(Debug)]
enum Entry {
    Message(Delivery),
    Control(Reply),
    /// The place of a large body among the messages.
    Body(u64),
}

/// A large body on its way through.
#[derive(Debug)]
struct Body {
    head: Head,
    len: u32,
    /// Bytes that have not come from the other side yet.
    to_come: usize,
    chunks: VecDeque<Bytes>,
    chunk_bytes: usize,
    begun: bool,
    aborted: bool,
    /// The message, if it is in memory as a whole.
    delivery: Option<Delivery>,
}

impl Body {
    fn is_ready(&self) -> bool {
        !self.chunks.is_empty() || self.aborted || self.len == 0
    }
}

/// Why a message did not get into an outbox.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no room; the message comes back.
    Full(Delivery),
    /// The connection is closing; the message comes back.
    Closed(Delivery),
}

/// What [`Outbox::fill`] found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// There is something in the output, or nothing to do yet.
    Open,
    /// No message is queued, as somebody wanted to know.
    Empty,
    /// Everything has been taken, and nothing will follow.
    Finished,
    /// The connection is to be closed without another byte.
    Cut,
}

/// Tags of large bodies have this bit; they are acknowledged one by one.
pub(crate) const BODY_TAG: u64 = 1 << 63;

/// Bytes of one large body that may wait here; then its source has to wait.
const BODY_WINDOW: usize = 256 * 1024;

/// Frames about the connection that may wait beside the messages.
const MAX_CONTROLS: usize = 16 * 1024;

/// Large bodies on their way to one connection; more have to wait.
const MAX_BODIES: usize = 64;

/// Unacknowledged messages that a session may build up that sends instead of acknowledging,
const MAX_UNSETTLED: usize = 64 * 1024;

/// and their bytes, as a multiple of the queue's.
const PATIENCE: usize = 16;

/// Large bodies that a session has not acknowledged; older ones are forgotten.
const MAX_UNSETTLED_BODIES: usize = 1024;

/// Bytes of messages that go out before a large body has its turn.
const TURN_BYTES: usize = 32 * 1024;

/// Bytes that are put into the output at a time.
const FILL_BYTES: usize = 128 * 1024;

impl Outbox {
    pub(crate) fn new(limits: QueueLimits, budget: &Arc<Budget>, is_tracked: bool) -> Self {
        Self {
            limits,
            is_tracked,
            writer_is_next: AtomicBool::new(false),
            state: Mutex::new(State {
                ready: Output::default(),
                is_tracked,
                queue: VecDeque::new(),
                queued_bytes: 0,
                queued_messages: 0,
                unsettled: VecDeque::new(),
                unsettled_bytes: 0,
                first_tag: 1,
                bodies: BTreeMap::new(),
                turns: VecDeque::new(),
                current: None,
                next_body: 0,
                unsettled_bodies: VecDeque::new(),
                charge: Charge::new(budget),
                session: false,
                chunk_bytes: usize::MAX,
                phase: Phase::Open,
                reader_waits: false,
                notify_when_empty: false,
                broken: false,
            }),
            writer: AtomicWaker::new(),
            room: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limits(&self) -> &QueueLimits {
        &self.limits
    }

    /// From here on the peer gets control frames, and longer bodies in chunks.
    pub(crate) fn open_session(&self, chunk_bytes: u32) {
        let mut state = self.state();
        state.session = true;
        state.chunk_bytes = chunk_bytes as usize;
    }

    pub(crate) fn is_session(&self) -> bool {
        self.state().session
    }

    /// Encodes a message at once, if nobody will ask about it and there is room. Otherwise it has to be pushed.
    pub(crate) fn push_direct(&self, head: &Head, body: &Bytes) -> bool {
        if self.is_tracked {
            return false;
        }
        let mut state = self.state();
        if state.phase != Phase::Open
            || !state.is_direct()
            || !state.has_room_for_ready(body.len(), &self.limits)
        {
            return false;
        }
        state.write_plain(head, body);
        drop(state);
        self.wake_writer();
        true
    }

    /// Adds a message if there is room.
    pub(crate) fn push(&self, delivery: Delivery) -> Result<(), Refused> {
        let mut state = self.state();
        if state.phase != Phase::Open {
            return Err(Refused::Closed(delivery));
        }
        if !state.has_room_for(&delivery, &self.limits) {
            return Err(Refused::Full(delivery));
        }
        self.add(state, Entry::Message(delivery));
        Ok(())
    }

    /// Adds a message as soon as there is room; an error gives it back because the connection is closing.
    pub(crate) async fn push_when_room(&self, mut delivery: Delivery) -> Result<(), Delivery> {
        loop {
            let room = self.room.notified();
            match self.push(delivery) {
                Ok(()) => return Ok(()),
                Err(Refused::Closed(back)) => return Err(back),
                Err(Refused::Full(back)) => delivery = back,
            }
            room.await;
        }
    }

    /// Adds a message, and gives up as many of the oldest as it takes to make room.
    pub(crate) fn push_over(&self, delivery: Delivery) -> Result<Vec<Delivery>, Delivery> {
        let mut state = self.state();
        if state.phase != Phase::Open {
            return Err(delivery);
        }
        let mut dropped = Vec::new();
        while !state.has_room_for(&delivery, &self.limits) {
            let oldest = state
                .queue
                .iter()
                .position(|entry| matches!(entry, Entry::Message(_)));
            match oldest.and_then(|at| state.queue.remove(at)) {
                Some(Entry::Message(old)) => {
                    state.uncount(&old);
                    dropped.push(old);
                }
                _ => break, // nothing to give up: only the budget is short, and one message more is bearable
            }
        }
        self.add(state, Entry::Message(delivery));
        Ok(dropped)
    }

    /// Adds a frame about the connection itself. These are few and short, and answer something that was read.
    ///
    /// A peer that sends a lot and reads nothing could still pile them up, so there is a last bound: it is cut.
    pub(crate) fn push_control(&self, reply: Reply) {
        let mut state = self.state();
        if state.phase != Phase::Open {
            return;
        }
        if state.queue.len() < self.limits.messages + MAX_CONTROLS {
            self.add(state, Entry::Control(reply));
        } else {
            state.phase = Phase::Closed;
            drop(state);
            self.writer.wake();
            self.room.notify_waiters();
        }
    }

    fn add(&self, mut state: MutexGuard<'_, State>, entry: Entry) {
        if let Entry::Message(delivery) = &entry {
            state.queued_bytes += delivery.body.len();
            state.queued_messages += 1;
        }
        let was_idle = state.queue.is_empty();
        state.queue.push_back(entry);
        drop(state);
        if was_idle {
            self.wake_writer();
        }
    }

    fn wake_writer(&self) {
        if !self.writer_is_next.load(Relaxed) {
            self.writer.wake();
        }
    }

    /// Says that the writer will be polled after what is running now, in the same task.
    ///
    /// It is taken back before the writer looks, under the lock; so whoever adds something after that look sees it
    /// taken back, by the same lock, and wakes the writer.
    pub(crate) fn set_writer_is_next(&self, is_next: bool) {
        self.writer_is_next.store(is_next, Relaxed);
    }

    /// Whether a reply to what is read next would find room. A closed outbox has room: nobody waits for it.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.state();
        let is_short = state.queue.len() < self.limits.messages
            && state.queued_bytes + state.ready.len() < self.limits.bytes.max(1);
        is_short || state.phase == Phase::Closed
    }

    /// Waits until there is room.
    pub(crate) async fn room(&self) {
        loop {
            let room = self.room.notified();
            if self.has_room() {
                return;
            }
            room.await;
        }
    }

    /// Reserves a place for a large body behind everything queued so far. `None` if the connection is closing.
    pub(crate) async fn open_body(&self, head: Head, len: u32) -> Option<u64> {
        loop {
            let room = self.room.notified();
            {
                let mut state = self.state();
                if state.phase != Phase::Open {
                    return None;
                }
                if state.bodies.len() < MAX_BODIES {
                    let number = state.next_body;
                    state.next_body += 1;
                    let body = Body {
                        head,
                        len,
                        to_come: len as usize,
                        chunks: VecDeque::new(),
                        chunk_bytes: 0,
                        begun: false,
                        aborted: false,
                        delivery: None,
                    };
                    state.bodies.insert(number, body);
                    self.add(state, Entry::Body(number));
                    return Some(number);
                }
            }
            room.await;
        }
    }

    /// Adds the next bytes of a large body as soon as there is room; `false` if the connection is closing.
    pub(crate) async fn push_chunk(&self, number: u64, chunk: Bytes) -> bool {
        loop {
            let room = self.room.notified();
            {
                let mut state = self.state();
                let State { bodies, phase, .. } = &mut *state;
                let Some(body) = bodies.get_mut(&number).filter(|_| *phase != Phase::Closed) else {
                    return false;
                };
                if body.chunk_bytes == 0 || body.chunk_bytes + chunk.len() <= BODY_WINDOW {
                    body.to_come = body.to_come.saturating_sub(chunk.len());
                    body.chunk_bytes += chunk.len();
                    body.chunks.push_back(chunk);
                    drop(state);
                    self.writer.wake();
                    return true;
                }
            }
            room.await;
        }
    }

    /// The source of a large body is done with it: either it is complete, or it never will be.
    pub(crate) fn end_body(&self, number: u64) {
        let mut state = self.state();
        if let Some(body) = state.bodies.get_mut(&number) {
            body.aborted = body.to_come > 0;
            drop(state);
            self.writer.wake();
        }
    }

    /// Adds nothing from here on; what is queued is still written.
    pub(crate) fn finish(&self) {
        let mut state = self.state();
        if state.phase == Phase::Open {
            state.phase = Phase::Finishing;
        }
        drop(state);
        self.writer.wake();
        self.room.notify_waiters();
    }

    /// Writes nothing from here on.
    pub(crate) fn close(&self) {
        self.state().phase = Phase::Closed;
        self.writer.wake();
        self.room.notify_waiters();
    }

    /// Whether the reader is waiting for something other than bytes.
    pub(crate) fn set_reader_waits(&self, waits: bool) {
        let mut state = self.state();
        state.reader_waits = waits;
        if waits && state.session && !state.queue.is_empty() {
            drop(state);
            self.writer.wake();
        }
    }

    /// Ready when the outbox has been closed.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.writer.register(cx.waker());
        match self.state().phase {
            Phase::Closed => Poll::Ready(()),
            Phase::Open | Phase::Finishing => Poll::Pending,
        }
    }

    /// Moves what is due into `output`; pending until there is something, or the end.
    pub(crate) fn poll_fill(&self, output: &mut Output, cx: &mut Context<'_>) -> Poll<Filled> {
        self.writer.register(cx.waker());
        let mut state = self.state();
        if state.phase == Phase::Closed {
            return Poll::Ready(Filled::Cut);
        }
        let before = output.len();
        let is_direct = !state.ready.is_empty();
        if is_direct && output.is_empty() {
            std::mem::swap(output, &mut state.ready);
        }
        // What is encoded already goes first.
        let progress = if state.ready.is_empty() {
            state.fill(output, &self.limits)
        } else {
            false
        };
        if state.broken {
            state.phase = Phase::Closed;
            return Poll::Ready(Filled::Cut);
        }
        let in_output = if is_direct { output.len() } else { 0 }; // others are counted as unsettled
        let in_bodies: usize = state.bodies.values().map(|body| body.chunk_bytes).sum();
        let charged = state.queued_bytes + state.unsettled_bytes + in_bodies + in_output;
        state.charge.try_set(charged); // grew with the last message at most; see `has_room_for`
        let finished =
            state.phase == Phase::Finishing && state.queue.is_empty() && state.bodies.is_empty();
        let is_empty = state.notify_when_empty && state.queued_messages == 0 && output.is_empty();
        state.notify_when_empty &= !is_empty;
        drop(state);
        if progress || is_direct {
            self.room.notify_waiters();
        }
        if output.len() > before {
            Poll::Ready(Filled::Open)
        } else if is_empty {
            Poll::Ready(Filled::Empty)
        } else if finished {
            Poll::Ready(Filled::Finished)
        } else {
            Poll::Pending
        }
    }

    /// Everything filled so far has been written: for a plain peer, the most one can know.
    pub(crate) fn settle_written(&self) -> Vec<Delivery> {
        if !self.is_tracked {
            return Vec::new();
        }
        let mut state = self.state();
        if state.session || state.unsettled.is_empty() {
            return Vec::new();
        }
        state.unsettled_bytes = 0;
        state
            .unsettled
            .drain(..)
            .filter(Delivery::is_reported)
            .collect()
    }

    /// The peer has handled everything up to this tag, or the one large body with this tag.
    pub(crate) fn settle(&self, tag: u64) -> Vec<Delivery> {
        let mut state = self.state();
        if tag >= BODY_TAG {
            let at = state
                .unsettled_bodies
                .iter()
                .position(|(number, _)| *number == tag);
            let body = at.and_then(|at| state.unsettled_bodies.remove(at));
            return body.into_iter().map(|(_, delivery)| delivery).collect();
        }
        let mut settled = Vec::new();
        while state.first_tag <= tag {
            let Some(delivery) = state.unsettled.pop_front() else {
                break;
            };
            state.first_tag += 1;
            state.unsettled_bytes -= delivery.body.len();
            if delivery.is_reported() {
                settled.push(delivery);
            }
        }
        drop(state);
        self.writer.wake();
        settled
    }

    /// Lets [`poll_fill`](Self::poll_fill) say when no message is queued, now or later.
    pub(crate) fn notify_when_empty(&self) {
        self.state().notify_when_empty = true;
        self.writer.wake();
    }

    /// Whether messages may still be added.
    pub(crate) fn is_open(&self) -> bool {
        self.state().phase == Phase::Open
    }

    /// Closes it, and gives back all that is not known to have arrived, oldest first.
    pub(crate) fn take_undelivered(&self) -> Vec<Delivery> {
        self.close();
        let mut state = self.state();
        let bodies = std::mem::take(&mut state.unsettled_bodies);
        let mut undelivered: Vec<_> = bodies.into_iter().map(|(_, delivery)| delivery).collect();
        undelivered.extend(
            std::mem::take(&mut state.bodies)
                .into_values()
                .filter_map(|body| body.delivery),
        );
        undelivered.extend(std::mem::take(&mut state.unsettled));
        for entry in std::mem::take(&mut state.queue) {
            if let Entry::Message(delivery) = entry {
                undelivered.push(delivery);
            }
        }
        undelivered
    }
}

impl State {
    /// One message always fits, or a budget used up by others could stop an idle connection for good: nobody would
    /// tell it that there is room again.
    fn has_room_for(&mut self, delivery: &Delivery, limits: &QueueLimits) -> bool {
        if self.queued_messages == 0 && self.unsettled.is_empty() && self.ready.is_empty() {
            return true;
        }
        let bytes = self.queued_bytes + delivery.body.len();
        self.queued_messages < limits.messages
            && bytes <= limits.bytes
            && self.charge.try_set(bytes + self.unsettled_bytes)
    }

    /// Whether a message may be encoded at once: for a plain peer, if nothing has to come before it.
    fn is_direct(&self) -> bool {
        !self.session && self.queue.is_empty() && self.bodies.is_empty()
    }

    /// As [`has_room_for`](Self::has_room_for), for a message that is encoded at once.
    fn has_room_for_ready(&mut self, len: usize, limits: &QueueLimits) -> bool {
        let bytes = self.ready.len() + len;
        self.ready.is_empty() || (bytes <= limits.bytes && self.charge.try_set(bytes))
    }

    fn write_plain(&mut self, head: &Head, body: &Bytes) {
        let Head { sender, kind, .. } = *head;
        self.ready
            .header(ReplyHeader { sender, kind }, u32_len(body.len()));
        self.ready.shared(body);
    }

    fn uncount(&mut self, delivery: &Delivery) {
        self.queued_bytes -= delivery.body.len();
        self.queued_messages -= 1;
    }

    /// Moves what is due into `output`; returns whether anything left the queue or a body.
    fn fill(&mut self, output: &mut Output, limits: &QueueLimits) -> bool {
        let mut progress = false;
        while output.len() < FILL_BYTES {
            let messages = self.fill_messages(output, limits);
            let chunk = self.fill_chunk(output);
            progress |= messages || chunk;
            if !messages && !chunk {
                break;
            }
        }
        progress
    }

    /// One turn of the queue.
    fn fill_messages(&mut self, output: &mut Output, limits: &QueueLimits) -> bool {
        let enough = output.len() + TURN_BYTES;
        let mut progress = false;
        while output.len() < enough {
            // A plain peer reads a large body as one frame; nothing can come in between.
            if self.current.is_some() {
                break;
            }
            let is_message = matches!(self.queue.front(), Some(Entry::Message(_)));
            if is_message && self.is_window_full(limits) {
                break;
            }
            match self.queue.pop_front() {
                Some(Entry::Message(delivery)) => self.write_message(delivery, output),
                Some(Entry::Control(reply)) => write_reply(reply, output),
                Some(Entry::Body(number)) => self.turns.push_back(number),
                None => break,
            }
            progress = true;
        }
        progress
    }

    /// Whether a session has to acknowledge something before it gets more.
    ///
    /// While the reader waits, acknowledgements cannot arrive, and what it waits for may be room in this very queue:
    /// then messages are written all the same. A peer that goes on sending and never acknowledges is cut in the end.
    fn is_window_full(&mut self, limits: &QueueLimits) -> bool {
        let (messages, bytes) = match self.phase {
            Phase::Open if self.reader_waits => {
                (MAX_UNSETTLED, PATIENCE.saturating_mul(limits.bytes))
            }
            Phase::Open => (limits.messages, limits.bytes),
            Phase::Finishing | Phase::Closed => return false, // nobody reads acknowledgements any more
        };
        let is_full = self.unsettled.len() >= messages || self.unsettled_bytes >= bytes;
        self.broken |= self.session && is_full && self.reader_waits;
        self.session && (is_full || self.bodies.len() >= MAX_BODIES)
    }

    fn write_message(&mut self, delivery: Delivery, output: &mut Output) {
        self.uncount(&delivery);
        if self.session && delivery.body.len() > self.chunk_bytes {
            return self.split_message(delivery);
        }
        let Head {
            sender,
            id,
            re,
            kind: inner,
            ..
        } = delivery.head;
        let body = delivery.body.clone();
        if self.session {
            let tag = self.first_tag + self.unsettled.len() as u64;
            let header = ReplyHeader {
                sender,
                kind: kind::MESSAGE,
            };
            output.header(header, u32_len(MESSAGE_PREFIX + body.len()));
            output.with_tail(|tail| put_message_prefix(tail, tag, id, re, inner));
        } else {
            output.header(
                ReplyHeader {
                    sender,
                    kind: inner,
                },
                u32_len(body.len()),
            );
        }
        output.bytes(body);
        if self.session || self.is_tracked {
            self.unsettled_bytes += delivery.body.len();
            self.unsettled.push_back(delivery);
        }
    }

    /// A message that is too long for a frame of a session goes the way of a large body.
    fn split_message(&mut self, delivery: Delivery) {
        let number = self.next_body;
        self.next_body += 1;
        let mut rest = delivery.body.clone();
        let mut chunks = VecDeque::new();
        while !rest.is_empty() {
            chunks.push_back(rest.split_to(rest.len().min(self.chunk_bytes)));
        }
        let body = Body {
            head: delivery.head,
            len: u32_len(delivery.body.len()),
            to_come: 0,
            chunks,
            chunk_bytes: delivery.body.len(),
            begun: false,
            aborted: false,
            delivery: Some(delivery),
        };
        self.bodies.insert(number, body);
        self.turns.push_back(number);
    }

    /// The large body whose turn it is, taken out of the round. A plain peer has to read one to its end.
    fn next_turn(&mut self) -> Option<u64> {
        let ready = |number: &u64| match self.current {
            Some(current) if current != *number => false,
            _ => self.bodies.get(number).is_none_or(Body::is_ready),
        };
        let at = self.turns.iter().position(ready)?;
        self.turns.remove(at)
    }

    /// One chunk of one large body.
    fn fill_chunk(&mut self, output: &mut Output) -> bool {
        let Some(number) = self.next_turn() else {
            return false;
        };
        let Some(body) = self.bodies.get_mut(&number) else {
            return true;
        };
        let tag = BODY_TAG | number;
        let Head {
            sender,
            id,
            re,
            kind: inner,
            ..
        } = body.head;
        if body.aborted {
            if body.begun && self.session {
                write_reply(FromServer::Abort { tag }.into_reply(sender), output);
            }
            self.broken = body.begun && !self.session;
            self.bodies.remove(&number);
            return true;
        }
        if !body.begun {
            body.begun = true;
            if self.session {
                let start = FromServer::Start {
                    tag,
                    id,
                    re,
                    kind: inner,
                    len: body.len,
                };
                write_reply(start.into_reply(sender), output);
            } else {
                output.header(
                    ReplyHeader {
                        sender,
                        kind: inner,
                    },
                    body.len,
                );
            }
        }
        if let Some(bytes) = body.chunks.pop_front() {
            body.chunk_bytes -= bytes.len();
            if self.session {
                output.header(
                    ReplyHeader {
                        sender,
                        kind: kind::CHUNK,
                    },
                    u32_len(8 + bytes.len()),
                );
                output.with_tail(|tail| tail.put_u64(tag));
            }
            output.bytes(bytes);
        }
        if body.to_come == 0 && body.chunks.is_empty() {
            self.complete_body(number, tag);
        } else {
            self.turns.push_back(number);
            self.current = Some(number).filter(|_| !self.session);
        }
        true
    }

    fn complete_body(&mut self, number: u64, tag: u64) {
        let Some(body) = self.bodies.remove(&number) else {
            return;
        };
        self.current = None;
        let delivery = body.delivery.unwrap_or_else(|| Delivery::large(body.head));
        if self.session {
            self.unsettled_bodies.push_back((tag, delivery));
            if self.unsettled_bodies.len() > MAX_UNSETTLED_BODIES {
                self.unsettled_bodies.pop_front();
            }
        } else {
            self.unsettled.push_back(delivery);
        }
    }
}

fn write_reply(reply: Reply, output: &mut Output) {
    output.header(reply.header, u32_len(reply.body.len()));
    output.bytes(reply.body);
}

/// Bodies come out of frames, whose lengths are 32 bits wide, or have been checked by [`Peer`](super::Peer).
fn u32_len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
