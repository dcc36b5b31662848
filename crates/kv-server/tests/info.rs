//! INFO and MEMORY USAGE.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, server, start, waiting};
use kv_server::{Clock, Command, Flags, Keys, Server};

async fn info(client: &mut Client, line: &str) -> String {
    let reply = client.call(line).await;
    let (_, text) = reply.split_once("\r\n").unwrap();
    text.to_owned()
}

fn titles(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# "))
        .collect()
}

fn field<'t>(text: &'t str, name: &str) -> &'t str {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[tokio::test]
async fn info_shows_the_sections_it_is_asked_for() {
    let server = server().await;
    let mut client = Client::new(&server);
    let default = info(&mut client, "INFO").await;
    assert_eq!(
        titles(&default),
        [
            "Server",
            "Clients",
            "Memory",
            "Persistence",
            "Stats",
            "Replication",
            "CPU",
            "Modules",
            "Errorstats",
            "Cluster",
            "Keyspace"
        ]
    );
    let both = info(&mut client, "INFO keyspace SERVER nonsense").await;
    assert_eq!(titles(&both), ["Server", "Keyspace"]);
    let all = info(&mut client, "INFO everything").await;
    assert!(titles(&all).contains(&"Commandstats"));
    client.check("INFO nonsense", "$0\r\n\r\n").await;
}

#[tokio::test]
async fn info_counts_what_happened() {
    let server = start(Server::builder().clock(Clock::manual())).await;
    let mut client = Client::new(&server);
    client.check("SET k v", "+OK\r\n").await;
    client.check("SET gone v PX 100000", "+OK\r\n").await;
    client.check("GET k", "$1\r\nv\r\n").await;
    client.check("GET nothing", "$-1\r\n").await;
    client.call("INCR k").await;
    client.call("NONSENSE").await;
    client.call("GET").await;
    let text = info(&mut client, "INFO all").await;
    for (name, value) in [
        ("redis_version", kv_server::REDIS_VERSION),
        ("connected_clients", "1"),
        ("keyspace_hits", "1"),
        ("keyspace_misses", "1"),
        ("rdb_changes_since_last_save", "2"),
        ("rdb_bgsave_in_progress", "0"),
        (
            "cmdstat_get",
            "calls=2,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0",
        ),
        (
            "cmdstat_incr",
            "calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1",
        ),
        ("errorstat_ERR", "count=3"),
        ("total_error_replies", "3"),
        ("db0", "keys=2,expires=1"),
        ("role", "master"),
        ("cluster_enabled", "0"),
    ] {
        assert_eq!(field(&text, name), value, "{name}");
    }
    client.check("CONFIG RESETSTAT", "+OK\r\n").await;
    let text = info(&mut client, "INFO all").await;
    assert_eq!(field(&text, "total_error_replies"), "0");
    assert_eq!(field(&text, "rdb_changes_since_last_save"), "2");
}

#[tokio::test]
async fn used_memory_follows_the_data() {
    let server = server().await;
    let mut client = Client::new(&server);
    let used = async |client: &mut Client| -> usize {
        field(&info(client, "INFO memory").await, "used_memory")
            .parse()
            .unwrap()
    };
    let before = used(&mut client).await;
    let sets: Vec<_> = (0..5_000)
        .map(|n| common::request(["SET", &format!("key:{n:010}"), &"x".repeat(64)]))
        .collect();
    client.send(sets.concat()).await;
    client.expect("+OK\r\n".repeat(5_000)).await;
    let grown = used(&mut client).await - before;
    // 14 bytes of key and 64 of value, a header of 2, and 16 of table a slot.
    assert!((5_000 * 80..5_000 * 130).contains(&grown), "{grown}");
}

#[tokio::test]
async fn object_and_xack_are_lookups_that_count() {
    let server = server().await;
    let mut client = Client::new(&server);
    for line in ["SET k v", "XADD s 1-1 f v", "XGROUP CREATE s g 0"] {
        client.call(line).await;
    }
    let (mut hits, mut misses) = (0, 0);
    for command in [
        "OBJECT ENCODING %",
        "OBJECT REFCOUNT %",
        "OBJECT IDLETIME %",
        "OBJECT FREQ %",
        "XACK % g 1-1",
    ] {
        let key = if command.starts_with("XACK") {
            "s"
        } else {
            "k"
        };
        client.call(&command.replace('%', key)).await;
        client.call(&command.replace('%', "nothing")).await;
        (hits, misses) = (hits + 1, misses + 1);
        let stats = info(&mut client, "INFO stats").await;
        assert_eq!(
            field(&stats, "keyspace_hits"),
            hits.to_string(),
            "{command}"
        );
        assert_eq!(
            field(&stats, "keyspace_misses"),
            misses.to_string(),
            "{command}"
        );
    }
}

#[tokio::test]
async fn memory_usage_counts_key_value_and_slot() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("MEMORY USAGE nothing", "$-1\r\n").await;
    client.check("SET k 12345678901234567890", "+OK\r\n").await;
    // 2 + 1 + 20 bytes, and a slot of 16.
    client.check("MEMORY USAGE k", ":39\r\n").await;
    client.check("MEMORY USAGE k SAMPLES 0", ":39\r\n").await;
    client
        .check("MEMORY USAGE k SAMPLES -1", "-ERR syntax error\r\n")
        .await;
    client
        .check("MEMORY USAGE k EXAMPLES 1", "-ERR syntax error\r\n")
        .await;
}

#[tokio::test]
async fn the_time_of_a_command_is_counted_as_its_own() {
    let clock = Clock::manual();
    let seen = clock.clone();
    let work = Command::new("WORK", 1, Flags::NONE, Keys::NONE, move |_, cx| {
        seen.advance(Duration::from_millis(5));
        cx.reply().ok();
        Ok(())
    });
    let server = start(Server::builder().clock(clock).command(work)).await;
    let mut client = Client::new(&server);
    client
        .send("GET k\r\nWORK\r\nWORK\r\nGET k\r\nMULTI\r\nWORK\r\nEXEC\r\n")
        .await;
    client
        .expect("$-1\r\n+OK\r\n+OK\r\n$-1\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n")
        .await;
    let text = info(&mut client, "INFO commandstats").await;
    for (name, value) in [
        (
            "cmdstat_work",
            "calls=3,usec=15000,usec_per_call=5000.00,rejected_calls=0,failed_calls=0",
        ),
        (
            "cmdstat_get",
            "calls=2,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0",
        ),
        (
            // With all that it runs, as in Redis.
            "cmdstat_exec",
            "calls=1,usec=5000,usec_per_call=5000.00,rejected_calls=0,failed_calls=0",
        ),
    ] {
        assert_eq!(field(&text, name), value, "{name}");
    }
}

#[tokio::test]
async fn a_wait_is_counted_once_however_it_ends() {
    let server = start(Server::builder().clock(Clock::manual())).await;
    let mut client = Client::new(&server);
    let mut served = waiting(&server, "BLPOP k 0").await;
    client.check("RPUSH k v", ":1\r\n").await;
    served.reply().await;
    for (how, reply) in [
        ("TIMEOUT", "*-1\r\n"),
        (
            "ERROR",
            "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n",
        ),
    ] {
        let mut other = Client::new(&server);
        let id = other.call("CLIENT ID").await;
        other.send("BLPOP k 0\r\n").await;
        let question = format!("CLIENT UNBLOCK {} {how}", id[1..].trim());
        while client.call(&question).await == ":0\r\n" {}
        other.expect(reply).await;
    }
    let text = info(&mut client, "INFO all").await;
    let expected = "calls=3,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1";
    assert_eq!(field(&text, "cmdstat_blpop"), expected);
    assert_eq!(field(&text, "errorstat_UNBLOCKED"), "count=1");
}

#[tokio::test]
async fn each_element_counts_as_a_change() {
    let server = server().await;
    let mut client = Client::new(&server);
    let mut before = 0;
    for (line, changes) in [
        ("RPUSH l a b c d e", 5),
        ("LPOP l 2", 2),
        ("LTRIM l 0 -1", 0),
        ("LTRIM l 0 1", 1),
        ("LREM l 0 c", 1),
        ("SADD s a b c", 3),
        ("SADD s a", 0),
        ("SREM s a b x", 2),
        ("HSET h f 1 g 2 f 3", 3),
        ("HDEL h f g", 2),
        ("MSET x 1 y 2", 2),
        ("RENAME x z", 1),
        ("MOVE z 5", 1),
        ("DEL l y none", 2),
    ] {
        client.call(line).await;
        let text = info(&mut client, "INFO persistence").await;
        let now: u64 = field(&text, "rdb_changes_since_last_save").parse().unwrap();
        assert_eq!(now - before, changes, "{line}");
        before = now;
    }
}

#[tokio::test]
async fn what_is_freed_aside_is_counted() {
    let server = server().await;
    let mut client = Client::new(&server);
    let members: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
    client
        .check(&format!("SADD s {}", members.join(" ")), ":1000\r\n")
        .await;
    client.check("MSET a 1 b 2", "+OK\r\n").await;
    client.check("UNLINK s a", ":2\r\n").await;
    client.check("FLUSHALL", "+OK\r\n").await;
    loop {
        let text = info(&mut client, "INFO memory").await;
        if field(&text, "lazyfree_pending_objects") == "0" {
            // A small value is freed at once.
            assert_eq!(field(&text, "lazyfreed_objects"), "2");
            break;
        }
    }
}

#[tokio::test]
async fn whoever_a_pause_holds_back_counts_as_blocked() {
    let server = server().await;
    let (mut writer, mut client) = (Client::new(&server), Client::new(&server));
    client.check("CLIENT PAUSE 1000000 WRITE", "+OK\r\n").await;
    writer.send("SET k v\r\n").await;
    // The request may still be under way.
    while field(&info(&mut client, "INFO clients").await, "blocked_clients") != "1" {}
    client.check("CLIENT UNPAUSE", "+OK\r\n").await;
    writer.expect("+OK\r\n").await;
    let clients = info(&mut client, "INFO clients").await;
    assert_eq!(field(&clients, "blocked_clients"), "0");
}

#[tokio::test]
async fn latency_statistics_are_shown_as_far_as_they_are_kept() {
    let server = server().await;
    let mut client = Client::new(&server);
    let line = |text: &str, command: &str| {
        let name = format!("latency_percentiles_usec_{command}:");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.map(str::to_owned)
    };
    client.call("SET k v").await;
    client.call("CLIENT ID").await;
    let all = info(&mut client, "INFO all").await;
    for command in ["set", "client|id"] {
        let shown = line(&all, command).unwrap();
        let values: Vec<_> = shown.split(',').collect();
        for (value, percentile) in values.iter().zip(["p50=", "p99=", "p99.9="]) {
            let us = value.strip_prefix(percentile).unwrap();
            assert!(us.parse::<f64>().unwrap() > 0.0, "{shown}");
            assert_eq!(us.split_once('.').unwrap().1.len(), 3, "{shown}");
        }
        assert_eq!(values.len(), 3, "{shown}");
    }
    assert!(
        !info(&mut client, "INFO")
            .await
            .contains("latency_percentiles")
    );
    client
        .check(
            "CONFIG SET latency-tracking-info-percentiles \"0.0 50.5 100.0\"",
            "+OK\r\n",
        )
        .await;
    let shown = client
        .call("CONFIG GET latency-tracking-info-percentiles")
        .await;
    assert!(shown.ends_with("$10\r\n0 50.5 100\r\n"), "{shown}");
    let statistics = info(&mut client, "INFO latencystats").await;
    let shown = line(&statistics, "set").unwrap();
    assert!(
        shown.starts_with("p0=") && shown.contains(",p50.5="),
        "{shown}"
    );
    for wrong in ["10 a", "101", "-1", "nan"] {
        let line = format!("CONFIG SET latency-tracking-info-percentiles \"{wrong}\"");
        let reply = client.call(&line).await;
        assert!(reply.starts_with("-ERR CONFIG SET failed"), "{reply}");
    }
    client.call("CONFIG RESETSTAT").await;
    client
        .check("CONFIG SET latency-tracking no", "+OK\r\n")
        .await;
    client.call("SET k v").await;
    let statistics = info(&mut client, "INFO latencystats").await;
    assert_eq!(line(&statistics, "set"), None);
    client.check("LATENCY HISTOGRAM set", "*0\r\n").await;
    client
        .check("CONFIG SET latency-tracking yes", "+OK\r\n")
        .await;
    client.call("SET k v").await;
    let statistics = info(&mut client, "INFO latencystats").await;
    assert!(line(&statistics, "set").is_some(), "{statistics}");
    // What was counted before is kept, and not shown as if it were of now.
    client
        .check("CONFIG SET latency-tracking no", "+OK\r\n")
        .await;
    let statistics = info(&mut client, "INFO latencystats").await;
    assert_eq!(line(&statistics, "set"), None);
    let histogram = client.call("LATENCY HISTOGRAM set").await;
    assert!(histogram.starts_with("*2\r\n"), "{histogram}");
}
