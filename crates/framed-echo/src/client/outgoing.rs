//! What a client sends, from the moment it is posted to the moment its outcome is known.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::{SendError, Sent};
use crate::Message;

/// What a handle asks of the driver.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) outgoing: Outgoing,
    /// Where the answer goes, if one is waited for.
    pub(super) answer: Option<oneshot::Sender<Message>>,
}

/// A message from the moment it is posted to the moment its outcome is known.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) id: u64,
    pub(super) message: Message,
    /// Where the body comes from if it is not in `message`, and its length.
    pub(super) source: Option<(u32, mpsc::Receiver<Bytes>)>,
    /// The body was taken from its source, and cannot be sent again.
    pub(super) is_stream: bool,
    done: oneshot::Sender<Result<Sent, SendError>>,
    pub(super) answer: Option<oneshot::Sender<Message>>,
}

impl Outgoing {
    pub(super) fn new(
        message: Message,
        source: Option<(u32, mpsc::Receiver<Bytes>)>,
        done: oneshot::Sender<Result<Sent, SendError>>,
    ) -> Self {
        Self {
            id: 0,
            message,
            is_stream: source.is_some(),
            source,
            done,
            answer: None,
        }
    }

    /// Bytes of the whole body.
    pub(super) fn len(&self) -> u32 {
        match &self.source {
            Some((len, _)) => *len,
            None => u32::try_from(self.message.body.len()).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn finish(self, outcome: Result<Sent, SendError>) {
        let _ = self.done.send(outcome); // nobody may be waiting
    }

    pub(super) fn give_back(self, may_have_arrived: bool) {
        let lost = match self.is_stream {
            true => SendError::Incomplete,
            false => SendError::Lost {
                message: Box::new(self.message),
                may_have_arrived,
            },
        };
        let _ = self.done.send(Err(lost));
    }
}
