//! What an idle connection costs, counted.

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::sync::atomic::Ordering;

use common::{Client, start};
use counting::{Counting, LIVE};
use kv_server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const COUNT: usize = 10_000;
const LIMIT: usize = 4 * 1024;

#[tokio::test]
async fn an_idle_connection_costs_at_most_4_kib() {
    let server = start(Server::builder().max_clients(2 * COUNT)).await;
    let mut control = Client::new(&server);
    control.check("PING", "+PONG\r\n").await;
    let mut clients = Vec::with_capacity(COUNT);
    let before = LIVE.load(Ordering::Relaxed);
    for _ in 0..COUNT {
        // In memory, because sockets would need two descriptors each.
        let mut client = server.connect();
        client.write_all(b"PING\r\n").await.expect("a server");
        clients.push(client);
    }
    let mut reply = [0; 7];
    for client in &mut clients {
        client.read_exact(&mut reply).await.expect("a reply");
    }
    // All of them have been served, and are idle now.
    let each = (LIVE.load(Ordering::Relaxed) - before) / COUNT;
    println!("{each} bytes for each of {COUNT} idle connections, the client's end included");
    assert!(each <= LIMIT, "{each} bytes for each idle connection");
    control.check("PING", "+PONG\r\n").await;
}
