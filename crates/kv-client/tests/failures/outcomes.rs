//! What is sent again after a connection was lost, and what is said of the rest.

use std::time::Duration;

use kv_client::{Class, Client, ErrorKind, Outcome, Retry};
use tokio::io::AsyncReadExt;
use tokio::join;

use crate::connected;
use crate::support::{peers, request};

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
        // Time goes on when nothing more can be written.
        tokio::time::sleep(Duration::from_millis(1)).await;
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

#[tokio::test(start_paused = true)]
async fn replies_that_came_before_the_connection_broke_reach_all_of_their_many_callers() {
    const CALLERS: i64 = 500;
    let (client, _peers, mut peer) = connected(64 * 1024).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.incr(n.to_string()).await })
        })
        .collect();
    for n in 0..CALLERS {
        peer.expect(&["INCR", &n.to_string()]).await;
    }
    let replies: String = (0..CALLERS).map(|n| format!(":{n}\r\n")).collect();
    peer.send(&replies).await;
    drop(peer);
    for (n, caller) in (0..CALLERS).zip(callers) {
        assert_eq!(caller.await.unwrap().unwrap(), n);
    }
    assert_eq!(client.stats().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_whose_multi_was_refused_may_have_run_in_part() {
    let (client, _peers, mut peer) = connected(1024).await;
    let refused = "-NOPERM no permissions to run the 'multi' command\r\n";
    for (reply, outcome) in [
        (":1\r\n", Outcome::MaybeExecuted), // it was not queued, so it was run
        ("-NOPERM this neither\r\n", Outcome::Rejected),
    ] {
        let transaction = client.transaction((client.incr("a"),));
        let (result, ()) = join!(transaction.into_future(), async {
            for args in [&["MULTI"][..], &["INCR", "a"], &["EXEC"]] {
                peer.expect(args).await;
            }
            peer.send(&format!("{refused}{reply}-ERR EXEC without MULTI\r\n"))
                .await;
        });
        let error = result.expect_err("it is not to be run");
        assert_eq!(error.code(), Some("NOPERM"));
        assert_eq!(
            (error.command(), error.outcome()),
            (Some("MULTI"), outcome),
            "{error:?}"
        );
    }
}
