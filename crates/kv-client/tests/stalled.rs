//! A real server that stops for a while: it neither answers nor closes.

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;
#[path = "support/timeouts.rs"]
mod timeouts;

use std::time::Duration;

use kv_client::{Client, ErrorKind, Outcome, Phase};
use servers::Redis;
use timeouts::assert_timed_out;

#[tokio::test]
async fn what_a_stalled_server_was_sent_may_have_run_and_everything_else_waits() {
    let Some(redis) = Redis::start(&[]).await else {
        return;
    };
    let client = Client::connect(redis.config()).await.expect("connects");
    client.incr("n").await.expect("it is well");
    redis.pause();
    for _ in 0..3 {
        let incr = client.incr("n").timeout(Duration::from_millis(50));
        let error = incr.await.expect_err("nobody answers");
        assert_timed_out(&error, Phase::Waiting, Outcome::MaybeExecuted);
    }
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.echo("still here").await }
    });
    redis.resume();
    let echo = waiting
        .await
        .expect("no panic")
        .expect("answered in the end");
    assert_eq!(echo, "still here", "late replies reach nobody");
    // This server runs whatever it was sent, once it goes on.
    assert_eq!(client.get("n").into::<i64>().await.expect("a count"), 4);
    assert_eq!(client.stats().connections, 1);
    client.close().await;
}

#[tokio::test]
async fn a_stalled_server_is_given_up_after_the_keepalive_and_found_again() {
    let Some(redis) = Redis::start(&[]).await else {
        return;
    };
    let config = redis.config().keepalive(Duration::from_secs(2));
    let client = Client::connect(config).await.expect("connects");
    client.incr("n").await.expect("it is well");
    redis.pause();
    let error = client.incr("n").await.expect_err("nobody answers");
    assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::MaybeExecuted);
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.incr("m").await }
    });
    redis.resume();
    // On a connection that was made meanwhile, and so exactly once; unless that one was given up as well.
    match waiting.await.expect("no panic") {
        Ok(count) => assert_eq!(count, 1),
        Err(error) => assert_eq!(error.outcome(), Outcome::MaybeExecuted, "{error:?}"),
    }
    let count: i64 = client.get("n").into().await.expect("a count");
    assert!((1..=2).contains(&count), "{count}");
    assert!(client.stats().reconnects >= 1);
    client.close().await;
}
