//! RESP2 and RESP3, the Redis serialization protocol, as a resumable, bounded tokio-util codec.

#![forbid(unsafe_code)]

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
mod reply;
mod request;
mod tape;
mod version;
mod view;
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
