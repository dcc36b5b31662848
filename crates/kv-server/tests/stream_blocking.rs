//! XREAD and XREADGROUP that wait.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, bulk, bulks, clocked, server, start, waiting};
use kv_server::{Clock, Server};

/// What is read of a stream: one entry with one field.
fn read(key: &str, id: &str, field: &str, value: &str) -> String {
    let entry = format!("*2\r\n{}{}", bulk(id), bulks(&[field, value]));
    format!("*1\r\n*2\r\n{}*1\r\n{entry}", bulk(key))
}

fn no_group(key: &str, group: &str) -> String {
    format!(
        "-NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP option\r\n"
    )
}

#[tokio::test]
async fn a_dollar_is_the_last_id_at_the_beginning_of_the_wait() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("XADD s 5-0 n 1", &bulk("5-0")).await;
    let mut waiter = waiting(&server, "XREAD BLOCK 0 STREAMS none s $ $").await;
    let mut other = waiting(&server, "XREAD COUNT 1 BLOCK 0 STREAMS s 7").await;
    // A key that is touched but has nothing new ends no wait, and two entries at once are both behind the id.
    client.check("XDEL s 5-0", ":1\r\n").await;
    client.check("XADD none NOMKSTREAM * a b", "$-1\r\n").await;
    client
        .send("MULTI\r\nXADD s 6-0 n 2\r\nXADD s 7-5 n 3\r\nEXEC\r\n")
        .await;
    let both = format!(
        "*1\r\n*2\r\n{}*2\r\n*2\r\n{}{}*2\r\n{}{}",
        bulk("s"),
        bulk("6-0"),
        bulks(&["n", "2"]),
        bulk("7-5"),
        bulks(&["n", "3"])
    );
    waiter.expect(both).await;
    other.expect(read("s", "7-5", "n", "3")).await;
}

#[tokio::test]
async fn all_who_read_get_an_entry_but_of_a_group_only_the_first() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n")
        .await;
    let mut one = waiting(&server, "XREADGROUP GROUP g one BLOCK 0 STREAMS s >").await;
    let mut two = waiting(&server, "XREADGROUP GROUP g two BLOCK 0 STREAMS s >").await;
    let mut three = waiting(&server, "XREAD BLOCK 0 STREAMS s $").await;
    client.check("XADD s 1-0 n 1", &bulk("1-0")).await;
    one.expect(read("s", "1-0", "n", "1")).await;
    three.expect(read("s", "1-0", "n", "1")).await;
    client.check("XADD s 2-0 n 2", &bulk("2-0")).await;
    two.expect(read("s", "2-0", "n", "2")).await;
    let owned = client.call("XPENDING s g").await;
    let expected = format!("*2\r\n{}{}", bulks(&["one", "1"]), bulks(&["two", "1"]));
    assert!(owned.ends_with(&expected), "{owned}");
}

#[tokio::test]
async fn a_group_that_goes_ends_its_waits() {
    let (clock, server) = {
        let clock = Clock::manual();
        let server = start(Server::builder().clock(clock.clone())).await;
        (clock, server)
    };
    let mut client = Client::new(&server);
    for end in [
        "XGROUP DESTROY s g",
        "DEL s",
        "RENAME s other",
        "FLUSHALL",
        "SWAPDB 0 1",
        "XGROUP DESTROY s g",
        "UNLINK s",
        "MOVE s 2",
    ] {
        client.check("FLUSHALL", "+OK\r\n").await;
        client
            .check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n")
            .await;
        let mut waiter = waiting(&server, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >").await;
        let mut reader = waiting(&server, "XREAD BLOCK 0 STREAMS s $").await;
        let reply = client.call(end).await;
        assert!(!reply.starts_with('-'), "{end}: {reply}");
        waiter.expect(no_group("s", "g")).await;
        // Who reads without a group waits for the stream to come.
        client.call("DEL s").await;
        client.check("XADD s 1-0 n 1", &bulk("1-0")).await;
        reader.expect(read("s", "1-0", "n", "1")).await;
    }
    for other in ["SET s x", "COPY list s REPLACE"] {
        client.check("FLUSHALL", "+OK\r\n").await;
        client
            .check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n")
            .await;
        client.check("RPUSH list x", ":1\r\n").await;
        let mut waiter = waiting(&server, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >").await;
        client.call(other).await;
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        waiter.expect(wrong).await;
    }
    // Its time comes.
    client.check("FLUSHALL", "+OK\r\n").await;
    client
        .check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n")
        .await;
    client.check("PEXPIRE s 100", ":1\r\n").await;
    let mut waiter = waiting(&server, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >").await;
    clock.advance(Duration::from_millis(101));
    client.check("EXISTS s", ":0\r\n").await;
    waiter.expect(no_group("s", "g")).await;
}

#[tokio::test]
async fn a_stream_under_another_name_serves_who_waits_for_it() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n")
        .await;
    client
        .check("XGROUP CREATE other g $ MKSTREAM", "+OK\r\n")
        .await;
    client.check("XADD other 1-0 n 1", &bulk("1-0")).await;
    let mut waiter = waiting(&server, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >").await;
    client.check("RENAME other s", "+OK\r\n").await;
    waiter.expect(read("s", "1-0", "n", "1")).await;
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let (server, clock, mut client) = clocked(Server::builder()).await;
    client
        .check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n")
        .await;
    let mut one = waiting(&server, "XREAD BLOCK 250 STREAMS s $").await;
    let mut two = waiting(&server, "XREADGROUP GROUP g c BLOCK 250 STREAMS s >").await;
    clock.advance(Duration::from_millis(250));
    one.expect("*-1\r\n").await;
    two.expect("*-1\r\n").await;
    // History is there at once, whatever it is.
    let empty = format!("*1\r\n*2\r\n{}*0\r\n", bulk("s"));
    client
        .check("XREADGROUP GROUP g c BLOCK 0 STREAMS s 0", &empty)
        .await;
    client
        .send("MULTI\r\nXREAD BLOCK 0 STREAMS s $\r\nEXEC\r\n")
        .await;
    client.expect("+OK\r\n+QUEUED\r\n*1\r\n*-1\r\n").await;
}

#[tokio::test]
async fn keys_that_are_waited_for_are_counted() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n")
        .await;
    let _one = waiting(&server, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >").await;
    let _two = waiting(&server, "XREAD BLOCK 0 STREAMS s other $ $").await;
    let _three = waiting(&server, "BLPOP list 0").await;
    let info = client.call("INFO clients").await;
    for line in [
        "blocked_clients:3\r\n",
        "total_blocking_keys:3\r\n",
        "total_blocking_keys_on_nokey:1\r\n",
    ] {
        assert!(info.contains(line), "{info}");
    }
}
