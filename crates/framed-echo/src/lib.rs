#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
pub mod client;
mod codec;
pub mod control;
mod error;
mod frame;
mod header;
pub mod inbox;
mod kind;
mod limits;
mod message;
mod output;
pub mod relay;
pub mod server;

pub use codec::{ClientCodec, Codec, Item, ReplyCodec, RequestCodec, ServerCodec};
pub use error::Error;
pub use frame::{Frame, Reply, Request};
pub use header::{Header, ReplyHeader, RequestHeader};
pub use kind::Kind;
pub use limits::Limits;
pub use message::{Head, Message};
