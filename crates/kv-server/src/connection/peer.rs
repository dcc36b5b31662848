//! What others may do to a connection: deliver messages to it, or close it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use futures::task::AtomicWaker;

/// The end of a connection that the engine and other connections hold.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: u64,
    outbox: Mutex<Outbox>,
    /// Whether the outbox is worth looking into; avoids its mutex once a command.
    mail: AtomicBool,
    /// Bytes that the connection has taken over, or written itself, and not sent yet.
    unsent: AtomicUsize,
    /// A watched key changed: the next EXEC fails.
    touched: AtomicBool,
    /// When bytes last came or went, in Unix milliseconds.
    active_ms: AtomicI64,
    waker: AtomicWaker,
    /// What waits at all connections together.
    waiting: Arc<AtomicUsize>,
}

/// Less than this is not counted among what waits at all connections: usual replies pass without touching the sum.
const COUNTED_FROM: usize = 16 << 10;

/// What of `bytes` counts in the sum.
fn counted(bytes: usize) -> usize {
    if bytes < COUNTED_FROM { 0 } else { bytes }
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
    pub(crate) fn new(id: u64, now_ms: i64, waiting: Arc<AtomicUsize>) -> Self {
        Self {
            id,
            outbox: Mutex::default(),
            mail: AtomicBool::new(false),
            unsent: AtomicUsize::new(0),
            touched: AtomicBool::new(false),
            active_ms: AtomicI64::new(now_ms),
            waker: AtomicWaker::new(),
            waiting,
        }
    }

    fn recount(&self, before: usize, after: usize) {
        let (before, after) = (counted(before), counted(after));
        if before < after {
            self.waiting.fetch_add(after - before, Ordering::Relaxed);
        } else if before > after {
            self.waiting.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Appends to the connection's output, after all replies written so far, and returns how many bytes wait now.
    ///
    /// If they are more than `limit`, the connection is closed.
    pub(crate) fn deliver(&self, limit: usize, message: impl FnOnce(&mut BytesMut)) -> usize {
        let mut outbox = self.outbox();
        if outbox.close.is_some() {
            return 0;
        }
        let before = outbox.messages.len();
        message(&mut outbox.messages);
        let waiting = outbox.messages.len() + self.unsent.load(Ordering::Relaxed);
        if waiting > limit {
            outbox.messages = BytesMut::new();
            outbox.close = Some(Close::Now);
        }
        self.recount(before, outbox.messages.len());
        drop(outbox);
        self.notify();
        waiting
    }

    /// Asks the connection to close. What is more urgent counts.
    pub(crate) fn close(&self, close: Close) {
        let mut outbox = self.outbox();
        if outbox.close != Some(Close::Now) {
            outbox.close = Some(close);
        }
        drop(outbox);
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
        out.extend_from_slice(&outbox.messages);
        self.recount(outbox.messages.len(), 0);
        outbox.messages = BytesMut::new();
        outbox.close
    }

    /// The connection's side: how many bytes it has not sent yet.
    pub(crate) fn set_unsent(&self, bytes: usize) {
        self.recount(self.unsent.load(Ordering::Relaxed), bytes);
        self.unsent.store(bytes, Ordering::Relaxed);
    }

    /// Whether the connection was asked to close.
    pub(crate) fn is_closing(&self) -> bool {
        self.outbox().close.is_some()
    }

    /// Bytes that wait to be sent, here and at the connection.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.outbox().messages.len() + self.unsent.load(Ordering::Relaxed)
    }

    pub(crate) fn set_active(&self, now_ms: i64) {
        self.active_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(crate) fn active_ms(&self) -> i64 {
        self.active_ms.load(Ordering::Relaxed)
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

impl Drop for Peer {
    fn drop(&mut self) {
        self.set_unsent(0);
        let waiting = self.outbox().messages.len();
        self.recount(waiting, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_appended_in_order_and_the_limit_closes() {
        let peer = Peer::new(1, 0, Arc::default());
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

    #[test]
    fn what_waits_is_summed_up_where_it_is_much_and_taken_off_when_it_is_gone() {
        let sum = Arc::default();
        let peer = Peer::new(1, 0, Arc::clone(&sum));
        let much = [b'x'; COUNTED_FROM];
        peer.deliver(usize::MAX, |buf| buf.extend_from_slice(b"little"));
        assert_eq!(sum.load(Ordering::Relaxed), 0);
        peer.deliver(usize::MAX, |buf| buf.extend_from_slice(&much));
        assert_eq!(sum.load(Ordering::Relaxed), much.len() + 6);
        let mut out = BytesMut::new();
        peer.collect(&mut out);
        assert_eq!(sum.load(Ordering::Relaxed), 0);
        peer.set_unsent(out.len());
        peer.deliver(usize::MAX, |buf| buf.extend_from_slice(&much));
        assert_eq!(sum.load(Ordering::Relaxed), 2 * much.len() + 6);
        drop(peer);
        assert_eq!(sum.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_the_connection_has_not_sent_counts_towards_the_limit() {
        let peer = Peer::new(1, 0, Arc::default());
        let mut out = BytesMut::new();
        peer.deliver(10, |buf| buf.extend_from_slice(b"sixsix"));
        assert_eq!(peer.collect(&mut out), None);
        peer.set_unsent(out.len());
        assert_eq!(peer.deliver(10, |buf| buf.extend_from_slice(b"five5")), 11);
        assert_eq!(peer.collect(&mut out), Some(Close::Now));
        assert_eq!(&out[..], b"sixsix");
    }
}
