//! The stream commands without groups, over raw bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, Dir, bulk, bulks, clocked, effects_of, server, start};
use kv_server::{Clock, Server};

const NULL: &str = "$-1\r\n";
const EMPTY: &str = "*0\r\n";
const INVALID: &str = "-ERR Invalid stream ID specified as stream command argument\r\n";
const NOT_GREATER: &str =
    "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n";

async fn client() -> (Server, Client) {
    let server = server().await;
    let client = Client::new(&server);
    (server, client)
}

/// An entry in a reply.
fn entry(id: &str, fields: &[&str]) -> String {
    format!("*2\r\n{}{}", bulk(id), bulks(fields))
}

fn entries(entries: &[(&str, &[&str])]) -> String {
    let header = format!("*{}\r\n", entries.len());
    entries
        .iter()
        .fold(header, |frame, (id, fields)| frame + &entry(id, fields))
}

/// A stream of `1-0`, `2-0` and so on with the field `n`.
async fn fill(client: &mut Client, key: &str, entries: u32) {
    for n in 1..=entries {
        let id = format!("{n}-0");
        client
            .check(&format!("XADD {key} {id} n {n}"), &bulk(&id))
            .await;
    }
}

#[tokio::test]
async fn entries_come_back_in_the_order_of_their_ids() {
    let (_server, mut client) = client().await;
    client.check("XADD s 1-1 a 1 b two", &bulk("1-1")).await;
    client.check("XADD s 1-2 a 3", &bulk("1-2")).await;
    client.check("XADD s 5 b -4 a 2 a 3", &bulk("5-0")).await;
    client.check("XLEN s", ":3\r\n").await;
    let first: (&str, &[&str]) = ("1-1", &["a", "1", "b", "two"]);
    let second: (&str, &[&str]) = ("1-2", &["a", "3"]);
    let third: (&str, &[&str]) = ("5-0", &["b", "-4", "a", "2", "a", "3"]);
    client
        .check("XRANGE s - +", &entries(&[first, second, third]))
        .await;
    client
        .check("XREVRANGE s + -", &entries(&[third, second, first]))
        .await;
    client
        .check("XRANGE s 1 1", &entries(&[first, second]))
        .await;
    client
        .check("XRANGE s (1-1 (5-0", &entries(&[second]))
        .await;
    client
        .check("XREVRANGE s + - COUNT 1", &entries(&[third]))
        .await;
    client.check("XRANGE s 3 4", EMPTY).await;
    client.check("XRANGE s + -", EMPTY).await;
    client.check("XRANGE s - + COUNT 0", "*-1\r\n").await;
    client.check("XRANGE nothing - +", EMPTY).await;
    client.check("TYPE s", "+stream\r\n").await;
    client.check("OBJECT ENCODING s", &bulk("stream")).await;
}

#[tokio::test]
async fn an_id_is_greater_than_all_before_it() {
    let (_server, clock, mut client) = clocked(Server::builder()).await;
    clock.advance(Duration::from_millis(5));
    let now = clock.now_ms();
    client
        .check("XADD s * a 1", &bulk(&format!("{now}-0")))
        .await;
    client
        .check("XADD s * a 1", &bulk(&format!("{now}-1")))
        .await;
    client
        .check(&format!("XADD s {now}-* a 1"), &bulk(&format!("{now}-2")))
        .await;
    client
        .check(&format!("XADD s {now}-2 a 1"), NOT_GREATER)
        .await;
    client.check("XADD s 1-* a 1", NOT_GREATER).await;
    let ahead = now + 1000;
    client
        .check(
            &format!("XADD s {ahead}-* a 1"),
            &bulk(&format!("{ahead}-0")),
        )
        .await;
    // The clock is behind; the ids go on all the same.
    client
        .check("XADD s * a 1", &bulk(&format!("{ahead}-1")))
        .await;
    client.check("XADD new 0-* a 1", &bulk("0-1")).await;
    client
        .check(
            "XADD new 0-0 a 1",
            "-ERR The ID specified in XADD must be greater than 0-0\r\n",
        )
        .await;
    let last = "18446744073709551615-18446744073709551615";
    client
        .check(&format!("XADD new {last} a 1"), &bulk(last))
        .await;
    client
        .check(
            "XADD new * a 1",
            "-ERR The stream has exhausted the last possible ID, unable to add more items\r\n",
        )
        .await;
}

#[tokio::test]
async fn what_is_no_entry_changes_nothing() {
    let (_server, mut client) = client().await;
    for id in ["x", "-", "+", "1-", "1-x", "(1", "1-1-1"] {
        client.check(&format!("XADD s {id} a 1"), INVALID).await;
    }
    for line in ["XADD s * a", "XADD s * a 1 b", "XADD s MAXLEN 3 * a"] {
        client
            .check(
                line,
                "-ERR wrong number of arguments for 'xadd' command\r\n",
            )
            .await;
    }
    client.check("XADD s NOMKSTREAM * a 1", NULL).await;
    client.check("EXISTS s", ":0\r\n").await;
    client.check("SET text x", "+OK\r\n").await;
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    for line in [
        "XADD text * a 1",
        "XLEN text",
        "XRANGE text - +",
        "XREAD STREAMS text 0",
    ] {
        client.check(line, wrong).await;
    }
}

#[tokio::test]
async fn trimming_keeps_the_last_entries_or_those_from_an_id_on() {
    let (_server, mut client) = client().await;
    fill(&mut client, "s", 250).await;
    client.check("XTRIM s MAXLEN 240", ":10\r\n").await;
    client.check("XTRIM s MINID = 21", ":10\r\n").await;
    // Whole nodes only, of a hundred entries each.
    client.check("XTRIM s MAXLEN ~ 135", ":80\r\n").await;
    client.check("XTRIM s MAXLEN ~ 130", ":0\r\n").await;
    client.check("XTRIM s MINID ~ 220 LIMIT 99", ":0\r\n").await;
    client
        .check("XTRIM s MINID ~ 220 LIMIT 0", ":100\r\n")
        .await;
    client
        .check("XADD s MAXLEN 3 300-0 n x", &bulk("300-0"))
        .await;
    client
        .check(
            "XRANGE s - +",
            &entries(&[
                ("249-0", &["n", "249"]),
                ("250-0", &["n", "250"]),
                ("300-0", &["n", "x"]),
            ]),
        )
        .await;
    client.check("XTRIM s MAXLEN 0", ":3\r\n").await;
    // A stream without entries is still there, and goes on from its last id.
    client.check("EXISTS s", ":1\r\n").await;
    client.check("XADD s 300-0 n x", NOT_GREATER).await;
    for (line, error) in [
        ("XTRIM s MAXLEN -1", "ERR The MAXLEN argument must be >= 0."),
        (
            "XTRIM s MAXLEN 1 LIMIT 1",
            "ERR syntax error, LIMIT cannot be used without the special ~ option",
        ),
        (
            "XTRIM s LIMIT 1 LIMIT 2",
            "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
        ),
        (
            "XTRIM s LIMIT 0 LIMIT 0",
            "ERR syntax error, XTRIM must be called with a trimming strategy",
        ),
        (
            "XTRIM s MAXLEN 1 MINID 1",
            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
        ),
        (
            "XTRIM s MAXLEN ~ 1 LIMIT -1",
            "ERR The LIMIT argument must be >= 0.",
        ),
        (
            "XTRIM s MAXLEN x",
            "ERR value is not an integer or out of range",
        ),
    ] {
        client.check(line, &format!("-{error}\r\n")).await;
    }
}

#[tokio::test]
async fn deleted_entries_are_gone_and_their_ids_are_not_used_again() {
    let (_server, mut client) = client().await;
    fill(&mut client, "s", 5).await;
    client.check("XDEL s 1-0 3-0 3-0 9-9", ":2\r\n").await;
    client
        .check(
            "XRANGE s - 4",
            &entries(&[("2-0", &["n", "2"]), ("4-0", &["n", "4"])]),
        )
        .await;
    client.check("XDEL s 2-0 x", INVALID).await;
    client.check("XLEN s", ":3\r\n").await;
    client.check("XDEL nothing x", ":0\r\n").await;
    client.check("XDEL s 5-0", ":1\r\n").await;
    client.check("XADD s 5-0 n x", NOT_GREATER).await;
    client
        .check(
            "XSETID s 4-0",
            "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id\r\n",
        )
        .await;
    client
        .check("XSETID s 9-0 ENTRIESADDED 50 MAXDELETEDID 6-0", "+OK\r\n")
        .await;
    let info = client.call("XINFO STREAM s").await;
    for (name, value) in [
        ("last-generated-id", bulk("9-0")),
        ("max-deleted-entry-id", bulk("6-0")),
        ("entries-added", ":50\r\n".to_owned()),
        ("recorded-first-entry-id", bulk("2-0")),
        ("length", ":2\r\n".to_owned()),
    ] {
        assert!(info.contains(&(bulk(name) + &value)), "{name}: {info}");
    }
}

#[tokio::test]
async fn several_streams_are_read_at_once() {
    let (_server, mut client) = client().await;
    fill(&mut client, "a", 3).await;
    fill(&mut client, "b", 1).await;
    let of = |key: &str, found: &[(&str, &[&str])]| format!("{}{}", bulk(key), entries(found));
    let a = of("a", &[("2-0", &["n", "2"]), ("3-0", &["n", "3"])]);
    let b = of("b", &[("1-0", &["n", "1"])]);
    client
        .check(
            "XREAD STREAMS a b c 1 0 0",
            &format!("*2\r\n*2\r\n{a}*2\r\n{b}"),
        )
        .await;
    let one = of("a", &[("1-0", &["n", "1"])]);
    client
        .check(
            "XREAD COUNT 1 STREAMS a b 0 $",
            &format!("*1\r\n*2\r\n{one}"),
        )
        .await;
    client.check("XREAD STREAMS a b 3 +", INVALID).await;
    client.check("XREAD STREAMS a b 3 1", "*-1\r\n").await;
    client.call("HELLO 3").await;
    client
        .check("XREAD STREAMS a b 1 0", &format!("%2\r\n{a}{b}"))
        .await;
    client.check("XREAD STREAMS a b $ $", "_\r\n").await;
    for (line, error) in [
        (
            "XREAD STREAMS a b 1",
            "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
        ),
        (
            "XREAD COUNT x STREAMS a 0",
            "ERR value is not an integer or out of range",
        ),
        ("XREAD BLOCK -1 STREAMS a 0", "ERR timeout is negative"),
        (
            "XREAD BLOCK x STREAMS a 0",
            "ERR timeout is not an integer or out of range",
        ),
        (
            "XREAD NOACK STREAMS a 0",
            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
        ),
        (
            "XREAD STREAMS a >",
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
        ),
        ("XREAD COUNT 1 COUNT 2", "ERR syntax error"),
    ] {
        client.check(line, &format!("-{error}\r\n")).await;
    }
}

#[tokio::test]
async fn what_is_handed_on_is_what_was_done() {
    let clock = Clock::manual();
    let now = clock.now_ms();
    let lines = [
        "CONFIG SET stream-node-max-entries 2",
        "XADD s * n 1",
        "XADD s 100000000000000-* n 2",
        "XADD s MAXLEN ~ 2 100000000000001-1 n 3",
        "XADD s MAXLEN ~ 2 LIMIT 10 * n 4",
        "XADD s MINID = 5 100000000000002-1 n 5",
        "XTRIM s MINID ~ 100000000000002",
        "XTRIM s MAXLEN ~ 1000",
        "XDEL s 7-7",
        "XDEL s 100000000000002-1 1-1",
        "XADD none NOMKSTREAM * a 1",
        "XSETID s 100000000000009",
    ];
    let seen = effects_of(Server::builder().clock(clock), &lines).await;
    let expected = [
        format!("XADD s {now}-0 n 1"),
        "XADD s 100000000000000-0 n 2".to_owned(),
        "XADD s MAXLEN = 3 100000000000001-1 n 3".to_owned(),
        "XADD s MAXLEN = 2 LIMIT 10 100000000000001-2 n 4".to_owned(),
        "XADD s MINID = 5 100000000000002-1 n 5".to_owned(),
        "XTRIM s MINID = 100000000000002-1".to_owned(),
        "XDEL s 100000000000002-1 1-1".to_owned(),
        "XSETID s 100000000000009".to_owned(),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn streams_move_as_other_values_do() {
    let (_server, mut client) = client().await;
    fill(&mut client, "s", 150).await;
    client.check("XGROUP CREATE s g 100", "+OK\r\n").await;
    client.check("XDEL s 7-0", ":1\r\n").await;
    let whole = client.call("XRANGE s - +").await;
    let info = client.call("XINFO STREAM s FULL COUNT 0").await;
    client.check("COPY s copy", ":1\r\n").await;
    client.check("RENAME s other", "+OK\r\n").await;
    let dump = {
        client.send("DUMP other\r\n").await;
        let frame = client.frame().await;
        let start = frame.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        frame.slice(start..frame.len() - 2)
    };
    client
        .request([&b"RESTORE"[..], b"restored", b"0", &dump])
        .await;
    client.expect("+OK\r\n").await;
    for key in ["copy", "other", "restored"] {
        assert_eq!(client.call(&format!("XRANGE {key} - +")).await, whole);
        assert_eq!(
            client
                .call(&format!("XINFO STREAM {key} FULL COUNT 0"))
                .await,
            info
        );
    }
    // A copy is one of its own.
    client.check("XTRIM copy MAXLEN 0", ":149\r\n").await;
    client.check("XLEN other", ":149\r\n").await;
    let found = client.call("SCAN 0 TYPE stream COUNT 100").await;
    assert!(found.contains("*3\r\n"), "{found}");
    let usage = client.call("MEMORY USAGE other").await;
    let usage: usize = usage[1..].trim().parse().unwrap();
    assert!((1500..5000).contains(&usage), "{usage}");
}

#[tokio::test]
async fn a_snapshot_holds_streams_and_groups() {
    let dir = Dir::new();
    let server = start(dir.server()).await;
    let mut client = Client::new(&server);
    fill(&mut client, "s", 250).await;
    client.check("XGROUP CREATE s g 0", "+OK\r\n").await;
    client
        .call("XREADGROUP GROUP g c COUNT 2 STREAMS s >")
        .await;
    client.check("XTRIM s MAXLEN 120", ":130\r\n").await;
    let whole = client.call("XRANGE s - +").await;
    let pending = client.call("XPENDING s g").await;
    client.check("SAVE", "+OK\r\n").await;
    let second = start(dir.server()).await;
    let mut client = Client::new(&second);
    assert_eq!(client.call("XRANGE s - +").await, whole);
    assert_eq!(client.call("XPENDING s g").await, pending);
    client.check("XADD s 1-1 a b", NOT_GREATER).await;
}
