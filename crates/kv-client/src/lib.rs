//! An asynchronous client for Redis and Valkey that tells the truth about failures.

#![forbid(unsafe_code)]

mod arg;
mod class;
mod client;
mod command;
mod config;
mod connection;
mod error;
mod from_reply;
mod pipeline;
mod pubsub;
mod reply;
mod request;
mod url;

pub use arg::{ToArg, ToArgs};
pub use class::{Class, Retry};
pub use client::{Client, Stats};
pub use command::{Command, CommandFuture, ExpireTime, KeyType, Side, Ttl, options};
pub use config::{Address, Config, Connector, Credentials, Protocol};
pub use connection::backoff::Backoff;
pub use error::{Error, ErrorKind, Outcome, Phase, ReplyError, Result, ServerError};
pub use from_reply::FromReply;
pub use pipeline::{Batch, Pipeline, Transaction};
pub use pubsub::{Event, Gap, Message, Overflow, Subscribe, Subscription};
pub use reply::{Elements, Reply};
pub use request::Request;
pub use resp_codec::{DecodeError, Frame, Limits};
pub use url::UrlError;
