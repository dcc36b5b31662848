//! What the server says it uses, against what it has allocated.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::sync::atomic::Ordering;

use common::{Client, start};
use counting::{Counting, LIVE};
use kv_server::{Db, Server};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn used_memory(db: Db<'_>) -> usize {
    let info = db.call(["INFO", "memory"]).unwrap();
    let info = String::from_utf8(info.as_bytes().unwrap().to_vec()).unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().parse().unwrap()
}

fn run(db: Db<'_>, words: &[&str]) {
    db.call(words).unwrap();
}

/// What each kind of data grows and shrinks by; the first word of a name says what it is.
type Fill = fn(Db<'_>, usize);

const KEYS: usize = 2_000;
const ELEMENTS: usize = 20_000;

fn element(n: usize) -> String {
    format!("element:{:x}", n.wrapping_mul(0x9e37_79b9))
}

#[rustfmt::skip] // a table reads best in columns
const STEPS: &[(&str, Fill)] = &[
    ("strings", |db, n| run(db, &["SET", &format!("string:{n}"), &"v".repeat(n % 200)])),
    ("strings that expire", |db, n| run(db, &["SET", &format!("string:{n}"), "value", "EX", "1000"])),
    ("strings that grow", |db, n| run(db, &["APPEND", &format!("string:{n}"), &"v".repeat(n % 50)])),
    ("strings that forget when they expire", |db, n| run(db, &["PERSIST", &format!("string:{n}")])),
    ("small lists", |db, n| run(db, &["RPUSH", &format!("list:{}", n / 10), &element(n)])),
    ("small hashes", |db, n| run(db, &["HSET", &format!("hash:{}", n / 10), &element(n), "value"])),
    ("small sets", |db, n| run(db, &["SADD", &format!("set:{}", n / 10), &element(n)])),
    ("small sets of integers", |db, n| run(db, &["SADD", &format!("ints:{}", n / 10), &(n * 7).to_string()])),
    ("small sorted sets", |db, n| run(db, &["ZADD", &format!("zset:{}", n / 10), &n.to_string(), &element(n)])),
    ("fields that expire", |db, n| run(db, &["HEXPIRE", &format!("hash:{}", n / 10), "1000", "FIELDS", "1", &element(n)])),
    ("small lists that shrink", |db, n| run(db, &["LPOP", &format!("list:{}", n / 10)])),
    ("copies", |db, n| run(db, &["COPY", &format!("hash:{}", n / 10), &format!("copy:{n}")])),
    ("other names", |db, n| run(db, &["RENAME", &format!("copy:{n}"), &format!("another name of a copy:{n}")])),
    ("other databases", |db, n| run(db, &["MOVE", &format!("another name of a copy:{n}"), "1"])),
    ("gone keys", |db, n| run(db, &["DEL", &format!("string:{n}")])),
];

#[rustfmt::skip] // a table reads best in columns
const LARGE: &[(&str, Fill)] = &[
    ("a large list", |db, n| run(db, &["RPUSH", "list", &element(n)])),
    ("a large list in the middle", |db, n| run(db, &["LSET", "list", &n.to_string(), "0123456789012345678901234567890"])),
    ("a large list at both ends", |db, n| run(db, &[if n % 2 == 0 { "LPOP" } else { "RPOP" }, "list"])),
    ("a large hash", |db, n| run(db, &["HSET", "hash", &element(n), "value"])),
    ("a large hash with longer values", |db, n| run(db, &["HSET", "hash", &element(n), &"v".repeat(n % 100)])),
    ("a large hash that shrinks", |db, n| run(db, &["HDEL", "hash", &element(n * 2)])),
    ("a large hash whose fields expire", |db, n| run(db, &["HEXPIRE", "hash", "1000", "FIELDS", "1", &element(n)])),
    ("a large sorted set", |db, n| run(db, &["ZADD", "zset", &(n % 999).to_string(), &element(n)])),
    ("a large sorted set that changes", |db, n| run(db, &["ZADD", "zset", &(n % 77).to_string(), &element(n)])),
    ("a large sorted set that shrinks", |db, n| run(db, &["ZREM", "zset", &element(n * 2)])),
    ("a large set", |db, n| run(db, &["SADD", "set", &element(n)])),
    ("a large set that shrinks", |db, n| run(db, &["SREM", "set", &element(n * 2)])),
    ("a large stream", |db, n| run(db, &["XADD", "stream", "*", "field", &element(n)])),
    ("a large stream with other fields", |db, n| run(db, &["XADD", "stream", "*", &element(n), "value"])),
    ("a large stream that is trimmed", |db, n| run(db, &["XTRIM", "stream", "MAXLEN", "=", &(2 * ELEMENTS - n).to_string()])),
    ("a small stream each", |db, n| run(db, &["XADD", &format!("stream:{}", n / 4), "*", "field", &element(n)])),
    ("what a consumer has not acknowledged", |db, n| {
        if n == 0 {
            run(db, &["XGROUP", "CREATE", "stream", "group", "0"]);
        }
        run(db, &["XREADGROUP", "GROUP", "group", &format!("consumer:{}", n % 10), "COUNT", "1", "STREAMS", "stream", ">"]);
    }),
    ("a consumer each", |db, n| run(db, &["XGROUP", "CREATECONSUMER", "stream", "group", &element(n)])),
    ("a group each", |db, n| run(db, &["XGROUP", "CREATE", &format!("stream:{}", n / 4), &element(n), "0"])),
];

/// What the server notes beside the data while a connection asks for keys, after these requests.
#[rustfmt::skip] // a table reads best in columns
const NOTES: &[(&str, &[&str])] = &[
    ("keys that a connection has read", &["CLIENT TRACKING ON"]),
    ("the slow log", &["CONFIG SET slowlog-max-len 100000", "CONFIG SET slowlog-log-slower-than 0"]),
];

/// Requests, of a hundred keys each.
const NOTED: usize = 200;

/// Requests of a transaction.
const QUEUED: usize = 5_000;

#[tokio::test]
async fn used_memory_is_what_is_allocated() {
    let server: Server = start(Server::builder()).await;
    let db = server.db(0);
    // Statistics do not count, and come when they come.
    run(db, &["CONFIG", "SET", "latency-tracking", "no"]);
    run(db, &["CONFIG", "RESETSTAT"]);
    let live = || isize::try_from(LIVE.load(Ordering::Relaxed)).unwrap();
    let used = || isize::try_from(used_memory(db)).unwrap();
    let (live_before, used_before) = (live(), used());
    let steps = STEPS.iter().map(|step| (step, KEYS));
    let steps = steps.chain(LARGE.iter().map(|step| (step, ELEMENTS)));
    for ((name, fill), count) in steps {
        let (before, counted_before) = (live(), used());
        (0..count).for_each(|n| fill(db, n));
        let (allocated, counted) = (live() - live_before, used() - used_before);
        let off = (counted - allocated).abs();
        assert!(
            off * 10 <= allocated,
            "{name}: {counted} bytes counted, {allocated} allocated"
        );
        // The step by itself, if it moved much; a tenth of a percent is left for what the test itself keeps.
        let (step, step_counted) = (live() - before, used() - counted_before);
        let off = (step_counted - step).abs();
        assert!(
            off * 10 <= step.abs() + allocated / 100,
            "{name}: {step_counted} bytes more counted, {step} allocated"
        );
    }
    let mut client = Client::new(&server);
    for (name, lines) in NOTES {
        let (before, counted_before) = (live(), used());
        for line in *lines {
            client.call(line).await;
        }
        for n in 0..NOTED {
            let keys: Vec<_> = (0..100).map(|key| element(100 * n + key)).collect();
            client.call(&format!("EXISTS {}", keys.join(" "))).await;
        }
        let (step, step_counted) = (live() - before, used() - counted_before);
        assert!(step > 200_000, "{name}: {step}");
        // A tenth is for what the connection keeps to read and write with.
        assert!(
            (step_counted - step).abs() * 8 <= step,
            "{name}: {step_counted} bytes more counted, {step} allocated"
        );
    }
    let (before, counted_before) = (live(), used());
    for line in [
        "CLIENT TRACKING OFF",
        "CONFIG SET slowlog-log-slower-than -1",
        "SLOWLOG RESET",
    ] {
        client.call(line).await;
    }
    let (freed, freed_counted) = (before - live(), counted_before - used());
    assert!(
        freed > 400_000 && (freed_counted - freed).abs() * 8 <= freed,
        "{freed_counted} bytes less counted, {freed} freed"
    );
    let (before, counted_before) = (live(), used());
    client.call("MULTI").await;
    for _ in 0..QUEUED {
        client.call("GET k").await;
    }
    let (queued, counted) = (live() - before, used() - counted_before);
    assert!(
        (counted - queued).abs() * 8 <= queued,
        "{counted} bytes counted, {queued} allocated for a transaction"
    );
}
