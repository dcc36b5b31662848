//! Large bodies on their way through: chunk by chunk, in turns.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes};

use super::{super::handler::Delivery, Entry, Outbox, Phase, State, fill::write_reply, u32_len};
use crate::{
    Head, ReplyHeader,
    control::{FromServer, kind},
    output::Output,
};

/// A large body on its way through.
#[derive(Debug)]
pub(super) struct Body {
    head: Head,
    len: u32,
    /// Bytes that have not come from the other side yet.
    to_come: usize,
    chunks: VecDeque<Bytes>,
    pub(super) chunk_bytes: usize,
    begun: bool,
    aborted: bool,
    /// The message, if it is in memory as a whole.
    pub(super) delivery: Option<Delivery>,
}

impl Body {
    pub(super) fn is_ready(&self) -> bool {
        !self.chunks.is_empty() || self.aborted || self.len == 0
    }
}

/// Tags of large bodies have this bit; they are acknowledged one by one.
pub(super) const BODY_TAG: u64 = 1 << 63;

/// Bytes of one large body that may wait here; then its source has to wait.
const BODY_WINDOW: usize = 256 * 1024;

/// Large bodies on their way to one connection; more have to wait.
pub(super) const MAX_BODIES: usize = 64;

/// Large bodies that a session has not acknowledged; older ones are forgotten.
const MAX_UNSETTLED_BODIES: usize = 1024;

impl Outbox {
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
}

impl State {
    /// A message that is too long for a frame of a session goes the way of a large body.
    pub(super) fn split_message(&mut self, delivery: Delivery) {
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
    pub(super) fn fill_chunk(&mut self, output: &mut Output) -> bool {
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
