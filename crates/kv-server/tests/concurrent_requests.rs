//! Single requests of many connections at once, on a table that is too large for the cache.

mod common;

use common::{Client, bulk, start};
use futures::future::join_all;
use kv_server::Server;

/// More entries than a table has whose lookups are not prepared.
const KEYS: usize = 20_000;

async fn large(builder: kv_server::Builder) -> Server {
    let server = start(builder).await;
    let mut client = Client::tcp(&server).await;
    for chunk in (0..KEYS).collect::<Vec<_>>().chunks(1000) {
        let words = chunk
            .iter()
            .flat_map(|n| [format!("key:{n}"), n.to_string()]);
        let words: Vec<_> = std::iter::once("MSET".to_owned()).chain(words).collect();
        client.request(&words).await;
        client.expect("+OK\r\n").await;
    }
    server
}

/// Reads and writes keys of its own and shared ones, and checks every reply.
async fn work(mut client: Client, me: usize) {
    for round in 0..50 {
        let n = (me * 7919 + round * 104_729) % KEYS;
        client
            .check(&format!("GET key:{n}"), &bulk(&n.to_string()))
            .await;
        client
            .check(&format!("SET mine:{me} {round}"), "+OK\r\n")
            .await;
        client
            .check(&format!("GET mine:{me}"), &bulk(&round.to_string()))
            .await;
        client.check(&format!("GET absent:{me}"), "$-1\r\n").await;
        client.call("INCR all").await;
        match round % 4 {
            0 => {
                client
                    .check(&format!("ECHO {me}"), &bulk(&me.to_string()))
                    .await
            }
            1 => client.check("PING", "+PONG\r\n").await,
            2 => {
                client.check("SELECT 1", "+OK\r\n").await;
                client.check("GET key:1", "$-1\r\n").await;
                client.check("SELECT 0", "+OK\r\n").await;
            }
            _ => {
                client
                    .send(format!("GET key:{n}\r\nGET mine:{me}\r\nGET ke"))
                    .await;
                client.send("y:1\r\n").await;
                let (own, mine) = (bulk(&n.to_string()), bulk(&round.to_string()));
                client.expect(&format!("{own}{mine}$1\r\n1\r\n")).await;
            }
        }
    }
}

#[tokio::test]
async fn every_connection_gets_its_own_replies() {
    let server = large(Server::builder()).await;
    let mut clients = Vec::new();
    for me in 0..100 {
        clients.push(work(Client::tcp(&server).await, me));
    }
    join_all(clients).await;
    let mut client = Client::tcp(&server).await;
    client.check("GET all", &bulk("5000")).await;
}

#[tokio::test]
async fn servers_with_different_numbers_of_databases_share_a_thread() {
    let few = large(Server::builder().databases(1)).await;
    let many = large(Server::builder()).await;
    let (mut ones, mut fives) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        ones.push(Client::tcp(&few).await);
        let mut client = Client::tcp(&many).await;
        client.check("SELECT 5", "+OK\r\n").await;
        fives.push(client);
    }
    fives[0].check("SWAPDB 0 5", "+OK\r\n").await;
    for round in 0..50 {
        let line = format!("GET key:{round}");
        let asked = ones.iter_mut().chain(&mut fives);
        let value = bulk(&round.to_string());
        join_all(asked.map(|client| client.check(&line, &value))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_gets_its_own_replies_on_several_threads() {
    let server = large(Server::builder()).await;
    let tasks = (0..60).map(|me| {
        let client = Client::new(&server);
        tokio::spawn(work(client, me))
    });
    for done in join_all(tasks).await {
        done.unwrap();
    }
    Client::new(&server).check("GET all", &bulk("3000")).await;
}
