//! `maxmemory`: who goes when memory is short, and who is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, bulk, clocked, info, noting_effects, start, with};
use kv_server::Server;

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
const OK: &str = "+OK\r\n";

/// A limit so many bytes above what is used now.
async fn limit(server: &Server, client: &mut Client, more: usize) -> usize {
    let limit = info(server, "used_memory") + more;
    client
        .check(&format!("CONFIG SET maxmemory {limit}"), OK)
        .await;
    limit
}

#[tokio::test]
async fn the_parameters_are_shown_as_they_were_set_with_units() {
    let server = common::server().await;
    let mut client = Client::new(&server);
    for (name, default, set, shown) in [
        ("maxmemory", "0", "2mb", "2097152"),
        (
            "maxmemory-policy",
            "noeviction",
            "ALLKEYS-lfu",
            "allkeys-lfu",
        ),
        ("maxmemory-samples", "5", "10", "10"),
        ("maxmemory-eviction-tenacity", "10", "100", "100"),
        ("maxmemory-clients", "0", "5%", "5%"),
        ("lfu-log-factor", "10", "0", "0"),
        ("lfu-decay-time", "1", "7", "7"),
    ] {
        let expect = |value| format!("*2\r\n{}{}", bulk(name), bulk(value));
        client
            .check(&format!("CONFIG GET {name}"), &expect(default))
            .await;
        client.check(&format!("CONFIG SET {name} {set}"), OK).await;
        client
            .check(&format!("CONFIG GET {name}"), &expect(shown))
            .await;
    }
    client
        .check(
            "CONFIG SET maxmemory-policy lru",
            "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction\r\n",
        )
        .await;
}

#[tokio::test]
async fn without_eviction_only_commands_that_take_memory_are_refused() {
    let server = common::server().await;
    let mut client = Client::new(&server);
    client.check("SET k v", OK).await;
    client.check("RPUSH list a b", ":2\r\n").await;
    client.check("CONFIG SET maxmemory 1", OK).await;
    for refused in [
        "SET k w",
        "LPUSH list c",
        "INCR n",
        "HSET h f v",
        "COPY k l",
    ] {
        client.check(refused, OOM).await;
    }
    client.check("GET k", &bulk("v")).await;
    client.check("LPOP list", &bulk("a")).await;
    client.check("EXPIRE k 100", ":1\r\n").await;
    client.check("DEL k", ":1\r\n").await;
    assert_eq!(info(&server, "evicted_keys"), 0);
    client.check("CONFIG SET maxmemory 0", OK).await;
    client.check("SET k w", OK).await;
}

#[tokio::test]
async fn a_transaction_is_refused_when_it_is_queued_or_when_it_runs() {
    let server = common::server().await;
    let (mut client, mut other) = (Client::new(&server), Client::new(&server));
    other.check("SET k v", OK).await;
    // Queued while there was room.
    client.check("MULTI", OK).await;
    client.check("SET k w", "+QUEUED\r\n").await;
    other.check("CONFIG SET maxmemory 1", OK).await;
    client
        .check("EXEC", "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n")
        .await;
    client.check("EXEC", "-ERR EXEC without MULTI\r\n").await;
    // Queueing takes memory, whatever is queued.
    client.check("MULTI", OK).await;
    client.check("GET k", OOM).await;
    client
        .check(
            "EXEC",
            "-EXECABORT Transaction discarded because of previous errors.\r\n",
        )
        .await;
    // One that takes none runs.
    other.check("CONFIG SET maxmemory 0", OK).await;
    client.check("MULTI", OK).await;
    client.check("GET k", "+QUEUED\r\n").await;
    other.check("CONFIG SET maxmemory 1", OK).await;
    client.check("EXEC", &format!("*1\r\n{}", bulk("v"))).await;
    client.check("MULTI", OK).await;
    client.check("DISCARD", OK).await;
}

#[tokio::test]
async fn every_policy_keeps_the_limit_and_touches_only_what_it_may() {
    for policy in [
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
    ] {
        let server = start(with(&[("maxmemory-policy", policy)])).await;
        let mut client = Client::new(&server);
        // Databases that are far apart are sampled too.
        for n in 0..300 {
            client.check(&format!("SET forever:{n} value"), OK).await;
        }
        client.check("SELECT 9", OK).await;
        let limit = limit(&server, &mut client, 40_000).await;
        for n in 0..2_000 {
            client
                .check(&format!("SET mortal:{n} value EX 1000"), OK)
                .await;
            // A table grows by 16 KiB at once at most; INFO counts the session that asks, too.
            let used = info(&server, "used_memory");
            assert!(used <= limit + 17_000, "{policy}: {used} of {limit}");
        }
        // As many turns as it takes to evict all.
        let used = (0..2_000 / 256)
            .map(|_| info(&server, "used_memory"))
            .last();
        assert!(used <= Some(limit + 1_000), "{policy}: {used:?} of {limit}");
        let (evicted, left) = (info(&server, "evicted_keys"), server.db(9).len());
        assert!(evicted > 500, "{policy}: {evicted} evicted");
        assert_eq!(evicted + left + server.db(0).len(), 2_300, "{policy}");
        if policy.starts_with("volatile") {
            assert_eq!(server.db(0).len(), 300, "{policy}");
        } else {
            assert!(server.db(0).len() < 300, "{policy}");
        }
    }
}

#[tokio::test]
async fn a_volatile_policy_refuses_when_no_key_expires() {
    let server = start(with(&[("maxmemory-policy", "volatile-lru")])).await;
    let mut client = Client::new(&server);
    client.check("SET forever value", OK).await;
    client.check("SET mortal value EX 1000", OK).await;
    client.check("CONFIG SET maxmemory 1", OK).await;
    client.check("SET another value", OOM).await;
    client.check("EXISTS forever mortal", ":1\r\n").await;
}

#[tokio::test]
async fn the_key_that_was_not_used_for_longest_goes_first() {
    let (server, clock, mut client) = clocked(with(&[
        ("maxmemory-policy", "allkeys-lru"),
        ("maxmemory-samples", "50"),
    ]))
    .await;
    for n in 0..100 {
        client.check(&format!("SET key:{n} value"), OK).await;
        clock.advance(Duration::from_secs(1));
    }
    // The first ones are used again, by reading and by writing.
    client.check("GET key:0", &bulk("value")).await;
    client.check("APPEND key:1 s", ":6\r\n").await;
    limit(&server, &mut client, 500).await;
    for n in 100..150 {
        client.check(&format!("SET key:{n} value"), OK).await;
    }
    let kept = |n: usize| usize::from(server.db(0).exists(format!("key:{n}")).unwrap());
    assert_eq!(kept(0) + kept(1), 2);
    let (old, new) = (2..52, 52..150);
    let (old, new): (usize, usize) = (old.map(kept).sum(), new.map(kept).sum());
    assert_eq!(
        old + info(&server, "evicted_keys"),
        50,
        "{new} new ones are left"
    );
    assert!(old < 35, "{old} old ones are left");
}

#[tokio::test]
async fn the_key_that_is_used_least_goes_first() {
    let server = with(&[
        ("maxmemory-policy", "allkeys-lfu"),
        ("maxmemory-samples", "50"),
        ("lfu-log-factor", "0"),
    ]);
    let (server, _clock, mut client) = clocked(server).await;
    for n in 0..100 {
        client.check(&format!("SET key:{n} value"), OK).await;
    }
    for _ in 0..10 {
        for n in 0..20 {
            client.check(&format!("GET key:{n}"), &bulk("value")).await;
        }
    }
    client.check("OBJECT FREQ key:0", ":15\r\n").await;
    client.check("OBJECT FREQ key:99", ":5\r\n").await;
    limit(&server, &mut client, 0).await;
    for n in 100..160 {
        client.check(&format!("SET key:{n} value"), OK).await;
    }
    for n in 0..20 {
        client.check(&format!("EXISTS key:{n}"), ":1\r\n").await;
    }
}

#[tokio::test]
async fn the_key_that_expires_first_goes_first() {
    let server = start(with(&[
        ("maxmemory-policy", "volatile-ttl"),
        ("maxmemory-samples", "50"),
    ]))
    .await;
    let mut client = Client::new(&server);
    for n in 0..100 {
        client
            .check(&format!("SET key:{n} value EX {}", 1_000 + 10 * n), OK)
            .await;
    }
    limit(&server, &mut client, 0).await;
    for n in 100..120 {
        client
            .check(&format!("SET key:{n} value EX {}", 1_000 + 10 * n), OK)
            .await;
    }
    let kept = |n: usize| usize::from(server.db(0).exists(format!("key:{n}")).unwrap());
    let (first, last): (usize, usize) = ((0..30).map(kept).sum(), (30..120).map(kept).sum());
    assert_eq!(
        first + info(&server, "evicted_keys"),
        30,
        "{last} of the others are left"
    );
    assert!(first < 25, "{first} of the first are left");
}

#[tokio::test]
async fn an_evicted_key_is_announced_and_propagated_and_spoils_a_transaction() {
    let (builder, seen) = noting_effects(with(&[
        ("maxmemory-policy", "allkeys-random"),
        ("notify-keyspace-events", "Ee"),
    ]));
    let server = start(builder).await;
    let (mut client, mut other) = (Client::new(&server), Client::new(&server));
    let mut listener = Client::new(&server);
    listener.call("SUBSCRIBE __keyevent@0__:evicted").await;
    client.check("SET k v", OK).await;
    client.check("WATCH k", OK).await;
    other.check("CONFIG SET maxmemory 1", OK).await;
    let event = format!(
        "*3\r\n{}{}{}",
        bulk("message"),
        bulk("__keyevent@0__:evicted"),
        bulk("k")
    );
    assert_eq!(listener.reply().await, event);
    other.check("CONFIG SET maxmemory 0", OK).await;
    client.check("MULTI", OK).await;
    client.check("PING", "+QUEUED\r\n").await;
    client.check("EXEC", "*-1\r\n").await;
    other
        .check("CONFIG SET lazyfree-lazy-eviction yes", OK)
        .await;
    other.check("SET l v", OK).await;
    other.check("CONFIG SET maxmemory 1", OK).await;
    listener.reply().await;
    let seen = seen.lock().unwrap();
    assert_eq!(*seen, ["SET k v", "DEL k", "SET l v", "UNLINK l"]);
}

#[tokio::test]
async fn a_lowered_limit_is_reached_without_another_command() {
    let server = start(with(&[("maxmemory-policy", "allkeys-lru")])).await;
    let mut client = Client::new(&server);
    for n in 0..3_000 {
        server.db(n % 16).set(format!("key:{n}"), "value").unwrap();
    }
    client.check("CONFIG SET maxmemory 1", OK).await;
    // More than one turn's work, which the timer goes on with.
    while (0..16).any(|db| !server.db(db).is_empty()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(info(&server, "evicted_keys"), 3_000);
}

#[tokio::test]
async fn what_object_tells_depends_on_the_policy() {
    let (_server, _clock, mut client) = clocked(Server::builder()).await;
    client.check("SET k 1", OK).await;
    client.check("OBJECT IDLETIME k", ":0\r\n").await;
    client.check("OBJECT REFCOUNT k", ":2147483647\r\n").await;
    let reply = client.call("OBJECT FREQ k").await;
    assert!(
        reply.starts_with("-ERR An LFU maxmemory policy is not selected"),
        "{reply}"
    );
    client.check("OBJECT FREQ none", "$-1\r\n").await;
    client
        .check("CONFIG SET maxmemory 1gb maxmemory-policy allkeys-lfu", OK)
        .await;
    client.check("SET k 1", OK).await;
    client.check("DEL k", ":1\r\n").await;
    client.check("SET k 1", OK).await;
    client.check("OBJECT FREQ k", ":5\r\n").await;
    client.check("OBJECT REFCOUNT k", ":1\r\n").await;
    let reply = client.call("OBJECT IDLETIME k").await;
    assert!(
        reply.starts_with("-ERR An LFU maxmemory policy is selected"),
        "{reply}"
    );
    client.check("OBJECT IDLETIME none", "$-1\r\n").await;
}

#[tokio::test]
async fn a_restored_key_has_the_use_that_the_policy_counts() {
    for (policy, asked, reply) in [
        ("allkeys-lru", "OBJECT IDLETIME", ":77\r\n"),
        ("allkeys-lfu", "OBJECT FREQ", ":99\r\n"),
    ] {
        let server = with(&[("maxmemory-policy", policy)]);
        let (server, _clock, mut client) = clocked(server).await;
        client.check("SET k v", OK).await;
        let dump = server.db(0).call(["DUMP", "k"]).unwrap();
        for (key, option, value) in [("idle", "IDLETIME", "77"), ("often", "FREQ", "99")] {
            let command = [b"RESTORE", key.as_bytes(), b"0", dump.as_bytes().unwrap()];
            let command = command
                .into_iter()
                .chain([option.as_bytes(), value.as_bytes()]);
            server.db(0).call(command).unwrap();
        }
        let (meant, other) = if policy.ends_with("lru") {
            ("idle", "often")
        } else {
            ("often", "idle")
        };
        client.check(&format!("{asked} {meant}"), reply).await;
        let other = client.call(&format!("{asked} {other}")).await;
        assert!([":0\r\n", ":5\r\n"].contains(&&*other), "{policy}: {other}");
    }
}

#[tokio::test]
async fn what_connections_track_and_the_slow_log_count_too() {
    let server = common::server().await;
    let mut client = Client::new(&server);
    for (begin, end) in [
        ("CLIENT TRACKING ON", "CLIENT TRACKING OFF"),
        ("CONFIG SET slowlog-log-slower-than 0", "SLOWLOG RESET"),
    ] {
        limit(&server, &mut client, 50_000).await;
        client.check("SET key value", OK).await;
        client.check(begin, OK).await;
        for n in 0..200 {
            let keys: Vec<_> = (0..31).map(|key| format!("key:{n}:{key}")).collect();
            client.call(&format!("EXISTS {}", keys.join(" "))).await;
        }
        client.check("SET key value", OOM).await;
        client
            .check("CONFIG SET slowlog-log-slower-than -1", OK)
            .await;
        client.check(end, OK).await;
        client.check("SET key value", OK).await;
    }
}
