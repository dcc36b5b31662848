//! What a client receives, and its acknowledgement.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tokio::sync::{Notify, mpsc};

use crate::{Head, Message, body::Body, control::Refusal, server::Incomplete};

/// Something that a client receives.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A whole message.
    Message(Message),
    /// A large message begins; read its body before the next event, or drop it.
    Large(LargeMessage),
    /// The server refused something that belongs to no message under way.
    Refused(Refusal),
    /// The connection is lost; the client tries to get another one if it is set up to.
    Disconnected,
    /// There is a connection again.
    Reconnected,
}

/// The stream of what a client receives. It ends when the client has no connection and will get none.
///
/// A message counts as handled when the next event is asked for; then it is acknowledged to the server. Until then
/// the server keeps it, so that a crash in between loses nothing. What is still unread when this is dropped has not been
/// handled.
#[derive(Debug)]
pub struct Incoming {
    events: mpsc::Receiver<Arrived>,
    acks: Arc<Acks>,
    /// What the application is working on.
    current: Option<Receipt>,
}

/// An event, and how to acknowledge it.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) event: Event,
    pub(super) receipt: Option<Receipt>,
}

/// The delivery to acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The connection that it came over; tags mean nothing on another one.
    pub(super) link: u64,
    pub(super) tag: u64,
}

/// What the application has handled and the driver has not told the server yet.
#[derive(Debug, Default)]
pub(super) struct Acks {
    handled: Mutex<Handled>,
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Handled {
    /// The last whole message; those before it are handled too.
    pub(super) message: Option<Receipt>,
    /// Large ones.
    pub(super) large: Vec<Receipt>,
}

impl Acks {
    pub(super) fn take(&self) -> Handled {
        mem::take(&mut self.handled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn message(&self, receipt: Receipt) {
        self.handled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .message = Some(receipt);
        self.changed.notify_one();
    }

    fn large(&self, receipt: Receipt) {
        self.handled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .large
            .push(receipt);
        self.changed.notify_one();
    }
}

impl Incoming {
    pub(super) fn new(events: mpsc::Receiver<Arrived>, acks: Arc<Acks>) -> Self {
        Self {
            events,
            acks,
            current: None,
        }
    }

    /// Acknowledges the last message now, and not only when the next is asked for.
    pub fn acknowledge(&mut self) {
        if let Some(receipt) = self.current.take() {
            self.acks.message(receipt);
        }
    }
}

impl Stream for Incoming {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.acknowledge();
        let Some(arrived) = ready!(self.events.poll_recv(cx)) else {
            return Poll::Ready(None);
        };
        self.current = arrived.receipt;
        Poll::Ready(Some(arrived.event))
    }
}

/// A large message whose body arrives in pieces. It is acknowledged when the last piece has been read.
#[derive(Debug)]
pub struct LargeMessage {
    head: Head,
    body: Body,
    ack: Option<(Arc<Acks>, Receipt)>,
}

impl LargeMessage {
    pub(super) fn new(
        head: Head,
        len: u32,
        chunks: mpsc::Receiver<Bytes>,
        ack: Option<(Arc<Acks>, Receipt)>,
    ) -> Self {
        Self {
            head,
            body: Body::new(len, chunks),
            ack,
        }
    }

    /// Who, to whom, what.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Bytes of the whole body.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "large by definition")]
    pub fn len(&self) -> u32 {
        self.body.len()
    }

    /// The next bytes; `None` behind the last.
    ///
    /// # Errors
    ///
    /// If the message was broken off by its sender, or with the connection.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Incomplete> {
        let chunk = self.body.chunk().await?;
        if self.body.is_read() {
            if let Some((acks, receipt)) = self.ack.take() {
                acks.large(receipt);
            }
        }
        Ok(chunk)
    }

    /// Reads the whole body into memory.
    ///
    /// # Errors
    ///
    /// As for [`chunk`](Self::chunk).
    pub async fn collect(mut self) -> Result<Message, Incomplete> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(Message {
            head: self.head,
            body: body.freeze(),
        })
    }
}
