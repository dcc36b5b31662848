//! Commands on keys of any type, over raw bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Client, bulk, clocked, server, start};
use kv_server::Server;

const OK: &str = "+OK\r\n";
const YES: &str = ":1\r\n";
const NO: &str = ":0\r\n";
const NULL: &str = "$-1\r\n";

async fn client() -> (Server, Client) {
    let server = server().await;
    let client = Client::new(&server);
    (server, client)
}

#[tokio::test]
async fn keys_are_counted_as_often_as_they_are_named() {
    let (_server, mut client) = client().await;
    client.check("MSET a 1 b 2", OK).await;
    client.check("EXISTS a a b c", ":3\r\n").await;
    client.check("TOUCH a a c", ":2\r\n").await;
    client.check("DBSIZE", ":2\r\n").await;
    client.check("TYPE a", "+string\r\n").await;
    client.check("TYPE c", "+none\r\n").await;
    client.check("DEL a a c", YES).await;
    client.check("UNLINK b b", YES).await;
    client.check("DBSIZE", NO).await;
    client.check("RANDOMKEY", NULL).await;
    client.check("SET only v", OK).await;
    client.check("RANDOMKEY", &bulk("only")).await;
}

#[tokio::test]
async fn a_key_is_renamed_over_another_one() {
    let (_server, mut client) = client().await;
    client.check("MSET a 1 b 2 c 3", OK).await;
    client.check("RENAME a b", OK).await;
    client.check("MGET a b", "*2\r\n$-1\r\n$1\r\n1\r\n").await;
    client.check("RENAME b b", OK).await;
    client.check("RENAME none b", "-ERR no such key\r\n").await;
    client.check("RENAMENX b c", NO).await;
    client.check("RENAMENX b b", NO).await;
    client.check("RENAMENX b d", YES).await;
    client
        .check("RENAMENX none d", "-ERR no such key\r\n")
        .await;
    client.check("GET d", &bulk("1")).await;
}

#[tokio::test]
async fn a_copy_is_a_value_of_its_own() {
    let (_server, mut client) = client().await;
    let same = "-ERR source and destination objects are the same\r\n";
    client.check("SET a 1", OK).await;
    client.check("COPY a b", YES).await;
    client.check("APPEND a 2", ":2\r\n").await;
    client.check("GET b", &bulk("1")).await;
    client.check("COPY a b", NO).await;
    client.check("COPY a b REPLACE", YES).await;
    client.check("GET b", &bulk("12")).await;
    client.check("COPY none b REPLACE", NO).await;
    client.check("COPY a a", same).await;
    client.check("COPY none none DB 0", same).await;
    client.check("COPY a a DB 1", YES).await;
    client.check("COPY a a DB 1", NO).await;
    client
        .check("COPY a a DB 16", "-ERR DB index is out of range\r\n")
        .await;
    client
        .check(
            "COPY a a DB x",
            "-ERR value is not an integer or out of range\r\n",
        )
        .await;
    client.check("COPY a a DB", "-ERR syntax error\r\n").await;
    client.check("SELECT 1", OK).await;
    client.check("GET a", &bulk("12")).await;
}

#[tokio::test]
async fn keys_move_between_databases() {
    let (_server, mut client) = client().await;
    client.check("MSET a 1 b 2", OK).await;
    client
        .check(
            "MOVE a 0",
            "-ERR source and destination objects are the same\r\n",
        )
        .await;
    client
        .check("MOVE a 16", "-ERR DB index is out of range\r\n")
        .await;
    client
        .check("MOVE a -1", "-ERR DB index is out of range\r\n")
        .await;
    client
        .check(
            "MOVE a x",
            "-ERR value is not an integer or out of range\r\n",
        )
        .await;
    client
        .check(
            "MOVE a 9999999999",
            "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n",
        )
        .await;
    client.check("MOVE none 1", NO).await;
    client.check("MOVE a 15", YES).await;
    client.check("EXISTS a", NO).await;
    client.check("SET a again", OK).await;
    client.check("MOVE a 15", NO).await;
    client.check("GET a", &bulk("again")).await;
    client.check("SELECT 15", OK).await;
    client.check("GET a", &bulk("1")).await;
}

#[tokio::test]
async fn databases_change_places() {
    let (_server, mut client) = client().await;
    client.check("SET k zero", OK).await;
    client.check("SELECT 5", OK).await;
    client.check("SET k five", OK).await;
    for (swap, then) in [
        ("0 5", "zero"),
        ("5 0", "five"),
        ("5 5", "five"),
        ("0 9", "five"),
        ("9 5", "zero"),
        ("2 3", "zero"),
    ] {
        client.check(&format!("SWAPDB {swap}"), OK).await;
        client.check("GET k", &bulk(then)).await;
    }
    client
        .check("SWAPDB x 0", "-ERR invalid first DB index\r\n")
        .await;
    client
        .check("SWAPDB 0 x", "-ERR invalid second DB index\r\n")
        .await;
    client
        .check("SWAPDB 99999999999 0", "-ERR invalid first DB index\r\n")
        .await;
    client
        .check("SWAPDB 0 16", "-ERR DB index is out of range\r\n")
        .await;
    client
        .check("SWAPDB -1 0", "-ERR DB index is out of range\r\n")
        .await;
}

#[tokio::test]
async fn flushing_empties_one_database_or_all() {
    let (_server, mut client) = client().await;
    for (line, left) in [
        ("FLUSHDB", ":1\r\n"),
        ("FLUSHDB SYNC", ":1\r\n"),
        ("FLUSHDB async", ":1\r\n"),
        ("FLUSHALL", NO),
        ("FLUSHALL ASYNC", NO),
        ("FLUSHALL sync", NO),
    ] {
        client.check("SELECT 1", OK).await;
        client.check("SET k v", OK).await;
        client.check("SELECT 0", OK).await;
        client.check("MSET a 1 b 2", OK).await;
        client.check(line, OK).await;
        client.check("DBSIZE", NO).await;
        client.check("SELECT 1", OK).await;
        client.check("DBSIZE", left).await;
    }
    client.check("FLUSHALL NOW", "-ERR syntax error\r\n").await;
    client
        .check("FLUSHDB SYNC ASYNC", "-ERR syntax error\r\n")
        .await;
}

#[tokio::test]
async fn encodings_are_named_as_in_redis() {
    let (_server, mut client) = client().await;
    for (lines, encoding) in [
        (&["SET k 12345"][..], "int"),
        (&["SET k 012"], "embstr"),
        (&["SET k 12", "APPEND k 3"], "raw"),
        (&["APPEND k 12"], "int"),
        (&["SETRANGE k 0 12"], "raw"),
        (&["SET k 1", "SETRANGE k 0 2"], "raw"),
        (&["SET k 1", "APPEND k 2", "INCR k"], "int"),
        (&["INCRBYFLOAT k 3"], "embstr"),
        (&["INCRBYFLOAT k 3", "INCR k"], "int"),
        (&["SET a 1", "APPEND a 2", "COPY a k"], "raw"),
        (&["INCRBYFLOAT a 3", "RENAME a k"], "embstr"),
        (
            &["SET k 12", "EXPIRE k 100", "APPEND k 3", "PERSIST k"],
            "raw",
        ),
    ] {
        client.check("FLUSHALL", OK).await;
        for line in lines {
            client.call(line).await;
        }
        client.check("OBJECT ENCODING k", &bulk(encoding)).await;
    }
    client.check("OBJECT ENCODING none", NULL).await;
    client
        .check(
            "OBJECT NONE k",
            "-ERR unknown subcommand 'NONE'. Try OBJECT HELP.\r\n",
        )
        .await;
    client
        .check(
            "OBJECT ENCODING",
            "-ERR wrong number of arguments for 'object|encoding' command\r\n",
        )
        .await;
    client
        .check(
            "OBJECT",
            "-ERR wrong number of arguments for 'object' command\r\n",
        )
        .await;
}

#[tokio::test]
async fn only_small_integers_look_shared() {
    let (_server, mut client) = client().await;
    client.check("MSET a 0 b 9999 c 10000 d -1 e x", OK).await;
    for (key, count) in [
        ("a", 2_147_483_647),
        ("b", 2_147_483_647),
        ("c", 1),
        ("d", 1),
        ("e", 1),
    ] {
        client
            .check(&format!("OBJECT REFCOUNT {key}"), &format!(":{count}\r\n"))
            .await;
    }
    client.check("OBJECT REFCOUNT none", NULL).await;
    client.check("OBJECT FREQ none", NULL).await;
    let freq = client.call("OBJECT FREQ a").await;
    assert!(
        freq.starts_with("-ERR An LFU maxmemory policy is not selected"),
        "{freq}"
    );
}

#[tokio::test]
async fn a_key_is_idle_until_it_is_used() {
    let (server, clock, mut client) = clocked(Server::builder()).await;
    let mut quiet = Client::new(&server);
    quiet.check("CLIENT NO-TOUCH ON", OK).await;
    client.check("SET k v", OK).await;
    clock.advance(Duration::from_secs(10));
    for line in [
        "EXISTS k",
        "TYPE k",
        "TTL k",
        "OBJECT ENCODING k",
        "KEYS *",
        "SCAN 0",
    ] {
        client.call(line).await;
        client.check("OBJECT IDLETIME k", ":10\r\n").await;
    }
    quiet.check("GET k", &bulk("v")).await;
    quiet.check("APPEND k w", ":2\r\n").await;
    client.check("OBJECT IDLETIME k", ":10\r\n").await;
    for line in [
        "GET k",
        "TOUCH k",
        "STRLEN k",
        "APPEND k x",
        "SETRANGE k 0 y",
        "SET k v",
        "MGET k",
        "COPY k l",
    ] {
        clock.advance(Duration::from_secs(5));
        client.call(line).await;
        client.check("OBJECT IDLETIME k", NO).await;
    }
    clock.advance(Duration::from_secs(5));
    quiet.check("TOUCH k", YES).await;
    client.check("OBJECT IDLETIME k", NO).await;
    client.check("OBJECT IDLETIME none", NULL).await;
    client.check("OBJECT IDLETIME l", ":5\r\n").await;
}

#[tokio::test]
async fn keys_finds_what_matches() {
    let (_server, mut client) = client().await;
    client.check("MSET one 1 two 2 \"st*r\" 3 \"\" 4", OK).await;
    client
        .check("KEYS o*e", &format!("*1\r\n{}", bulk("one")))
        .await;
    client
        .check("KEYS st\\*r", &format!("*1\r\n{}", bulk("st*r")))
        .await;
    client
        .check("KEYS two", &format!("*1\r\n{}", bulk("two")))
        .await;
    client.check("KEYS none", "*0\r\n").await;
    client.check("KEYS x*", "*0\r\n").await;
    let all = client.call("KEYS *").await;
    assert!(all.starts_with("*4\r\n"), "{all}");
}

/// The cursor and the keys of a reply of SCAN.
fn page(reply: &str) -> (u64, Vec<String>) {
    let mut lines = reply
        .split("\r\n")
        .filter(|line| !line.starts_with(['$', '*']));
    let cursor = lines.next().unwrap().parse().unwrap();
    (
        cursor,
        lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}

#[tokio::test]
async fn a_scan_finds_all_keys_that_stay_though_others_come_and_go() {
    let (_server, mut client) = client().await;
    for key in 0..1_000 {
        client.check(&format!("SET stays:{key} v"), OK).await;
        client.check(&format!("SET goes:{key} v"), OK).await;
    }
    let (mut cursor, mut turn, mut found) = (0, 0, Vec::new());
    loop {
        let (next, keys) = page(&client.call(&format!("SCAN {cursor} COUNT 7")).await);
        found.extend(keys);
        // The table shrinks at first, and then grows to several times its size.
        for n in 0..30 {
            let key = turn * 30 + n;
            client.call(&format!("DEL goes:{key}")).await;
            if turn > 30 {
                client
                    .check(&format!("MSET comes:{key} v and:{key} v"), OK)
                    .await;
            }
        }
        (cursor, turn) = (next, turn + 1);
        if cursor == 0 {
            break;
        }
    }
    let stayed: Vec<_> = found
        .iter()
        .filter(|key| key.starts_with("stays:"))
        .collect();
    let distinct: BTreeSet<_> = stayed.iter().collect();
    assert_eq!((distinct.len(), stayed.len()), (1_000, 1_000));
}

#[tokio::test]
async fn a_scan_filters_and_keeps_about_to_its_count() {
    let (_server, mut client) = client().await;
    for key in 0..500 {
        client.check(&format!("SET key:{key} v"), OK).await;
    }
    for (options, wanted) in [
        ("MATCH key:1?", 10),
        ("MATCH *", 500),
        ("MATCH x*", 0),
        ("TYPE string", 500),
        ("TYPE STRING MATCH key:?", 10),
        ("TYPE hash", 0),
        ("TYPE nonsense", 0),
        ("COUNT 1000", 500),
        ("COUNT 9223372036854775807", 500),
    ] {
        let (mut cursor, mut found) = (0, Vec::new());
        loop {
            let (next, keys) = page(&client.call(&format!("SCAN {cursor} {options}")).await);
            found.extend(keys);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(found.len(), wanted, "{options}");
    }
    let (_, keys) = page(&client.call("SCAN 0 COUNT 50").await);
    assert!(
        (50..80).contains(&keys.len()),
        "{} keys for COUNT 50",
        keys.len()
    );
    for line in [
        "SCAN 0 COUNT",
        "SCAN 0 COUNT 0",
        "SCAN 0 COUNT -5",
        "SCAN 0 FOO 1",
        "SCAN 0 MATCH",
    ] {
        client.check(line, "-ERR syntax error\r\n").await;
    }
    client
        .check(
            "SCAN 0 COUNT x",
            "-ERR value is not an integer or out of range\r\n",
        )
        .await;
    client.check("SCAN x", "-ERR invalid cursor\r\n").await;
    // Any number is a cursor.
    assert!(
        client
            .call("SCAN 18446744073709551615")
            .await
            .starts_with("*2\r\n")
    );
    client.check("FLUSHALL", OK).await;
    client.check("SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n").await;
}

#[tokio::test]
async fn every_change_of_a_key_is_announced() {
    let builder = Server::builder()
        .directive("notify-keyspace-events", &["KEAmn"])
        .unwrap();
    let server = start(builder).await;
    let mut client = Client::new(&server);
    let mut listener = Client::new(&server);
    listener.call("PSUBSCRIBE __keyevent*").await;
    for (line, events) in [
        ("SET a 1 EX 100", &["new a", "set a", "expire a"][..]),
        ("SET a 1 KEEPTTL", &["set a"]),
        ("GET b", &["keymiss b"]),
        ("MGET a b", &["keymiss b"]),
        ("EXISTS b", &["keymiss b"]),
        ("SET b 1 GET", &["keymiss b", "new b", "set b"]),
        ("MSET a 1 b 2", &["set a", "set b"]),
        ("INCR a", &["incrby a"]),
        ("DECRBY a 5", &["incrby a"]),
        ("INCRBYFLOAT a 1", &["incrbyfloat a"]),
        ("APPEND a x", &["append a"]),
        ("SETRANGE a 1 y", &["setrange a"]),
        ("GETEX a EX 10", &["expire a"]),
        ("GETEX a PERSIST", &["persist a"]),
        ("EXPIRE a 100", &["expire a"]),
        ("PERSIST a", &["persist a"]),
        ("RENAME a c", &["new c", "rename_from a", "rename_to c"]),
        ("COPY c a", &["new a", "copy_to a"]),
        ("MOVE c 1", &["move_from c", "new c", "move_to c"]),
        ("EXPIRE a -1", &["del a"]),
        ("GETDEL b", &["del b"]),
        ("OBJECT ENCODING b", &[]),
        ("SET d v", &["new d", "set d"]),
        ("DEL d d", &["del d"]),
    ] {
        client.call(line).await;
        client.call("SET marker v").await;
        let mut got = Vec::new();
        loop {
            let reply = listener.reply().await;
            let words: Vec<_> = reply
                .split("\r\n")
                .filter(|w| !w.starts_with(['$', '*']))
                .collect();
            let event = words[2].rsplit_once(':').unwrap().1;
            if (event, words[3]) == ("set", "marker") {
                break;
            }
            if words[3] != "marker" {
                got.push(format!("{event} {}", words[3]));
            }
        }
        assert_eq!(got, events, "events of {line}");
    }
}
