//! What is large goes beside what is small.

#[path = "support/mod.rs"]
mod peers;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use kv_client::{Client, Config};
use peers::{Peer, Peers, peers};
use servers::on_every_server;
use tokio::io::AsyncReadExt;

/// Larger than everything between the two ends can hold.
const LARGE: usize = 10 * 1024 * 1024;

/// A client whose connections hold 4 KiB each way, and the server's end of the first.
async fn connected(change: impl FnOnce(Config) -> Config) -> (Client, Peers, Peer) {
    let (config, mut peers) = peers(4096);
    let config = change(config.command_timeout(None).keepalive(None));
    let connecting = tokio::spawn(Client::connect(config));
    let peer = peers.accept().await;
    let client = connecting.await.expect("no panic").expect("connected");
    (client, peers, peer)
}

/// Reads the beginning of a SET of [`LARGE`] bytes.
async fn begin_large_set(peer: &mut Peer) {
    let head = format!("*3\r\n$3\r\nSET\r\n$4\r\nfilm\r\n${LARGE}\r\n");
    peer.expect_bytes(head.as_bytes()).await;
}

/// Reads the rest of it, and answers.
async fn finish_large_set(peer: &mut Peer) {
    let mut rest = vec![0; LARGE + 2];
    let read = peer.stream.read_exact(&mut rest).await;
    read.expect("the rest of the value");
    peer.send("+OK\r\n").await;
}

#[tokio::test]
async fn a_small_command_does_not_wait_for_a_large_value_to_be_written() {
    let (client, mut peers, mut shared) = connected(|config| config).await;
    let large = tokio::spawn({
        let client = client.clone();
        async move { client.set("film", vec![b'x'; LARGE]).await }
    });
    let mut bulk = peers.accept().await;
    begin_large_set(&mut bulk).await;
    // Nobody reads on: the large value is stuck where it is, and small commands come and go.
    for _ in 0..3 {
        let small = tokio::spawn({
            let client = client.clone();
            async move { client.get("k").into::<String>().await }
        });
        shared.expect(&["GET", "k"]).await;
        shared.send("$1\r\nv\r\n").await;
        assert_eq!(small.await.expect("no panic").expect("a reply"), "v");
    }
    assert!(!large.is_finished());
    finish_large_set(&mut bulk).await;
    assert!(large.await.expect("no panic").is_ok());

    // The next one uses the same connection.
    let large = tokio::spawn({
        let client = client.clone();
        async move { client.set("film", vec![b'y'; LARGE]).await }
    });
    begin_large_set(&mut bulk).await;
    finish_large_set(&mut bulk).await;
    assert!(large.await.expect("no panic").is_ok());
    assert!(peers.none_waiting());
}

#[tokio::test]
async fn what_is_to_stay_in_line_does() {
    let unlimited = |config: Config| config.bulk_from(None);
    for (change, wish) in [
        (
            Box::new(unlimited) as Box<dyn FnOnce(Config) -> Config>,
            None,
        ),
        (Box::new(|config| config), Some(false)),
        // There is to be one connection and no more.
        (Box::new(|config: Config| config.reconnect(false)), None),
    ] {
        let (client, mut peers, mut shared) = connected(change).await;
        let large = client.set("film", vec![b'x'; LARGE]);
        let large = match wish {
            Some(wish) => large.bulk(wish),
            None => large,
        };
        let both = async { tokio::join!(large.into_future(), client.get("k").into_future()) };
        let serving = async {
            begin_large_set(&mut shared).await;
            finish_large_set(&mut shared).await;
            shared.expect(&["GET", "k"]).await;
            shared.send("$-1\r\n").await;
        };
        let ((set, get), ()) = tokio::join!(both, serving);
        assert!(set.is_ok() && get.is_ok());
        assert!(peers.none_waiting());
    }
}

#[tokio::test]
async fn a_large_reply_holds_nobody_up_if_its_command_says_so() {
    let (client, mut peers, mut shared) = connected(|config| config).await;
    let large = tokio::spawn({
        let client = client.clone();
        async move { client.get("film").bulk(true).await }
    });
    let mut bulk = peers.accept().await;
    bulk.expect(&["GET", "film"]).await;
    bulk.send(&format!("${LARGE}\r\nxxx")).await;
    let small = tokio::spawn({
        let client = client.clone();
        async move { client.ping().await }
    });
    shared.expect(&["PING"]).await;
    shared.send("+PONG\r\n").await;
    small.await.expect("no panic").expect("a reply");
    bulk.send(&"x".repeat(LARGE - 3)).await;
    bulk.send("\r\n").await;
    let film = large.await.expect("no panic").expect("a reply");
    assert_eq!(film.map(|film| film.len()), Some(LARGE));
}

#[tokio::test]
async fn a_large_value_that_is_cut_is_sent_again_whole() {
    let (client, mut peers, _shared) = connected(|config| config).await;
    let large = tokio::spawn({
        let client = client.clone();
        // Not the same twice, so only what cannot have run is sent again.
        async move { client.rpush("film", vec![b'x'; LARGE]).await }
    });
    let head = format!("*3\r\n$5\r\nRPUSH\r\n$4\r\nfilm\r\n${LARGE}\r\n");
    let mut bulk = peers.accept().await;
    bulk.expect_bytes(head.as_bytes()).await;
    drop(bulk);
    let mut bulk = peers.accept().await;
    bulk.expect_bytes(head.as_bytes()).await;
    let mut rest = vec![0; LARGE + 2];
    let read = bulk.stream.read_exact(&mut rest).await;
    read.expect("the rest of the value");
    bulk.send(":1\r\n").await;
    assert_eq!(large.await.expect("no panic").expect("a reply"), 1);
}

#[tokio::test]
async fn a_large_value_is_not_given_up_when_another_database_is_selected() {
    let (client, mut peers, mut shared) = connected(|config| config).await;
    let large = tokio::spawn({
        let client = client.clone();
        async move { client.set("film", vec![b'x'; LARGE]).await }
    });
    // The connection that it waits for is not there yet.
    let mut bulk = peers.accept_raw().await;
    bulk.expect(&["PING"]).await;
    let (selected, ()) = tokio::join!(client.select(3).into_future(), async {
        shared.expect(&["SELECT", "3"]).await;
        shared.send("+OK\r\n").await;
    });
    selected.expect("done");
    let other = tokio::spawn({
        let client = client.clone();
        async move { client.set("song", vec![b'y'; LARGE]).await }
    });
    let mut next = peers.accept_raw().await;
    next.expect(&["SELECT", "3"]).await;
    for (peer, key, byte) in [(&mut bulk, "film", "x"), (&mut next, "song", "y")] {
        peer.send("+OK\r\n").await;
        peer.expect(&["SET", key, &byte.repeat(LARGE)]).await;
        peer.send("+OK\r\n").await;
    }
    large.await.expect("no panic").expect("it was under way");
    other.await.expect("no panic").expect("a reply");
    bulk.expect_end().await;
}

#[tokio::test]
async fn large_values_reach_the_database_the_transaction_and_the_watch_that_they_are_meant_for() {
    on_every_server("SET", async |client| {
        let large = |byte: u8| vec![byte; 2 * 1024 * 1024];
        client.set("k", large(b'0')).await.unwrap();
        client.select(3).await.unwrap();
        client.set("k", large(b'3')).await.unwrap();
        assert_eq!(client.get("k").await.unwrap().unwrap(), large(b'3'));
        client.select(0).await.unwrap();
        assert_eq!(client.get("k").await.unwrap().unwrap(), large(b'0'));

        let (_, length) = client
            .transaction((client.set("k", large(b't')), client.strlen("k")))
            .await
            .unwrap();
        assert_eq!(length, 2 * 1024 * 1024);
        let (_, second) = client
            .pipeline((
                client.append("k", large(b'p')),
                client.getrange("k", -1, -1),
            ))
            .await
            .unwrap();
        assert_eq!(second, "p");
        // A pipeline of many small commands is as long as one large one.
        let many: Vec<_> = (0..40_000).map(|n| client.rpush("list", n)).collect();
        let lengths = client.pipeline(many).await.unwrap();
        assert!(lengths.into_iter().eq(1..=40_000), "in order");

        // The watch and its transaction are on one connection, whatever is in it: somebody else's change is noticed.
        let mut attempts = 0;
        client
            .watch("w")
            .run(|tx| {
                attempts += 1;
                let (disturb, client) = (attempts == 1, client.clone());
                async move {
                    if disturb {
                        client.set("w", "theirs").await?;
                    }
                    tx.transaction((tx.set("w", large(b'w')),)).await
                }
            })
            .await
            .unwrap();
        assert_eq!(attempts, 2);
    })
    .await;
}
