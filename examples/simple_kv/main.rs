//! A small key-value server whose requests and values nest, on the engine of kv-server with a command table of its own.
//!
//!     cargo run --example simple-kv                             # serves 127.0.0.1:31337
//!     cargo run --example simple-kv -- --port 7000
//!     cargo run --example simple-kv -- session                  # a server and a client that talk, and what they say
//!     cargo run --example simple-kv -- get k1                   # one request to a running server
//!     cargo run --example simple-kv -- --extension counter      # with commands that extension.rs defines
//!
//! Commands: `GET key`, `SET key value`, `DELETE key`, `FLUSH`, `MGET key ...`, `MSET key value ...`, and those of `later.rs`: lists, hashes, sets,
//! expiry, a schedule, POP, and data on disk. Values may be strings, integers, nulls, arrays and dictionaries, and come back as they went in. At
//! most 64 clients are served at a time; further ones wait.

mod client;
mod commands;
mod extension;
mod later;
mod schedule;
mod session;
mod value;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use client::{Client, show};
use resp_codec::Frame;

#[derive(Parser)]
#[command(
    name = "simple-kv",
    about = "A small key-value server on 127.0.0.1:31337"
)]
struct Cli {
    /// The port to listen on, or to connect to
    #[arg(long, default_value_t = 31337, global = true)]
    port: u16,
    /// Where SAVE, RESTORE and MERGE find their files
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Loads an extension: counter or text (may be repeated)
    #[arg(long, value_name = "NAME")]
    extension: Vec<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Serves until it is interrupted (the default)
    Serve,
    /// Runs a whole session against a server of its own, and shows it
    Session,
    /// Sends one request to a running server
    #[command(external_subcommand)]
    Request(Vec<String>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    match cli.action {
        None | Some(Action::Serve) => {
            let builder = later::add(commands::server(), cli.dir);
            let builder = cli
                .extension
                .iter()
                .try_fold(builder, |builder, name| extension::load(builder, name))?;
            let server = builder.port(cli.port).start().await?;
            println!("simple-kv serves {}", server.addr());
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => interrupted?,
                () = server.shutdown_requested() => {}
            }
            server.shutdown().await;
        }
        Some(Action::Session) => session::run().await?,
        Some(Action::Request(words)) => {
            let mut client = Client::connect(("127.0.0.1", cli.port)).await?;
            let reply = client
                .request(words.into_iter().map(Frame::bulk).collect())
                .await?;
            println!("{}", show(&reply));
        }
    }
    Ok(())
}
