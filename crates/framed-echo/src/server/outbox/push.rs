//! How messages get into an outbox, and when there is room for them.

use std::sync::MutexGuard;

use bytes::Bytes;

use super::{
    super::{answers::Answers, config::QueueLimits, handler::Delivery, scratch},
    Entry, Outbox, Phase, State,
};
use crate::{Head, Reply};

/// Why a message did not get into an outbox.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no room; the message comes back.
    Full(Delivery),
    /// The connection is closing; the message comes back.
    Closed(Delivery),
}

/// Frames about the connection that may wait beside the messages.
const MAX_CONTROLS: usize = 16 * 1024;

impl Outbox {
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

    /// Lends the output to whoever answers what is being read, if nothing has to be written before; to be given back
    /// with [`end_answers`](Self::end_answers). `bytes`: what the answers may come to.
    pub(crate) fn begin_answers(&self, bytes: usize) -> Option<Answers> {
        let mut state = self.state();
        let filled = state.ready.len();
        let is_free = !self.is_tracked && state.phase == Phase::Open && state.is_direct();
        if !is_free || filled >= self.limits.bytes || !state.charge.try_set(filled + bytes) {
            return None;
        }
        let mut output = std::mem::take(&mut state.ready);
        drop(state);
        output.lend(scratch::take);
        let room = (filled + bytes).min(self.limits.bytes);
        Some(Answers { output, room })
    }

    pub(crate) fn end_answers(&self, Answers { mut output, .. }: Answers) {
        let mut state = self.state();
        if !state.ready.is_empty() {
            output.append(std::mem::take(&mut state.ready)); // somebody else has sent something meanwhile
        }
        state.ready = output;
        drop(state);
        self.wake_writer();
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

    pub(super) fn add(&self, mut state: MutexGuard<'_, State>, entry: Entry) {
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

    pub(super) fn uncount(&mut self, delivery: &Delivery) {
        self.queued_bytes -= delivery.body.len();
        self.queued_messages -= 1;
    }
}
