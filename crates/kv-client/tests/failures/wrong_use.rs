//! Wrong use, and peers that are not what they should be.

use std::error::Error as _;
use std::time::Duration;

use kv_client::{Client, Credentials, ErrorKind, Limits, Outcome, Protocol, ServerError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;
use tokio::net::TcpListener;

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
async fn a_greeting_that_looks_like_a_reply_is_not_taken_for_a_server() {
    let (config, mut peers) = peers(1024);
    let (client, ()) = join!(Client::connect(config.protocol(Protocol::Auto)), async {
        let mut peer = peers.accept_raw().await;
        peer.send("+OK POP3 server ready\r\n").await;
    });
    assert_eq!(
        client.unwrap_err().to_string(),
        "HELLO: expected a map of what the server is, got the status OK POP3 server ready (not sent)"
    );
}

#[tokio::test]
async fn a_port_that_ends_what_is_no_tls_is_said_to_speak_tls_perhaps() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let serve = async |alert: &[u8]| {
        let (mut stream, _) = listener.accept().await.unwrap();
        // All of it is read, so that the end is no reset.
        let mut hello = [0; 64];
        assert_ne!(stream.read(&mut hello).await.unwrap(), 0);
        stream.write_all(alert).await.unwrap();
    };
    let (client, ()) = join!(Client::connect(&url), serve(b""));
    let error = client.unwrap_err();
    let cause = error.source().expect("what is wrong").to_string();
    assert_eq!(
        cause,
        "closed by the server before it was set up; does this port speak TLS (rediss://)?"
    );
    let (client, ()) = join!(Client::connect(&url), serve(b"\x15\x03\x03\0\x02\x02\x46"));
    let said = client.unwrap_err().to_string();
    assert!(
        said.ends_with("cannot be read; does this port speak TLS (rediss://)?"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_a_login_is_said_to() {
    let (config, mut peers) = peers(1024);
    let (client, ()) = join!(Client::connect(config), async {
        let mut peer = peers.accept_raw().await;
        peer.send("-NOAUTH Authentication required.\r\n").await;
    });
    let said = client.unwrap_err().to_string();
    assert!(
        said.ends_with(
            "NOAUTH Authentication required. (it wants a login: user:password@ in the url, or Config::credentials)"
        ),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_of_a_cluster_taken_for_a_single_server_is_said_to_be_one() {
    let (client, _peers, mut peer) = connected(1024).await;
    let (result, ()) = join!(client.get("k").into_future(), async {
        peer.expect(&["GET", "k"]).await;
        peer.send("-MOVED 7629 10.0.0.2:7001\r\n").await;
    });
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GET: MOVED 7629 10.0.0.2:7001 (a node of a cluster: a redis-cluster:// url follows this)"
    );
    let text = error.server_error().map(ServerError::text);
    assert_eq!(text, Some("MOVED 7629 10.0.0.2:7001"));
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
    for (name, instead) in [
        ("WATCH", "use Client::watch"),
        ("MONITOR", "use Client::monitor"),
        ("SSUBSCRIBE", "use Client::ssubscribe"),
        ("UNSUBSCRIBE", "drop the Subscription"),
    ] {
        let said = client.command(name).await.unwrap_err().to_string();
        assert!(said.contains(instead), "{said}");
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
