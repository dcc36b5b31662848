//! Wrong use, and peers that are not what they should be.

use std::time::Duration;

use kv_client::{Client, Credentials, ErrorKind, Outcome};
use tokio::join;

use crate::connected;
use crate::support::{Peers, peers};

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
