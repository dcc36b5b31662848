//! What waits to be written to one connection: a bounded queue, and large bodies that take turns with it.
//!
//! | file | holds |
//! |---|---|
//! | `push.rs` | how messages get in, and when there is room |
//! | `body.rs` | large bodies, chunk by chunk |
//! | `fill.rs` | what goes out next |
//! | `settle.rs` | what is known to have arrived, and what is not |

mod body;
mod fill;
mod push;
mod settle;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use futures::task::AtomicWaker;
use tokio::sync::Notify;

use self::body::Body;
use super::{
    budget::{Budget, Charge},
    config::QueueLimits,
    handler::Delivery,
};
use crate::{Reply, output::Output};

pub(crate) use self::{fill::Filled, push::Refused};

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

    /// Lets [`poll_fill`](Self::poll_fill) say when no message is queued, now or later.
    pub(crate) fn notify_when_empty(&self) {
        self.state().notify_when_empty = true;
        self.writer.wake();
    }

    /// Whether messages may still be added.
    pub(crate) fn is_open(&self) -> bool {
        self.state().phase == Phase::Open
    }
}

/// Bodies come out of frames, whose lengths are 32 bits wide, or have been checked by [`Peer`](super::Peer).
fn u32_len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
