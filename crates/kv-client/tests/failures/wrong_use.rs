//! Wrong use, and peers that are not what they should be.

use std::error::Error as _;
use std::time::Duration;

use kv_client::{Client, Credentials, ErrorKind, Limits, Outcome};
use tokio::join;

use crate::connected;
use crate::support::{Peer, Peers, peers};

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
        "reply from the caller's stream cannot be read; is it a redis server?"
    );
    let cause = error.source().expect("what is wrong").to_string();
    assert_eq!(cause, "unknown type byte 'H' at byte 0");
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
    let error = client.command("multi").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "MULTI: cannot be sent like this on a connection that others use too; use Client::transaction (not sent)"
    );
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

/// Strings may have 1000 bytes, in both directions.
async fn limited() -> (Client, Peers, Peer) {
    let limits = Limits {
        bulk_bytes: 1000,
        ..Limits::client()
    };
    let (config, mut peers) = peers(4096);
    let (client, peer) = join!(Client::connect(config.limits(limits)), peers.accept());
    (client.expect("the peer accepts"), peers, peer)
}

#[tokio::test(start_paused = true)]
async fn an_argument_that_no_server_takes_is_refused_unsent_and_hurts_nobody_else() {
    let (client, _peers, mut peer) = limited().await;
    let error = client.set("k", vec![b'x'; 1001]).await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::TooLong {
                len: 1001,
                max: 1000
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "SET: argument of 1001 bytes exceeds the limit of 1000 bytes (not sent)"
    );
    let pair = (client.get("k"), client.append("k", vec![b'x'; 5000]));
    let error = client.pipeline(pair).await.unwrap_err();
    assert_eq!(
        (error.command(), error.outcome()),
        (Some("APPEND"), Outcome::NotSent)
    );
    // Many short ones make a long command, which is no offence.
    let members: Vec<_> = (0..500).map(|n| n.to_string()).collect();
    let (added, ()) = join!(client.sadd("s", &members).into_future(), async {
        let mut args = vec!["SADD", "s"];
        args.extend(members.iter().map(String::as_str));
        peer.expect(&args).await;
        peer.send(":500\r\n").await;
    });
    assert_eq!(added.unwrap(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_reply_beyond_the_limit_says_which_and_the_connection_is_made_anew() {
    let (client, mut peers, mut peer) = limited().await;
    let (result, mut peer) = join!(client.get("large").into_future(), async {
        peer.expect(&["GET", "large"]).await;
        peer.send("$1001\r\n").await;
        peers.accept().await
    });
    let error = result.unwrap_err();
    let cause = error.source().expect("what is wrong").to_string();
    assert!(cause.contains("1001") && cause.contains("1000"), "{cause}");
    assert_eq!(error.outcome(), Outcome::MaybeExecuted);
    let (pong, ()) = join!(client.ping().into_future(), async {
        peer.expect(&["PING"]).await;
        peer.send("+PONG\r\n").await;
    });
    pong.unwrap();
}
