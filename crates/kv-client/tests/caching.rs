//! Replies that are kept until the server says that they have changed.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;
mod support;

use std::time::Duration;

use bytes::Bytes;
use kv_client::{Caching, Client, Config, Protocol};
use servers::{Redis, on_every_server};
use support::{Peer, Peers, peers};
use tokio::join;
use tokio::time::timeout;

async fn cached(client: &Client, key: &str) -> Option<String> {
    client.get(key).into().cached().await.expect("a reply")
}

/// Reads until the value is there; it takes as long as a message does.
async fn becomes(client: &Client, key: &str, value: Option<&str>) {
    let reading = async {
        while cached(client, key).await.as_deref() != value {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), reading)
        .await
        .unwrap_or_else(|_| panic!("{key} does not become {value:?}"));
}

async fn serves_and_forgets(config: Config, other: Client) {
    let client = Client::connect(config.caching(Caching::new()))
        .await
        .unwrap();
    other.mset([("{c}a", "1"), ("{c}b", "2")]).await.unwrap();
    assert_eq!(cached(&client, "{c}a").await.as_deref(), Some("1"));
    for _ in 0..10 {
        assert_eq!(cached(&client, "{c}a").await.as_deref(), Some("1"));
    }
    assert_eq!(
        (client.cache_stats().hits, client.cache_stats().misses),
        (10, 1)
    );

    // Whoever changes it, and however: a key that did not exist, too.
    other.set("{c}a", "changed").await.unwrap();
    becomes(&client, "{c}a", Some("changed")).await;
    client.set("{c}a", "by ourselves").await.unwrap();
    becomes(&client, "{c}a", Some("by ourselves")).await;
    other.del("{c}a").await.unwrap();
    becomes(&client, "{c}a", None).await;
    other.set("{c}a", "new").await.unwrap();
    becomes(&client, "{c}a", Some("new")).await;

    // A reply of several keys goes when one of them does.
    let both = || {
        client
            .mget(["{c}a", "{c}b"])
            .into::<(String, String)>()
            .cached()
            .into_future()
    };
    assert_eq!(both().await.unwrap(), ("new".to_owned(), "2".to_owned()));
    let hits = client.cache_stats().hits;
    assert_eq!(both().await.unwrap().1, "2");
    assert_eq!(client.cache_stats().hits, hits + 1);
    other.set("{c}b", "3").await.unwrap();
    let reading = async {
        while both().await.unwrap().1 != "3" {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), reading)
        .await
        .expect("invalidated");

    other.flushall().await.unwrap();
    becomes(&client, "{c}a", None).await;
    // What is no read, or has no key, is sent as ever.
    assert_eq!(client.incr("{c}n").cached().await.unwrap(), 1);
    assert_eq!(client.incr("{c}n").cached().await.unwrap(), 2);
    client.ping().cached().await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn a_reply_is_served_from_memory_until_somebody_changes_its_keys() {
    on_every_server("CLIENT|TRACKING", async |other| {
        let config = || other.config().clone();
        serves_and_forgets(config().protocol(Protocol::Resp3), other.clone()).await;

        // Without RESP3 nothing is kept, and nothing is wrong.
        let config = config().protocol(Protocol::Resp2).caching(Caching::new());
        let client = Client::connect(config).await.unwrap();
        client.set("k", "1").await.unwrap();
        assert_eq!(cached(&client, "k").await.as_deref(), Some("1"));
        client.set("k", "2").await.unwrap();
        assert_eq!(cached(&client, "k").await.as_deref(), Some("2"));
        assert_eq!(client.cache_stats().entries, 0);
        client.close().await;
    })
    .await;
}

#[tokio::test]
async fn another_database_is_another_value() {
    on_every_server("CLIENT|TRACKING", async |other| {
        let config = other.config().clone().protocol(Protocol::Resp3);
        let client = Client::connect(config.caching(Caching::new()))
            .await
            .unwrap();
        client.set("k", "zero").await.unwrap();
        assert_eq!(cached(&client, "k").await.as_deref(), Some("zero"));
        client.select(1).await.unwrap();
        assert_eq!(cached(&client, "k").await, None);
        client.close().await;
    })
    .await;
}

/// `restart` leaves a server that knows nothing of its clients any more.
async fn is_asked_anew(config: Config, restart: impl AsyncFnOnce()) {
    let client = Client::connect(config.clone().caching(Caching::new()))
        .await
        .unwrap();
    client.set("k", "old").await.unwrap();
    assert_eq!(cached(&client, "k").await.as_deref(), Some("old"));
    restart().await;
    let other = Client::connect(config).await.unwrap();
    other.set("k", "new").await.unwrap();
    becomes(&client, "k", Some("new")).await;
    // And the new connection is told of changes as the first one was.
    other.set("k", "newer").await.unwrap();
    becomes(&client, "k", Some("newer")).await;
    client.close().await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_asked_anew() {
    let ours = kv_server::Server::builder().port(ports::free_port());
    let ours = ours.start().await.unwrap();
    is_asked_anew(ours.url().parse().unwrap(), async || {
        ours.stop().await;
        ours.restart().await.unwrap();
    })
    .await;
    ours.shutdown().await;

    let Some(mut redis) = Redis::start(&[]).await else {
        return;
    };
    is_asked_anew(redis.config(), async || {
        redis.kill();
        redis.start_again().await;
    })
    .await;
}

#[tokio::test]
async fn each_node_of_a_cluster_says_what_has_changed() {
    let Some(cluster) = cluster::RedisCluster::start(5000).await else {
        return;
    };
    serves_and_forgets(
        cluster.config(),
        Client::connect(cluster.config()).await.unwrap(),
    )
    .await;
}

/// A connection that has begun.
async fn greeted(peers: &mut Peers) -> Peer {
    let mut peer = peers.accept_raw().await;
    peer.expect(&["HELLO", "3"]).await;
    peer.send("%1\r\n+proto\r\n:3\r\n").await;
    peer
}

/// One whose reads may be kept.
async fn tracking(peers: &mut Peers) -> Peer {
    let mut peer = greeted(peers).await;
    peer.expect(&["CLIENT", "TRACKING", "ON", "OPTIN"]).await;
    peer.send("+OK\r\n").await;
    peer
}

/// The peer decides in which order reply and invalidation arrive.
#[tokio::test(start_paused = true)]
async fn an_invalidation_that_overtakes_nothing_still_counts() {
    let (config, mut peers) = peers(4096);
    let config = config.protocol(Protocol::Resp3).caching(Caching::new());
    let (client, mut peer) = join!(Client::connect(config), tracking(&mut peers));
    let client = client.unwrap();
    let get = || client.get("k").cached().into_future();
    const INVALIDATE: &str = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

    // Behind the reply in the same packet: the caller wakes after both.
    let (value, ()) = join!(get(), async {
        peer.expect(&["CLIENT", "CACHING", "YES"]).await;
        peer.expect(&["GET", "k"]).await;
        peer.send(&format!("+OK\r\n$3\r\nold\r\n{INVALIDATE}"))
            .await;
    });
    assert_eq!(value.unwrap(), Some(Bytes::from("old")));
    let (value, ()) = join!(get(), async {
        peer.expect(&["CLIENT", "CACHING", "YES"]).await;
        peer.expect(&["GET", "k"]).await;
        peer.send("+OK\r\n$3\r\nnew\r\n").await;
    });
    assert_eq!(
        value.unwrap(),
        Some(Bytes::from("new")),
        "the old reply was not kept"
    );
    assert_eq!(
        get().await.unwrap(),
        Some(Bytes::from("new")),
        "the peer is not asked again"
    );

    // A read whose connection is lost is sent again, and what the first one was is forgotten.
    peer.send(INVALIDATE).await;
    let (value, ()) = join!(
        async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            get().await
        },
        async {
            peer.expect(&["CLIENT", "CACHING", "YES"]).await;
            peer.expect(&["GET", "k"]).await;
            drop(peer);
            let mut peer = tracking(&mut peers).await;
            peer.expect(&["CLIENT", "CACHING", "YES"]).await;
            peer.expect(&["GET", "k"]).await;
            peer.send("+OK\r\n$5\r\nnewer\r\n").await;
        }
    );
    assert_eq!(value.unwrap(), Some(Bytes::from("newer")));
    assert_eq!(
        client.cache_stats().entries,
        0,
        "announced on a connection that is gone"
    );
}

/// A read that goes to the peer, and one that does not.
async fn is_kept_anew(client: &Client, peer: &mut Peer) {
    let (value, ()) = join!(client.get("k").cached().into_future(), async {
        peer.expect(&["CLIENT", "CACHING", "YES"]).await;
        peer.expect(&["GET", "k"]).await;
        peer.send("+OK\r\n$1\r\nv\r\n").await;
    });
    value.expect("a reply");
    assert_eq!(cached(client, "k").await.as_deref(), Some("v"));
}

/// The server says what has changed only later.
#[tokio::test(start_paused = true)]
async fn a_write_of_our_own_is_followed_by_no_read_of_what_was_before_it() {
    let (config, mut peers) = peers(4096);
    let config = config.protocol(Protocol::Resp3).caching(Caching::new());
    let (client, mut peer) = join!(Client::connect(config), tracking(&mut peers));
    let client = client.expect("the peer accepts");
    is_kept_anew(&client, &mut peer).await;

    let (set, ()) = join!(client.set("k", 1).into_future(), async {
        peer.expect(&["SET", "k", "1"]).await;
        peer.send("+OK\r\n").await;
    });
    set.expect("done");
    is_kept_anew(&client, &mut peer).await;

    let (eval, ()) = join!(client.eval("x", "k", ()).into_future(), async {
        peer.expect(&["EVAL", "x", "1", "k"]).await;
        peer.send("-ERR after it had written\r\n").await;
    });
    eval.expect_err("it failed");
    is_kept_anew(&client, &mut peer).await;

    let pipeline = client.pipeline((client.get("other"), client.rename("k", "l")));
    let (renamed, ()) = join!(pipeline.into_future(), async {
        peer.expect(&["GET", "other"]).await;
        peer.expect(&["RENAME", "k", "l"]).await;
        peer.send("_\r\n+OK\r\n").await;
    });
    renamed.expect("done");
    is_kept_anew(&client, &mut peer).await;

    let transaction = client.transaction((client.incr("k"),));
    let (counted, ()) = join!(transaction.into_future(), async {
        for args in [&["MULTI"][..], &["INCR", "k"], &["EXEC"]] {
            peer.expect(args).await;
        }
        peer.send("+OK\r\n+QUEUED\r\n*1\r\n:1\r\n").await;
    });
    counted.expect("done");
    is_kept_anew(&client, &mut peer).await;

    let (flushed, ()) = join!(client.flushall().into_future(), async {
        peer.expect(&["FLUSHALL"]).await;
        peer.send("+OK\r\n").await;
    });
    flushed.expect("done");
    is_kept_anew(&client, &mut peer).await;

    // Over a connection of its own.
    let (popped, _lane) = join!(client.blpop("k", Duration::ZERO).into_future(), async {
        let mut lane = greeted(&mut peers).await;
        lane.expect(&["BLPOP", "k", "0"]).await;
        lane.send("*2\r\n$1\r\nk\r\n$1\r\nv\r\n").await;
        lane
    });
    popped.expect("done");
    is_kept_anew(&client, &mut peer).await;

    let watch = client.watch("k");
    let attempt = async |tx: Client| tx.transaction((tx.del("k"),)).await;
    let (deleted, _lane) = join!(watch.run(attempt), async {
        let mut lane = greeted(&mut peers).await;
        lane.expect(&["WATCH", "k"]).await;
        lane.send("+OK\r\n").await;
        for args in [&["MULTI"][..], &["DEL", "k"], &["EXEC"]] {
            lane.expect(args).await;
        }
        lane.send("+OK\r\n+QUEUED\r\n*1\r\n:1\r\n").await;
        lane.expect(&["UNWATCH"]).await;
        lane.send("+OK\r\n").await;
        lane
    });
    deleted.expect("done");
    is_kept_anew(&client, &mut peer).await;

    // A read changes nothing.
    let (read, ()) = join!(client.strlen("k").into_future(), async {
        peer.expect(&["STRLEN", "k"]).await;
        peer.send(":1\r\n").await;
    });
    read.expect("a reply");
    assert_eq!(cached(&client, "k").await.as_deref(), Some("v"));
}
