//! What a server does with messages: the trait to implement for a behaviour of your own.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;

use super::{Answers, Peer, Upload};
use crate::{
    Head, Message,
    control::{Code, Refusal},
};

/// The behaviour of a [`Server`](super::Server).
///
/// One handler serves all connections. The messages of one connection come one after the other: the next is read when
/// the future of the last is ready, so a slow handler slows down the sender and nobody else. [`Echo`](super::Echo) is
/// the smallest handler, [`Relay`](crate::relay::Relay) the largest one here.
///
/// ```
/// use framed_echo::{Kind, Message, control::Refusal, server::{Handler, Peer}};
///
/// /// Answers every text in capitals.
/// struct Shout;
///
/// impl Handler for Shout {
///     async fn message(&self, peer: &Peer, message: Message) -> Result<(), Refusal> {
///         let text = String::from_utf8_lossy(&message.body).to_uppercase();
///         peer.send(message.answer(Kind::TEXT, text)).await
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Whether this handler follows up what it sends.
    ///
    /// If so, it is told what became of each message, by [`delivered`](Self::delivered) and [`closed`](Self::closed),
    /// and tells their senders itself, by [`Peer::report`]. Default: `false`: a message that is not refused is reported
    /// to its sender as delivered, and what a plain peer did not receive is forgotten with its connection.
    const REPORTS: bool = false;

    /// Whether [`at_once`](Self::at_once) is worth asking. Default: `false`.
    const ANSWERS_AT_ONCE: bool = false;

    /// Answers a short message of a plain client without a future, and returns whether it did.
    ///
    /// This is for speed alone: the body still lies in the read buffer, and the answers go straight into the output, so
    /// that a pipeline of requests costs about half as much as through [`message`](Self::message). It is asked, if
    /// [`ANSWERS_AT_ONCE`](Self::ANSWERS_AT_ONCE) says so, for bodies below 8 KiB while nothing else waits to be
    /// written; all other messages go to `message`, so that both must do the same. `false` means that nothing has
    /// happened, and the message goes there too.
    fn at_once(&self, peer: &Peer, head: &Head, body: &[u8], answers: &mut Answers) -> bool {
        let _ = (peer, head, body, answers);
        false
    }

    /// A whole message has arrived.
    ///
    /// # Errors
    ///
    /// A refusal is sent back as an ERROR frame with the message's id, and the connection goes on.
    fn message(
        &self,
        peer: &Peer,
        message: Message,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// A large message begins, one longer than [`Config::chunk_bytes`](super::Config::chunk_bytes). Refused as too
    /// long unless implemented.
    ///
    /// What this does not read is skipped.
    ///
    /// # Errors
    ///
    /// As for [`message`](Self::message).
    fn upload(
        &self,
        peer: &Peer,
        upload: Upload,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        let _ = peer;
        let text = format!("this server takes no body of {} bytes", upload.len());
        async move { Err(Refusal::new(Code::TooLong, text)) }
    }

    /// The peer's id has become known: by its hello, or by its first message, which comes next.
    fn joined(&self, peer: &Peer) {
        let _ = peer;
    }

    /// The queue of this peer is empty, and [`Peer::notify_when_empty`] was called before.
    ///
    /// Runs beside the connection's messages, and is cancelled when the connection ends.
    fn empty(&self, peer: &Peer) -> impl Future<Output = ()> + Send {
        let _ = peer;
        async {}
    }

    /// These messages have arrived, in this order: the peer has acknowledged them, or, if it is a plain one, they have
    /// been written. Only those with an id or a cookie are reported.
    fn delivered(&self, peer: &Peer, deliveries: Vec<Delivery>) -> impl Future<Output = ()> + Send {
        let _ = (peer, deliveries);
        async {}
    }

    /// The connection is over, and these messages are not known to have arrived, oldest first. The last call for this
    /// peer.
    fn closed(&self, peer: &Peer, undelivered: Vec<Delivery>) -> impl Future<Output = ()> + Send {
        let _ = (peer, undelivered);
        async {}
    }
}

/// A message on its way to a peer.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Who, to whom, what.
    pub head: Head,
    /// The body; empty if [`is_large`](Self::is_large).
    pub body: Bytes,
    /// A number of the handler's own that comes back with the outcome; 0 for none.
    pub cookie: u128,
    /// The body passed through in chunks and has not been kept.
    pub is_large: bool,
    /// The same message is on its way to other connections too.
    pub(crate) copies: Option<Arc<Copies>>,
}

/// What is known of a message that went to several connections.
#[derive(Debug)]
pub(crate) struct Copies {
    left: AtomicUsize,
    delivered: AtomicBool,
}

impl Copies {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            left: AtomicUsize::new(count),
            delivered: AtomicBool::new(false),
        }
    }
}

impl Delivery {
    /// The outcome of a large body.
    pub(crate) fn large(head: Head) -> Self {
        Self {
            head,
            body: Bytes::new(),
            cookie: 0,
            is_large: true,
            copies: None,
        }
    }

    /// Whether anybody wants to know what became of it.
    pub(crate) fn is_reported(&self) -> bool {
        self.head.id.is_some() || self.cookie != 0 || self.copies.is_some()
    }

    /// Notes that it has arrived; `false` if another copy has before.
    pub(crate) fn is_first_arrival(&self) -> bool {
        self.copies
            .as_ref()
            .is_none_or(|copies| !copies.delivered.swap(true, SeqCst))
    }

    /// Notes that this copy will not arrive; `true` if no other has or will.
    pub(crate) fn is_lost(&self) -> bool {
        self.copies.as_ref().is_none_or(|copies| {
            copies.left.fetch_sub(1, SeqCst) == 1 && !copies.delivered.load(SeqCst)
        })
    }
}

impl From<Message> for Delivery {
    fn from(message: Message) -> Self {
        Self {
            head: message.head,
            body: message.body,
            cookie: 0,
            is_large: false,
            copies: None,
        }
    }
}
