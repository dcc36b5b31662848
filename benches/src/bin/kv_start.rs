//! How long an embedded server takes: start, and start with one command answered and a shutdown.
//!
//!     cargo run --release -p benches --bin kv_start

use std::time::{Duration, Instant};

use benches::flags::{self, Result};
use kv_server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ROUNDS: usize = 500;

const USAGE: &str = "\
Usage: kv_start

Times the start of 500 embedded servers, and with a PING and the shutdown.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    if !flags::words(USAGE).is_empty() {
        return Err(USAGE.into());
    }
    let (mut starts, mut rounds) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let server = Server::builder().start().await?;
        starts.push(began.elapsed());
        let mut io = server.connect();
        io.write_all(b"PING\r\n").await?;
        io.read_exact(&mut [0; 7]).await?;
        server.shutdown().await;
        rounds.push(began.elapsed());
    }
    for (what, mut times) in [
        ("start", starts),
        ("start, PING in memory, shutdown", rounds),
    ] {
        times.sort();
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        println!(
            "{what}: median {:.0} µs, worst of {ROUNDS} {:.0} µs",
            micros(times[ROUNDS / 2]),
            micros(times[ROUNDS - 1])
        );
    }
    Ok(())
}
