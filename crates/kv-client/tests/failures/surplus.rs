//! A server that sends more replies than it was asked for.

use kv_client::Client;
use tokio::join;

use crate::connected;
use crate::support::Peers;

/// The next command goes over a connection of its own, and gets its own reply.
async fn the_next_connection_serves(client: &Client, peers: &mut Peers) {
    let (next, ()) = join!(client.incr("n").into_future(), async {
        let mut peer = peers.accept().await;
        peer.expect(&["INCR", "n"]).await;
        peer.send(":1\r\n").await;
    });
    assert_eq!(next.expect("asked of the next connection"), 1);
    assert_eq!(client.stats().connections, 2);
}

#[tokio::test(start_paused = true)]
async fn a_reply_too_many_ends_the_connection_and_goes_to_nobody() {
    let (client, mut peers, mut peer) = connected(1024).await;
    let (set, ()) = join!(client.set("k", "v").into_future(), async {
        peer.expect(&["SET", "k", "v"]).await;
        peer.send("+OK\r\n:7\r\n").await;
    });
    set.expect("this reply was asked for");
    peer.expect_end().await;
    the_next_connection_serves(&client, &mut peers).await;
}

#[tokio::test(start_paused = true)]
async fn words_of_a_server_that_nobody_asked_end_the_connection() {
    let (client, mut peers, mut peer) = connected(1024).await;
    peer.send("-ERR going down\r\n").await;
    peer.expect_end().await;
    the_next_connection_serves(&client, &mut peers).await;
}
