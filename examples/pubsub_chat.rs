//! A chat between terminals.
//!
//!     cargo run --example pubsub-chat -- --redis redis://localhost --room den --name ada
//!
//! Start it in two terminals and type. While the server is away, what is typed is reported as not said, and once it is back
//! a line marks where something may be missing. A cluster will do as well: `--redis redis-cluster://127.0.0.1:7000`.

use anyhow::Result;
use clap::Parser;
use kv_client::{Client, Event, Gap, Outcome};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

/// Chats over the channels of a server
#[derive(Parser)]
struct Options {
    /// The server.
    #[arg(long, default_value = "redis://localhost")]
    redis: String,
    /// The channel to talk on.
    #[arg(long, default_value = "chat")]
    room: String,
    /// Who you are to the others.
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
                let said = client.publish(&options.room, format!("{}: {line}", options.name)).await;
                if let Err(error) = said {
                    match error.outcome() {
                        Outcome::MaybeExecuted => println!("-- perhaps not said: {error}"),
                        _ => println!("-- not said: {error}"),
                    }
                }
            }
            event = room.next() => match event {
                Some(Event::Message(message)) => println!("{}", String::from_utf8_lossy(&message.payload)),
                Some(Event::Gap(Gap::Reconnected)) => println!("-- reconnected; something may have been said meanwhile"),
                Some(Event::Gap(Gap::Overflow { lost })) => println!("-- {lost} messages came too fast"),
                Some(Event::Refused(error)) => println!("-- {} is closed to you: {error}", options.room),
                Some(_) => {}
                None => break,
            },
        }
    }
    client.close().await;
    Ok(())
}
