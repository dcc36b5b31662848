//! A tour of kv-client: values, pipelines, transactions, subscriptions, and what errors say.
//!
//!     cargo run --example kv-client                        # against a server of its own, in this process
//!     cargo run --example kv-client -- redis://localhost   # against yours

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use kv_client::{Client, Config, Event, Outcome};
use kv_server::Server;

/// A tour of kv-client
#[derive(Parser)]
struct Options {
    /// The server; without it, one is started in this process.
    #[arg(value_name = "redis://HOST:PORT")]
    url: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Options { url } = Options::parse();
    let server = if url.is_none() {
        Some(Server::builder().start().await?)
    } else {
        None
    };
    let url = url
        .or_else(|| server.as_ref().map(Server::url))
        .unwrap_or_default();

    let config: Config = url.parse()?;
    println!("connecting to {config}");
    let client = Client::connect(config.client_name("kv-client-tour")).await?;

    client
        .set("tour:text", "two\r\nlines")
        .ex(Duration::from_secs(60))
        .await?;
    let text: Option<String> = client.get("tour:text").into().await?;
    println!("tour:text = {text:?}");
    let taken = client.set("tour:text", "other").nx().await?;
    println!("set if absent: {taken}");

    let (first, second, list) = client
        .pipeline((
            client.incrby("tour:n", 5),
            client.incr("tour:n"),
            client.mget(["tour:n", "tour:none"]),
        ))
        .await?;
    println!("one pipeline: {first}, {second}, {list:?}");
    let (left, right) = client
        .transaction((client.decr("tour:left"), client.incr("tour:right")))
        .await?;
    println!("one transaction: {left}, {right}");

    let mut news = client.subscribe("tour:news").await?;
    let receivers = client.publish("tour:news", "hello").await?;
    ensure!(receivers >= 1, "nobody received the message");
    if let Some(Event::Message(message)) = news.next().await {
        println!("received {:?} from {:?}", message.payload, message.channel);
    }
    drop(news);

    match client.incr("tour:text").await {
        Ok(number) => println!("{number}"),
        Err(error) if error.outcome() == Outcome::Rejected => println!("refused: {error}"),
        Err(error) => return Err(error.into()),
    }

    if let Some(server) = server {
        println!("the server stops");
        server.shutdown().await;
        let error = client
            .incr("tour:n")
            .timeout(Duration::from_millis(200))
            .await
            .err();
        println!(
            "{}",
            error.map_or_else(|| "it lives on".to_owned(), |error| error.to_string())
        );
    } else {
        client
            .pipeline(["text", "n", "left", "right"].map(|key| client.del(format!("tour:{key}"))))
            .await?;
    }
    client.close().await;
    Ok(())
}
