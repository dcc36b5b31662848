//! The sorted set commands that wait, and what sorted sets tell others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, bulk, bulks, noting_effects, server, start, waiting};
use kv_server::{Clock, Server};

#[tokio::test]
async fn bzpop_takes_what_is_there_without_waiting() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("ZADD b 1 x 2 y 3 z", ":3\r\n").await;
    client
        .check("BZPOPMIN a b 0", &bulks(&["b", "x", "1"]))
        .await;
    client
        .check("BZPOPMAX a b 0", &bulks(&["b", "z", "3"]))
        .await;
    let last = format!("*2\r\n{}*1\r\n{}", bulk("b"), bulks(&["y", "2"]));
    client.check("BZMPOP 0 2 a b MAX COUNT 5", &last).await;
    client.check("EXISTS a b", ":0\r\n").await;
}

#[tokio::test]
async fn one_zadd_serves_as_many_as_it_has_members_for_in_order_of_arrival() {
    let server = server().await;
    let mut first = waiting(&server, "BZPOPMAX k 0").await;
    let mut second = waiting(&server, "BZPOPMIN other k 0").await;
    let mut third = waiting(&server, "BZMPOP 0 1 k MIN COUNT 2").await;
    let mut fourth = waiting(&server, "BZPOPMIN k 0").await;
    let mut client = Client::new(&server);
    client.check("ZADD k 1 a 2 b 3 c 4 d", ":4\r\n").await;
    first.expect(bulks(&["k", "d", "4"])).await;
    second.expect(bulks(&["k", "a", "1"])).await;
    let both = format!(
        "*2\r\n{}*2\r\n{}{}",
        bulk("k"),
        bulks(&["b", "2"]),
        bulks(&["c", "3"])
    );
    third.expect(both).await;
    client.check("EXISTS k", ":0\r\n").await;
    client.check("ZINCRBY k 5 e", &bulk("5")).await;
    fourth.expect(bulks(&["k", "e", "5"])).await;
}

#[tokio::test]
async fn whatever_makes_a_sorted_set_ends_a_wait() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("ZADD from 1 m", ":1\r\n").await;
    for bring in [
        "ZUNIONSTORE k 1 from",
        "ZINTERSTORE k 1 from",
        "ZDIFFSTORE k 1 from",
        "ZRANGESTORE k from 0 -1",
        "COPY from k",
        "RENAME from k",
    ] {
        let mut waiter = waiting(&server, "BZPOPMIN k 0").await;
        let reply = client.call(bring).await;
        assert!(!reply.starts_with('-'), "{bring}: {reply}");
        waiter.expect(bulks(&["k", "m", "1"])).await;
        client.check("EXISTS k", ":0\r\n").await;
    }
}

#[tokio::test]
async fn a_key_of_another_type_does_not_end_a_wait() {
    let server = server().await;
    let mut waiter = waiting(&server, "BZPOPMIN k 0").await;
    let mut list_waiter = waiting(&server, "BLPOP k 0").await;
    let mut client = Client::new(&server);
    client.check("RPUSH k x", ":1\r\n").await;
    list_waiter.expect(bulks(&["k", "x"])).await;
    client.check("SADD k x", ":1\r\n").await;
    client.check("DEL k", ":1\r\n").await;
    client.check("ZADD k 1 y", ":1\r\n").await;
    waiter.expect(bulks(&["k", "y", "1"])).await;
}

#[tokio::test]
async fn a_wait_ends_when_its_time_is_up() {
    let clock = Clock::manual();
    let server = start(Server::builder().clock(clock.clone())).await;
    let mut one = waiting(&server, "BZPOPMIN k 1.5").await;
    let mut two = waiting(&server, "BZMPOP 1.5 1 k MAX").await;
    clock.advance(Duration::from_millis(1_501));
    one.expect("*-1\r\n").await;
    two.expect("*-1\r\n").await;
    let mut client = Client::new(&server);
    client.call("MULTI").await;
    client.check("BZPOPMIN k 0", "+QUEUED\r\n").await;
    client.check("BZMPOP 0 1 k MIN", "+QUEUED\r\n").await;
    client.check("EXEC", "*2\r\n*-1\r\n*-1\r\n").await;
    client
        .check("BZPOPMIN k -1", "-ERR timeout is negative\r\n")
        .await;
}

#[tokio::test]
async fn replies_in_resp3_hold_doubles() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.call("HELLO 3").await;
    client.check("ZADD k 1.5 a 2 b", ":2\r\n").await;
    client
        .check("BZPOPMIN k 0", "*3\r\n$1\r\nk\r\n$1\r\na\r\n,1.5\r\n")
        .await;
    client
        .check(
            "BZMPOP 0 1 k MIN",
            "*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$1\r\nb\r\n,2\r\n",
        )
        .await;
}

#[tokio::test]
async fn effects_are_commands_that_do_not_wait_and_name_what_was_taken() {
    let (builder, seen) = noting_effects(Server::builder());
    let server = start(builder).await;
    let mut waiter = waiting(&server, "BZPOPMAX a b 0").await;
    let mut client = Client::new(&server);
    client.check("ZADD b 1 x 2 y", ":2\r\n").await;
    waiter.expect(bulks(&["b", "y", "2"])).await;
    for line in [
        "BZPOPMIN b 0",
        "ZADD k 1 a 2 b 3 c 4 d",
        "ZMPOP 2 none k MAX COUNT 2",
        "BZMPOP 0 1 k MIN",
        "ZADD k XX 9 none",
        "ZADD k 2 b",
        "ZINCRBY k 0 b",
        "ZREM k none",
        "ZPOPMIN k 0",
        "ZREMRANGEBYSCORE k 100 200",
        "ZINCRBY k 1.5 b",
        "ZREMRANGEBYRANK k 0 -1",
    ] {
        let reply = client.call(line).await;
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    let expected = [
        "ZADD b 1 x 2 y",
        "ZPOPMAX b",
        "ZPOPMIN b",
        "ZADD k 1 a 2 b 3 c 4 d",
        "ZPOPMAX k 2",
        "ZPOPMIN k 1",
        "ZINCRBY k 1.5 b",
        "ZREMRANGEBYRANK k 0 -1",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn events_are_those_of_redis() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check("CONFIG SET notify-keyspace-events Ezg", "+OK\r\n")
        .await;
    let mut listener = Client::new(&server);
    listener.call("PSUBSCRIBE __keyevent@0__:*").await;
    for (line, events) in [
        ("ZADD k 1 a 2 b 3 c 4 d 5 e 6 f", &["zadd"][..]),
        ("ZADD k 1 a", &[]),
        ("ZADD k INCR 1 a", &["zincr"]),
        ("ZINCRBY k 1 a", &["zincr"]),
        ("ZREM k a none", &["zrem"]),
        ("ZPOPMIN k", &["zpopmin"]),
        ("ZPOPMAX k", &["zpopmax"]),
        ("ZREMRANGEBYRANK k 0 0", &["zremrangebyrank"]),
        ("ZREMRANGEBYSCORE k 4 4", &["zremrangebyscore"]),
        ("ZADD k 5 g", &["zadd"]),
        ("ZRANGESTORE d k 0 0", &["zrangestore"]),
        ("ZUNIONSTORE d 1 k", &["zunionstore"]),
        ("ZINTERSTORE d 1 k", &["zinterstore"]),
        ("ZDIFFSTORE d 1 k", &["zdiffstore"]),
        ("ZDIFFSTORE d 1 none", &["del"]),
        ("ZREMRANGEBYLEX k - +", &["zremrangebylex", "del"]),
        ("ZADD k 1 a", &["zadd"]),
        ("ZREM k a", &["zrem", "del"]),
        ("ZADD k 1 a", &["zadd"]),
        ("ZMPOP 1 k MAX", &["zpopmax", "del"]),
    ] {
        let reply = client.call(line).await;
        assert!(!reply.starts_with('-'), "{line}: {reply}");
        for event in events {
            let message = listener.reply().await;
            let expected = format!("__keyevent@0__:{event}\r\n");
            assert!(message.contains(&expected), "{line}: {message}");
        }
    }
    client.check("PUBLISH __keyevent@0__:end x", ":1\r\n").await;
    let message = listener.reply().await;
    assert!(message.contains(":end\r\n"), "{message}");
}
