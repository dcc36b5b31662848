//! What the server says: decoding it, and who gets it.

use std::sync::PoisonError;

use bytes::{Buf, Bytes};
use resp_codec::{DecodeError, Kind};

use super::{Engine, Sender};
use crate::connection::link::Answer;
use crate::connection::published::Published;
use crate::connection::topics::{Notice, Topic};
use crate::error::Error;
use crate::reply::{Elements, Reply, SHARED_FROM};

/// Bulk strings from this length on are split off the read buffer; shorter ones are copied out of it.
const SPLIT_FROM: usize = 16 * 1024;
/// The size of the block that is read into: at first, and what it grows to while reads fill it. Small enough to stay in
/// the processor's cache from the read to the callers that take their values.
pub(super) const BLOCK: usize = 16 * 1024;
pub(crate) const FULL_BLOCK: usize = 64 * 1024;
/// What it grows to if single frames need it; of one that takes more, nothing is kept.
const MAX_BLOCK: usize = 256 * 1024;
/// Less room than this is not worth a read.
const MIN_ROOM: usize = 4 * 1024;
/// So many bytes are moved to the front of the block whenever that is free, not only when room is short.
const CHEAP_TO_MOVE: usize = 256;
/// The most that is reserved for a frame that has been announced and has not arrived.
const MAX_RESERVE: usize = 1024 * 1024;

/// Why what a server says is of no use.
#[derive(Debug)]
pub(crate) enum Garbled {
    /// It is no RESP.
    Undecodable(DecodeError),
    /// A reply, which this describes, that no command waits for: those that follow would go to the wrong callers.
    Unasked(String),
}

impl From<DecodeError> for Garbled {
    fn from(error: DecodeError) -> Self {
        Self::Undecodable(error)
    }
}

impl Engine {
    /// The number of the request that this is the answer to, if the server was asked.
    fn request_about(&self, topic: &Topic, subscribes: bool) -> Option<u64> {
        self.pending
            .front()
            .filter(|front| front.sender == Sender::Topics)?;
        let request = self.confirming.front()?;
        (request.subscribes == subscribes && request.awaits(topic)).then_some(request.number)
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
                if let Some(number) = self.request_about(&topic, true) {
                    self.topics.confirmed(&topic, number);
                    self.confirm_one();
                }
            }
            Notice::Unsubscribed(topic) => match self.request_about(&topic, false) {
                Some(_) => self.confirm_one(),
                None => self.topics.withdrawn(&topic),
            },
        }
    }

    /// Makes room for the next read. A block that no value shares any more is used again.
    pub(crate) fn reserve(&mut self) {
        let held = self.input.len();
        let room = self.input.capacity() - held;
        if room == 0 && (self.block < FULL_BLOCK || held > self.block / 2) {
            self.block = (self.block * 2).min(MAX_BLOCK);
        }
        let fresh = self.block.saturating_sub(held);
        if held <= CHEAP_TO_MOVE && room < fresh && self.input.try_reclaim(fresh) {
            return;
        }
        let wanted = self.decoder.missing().clamp(MIN_ROOM, MAX_RESERVE);
        if room < wanted {
            self.input.reserve(fresh.max(wanted));
        }
    }

    /// Decodes what was read, and pairs replies with commands.
    pub(crate) fn decode(&mut self) -> Result<(), Garbled> {
        while let Some(&first) = self.input.first() {
            if first == b'>' || (first == b'*' && self.topics.dedicated) {
                match self.published()? {
                    Some(true) => continue,
                    Some(false) => {}
                    None => return Ok(()),
                }
            }
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
                reply if !self.awaits_reply() => return Err(Garbled::Unasked(reply.describe())),
                reply => self.pair(reply),
            }
        }
        Ok(())
    }

    /// Delivers the published message that comes next; whether it is one. `None`: it is not whole yet.
    fn published(&mut self) -> Result<Option<bool>, DecodeError> {
        let Some(frame) = self.decoder.decode(&self.input)? else {
            return Ok(None);
        };
        let Some(message) = Published::read(frame) else {
            return Ok(Some(false));
        };
        let payload = message.payload.as_bytes().unwrap_or_default();
        if payload.len() < SHARED_FROM {
            let payload = Bytes::copy_from_slice(payload);
            self.topics
                .deliver(message.kind, message.name, message.channel, payload);
            let frame_len = frame.frame_len();
            self.input.advance(frame_len);
        } else if let Some(frame) = self.decoder.decode_owned(&mut self.input)? {
            if let Some(message) = Published::read(frame.view()) {
                let payload = frame.slice(message.payload).unwrap_or_default();
                self.topics
                    .deliver(message.kind, message.name, message.channel, payload);
            }
        }
        Ok(Some(true))
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

    /// Whether there is a command of which the server has seen anything at all.
    fn awaits_reply(&self) -> bool {
        let front = self.pending.front();
        front.is_some_and(|front| front.start < self.written)
    }

    /// Gives `reply` to the command that has waited longest.
    fn pair(&mut self, reply: Reply) {
        let Some(front) = self.pending.front_mut() else {
            return; // a PONG among messages that nobody asked for
        };
        if let Reply::Error(error) = &reply {
            self.refused |= error.code() == "READONLY";
        }
        if front.sender == Sender::Topics {
            // Only a refusal comes as a reply.
            if let (Reply::Error(error), Some(refused)) = (reply, self.confirming.front()) {
                let error = Error::server(error);
                self.topics
                    .refuse(&refused.topics, Some(refused.number), &error);
            }
            self.finish(|_| Answer::One(Reply::Null));
        } else if let Some(batch) = &mut front.batch {
            batch.received += 1;
            batch.replies.push(reply);
            if batch.received < batch.ends.len() {
                return;
            }
            let replies = std::mem::take(&mut batch.replies);
            self.timing.answered(front.wave);
            self.finish(|_| Answer::Many {
                executed_maybe: replies.len(),
                replies,
                failure: None,
                earlier: 0,
            });
        } else {
            if front.sender != Sender::Ping {
                self.timing.answered(front.wave);
            }
            if let (Some(effect), true) = (front.effect.take(), reply.is_ok()) {
                effect.apply(&mut self.session.lock().unwrap_or_else(PoisonError::into_inner));
                // The keys of another database, or those that another user may read.
                self.clear_cache();
            }
            self.finish(|_| Answer::One(reply));
        }
    }
}
