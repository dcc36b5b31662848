//! Publish and subscribe, over raw bytes.

mod common;

use common::{Client, server};

/// A message or confirmation of three parts as RESP2 has it.
fn array(parts: &[&str]) -> String {
    encode('*', parts)
}

/// The same as RESP3 has it.
fn push(parts: &[&str]) -> String {
    encode('>', parts)
}

/// Parts that begin with `:` are integers, `-` is a null.
fn encode(kind: char, parts: &[&str]) -> String {
    let mut text = format!("{kind}{}\r\n", parts.len());
    for part in parts {
        match (part.strip_prefix(':'), *part) {
            (Some(number), _) => text.push_str(&format!(":{number}\r\n")),
            (None, "-") if kind == '>' => text.push_str("_\r\n"),
            (None, "-") => text.push_str("$-1\r\n"),
            (None, part) => text.push_str(&common::bulk(part)),
        }
    }
    text
}

#[tokio::test]
async fn confirmations_count_channels_and_patterns_together_and_shard_channels_apart() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.send("SUBSCRIBE a b a\r\n").await;
    client.expect(array(&["subscribe", "a", ":1"])).await;
    client.expect(array(&["subscribe", "b", ":2"])).await;
    client.expect(array(&["subscribe", "a", ":2"])).await;
    client.send("PSUBSCRIBE a*\r\n").await;
    client.expect(array(&["psubscribe", "a*", ":3"])).await;
    client.send("SSUBSCRIBE s t\r\n").await;
    client.expect(array(&["ssubscribe", "s", ":1"])).await;
    client.expect(array(&["ssubscribe", "t", ":2"])).await;
    client.send("UNSUBSCRIBE b nosuch\r\n").await;
    client.expect(array(&["unsubscribe", "b", ":2"])).await;
    client.expect(array(&["unsubscribe", "nosuch", ":2"])).await;
    client.send("SUNSUBSCRIBE\r\n").await;
    client.expect(array(&["sunsubscribe", "s", ":1"])).await;
    client.expect(array(&["sunsubscribe", "t", ":0"])).await;
    client.send("PUNSUBSCRIBE a*\r\nUNSUBSCRIBE\r\n").await;
    client.expect(array(&["punsubscribe", "a*", ":1"])).await;
    client.expect(array(&["unsubscribe", "a", ":0"])).await;
    client.check("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn unsubscribing_from_nothing_is_confirmed_too() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check("UNSUBSCRIBE", &array(&["unsubscribe", "-", ":0"]))
        .await;
    client
        .check("PUNSUBSCRIBE", &array(&["punsubscribe", "-", ":0"]))
        .await;
    client
        .check("SUNSUBSCRIBE", &array(&["sunsubscribe", "-", ":0"]))
        .await;
    client.call("HELLO 3").await;
    client
        .check("UNSUBSCRIBE", &push(&["unsubscribe", "-", ":0"]))
        .await;
    client
        .check("UNSUBSCRIBE x", &push(&["unsubscribe", "x", ":0"]))
        .await;
}

#[tokio::test]
async fn messages_reach_channels_then_patterns_and_publish_counts_them() {
    let server = server().await;
    let (mut listener, mut sender) = (Client::new(&server), Client::new(&server));
    sender.check("PUBLISH news.a hello", ":0\r\n").await;
    listener
        .check("SUBSCRIBE news.a", &array(&["subscribe", "news.a", ":1"]))
        .await;
    listener
        .check("PSUBSCRIBE news.*", &array(&["psubscribe", "news.*", ":2"]))
        .await;
    listener
        .check("PSUBSCRIBE n?ws.a", &array(&["psubscribe", "n?ws.a", ":3"]))
        .await;
    sender.check("PUBLISH news.a hello", ":3\r\n").await;
    sender.check("PUBLISH news.b other", ":1\r\n").await;
    sender.check("PUBLISH weather x", ":0\r\n").await;
    listener
        .expect(array(&["message", "news.a", "hello"]))
        .await;
    listener
        .expect(array(&["pmessage", "n?ws.a", "news.a", "hello"]))
        .await;
    listener
        .expect(array(&["pmessage", "news.*", "news.a", "hello"]))
        .await;
    listener
        .expect(array(&["pmessage", "news.*", "news.b", "other"]))
        .await;
}

#[tokio::test]
async fn shard_channels_are_a_name_space_of_their_own() {
    let server = server().await;
    let (mut listener, mut sender) = (Client::new(&server), Client::new(&server));
    listener
        .check("SSUBSCRIBE c", &array(&["ssubscribe", "c", ":1"]))
        .await;
    listener
        .check("PSUBSCRIBE *", &array(&["psubscribe", "*", ":1"]))
        .await;
    sender.check("PUBLISH c one", ":1\r\n").await;
    sender.check("SPUBLISH c two", ":1\r\n").await;
    sender.check("SPUBLISH d two", ":0\r\n").await;
    listener.expect(array(&["pmessage", "*", "c", "one"])).await;
    listener.expect(array(&["smessage", "c", "two"])).await;
}

#[tokio::test]
async fn in_resp3_messages_are_pushes_and_every_command_is_allowed() {
    let server = server().await;
    let (mut listener, mut sender) = (Client::new(&server), Client::new(&server));
    listener.call("HELLO 3").await;
    listener
        .check("SUBSCRIBE c", &push(&["subscribe", "c", ":1"]))
        .await;
    listener.check("GET k", "_\r\n").await;
    listener.check("PING hi", &common::bulk("hi")).await;
    sender.check("PUBLISH c 1", ":1\r\n").await;
    listener.expect(push(&["message", "c", "1"])).await;
    // Messages follow the version of the connection.
    listener.call("HELLO 2").await;
    sender.check("PUBLISH c 2", ":1\r\n").await;
    listener.expect(array(&["message", "c", "2"])).await;
}

#[tokio::test]
async fn a_message_to_oneself_comes_behind_the_reply() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.call("HELLO 3").await;
    client
        .check("SUBSCRIBE c", &push(&["subscribe", "c", ":1"]))
        .await;
    client.send("PUBLISH c a\r\nPING\r\n").await;
    client.expect(":1\r\n").await;
    client.expect(push(&["message", "c", "a"])).await;
    client.expect("+PONG\r\n").await;
    client
        .send("MULTI\r\nPUBLISH c b\r\nPING\r\nEXEC\r\n")
        .await;
    client
        .expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n+PONG\r\n")
        .await;
    client.expect(push(&["message", "c", "b"])).await;
}

#[tokio::test]
async fn a_resp2_subscriber_may_only_subscribe_ping_quit_and_reset() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check("SUBSCRIBE c", &array(&["subscribe", "c", ":1"]))
        .await;
    for (line, name) in [
        ("GET k", "get"),
        ("CLIENT ID", "client|id"),
        ("MULTI", "multi"),
    ] {
        let error = format!(
            "-ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n"
        );
        client.check(line, &error).await;
    }
    client.check("PING", &array(&["pong", ""])).await;
    client.check("PING hi", &array(&["pong", "hi"])).await;
    client.check("RESET", "+RESET\r\n").await;
    client.check("PING", "+PONG\r\n").await;
    client.check("PUBSUB CHANNELS", "*0\r\n").await;
    client
        .check("SSUBSCRIBE c", &array(&["ssubscribe", "c", ":1"]))
        .await;
    assert!(
        client
            .call("GET k")
            .await
            .starts_with("-ERR Can't execute 'get'")
    );
    client.check("QUIT", "+OK\r\n").await;
    client.expect_closed().await;
}

#[tokio::test]
async fn a_closed_connection_is_no_listener_any_more() {
    let server = server().await;
    let (mut listener, mut sender) = (Client::new(&server), Client::new(&server));
    listener
        .check("SUBSCRIBE c", &array(&["subscribe", "c", ":1"]))
        .await;
    listener
        .check("PSUBSCRIBE c", &array(&["psubscribe", "c", ":2"]))
        .await;
    sender.check("CLIENT KILL TYPE pubsub", ":1\r\n").await;
    sender.check("PUBLISH c x", ":0\r\n").await;
    sender.check("PUBSUB NUMPAT", ":0\r\n").await;
    listener.expect_closed().await;
}

#[tokio::test]
async fn pubsub_tells_who_listens_to_what() {
    let server = server().await;
    let (mut one, mut two) = (Client::new(&server), Client::new(&server));
    let mut asker = Client::new(&server);
    for client in [&mut one, &mut two] {
        client
            .check("SUBSCRIBE b", &array(&["subscribe", "b", ":1"]))
            .await;
        client
            .check("PSUBSCRIBE x*", &array(&["psubscribe", "x*", ":2"]))
            .await;
        client
            .check("SSUBSCRIBE s", &array(&["ssubscribe", "s", ":1"]))
            .await;
    }
    one.check("SUBSCRIBE ab", &array(&["subscribe", "ab", ":3"]))
        .await;
    asker.check("PUBSUB CHANNELS", &array(&["ab", "b"])).await;
    asker.check("PUBSUB CHANNELS a*", &array(&["ab"])).await;
    asker.check("PUBSUB SHARDCHANNELS", &array(&["s"])).await;
    asker.check("PUBSUB SHARDCHANNELS a*", "*0\r\n").await;
    asker.check("PUBSUB NUMSUB", "*0\r\n").await;
    asker
        .check(
            "PUBSUB NUMSUB b ab s",
            &array(&["b", ":2", "ab", ":1", "s", ":0"]),
        )
        .await;
    asker
        .check("PUBSUB SHARDNUMSUB s b", &array(&["s", ":2", "b", ":0"]))
        .await;
    asker.check("PUBSUB NUMPAT", ":1\r\n").await;
    asker
        .check("PUBSUB CHANNELS a b", "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.\r\n")
        .await;
    assert!(
        asker
            .call("PUBSUB HELP")
            .await
            .starts_with("*13\r\n+PUBSUB <subcommand> ")
    );
}

#[tokio::test]
async fn client_reply_off_does_not_keep_messages_and_confirmations_back() {
    let server = server().await;
    let (mut listener, mut sender) = (Client::new(&server), Client::new(&server));
    listener.call("HELLO 3").await;
    listener
        .send("CLIENT REPLY OFF\r\nPING\r\nSUBSCRIBE c\r\nPING\r\n")
        .await;
    listener.expect(push(&["subscribe", "c", ":1"])).await;
    sender.check("PUBLISH c x", ":1\r\n").await;
    listener.expect(push(&["message", "c", "x"])).await;
}

#[tokio::test]
async fn subscribing_inside_of_a_transaction_works() {
    let server = server().await;
    let (mut client, mut sender) = (Client::new(&server), Client::new(&server));
    client.send("MULTI\r\nSUBSCRIBE c\r\nEXEC\r\n").await;
    client.expect("+OK\r\n+QUEUED\r\n*1\r\n").await;
    client.expect(array(&["subscribe", "c", ":1"])).await;
    sender.check("PUBLISH c x", ":1\r\n").await;
    client.expect(array(&["message", "c", "x"])).await;
}
