//! What CLIENT PAUSE keeps as it is, on a clock that only the test moves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, bulk, clocked, unswept};
use kv_server::{Clock, Server};

const OK: &str = "+OK\r\n";
const YES: &str = ":1\r\n";
const NO: &str = ":0\r\n";
const NULL: &str = "$-1\r\n";
/// How many keys there are.
const KEYS: &str = ":7\r\n";

/// A server with keys of all types, all of which have expired since CLIENT PAUSE, and fields of hashes too.
async fn paused() -> (Server, Clock, Client) {
    let (server, clock, mut client) = clocked(Server::builder()).await;
    for line in [
        "SET string v PX 100",
        "RPUSH list a b",
        "SADD set a b",
        "ZADD zset 1 a",
        "XADD stream 1-1 f v",
        "HSET hash gone 1 stays 2",
        "HPEXPIRE hash 100 FIELDS 1 gone",
        "HSET gone f v g w",
        "HPEXPIRE gone 100 FIELDS 2 f g",
        "CONFIG RESETSTAT",
    ] {
        assert!(!client.call(line).await.starts_with('-'), "{line}");
    }
    for key in ["list", "set", "zset", "stream"] {
        client.check(&format!("PEXPIRE {key} 100"), YES).await;
    }
    client.check("DBSIZE", KEYS).await;
    client.check("CLIENT PAUSE 1000000 WRITE", OK).await;
    clock.advance(Duration::from_millis(200));
    (server, clock, client)
}

#[tokio::test]
async fn readers_of_expired_keys_miss_them_and_leave_them_while_writes_are_paused() {
    let (_server, _clock, mut client) = paused().await;
    for (line, reply) in [
        ("GET string", NULL),
        ("MGET string string", "*2\r\n$-1\r\n$-1\r\n"),
        ("STRLEN string", NO),
        ("EXISTS string list set zset stream hash gone", YES),
        ("TOUCH string hash", YES),
        ("TYPE list", "+none\r\n"),
        ("TTL set", ":-2\r\n"),
        ("PEXPIRETIME zset", ":-2\r\n"),
        ("OBJECT ENCODING string", NULL),
        ("OBJECT IDLETIME string", NULL),
        ("DUMP string", NULL),
        ("MEMORY USAGE string", NULL),
        ("LRANGE list 0 -1", "*0\r\n"),
        ("SMEMBERS set", "*0\r\n"),
        ("SINTER set set", "*0\r\n"),
        ("SUNION set set", "*0\r\n"),
        ("SORT_RO list ALPHA", "*0\r\n"),
        ("ZRANGE zset 0 -1", "*0\r\n"),
        ("ZUNION 2 zset set", "*0\r\n"),
        ("ZDIFF 2 zset set", "*0\r\n"),
        ("XLEN stream", NO),
        ("XREAD STREAMS stream 0", "*-1\r\n"),
        ("HGETALL gone", "*0\r\n"),
        ("DBSIZE", KEYS),
    ] {
        client.check(line, reply).await;
    }
    for _ in 0..20 {
        let random = client.call("RANDOMKEY").await;
        assert!([bulk("hash"), bulk("gone")].contains(&random), "{random}");
    }
    for line in ["SCAN 0 COUNT 100", "KEYS *"] {
        let shown = client.call(line).await;
        assert!(shown.contains("hash"), "{line}: {shown}");
        assert!(!shown.contains("string"), "{line}: {shown}");
    }
    let stats = client.call("INFO stats").await;
    assert!(stats.contains("expired_keys:0\r\n"), "{stats}");
}

#[tokio::test]
async fn fields_of_hashes_that_have_expired_are_hidden_and_stay_while_writes_are_paused() {
    let (server, clock, mut client) = paused().await;
    let mut listener = Client::new(&server);
    client
        .check("CONFIG SET notify-keyspace-events KEA", OK)
        .await;
    listener.send("SUBSCRIBE __keyevent@0__:hexpired\r\n").await;
    listener.reply().await;
    for (line, reply) in [
        ("HGET hash gone", NULL),
        ("HGET hash stays", "$1\r\n2\r\n"),
        ("HEXISTS hash gone", NO),
        ("HLEN hash", YES),
        ("HGETALL hash", "*2\r\n$5\r\nstays\r\n$1\r\n2\r\n"),
        ("HPTTL hash FIELDS 2 gone stays", "*2\r\n:-2\r\n:-1\r\n"),
        ("HRANDFIELD hash", "$5\r\nstays\r\n"),
        ("EXISTS gone", NO),
    ] {
        client.check(line, reply).await;
    }
    let scanned = client.call("HSCAN hash 0").await;
    assert!(!scanned.contains("gone"), "{scanned}");
    // Nothing was said about them so far.
    listener
        .check("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n")
        .await;
    client.check("CLIENT UNPAUSE", OK).await;
    clock.advance(Duration::from_millis(100));
    let mut told = [listener.reply().await, listener.reply().await];
    told.sort();
    assert!(told[0].ends_with(&bulk("gone")), "{told:?}");
    assert!(told[1].ends_with(&bulk("hash")), "{told:?}");
}

#[tokio::test]
async fn what_expired_during_a_pause_goes_at_its_end() {
    for end in ["unpause", "time"] {
        let (_server, clock, mut client) = paused().await;
        client
            .check("CONFIG SET notify-keyspace-events KEA", OK)
            .await;
        client.check("GET string", NULL).await;
        client.check("HGET hash gone", NULL).await;
        if end == "unpause" {
            client.check("CLIENT UNPAUSE", OK).await;
            clock.advance(Duration::from_millis(100));
        } else {
            clock.advance(Duration::from_secs(1000));
        }
        loop {
            // Active expiry runs by itself.
            if client.call("DBSIZE").await == YES {
                break;
            }
        }
        let stats = client.call("INFO stats").await;
        assert!(stats.contains("expired_keys:5\r\n"), "{end}: {stats}");
        client.check("HLEN hash", YES).await;
        client.check("SET string again", OK).await;
        client.check("GET string", &bulk("again")).await;
    }
}

#[tokio::test]
async fn a_transaction_that_pauses_may_still_write_to_expired_keys() {
    let (_server, clock, mut client) = unswept().await;
    for key in ["a", "b", "c", "d"] {
        client.check(&format!("SET {key} v PX 100"), OK).await;
    }
    clock.advance(Duration::from_millis(200));
    client
        .send("MULTI\r\nCLIENT PAUSE 1000 WRITE\r\nGET a\r\nSETNX a new\r\nRPUSH b x\r\nAPPEND c y\r\nDEL d\r\nDBSIZE\r\nEXEC\r\n")
        .await;
    client.expect(OK).await;
    for _ in 0..7 {
        client.expect("+QUEUED\r\n").await;
    }
    client
        .expect("*7\r\n+OK\r\n$-1\r\n:1\r\n:1\r\n:1\r\n:0\r\n:3\r\n")
        .await;
    client.check("GET a", &bulk("new")).await;
    client.check("LRANGE b 0 -1", "*1\r\n$1\r\nx\r\n").await;
    client.check("GET c", &bulk("y")).await;
}

#[tokio::test]
async fn a_key_that_had_expired_at_watch_does_not_fail_exec_when_it_goes() {
    let (server, clock, mut client) = paused().await;
    let mut other = Client::new(&server);
    client.check("WATCH string", OK).await;
    other.check("WATCH list", OK).await;
    client.check("CLIENT UNPAUSE", OK).await;
    clock.advance(Duration::from_millis(100));
    client.check("GET string", NULL).await;
    client.check("MULTI", OK).await;
    client.check("EXEC", "*0\r\n").await;
    // A key that comes in its place is a change.
    client.check("SET list new", OK).await;
    other.check("MULTI", OK).await;
    other.check("EXEC", "*-1\r\n").await;
}

#[tokio::test]
async fn a_watched_key_that_expires_during_a_pause_fails_exec() {
    let (_server, clock, mut client) = clocked(Server::builder()).await;
    client.check("SET k v PX 100", OK).await;
    client.check("WATCH k", OK).await;
    client.check("CLIENT PAUSE 1000000 WRITE", OK).await;
    clock.advance(Duration::from_millis(200));
    client.check("GET k", NULL).await;
    client.check("MULTI", OK).await;
    client.check("EXEC", "*-1\r\n").await;
    client.check("DBSIZE", YES).await;
}

#[tokio::test]
async fn a_pause_of_everything_keeps_expired_keys_too() {
    let (_server, clock, mut client) = unswept().await;
    client.check("SET k v PX 100", OK).await;
    clock.advance(Duration::from_millis(200));
    // Inside of the transaction that pauses, commands go on.
    client
        .send("MULTI\r\nCLIENT PAUSE 1000 ALL\r\nGET k\r\nDBSIZE\r\nEXEC\r\nGET k\r\nDBSIZE\r\n")
        .await;
    client
        .expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n$-1\r\n:1\r\n")
        .await;
    clock.advance(Duration::from_millis(1000));
    client.expect("$-1\r\n:0\r\n").await;
}
