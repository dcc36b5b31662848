//! Sends each line as a message, and prints each reply.
//!
//!     cargo run --example framed-echo-client                                   # to localhost:8888
//!     echo 你好 | cargo run --example framed-echo-client -- localhost:8888
//!     cargo run --example framed-echo-client -- --send picture.png --to 7
//!
//! It speaks the plain protocol of the tutorial; `chat` is the program that says hello.

use std::{
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use framed_echo::{
    Kind, Message,
    client::{Client, Event, Incoming},
};
use futures::StreamExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    sync::watch,
};

/// Sends each line of the input as a text message, and prints each reply.
#[derive(Parser)]
struct Args {
    /// The server.
    #[arg(default_value = "localhost:8888", value_name = "HOST:PORT")]
    server: String,
    /// The sender's id.
    #[arg(long, default_value_t = 10_000_000, value_name = "ID")]
    from: u32,
    /// The receiver's id.
    #[arg(long, default_value_t = 10_000_001, value_name = "ID")]
    to: u32,
    /// Send this file instead of lines. The kind follows from the name's ending.
    #[arg(long, value_name = "FILE")]
    send: Option<PathBuf>,
    /// The kind of the file, from 0 to 127.
    #[arg(long, requires = "send", value_parser = clap::value_parser!(u8).range(0..128))]
    kind: Option<u8>,
    /// How long to wait, at the end of the input, for replies that are still missing.
    #[arg(long, default_value_t = 2, value_name = "SECONDS")]
    wait: u64,
}

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("framed-echo-client: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Error> {
    let builder = Client::builder(&args.server)
        .id(args.from)
        .plain()
        .reconnect(None);
    let (client, incoming) = builder
        .connect()
        .await
        .map_err(|error| format!("{}: {error}", args.server))?;
    let wait = Duration::from_secs(args.wait);
    match &args.send {
        Some(path) => {
            let kind = args.kind.map_or_else(|| kind_of(path), Kind);
            let send = send_file(&client, args.to, kind, path);
            both(send, incoming, wait).await
        }
        None => both(send_lines(&client, &args), incoming, wait).await,
    }
}

/// Sends and prints at the same time; then waits for the replies that are missing, one for each message.
async fn both(
    send: impl Future<Output = Result<usize, Error>>,
    incoming: Incoming,
    wait: Duration,
) -> Result<(), Error> {
    let (progress, mut printed) = watch::channel(0);
    let mut send = pin!(send);
    let mut print = pin!(print_all(incoming, &progress));
    let sent = tokio::select! {
        sent = &mut send => sent?,
        ended = &mut print => return ended.and(Err("the server has closed the connection".into())),
    };
    while *printed.borrow_and_update() < sent {
        tokio::select! {
            ended = &mut print => return ended,
            changed = tokio::time::timeout(wait, printed.changed()) => if changed.is_err() {
                break; // a relay has no reply to give
            },
        }
    }
    Ok(())
}

async fn send_lines(client: &Client, args: &Args) -> Result<usize, Error> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut sent = 0;
    while let Some(line) = lines.next_line().await? {
        client.send(Message::text(args.from, args.to, line)).await?;
        sent += 1;
    }
    Ok(sent)
}

async fn send_file(client: &Client, to: u32, kind: Kind, path: &Path) -> Result<usize, Error> {
    let opened = tokio::fs::File::open(path).await;
    let mut file = opened.map_err(|error| format!("{}: {error}", path.display()))?;
    let len = u32::try_from(file.metadata().await?.len())?;
    let mut sending = client.open(to, kind, len).await?;
    let mut left = len;
    while left > 0 {
        let mut chunk = vec![0; left.min(64 * 1024) as usize];
        file.read_exact(&mut chunk).await?;
        left -= u32::try_from(chunk.len())?;
        if !sending.write(chunk.into()).await {
            break;
        }
    }
    sending.finish().await?;
    Ok(1)
}

/// Prints what arrives; `progress` counts the replies.
async fn print_all(mut incoming: Incoming, progress: &watch::Sender<usize>) -> Result<(), Error> {
    while let Some(event) = incoming.next().await {
        match event {
            Event::Message(message) if message.head.kind == Kind::TEXT => {
                println!("{}", String::from_utf8_lossy(&message.body));
            }
            Event::Message(message) => {
                println!("<{} of {} bytes>", message.head.kind, message.body.len())
            }
            Event::Large(mut large) => {
                while large.chunk().await?.is_some() {
                    progress.send_modify(|_| {}); // not finished, and not stuck either
                }
                println!("<{} of {} bytes>", large.head().kind, large.len());
            }
            Event::Refused(refusal) => println!("error: {}", refusal.text),
            _ => continue,
        }
        progress.send_modify(|count| *count += 1);
    }
    Ok(())
}

fn kind_of(path: &Path) -> Kind {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("png" | "jpg" | "jpeg" | "gif" | "webp" | "bmp") => Kind::PICTURE,
        Some("wav" | "mp3" | "ogg" | "opus" | "amr" | "m4a") => Kind::VOICE,
        Some("mp4" | "mkv" | "webm" | "mov" | "avi") => Kind::VIDEO,
        _ => Kind::TEXT,
    }
}
