//! The server: accepts connections, reads messages, and gives them to a [`Handler`].
//!
//! | to change | see |
//! |---|---|
//! | what it does with messages | [`Handler`], [`Builder::handler`] |
//! | limits, timeouts, queues | [`Config`] |
//! | where it listens | [`Builder::bind`] and its neighbours |
//!
//! What happens is told through [`tracing`](https://docs.rs/tracing), without the bodies of messages. All events of a
//! connection are inside its span, `conn{id, peer}` at `debug`: its number and where it comes from.
//!
//! | event | level | fields | when |
//! |---|---|---|---|
//! | `open` | debug | | a connection begins |
//! | `joined` | debug | `id`, `session` | it says who it is, by a hello (`session`) or by its first message |
//! | `message` | trace | `kind`, `len` | a message has come |
//! | `large message` | trace | `kind`, `len` | a large one begins to come |
//! | `refused` | debug | `code` | something of the peer's was refused: see [`Code`](crate::control::Code) |
//! | `truncated` | debug | `error` | the stream ended inside a frame |
//! | `slow reader` | debug | `connection`, `policy` | a message met a full queue, that of the connection of this number |
//! | `ping` | trace | | a heartbeat is sent |
//! | `closed` | debug | `end`, `undelivered` | a connection is over: why, and how many messages it has not received |
//! | `no handshake`, `turned away` | debug | `error`, none | a connection that never began |
//! | `listening` | info | `address` | the server can be connected to |
//! | `draining` | info | `open`, `deadline` | the server ends: so many connections are open |
//! | `stopped` | info | `finished`, `cut` | the server has ended |
//! | `cannot accept a connection` | warn | `error` | out of descriptors, as a rule; it is tried again |
//!
//! The [`relay`](crate::relay) adds `inbox failed`, `cannot fetch from the inbox` and `delivered messages stay in the
//! inbox and will come again`, at `warn`.

mod activity;
mod answers;
mod budget;
mod config;
mod connection;
mod echo;
mod handler;
mod listener;
mod outbox;
mod peer;
mod reader;
mod scratch;
#[expect(
    clippy::module_inception,
    reason = "the file is named after what it holds"
)]
mod server;
mod stats;
mod upload;
mod writer;

pub(crate) use handler::Copies;
pub(crate) use peer::Offered;
pub(crate) use stats::Counters;

pub use answers::Answers;
pub use config::{Config, QueueLimits, SlowReader};
pub use echo::Echo;
pub use handler::{Delivery, Handler};
pub use peer::{Download, Peer};
pub use server::{Builder, DEFAULT_PORT, Drained, Server};
pub use stats::Stats;
pub use upload::{Incomplete, Upload};
