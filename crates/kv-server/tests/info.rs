//! INFO and MEMORY USAGE.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Client, server};

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
    let server = server().await;
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
        ("cmdstat_get", "calls=2,rejected_calls=1,failed_calls=0"),
        ("cmdstat_incr", "calls=1,rejected_calls=0,failed_calls=1"),
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
