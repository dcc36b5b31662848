//! A port scanner in the browser: `cargo run --example portscan-web`, then open http://127.0.0.1:8081/.
//!
//! Scans run in the background and are kept in a kv-server, embedded unless `--store` names another; when one ends its report is
//! mailed if an address was given. It listens on loopback only, and scans public addresses only with `--allow-public`.

#[path = "../portscan/interrupted.rs"]
mod interrupted;
mod job;
mod jobs;
mod mail;
mod store;
mod web;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::Parser;
use portscan::Scope;

use self::{jobs::Jobs, mail::Mailer, store::Store};

/// Scans ports from the browser.
#[derive(Debug, Parser)]
#[command(name = "portscan-web", version)]
struct Args {
    /// Where to listen; loopback addresses only.
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,

    /// The URL of a kv-server or Redis that keeps the scans [default: one embedded in this process].
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    store: Option<String>,

    /// Where the embedded store keeps the scans over a restart, in Redis's RDB format.
    #[arg(long, value_name = "FILE", default_value = "portscan-web.rdb")]
    data: PathBuf,

    /// Allows public addresses too.
    #[arg(long)]
    allow_public: bool,

    /// The mail server: smtp://[user:password@]host[:port], smtps:// for TLS, ?tls=required for STARTTLS.
    #[arg(
        long,
        value_name = "URL",
        env = "PORTSCAN_SMTP_URL",
        hide_env_values = true
    )]
    smtp: Option<String>,

    /// The sender of the mails.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "PORTSCAN_MAIL_FROM",
        default_value = "portscan@localhost"
    )]
    mail_from: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portscan-web: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.listen.ip().is_loopback(),
        "{} is not a loopback address",
        args.listen.ip()
    );
    let mailer = args
        .smtp
        .as_deref()
        .map(|url| Mailer::new(url, &args.mail_from))
        .transpose()?;
    // Before anything is read: a second one of this program ends here, and leaves the scans to the first.
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("listening on {} failed", args.listen))?;
    let store = match &args.store {
        Some(url) => Store::connect(url).await?,
        None => Store::embedded(&args.data).await?,
    };
    let scope = if args.allow_public {
        Scope::any()
    } else {
        Scope::private()
    };
    let jobs = Arc::new(Jobs::new(store, scope, mailer));
    jobs.resume().await?;
    println!("http://{}/", listener.local_addr()?);
    let stop = {
        let jobs = Arc::clone(&jobs);
        async move {
            interrupted::interrupted().await;
            // Ends the streams of events too, so that the server has nothing to wait for.
            jobs.shut_down().await;
        }
    };
    axum::serve(listener, web::router(jobs))
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}
