//! Consumer groups, over raw bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, bulk, bulks, clocked, effects_of};
use kv_server::{Clock, Server};

const EMPTY: &str = "*0\r\n";
const OK: &str = "+OK\r\n";
const NO_GROUP: &str = "-NOGROUP No such key 's' or consumer group 'nobody'";

/// A server whose time stands still, and entries `1-0` to `5-0` with the field `n`, read by nobody in the group `g`.
async fn group() -> (Server, Clock, Client) {
    let (server, clock, mut client) = clocked(Server::builder()).await;
    for n in 1..=5 {
        client.call(&format!("XADD s {n}-0 n {n}")).await;
    }
    client.check("XGROUP CREATE s g 0", OK).await;
    (server, clock, client)
}

fn entry(n: u32) -> String {
    let n = n.to_string();
    format!("*2\r\n{}{}", bulk(&format!("{n}-0")), bulks(&["n", &n]))
}

/// What XREADGROUP replies for the stream `s`.
fn read(entries: impl ExactSizeIterator<Item = u32>) -> String {
    let header = format!("*1\r\n*2\r\n{}*{}\r\n", bulk("s"), entries.len());
    entries.fold(header, |frame, n| frame + &entry(n))
}

fn ids(ids: &[u32]) -> String {
    let ids: Vec<_> = ids.iter().map(|n| format!("{n}-0")).collect();
    bulks(&ids.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test]
async fn each_entry_goes_to_one_consumer_until_it_is_acknowledged() {
    let (_server, clock, mut client) = group().await;
    client
        .check("XREADGROUP GROUP g alice COUNT 2 STREAMS s >", &read(1..3))
        .await;
    clock.advance(Duration::from_millis(70));
    client
        .check("XREADGROUP GROUP g bob STREAMS s >", &read(3..6))
        .await;
    client
        .check("XREADGROUP GROUP g bob STREAMS s >", "*-1\r\n")
        .await;
    let consumers = format!("*2\r\n{}{}", bulks(&["alice", "2"]), bulks(&["bob", "3"]));
    let summary = format!("*4\r\n:5\r\n{}{}{consumers}", bulk("1-0"), bulk("5-0"));
    client.check("XPENDING s g", &summary).await;
    client.check("XACK s g 2-0 2-0 9-9", ":1\r\n").await;
    let row = |id: &str, name: &str, idle: u32| {
        format!("*4\r\n{}{}:{idle}\r\n:1\r\n", bulk(id), bulk(name))
    };
    let rows = format!("*2\r\n{}{}", row("1-0", "alice", 70), row("3-0", "bob", 0));
    client.check("XPENDING s g - + 2", &rows).await;
    let row = format!("*1\r\n{}", row("5-0", "bob", 0));
    client.check("XPENDING s g (4 + 10 bob", &row).await;
    client.check("XPENDING s g IDLE 71 - + 10", EMPTY).await;
    client.check("XPENDING s g - + 10 carol", EMPTY).await;
    // Its own history, which goes on being delivered.
    client
        .check("XREADGROUP GROUP g alice STREAMS s 0", &read(1..2))
        .await;
    let again = format!("*1\r\n*4\r\n{}{}:0\r\n:2\r\n", bulk("1-0"), bulk("alice"));
    client.check("XPENDING s g - + 1", &again).await;
    client.check("XDEL s 1-0", ":1\r\n").await;
    let gone = format!(
        "*1\r\n*2\r\n{}*1\r\n*2\r\n{}*-1\r\n",
        bulk("s"),
        bulk("1-0")
    );
    client
        .check("XREADGROUP GROUP g alice STREAMS s 0", &gone)
        .await;
    client
        .check("XREADGROUP GROUP g alice STREAMS s 1", &read(0..0))
        .await;
}

#[tokio::test]
async fn what_was_left_lying_is_claimed() {
    let (_server, clock, mut client) = group().await;
    client
        .call("XREADGROUP GROUP g alice COUNT 4 STREAMS s >")
        .await;
    clock.advance(Duration::from_secs(10));
    client.check("XCLAIM s g bob 20000 1-0", EMPTY).await;
    let one = format!("*1\r\n{}", entry(1));
    client.check("XCLAIM s g bob 10000 1-0 9-9", &one).await;
    client.check("XCLAIM s g bob 1 1-0", EMPTY).await;
    client
        .check(
            "XCLAIM s g bob 0 5-0 2-0 JUSTID RETRYCOUNT 7 IDLE 500",
            &ids(&[2]),
        )
        .await;
    client
        .check("XCLAIM s g bob 0 5-0 FORCE JUSTID LASTID 4-5", &ids(&[5]))
        .await;
    let row = |id: u32, name: &str, idle: u32, count: u32| {
        format!(
            "*4\r\n{}{}:{idle}\r\n:{count}\r\n",
            bulk(&format!("{id}-0")),
            bulk(name)
        )
    };
    let rows = [
        row(1, "bob", 0, 2),
        row(2, "bob", 500, 7),
        row(3, "alice", 10_000, 1),
        row(4, "alice", 10_000, 1),
        row(5, "bob", 0, 1),
    ];
    client
        .check("XPENDING s g - + 9", &format!("*5\r\n{}", rows.concat()))
        .await;
    client.check("XDEL s 4-0", ":1\r\n").await;
    let reply = |next: &str, claimed: &str, gone: &[u32]| {
        format!("*3\r\n{}{claimed}{}", bulk(next), ids(gone))
    };
    client
        .check(
            "XAUTOCLAIM s g carol 10000 - COUNT 1 JUSTID",
            &reply("4-0", &ids(&[3]), &[]),
        )
        .await;
    client
        .check("XAUTOCLAIM s g carol 10000 4-0", &reply("0-0", EMPTY, &[4]))
        .await;
    let consumers = client.call("XINFO CONSUMERS s g").await;
    assert_eq!(
        consumers.matches("pending\r\n:0\r\n").count(),
        1,
        "{consumers}"
    );
    assert_eq!(
        consumers.matches("pending\r\n:1\r\n").count(),
        1,
        "{consumers}"
    );
    assert_eq!(
        consumers.matches("pending\r\n:3\r\n").count(),
        1,
        "{consumers}"
    );
    for (line, error) in [
        (
            "XCLAIM s g bob x 1-0",
            "ERR Invalid min-idle-time argument for XCLAIM",
        ),
        ("XCLAIM s g bob 0 x", "ERR Unrecognized XCLAIM option 'x'"),
        (
            "XCLAIM s g bob 0 1-0 IDLE x",
            "ERR Invalid IDLE option argument for XCLAIM",
        ),
        (
            "XCLAIM s g bob 0 1-0 TIME",
            "ERR Unrecognized XCLAIM option 'TIME'",
        ),
        ("XAUTOCLAIM s g bob 0 - COUNT 0", "ERR COUNT must be > 0"),
        (
            "XAUTOCLAIM s g bob 0 x",
            "ERR Invalid stream ID specified as stream command argument",
        ),
    ] {
        client.check(line, &format!("-{error}\r\n")).await;
    }
}

#[tokio::test]
async fn groups_come_and_go() {
    let (_server, _clock, mut client) = group().await;
    let exists = "-BUSYGROUP Consumer Group name already exists\r\n";
    client.check("XGROUP CREATE s g $", exists).await;
    let missing = "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.\r\n";
    client.check("XGROUP CREATE new g $", missing).await;
    client.check("XGROUP CREATE new g $ MKSTREAM", OK).await;
    client.check("XLEN new", ":0\r\n").await;
    client.check("XGROUP CREATECONSUMER s g a", ":1\r\n").await;
    client.check("XGROUP CREATECONSUMER s g a", ":0\r\n").await;
    client
        .call("XREADGROUP GROUP g a COUNT 3 STREAMS s >")
        .await;
    client.check("XGROUP DELCONSUMER s g a", ":3\r\n").await;
    client.check("XGROUP DELCONSUMER s g a", ":0\r\n").await;
    let nothing = "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n";
    client.check("XPENDING s g", nothing).await;
    client.check("XGROUP SETID s g 4 ENTRIESREAD 4", OK).await;
    let group = format!(
        "*1\r\n*12\r\n{}{}{}:0\r\n{}:0\r\n{}{}{}:4\r\n{}:1\r\n",
        bulk("name"),
        bulk("g"),
        bulk("consumers"),
        bulk("pending"),
        bulk("last-delivered-id"),
        bulk("4-0"),
        bulk("entries-read"),
        bulk("lag")
    );
    client.check("XINFO GROUPS s", &group).await;
    client
        .check("XREADGROUP GROUP g b NOACK STREAMS s >", &read(5..6))
        .await;
    client.check("XPENDING s g", nothing).await;
    let unknown = "-NOGROUP No such consumer group 'nobody' for key name 's'\r\n";
    for line in [
        "XGROUP SETID s nobody 0",
        "XGROUP CREATECONSUMER s nobody a",
        "XGROUP DELCONSUMER s nobody a",
        "XINFO CONSUMERS s nobody",
    ] {
        client.check(line, unknown).await;
    }
    client
        .check("XPENDING s nobody", &format!("{NO_GROUP}\r\n"))
        .await;
    client
        .check("XCLAIM s nobody a 0 1", &format!("{NO_GROUP}\r\n"))
        .await;
    client
        .check(
            "XREADGROUP GROUP nobody a STREAMS s >",
            &format!("{NO_GROUP} in XREADGROUP with GROUP option\r\n"),
        )
        .await;
    client.check("XACK s nobody x", ":0\r\n").await;
    client.check("XGROUP DESTROY s g", ":1\r\n").await;
    client.check("XGROUP DESTROY s g", ":0\r\n").await;
}

#[tokio::test]
async fn what_groups_do_is_handed_on_entry_by_entry() {
    let clock = Clock::manual();
    let now = clock.now_ms();
    let lines = [
        "XADD s 1-0 n 1",
        "XADD s 2-0 n 2",
        "XADD s 3-0 n 3",
        "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g a COUNT 2 STREAMS s >",
        // What it has already, and nothing: neither changes data.
        "XREADGROUP GROUP g a STREAMS s 0",
        "XREADGROUP GROUP g b NOACK STREAMS s >",
        "XREADGROUP GROUP g b STREAMS s >",
        "XACK s g 7-7",
        "XACK s g 1-0",
        "XCLAIM s g b 0 2-0 9-9 RETRYCOUNT 5 TIME 12",
        "XCLAIM s g b 99999999999999 2-0 LASTID 5",
        "XDEL s 2-0",
        "XAUTOCLAIM s g a 0 -",
        "XGROUP DELCONSUMER s g nobody",
        "XGROUP DESTROY s g",
    ];
    let seen = effects_of(Server::builder().clock(clock), &lines).await;
    let claim = |consumer: &str, id: &str, time: i64, count: u32, last: &str| {
        format!(
            "XCLAIM s g {consumer} 0 {id} TIME {time} RETRYCOUNT {count} FORCE JUSTID LASTID {last}"
        )
    };
    let expected = [
        "XADD s 1-0 n 1".to_owned(),
        "XADD s 2-0 n 2".to_owned(),
        "XADD s 3-0 n 3".to_owned(),
        "XGROUP CREATE s g 0".to_owned(),
        claim("a", "1-0", now, 1, "1-0"),
        claim("a", "2-0", now, 1, "2-0"),
        "XGROUP CREATECONSUMER s g b".to_owned(),
        "XGROUP SETID s g 3-0 ENTRIESREAD 3".to_owned(),
        "XACK s g 1-0".to_owned(),
        claim("b", "2-0", 12, 5, "3-0"),
        "XGROUP SETID s g 5-0 ENTRIESREAD 3".to_owned(),
        "XDEL s 2-0".to_owned(),
        claim("b", "2-0", 12, 5, "5-0"),
        "XGROUP DESTROY s g".to_owned(),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn keyspace_events_tell_of_streams_and_groups() {
    let (server, _clock, mut client) = group().await;
    client
        .check("CONFIG SET notify-keyspace-events Et", OK)
        .await;
    let mut listener = Client::new(&server);
    listener.call("PSUBSCRIBE __keyevent@0__:*").await;
    for line in [
        "XADD s MAXLEN 3 9-0 a b",
        "XGROUP CREATECONSUMER s g a",
        "XREADGROUP GROUP g b STREAMS s >",
        "XACK s g 9-0",
        "XGROUP SETID s g 0",
        "XGROUP DELCONSUMER s g a",
        "XGROUP CREATE s h 0",
        "XGROUP DESTROY s h",
        "XDEL s 9-0",
        "XTRIM s MAXLEN 0",
        "XSETID s 10",
    ] {
        client.call(line).await;
    }
    for event in [
        "xadd",
        "xtrim",
        "xgroup-createconsumer",
        "xgroup-createconsumer",
        "xgroup-setid",
        "xgroup-delconsumer",
        "xgroup-create",
        "xgroup-destroy",
        "xdel",
        "xtrim",
        "xsetid",
    ] {
        let channel = format!("__keyevent@0__:{event}");
        let message = bulks(&["pmessage", "__keyevent@0__:*", &channel, "s"]);
        listener.expect(message).await;
    }
}
