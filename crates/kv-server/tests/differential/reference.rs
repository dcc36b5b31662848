//! The real server, beside ours.

#[path = "../../src/reference/process.rs"]
mod process;

use kv_server::Server;
use tokio::net::UnixStream;

use self::process::RedisProcess;
use crate::common::{Client, server};

/// Our server and a `redis-server`; both go with the value.
pub(crate) struct Servers {
    pub(crate) ours: Server,
    theirs: RedisProcess,
}

impl Servers {
    /// `None`, with a line to say so, where there is no `redis-server`.
    pub(crate) async fn start() -> Option<Self> {
        let theirs = RedisProcess::start(&[], None)?;
        let ours = server().await;
        Some(Self { ours, theirs })
    }

    /// A connection to each, ours first.
    pub(crate) async fn connect(&self) -> (Client, Client) {
        let theirs = UnixStream::connect(self.theirs.dir().join("socket")).await;
        (Client::new(&self.ours), Client::over(theirs.unwrap()))
    }
}
