//! The other end of a connection, as handlers see it.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use tracing::debug;

use super::{
    config::SlowReader,
    handler::Delivery,
    outbox::{Outbox, Refused},
    stats::Counters,
};
use crate::{
    Head, Message,
    control::{Code, FromServer, MESSAGE_PREFIX, MessageId, Outcome, Refusal},
};

/// A connected client. A cheap handle: clones mean the same connection.
#[derive(Clone)]
pub struct Peer(Arc<Shared>);

struct Shared {
    connection: u64,
    address: String,
    id: OnceLock<u32>,
    outbox: Outbox,
    counters: Arc<Counters>,
}

impl Peer {
    pub(crate) fn new(
        connection: u64,
        address: String,
        outbox: Outbox,
        counters: Arc<Counters>,
    ) -> Self {
        let id = OnceLock::new();
        Self(Arc::new(Shared {
            connection,
            address,
            id,
            outbox,
            counters,
        }))
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Binds the id if there is none yet; returns whether this call did.
    pub(crate) fn bind(&self, id: u32) -> bool {
        self.0.id.set(id).is_ok()
    }

    /// The number of this connection, counted from 1 since the server started.
    #[must_use]
    pub fn connection(&self) -> u64 {
        self.0.connection
    }

    /// Where the connection comes from, for people to read.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// The id bound to this connection: by its hello, or by the sender of its first message.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.0.id.get().copied()
    }

    /// Whether the peer said hello, so that it gets control frames.
    #[must_use]
    pub fn is_session(&self) -> bool {
        self.0.outbox.is_session()
    }

    /// Queues a message for this peer; waits while its queue is full.
    ///
    /// A peer that is closing takes nothing more; what it has not received is reported to
    /// [`Handler::closed`](super::Handler::closed).
    ///
    /// # Errors
    ///
    /// [`Code::Away`] if the connection is closing, [`Code::TooLong`] if the body does not fit into a frame.
    pub async fn send(&self, message: Message) -> Result<(), Refusal> {
        if message.body.len() > MAX_BODY_BYTES {
            let text = format!(
                "body of {} bytes does not fit into a frame",
                message.body.len()
            );
            return Err(Refusal::new(Code::TooLong, text));
        }
        let outbox = &self.0.outbox;
        if outbox.push_direct(&message.head, &message.body) {
            return Ok(());
        }
        // Boxed, because it is rare and long, and would be copied around with every message otherwise.
        let pushed = match outbox.push(message.into()) {
            Err(Refused::Full(delivery)) => {
                Counters::add(&self.counters().waited, 1);
                Box::pin(outbox.push_when_room(delivery)).await
            }
            Err(Refused::Closed(delivery)) => Err(delivery),
            Ok(()) => Ok(()),
        };
        pushed.map_err(|_| Refusal::new(Code::Away, "the connection is closing"))
    }

    /// Queues a delivery according to the policy for slow readers.
    pub(crate) async fn deliver(&self, delivery: Delivery) -> Offered {
        let outbox = &self.0.outbox;
        match outbox.push(delivery) {
            Ok(()) => Offered::Queued,
            Err(Refused::Closed(delivery)) => Offered::Closed(delivery),
            Err(Refused::Full(delivery)) => {
                let policy = outbox.limits().slow_reader;
                debug!(connection = self.connection(), ?policy, "slow reader");
                self.deliver_by(policy, delivery).await
            }
        }
    }

    async fn deliver_by(&self, policy: SlowReader, delivery: Delivery) -> Offered {
        match policy {
            SlowReader::Wait => {
                Counters::add(&self.counters().waited, 1);
                self.deliver_when_room(delivery).await
            }
            SlowReader::DropOldest => match self.0.outbox.push_over(delivery) {
                Ok(dropped) => Offered::QueuedOver(dropped),
                Err(delivery) => Offered::Closed(delivery),
            },
            SlowReader::Inbox => Offered::Spilled(delivery),
            SlowReader::Cut => {
                self.close();
                Offered::Cut(delivery)
            }
        }
    }

    /// Queues a delivery as soon as there is room, whatever the policy.
    pub(crate) async fn deliver_when_room(&self, delivery: Delivery) -> Offered {
        match self.0.outbox.push_when_room(delivery).await {
            Ok(()) => Offered::Queued,
            Err(delivery) => Offered::Closed(delivery),
        }
    }

    /// Tells the peer what became of its message `id`. Nothing for a plain peer, who has no ids.
    pub fn report(&self, id: MessageId, outcome: Outcome) {
        if self.is_session() {
            let ack = FromServer::Ack {
                id: id.get(),
                outcome,
            };
            self.0.outbox.push_control(ack.into_reply(0));
        }
    }

    /// Tells the peer that something was refused.
    pub fn refuse(&self, refusal: Refusal) {
        Counters::add(&self.0.counters.refused, 1);
        self.0
            .outbox
            .push_control(FromServer::Error(refusal).into_reply(0));
    }

    /// Begins a large message of exactly `len` bytes to this peer, behind everything queued so far.
    ///
    /// A client that said hello gets it in chunks, with other messages in between; for a plain one it is one frame.
    /// `None` if the connection is closing.
    pub async fn open(&self, head: Head, len: u32) -> Option<Download> {
        let number = self.0.outbox.open_body(head, len).await?;
        Some(Download {
            peer: self.clone(),
            number,
            left: len as usize,
        })
    }

    /// Lets [`Handler::empty`](super::Handler::empty) be called once, as soon as no message is queued for this peer.
    pub fn notify_when_empty(&self) {
        self.0.outbox.notify_when_empty();
    }

    /// Whether messages can still be sent to this peer.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.outbox.is_open()
    }

    /// Closes the connection without writing another byte.
    pub fn close(&self) {
        self.0.outbox.close();
    }
}

/// The longest body that fits into a frame of either form.
const MAX_BODY_BYTES: usize = u32::MAX as usize - MESSAGE_PREFIX;

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut peer = f.debug_struct("Peer");
        peer.field("connection", &self.0.connection)
            .field("address", &self.0.address);
        peer.field("id", &self.id()).finish_non_exhaustive()
    }
}

/// What became of a delivery that was offered to a peer.
#[derive(Debug)]
pub(crate) enum Offered {
    Queued,
    /// Queued, and these older ones were given up for it.
    QueuedOver(Vec<Delivery>),
    /// The queue is full; it is for the inbox.
    Spilled(Delivery),
    /// The queue was full, and the connection has been closed for it.
    Cut(Delivery),
    Closed(Delivery),
}

/// A large message on its way to a peer.
///
/// Dropped before all its bytes have been written, it is aborted: a client that said hello is told so, the connection
/// of a plain one is closed, because nothing can follow half a frame.
#[derive(Debug)]
pub struct Download {
    peer: Peer,
    number: u64,
    /// Bytes that have not been written yet.
    left: usize,
}

impl Download {
    /// Writes the next bytes; waits while 256 KiB of this message wait for the peer. Bytes beyond the announced length
    /// are left out. Returns whether the peer is still there.
    pub async fn write(&mut self, mut chunk: Bytes) -> bool {
        chunk.truncate(self.left);
        self.left -= chunk.len();
        chunk.is_empty() || self.peer.outbox().push_chunk(self.number, chunk).await
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.peer.outbox().end_body(self.number);
    }
}
