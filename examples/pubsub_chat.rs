//! A chat between terminals.
//!
//!     cargo run --example pubsub-chat -- --redis redis://localhost --room den --name ada
//!
//! Start it in two terminals and type. What was said while the connection was down is marked as missing.

use anyhow::Result;
use clap::Parser;
use kv_client::{Client, Event, Gap};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[derive(Parser)]
struct Options {
    #[arg(long, default_value = "redis://localhost")]
    redis: String,
    #[arg(long, default_value = "chat")]
    room: String,
    #[arg(long)]
    name: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let client = Client::connect(options.redis).await?;
    let mut room = client.subscribe(&options.room).await?;
    let mut lines = BufReader::new(stdin()).lines();
    println!(
        "you are {} in {}; end with Ctrl-D",
        options.name, options.room
    );
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                client.publish(&options.room, format!("{}: {line}", options.name)).await?;
            }
            event = room.next() => match event {
                Some(Event::Message(message)) => println!("{}", String::from_utf8_lossy(&message.payload)),
                Some(Event::Gap(Gap::Reconnected)) => println!("-- reconnected; something may have been said meanwhile"),
                Some(Event::Gap(gap)) => println!("-- {gap:?}"),
                Some(other) => println!("-- {other:?}"),
                None => break,
            },
        }
    }
    client.close().await;
    Ok(())
}
