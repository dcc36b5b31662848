//! RESP2 and RESP3, the Redis serialization protocol, as a resumable, bounded tokio-util codec.
//!
//! For both sides of a connection: [`RespCodec`] with its [`Frame`] for general use, and below it the parts that a
//! server and a client use where every nanosecond counts.
//!
//! ```
//! use futures::{SinkExt, StreamExt};
//! use resp_codec::{Frame, RespCodec, Version};
//! use tokio_util::codec::Framed;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), resp_codec::Error> {
//! # let (stream, server) = tokio::io::duplex(1024); // in place of `TcpStream::connect("127.0.0.1:6379").await?`
//! # let answer = async {
//! #     let mut server = Framed::new(server, RespCodec::new(Version::Resp2));
//! #     let request = server.next().await.unwrap()?;
//! #     assert_eq!(request, Frame::request(["INCR", "hits"]));
//! #     server.send(Frame::from(1)).await
//! # };
//! # let ask = async move {
//! let mut connection = Framed::new(stream, RespCodec::new(Version::Resp2));
//! connection.send(Frame::request(["INCR", "hits"])).await?;
//! let reply = connection.next().await.expect("the server answers")?;
//! assert_eq!(reply.as_i64(), Some(1));
//! # Ok::<_, resp_codec::Error>(())
//! # };
//! # let (answered, asked) = futures::join!(answer, ask);
//! # answered.and(asked)
//! # }
//! ```
//!
//! # Which part to use
//!
//! | you want | use | it costs |
//! |---|---|---|
//! | a `Stream` and a `Sink` of values | [`RespCodec`] in [`Framed`] | one allocation an aggregate; strings share the read buffer |
//! | requests, in a server | [`RequestDecoder`] | nothing: arguments are places in the buffer |
//! | replies, read where they stand | [`FrameDecoder::decode`] | nothing, once the decoder is warm |
//! | replies, handed to another task | [`FrameDecoder::decode_owned`] | one allocation an aggregate |
//! | to write | [`mod@write`] | nothing beyond the buffer |
//!
//! Decoders are *resumable*: after `None` they are called again with more bytes and go on where they stopped, so a frame
//! in a thousand pieces costs about as much as in one. They are *iterative*: nesting is counted, not recursed. And they
//! are *bounded* by [`Limits`], which may change while they run: nothing is reserved from a length that the peer has
//! announced, and memory stays in proportion to the bytes that have arrived.
//!
//! # Types
//!
//! Reading accepts both versions at all times. What is written depends on the [`Version`]; a type that RESP2 lacks is
//! written there as Redis does.
//!
//! | [`Frame`] | RESP3 | RESP2 |
//! |---|---|---|
//! | `SimpleString` | `+OK` | the same |
//! | `Error` | `-ERR text` | the same |
//! | `Integer` | `:1` | the same |
//! | `BulkString` | `$2 ok`; read also streamed, `$?` | the same |
//! | `Null` | `_` | `$-1` |
//! | `NullArray` | `_` | `*-1` |
//! | `Array` | `*2 ...`; read also streamed, `*?` | the same |
//! | `Double` | `,1.5` `,inf` `,nan` | bulk string |
//! | `Boolean` | `#t` | `:1` |
//! | `BigNumber` | `(123...` | bulk string |
//! | `BulkError` | `!5 ERR x` | `-ERR x`, line ends as blanks |
//! | `Verbatim` | `=6 txt:ok` | bulk string without the format |
//! | `Map` | `%1 ...`; read also streamed, `%?` | array of keys and values in turn |
//! | `Set` | `~2 ...`; read also streamed, `~?` | array |
//! | `Push` | `>2 ...` | array |
//! | `Attributed` | `\|1 ...` and the frame | the frame alone |
//!
//! Line ends in a simple string or an error would let a text forge a reply, so they are written as blanks.
//!
//! # After an error
//!
//! A [`DecodeError`] says what is wrong and where. The stream has lost its framing then: what follows may be the inside
//! of a value that someone else chose. **Close the connection**; a server first writes an error reply. Every decoder
//! repeats its error for whatever else it is given, and `Framed` ends its stream after it.
//!
//! An error *reply* ([`Frame::Error`]) is a value like any other.
//!
//! # Cancel safety
//!
//! Nothing here waits or does any I/O. A future of `Framed` that is dropped loses no bytes: what has been read stays in
//! the buffer, and how far it was scanned stays in the codec.
//!
//! [`Framed`]: tokio_util::codec::Framed

#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // a header is whatever the peer sent

mod build;
mod codec;
mod decode;
mod encode;
mod error;
mod frame;
mod inline;
mod limits;
mod line;
pub mod number;
mod plain;
mod reply;
mod request;
mod tape;
mod version;
mod view;
mod word;
pub mod write;

pub use codec::RespCodec;
pub use decode::FrameDecoder;
pub use error::{DecodeError, DecodeErrorKind, Error};
pub use frame::Frame;
pub use limits::Limits;
pub use reply::OwnedFrame;
pub use request::{Arg, RequestDecoder};
pub use tape::Kind;
pub use version::Version;
pub use view::{Children, FrameRef, Pairs};

/// Compiles and runs the program in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
