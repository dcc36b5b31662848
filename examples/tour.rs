//! All five crates at work: a server in this process, a client on it, its port found by a scan, and a framed message.
//!
//!     cargo run --release --example tour

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use framed_echo::Message;
use futures::StreamExt;
use kv_client::Client;
use kv_server::{Clock, Server};
use portscan::Scanner;
use resp_codec::{FrameDecoder, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// All five crates at work in this process, without a server of yours
#[derive(Parser)]
struct Options {}

#[tokio::main]
async fn main() -> Result<()> {
    Options::parse();
    let server = Server::builder().clock(Clock::manual()).start().await?;
    println!("kv-server    listens at {}", server.url());

    let client = Client::connect(server.url().as_str()).await?;
    client
        .set("session", "alive")
        .ex(Duration::from_secs(60))
        .await?;
    let before = client.get("session").await?;
    server.clock().advance(Duration::from_secs(61));
    let after = client.get("session").await?;
    println!("kv-client    got {before:?}; 61 seconds on by the server's clock: {after:?}");

    let (one, two) = client
        .pipeline((client.incr("n"), client.incr("n")))
        .await?;
    println!("             a pipeline of two INCRs: {one} and {two}");

    println!("resp-codec   {}", by_hand(&server).await?);
    println!("portscan     {}", scan(server.addr().port()).await?);
    println!("framed-echo  {}", echo().await?);

    let counters = server.counters();
    server.shutdown().await;
    println!(
        "kv-server    ends after {} commands on {} connections",
        counters.commands, counters.connections
    );
    Ok(())
}

/// A request over a connection in memory, and its reply read with the codec.
async fn by_hand(server: &Server) -> Result<String> {
    let mut io = server.connect();
    io.write_all(b"*1\r\n$4\r\nTIME\r\n").await?;
    let (mut buffer, mut decoder) = (Vec::new(), FrameDecoder::new(Limits::client()));
    loop {
        if let Some(reply) = decoder.decode(&buffer)? {
            return Ok(format!("read {:?}", reply.to_frame()));
        }
        io.read_buf(&mut buffer).await?;
    }
}

/// Looks for the server among its neighbours.
async fn scan(port: u16) -> Result<String> {
    let ports = format!("{}-{port}", port.saturating_sub(4));
    let mut scan = Scanner::new("127.0.0.1", &ports)?.start().await?;
    let mut report = scan.report();
    while let Some(event) = scan.next().await {
        report.record(&event);
    }
    let open = report.open_ports();
    if open.contains(&port) {
        Ok(format!("found {open:?} open among {ports}"))
    } else {
        Err(format!("port {port} is not open").into())
    }
}

/// A message to an echo server and back.
async fn echo() -> Result<String> {
    let server = framed_echo::server::Server::builder()
        .bind("127.0.0.1:0")
        .start()
        .await?;
    let (client, _incoming) = framed_echo::client::Client::builder(server.local_addr().to_string())
        .connect()
        .await?;
    let reply = client
        .request(
            Message::text(10_000_000, 10_000_001, "grüße, 世界"),
            Duration::from_secs(5),
        )
        .await?;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    drop(client);
    server.shutdown(Duration::from_secs(1)).await;
    Ok(format!("echoed {text:?}"))
}
