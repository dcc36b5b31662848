//! When keys expire, on a clock that only the test moves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Client, NOW, bulk, clocked, start};
use kv_server::{Builder, Clock, Server};
use tokio::sync::Notify;

const OK: &str = "+OK\r\n";
const YES: &str = ":1\r\n";
const NO: &str = ":0\r\n";
const NULL: &str = "$-1\r\n";

async fn client() -> (Server, Clock, Client) {
    clocked(Server::builder()).await
}

#[tokio::test]
async fn each_command_sets_the_time_in_its_own_unit() {
    let (_server, _clock, mut client) = client().await;
    client.check("SET k v", OK).await;
    for (line, at) in [
        ("EXPIRE k 100", NOW + 100_000),
        ("PEXPIRE k 100", NOW + 100),
        ("EXPIREAT k 1700000050", NOW + 50_000),
        ("PEXPIREAT k 1700000000777", NOW + 777),
    ] {
        client.check(line, YES).await;
        client.check("PEXPIRETIME k", &format!(":{at}\r\n")).await;
        client.check("PTTL k", &format!(":{}\r\n", at - NOW)).await;
    }
    client.check("PERSIST k", YES).await;
    client.check("PERSIST k", NO).await;
    for name in ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"] {
        client.check(&format!("{name} k"), ":-1\r\n").await;
        client.check(&format!("{name} none"), ":-2\r\n").await;
    }
    client.check("EXPIRE none 100", NO).await;
    client.check("PERSIST none", NO).await;
}

#[tokio::test]
async fn seconds_are_rounded_to_the_nearest() {
    let (_server, _clock, mut client) = client().await;
    client.check("SET k v", OK).await;
    for (ms, seconds) in [(1, 0), (499, 0), (500, 1), (1_499, 1), (1_500, 2)] {
        client.check(&format!("PEXPIRE k {ms}"), YES).await;
        client.check("TTL k", &format!(":{seconds}\r\n")).await;
        client
            .check("EXPIRETIME k", &format!(":{}\r\n", NOW / 1000 + seconds))
            .await;
    }
}

#[tokio::test]
async fn conditions_compare_with_the_time_that_is_set() {
    let (_server, _clock, mut client) = client().await;
    client.check("SET k v", OK).await;
    // A key that never expires has the latest expiry of all.
    client.check("EXPIRE k 100 XX", NO).await;
    client.check("EXPIRE k 100 GT", NO).await;
    client.check("EXPIRE k 100 XX LT", NO).await;
    client.check("EXPIRE k 100 LT", YES).await;
    client.check("EXPIRE k 50 NX", NO).await;
    client.check("EXPIRE k 100 LT", NO).await;
    client.check("EXPIRE k 100 GT", NO).await;
    client.check("EXPIRE k 101 gt xx", YES).await;
    client.check("EXPIRE k 99 LT", YES).await;
    client.check("EXPIRE k 98 XX", YES).await;
    client.check("TTL k", ":98\r\n").await;
    client.check("PERSIST k", YES).await;
    client.check("EXPIRE k 7 NX NX", YES).await;
    client.check("TTL k", ":7\r\n").await;
    // Not even into the past.
    client.check("EXPIRE k -1 GT", NO).await;
    client.check("EXPIRE k -1 NX", NO).await;
    client.check("EXISTS k", YES).await;
}

#[tokio::test]
async fn what_makes_no_time_is_refused() {
    let (_server, _clock, mut client) = client().await;
    client.check("SET k v", OK).await;
    for (line, error) in [
        ("EXPIRE k x", "ERR value is not an integer or out of range"),
        (
            "EXPIRE k 1.5",
            "ERR value is not an integer or out of range",
        ),
        (
            "EXPIRE k 9223372036854775807",
            "ERR invalid expire time in 'expire' command",
        ),
        (
            "EXPIRE k 9223372036854775",
            "ERR invalid expire time in 'expire' command",
        ),
        (
            "EXPIRE k -9223372036854776",
            "ERR invalid expire time in 'expire' command",
        ),
        (
            "PEXPIRE k 9223372036854775807",
            "ERR invalid expire time in 'pexpire' command",
        ),
        (
            "EXPIREAT k 9223372036854776",
            "ERR invalid expire time in 'expireat' command",
        ),
        ("EXPIRE k 1 FOO", "ERR Unsupported option FOO"),
        ("EXPIRE k x FOO", "ERR Unsupported option FOO"),
        (
            "EXPIRE k 1 NX GT",
            "ERR NX and XX, GT or LT options at the same time are not compatible",
        ),
        (
            "EXPIRE k 1 XX NX",
            "ERR NX and XX, GT or LT options at the same time are not compatible",
        ),
        (
            "EXPIRE k 1 GT LT",
            "ERR GT and LT options at the same time are not compatible",
        ),
        (
            "EXPIRE k",
            "ERR wrong number of arguments for 'expire' command",
        ),
    ] {
        client.check(line, &format!("-{error}\r\n")).await;
    }
    client.check("TTL k", ":-1\r\n").await;
}

#[tokio::test]
async fn the_end_of_time_is_one_millisecond_early() {
    let (_server, _clock, mut client) = client().await;
    client.check("SET k v PXAT 9223372036854775807", OK).await;
    client
        .check("PEXPIRETIME k", ":9223372036854775806\r\n")
        .await;
    client.check("EXPIRETIME k", ":9223372036854775\r\n").await;
    client.check("PEXPIREAT k 9223372036854775807", YES).await;
    client.check("GET k", &bulk("v")).await;
}

#[tokio::test]
async fn a_key_lives_through_its_last_millisecond() {
    let (_server, clock, mut client) = client().await;
    client.check("SET k v PX 1000", OK).await;
    clock.advance(Duration::from_millis(1000));
    client.check("PTTL k", NO).await;
    client.check("GET k", &bulk("v")).await;
    clock.advance(Duration::from_millis(1));
    client.check("GET k", NULL).await;
    client.check("PTTL k", ":-2\r\n").await;
}

#[tokio::test]
async fn a_time_that_is_past_deletes_the_key() {
    let (_server, _clock, mut client) = client().await;
    for line in [
        "EXPIRE k 0",
        "PEXPIRE k -5",
        "EXPIREAT k 1",
        "PEXPIREAT k 1700000000000",
    ] {
        client.check("SET k v", OK).await;
        client.check(line, YES).await;
        client.check("EXISTS k", NO).await;
    }
}

#[tokio::test]
async fn an_expiry_goes_where_the_value_goes() {
    let (_server, _clock, mut client) = client().await;
    let at = format!(":{}\r\n", NOW + 100_000);
    client.check("SET a v EX 100", OK).await;
    client.check("RENAME a b", OK).await;
    client.check("PEXPIRETIME b", &at).await;
    client.check("COPY b c", YES).await;
    client.check("PEXPIRETIME c", &at).await;
    client.check("SET d v EX 7", OK).await;
    client.check("COPY b d REPLACE", YES).await;
    client.check("PEXPIRETIME d", &at).await;
    client.check("SET plain v", OK).await;
    client.check("RENAME plain d", OK).await;
    client.check("TTL d", ":-1\r\n").await;
    client.check("MOVE c 1", YES).await;
    client.check("SELECT 1", OK).await;
    client.check("PEXPIRETIME c", &at).await;
    client.check("SWAPDB 0 1", OK).await;
    client.check("PEXPIRETIME b", &at).await;
}

#[tokio::test]
async fn dead_keys_are_not_found_by_any_command() {
    let (_server, clock, mut client) = client().await;
    for line in [
        "GET k",
        "EXISTS k",
        "TYPE k",
        "TTL k",
        "GETDEL k",
        "KEYS *",
        "RANDOMKEY",
        "SCAN 0",
        "STRLEN k",
        "DEL k",
        "UNLINK k",
        "TOUCH k",
        "PERSIST k",
        "EXPIRE k 5",
        "RENAME k x",
        "COPY k x",
        "MOVE k 1",
        "OBJECT ENCODING k",
        "INCR k",
        "SETNX k v",
        "APPEND k x",
        "SETRANGE k 0 x",
        "GETSET k v",
        "MSETNX k v",
        "SET k v XX",
        "SET k v NX",
        "SET k v GET",
        "INCRBYFLOAT k 1",
    ] {
        client.check("FLUSHALL", OK).await;
        let without = client.call(line).await;
        client.check("FLUSHALL", OK).await;
        client.check("SET k 5 PX 10", OK).await;
        // Both arrive together, so that active expiry has no turn in between.
        clock.advance(Duration::from_millis(11));
        assert_eq!(client.call(line).await, without, "{line}");
    }
}

/// The effects of a server, as lines.
#[derive(Clone, Default)]
struct Effects {
    lines: Arc<Mutex<Vec<String>>>,
    came: Arc<Notify>,
}

impl Effects {
    /// Those of a server that is yet to be started.
    fn of(builder: Builder) -> (Builder, Self) {
        let effects = Self::default();
        let observer = effects.clone();
        let builder = builder.on_write(move |effect| observer.observe(effect));
        (builder, effects)
    }

    fn observe(&self, effect: &kv_server::Effect) {
        let words: Vec<_> = effect
            .command
            .iter()
            .map(|word| String::from_utf8_lossy(word))
            .collect();
        self.lines
            .lock()
            .unwrap()
            .push(format!("{}: {}", effect.db, words.join(" ")));
        self.came.notify_one();
    }

    async fn wait_for(&self, count: usize) -> Vec<String> {
        loop {
            let lines = self.lines.lock().unwrap().clone();
            if lines.len() >= count {
                return lines;
            }
            let came = tokio::time::timeout(Duration::from_secs(60), self.came.notified());
            came.await
                .unwrap_or_else(|_| panic!("nothing came after {lines:?}"));
        }
    }
}

#[tokio::test]
async fn keys_that_nobody_asks_for_expire_too() {
    let (builder, effects) = Effects::of(Server::builder());
    let (_server, clock, mut client) = clocked(builder).await;
    client.check("SET stays v", OK).await;
    client.check("SELECT 3", OK).await;
    for key in 0..10_000 {
        client
            .check(&format!("SET k{key} v PX {}", 1000 + key % 10), OK)
            .await;
    }
    client.check("DBSIZE", ":10000\r\n").await;
    clock.advance(Duration::from_secs(10));
    let lines = effects.wait_for(20_001).await;
    let mut gone: Vec<_> = lines[10_001..].to_vec();
    gone.sort();
    gone.dedup();
    assert_eq!(gone.len(), 10_000);
    assert!(
        gone.iter().all(|line| line.starts_with("3: DEL k")),
        "{gone:?}"
    );
    client.check("DBSIZE", NO).await;
}

#[tokio::test]
async fn effects_carry_absolute_times_and_only_what_happened() {
    let (builder, effects) = Effects::of(Server::builder());
    let (_server, _clock, mut client) = clocked(builder).await;
    for (line, effect) in [
        ("SET a v EX 10", "SET a v PXAT 1700000010000"),
        ("SET a v PXAT 1700000011000", "SET a v PXAT 1700000011000"),
        ("SET a w KEEPTTL GET", "SET a w KEEPTTL"),
        ("SETEX a 10 v", "SET a v PXAT 1700000010000"),
        ("PSETEX a 10 v", "SET a v PXAT 1700000000010"),
        ("GETEX a EX 10", "PEXPIREAT a 1700000010000"),
        ("GETEX a PERSIST", "PERSIST a"),
        ("EXPIRE a 10 NX", "PEXPIREAT a 1700000010000"),
        ("PEXPIREAT a 1700000010001 GT", "PEXPIREAT a 1700000010001"),
        ("GETEX a PXAT 1", "DEL a"),
        ("SET a v GET", "SET a v"),
        ("EXPIRE a -1", "DEL a"),
        ("INCRBYFLOAT n 0.5", "SET n 0.5 KEEPTTL"),
        ("GETSET n 5", "SET n 5"),
        ("INCR n", "INCR n"),
        ("GETDEL n", "DEL n"),
        ("MSETNX x 1 y 2", "MSETNX x 1 y 2"),
        ("COPY x z DB 2", "COPY x z DB 2"),
        ("SWAPDB 1 2", "SWAPDB 1 2"),
        ("FLUSHALL", "FLUSHALL"),
    ] {
        let before = effects.lines.lock().unwrap().len();
        client.call(line).await;
        let lines = effects.wait_for(before + 1).await;
        assert_eq!(
            lines[before..],
            [format!("0: {effect}")],
            "effect of {line}"
        );
    }
    for line in [
        "GET a",
        "GETEX none EX 1",
        "GETDEL none",
        "DEL none",
        "EXPIRE none 1",
        "PERSIST none",
        "SET a v XX",
        "RENAME a b",
        "COPY a b",
        "MOVE a 1",
        "INCR a x",
        "SETRANGE a 0 \"\"",
        "TOUCH a",
        "FLUSHALL",
    ] {
        let before = effects.lines.lock().unwrap().len();
        client.call(line).await;
        client.check("PING", "+PONG\r\n").await;
        assert_eq!(
            effects.lines.lock().unwrap().len(),
            before,
            "effect of {line}"
        );
    }
}

/// Waits until active expiry has removed all keys; returns for how long it had to.
async fn swept(client: &mut Client) -> Duration {
    let start = tokio::time::Instant::now();
    while client.call("DBSIZE").await != ":0\r\n" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn hz_says_how_often_expired_keys_are_looked_for() {
    for (hz, pause) in [("1", 900..1100), ("10", 80..120), ("500", 0..30)] {
        let builder = Server::builder().clock(Clock::tokio());
        let server = start(builder.directive("hz", &[hz]).unwrap()).await;
        let mut client = Client::new(&server);
        client.check("SET first x PX 10", "+OK\r\n").await;
        swept(&mut client).await;
        client.check("SET second x PX 10", "+OK\r\n").await;
        let waited = swept(&mut client).await.as_millis();
        assert!(pause.contains(&waited), "hz {hz}: {waited} ms");
        client.check("CONFIG SET hz 1000", "+OK\r\n").await;
        client
            .check("CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$3\r\n500\r\n")
            .await;
    }
}
