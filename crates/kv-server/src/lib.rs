//! A Redis-compatible server as a library: embed it in tests, in an application, or run it as a process.
//!
//! ```
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = kv_server::Server::builder().start().await?; // 127.0.0.1, a free port, nothing on disk
//! let mut io = server.connect(); // in memory; or any client at `server.url()`
//! io.write_all(b"SET greeting hello\r\nGET greeting\r\n").await?;
//! let mut reply = [0; 16];
//! io.read_exact(&mut reply).await?;
//! assert_eq!(&reply, b"+OK\r\n$5\r\nhello\r\n");
//! # Ok(()) }
//! ```

#![forbid(unsafe_code)]

#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod bench;
mod blocking;
mod builder;
mod call;
mod clients;
mod clock;
mod command;
mod config;
mod connection;
mod context;
mod dialect;
mod direct;
mod dispatch;
mod effect;
mod engine;
mod error;
mod eviction;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod garbage;
mod glob;
mod info;
mod keyspace;
mod latency;
mod listen;
mod lock;
mod long_double;
mod lzf;
mod monitor;
mod patrol;
mod persist;
mod pubsub;
#[cfg(test)]
mod reference;
mod reply;
mod rng;
mod secrets;
mod server;
mod sha1;
mod sha256;
mod slowlog;
mod stats;
mod threads;
mod tracking;
mod value;
mod version;

pub use builder::{Builder, WhenFull};
pub use clock::Clock;
pub use command::{Args, Command, Flags, Group, KeySpec, Keys};
pub use config::{Directive, directives};
pub use context::Context;
pub use dialect::Unknown;
pub use direct::Db;
pub use effect::Effect;
pub use error::{Error, ReplyError, Result};
pub use persist::Existing;
pub use reply::Reply;
pub use server::{Counters, Server};
pub use version::REDIS_VERSION;
