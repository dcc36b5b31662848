//! Replies that arrive after the time limit of the batch that they belong to.

use std::time::Duration;

use kv_client::{Client, Error, Outcome, Phase};
use tokio::join;
use tokio::time::sleep;

use crate::connected;
use crate::support::{Peer, request};
use crate::timeouts::assert_timed_out;
use crate::waiting::futures_poll;

const LIMIT: Duration = Duration::from_millis(100);

/// The next command gets the reply that comes after these.
async fn the_next_command_gets_its_own(client: &Client, peer: &mut Peer, late: &str) {
    let (next, ()) = join!(client.incr("next").into_future(), async {
        peer.expect(&["INCR", "next"]).await;
        peer.send(&format!("{late}:333\r\n")).await;
    });
    assert_eq!(next.expect("answered"), 333);
    assert_eq!(client.stats().in_flight, 0);
}

fn assert_late(error: &Error) {
    assert_timed_out(error, Phase::Waiting, Outcome::MaybeExecuted);
}

/// What is said of a pipeline of two whose time was over after the first reply.
fn assert_half([first, second]: [Result<i64, Error>; 2]) {
    assert_eq!(first.expect("it came in time"), 1);
    assert_late(&second.expect_err("it came too late"));
}

#[tokio::test(start_paused = true)]
async fn the_late_rest_of_a_pipeline_is_thrown_away_and_the_next_command_gets_its_own() {
    let (client, _peers, mut peer) = connected(1024).await;
    let pipeline = client.pipeline([client.incr("a"), client.incr("b")]);
    let (results, ()) = join!(pipeline.timeout(LIMIT).results(), async {
        peer.expect(&["INCR", "a"]).await;
        peer.expect(&["INCR", "b"]).await;
        peer.send(":1\r\n").await;
    });
    assert_half(results);
    the_next_command_gets_its_own(&client, &mut peer, ":2\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn the_late_rest_of_a_transaction_is_thrown_away_and_the_next_command_gets_its_own() {
    let (client, _peers, mut peer) = connected(1024).await;
    let transaction = client.transaction([client.incr("a")]).timeout(LIMIT);
    let (result, ()) = join!(transaction.into_future(), async {
        peer.expect(&["MULTI"]).await;
        peer.expect(&["INCR", "a"]).await;
        peer.expect(&["EXEC"]).await;
        peer.send("+OK\r\n+QUEUED\r\n").await;
    });
    assert_late(&result.expect_err("EXEC has no reply"));
    the_next_command_gets_its_own(&client, &mut peer, "*1\r\n:1\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn a_time_out_that_was_not_taken_yet_is_not_replaced_by_what_comes_after() {
    for lost in [false, true] {
        let (client, _peers, mut peer) = connected(1024).await;
        let pipeline = client.pipeline([client.incr("a"), client.incr("b")]);
        let mut results = Box::pin(pipeline.timeout(LIMIT).results());
        assert!(futures_poll(&mut results).is_none());
        peer.expect(&["INCR", "a"]).await;
        peer.expect(&["INCR", "b"]).await;
        peer.send(":1\r\n").await;
        sleep(2 * LIMIT).await;
        // The caller has not looked since; meanwhile the connection is lost, or the rest arrives.
        if lost {
            drop(peer);
        } else {
            peer.send(":2\r\n").await;
        }
        sleep(LIMIT).await;
        assert_half(results.await);
        assert_eq!(client.stats().in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_half_a_command_shifts_no_byte_of_what_is_written_next() {
    for lost in [false, true] {
        let (client, mut peers, mut peer) = connected(16).await;
        let value = "v".repeat(100);
        let set = client.set("k", value.as_str()).into_future();
        let incr = client.incr("late").timeout(LIMIT).into_future();
        let whole = request(&["SET", "k", &value]);
        let (set, incr, ()) = join!(set, incr, async {
            peer.expect_bytes(&whole[..1]).await;
            peer.send("+OK\r\n").await;
        });
        assert!(set.is_ok(), "{set:?}");
        let error = incr.expect_err("its time is over");
        assert_eq!(error.outcome(), Outcome::NotSent);
        let (next, ()) = join!(client.incr("next").into_future(), async {
            if lost {
                drop(peer);
                peer = peers.accept().await;
            } else {
                peer.expect_bytes(&whole[1..]).await;
            }
            peer.expect(&["INCR", "next"]).await;
            peer.send(":7\r\n").await;
        });
        assert_eq!(next.expect("answered"), 7);
    }
}
