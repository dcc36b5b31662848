//! Control frames on the way from a server to a client.

use std::{fmt, str, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};

use super::{Malformed, MessageId, from_client::put_id, kind};
use crate::{Kind, Reply};

/// A control frame of a server. The sender of a message is in the frame's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromServer {
    /// Answers a hello.
    Welcome(Welcome),
    /// A whole message.
    Message {
        /// The number of this delivery; to be acknowledged.
        tag: u64,
        /// The message's id, as its sender chose it.
        id: Option<MessageId>,
        /// The message that it answers.
        re: Option<MessageId>,
        /// What the body holds.
        kind: Kind,
        /// The body.
        body: Bytes,
    },
    /// What became of a message of this client.
    Ack {
        /// The message's id.
        id: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// Asks for a pong with the same bytes.
    Ping(Bytes),
    /// The answer to a ping.
    Pong(Bytes),
    /// Something was refused.
    Error(Refusal),
    /// A large body begins.
    Start {
        /// The number of this delivery; to be acknowledged after the last chunk.
        tag: u64,
        /// The message's id, as its sender chose it.
        id: Option<MessageId>,
        /// The message that it answers.
        re: Option<MessageId>,
        /// What the body holds.
        kind: Kind,
        /// Bytes of the whole body.
        len: u32,
    },
    /// The next bytes of a large body.
    Chunk {
        /// The delivery's number.
        tag: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// More chunks of a large body may be sent.
    Credit {
        /// The message's id.
        id: u64,
        /// So many more.
        chunks: u32,
    },
    /// The rest of a large body will not come.
    Abort {
        /// The delivery's number.
        tag: u64,
    },
    /// The server is about to stop.
    Goodbye,
}

/// What a server tells a client that said hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The version of the control frames that both ends will use.
    pub version: u8,
    /// The id bound to this connection.
    pub id: u32,
    /// The server pings after this long without a frame; zero: never. Whole milliseconds.
    pub heartbeat: Duration,
    /// Bodies longer than this have to be sent in chunks, each at most this long. In bytes.
    pub chunk_bytes: u32,
    /// Chunks of one body that may be sent before the first credit.
    pub window_chunks: u32,
    /// The longest body of each kind that the server names, in bytes.
    pub limits: Vec<(Kind, u32)>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A connection of the receiver has acknowledged it, or, if that is a plain client, it has been written to it.
    Delivered,
    /// The receiver is away; the message is in the inbox.
    Kept,
}

/// Why a message was refused, in an ERROR frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct Refusal {
    /// What kind of reason, for programs.
    pub code: Code,
    /// The message that was refused, if it had an id.
    pub id: Option<MessageId>,
    /// The reason, for people.
    pub text: String,
}

impl Refusal {
    /// A refusal of a message without an id; the server fills in the id of the message that it answers.
    #[must_use]
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            id: None,
            text: text.into(),
        }
    }
}

/// Kinds of reasons for a [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The body exceeds the limit of its kind.
    TooLong,
    /// The sender's id is not the one bound to the connection.
    NotYourId,
    /// The receiver is away, and the message cannot be kept for it.
    Away,
    /// The receiver's inbox is full.
    InboxFull,
    /// The inbox does not answer; try again.
    InboxFailed,
    /// The receiver reads too slowly, and the message was given up.
    Dropped,
    /// The server has no memory left for this; try again.
    Busy,
    /// A control frame of an unknown kind.
    UnknownKind,
    /// A control frame whose body makes no sense, or that makes no sense here.
    Malformed,
    /// More chunks were sent than there was credit for.
    NoCredit,
    /// A code that this version does not know.
    Other,
}

const CODES: [(Code, &str); 11] = [
    (Code::TooLong, "too-long"),
    (Code::NotYourId, "not-your-id"),
    (Code::Away, "away"),
    (Code::InboxFull, "inbox-full"),
    (Code::InboxFailed, "inbox-failed"),
    (Code::Dropped, "dropped"),
    (Code::Busy, "busy"),
    (Code::UnknownKind, "unknown-kind"),
    (Code::Malformed, "malformed"),
    (Code::NoCredit, "no-credit"),
    (Code::Other, "other"),
];

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = CODES.iter().find(|(code, _)| code == self);
        f.write_str(name.map_or("other", |(_, name)| name))
    }
}

impl FromServer {
    /// Reads the body of a control frame; `None` if the kind is not one that a server sends.
    ///
    /// # Errors
    ///
    /// If the body does not have the layout of its kind.
    pub fn decode(kind: Kind, body: Bytes) -> Option<Result<Self, Malformed>> {
        let len = body.len();
        let decoded = Self::decode_body(kind, body).transpose()?;
        Some(decoded.map_err(|_| Malformed { kind, len }))
    }

    fn decode_body(kind: Kind, mut body: Bytes) -> Result<Option<Self>, Unreadable> {
        Ok(Some(match kind {
            kind::HELLO => Self::Welcome(Welcome::decode(body)?),
            kind::MESSAGE => Self::Message {
                tag: body.try_get_u64()?,
                id: MessageId::new(body.try_get_u64()?),
                re: MessageId::new(body.try_get_u64()?),
                kind: Kind(body.try_get_u8()?),
                body,
            },
            kind::ACK => Self::Ack {
                id: body.try_get_u64()?,
                outcome: match body.try_get_u8()? {
                    0 => Outcome::Delivered,
                    1 => Outcome::Kept,
                    _ => return Err(Unreadable),
                },
            },
            kind::PING => Self::Ping(body),
            kind::PONG => Self::Pong(body),
            kind::ERROR => Self::Error(Refusal::decode(&body)?),
            kind::START => Self::Start {
                tag: body.try_get_u64()?,
                id: MessageId::new(body.try_get_u64()?),
                re: MessageId::new(body.try_get_u64()?),
                kind: Kind(body.try_get_u8()?),
                len: body.try_get_u32()?,
            },
            kind::CHUNK => Self::Chunk {
                tag: body.try_get_u64()?,
                bytes: body,
            },
            kind::CREDIT => Self::Credit {
                id: body.try_get_u64()?,
                chunks: body.try_get_u32()?,
            },
            kind::ABORT => Self::Abort {
                tag: body.try_get_u64()?,
            },
            kind::GOODBYE => Self::Goodbye,
            _ => return Ok(None),
        }))
    }

    /// The frame that says this; `sender` is whose message it is about, 0 in a frame about the connection.
    #[must_use]
    pub fn into_reply(self, sender: u32) -> Reply {
        let mut out = BytesMut::new();
        let kind = match self {
            Self::Welcome(welcome) => {
                welcome.encode(&mut out);
                kind::HELLO
            }
            Self::Message {
                tag,
                id,
                re,
                kind,
                body,
            } => {
                out.reserve(MESSAGE_PREFIX + body.len());
                put_message_prefix(&mut out, tag, id, re, kind);
                out.put(body);
                kind::MESSAGE
            }
            Self::Ack { id, outcome } => {
                out.put_u64(id);
                out.put_u8(match outcome {
                    Outcome::Delivered => 0,
                    Outcome::Kept => 1,
                });
                kind::ACK
            }
            Self::Ping(body) => return Reply::new(sender, kind::PING, body),
            Self::Pong(body) => return Reply::new(sender, kind::PONG, body),
            Self::Error(refusal) => return Reply::new(sender, kind::ERROR, refusal.encode()),
            Self::Start {
                tag,
                id,
                re,
                kind,
                len,
            } => {
                put_message_prefix(&mut out, tag, id, re, kind);
                out.put_u32(len);
                kind::START
            }
            Self::Chunk { tag, bytes } => {
                out.reserve(8 + bytes.len());
                out.put_u64(tag);
                out.put(bytes);
                kind::CHUNK
            }
            Self::Credit { id, chunks } => {
                out.put_u64(id);
                out.put_u32(chunks);
                kind::CREDIT
            }
            Self::Abort { tag } => {
                out.put_u64(tag);
                kind::ABORT
            }
            Self::Goodbye => kind::GOODBYE,
        };
        Reply::new(sender, kind, out)
    }
}

/// Bytes in front of the body of a MESSAGE to a client.
pub(crate) const MESSAGE_PREFIX: usize = 25;

/// Appends what stands in front of the body of a MESSAGE to a client, [`MESSAGE_PREFIX`] bytes.
pub(crate) fn put_message_prefix(
    out: &mut BytesMut,
    tag: u64,
    id: Option<MessageId>,
    re: Option<MessageId>,
    kind: Kind,
) {
    out.put_u64(tag);
    put_id(out, id);
    put_id(out, re);
    out.put_u8(kind.0);
}

impl Welcome {
    fn decode(mut body: Bytes) -> Result<Self, Unreadable> {
        let mut welcome = Self {
            version: body.try_get_u8()?,
            id: body.try_get_u32()?,
            heartbeat: Duration::from_millis(body.try_get_u32()?.into()),
            chunk_bytes: body.try_get_u32()?,
            window_chunks: body.try_get_u32()?,
            limits: Vec::new(),
        };
        while body.has_remaining() {
            welcome
                .limits
                .push((Kind(body.try_get_u8()?), body.try_get_u32()?));
        }
        Ok(welcome)
    }

    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.version);
        out.put_u32(self.id);
        out.put_u32(u32::try_from(self.heartbeat.as_millis()).unwrap_or(u32::MAX));
        out.put_u32(self.chunk_bytes);
        out.put_u32(self.window_chunks);
        for (kind, max) in &self.limits {
            out.put_u8(kind.0);
            out.put_u32(*max);
        }
    }
}

impl Refusal {
    /// Text, so that a plain client that prints whatever it receives shows something readable.
    fn encode(&self) -> String {
        format!(
            "{} {} {}",
            self.code,
            self.id.map_or(0, MessageId::get),
            self.text
        )
    }

    fn decode(body: &[u8]) -> Result<Self, Unreadable> {
        let mut words = str::from_utf8(body).map_err(|_| Unreadable)?.splitn(3, ' ');
        let (Some(code), Some(id)) = (words.next(), words.next()) else {
            return Err(Unreadable);
        };
        let code = CODES.iter().find(|(_, name)| *name == code);
        Ok(Self {
            code: code.map_or(Code::Other, |(code, _)| *code),
            id: MessageId::new(id.parse().map_err(|_| Unreadable)?),
            text: words.next().unwrap_or_default().to_owned(),
        })
    }
}

/// A body that is too short, or holds a value without a meaning.
struct Unreadable;

impl From<TryGetError> for Unreadable {
    fn from(_: TryGetError) -> Self {
        Self
    }
}
