//! A message as handlers and clients see it, whatever frames carried it.

use bytes::Bytes;

use crate::{Kind, control::MessageId};

/// Everything about a message but its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// Who sends it.
    pub sender: u32,
    /// For whom it is meant.
    pub receiver: u32,
    /// The sender's name for it; plain frames have none.
    pub id: Option<MessageId>,
    /// The id of the message that it answers.
    pub re: Option<MessageId>,
    /// What the body holds.
    pub kind: Kind,
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who, to whom, what.
    pub head: Head,
    /// The body.
    pub body: Bytes,
}

impl Message {
    /// A message without an id.
    #[must_use]
    pub fn new(sender: u32, receiver: u32, kind: Kind, body: impl Into<Bytes>) -> Self {
        let head = Head {
            sender,
            receiver,
            id: None,
            re: None,
            kind,
        };
        Self {
            head,
            body: body.into(),
        }
    }

    /// A text message without an id.
    #[must_use]
    pub fn text(sender: u32, receiver: u32, text: impl Into<String>) -> Self {
        Self::new(sender, receiver, Kind::TEXT, text.into())
    }

    /// The message that answers this one, from its receiver to its sender.
    #[must_use]
    pub fn answer(&self, kind: Kind, body: impl Into<Bytes>) -> Self {
        let head = Head {
            sender: self.head.receiver,
            receiver: self.head.sender,
            id: None,
            re: self.head.id,
            kind,
        };
        Self {
            head,
            body: body.into(),
        }
    }
}
