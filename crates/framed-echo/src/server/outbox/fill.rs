//! What goes out next.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::{
    super::{config::QueueLimits, handler::Delivery},
    Entry, Outbox, Phase, State,
    body::{Body, MAX_BODIES},
    u32_len,
};
use crate::{
    Head, Reply, ReplyHeader,
    control::{MESSAGE_PREFIX, kind, put_message_prefix},
    output::Output,
};

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

/// Unacknowledged messages that a session may build up that sends instead of acknowledging,
const MAX_UNSETTLED: usize = 64 * 1024;

/// and their bytes, as a multiple of the queue's.
const PATIENCE: usize = 16;

/// Bytes of messages that go out before a large body has its turn.
const TURN_BYTES: usize = 32 * 1024;

/// Bytes that are put into the output at a time.
const FILL_BYTES: usize = 128 * 1024;

impl Outbox {
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
}

impl State {
    pub(super) fn write_plain(&mut self, head: &Head, body: &Bytes) {
        let Head { sender, kind, .. } = *head;
        self.ready
            .header(ReplyHeader { sender, kind }, u32_len(body.len()));
        self.ready.shared(body);
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
            if self.is_body_next() {
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

    /// Whether a plain peer has to get a large body before any other message.
    ///
    /// It reads the body as one frame, so that nothing can come in between; and what is queued behind a body whose bytes
    /// are there does not overtake it.
    fn is_body_next(&self) -> bool {
        let is_ready = |number| self.bodies.get(number).is_some_and(Body::is_ready);
        self.current.is_some() || (!self.session && self.turns.iter().any(is_ready))
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
}

pub(super) fn write_reply(reply: Reply, output: &mut Output) {
    output.header(reply.header, u32_len(reply.body.len()));
    output.bytes(reply.body);
}
