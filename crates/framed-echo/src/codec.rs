//! Frames from bytes, and bytes from frames: one codec for both headers.

use std::marker::PhantomData;

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::{Error, Frame, Header, Kind, Limits, ReplyHeader, RequestHeader};

/// Reads frames with header `In` and writes frames with header `Out`; for use with [`Framed`].
///
/// It keeps no bytes itself, never reserves memory for a length that a peer announced, and never searches bytes twice.
///
/// ```
/// use bytes::BytesMut;
/// use framed_echo::{Item, Request, RequestCodec};
/// use tokio_util::codec::{Decoder, Encoder};
///
/// # fn main() -> Result<(), framed_echo::Error> {
/// let mut codec = RequestCodec::new();
/// let mut bytes = BytesMut::new();
/// codec.encode(Request::text(10_000_000, 10_000_001, "hi"), &mut bytes)?;
/// assert_eq!(bytes[..], *b"\x00\x98\x96\x80\x00\x98\x96\x81\x01\x00\x00\x00\x02hi");
///
/// let item = codec.decode(&mut bytes)?;
/// assert_eq!(item, Some(Item::Frame(Request::text(10_000_000, 10_000_001, "hi"))));
/// # Ok(())
/// # }
/// ```
///
/// [`Framed`]: tokio_util::codec::Framed
#[derive(Clone, Debug)]
pub struct Codec<In, Out = In> {
    limits: Limits,
    /// A body longer than this arrives in chunks; see [`chunked`](Self::chunked).
    chunk_bytes: u32,
    state: State<In>,
    out: PhantomData<fn(Out)>,
}

/// Both directions in the request form, as a capture of a client's half of a connection has them.
pub type RequestCodec = Codec<RequestHeader>;

/// Both directions in the reply form.
pub type ReplyCodec = Codec<ReplyHeader>;

/// The server's side: reads requests, writes replies.
pub type ServerCodec = Codec<RequestHeader, ReplyHeader>;

/// The client's side: reads replies, writes requests.
pub type ClientCodec = Codec<ReplyHeader, RequestHeader>;

/// What the decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<H> {
    /// A whole frame.
    Frame(Frame<H>),
    /// A body longer than its limit has been announced. It is skipped as it arrives, and the frame behind it is the
    /// next item: answer with an error and read on.
    TooLong {
        /// The header of the frame that is skipped.
        header: H,
        /// Bytes that the header announced.
        len: u32,
        /// The limit that this exceeds, in bytes.
        max: u32,
    },
    /// A large body begins; [`Item::Chunk`]s of `len` bytes in sum follow. Only from a [`chunked`](Codec::chunked)
    /// codec.
    Start {
        /// The header of the frame.
        header: H,
        /// Bytes of the whole body.
        len: u32,
    },
    /// The next bytes of a large body, never empty.
    Chunk {
        /// The bytes.
        bytes: Bytes,
        /// Bytes of this body still to come after these; 0 with the last chunk.
        left: usize,
    },
}

/// Where in a frame the next byte belongs. `left` counts the bytes of the body that have not been decoded yet.
#[derive(Clone, Copy, Debug)]
enum State<H> {
    Header,
    Body { header: H, len: u32 },
    Chunks { kind: Kind, len: u32, left: usize },
    Skip { kind: Kind, len: u32, left: usize },
}

impl<In, Out> Codec<In, Out> {
    /// A codec with the default [`Limits`] that yields only whole frames.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limits: Limits::default(),
            chunk_bytes: u32::MAX,
            state: State::Header,
            out: PhantomData,
        }
    }

    /// Replaces the limits, for both directions. Takes effect with the next header.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Hands out bodies longer than `chunk_bytes` piece by piece, as [`Item::Start`] and [`Item::Chunk`]s of at most
    /// `chunk_bytes` (at least 1), so that a body of any length passes through bounded memory.
    #[must_use]
    pub fn chunked(mut self, chunk_bytes: u32) -> Self {
        self.chunk_bytes = chunk_bytes.max(1);
        self
    }

    /// Whether everything decoded so far ends with a whole frame.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Header)
    }
}

impl<In: Header, Out> Codec<In, Out> {
    /// The frame at the start of `bytes`, without taking it: if a frame begins there, is there as a whole, and is
    /// neither too long nor to be handed out in chunks.
    pub(crate) fn whole<'a>(&self, bytes: &'a [u8]) -> Option<(In, &'a [u8])> {
        if !self.is_between_frames() {
            return None;
        }
        let (mut header, rest) = bytes.split_at_checked(In::LEN)?;
        let (header, len) = In::read(&mut header);
        let max = self.limits.of(header.kind()).min(self.chunk_bytes);
        let body = rest.get(..len as usize).filter(|_| len <= max)?;
        Some((header, body))
    }
}

impl<In, Out> Default for Codec<In, Out> {
    fn default() -> Self {
        Self::new()
    }
}

impl<In: Header, Out> Decoder for Codec<In, Out> {
    type Item = Item<In>;
    type Error = Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Item<In>>, Error> {
        loop {
            match &mut self.state {
                State::Header => {
                    if src.len() < In::LEN {
                        return Ok(None);
                    }
                    let (header, len) = In::read(&mut &src[..In::LEN]);
                    src.advance(In::LEN);
                    let kind = header.kind();
                    let max = self.limits.of(kind);
                    let left = len as usize;
                    if len > max {
                        self.state = State::Skip { kind, len, left };
                        return Ok(Some(Item::TooLong { header, len, max }));
                    }
                    if len > self.chunk_bytes {
                        self.state = State::Chunks { kind, len, left };
                        return Ok(Some(Item::Start { header, len }));
                    }
                    self.state = State::Body { header, len };
                }
                State::Body { header, len } => {
                    let (header, len) = (*header, *len as usize);
                    if src.len() < len {
                        return Ok(None);
                    }
                    self.state = State::Header;
                    let body = src.split_to(len).freeze();
                    return Ok(Some(Item::Frame(Frame { header, body })));
                }
                State::Chunks { left, .. } => {
                    if src.is_empty() {
                        return Ok(None);
                    }
                    let here = src.len().min(*left).min(self.chunk_bytes as usize);
                    *left -= here;
                    let left = *left;
                    if left == 0 {
                        self.state = State::Header;
                    }
                    let bytes = src.split_to(here).freeze();
                    return Ok(Some(Item::Chunk { bytes, left }));
                }
                State::Skip { left, .. } => {
                    let here = src.len().min(*left);
                    src.advance(here);
                    *left -= here;
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::Header;
                }
            }
        }
    }

    /// The last items, then an error if the stream ended inside a frame.
    ///
    /// tokio-util's own length codec calls an end right behind a header a clean one; here it is an error.
    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Item<In>>, Error> {
        if let Some(item) = self.decode(src)? {
            return Ok(Some(item));
        }
        let have = src.len();
        src.clear(); // reported once: `Framed` asks again
        match std::mem::replace(&mut self.state, State::Header) {
            State::Header if have == 0 => Ok(None),
            State::Header => Err(Error::EndInHeader {
                missing: In::LEN - have,
                len: In::LEN,
            }),
            State::Body { header, len } => Err(Error::EndInBody {
                kind: header.kind(),
                missing: len as usize - have,
                len,
            }),
            State::Chunks { kind, len, left } | State::Skip { kind, len, left } => {
                Err(Error::EndInBody {
                    kind,
                    missing: left,
                    len,
                })
            }
        }
    }
}

impl<In, Out: Header> Encoder<Frame<Out>> for Codec<In, Out> {
    type Error = Error;

    /// Appends a frame.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if the body exceeds the limit of its kind; then nothing has been appended.
    fn encode(&mut self, frame: Frame<Out>, dst: &mut BytesMut) -> Result<(), Error> {
        let kind = frame.header.kind();
        let max = self.limits.of(kind);
        let len = frame.body.len();
        let body_len = u32::try_from(len).ok().filter(|len| *len <= max);
        let body_len = body_len.ok_or(Error::TooLong { kind, len, max })?;
        dst.reserve(Out::LEN + len);
        frame.header.write(body_len, dst);
        dst.extend_from_slice(&frame.body);
        Ok(())
    }
}
