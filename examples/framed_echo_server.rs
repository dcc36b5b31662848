//! An echo server, or a relay, for length-framed messages.
//!
//!     cargo run --example framed-echo-server                                   # echo on port 8888
//!     cargo run --example framed-echo-server -- --relay                        # relay, messages kept in memory
//!     cargo run --example framed-echo-server -- --relay --inbox redis://localhost:6379

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use framed_echo::{
    inbox::KvInbox,
    relay::Relay,
    server::{Builder, Config, Handler, Server, SlowReader},
};

/// Echoes length-framed messages, or relays them.
#[derive(Parser)]
struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "0.0.0.0:8888")]
    bind: String,
    /// Unix socket to listen on as well.
    #[arg(long)]
    unix: Option<PathBuf>,
    /// Deliver messages to their receivers instead of echoing them.
    #[arg(long)]
    relay: bool,
    /// Keep messages for those away in the key-value server at this URL, and not in memory.
    #[arg(long, requires = "relay", value_name = "URL")]
    inbox: Option<String>,
    /// What happens to messages for a receiver who reads too slowly.
    #[arg(long, value_enum, default_value_t = Policy::Wait)]
    slow_reader: Policy,
    /// Seconds that connections have to end when the server stops.
    #[arg(long, default_value_t = 10)]
    drain: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    Wait,
    DropOldest,
    Inbox,
    Cut,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("framed-echo-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut config = Config::default();
    config.queue.slow_reader = match args.slow_reader {
        Policy::Wait => SlowReader::Wait,
        Policy::DropOldest => SlowReader::DropOldest,
        Policy::Inbox => SlowReader::Inbox,
        Policy::Cut => SlowReader::Cut,
    };
    let builder = Server::builder().config(config).bind(&args.bind);
    match &args.inbox {
        Some(url) => {
            serve(
                builder.handler(Relay::new(KvInbox::connect(url).await?)),
                &args,
            )
            .await
        }
        None if args.relay => serve(builder.handler(Relay::in_memory()), &args).await,
        None => serve(builder, &args).await,
    }
}

async fn serve<H: Handler>(mut builder: Builder<H>, args: &Args) -> anyhow::Result<()> {
    if let Some(path) = &args.unix {
        builder = builder.bind_unix(path);
    }
    let stopped = stop_signal()?;
    let server = builder.start().await?;
    println!("listening on {}", server.local_addr());
    stopped.await;
    let stats = server.stats();
    let drained = server.shutdown(Duration::from_secs(args.drain)).await;
    eprint!("{stats}");
    eprintln!(
        "{} connections finished, {} cut",
        drained.finished, drained.cut
    );
    Ok(())
}

/// Ready when somebody wants the server to stop: Ctrl-C, or `kill`, which is what service managers send. Listens to
/// signals from the call on.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
