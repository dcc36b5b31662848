//! DUMP and RESTORE.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Client, bulk, bulks, clocked, start};
use kv_server::{Clock, Effect, Server};

/// The payload in a bulk string.
fn payload(frame: &[u8]) -> Vec<u8> {
    let start = frame.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    frame[start..frame.len() - 2].to_vec()
}

async fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    client.request(["DUMP", key]).await;
    payload(&client.frame().await)
}

async fn restore(
    client: &mut Client,
    key: &str,
    ttl: &str,
    payload: &[u8],
    options: &[&str],
) -> String {
    let mut request = vec![b"RESTORE", key.as_bytes(), ttl.as_bytes(), payload];
    request.extend(options.iter().map(|option| option.as_bytes()));
    client.request(&request).await;
    client.reply().await
}

#[tokio::test]
async fn a_restored_key_lives_as_long_as_it_is_told_to() {
    let (_server, clock, mut client) = clocked(Server::builder()).await;
    client.check("RPUSH l a b", ":2\r\n").await;
    let dumped = dump(&mut client, "l").await;
    assert_eq!(
        restore(&mut client, "l", "0", &dumped, &[]).await,
        "-BUSYKEY Target key name already exists.\r\n"
    );
    assert_eq!(
        restore(&mut client, "m", "5000", &dumped, &[]).await,
        "+OK\r\n"
    );
    client.check("PTTL m", ":5000\r\n").await;
    client.check("LRANGE m 0 -1", &bulks(&["a", "b"])).await;
    assert_eq!(
        restore(&mut client, "m", "0", &dumped, &["REPLACE"]).await,
        "+OK\r\n"
    );
    client.check("PTTL m", ":-1\r\n").await;
    assert_eq!(
        restore(
            &mut client,
            "m",
            "99999999999999",
            &dumped,
            &["ABSTTL", "REPLACE"]
        )
        .await,
        "+OK\r\n"
    );
    client.check("PEXPIRETIME m", ":99999999999999\r\n").await;
    assert_eq!(
        restore(&mut client, "m", "1", &dumped, &["replace", "absttl"]).await,
        "+OK\r\n"
    );
    client.check("EXISTS m", ":0\r\n").await;
    clock.advance(Duration::from_secs(3600));
    assert_eq!(
        restore(&mut client, "m", "0", &dumped, &["IDLETIME", "1000"]).await,
        "+OK\r\n"
    );
    client.check("OBJECT IDLETIME m", ":1000\r\n").await;
    for (ttl, options, error) in [
        (
            "-1",
            &["REPLACE"][..],
            "ERR Invalid TTL value, must be >= 0",
        ),
        (
            "9223372036854775807",
            &["REPLACE"],
            "ERR invalid expire time in 'restore' command",
        ),
        (
            "0",
            &["IDLETIME", "-1"],
            "ERR Invalid IDLETIME value, must be >= 0",
        ),
        (
            "0",
            &["FREQ", "256"],
            "ERR Invalid FREQ value, must be >= 0 and <= 255",
        ),
        ("0", &["FREQ", "1", "IDLETIME", "1"], "ERR syntax error"),
    ] {
        assert_eq!(
            restore(&mut client, "m", ttl, &dumped, options).await,
            format!("-{error}\r\n")
        );
    }
    client.check("DUMP none", "$-1\r\n").await;
}

#[tokio::test]
async fn a_payload_that_was_changed_anywhere_is_refused_and_changes_nothing() {
    let server = start(Server::builder()).await;
    let mut client = Client::new(&server);
    client
        .check("HSET h field value other 1234", ":2\r\n")
        .await;
    client.check("SET k old", "+OK\r\n").await;
    let dumped = dump(&mut client, "h").await;
    let error = "-ERR DUMP payload version or checksum are wrong\r\n";
    for at in 0..dumped.len() {
        let mut broken = dumped.clone();
        broken[at] ^= 1;
        assert_eq!(
            restore(&mut client, "k", "0", &broken, &["REPLACE"]).await,
            error,
            "byte {at}"
        );
        assert_eq!(
            restore(&mut client, "k", "0", &dumped[..at], &["REPLACE"]).await,
            error,
            "{at} bytes"
        );
    }
    // Checksums are right here: a list without elements, one that ends early, a type that is none, and a member twice.
    for payload in [
        &b"\x01\x00\x08\x00\xe2\xd5\xc9s\xc5\x0e\xc9n"[..],
        b"\x01\x05\x01a\x08\x004\xe9%B\x0aO}\x8e",
        b"c\x01a\x08\x00\xea\xed\x17`\x13\xac$>",
        b"\x02\x02\x01a\x01a\x08\x00\xee\x93\x9a\x90k\xcf\xd8\x02",
    ] {
        let reply = restore(&mut client, "k", "0", payload, &["REPLACE"]).await;
        assert_eq!(
            reply,
            "-ERR Bad data format\r\n",
            "{}",
            payload.escape_ascii()
        );
    }
    client.check("GET k", &bulk("old")).await;
}

#[tokio::test]
async fn a_restored_time_to_live_is_propagated_as_a_point_in_time() {
    let effects = Arc::new(Mutex::new(Vec::<Effect>::new()));
    let seen = effects.clone();
    let builder = Server::builder().clock(Clock::manual());
    let server =
        start(builder.on_write(move |effect| seen.lock().unwrap().push(effect.clone()))).await;
    let mut client = Client::new(&server);
    client.check("SET k v", "+OK\r\n").await;
    let dumped = dump(&mut client, "k").await;
    restore(&mut client, "k", "5000", &dumped, &["REPLACE"]).await;
    let at = client.call("PEXPIRETIME k").await[1..].trim().to_owned();
    restore(&mut client, "k", "1", &dumped, &["ABSTTL", "REPLACE"]).await;
    let effects = effects.lock().unwrap();
    let [_, restored, removed] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(
        restored.command,
        [
            b"RESTORE",
            &b"k"[..],
            at.as_bytes(),
            &dumped,
            b"ABSTTL",
            b"REPLACE"
        ]
    );
    assert_eq!(removed.command, [&b"DEL"[..], b"k"]);
}
