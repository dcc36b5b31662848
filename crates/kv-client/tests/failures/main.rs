//! What the client says and does when a connection breaks, stalls or lies. The peers are scripted, the time is paused.

mod blocking;
mod closing;
mod flood;
mod late;
mod outcomes;
mod repeated;
#[path = "../support/mod.rs"]
mod support;
mod surplus;
#[path = "../support/timeouts.rs"]
mod timeouts;
mod waiting;
mod wrong_use;

use std::time::Duration;

use kv_client::{Client, Credentials, ErrorKind, Outcome, Protocol};
use support::{Peer, Peers, peers};
use tokio::join;

async fn connected(capacity: usize) -> (Client, Peers, Peer) {
    let (config, mut peers) = peers(capacity);
    let (client, peer) = join!(Client::connect(config), peers.accept());
    (client.expect("the peer accepts"), peers, peer)
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
async fn closing_lets_commands_finish_and_takes_no_more() {
    let (client, mut peers, mut peer) = connected(1024).await;
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
    for error in [
        client.incr("n").await.unwrap_err(),
        client.blpop("q", Duration::ZERO).await.unwrap_err(),
        client.pipeline((client.get("k"),)).await.unwrap_err(),
        client.set("k", "v".repeat(2_000_000)).await.unwrap_err(),
        client.subscribe("c").await.unwrap_err(),
        client.monitor().await.unwrap_err(),
        client.watch("k").run(async |_| Ok(())).await.unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::Closed), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
    assert!(peers.none_waiting(), "nothing was connected for that");
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
