//! The two headers on the wire. To make a protocol of your own, this is the file to change.

use bytes::{Buf, BufMut, BytesMut};

use crate::Kind;

/// A header of fixed size that announces the length of the body behind it.
///
/// A codec for any such header is [`Codec<YourHeader>`](crate::Codec). The length itself is not a field of the header:
/// it follows from the body and is written in front of it, so the two cannot disagree.
pub trait Header: Copy + Send + 'static {
    /// Bytes of the header on the wire.
    const LEN: usize;

    /// Takes a header apart: the fields, and the length of the body in bytes.
    fn read(bytes: &mut impl Buf) -> (Self, u32);

    /// Appends exactly [`LEN`](Self::LEN) bytes.
    fn write(&self, body_len: u32, out: &mut BytesMut);

    /// What the body holds; its limit depends on it.
    fn kind(&self) -> Kind;
}

/// What a client puts in front of a body: 13 bytes.
///
/// ```text
/// 0        4          8      9        13
/// +--------+----------+------+--------+------
/// | sender | receiver | kind | length | body
/// |  u32   |   u32    |  u8  |  u32   |
/// +--------+----------+------+--------+------
/// ```
///
/// All integers are unsigned and in network byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestHeader {
    /// Who sends.
    pub sender: u32,
    /// For whom it is meant.
    pub receiver: u32,
    /// What the body holds.
    pub kind: Kind,
}

/// What a server puts in front of a body: 9 bytes.
///
/// ```text
/// 0        4      5        9
/// +--------+------+--------+------
/// | sender | kind | length | body
/// |  u32   |  u8  |  u32   |
/// +--------+------+--------+------
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyHeader {
    /// Who sent the message; 0 is the server itself.
    pub sender: u32,
    /// What the body holds.
    pub kind: Kind,
}

impl Header for RequestHeader {
    const LEN: usize = 13;

    fn read(bytes: &mut impl Buf) -> (Self, u32) {
        let header = Self {
            sender: bytes.get_u32(),
            receiver: bytes.get_u32(),
            kind: Kind(bytes.get_u8()),
        };
        (header, bytes.get_u32())
    }

    fn write(&self, body_len: u32, out: &mut BytesMut) {
        out.put_u32(self.sender);
        out.put_u32(self.receiver);
        out.put_u8(self.kind.0);
        out.put_u32(body_len);
    }

    fn kind(&self) -> Kind {
        self.kind
    }
}

impl Header for ReplyHeader {
    const LEN: usize = 9;

    fn read(bytes: &mut impl Buf) -> (Self, u32) {
        let header = Self {
            sender: bytes.get_u32(),
            kind: Kind(bytes.get_u8()),
        };
        (header, bytes.get_u32())
    }

    fn write(&self, body_len: u32, out: &mut BytesMut) {
        out.put_u32(self.sender);
        out.put_u8(self.kind.0);
        out.put_u32(body_len);
    }

    fn kind(&self) -> Kind {
        self.kind
    }
}
