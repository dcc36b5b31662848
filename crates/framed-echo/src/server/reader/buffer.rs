//! The buffer that a connection reads into: the thread's between frames, its own inside one.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    super::{Handler, scratch, stats::Counters},
    COPY_BYTES, Reader,
};

/// The smallest buffer of a connection's own.
const OWN_BYTES: usize = 8 * 1024;

/// With less room left, a larger buffer is better than a short read.
const MIN_READ_BYTES: usize = 2 * 1024;

impl<H: Handler> Reader<'_, H> {
    /// Reads once. Between frames, and until it has to be waited for, the bytes go into a buffer of the thread's.
    pub(super) fn poll_read(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() == 0 {
            if self.may_borrow() {
                self.borrow();
            } else {
                // There was memory when this connection began to wait for bytes.
                self.charge.note(OWN_BYTES);
                self.buffer.reserve(OWN_BYTES);
            }
        }
        let read = pin!(io.read_buf(&mut self.buffer)).poll(cx);
        if self.is_lent && (self.buffer.is_empty() || read.is_pending()) {
            self.keep_rest();
            self.charge.note(self.buffer.capacity());
        }
        read
    }

    /// Whether the budget would allow for a buffer of the thread's, should bytes stay in it.
    fn may_borrow(&self) -> bool {
        let budget = &self.connection.server.budget;
        budget.has(scratch::SCRATCH_BYTES)
    }

    /// Goes on in a buffer of the thread's.
    fn borrow(&mut self) {
        let mut lent = scratch::take();
        lent.extend_from_slice(&self.buffer);
        self.give_back(lent);
        self.is_lent = true;
    }

    /// Puts `own` in the place of the buffer.
    fn give_back(&mut self, own: BytesMut) {
        let buffer = std::mem::replace(&mut self.buffer, own);
        if std::mem::take(&mut self.is_lent) {
            scratch::put(buffer);
        }
    }

    /// Gives the thread's buffer back, but for a frame that has begun. A long one keeps the buffer that it is in.
    fn keep_rest(&mut self) {
        if self.buffer.is_empty() {
            self.give_back(BytesMut::new());
        } else if self.is_lent && self.buffer.len() < COPY_BYTES {
            let mut own = BytesMut::with_capacity((2 * self.buffer.len()).max(OWN_BYTES));
            own.extend_from_slice(&self.buffer);
            self.give_back(own);
        }
    }

    /// Waits for room for replies, and for memory to read into.
    pub(super) async fn make_room(&mut self) {
        let connection = self.connection;
        let (server, outbox) = (&connection.server, connection.peer.outbox());
        Counters::add(
            &server.counters.messages_in,
            std::mem::take(&mut self.messages),
        );
        let (len, capacity) = (self.buffer.len(), self.buffer.capacity());
        let is_short = capacity - len < MIN_READ_BYTES;
        if outbox.has_room() && self.may_borrow() {
            if len > 0 && is_short && len + MIN_READ_BYTES <= scratch::SCRATCH_BYTES {
                self.borrow();
            }
            // What is held for as long as this task runs is the thread's.
            if len == 0 || self.is_lent {
                self.charge.note(0);
                if len == 0 {
                    self.give_back(BytesMut::new());
                }
                return;
            }
        }
        self.keep_rest();
        let (len, capacity) = (self.buffer.len(), self.buffer.capacity());
        let held = if len == 0 {
            if self.may_borrow() { 0 } else { OWN_BYTES }
        } else if capacity - len < MIN_READ_BYTES {
            2 * capacity
        } else {
            capacity
        };
        if !outbox.has_room() || !self.charge.try_set(held) {
            let charge = &mut self.charge;
            let room = pin!(async { (outbox.room().await, charge.set(held).await) });
            connection.while_reader_waits(room).await;
        }
        if held > capacity {
            self.buffer.reserve(held - len);
        }
    }

    /// Runs something that may wait. Then the thread's buffer is not kept, but for the rest of what is in it.
    pub(super) async fn wait<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return output; // the usual case, at no cost
        }
        self.keep_rest();
        self.charge.note(self.buffer.capacity());
        self.connection.while_reader_waits(work).await
    }
}
