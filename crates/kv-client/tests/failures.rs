//! What the client says and does when a connection breaks, stalls or lies. The peers are scripted, the time is paused.

mod support;

use std::error::Error as _;
use std::time::Duration;

use kv_client::{Class, Client, Credentials, ErrorKind, Outcome, Phase, Protocol, Retry};
use support::{Peer, Peers, peers, request};
use tokio::io::AsyncReadExt;
use tokio::join;

async fn connected(capacity: usize) -> (Client, Peers, Peer) {
    let (config, mut peers) = peers(capacity);
    let (client, peer) = join!(Client::connect(config), peers.accept());
    (client.expect("the peer accepts"), peers, peer)
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_have_run_is_not_sent_again_and_says_so() {
    let (client, mut peers, mut peer) = connected(1024).await;
    let (result, ()) = join!(client.incr("n").into_future(), async {
        peer.expect(&["INCR", "n"]).await;
        drop(peer);
    });
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::MaybeExecuted);
    assert_eq!(error.command(), Some("INCR"));
    assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error:?}");
    assert!(!error.had_no_effect());

    let mut peer = peers.accept().await;
    let (result, ()) = join!(client.get("n").into_future(), async {
        peer.expect(&["GET", "n"]).await; // and not INCR
        peer.send("$1\r\n1\r\n").await;
    });
    assert_eq!(result.unwrap().as_deref(), Some(&b"1"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_read_and_a_plain_set_are_sent_again() {
    let (client, mut peers, mut peer) = connected(1024).await;
    let (get, set, ()) = join!(
        client.get("k").into_future(),
        client.set("k", "v").into_future(),
        async {
            peer.expect(&["GET", "k"]).await;
            peer.expect(&["SET", "k", "v"]).await;
            drop(peer);
            let mut peer = peers.accept().await;
            for _ in 0..2 {
                match peer.next().await.unwrap()[0].as_str() {
                    "GET" => peer.send("$-1\r\n").await,
                    _ => peer.send("+OK\r\n").await,
                }
            }
        }
    );
    assert_eq!(get.unwrap(), None);
    set.unwrap();
}

#[tokio::test(start_paused = true)]
async fn options_that_make_a_set_unrepeatable_keep_it_from_being_sent_again() {
    let (client, mut peers, mut peer) = connected(1024).await;
    let raw = client.command("set").arg(("k", "v", "NX"));
    let (nx, get, raw, ()) = join!(
        client.set("k", "v").nx().into_future(),
        client.set("k", "v").get().into_future(),
        raw.into_future(),
        async {
            peer.expect(&["SET", "k", "v", "NX"]).await;
            peer.expect(&["SET", "k", "v", "GET"]).await;
            peer.expect(&["SET", "k", "v", "NX"]).await;
            drop(peer);
            let _peer = peers.accept().await;
        }
    );
    assert_eq!(nx.unwrap_err().outcome(), Outcome::MaybeExecuted);
    assert_eq!(get.unwrap_err().outcome(), Outcome::MaybeExecuted);
    assert_eq!(raw.unwrap_err().outcome(), Outcome::MaybeExecuted);
}

#[tokio::test(start_paused = true)]
async fn a_policy_says_what_is_sent_again() {
    let (client, mut peers, mut peer) = connected(1024).await;
    let never = client.get("a").retry(Retry::Never).into_future();
    let always = client.incr("b").retry(Retry::Always).into_future();
    let marked = client
        .command("MYREAD")
        .arg("c")
        .class(Class::Read)
        .into_future();
    let (never, always, marked, ()) = join!(never, always, marked, async {
        for args in [["GET", "a"], ["INCR", "b"], ["MYREAD", "c"]] {
            peer.expect(&args).await;
        }
        drop(peer);
        let mut peer = peers.accept().await;
        // What is sent again may change places.
        for _ in 0..2 {
            match peer.next().await.unwrap()[0].as_str() {
                "INCR" => peer.send(":2\r\n").await,
                "MYREAD" => peer.send("+fine\r\n").await,
                other => panic!("{other} was sent again"),
            }
        }
    });
    assert_eq!(never.unwrap_err().outcome(), Outcome::MaybeExecuted);
    assert_eq!(always.unwrap(), 2);
    assert_eq!(marked.unwrap().as_str(), Some("fine"));
}

#[tokio::test(start_paused = true)]
async fn retries_are_bounded() {
    let (config, mut peers) = peers(1024);
    let (client, peer) = join!(Client::connect(config.max_retries(2)), peers.accept());
    let client = client.unwrap();
    let (result, ()) = join!(client.get("k").into_future(), async {
        let mut peer = peer;
        for attempt in 0..3 {
            peer.expect(&["GET", "k"]).await;
            drop(peer);
            peer = peers.accept().await;
            assert!(attempt < 3);
        }
    });
    assert_eq!(result.unwrap_err().outcome(), Outcome::MaybeExecuted);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_cut_while_it_was_written_is_sent_again_whole_and_runs_once() {
    // The buffer takes 16 bytes: the server cannot have seen the end of the command.
    let (client, mut peers, mut peer) = connected(16).await;
    let (result, ()) = join!(client.incr("counter").into_future(), async {
        let mut half = [0; 8];
        peer.stream.read_exact(&mut half).await.unwrap();
        drop(peer);
        let mut peer = peers.accept().await;
        peer.expect(&["INCR", "counter"]).await;
        peer.send(":1\r\n").await;
    });
    assert_eq!(result.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_retries_a_cut_command_fails_as_not_sent() {
    let (client, mut peers, mut peer) = connected(16).await;
    let (result, ()) = join!(
        client.incr("counter").retry(Retry::Never).into_future(),
        async {
            let mut half = [0; 8];
            peer.stream.read_exact(&mut half).await.unwrap();
            drop(peer);
            let _peer = peers.accept().await;
        }
    );
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(
        error.to_string().ends_with("was lost (not sent)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn half_a_reply_is_no_reply() {
    let (client, mut peers, mut peer) = connected(1024).await;
    let (result, next, ()) = join!(
        client.incr("n").into_future(),
        client.getdel("k").into_future(),
        async {
            peer.expect(&["INCR", "n"]).await;
            peer.expect(&["GETDEL", "k"]).await;
            peer.send(":1\r\n$5\r\nhe").await;
            drop(peer);
            let _peer = peers.accept().await;
        }
    );
    assert_eq!(result.unwrap(), 1, "a reply that arrived whole counts");
    assert_eq!(next.unwrap_err().outcome(), Outcome::MaybeExecuted);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reply_is_thrown_away_and_the_next_command_gets_its_own() {
    let (client, _peers, mut peer) = connected(1024).await;
    let slow = client.incr("slow").timeout(Duration::from_millis(100));
    let (result, ()) = join!(slow.into_future(), peer.expect(&["INCR", "slow"]));
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::MaybeExecuted);
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Timeout {
                phase: Phase::Waiting,
                ..
            }
        ),
        "{error:?}"
    );
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
fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
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
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Timeout {
                phase: Phase::Writing,
                ..
            }
        ),
        "{error:?}"
    );
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
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Timeout {
                phase: Phase::Connecting,
                ..
            }
        ),
        "{error:?}"
    );
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
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Timeout {
                phase: Phase::Queued,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::NotSent);
}

#[tokio::test(start_paused = true)]
async fn login_database_and_name_are_restored_after_a_reconnect() {
    let (config, mut peers) = peers(1024);
    let config = config
        .credentials(Credentials::new("u", "p"))
        .db(3)
        .client_name("me");
    async fn set_up(peers: &mut Peers, user: &[&str], db: &str, name: &str) -> Peer {
        let mut peer = peers.accept_raw().await;
        peer.expect(user).await;
        peer.send("+OK\r\n").await;
        peer.expect(&["CLIENT", "SETNAME", name]).await;
        peer.expect(&["SELECT", db]).await;
        peer.send("+OK\r\n+OK\r\n").await;
        peer
    }
    let (client, peer) = join!(
        Client::connect(config),
        set_up(&mut peers, &["AUTH", "u", "p"], "3", "me")
    );
    let client = client.unwrap();
    drop(peer);
    let mut peer = set_up(&mut peers, &["AUTH", "u", "p"], "3", "me").await;

    // What commands change is restored too, if the server took it.
    let (select, auth, setname, bad, ()) = join!(
        client.select(5).into_future(),
        client.auth("q").into_future(),
        client
            .command("client")
            .arg("setname")
            .arg("you")
            .into_future(),
        client.select(99).into_future(),
        async {
            peer.expect(&["SELECT", "5"]).await;
            peer.expect(&["AUTH", "q"]).await;
            peer.expect(&["CLIENT", "setname", "you"]).await;
            peer.expect(&["SELECT", "99"]).await;
            peer.send("+OK\r\n+OK\r\n+OK\r\n-ERR DB index is out of range\r\n")
                .await;
        }
    );
    select.unwrap();
    auth.unwrap();
    setname.unwrap();
    assert_eq!(bad.unwrap_err().outcome(), Outcome::Rejected);
    drop(peer);
    set_up(&mut peers, &["AUTH", "q"], "5", "you").await;
}

#[tokio::test(start_paused = true)]
async fn an_old_server_is_spoken_to_in_resp2() {
    for answer in [
        "-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n",
        "-NOPROTO unsupported protocol version\r\n",
    ] {
        let (config, mut peers) = peers(1024);
        let config = config
            .protocol(Protocol::Auto)
            .credentials(Credentials::password("p"));
        let (client, ()) = join!(Client::connect(config), async {
            let mut peer = peers.accept_raw().await;
            peer.expect(&["HELLO", "3", "AUTH", "default", "p"]).await;
            peer.send(answer).await;
            peer.expect(&["AUTH", "p"]).await;
            peer.send("+OK\r\n").await;
        });
        client.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_an_error_at_once_and_not_a_time_out() {
    let (config, mut peers) = peers(1024);
    let config = config.credentials(Credentials::password("wrong"));
    let refuse = async |peers: &mut Peers| {
        let mut peer = peers.accept_raw().await;
        peer.expect(&["AUTH", "wrong"]).await;
        peer.send("-WRONGPASS invalid username-password pair or user is disabled.\r\n")
            .await;
    };
    let (client, ()) = join!(Client::connect(config.clone()), refuse(&mut peers));
    let error = client.unwrap_err();
    assert_eq!(error.code(), Some("WRONGPASS"));
    assert!(
        error
            .to_string()
            .starts_with("server at the caller's stream refused AUTH: WRONGPASS"),
        "{error}"
    );

    let client = Client::connect_lazy(config).unwrap();
    let begin = tokio::time::Instant::now();
    let (result, ()) = join!(client.incr("n").into_future(), refuse(&mut peers));
    let error = result.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome()),
        (Some("WRONGPASS"), Outcome::NotSent)
    );
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_no_redis_is_recognised() {
    let (config, mut peers) = peers(1024);
    let (client, ()) = join!(Client::connect(config), async {
        let mut peer = peers.accept_raw().await;
        peer.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let error = client.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Protocol { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "reply from the caller's stream cannot be read"
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_reply_end_the_connection_and_no_caller_gets_them() {
    let (client, mut peers, mut peer) = connected(1024).await;
    let (result, ()) = join!(client.incr("n").into_future(), async {
        peer.expect(&["INCR", "n"]).await;
        peer.send("?what\r\n").await;
        peer.expect_end().await;
        let _peer = peers.accept().await;
    });
    let error = result.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Protocol { .. }),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::MaybeExecuted);
}

#[tokio::test(start_paused = true)]
async fn each_command_of_a_broken_pipeline_has_an_outcome_of_its_own() {
    // 60 bytes: the first two commands and a part of the third.
    let (client, mut peers, mut peer) = connected(60).await;
    assert_eq!(request(&["INCR", "a"]).len(), 21);
    let pipeline = client.pipeline((
        client.incr("a"),
        client.incr("b"),
        client.incr("c"),
        client.incr("d"),
    ));
    let ((a, b, c, d), ()) = join!(pipeline.results(), async {
        peer.send(":1\r\n").await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        drop(peer);
        let _peer = peers.accept().await;
    });
    assert_eq!(a.unwrap(), 1);
    for (result, outcome) in [
        (b, Outcome::MaybeExecuted),
        (c, Outcome::NotSent),
        (d, Outcome::NotSent),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.outcome(), outcome, "{error}");
        assert_eq!(error.command(), Some("INCR"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_without_its_exec_was_not_sent_and_is_sent_again() {
    let (client, mut peers, mut peer) = connected(60).await;
    let transaction = client.transaction((client.incr("a"), client.incr("b")));
    let (result, ()) = join!(transaction.into_future(), async {
        peer.expect(&["MULTI"]).await;
        drop(peer);
        let mut peer = peers.accept().await;
        for args in [&["MULTI"][..], &["INCR", "a"], &["INCR", "b"], &["EXEC"]] {
            peer.expect(args).await;
        }
        peer.send("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n")
            .await;
    });
    assert_eq!(result.unwrap(), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_transaction_whose_exec_went_out_may_have_been_executed() {
    let (client, mut peers, mut peer) = connected(1024).await;
    let transaction = client.transaction((client.incr("a"), client.incr("b")));
    let (result, ()) = join!(transaction.into_future(), async {
        for args in [&["MULTI"][..], &["INCR", "a"], &["INCR", "b"], &["EXEC"]] {
            peer.expect(args).await;
        }
        peer.send("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n").await;
        drop(peer);
        let _peer = peers.accept().await;
    });
    let error = result.unwrap_err();
    assert_eq!(
        (error.outcome(), error.command()),
        (Outcome::MaybeExecuted, Some("EXEC"))
    );
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

#[tokio::test(start_paused = true)]
async fn closing_lets_commands_finish_and_takes_no_more() {
    let (client, _peers, mut peer) = connected(1024).await;
    let other = client.clone();
    let (result, (), ()) = join!(
        client.incr("n").into_future(),
        async {
            tokio::task::yield_now().await;
            other.close().await;
        },
        async {
            peer.expect(&["INCR", "n"]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.send(":1\r\n").await;
            peer.expect_end().await;
        }
    );
    assert_eq!(result.unwrap(), 1);
    let error = client.incr("n").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Closed), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);
}

#[tokio::test(start_paused = true)]
async fn the_connection_ends_with_the_last_handle() {
    let (client, _peers, mut peer) = connected(1024).await;
    let clone = client.clone();
    drop(client);
    let (result, ()) = join!(clone.incr("n").into_future(), async {
        peer.expect(&["INCR", "n"]).await;
        peer.send(":1\r\n").await;
    });
    result.unwrap();
    drop(clone);
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_not_to_reconnect_is_over_with_its_connection() {
    let (config, mut peers) = peers(1024);
    let (client, peer) = join!(Client::connect(config.reconnect(false)), peers.accept());
    let client = client.unwrap();
    drop(peer);
    for _ in 0..2 {
        let error = client.get("k").await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error:?}");
    }
    assert!(client.is_closed());
    assert!(peers.none_waiting());
}

#[tokio::test(start_paused = true)]
async fn commands_that_would_break_a_shared_connection_are_refused_unsent() {
    let (client, _peers, mut peer) = connected(1024).await;
    for name in ["SUBSCRIBE", "multi", "MONITOR", "Quit", "HELLO"] {
        let error = client.command(name).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Unshared { .. }),
            "{name}: {error:?}"
        );
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
    let error = client
        .command("client")
        .arg("reply")
        .arg("off")
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unshared { .. }),
        "{error:?}"
    );
    let error = client
        .pipeline((client.get("k"), client.select(1)))
        .await
        .unwrap_err();
    assert_eq!(error.command(), Some("SELECT"));

    let (result, ()) = join!(client.ping().into_future(), async {
        peer.expect(&["PING"]).await;
        peer.send("+PONG\r\n").await;
    });
    result.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_the_wrong_type_names_command_and_types() {
    let (client, _peers, mut peer) = connected(1024).await;
    let (result, ()) = join!(client.incr("n").into_future(), async {
        peer.expect(&["INCR", "n"]).await;
        peer.send("+what\r\n").await;
    });
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Executed);
    assert_eq!(
        error.to_string(),
        "INCR: expected an integer (i64), got the status what"
    );
}

#[tokio::test(start_paused = true)]
async fn a_blocking_command_has_a_connection_of_its_own_and_holds_nobody_up() {
    let (client, mut peers, mut shared) = connected(1024).await;
    let mut lane = None;
    let (popped, got, ()) = join!(
        client.blpop("queue", Duration::ZERO).into_future(),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            client.get("k").await
        },
        async {
            let lane = lane.insert(peers.accept().await);
            lane.expect(&["BLPOP", "queue", "0"]).await;
            shared.expect(&["GET", "k"]).await;
            shared.send("$-1\r\n").await;
            tokio::time::sleep(Duration::from_secs(8)).await;
            lane.send("*2\r\n$5\r\nqueue\r\n$3\r\njob\r\n").await;
        }
    );
    assert_eq!(got.unwrap(), None);
    assert_eq!(popped.unwrap(), Some(("queue".into(), "job".into())));

    // The next one uses the same connection.
    let mut lane = lane.unwrap();
    let (next, ()) = join!(
        client.command("blpop").arg(("queue", 1)).into_future(),
        async {
            lane.expect(&["BLPOP", "queue", "1"]).await;
            lane.send("*-1\r\n").await;
        }
    );
    next.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_a_blocking_command_ends_its_connection() {
    let (client, mut peers, _shared) = connected(1024).await;
    let popping = client.blpop("queue", Duration::ZERO).into_future();
    let mut lane = tokio::select! {
        _ = popping => panic!("nothing to pop"),
        lane = async {
            let mut lane = peers.accept().await;
            lane.expect(&["BLPOP", "queue", "0"]).await;
            lane
        } => lane,
    };
    lane.expect_end().await;
}

/// Whatever byte of the requests a connection is cut at, the outcome is true and nothing runs twice.
#[tokio::test(start_paused = true)]
async fn a_connection_cut_at_every_byte_tells_the_truth() {
    let commands = [&["INCR", "a"][..], &["GET", "b"], &["LPUSH", "c", "1"]];
    let wires = commands.map(|args| request(args).len());
    let ends = [
        wires[0],
        wires[0] + wires[1],
        wires[0] + wires[1] + wires[2],
    ];
    for cut in 0..=ends[2] {
        // One byte fits into the buffer, so the client may count one byte as sent that the peer did not read.
        let (config, mut peers) = peers(1);
        let (client, mut peer) = join!(Client::connect(config), peers.accept());
        let client = client.unwrap();
        let (incr, get, lpush) = (client.incr("a"), client.get("b"), client.lpush("c", 1));
        let peer = async {
            let mut read = vec![0; cut];
            peer.stream.read_exact(&mut read).await.unwrap();
            drop(peer);
            let mut peer = peers.accept().await;
            let mut again = Vec::new();
            while let Ok(Some(args)) =
                tokio::time::timeout(Duration::from_millis(100), peer.next()).await
            {
                peer.send(if args[0] == "GET" {
                    "$-1\r\n"
                } else {
                    ":1\r\n"
                })
                .await;
                again.push(args[0].clone());
            }
            again
        };
        let (incr, get, lpush, again) = join!(
            incr.into_future(),
            get.into_future(),
            lpush.into_future(),
            peer
        );
        get.unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        for (end, name, result) in [
            (ends[0], "INCR", incr.err()),
            (ends[2], "LPUSH", lpush.err()),
        ] {
            let times = again.iter().filter(|again| *again == name).count();
            match result {
                None => assert_eq!(
                    (cut < end, times),
                    (true, 1),
                    "cut at {cut}: {name} was to run once"
                ),
                Some(error) => {
                    assert_eq!(
                        (error.outcome(), times),
                        (Outcome::MaybeExecuted, 0),
                        "cut at {cut}: {error}"
                    );
                    assert!(
                        cut + 1 >= end,
                        "cut at {cut}: {name} cannot have been executed"
                    );
                }
            }
        }
    }
}
