//! A web page that shows the value of one key and lets it be changed.
//!
//!     cargo run --example web-demo                                          # with a server of its own, in this process
//!     cargo run --example web-demo -- --redis redis://localhost/0           # with yours
//!
//! Then open http://127.0.0.1:8080/. `--listen` changes the address, `--key` the key (`shiyanlou`). The key is that of database
//! 0, unless the URL names another one.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use clap::Parser;
use kv_client::{Client, Config, Outcome};
use kv_server::Server;
use serde::Deserialize;
use tokio::net::TcpListener;

/// Serves a page that shows and changes a key
#[derive(Parser)]
struct Options {
    /// The server; without it, one is started in this process.
    #[arg(long)]
    redis: Option<String>,
    /// The address of the page.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The key whose value the page shows.
    #[arg(long, default_value = "shiyanlou")]
    key: String,
}

#[derive(Clone)]
struct Page {
    client: Client,
    key: String,
}

#[derive(Deserialize)]
struct Change {
    value: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let server = match options.redis {
        None => Some(Server::builder().start().await?),
        Some(_) => None,
    };
    let url = options
        .redis
        .or_else(|| server.as_ref().map(Server::url))
        .unwrap_or_default();
    let config: Config = url.parse()?;
    let client = Client::connect(config.clone())
        .await
        .with_context(|| format!("cannot use {config}"))?;
    client
        .set(
            &options.key,
            "simple is better than complex\r\n\u{7b80}\u{5355}\u{80dc}\u{4e8e}\u{590d}\u{6742}",
        )
        .await?;

    let page = Page {
        client: client.clone(),
        key: options.key,
    };
    let app = Router::new()
        .route("/", get(show).post(change))
        .with_state(page);
    let listener = TcpListener::bind(options.listen).await?;
    println!("{config} behind http://{}/", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await?;
    client.close().await;
    if let Some(server) = server {
        server.shutdown().await;
    }
    Ok(())
}

async fn show(State(page): State<Page>) -> Result<Html<String>, Failure> {
    let value = page.client.get(&page.key).await?;
    let value = value.map_or_else(
        || "(no such key)".to_owned(),
        |value| String::from_utf8_lossy(&value).into_owned(),
    );
    let (key, value) = (escape(&page.key), escape(&value));
    Ok(Html(format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{key}</title>\n<h1>{key}</h1>\n<pre>{value}</pre>\n\
         <form method=\"post\"><textarea name=\"value\" rows=\"4\" cols=\"60\">{value}</textarea><br><button>Set</button></form>\n"
    )))
}

async fn change(State(page): State<Page>, Form(form): Form<Change>) -> Result<Redirect, Failure> {
    page.client.set(&page.key, form.value).await?;
    Ok(Redirect::to("/"))
}

/// The visitor hears what became of the command.
struct Failure(kv_client::Error);

impl From<kv_client::Error> for Failure {
    fn from(error: kv_client::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.outcome() {
            Outcome::NotSent => StatusCode::SERVICE_UNAVAILABLE,
            Outcome::MaybeExecuted => StatusCode::GATEWAY_TIMEOUT,
            Outcome::Rejected | Outcome::Executed => StatusCode::BAD_GATEWAY,
        };
        (status, format!("{}\n", self.0)).into_response()
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
