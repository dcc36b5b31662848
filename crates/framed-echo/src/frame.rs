//! A header together with its body.

use std::str::{self, Utf8Error};

use bytes::Bytes;

use crate::{Kind, ReplyHeader, RequestHeader};

/// A whole frame: a header and the body it announced.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame<H> {
    /// The fields in front of the body.
    pub header: H,
    /// The body, exactly as it was sent. A cheap handle: cloning copies no bytes.
    pub body: Bytes,
}

/// A frame from a client to a server.
pub type Request = Frame<RequestHeader>;

/// A frame from a server to a client.
pub type Reply = Frame<ReplyHeader>;

impl<H> Frame<H> {
    /// The body as text.
    ///
    /// # Errors
    ///
    /// Says where the body stops being UTF-8.
    pub fn as_text(&self) -> Result<&str, Utf8Error> {
        str::from_utf8(&self.body)
    }
}

impl Request {
    /// A message of any kind.
    #[must_use]
    pub fn new(sender: u32, receiver: u32, kind: Kind, body: impl Into<Bytes>) -> Self {
        Self {
            header: RequestHeader {
                sender,
                receiver,
                kind,
            },
            body: body.into(),
        }
    }

    /// A text message.
    #[must_use]
    pub fn text(sender: u32, receiver: u32, text: impl Into<String>) -> Self {
        Self::new(sender, receiver, Kind::TEXT, text.into())
    }

    /// The same message in the form in which a server passes it on.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        Reply::new(self.header.sender, self.header.kind, self.body)
    }
}

impl Reply {
    /// A message of any kind.
    #[must_use]
    pub fn new(sender: u32, kind: Kind, body: impl Into<Bytes>) -> Self {
        Self {
            header: ReplyHeader { sender, kind },
            body: body.into(),
        }
    }

    /// A text message.
    #[must_use]
    pub fn text(sender: u32, text: impl Into<String>) -> Self {
        Self::new(sender, Kind::TEXT, text.into())
    }
}
