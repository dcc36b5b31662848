//! The control frames: what a client that says hello can do beyond the plain protocol.
//!
//! A plain client needs none of this. A client whose first frame is HELLO gets an id bound to its connection, message
//! ids, acknowledgements, heartbeats, errors, and large bodies in chunks that leave room for other messages in between.
//! Control frames use the two ordinary headers; the kind says which one it is, and the body is laid out as below. All
//! integers are unsigned and in network byte order; *bytes* and *text* reach to the end of the body.
//!
//! | kind | name | client to server | server to client |
//! |---|---|---|---|
//! | 128 | HELLO | version u8; the header's sender is the id asked for, 0 for any | version u8, id u32, heartbeat_ms u32, chunk_bytes u32, window_chunks u32, then for each kind with a limit of its own: kind u8, max u32 |
//! | 129 | MESSAGE | id u64, re u64, kind u8, bytes | tag u64, id u64, re u64, kind u8, bytes |
//! | 130 | ACK | tag u64: everything up to and including this tag has been handled | id u64, outcome u8: 0 delivered, 1 kept |
//! | 131 | PING | bytes | bytes |
//! | 132 | PONG | the bytes of the ping | the bytes of the ping |
//! | 133 | ERROR | - | text: `code id words`, such as `too-long 0 body of 9 bytes exceeds ...` |
//! | 134 | START | id u64, re u64, kind u8, len u32 | tag u64, id u64, re u64, kind u8, len u32 |
//! | 135 | CHUNK | id u64, bytes | tag u64, bytes |
//! | 136 | CREDIT | - | id u64, chunks u32: so many more CHUNKs of this body may be sent |
//! | 137 | ABORT | id u64: the rest of this body will not come | tag u64: the same |
//! | 138 | GOODBYE | - | empty: the server is about to stop, and reads no more messages |
//!
//! *id* is chosen by the sender and unique among its messages; 0 means that it wants no answer. *re* is the id of the
//! message that this one answers, or 0. *tag* counts the deliveries of one connection, from 1. The header's receiver
//! (client to server) and sender (server to client) mean what they mean in a plain frame; in frames about the connection
//! itself they are 0.
//!
//! ERROR is the one control frame that a plain client may receive, because a refused message must not vanish without a
//! word; it is text for that reason.

mod from_client;
mod from_server;

pub use from_client::FromClient;
pub use from_server::{Code, FromServer, Outcome, Refusal, Welcome};
pub(crate) use from_server::{MESSAGE_PREFIX, put_message_prefix};

/// The version of the control frames that this crate speaks.
pub const VERSION: u8 = 1;

/// The longest body of a PING, in bytes.
pub const MAX_PING_BYTES: usize = 125;

/// Room for the fields in front of the bytes of a MESSAGE or CHUNK.
pub(crate) const CONTROL_BYTES: u32 = 64;

/// A message's id as its sender chose it; `None` on the wire is 0.
pub type MessageId = std::num::NonZeroU64;

/// The kinds, by name.
pub mod kind {
    use crate::Kind;

    /// Opens a session.
    pub const HELLO: Kind = Kind(128);
    /// A message with an id.
    pub const MESSAGE: Kind = Kind(129);
    /// What became of messages.
    pub const ACK: Kind = Kind(130);
    /// Are you there?
    pub const PING: Kind = Kind(131);
    /// I am.
    pub const PONG: Kind = Kind(132);
    /// A message or a request was refused.
    pub const ERROR: Kind = Kind(133);
    /// A large body begins.
    pub const START: Kind = Kind(134);
    /// A part of a large body.
    pub const CHUNK: Kind = Kind(135);
    /// More chunks may be sent.
    pub const CREDIT: Kind = Kind(136);
    /// A large body ends before its time.
    pub const ABORT: Kind = Kind(137);
    /// The server is about to stop.
    pub const GOODBYE: Kind = Kind(138);
}

/// A control frame whose body does not have the layout of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {kind} frame with a body of {len} bytes")]
pub struct Malformed {
    /// The frame's kind.
    pub kind: crate::Kind,
    /// The length of its body.
    pub len: usize,
}
