//! `maxmemory-clients`: whose connection goes when connections take too much.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Client, info, start, with};
use tokio::io::AsyncWriteExt;

const OK: &str = "+OK\r\n";

#[tokio::test]
async fn a_client_that_does_not_read_costs_keys_unless_clients_have_a_limit_of_their_own() {
    for client_limit in ["0", "1mb"] {
        let server = start(with(&[
            ("maxmemory", "12mb"),
            ("maxmemory-policy", "allkeys-lru"),
            ("maxmemory-clients", client_limit),
        ]))
        .await;
        for n in 0..50 {
            server
                .db(0)
                .set(format!("{n}"), vec![b'x'; 100_000])
                .unwrap();
        }
        let mut client = Client::new(&server);
        client.check("CLIENT NO-EVICT ON", OK).await;
        let mut lazy = Client::new(&server);
        lazy.send("GET 1\r\n".repeat(200)).await;
        loop {
            client.check("PING", "+PONG\r\n").await;
            let (keys, clients) = (
                info(&server, "evicted_keys"),
                info(&server, "evicted_clients"),
            );
            if keys + clients > 0 {
                assert_eq!(
                    (keys > 0, clients > 0),
                    (client_limit == "0", client_limit != "0")
                );
                break;
            }
        }
        if client_limit != "0" {
            lazy.rest().await;
            assert_eq!(server.db(0).len(), 50);
        }
    }
}

#[tokio::test]
async fn what_a_client_listens_to_counts_against_the_limit_of_clients() {
    for listen in [
        "SUBSCRIBE",
        "PSUBSCRIBE",
        "SSUBSCRIBE",
        "CLIENT TRACKING ON BCAST PREFIX",
    ] {
        let server = start(with(&[("maxmemory-clients", "100kb")])).await;
        let mut client = Client::new(&server);
        client.call("HELLO 3").await;
        let mut count = 0;
        let name = "x".repeat(1_000);
        loop {
            client.send(format!("{listen} {count}{name}\r\n")).await;
            if client.frame_or_end().await.is_none() {
                break;
            }
            count += 1;
            assert!(count < 200, "{listen}: never evicted");
        }
        assert!(count > 20, "{listen}: evicted after {count}");
        assert_eq!(info(&server, "evicted_clients"), 1, "{listen}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_for_all_connections_together_does_not_run() {
    let server = start(with(&[("maxmemory-clients", "200kb")])).await;
    let value = |bytes: usize| [b"SET".to_vec(), b"k".to_vec(), vec![b'x'; bytes]];
    let mut client = Client::new(&server);
    client.request(value(100_000)).await;
    client.expect(OK).await;
    client.send("MULTI\r\n").await;
    client.request(value(50_000)).await;
    client.request(value(50_000)).await;
    client.send("EXEC\r\n").await;
    client
        .expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n")
        .await;

    let mut greedy = Client::new(&server);
    // Written while the server may have closed the connection already.
    let _ = greedy.io.write_all(&common::request(value(300_000))).await;
    assert_eq!(greedy.frame_or_end().await, None);
    assert_eq!(info(&server, "evicted_clients"), 1);
    client.check("STRLEN k", ":50000\r\n").await;

    client.check("CLIENT NO-EVICT ON", OK).await;
    client.request(value(300_000)).await;
    client.expect(OK).await;
}

#[tokio::test]
async fn a_request_runs_if_another_connection_takes_more() {
    let server = start(with(&[("maxmemory-clients", "200kb")])).await;
    let mut client = Client::new(&server);
    let mut greedy = Client::new(&server);
    greedy
        .send("CLIENT SETNAME greedy\r\n*2\r\n$3\r\nGET\r\n$180000\r\n")
        .await;
    greedy.send(vec![b'x'; 150_000]).await;
    greedy.expect(OK).await;
    let holds = |list: &str| {
        let line = list.lines().find(|line| line.contains("name=greedy"))?;
        line.split("qbuf=").nth(1)?.split(' ').next()?.parse().ok()
    };
    while holds(&client.call("CLIENT LIST").await).is_none_or(|bytes: usize| bytes < 150_000) {}
    client
        .request([b"SET".to_vec(), b"k".to_vec(), vec![b'x'; 80_000]])
        .await;
    client.expect(OK).await;
    assert_eq!(greedy.frame_or_end().await, None);
    assert_eq!(info(&server, "evicted_clients"), 1);
}

#[tokio::test]
async fn a_part_of_more_than_all_is_refused() {
    let server = common::server().await;
    let mut client = Client::new(&server);
    client
        .check(
            "CONFIG SET maxmemory-clients 200%",
            "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - percentage argument must be less or equal to 100\r\n",
        )
        .await;
}
