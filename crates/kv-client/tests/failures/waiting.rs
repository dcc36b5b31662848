//! Time limits, queues, and futures that are dropped while they wait.

use std::error::Error as _;
use std::time::Duration;

use kv_client::{Client, Credentials, Outcome, Phase, Protocol};
use tokio::io::AsyncReadExt;
use tokio::join;

use crate::connected;
use crate::support::peers;
use crate::timeouts::assert_timed_out;

#[tokio::test(start_paused = true)]
async fn a_slow_reply_is_thrown_away_and_the_next_command_gets_its_own() {
    let (client, _peers, mut peer) = connected(1024).await;
    let slow = client.incr("slow").timeout(Duration::from_millis(100));
    let (result, ()) = join!(slow.into_future(), peer.expect(&["INCR", "slow"]));
    let error = result.unwrap_err();
    assert_timed_out(&error, Phase::Waiting, Outcome::MaybeExecuted);
    assert_eq!(
        error.to_string(),
        "INCR: timed out after 100ms waiting for the reply (maybe executed)"
    );

    let (result, ()) = join!(client.incr("next").into_future(), async {
        peer.expect(&["INCR", "next"]).await;
        peer.send(":111\r\n:222\r\n").await;
    });
    assert_eq!(result.unwrap(), 222);
}

#[tokio::test(start_paused = true)]
async fn dropped_futures_never_shift_replies() {
    let (client, _peers, mut peer) = connected(4096).await;
    for round in 0..50 {
        let mut kept = Vec::new();
        let mut dropped = Vec::new();
        let mut futures = Vec::new();
        for n in 0..10 {
            let mut future = Box::pin(client.echo(format!("{round}-{n}")).into_future());
            assert!(futures_poll(&mut future).is_none());
            futures.push((n, future));
        }
        for (n, future) in futures {
            if (n * 7 + round) % 3 == 0 {
                dropped.push(future)
            } else {
                kept.push((n, future))
            }
        }
        // Some are dropped before they are written, some after.
        if round % 2 == 0 {
            dropped.clear();
        }
        tokio::task::yield_now().await;
        drop(dropped);
        for n in (0..10).filter(|n| round % 2 == 1 || (n * 7 + round) % 3 != 0) {
            let text = format!("{round}-{n}");
            peer.expect(&["ECHO", &text]).await;
            peer.send(&format!("${}\r\n{text}\r\n", text.len())).await;
        }
        for (n, future) in kept {
            assert_eq!(future.await.unwrap(), format!("{round}-{n}"));
        }
    }
    assert_eq!(client.stats().in_flight, 0);
}

/// Polls once.
pub(crate) fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_runs_out_of_time_before_it_is_written_is_never_sent() {
    let (client, _peers, mut peer) = connected(16).await;
    // The first command fills the socket; the second cannot be written.
    let first = client.set("k", "x".repeat(100)).into_future();
    let second = client
        .incr("n")
        .timeout(Duration::from_millis(100))
        .into_future();
    let third = client.incr("m").into_future();
    let (first, second, third, ()) = join!(first, second, third, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        peer.expect(&["SET", "k", &"x".repeat(100)]).await;
        peer.expect(&["INCR", "m"]).await;
        peer.send("+OK\r\n:1\r\n").await;
    });
    first.unwrap();
    assert_eq!(third.unwrap(), 1);
    let error = second.unwrap_err();
    assert_timed_out(&error, Phase::Writing, Outcome::NotSent);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_runs_out_of_time_half_written_may_be_executed() {
    let (client, _peers, mut peer) = connected(16).await;
    let error = client
        .set("k", "x".repeat(100))
        .timeout(Duration::from_millis(100))
        .await
        .unwrap_err();
    assert_eq!(
        error.outcome(),
        Outcome::MaybeExecuted,
        "the rest of it follows when the socket takes more"
    );
    let (result, ()) = join!(client.incr("m").into_future(), async {
        peer.expect(&["SET", "k", &"x".repeat(100)]).await;
        peer.expect(&["INCR", "m"]).await;
        peer.send("+OK\r\n:1\r\n").await;
    });
    assert_eq!(result.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_waits_for_a_connection_until_its_time_is_over_and_says_why_there_is_none() {
    let (config, peers) = peers(1024);
    drop(peers); // nobody answers any more
    let client = Client::connect_lazy(config.command_timeout(Duration::from_secs(1))).unwrap();
    let error = client.incr("n").await.unwrap_err();
    assert_timed_out(&error, Phase::Connecting, Outcome::NotSent);
    assert_eq!(
        error.to_string(),
        "INCR: timed out after 1s without a connection (not sent)"
    );
    let cause = error.source().unwrap();
    assert_eq!(
        cause.to_string(),
        "connection to the caller's stream failed"
    );
    assert_eq!(cause.source().unwrap().to_string(), "connection refused");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_waits_for_a_connection_until_its_time_is_over_and_says_why_there_is_none() {
    for protocol in [Protocol::Resp3, Protocol::Resp2] {
        let (config, peers) = peers(1024);
        drop(peers); // nobody answers any more
        let config = config
            .protocol(protocol)
            .command_timeout(Duration::from_secs(1));
        let client = Client::connect_lazy(config).unwrap();
        let error = client.subscribe("news").await.unwrap_err();
        assert_timed_out(&error, Phase::Connecting, Outcome::NotSent);
        let cause = error.source().unwrap();
        assert_eq!(
            cause.to_string(),
            "connection to the caller's stream failed"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_fails_at_once_if_the_server_refuses_the_login() {
    let (config, mut peers) = peers(1024);
    let config = config.credentials(Credentials::password("wrong"));
    let client = Client::connect_lazy(config.protocol(Protocol::Resp3)).unwrap();
    let begin = tokio::time::Instant::now();
    let (result, ()) = join!(client.subscribe("news").into_future(), async {
        let mut peer = peers.accept_raw().await;
        peer.send("-WRONGPASS invalid username-password pair or user is disabled.\r\n")
            .await;
    });
    let error = result.unwrap_err();
    assert_eq!(error.code(), Some("WRONGPASS"), "{error:?}");
    assert_eq!(error.command(), Some("SUBSCRIBE"));
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_asked_for_a_sign_of_life_and_then_given_up() {
    let (config, mut peers) = peers(1024);
    let config = config
        .keepalive(Duration::from_secs(10))
        .command_timeout(None);
    let (client, mut peer) = join!(Client::connect(config), peers.accept());
    let client = client.unwrap();

    // It answers: nothing happens.
    let before = tokio::time::Instant::now();
    peer.expect(&["PING"]).await;
    assert_eq!(before.elapsed().as_secs(), 10);
    peer.send("+PONG\r\n").await;

    // It does not: the connection is lost, and with it what was under way.
    let (result, ()) = join!(client.incr("n").into_future(), async {
        peer.expect(&["INCR", "n"]).await;
        peer.expect(&["PING"]).await;
        peer.expect_end().await;
        let _peer = peers.accept().await;
    });
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::MaybeExecuted);
    assert!(
        error
            .source()
            .unwrap()
            .to_string()
            .starts_with("no sign of life for 20"),
        "{:?}",
        error.source()
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_commands_are_under_way_than_allowed_and_the_rest_go_in_order() {
    let (config, mut peers) = peers(1024);
    let (client, mut peer) = join!(Client::connect(config.max_in_flight(2)), peers.accept());
    let client = client.unwrap();
    let commands = ["a", "b", "c", "d"].map(|key| Box::pin(client.incr(key).into_future()));
    let [a, b, c, d] = commands;
    let (a, b, c, d, ()) = join!(a, b, c, d, async {
        peer.expect(&["INCR", "a"]).await;
        peer.expect(&["INCR", "b"]).await;
        let mut byte = [0];
        let more = tokio::time::timeout(Duration::from_secs(1), peer.stream.read(&mut byte)).await;
        assert!(more.is_err(), "a third command is under way");
        peer.send(":1\r\n").await;
        peer.expect(&["INCR", "c"]).await;
        peer.send(":2\r\n:3\r\n").await;
        peer.expect(&["INCR", "d"]).await;
        peer.send(":4\r\n").await;
    });
    assert_eq!([a, b, c, d].map(Result::unwrap), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn waiting_in_the_queue_counts_against_the_time_limit() {
    let (config, mut peers) = peers(1024);
    let config = config
        .max_in_flight(1)
        .command_timeout(Duration::from_secs(1));
    let (client, mut peer) = join!(Client::connect(config), peers.accept());
    let client = client.unwrap();
    let first = client.incr("a").timeout(None);
    let (_, second, ()) = join!(first.into_future(), client.incr("b").into_future(), async {
        peer.expect(&["INCR", "a"]).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        peer.send(":1\r\n").await;
    });
    let error = second.unwrap_err();
    assert_timed_out(&error, Phase::Queued, Outcome::NotSent);
}

#[tokio::test(start_paused = true)]
async fn large_commands_and_large_replies_at_the_same_time_do_not_lock_up() {
    let (client, _peers, mut peer) = connected(64).await;
    let long = "x".repeat(100_000);
    let commands: Vec<_> = (0..4).map(|_| client.echo(long.clone())).collect();
    let (result, ()) = join!(client.pipeline(commands).into_future(), async {
        // Like Redis, it writes each reply before it reads the next command.
        for _ in 0..4 {
            peer.expect(&["ECHO", &long]).await;
            peer.send(&format!("${}\r\n{long}\r\n", long.len())).await;
        }
    });
    assert!(result.unwrap().iter().all(|reply| reply == long.as_bytes()));
}
