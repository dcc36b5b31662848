//! Client-side caching: who is told which keys have changed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, bulk, start};
use kv_server::{Clock, Server};

/// The message of RESP3.
fn invalidate(keys: &[&str]) -> String {
    let head = format!(">2\r\n{}*{}\r\n", bulk("invalidate"), keys.len());
    keys.iter().fold(head, |frame, key| frame + &bulk(key))
}

/// A connection that speaks RESP3.
async fn reader(server: &Server) -> Client {
    let mut reader = Client::new(server);
    reader.call("HELLO 3").await;
    reader
}

#[tokio::test]
async fn who_has_read_a_key_is_told_once_that_it_changed() {
    let server = common::server().await;
    let (mut reader, mut writer) = (reader(&server).await, Client::new(&server));
    reader.check("CLIENT TRACKING ON", "+OK\r\n").await;
    reader.check("MGET a b", "*2\r\n_\r\n_\r\n").await;
    writer.check("SET a 1", "+OK\r\n").await;
    writer.check("SET a 2", "+OK\r\n").await;
    writer.check("SET c 1", "+OK\r\n").await;
    writer.check("LPUSH b x", ":1\r\n").await;
    reader.expect(invalidate(&["a"])).await;
    reader.expect(invalidate(&["b"])).await;
    reader.check("PING", "+PONG\r\n").await;
    // What it changes itself it is told too, after the reply.
    reader.send("GET a\r\nSET a 3\r\nPING\r\n").await;
    reader
        .expect(format!("$1\r\n2\r\n+OK\r\n{}+PONG\r\n", invalidate(&["a"])))
        .await;
    reader.check("CLIENT TRACKING OFF", "+OK\r\n").await;
    reader.check("GET a", "$1\r\n3\r\n").await;
    writer.check("DEL a", ":1\r\n").await;
    reader.check("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn a_transaction_is_told_of_behind_its_replies() {
    let server = common::server().await;
    let mut reader = reader(&server).await;
    reader.call("CLIENT TRACKING ON").await;
    reader
        .send("GET a\r\nMULTI\r\nSET a 1\r\nFLUSHALL\r\nEXEC\r\n")
        .await;
    let replies = "_\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n";
    let flushed = format!(">2\r\n{}_\r\n", bulk("invalidate"));
    reader
        .expect(format!("{replies}{flushed}{}", invalidate(&["a"])))
        .await;
}

#[tokio::test]
async fn expired_keys_are_changed_keys_also_for_who_does_not_want_to_hear_of_itself() {
    let clock = Clock::manual();
    let server = start(Server::builder().clock(clock.clone())).await;
    let mut reader = reader(&server).await;
    reader.call("CLIENT TRACKING ON NOLOOP").await;
    reader.check("SET a 1 PX 100", "+OK\r\n").await;
    reader.check("GET a", "$1\r\n1\r\n").await;
    reader.check("SET b 1", "+OK\r\n").await;
    reader.check("GET b", "$1\r\n1\r\n").await;
    reader.check("SET b 2", "+OK\r\n").await;
    clock.advance(Duration::from_millis(101));
    reader.expect(invalidate(&["a"])).await;
}

#[tokio::test]
async fn a_key_that_expired_before_its_own_listener_sets_it_is_told_of() {
    let clock = Clock::manual();
    let builder = Server::builder()
        .clock(clock.clone())
        .directive("enable-debug-command", &["yes"])
        .unwrap();
    let server = start(builder).await;
    let mut reader = reader(&server).await;
    // Only a command notices what has expired.
    reader.check("DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n").await;
    reader.call("CLIENT TRACKING ON BCAST NOLOOP").await;
    reader.check("SET a 1 PX 100", "+OK\r\n").await;
    clock.advance(Duration::from_millis(101));
    reader
        .send("SET a 2\r\nSET a 3\r\nSET b 1\r\nPING\r\n")
        .await;
    reader
        .expect(format!(
            "+OK\r\n{}+OK\r\n+OK\r\n+PONG\r\n",
            invalidate(&["a"])
        ))
        .await;
}

#[tokio::test]
async fn opting_in_and_out_is_for_one_command_or_one_transaction() {
    let server = common::server().await;
    let (mut reader, mut writer) = (reader(&server).await, Client::new(&server));
    reader.call("CLIENT TRACKING ON OPTIN").await;
    reader.check("GET a", "_\r\n").await;
    reader.check("CLIENT CACHING YES", "+OK\r\n").await;
    reader.check("GET b", "_\r\n").await;
    reader.check("GET c", "_\r\n").await;
    reader
        .send("CLIENT CACHING YES\r\nMULTI\r\nGET d\r\nGET e\r\nEXEC\r\nGET f\r\n")
        .await;
    reader
        .expect("+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n_\r\n_\r\n_\r\n")
        .await;
    for key in ["a", "b", "c", "d", "e", "f"] {
        writer.check(&format!("SET {key} 1"), "+OK\r\n").await;
    }
    for key in ["b", "d", "e"] {
        reader.expect(invalidate(&[key])).await;
    }
    reader
        .check(
            "CLIENT CACHING NO",
            "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.\r\n",
        )
        .await;
    reader.send("CLIENT TRACKING OFF\r\nCLIENT TRACKING ON OPTOUT\r\nCLIENT CACHING NO\r\nGET a\r\nGET b\r\n").await;
    reader
        .expect("+OK\r\n+OK\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n")
        .await;
    writer.check("MSET a 2 b 2", "+OK\r\n").await;
    reader.expect(invalidate(&["b"])).await;
    reader.check("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn prefixes_are_told_of_all_their_keys_in_one_message() {
    let server = common::server().await;
    let (mut reader, mut writer) = (reader(&server).await, Client::new(&server));
    reader
        .check("CLIENT TRACKING ON BCAST PREFIX a: PREFIX b:", "+OK\r\n")
        .await;
    writer
        .check("MSET a:1 x b:1 x c:1 x a:2 x", "+OK\r\n")
        .await;
    reader.expect(invalidate(&["a:1", "a:2"])).await;
    reader.expect(invalidate(&["b:1"])).await;
    reader
        .check(
            "CLIENT TRACKING ON BCAST PREFIX a:1",
            "-ERR Prefix 'a:1' overlaps with an existing prefix 'a:'. Prefixes for a single client must not overlap.\r\n",
        )
        .await;
    reader
        .check("CLIENT TRACKING ON BCAST PREFIX d", "+OK\r\n")
        .await;
    writer.check("SET d 1", "+OK\r\n").await;
    reader.expect(invalidate(&["d"])).await;
}

#[tokio::test]
async fn another_connection_gets_the_messages_until_it_is_gone() {
    let server = common::server().await;
    let (mut reader, mut writer) = (reader(&server).await, Client::new(&server));
    let mut target = Client::new(&server);
    let id = target.call("CLIENT ID").await;
    let id = id[1..].trim().to_owned();
    target.call("SUBSCRIBE __redis__:invalidate").await;
    reader
        .check(&format!("CLIENT TRACKING ON REDIRECT {id}"), "+OK\r\n")
        .await;
    reader.check("CLIENT GETREDIR", &format!(":{id}\r\n")).await;
    reader.check("GET a", "_\r\n").await;
    writer.check("SET a 1", "+OK\r\n").await;
    target
        .expect(format!(
            "*3\r\n{}{}*1\r\n{}",
            bulk("message"),
            bulk("__redis__:invalidate"),
            bulk("a")
        ))
        .await;
    reader.check("GET a", "$1\r\n1\r\n").await;
    target.check("QUIT", "+OK\r\n").await;
    writer.check("SET a 2", "+OK\r\n").await;
    reader
        .expect(format!(">2\r\n{}:{id}\r\n", bulk("tracking-redir-broken")))
        .await;
    let info = reader.call("CLIENT TRACKINGINFO").await;
    assert!(info.contains("broken_redirect"), "{info}");
}

#[tokio::test]
async fn the_table_of_keys_is_bounded_and_who_loses_one_is_told() {
    let server = common::server().await;
    let mut reader = reader(&server).await;
    reader.call("CONFIG SET tracking-table-max-keys 2").await;
    reader.call("CLIENT TRACKING ON").await;
    reader.send("GET a\r\nGET b\r\nGET c\r\n").await;
    reader
        .expect(format!("_\r\n_\r\n_\r\n{}", invalidate(&["a"])))
        .await;
    let info = reader.call("INFO stats").await;
    assert!(info.contains("tracking_total_keys:2\r\n"), "{info}");
    reader
        .send("CONFIG SET tracking-table-max-keys 1\r\n")
        .await;
    reader
        .expect(format!("+OK\r\n{}", invalidate(&["b"])))
        .await;
}

#[tokio::test]
async fn what_does_not_go_together_is_refused() {
    let server = common::server().await;
    let mut client = Client::new(&server);
    for (line, error) in [
        (
            "CLIENT TRACKING ON PREFIX a",
            "ERR PREFIX option requires BCAST mode to be enabled",
        ),
        (
            "CLIENT TRACKING ON BCAST OPTIN",
            "ERR OPTIN and OPTOUT are not compatible with BCAST",
        ),
        (
            "CLIENT TRACKING ON OPTIN OPTOUT",
            "ERR You can't specify both OPTIN mode and OPTOUT mode",
        ),
        (
            "CLIENT TRACKING ON REDIRECT 99999",
            "ERR The client ID you want redirect to does not exist",
        ),
        ("CLIENT TRACKING MAYBE", "ERR syntax error"),
    ] {
        client.check(line, &format!("-{error}\r\n")).await;
    }
    client.check("CLIENT GETREDIR", ":-1\r\n").await;
}
