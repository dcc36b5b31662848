//! The server: accepts connections, reads messages, and gives them to a [`Handler`].
//!
//! | to change | see |
//! |---|---|
//! | what it does with messages | [`Handler`], [`Builder::handler`] |
//! | limits, timeouts, queues | [`Config`] |
//! | where it listens | [`Builder::bind`] and its neighbours |

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
