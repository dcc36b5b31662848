//! DEBUG.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, bulk, server, start};
use kv_server::{Clock, Server};

#[tokio::test]
async fn debug_is_off_unless_it_is_allowed() {
    let server = server().await;
    let reply = Client::new(&server).call("DEBUG SLEEP 0").await;
    assert!(
        reply.starts_with("-ERR DEBUG command not allowed."),
        "{reply}"
    );
}

#[tokio::test]
async fn reload_brings_back_what_is_saved() {
    let file = std::env::temp_dir().join(format!("kv-debug-{}.rdb", std::process::id()));
    let clock = Clock::manual();
    let builder = Server::builder().snapshot(&file).clock(clock.clone());
    let server = start(builder.directive("enable-debug-command", &["yes"]).unwrap()).await;
    let mut client = Client::new(&server);
    client.check("DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n").await;
    client.check("SET k v", "+OK\r\n").await;
    client.check("SET short x PX 5", "+OK\r\n").await;
    client.check("RPUSH list a b", ":2\r\n").await;
    clock.advance(Duration::from_millis(10));
    client.check("DBSIZE", ":3\r\n").await;
    client.check("DEBUG RELOAD", "+OK\r\n").await;
    client.check("DBSIZE", ":2\r\n").await;
    client
        .check("LRANGE list 0 -1", "*2\r\n$1\r\na\r\n$1\r\nb\r\n")
        .await;
    client.check("SET k changed", "+OK\r\n").await;
    client.check("DEBUG RELOAD NOSAVE", "+OK\r\n").await;
    client.check("GET k", &bulk("v")).await;
    client.check("DEBUG SLEEP 0.001", "+OK\r\n").await;
    std::fs::write(&file, "nonsense").unwrap();
    let reply = client.call("DEBUG RELOAD NOSAVE").await;
    assert!(
        reply.starts_with("-ERR Error trying to load the RDB dump"),
        "{reply}"
    );
    client.check("GET k", &bulk("v")).await;
    std::fs::remove_file(&file).unwrap();
}
