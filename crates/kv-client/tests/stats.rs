//! What a client says of itself.

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use kv_client::{Client, Config};
use support::{Peer, Peers, peers};
use tokio::task::JoinHandle;
use tokio::time::advance;

async fn connected(change: impl FnOnce(Config) -> Config) -> (Client, Peers, Peer) {
    let (config, mut peers) = peers(4096);
    let connecting = tokio::spawn(Client::connect(change(config)));
    let peer = peers.accept().await;
    let client = connecting.await.expect("no panic").expect("connected");
    (client, peers, peer)
}

fn get(client: &Client, key: &'static str) -> JoinHandle<()> {
    let client = client.clone();
    tokio::spawn(async move {
        client.get(key).await.expect("a reply");
    })
}

#[tokio::test(start_paused = true)]
async fn the_time_from_taking_a_command_up_to_reading_its_reply_is_measured() {
    let (client, _peers, mut peer) = connected(|config| config).await;
    assert_eq!(client.stats().shared.latency.count(), 0);
    let both = [get(&client, "a"), get(&client, "b")];
    peer.expect(&["GET", "a"]).await;
    peer.expect(&["GET", "b"]).await;
    advance(Duration::from_millis(10)).await;
    peer.send("$-1\r\n").await;
    tokio::task::yield_now().await;
    advance(Duration::from_millis(30)).await;
    peer.send("$-1\r\n").await;
    for get in both {
        get.await.expect("no panic");
    }
    let latency = client.stats().shared.latency;
    assert_eq!(
        (latency.count(), latency.sum(), latency.max()),
        (2, Duration::from_millis(50), Duration::from_millis(40))
    );
    assert_eq!(latency.mean(), Duration::from_millis(25));
    let half = latency.quantile(0.5);
    assert!(
        (Duration::from_millis(10)..Duration::from_micros(12_500)).contains(&half),
        "{half:?}"
    );

    // A pipeline counts once, and a command that gets no reply not at all.
    let (pipeline, ()) = tokio::join!(
        client
            .pipeline((client.get("c"), client.get("d")))
            .into_future(),
        async {
            peer.expect(&["GET", "c"]).await;
            peer.expect(&["GET", "d"]).await;
            peer.send("$-1\r\n$-1\r\n").await;
        }
    );
    pipeline.expect("replies");
    let late = client.get("e").timeout(Duration::from_millis(1)).await;
    assert!(late.expect_err("nobody answers").is_timeout());
    assert_eq!(client.stats().shared.latency.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_queues_of_every_lane_are_counted() {
    let (client, mut peers, mut shared) = connected(|config| config.max_in_flight(2)).await;
    let gets = ["a", "b", "c", "d", "e"].map(|key| get(&client, key));
    shared.expect(&["GET", "a"]).await;
    let stats = client.stats();
    assert_eq!((stats.shared.in_flight, stats.shared.waiting), (2, 3));
    assert_eq!((stats.in_flight, stats.bulk.in_flight), (2, 0));
    // What does not fit into the connection has not been written.
    let large = tokio::spawn({
        let client = client.clone();
        async move { client.set("film", vec![b'x'; 2_000_000]).await }
    });
    let mut bulk = peers.accept().await;
    bulk.expect_bytes(b"*3\r\n$3\r\nSET\r\n").await;
    let stats = client.stats();
    assert_eq!((stats.in_flight, stats.bulk.in_flight), (3, 1));
    assert!(
        (1_900_000..=2_000_100).contains(&stats.bulk.unwritten_bytes),
        "{stats:?}"
    );
    let blocking = tokio::spawn({
        let client = client.clone();
        async move { client.blpop("queue", Duration::ZERO).await }
    });
    let mut lane = peers.accept().await;
    lane.expect(&["BLPOP", "queue", "0"]).await;
    assert_eq!(client.stats().blocking, 1);
    lane.send("*-1\r\n").await;
    blocking.await.expect("no panic").expect("a reply");
    assert_eq!(client.stats().blocking, 0);

    shared.send(&"$-1\r\n".repeat(2)).await;
    for key in ["b", "c", "d", "e"] {
        shared.expect(&["GET", key]).await;
        if key > "b" {
            shared.send("$-1\r\n").await;
        }
    }
    for get in gets {
        get.await.expect("no panic");
    }
    large.abort();
    let stats = client.stats();
    assert_eq!((stats.shared.in_flight, stats.shared.waiting), (0, 0));
    assert_eq!(stats.shared.unwritten_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_is_counted_as_are_the_connections_for_it() {
    let (client, mut peers, mut peer) = connected(|config| config).await;
    let read = get(&client, "k");
    for _ in 0..2 {
        peer.expect(&["GET", "k"]).await;
        drop(peer);
        peer = peers.accept().await;
    }
    peer.expect(&["GET", "k"]).await;
    peer.send("$-1\r\n").await;
    read.await.expect("no panic");
    let stats = client.stats();
    assert_eq!(
        (stats.connections, stats.reconnects, stats.retries),
        (3, 2, 2)
    );
    assert_eq!(stats.shared.latency.count(), 1, "of the last attempt");
}
