//! What is said of a command that may have run, was sent again for that, and came to nothing the second time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kv_client::{Client, Error, ErrorKind, Outcome, Retry};
use tokio::join;

use crate::connected;
use crate::support::{Peer, Peers};

/// A SET that the server may have run, whose connection is gone. What the client tries next is not answered.
async fn cut(peers: &mut Peers, mut peer: Peer) -> Peer {
    peer.expect(&["SET", "k", "v"]).await;
    drop(peer);
    peers.accept_raw().await
}

fn assert_maybe(error: &Error) {
    assert_eq!(error.outcome(), Outcome::MaybeExecuted, "{error:?}");
    assert!(!error.had_no_effect());
}

#[tokio::test(start_paused = true)]
async fn it_may_have_run_though_there_was_no_time_to_send_it_again() {
    let (client, mut peers, peer) = connected(1024).await;
    let set = client.set("k", "v").timeout(Duration::from_secs(1));
    let (result, _next) = join!(set.into_future(), cut(&mut peers, peer));
    let error = result.expect_err("nobody answers");
    assert!(error.is_timeout(), "{error:?}");
    assert_maybe(&error);
}

#[tokio::test(start_paused = true)]
async fn it_may_have_run_though_the_client_was_closed_before_it_was_sent_again() {
    let (client, mut peers, peer) = connected(1024).await;
    let (result, _next) = join!(client.set("k", "v").into_future(), async {
        let next = cut(&mut peers, peer).await;
        client.close().await;
        next
    });
    let error = result.expect_err("nobody answers");
    assert!(matches!(error.kind(), ErrorKind::Closed), "{error:?}");
    assert_maybe(&error);
}

#[tokio::test(start_paused = true)]
async fn it_may_have_run_though_it_was_refused_the_second_time() {
    let (client, mut peers, mut peer) = connected(1024).await;
    let (result, ()) = join!(client.set("k", "v").into_future(), async {
        peer.expect(&["SET", "k", "v"]).await;
        drop(peer);
        let mut peer = peers.accept().await;
        peer.expect(&["SET", "k", "v"]).await;
        peer.send("-OOM command not allowed\r\n").await;
    });
    let error = result.expect_err("it was refused");
    assert_eq!(error.code(), Some("OOM"));
    assert_maybe(&error);
}

/// Two SETs in a pipeline, both of which may have run; `then` plays what the client does about it.
async fn both_cut<T>(then: impl AsyncFnOnce(&mut Peers) -> T) -> [Result<(), Error>; 2] {
    let (client, mut peers, mut peer) = connected(1024).await;
    let pipeline = client.pipeline([client.set("a", 1), client.set("b", 2)]);
    let (results, _kept) = join!(pipeline.timeout(Duration::from_secs(1)).results(), async {
        expect_both(&mut peer).await;
        drop(peer);
        then(&mut peers).await
    });
    results
}

async fn expect_both(peer: &mut Peer) {
    peer.expect(&["SET", "a", "1"]).await;
    peer.expect(&["SET", "b", "2"]).await;
}

/// What becomes of both if they are answered only when they were sent again.
async fn twice(second_time: &str) -> [Result<(), Error>; 2] {
    both_cut(async |peers| {
        let mut peer = peers.accept().await;
        expect_both(&mut peer).await;
        peer.send(second_time).await;
        peer
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn each_command_of_a_pipeline_may_have_run_though_it_was_refused_the_second_time() {
    for result in twice("-OOM no\r\n-OOM no\r\n").await {
        let error = result.expect_err("it was refused");
        assert_eq!(error.code(), Some("OOM"));
        assert_maybe(&error);
    }
    let [first, second] = twice("+OK\r\n-OOM no\r\n").await;
    first.expect("done");
    assert_maybe(&second.expect_err("it was refused"));
}

#[tokio::test(start_paused = true)]
async fn each_command_of_a_pipeline_may_have_run_though_it_was_not_sent_again() {
    let results = both_cut(async |peers| peers.accept_raw().await).await;
    for result in results {
        let error = result.expect_err("nobody answers");
        assert!(error.is_timeout(), "{error:?}");
        assert_maybe(&error);
    }
}

async fn transaction(client: &Client) -> Result<(i64,), Error> {
    let transaction = client.transaction((client.incr("n"),));
    let transaction = transaction.retry(Retry::Always);
    transaction.timeout(Duration::from_secs(1)).await
}

async fn expect_transaction(peer: &mut Peer) {
    for args in [&["MULTI"][..], &["INCR", "n"], &["EXEC"]] {
        peer.expect(args).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_may_have_run_though_it_was_refused_or_not_sent_the_second_time() {
    for refused in [true, false] {
        let (client, mut peers, mut peer) = connected(1024).await;
        let (result, _next) = join!(transaction(&client), async {
            expect_transaction(&mut peer).await;
            drop(peer);
            if !refused {
                return peers.accept_raw().await;
            }
            let mut peer = peers.accept().await;
            expect_transaction(&mut peer).await;
            peer.send("+OK\r\n-OOM no\r\n-EXECABORT because of that\r\n")
                .await;
            peer
        });
        let error = result.expect_err("it was not run again");
        assert_eq!(error.is_timeout(), !refused, "{error:?}");
        assert_maybe(&error);
    }
}

/// Counts up by a watch; how often its closure was run, and what it came to.
async fn count_up(client: &Client, runs: &AtomicU32) -> Result<(), Error> {
    let attempt = |tx: Client| async move {
        runs.fetch_add(1, Ordering::Relaxed);
        let value: i64 = tx.get("k").into().await?;
        tx.transaction((tx.set("k", value + 1),)).await
    };
    client.watch("k").run(attempt).await.map(|((),)| ())
}

/// A lane whose next command is that which the closure begins with.
async fn watching(peers: &mut Peers) -> Peer {
    let mut lane = peers.accept().await;
    lane.expect(&["WATCH", "k"]).await;
    lane.send("+OK\r\n").await;
    lane.expect(&["GET", "k"]).await;
    lane
}

#[tokio::test(start_paused = true)]
async fn a_watch_whose_transaction_may_have_run_is_not_run_again() {
    let (client, mut peers, _shared) = connected(1024).await;
    let runs = AtomicU32::new(0);
    let (result, ()) = join!(count_up(&client, &runs), async {
        let mut lane = watching(&mut peers).await;
        lane.send("$1\r\n7\r\n").await;
        for args in [&["MULTI"][..], &["SET", "k", "8"], &["EXEC"]] {
            lane.expect(args).await;
        }
    });
    let error = result.expect_err("its connection is lost");
    assert_maybe(&error);
    assert_eq!(error.command(), Some("EXEC"));
    assert_eq!(runs.into_inner(), 1, "or 7 would have become 9");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_has_only_read_is_run_again() {
    let (client, mut peers, _shared) = connected(1024).await;
    let runs = AtomicU32::new(0);
    let (result, _lane) = join!(count_up(&client, &runs), async {
        drop(watching(&mut peers).await);
        let mut lane = watching(&mut peers).await;
        lane.send("$1\r\n7\r\n").await;
        for args in [&["MULTI"][..], &["SET", "k", "8"], &["EXEC"]] {
            lane.expect(args).await;
        }
        lane.send("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n").await;
        lane.expect(&["UNWATCH"]).await;
        lane.send("+OK\r\n").await;
        lane
    });
    result.expect("nothing was done the first time");
    assert_eq!(runs.into_inner(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_watch_whose_transaction_was_run_is_not_run_again_whatever_fails_behind_it() {
    for kept in [true, false] {
        let (client, mut peers, _shared) = connected(1024).await;
        let runs = AtomicU32::new(0);
        let attempt = |tx: Client| {
            runs.fetch_add(1, Ordering::Relaxed);
            async move {
                let incr = tx.transaction((tx.incr("n"),));
                match kept {
                    true => drop(incr.await?),
                    // Nobody learns whether it was run.
                    false => drop(tokio::time::timeout(Duration::from_secs(1), incr).await),
                }
                tx.get("k").await
            }
        };
        let (result, ()) = join!(client.watch("k").run(attempt), async {
            let mut lane = peers.accept().await;
            lane.expect(&["WATCH", "k"]).await;
            lane.send("+OK\r\n").await;
            for args in [&["MULTI"][..], &["INCR", "n"], &["EXEC"]] {
                lane.expect(args).await;
            }
            if kept {
                lane.send("+OK\r\n+QUEUED\r\n*1\r\n:1\r\n").await;
            }
            lane.expect(&["GET", "k"]).await;
        });
        let error = result.expect_err("the connection is lost");
        assert_eq!(error.command(), Some("GET"), "{error:?}");
        assert_eq!(runs.into_inner(), 1, "or n would be counted up twice");
    }
}
