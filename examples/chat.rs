//! A chat over a relay. Start the relay, then two of these in two terminals:
//!
//!     cargo run --example framed-echo-server -- --relay
//!     cargo run --example chat -- --id 1 --to 2
//!     cargo run --example chat -- --id 2 --to 1
//!
//! A line is sent to the other; if nobody is there, the relay keeps it. `/to ID` changes the receiver, `/send FILE` sends
//! a picture or anything else, `/quit` or the end of the input ends the program.

use std::{path::Path, process::ExitCode};

use clap::Parser;
use framed_echo::{
    Kind, Message,
    client::{Client, Event, Sent},
};
use futures::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// Chats over a relay.
#[derive(Parser)]
struct Args {
    /// The relay.
    #[arg(default_value = "localhost:8888", value_name = "HOST:PORT")]
    server: String,
    /// The id to chat under.
    #[arg(long)]
    id: u32,
    /// The id to send to.
    #[arg(long)]
    to: u32,
}

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Error> {
    let connecting = Client::builder(&args.server).id(args.id).connect().await;
    let (client, mut incoming) = connecting.map_err(|error| format!("{}: {error}", args.server))?;
    let mut to = args.to;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            event = incoming.next() => match event {
                Some(event) => show(event).await,
                None => return Err("the relay is gone".into()),
            },
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                match line.split_once(' ').unwrap_or((&line, "")) {
                    ("/quit", _) => break,
                    ("/to", id) => match id.trim().parse() {
                        Ok(id) => to = id,
                        Err(_) => println!("* {id} is not an id"),
                    },
                    ("/send", path) => send_file(&client, to, path.trim()),
                    _ => send(&client, to, line).await?,
                }
            }
        }
    }
    // What the relay still has to answer for is waited for; messages that come meanwhile are shown.
    drop(client);
    while let Some(event) = incoming.next().await {
        show(event).await;
    }
    Ok(())
}

/// Posts a line, and says so if it could not be delivered at once.
async fn send(client: &Client, to: u32, line: String) -> Result<(), Error> {
    let posted = client.post(Message::text(client.id(), to, line)).await?;
    tokio::spawn(async move {
        match posted.outcome().await {
            Ok(Sent::Kept) => println!("* {to} is away; kept"),
            Ok(_) => {}
            Err(error) => println!("* not sent: {}", reason(&error)),
        }
    });
    Ok(())
}

/// Sends a file beside the lines that are typed meanwhile.
fn send_file(client: &Client, to: u32, path: &str) {
    let (client, path) = (client.clone(), path.to_owned());
    tokio::spawn(async move {
        match stream_file(&client, to, Path::new(&path)).await {
            Ok(sent) => println!("* {path} {sent}"),
            Err(error) => println!("* {path} not sent: {}", reason(&*error)),
        }
    });
}

async fn stream_file(
    client: &Client,
    to: u32,
    path: &Path,
) -> Result<Sent, Box<dyn std::error::Error + Send + Sync>> {
    let mut file = tokio::fs::File::open(path).await?;
    let len = u32::try_from(file.metadata().await?.len())?;
    if len == 0 {
        return Err("it is empty".into());
    }
    let mut sending = client.open(to, Kind::PICTURE, len).await?;
    let mut left = len;
    while left > 0 {
        let mut chunk = vec![0; left.min(64 * 1024) as usize];
        file.read_exact(&mut chunk).await?;
        left -= u32::try_from(chunk.len())?;
        if !sending.write(chunk.into()).await {
            break;
        }
    }
    Ok(sending.finish().await?)
}

fn reason(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

async fn show(event: Event) {
    match event {
        Event::Message(message) if message.head.kind == Kind::TEXT => {
            println!(
                "{}> {}",
                message.head.sender,
                String::from_utf8_lossy(&message.body)
            );
        }
        Event::Message(message) => {
            println!(
                "{}> <{} of {} bytes>",
                message.head.sender,
                message.head.kind,
                message.body.len()
            );
        }
        Event::Large(mut large) => {
            let whole = loop {
                match large.chunk().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break "",
                    Err(_) => break ", broken off",
                }
            };
            let head = large.head();
            println!(
                "{}> <{} of {} bytes{whole}>",
                head.sender,
                head.kind,
                large.len()
            );
        }
        Event::Refused(refusal) => println!("* {}", refusal.text),
        Event::Disconnected => println!("* disconnected"),
        Event::Reconnected => println!("* connected again"),
        _ => {}
    }
}
