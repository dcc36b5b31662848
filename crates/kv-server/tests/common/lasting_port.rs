//! A server that a test stops and starts again.

#![allow(dead_code, reason = "each test file uses some of what it includes")]

use kv_server::Server;

/// A server on a port that nothing else is given while it is stopped: below those that the system chooses.
pub(crate) async fn on_a_lasting_port() -> Server {
    // Two runs of the tests at once begin at different places.
    let first = std::process::id() % 1000 * 37;
    for number in 0..1000 {
        let port = u16::try_from(31_000 + (first + number) % 1000).unwrap();
        if let Ok(server) = Server::builder().port(port).start().await {
            return server;
        }
    }
    panic!("all of the thousand ports from 31000 on are taken");
}
