//! What others may do to a connection: deliver messages to it, or close it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use futures::task::AtomicWaker;

/// The end of a connection that the engine and other connections hold.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: u64,
    outbox: Mutex<Outbox>,
    /// Whether the outbox is worth looking into; avoids its mutex once a command.
    mail: AtomicBool,
    /// A watched key changed: the next EXEC fails.
    touched: AtomicBool,
    waker: AtomicWaker,
}

/// Messages that wait to be written, and whether to hang up after them.
#[derive(Debug, Default)]
struct Outbox {
    messages: BytesMut,
    close: Option<Close>,
}

/// Why a connection is closed from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// CLIENT KILL, or the server shuts down: what is written already is still sent.
    AfterOutput,
    /// Output limits: nothing more is sent.
    Now,
}

impl Peer {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            outbox: Mutex::default(),
            mail: AtomicBool::new(false),
            touched: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// Appends to the connection's output, after all replies written so far. Closes the connection if more than `limit` bytes wait there.
    pub(crate) fn deliver(&self, limit: usize, message: impl FnOnce(&mut BytesMut)) {
        let mut outbox = self.outbox();
        if outbox.close.is_some() {
            return;
        }
        message(&mut outbox.messages);
        if outbox.messages.len() > limit {
            outbox.messages = BytesMut::new();
            outbox.close = Some(Close::Now);
        }
        drop(outbox);
        self.notify();
    }

    /// Asks the connection to close.
    pub(crate) fn close(&self, close: Close) {
        self.outbox().close.get_or_insert(close);
        self.notify();
    }

    /// Makes the connection look around again.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    fn notify(&self) {
        self.mail.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// The connection's side: whom to wake.
    pub(crate) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }

    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.mail.load(Ordering::Acquire)
    }

    /// The connection's side: moves all messages to `out`.
    pub(crate) fn collect(&self, out: &mut BytesMut) -> Option<Close> {
        self.mail.store(false, Ordering::Relaxed);
        let mut outbox = self.outbox();
        if out.is_empty() && !outbox.messages.is_empty() {
            std::mem::swap(out, &mut outbox.messages);
        } else {
            out.extend_from_slice(&outbox.messages);
        }
        outbox.messages = BytesMut::new();
        outbox.close
    }

    /// Bytes that wait in the outbox.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.outbox().messages.len()
    }

    pub(crate) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    pub(crate) fn clear_touched(&self) {
        self.touched.store(false, Ordering::Relaxed);
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_appended_in_order_and_the_limit_closes() {
        let peer = Peer::new(1);
        let mut out = BytesMut::from(&b"reply,"[..]);
        assert!(!peer.has_mail());
        peer.deliver(10, |buf| buf.extend_from_slice(b"one,"));
        peer.deliver(10, |buf| buf.extend_from_slice(b"two"));
        assert!(peer.has_mail());
        assert_eq!(peer.collect(&mut out), None);
        assert_eq!(&out[..], b"reply,one,two");
        peer.deliver(10, |buf| buf.extend_from_slice(b"eleven bytes"));
        out.clear();
        assert_eq!((peer.collect(&mut out), out.len()), (Some(Close::Now), 0));
    }
}
