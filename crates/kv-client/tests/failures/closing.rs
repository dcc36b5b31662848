//! Callers that wait for room when the connection ends.

use std::time::Duration;

use kv_client::{Client, ErrorKind, Outcome};
use tokio::join;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::support::{Peer, Peers, peers};
use crate::waiting::futures_poll;

/// Far longer than anything may take; nothing is as long on the paused clock.
const GUARD: Duration = Duration::from_secs(60);

/// One command at a time, without a time limit, and no sign of life that would hide that nobody is woken.
async fn connected(reconnect: bool) -> (Client, Peers, Peer) {
    let (config, mut peers) = peers(1024);
    let config = config
        .max_in_flight(1)
        .command_timeout(None)
        .keepalive(None)
        .reconnect(reconnect);
    let (client, peer) = join!(Client::connect(config), peers.accept());
    (client.expect("the peer accepts"), peers, peer)
}

#[tokio::test(start_paused = true)]
async fn closing_serves_whoever_gets_room_from_the_last_reply() {
    let (client, _peers, mut peer) = connected(true).await;
    let (first, second) = (
        client.incr("a").into_future(),
        client.incr("b").into_future(),
    );
    let all = async {
        join!(first, second, client.close(), async {
            peer.expect(&["INCR", "a"]).await;
            peer.send(":1\r\n").await;
            peer.expect(&["INCR", "b"]).await;
            peer.send(":2\r\n").await;
            peer.expect_end().await;
        })
    };
    let (first, second, (), ()) = timeout(GUARD, all).await.expect("nobody is forgotten");
    assert_eq!((first.expect("sent"), second.expect("sent too")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn closing_goes_on_when_whoever_got_room_gives_it_up() {
    let (client, _peers, mut peer) = connected(true).await;
    let mut first = Box::pin(client.incr("a").into_future());
    let mut second = Box::pin(client.incr("b").into_future());
    assert!(futures_poll(&mut first).is_none() && futures_poll(&mut second).is_none());
    peer.expect(&["INCR", "a"]).await;
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    yield_now().await;
    peer.send(":1\r\n").await;
    assert_eq!(
        timeout(GUARD, first).await.expect("in time").expect("sent"),
        1
    );
    drop(second);
    let closed = timeout(GUARD, closing).await;
    closed.expect("nothing is left to do").expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_room_is_told_that_the_connection_is_lost_for_good() {
    let (client, _peers, mut peer) = connected(false).await;
    let (first, second) = (
        client.incr("a").into_future(),
        client.incr("b").into_future(),
    );
    let all = async {
        join!(first, second, async {
            peer.expect(&["INCR", "a"]).await;
            drop(peer);
        })
    };
    let (first, second, ()) = timeout(GUARD, all).await.expect("nobody is forgotten");
    let outcomes = [first, second].map(|result| {
        let error = result.expect_err("there is no connection");
        assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error:?}");
        error.outcome()
    });
    assert_eq!(outcomes, [Outcome::MaybeExecuted, Outcome::NotSent]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_room_is_told_that_the_client_is_closed_while_it_reconnects() {
    let (client, _peers, peer) = connected(true).await;
    drop(peer);
    while client.stats().connected {
        yield_now().await;
    }
    let (first, second) = (
        client.incr("a").into_future(),
        client.incr("b").into_future(),
    );
    let all = async { join!(first, second, client.close()) };
    let (first, second, ()) = timeout(GUARD, all).await.expect("nobody is forgotten");
    for result in [first, second] {
        let error = result.expect_err("there is no connection");
        assert!(matches!(error.kind(), ErrorKind::Closed), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
}

#[tokio::test(start_paused = true)]
async fn closing_ends_when_the_time_of_the_last_caller_is_over() {
    let (client, _peers, mut peer) = connected(true).await;
    let mut first = Box::pin(client.incr("a").into_future());
    let second = client.incr("b").timeout(Duration::from_secs(1));
    let mut second = Box::pin(second.into_future());
    assert!(futures_poll(&mut first).is_none() && futures_poll(&mut second).is_none());
    peer.expect(&["INCR", "a"]).await;
    let ((), first, ()) = join!(
        async {
            let closed = timeout(GUARD, client.close()).await;
            closed.expect("nobody has time left");
        },
        first,
        peer.send(":1\r\n")
    );
    assert_eq!(first.expect("sent"), 1);
    // Room became free for it, and it did not look.
    let error = second.await.expect_err("its time is over");
    let kind = error.kind();
    assert!(matches!(kind, ErrorKind::Timeout { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);
}
