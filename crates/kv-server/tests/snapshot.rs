//! SAVE, BGSAVE, SHUTDOWN and loading, against real files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Client, Dir, bulk, start};
use kv_server::{Builder, Clock, Error};

fn error_chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", error_chain(source)),
        None => error.to_string(),
    }
}

#[tokio::test]
async fn what_save_wrote_the_next_start_loads_with_expiries() {
    let dir = Dir::new();
    let clock = Clock::manual();
    clock.set(1_000_000);
    let server = start(dir.server().clock(clock.clone())).await;
    let mut client = Client::new(&server);
    client.check("SET plain value", "+OK\r\n").await;
    client.check("SET soon x PX 500", "+OK\r\n").await;
    client.check("SET later y PX 5000", "+OK\r\n").await;
    client.check("SELECT 3", "+OK\r\n").await;
    client
        .request([&b"SET"[..], b"bin\0\xff\r\n", &[0xfe; 3000]])
        .await;
    client.expect("+OK\r\n").await;
    clock.advance(Duration::from_millis(100));
    client.check("SAVE", "+OK\r\n").await;
    client.check("LASTSAVE", ":1000\r\n").await;
    client.check("SET plain lost", "+OK\r\n").await;
    server.shutdown().await;
    assert_eq!(dir.names(), ["dump.rdb"]);

    clock.advance(Duration::from_millis(600));
    let server = start(dir.server().clock(clock)).await;
    let mut client = Client::new(&server);
    client.check("GET plain", &bulk("value")).await;
    client.check("GET soon", "$-1\r\n").await;
    client.check("GET later", &bulk("y")).await;
    client.check("SELECT 3", "+OK\r\n").await;
    client.request([&b"GET"[..], b"bin\0\xff\r\n"]).await;
    client
        .expect([&b"$3000\r\n"[..], &[0xfe; 3000], b"\r\n"].concat())
        .await;
}

#[tokio::test]
async fn a_server_without_a_snapshot_does_not_touch_the_disk() {
    let server = common::server().await;
    let mut client = Client::new(&server);
    let off = "-ERR Snapshots are turned off: this server keeps its data in memory only\r\n";
    client.check("SAVE", off).await;
    client.check("BGSAVE", off).await;
    client
        .check(
            "CONFIG SET save '60 1'",
            "-ERR CONFIG SET failed (possibly related to argument 'save') - this server keeps its data in memory only\r\n",
        )
        .await;
    assert!(matches!(server.save().await, Err(Error::NoSnapshot(_))));
}

#[tokio::test]
async fn a_background_save_holds_one_moment_while_commands_go_on() {
    let dir = Dir::new();
    let server = start(dir.server()).await;
    let mut client = Client::new(&server);
    let set = |round: u32| {
        let pairs = (0..20_000)
            .map(move |n| common::request(["SET", &format!("k{n}"), &format!("{round}")]));
        pairs.collect::<Vec<_>>().concat()
    };
    client.send(set(1)).await;
    client.expect("+OK\r\n".repeat(20_000)).await;
    // In one batch: nothing of the snapshot is written before the changes behind it are made.
    let mut batch = common::request(["BGSAVE"]);
    batch.extend(set(2));
    batch.extend(common::request(["SET", "new", "1"]));
    batch.extend(common::request(["DEL", "k7"]));
    client.send(batch).await;
    client.expect("+Background saving started\r\n").await;
    client.expect("+OK\r\n".repeat(20_001)).await;
    client.reply().await;
    server.shutdown().await;

    let server = start(dir.server()).await;
    let mut client = Client::new(&server);
    client.check("GET new", "$-1\r\n").await;
    for n in [0, 7, 9_999, 19_999] {
        client.check(&format!("GET k{n}"), &bulk("1")).await;
    }
    let get: Vec<_> = (0..20_000)
        .map(|n| common::request(["GET", &format!("k{n}")]))
        .collect();
    client.send(get.concat()).await;
    client.expect(bulk("1").repeat(20_000)).await;
}

#[tokio::test]
async fn one_snapshot_at_a_time() {
    let dir = Dir::new();
    let server = start(dir.server()).await;
    let mut client = Client::new(&server);
    client
        .send("SET k v\r\nBGSAVE\r\nBGSAVE SCHEDULE\r\nSAVE\r\n")
        .await;
    client.expect("+OK\r\n+Background saving started\r\n").await;
    let busy = "-ERR Background save already in progress\r\n";
    client.expect(busy.repeat(2)).await;
    client.check("BGSAVE NOW", "-ERR syntax error\r\n").await;
    server.stop().await;
    assert_eq!(dir.names(), ["dump.rdb"], "a stop waits for the snapshot");
    server.save().await.unwrap();
}

#[tokio::test]
async fn inside_of_a_transaction_a_snapshot_is_scheduled_behind_it() {
    let dir = Dir::new();
    let server = start(dir.server()).await;
    let mut client = Client::new(&server);
    client
        .send("MULTI\r\nSET a 1\r\nBGSAVE\r\nSET b 2\r\nEXEC\r\n")
        .await;
    client
        .expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n")
        .await;
    client
        .expect("*3\r\n+OK\r\n+Background saving scheduled\r\n+OK\r\n")
        .await;
    until_file(&dir.file()).await;
    server.shutdown().await;
    let server = start(dir.server()).await;
    let mut client = Client::new(&server);
    client
        .check("MGET a b", &format!("*2\r\n{}{}", bulk("1"), bulk("2")))
        .await;
}

async fn until_file(path: &Path) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(60);
    while !path.exists() {
        assert!(
            tokio::time::Instant::now() < patience,
            "no snapshot was written"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_save_point_saves_after_its_time_and_its_changes() {
    let dir = Dir::new();
    let clock = Clock::manual();
    let server = start(
        dir.server()
            .clock(clock.clone())
            .save_after(Duration::from_secs(60), 2),
    )
    .await;
    let mut client = Client::new(&server);
    client
        .check(
            "CONFIG GET save",
            &format!("*2\r\n{}{}", bulk("save"), bulk("60 2")),
        )
        .await;
    client.check("SET a 1", "+OK\r\n").await;
    clock.advance(Duration::from_secs(100));
    client.check("GET a", &bulk("1")).await;
    assert_eq!(dir.names(), [""; 0], "one change is too few");
    client.check("SET b 1", "+OK\r\n").await;
    until_file(&dir.file()).await;
    server.shutdown().await;
}

#[tokio::test]
async fn with_save_points_a_shutdown_saves() {
    let dir = Dir::new();
    let points = |builder: Builder| builder.save_after(Duration::from_secs(3600), 1);
    let server = start(points(dir.server())).await;
    Client::new(&server)
        .check("SET k of-the-owner", "+OK\r\n")
        .await;
    server.shutdown().await;
    let server = start(points(dir.server())).await;
    let mut client = Client::new(&server);
    client.check("GET k", &bulk("of-the-owner")).await;
    client.check("SET k of-a-client", "+OK\r\n").await;
    client
        .check("SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n")
        .await;
    client
        .check("SHUTDOWN SAVE NOSAVE", "-ERR syntax error\r\n")
        .await;
    client
        .check("SHUTDOWN NOW ABORT", "-ERR syntax error\r\n")
        .await;
    client.send("SHUTDOWN\r\nSET k never\r\n").await;
    client.expect_closed().await;
    server.shutdown_requested().await;
    server.shutdown().await;
    let server = start(points(dir.server())).await;
    let mut client = Client::new(&server);
    client.check("GET k", &bulk("of-a-client")).await;
    client.check("SET k lost", "+OK\r\n").await;
    client.send("SHUTDOWN NOSAVE\r\n").await;
    client.expect_closed().await;
    server.shutdown().await;
    let server = start(dir.server()).await;
    Client::new(&server)
        .check("GET k", &bulk("of-a-client"))
        .await;
}

#[tokio::test]
async fn after_a_client_has_sent_shutdown_nobody_else_is_served() {
    let server = common::on_a_lasting_port().await;
    let (mut one, mut other) = (Client::new(&server), Client::new(&server));
    other.check("PING", "+PONG\r\n").await;
    one.send("SHUTDOWN NOSAVE\r\n").await;
    one.expect_closed().await;
    other.expect_closed().await;
    let mut late = Client::new(&server);
    late.expect_closed().await;
    server.stop().await;
    server.restart().await.unwrap();
    Client::new(&server).check("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn a_snapshot_that_fails_says_why_and_stops_writes() {
    let dir = Dir::new();
    // A directory in the place of the file: it can be neither loaded nor replaced.
    let server = start(dir.server().save_after(Duration::from_secs(3600), 1)).await;
    let mut client = Client::new(&server);
    client.check("SET k v", "+OK\r\n").await;
    std::fs::create_dir_all(dir.file().join("in the way")).unwrap();
    let reply = client.call("SAVE").await;
    let start_of_reply = format!("-ERR Cannot write {}: ", dir.file().display());
    assert!(reply.starts_with(&start_of_reply), "{reply}");
    assert_eq!(dir.names(), ["dump.rdb"], "nothing temporary is left");
    let reply = client.call("SET k w").await;
    assert!(reply.starts_with("-MISCONF "), "{reply}");
    client.check("GET k", &bulk("v")).await;
    let reply = client.call("SHUTDOWN").await;
    assert_eq!(reply, "-ERR Errors trying to SHUTDOWN. Check logs.\r\n");
    client
        .check("CONFIG SET stop-writes-on-bgsave-error no", "+OK\r\n")
        .await;
    client.check("SET k w", "+OK\r\n").await;
    client
        .check("CONFIG SET stop-writes-on-bgsave-error yes", "+OK\r\n")
        .await;
    std::fs::remove_dir_all(dir.file()).unwrap();
    client.check("SAVE", "+OK\r\n").await;
    client.check("SET k x", "+OK\r\n").await;
}

#[tokio::test]
async fn a_server_does_not_start_on_a_bad_file() {
    let dir = Dir::new();
    std::fs::write(dir.file(), b"REDIS0008\xfe\x00garbage").unwrap();
    let error = dir.server().start().await.unwrap_err();
    let text = error_chain(&error);
    let path = dir.file().display().to_string();
    assert!(text.starts_with(&format!("snapshot {path}: ")), "{text}");
    assert!(text.contains("at byte"), "{text}");
}

#[tokio::test]
async fn how_keys_were_used_survives_where_the_policy_asks_for_it() {
    for (policy, question) in [("allkeys-lru", "IDLETIME"), ("allkeys-lfu", "FREQ")] {
        let (dir, clock) = (Dir::new(), Clock::manual());
        let builder = || {
            let builder = dir.server().clock(clock.clone());
            builder.directive("maxmemory-policy", &[policy]).unwrap()
        };
        let server = start(builder()).await;
        let mut client = Client::new(&server);
        client.call("SET old 1").await;
        for _ in 0..200 {
            client.call("GET old").await;
        }
        clock.advance(Duration::from_secs(100));
        client.call("SET new 1").await;
        let mut before = Vec::new();
        for key in ["old", "new"] {
            before.push(client.call(&format!("OBJECT {question} {key}")).await);
        }
        assert_ne!(before[0], before[1]);
        client.check("SAVE", "+OK\r\n").await;
        server.shutdown().await;
        let server = start(builder()).await;
        let mut client = Client::new(&server);
        for (key, before) in ["old", "new"].into_iter().zip(before) {
            let question = format!("OBJECT {question} {key}");
            client.check(&question, &before).await;
        }
    }
}
