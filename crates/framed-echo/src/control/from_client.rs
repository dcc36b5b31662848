//! Control frames on the way from a client to a server.

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};

use super::{Malformed, MessageId, kind};
use crate::{Kind, Request};

/// A control frame of a client. The receiver of a message is in the frame's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromClient {
    /// Opens a session.
    Hello {
        /// The highest version of the control frames that the client speaks.
        version: u8,
    },
    /// A whole message.
    Message {
        /// The message's id.
        id: Option<MessageId>,
        /// The message that it answers.
        re: Option<MessageId>,
        /// What the body holds; not a control kind.
        kind: Kind,
        /// The body.
        body: Bytes,
    },
    /// All deliveries up to and including this tag have been handled.
    Ack {
        /// The tag of the last one.
        tag: u64,
    },
    /// Asks for a pong with the same bytes.
    Ping(Bytes),
    /// The answer to a ping.
    Pong(Bytes),
    /// A large body begins.
    Start {
        /// The message's id, which also names the body in the frames that follow.
        id: u64,
        /// The message that it answers.
        re: Option<MessageId>,
        /// What the body holds; not a control kind.
        kind: Kind,
        /// Bytes of the whole body.
        len: u32,
    },
    /// The next bytes of a large body.
    Chunk {
        /// The message's id.
        id: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// The rest of a large body will not come.
    Abort {
        /// The message's id.
        id: u64,
    },
}

impl FromClient {
    /// Reads the body of a control frame; `None` if the kind is not one that a client sends.
    ///
    /// # Errors
    ///
    /// If the body does not have the layout of its kind.
    pub fn decode(kind: Kind, body: Bytes) -> Option<Result<Self, Malformed>> {
        let len = body.len();
        let decoded = Self::decode_body(kind, body).transpose()?;
        Some(decoded.map_err(|_| Malformed { kind, len }))
    }

    fn decode_body(kind: Kind, mut body: Bytes) -> Result<Option<Self>, TryGetError> {
        Ok(Some(match kind {
            kind::HELLO => Self::Hello {
                version: body.try_get_u8()?,
            },
            kind::MESSAGE => Self::Message {
                id: MessageId::new(body.try_get_u64()?),
                re: MessageId::new(body.try_get_u64()?),
                kind: Kind(body.try_get_u8()?),
                body,
            },
            kind::ACK => Self::Ack {
                tag: body.try_get_u64()?,
            },
            kind::PING => Self::Ping(body),
            kind::PONG => Self::Pong(body),
            kind::START => Self::Start {
                id: body.try_get_u64()?,
                re: MessageId::new(body.try_get_u64()?),
                kind: Kind(body.try_get_u8()?),
                len: body.try_get_u32()?,
            },
            kind::CHUNK => Self::Chunk {
                id: body.try_get_u64()?,
                bytes: body,
            },
            kind::ABORT => Self::Abort {
                id: body.try_get_u64()?,
            },
            _ => return Ok(None),
        }))
    }

    /// The frame that says this, from `sender` to `receiver`.
    #[must_use]
    pub fn into_request(self, sender: u32, receiver: u32) -> Request {
        let mut out = BytesMut::new();
        let kind = match self {
            Self::Hello { version } => {
                out.put_u8(version);
                kind::HELLO
            }
            Self::Message { id, re, kind, body } => {
                out.reserve(17 + body.len());
                put_id(&mut out, id);
                put_id(&mut out, re);
                out.put_u8(kind.0);
                out.put(body);
                kind::MESSAGE
            }
            Self::Ack { tag } => {
                out.put_u64(tag);
                kind::ACK
            }
            Self::Ping(body) => return Request::new(sender, receiver, kind::PING, body),
            Self::Pong(body) => return Request::new(sender, receiver, kind::PONG, body),
            Self::Start { id, re, kind, len } => {
                out.put_u64(id);
                put_id(&mut out, re);
                out.put_u8(kind.0);
                out.put_u32(len);
                kind::START
            }
            Self::Chunk { id, bytes } => {
                out.reserve(8 + bytes.len());
                out.put_u64(id);
                out.put(bytes);
                kind::CHUNK
            }
            Self::Abort { id } => {
                out.put_u64(id);
                kind::ABORT
            }
        };
        Request::new(sender, receiver, kind, out)
    }
}

pub(super) fn put_id(out: &mut BytesMut, id: Option<MessageId>) {
    out.put_u64(id.map_or(0, MessageId::get));
}
