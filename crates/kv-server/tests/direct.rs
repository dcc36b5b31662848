//! The data without a client.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, bulk, start};
use kv_server::{Clock, Server};

#[tokio::test]
async fn what_is_set_directly_a_client_sees_and_the_other_way_round() {
    let server = common::server().await;
    let mut client = Client::new(&server);
    let db = server.db(0);
    db.set("k", "direct").unwrap();
    client.check("GET k", &bulk("direct")).await;
    client.check("SET k client", "+OK\r\n").await;
    assert_eq!(db.get("k").unwrap().unwrap(), b"client");
    assert_eq!(db.get("nothing").unwrap(), None);
    assert_eq!(server.db(1).get("k").unwrap(), None);
    db.set(b"\0\xff", b"\r\n").unwrap();
    assert_eq!(db.get(b"\0\xff").unwrap().unwrap(), b"\r\n");
    assert_eq!(db.type_of("k").unwrap().as_deref(), Some("string"));
    assert_eq!(db.type_of("nothing").unwrap(), None);
    assert_eq!(db.keys("k*").unwrap(), [b"k"]);
    assert!(db.del("k").unwrap());
    assert!(!db.del("k").unwrap());
    assert!(!db.exists("k").unwrap());
    db.flush().unwrap();
    assert!(db.is_empty());
}

#[tokio::test]
async fn direct_writes_expire_by_the_servers_clock() {
    let clock = Clock::manual();
    let server = start(Server::builder().clock(clock.clone())).await;
    let db = server.db(0);
    db.set_for("k", "v", Duration::from_secs(60)).unwrap();
    assert_eq!(db.ttl("k").unwrap(), Some(Duration::from_secs(60)));
    assert!(db.expire("k", Duration::from_secs(5)).unwrap());
    clock.advance(Duration::from_secs(6));
    assert_eq!(db.get("k").unwrap(), None);
    assert!(!db.expire("k", Duration::from_secs(5)).unwrap());
}

#[tokio::test]
async fn a_direct_write_breaks_a_watch_and_is_announced() {
    let server = common::server().await;
    let (mut watcher, mut listener) = (Client::new(&server), Client::new(&server));
    watcher.check("WATCH k", "+OK\r\n").await;
    watcher
        .check("CONFIG SET notify-keyspace-events KEA", "+OK\r\n")
        .await;
    listener.call("SUBSCRIBE __keyevent@0__:set").await;
    server.db(0).set("k", "v").unwrap();
    watcher.check("MULTI", "+OK\r\n").await;
    watcher.check("EXEC", "*-1\r\n").await;
    let message = listener.reply().await;
    assert!(message.ends_with("$1\r\nk\r\n"), "{message:?}");
}

#[tokio::test]
async fn a_direct_call_returns_replies_and_errors() {
    let server = common::server().await;
    let db = server.db(0);
    assert_eq!(db.call(["INCR", "n"]).unwrap().as_i64(), Some(1));
    let error = db.call(["INCR"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ERR wrong number of arguments for 'incr' command"
    );
    let none: [&str; 0] = [];
    assert_eq!(db.call(none).unwrap_err().to_string(), "ERR no command");
    db.call(["SELECT", "3"]).unwrap();
    db.call(["WATCH", "n"]).unwrap();
    db.call(["SUBSCRIBE", "news"]).unwrap();
    assert_eq!(db.call(["PUBLISH", "news", "x"]).unwrap().as_i64(), Some(0));
    assert_eq!(db.call(["INCR", "n"]).unwrap().as_i64(), Some(2));
    assert_eq!(server.counters().open_connections, 0);
}

#[tokio::test]
async fn a_stopped_server_can_be_looked_at() {
    let clock = Clock::manual();
    let server = start(Server::builder().clock(clock)).await;
    server.db(0).set("b\n", "2").unwrap();
    server
        .db(0)
        .set_for("a", b"\xff", Duration::from_millis(1500))
        .unwrap();
    server.stop().await;
    assert_eq!(
        server.db(0).dump(),
        "\"a\" string, 1500 ms left: \"\\xff\"\n\"b\\n\" string: \"2\"\n"
    );
}

#[tokio::test]
async fn collections_are_reached_too() {
    let server = common::server().await;
    let db = server.db(0);
    assert_eq!(db.push("list", "one").unwrap(), 1);
    assert_eq!(db.push("list", b"\xff").unwrap(), 2);
    assert_eq!(db.range("list").unwrap(), [&b"one"[..], b"\xff"]);
    assert!(db.hset("hash", "field", "1").unwrap());
    assert!(!db.hset("hash", "field", "2").unwrap());
    assert_eq!(db.hget("hash", "field").unwrap().unwrap(), b"2");
    assert_eq!(db.hget("hash", "other").unwrap(), None);
    assert_eq!(db.hgetall("hash").unwrap()[&b"field"[..]], b"2");
    assert!(db.sadd("set", "b").unwrap());
    assert!(db.sadd("set", "a").unwrap());
    assert!(!db.sadd("set", "a").unwrap());
    assert_eq!(db.smembers("set").unwrap().len(), 2);
    assert!(db.zadd("zset", "b", 1.5).unwrap());
    assert!(db.zadd("zset", "a", f64::INFINITY).unwrap());
    assert!(!db.zadd("zset", "b", -2.0).unwrap());
    assert!(db.zadd("zset", "c", f64::NAN).is_err());
    assert_eq!(
        db.zrange("zset").unwrap(),
        [(b"b".to_vec(), -2.0), (b"a".to_vec(), f64::INFINITY)]
    );
    let error = db.push("set", "x").unwrap_err().to_string();
    assert!(error.starts_with("WRONGTYPE "), "{error}");
    assert_eq!(
        db.dump(),
        "\"hash\" hash: {\"field\": \"2\"}\n\"list\" list: [\"one\", \"\\xff\"]\n\"set\" set: {\"a\", \"b\"}\n\"zset\" zset: (\"b\": -2, \"a\": inf)\n"
    );
}
