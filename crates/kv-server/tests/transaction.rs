//! MULTI, EXEC, DISCARD and WATCH, over raw bytes.

mod common;

use std::time::Duration;

use common::{Client, bulk, server, start};
use kv_server::{Clock, Server};

#[tokio::test]
async fn exec_runs_what_was_queued_and_answers_an_array() {
    let server = server().await;
    let (mut one, mut two) = (Client::new(&server), Client::new(&server));
    one.check("MULTI", "+OK\r\n").await;
    one.check("SET k v", "+QUEUED\r\n").await;
    one.check("GET k", "+QUEUED\r\n").await;
    two.check("GET k", "$-1\r\n").await;
    one.check("EXEC", "*2\r\n+OK\r\n$1\r\nv\r\n").await;
    two.check("GET k", &bulk("v")).await;
    one.check("EXEC", "-ERR EXEC without MULTI\r\n").await;
    one.check("MULTI", "+OK\r\n").await;
    one.check("EXEC", "*0\r\n").await;
}

#[tokio::test]
async fn a_subcommand_with_the_name_of_a_command_that_ends_it_is_queued() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("MULTI", "+OK\r\n").await;
    client.check("SLOWLOG RESET", "+QUEUED\r\n").await;
    client.check("LATENCY RESET", "+QUEUED\r\n").await;
    client.check("EXEC", "*2\r\n+OK\r\n:0\r\n").await;
    client.call("SUBSCRIBE channel").await;
    let reply = client.call("SLOWLOG RESET").await;
    assert!(
        reply.starts_with("-ERR Can't execute 'slowlog|reset'"),
        "{reply}"
    );
}

#[tokio::test]
async fn discard_forgets_the_queue() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check("DISCARD", "-ERR DISCARD without MULTI\r\n")
        .await;
    client.check("MULTI", "+OK\r\n").await;
    client.check("SET k v", "+QUEUED\r\n").await;
    client.check("DISCARD", "+OK\r\n").await;
    client.check("GET k", "$-1\r\n").await;
}

#[tokio::test]
async fn a_command_that_cannot_be_queued_spoils_the_transaction() {
    let server = server().await;
    let mut client = Client::new(&server);
    for bad in ["NOSUCH a", "GET", "CLIENT NOSUCH"] {
        client.check("MULTI", "+OK\r\n").await;
        client.check("SET k v", "+QUEUED\r\n").await;
        assert!(client.call(bad).await.starts_with("-ERR "), "{bad}");
        client.check("SET k w", "+QUEUED\r\n").await;
        client
            .check(
                "EXEC",
                "-EXECABORT Transaction discarded because of previous errors.\r\n",
            )
            .await;
        client.check("GET k", "$-1\r\n").await;
    }
}

#[tokio::test]
async fn an_error_while_running_does_not_stop_the_others() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("MULTI", "+OK\r\n").await;
    client.check("SELECT 99", "+QUEUED\r\n").await;
    client.check("SET k v", "+QUEUED\r\n").await;
    client
        .check("EXEC", "*2\r\n-ERR DB index is out of range\r\n+OK\r\n")
        .await;
}

#[tokio::test]
async fn multi_and_watch_inside_of_multi_are_refused_without_spoiling_it() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("MULTI", "+OK\r\n").await;
    client
        .check("MULTI", "-ERR MULTI calls can not be nested\r\n")
        .await;
    client
        .check("WATCH k", "-ERR WATCH inside MULTI is not allowed\r\n")
        .await;
    client.check("PING", "+QUEUED\r\n").await;
    client.check("EXEC", "*1\r\n+PONG\r\n").await;
}

#[tokio::test]
async fn select_inside_of_a_transaction_counts_for_what_follows() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .send("MULTI\r\nSELECT 5\r\nSET k v\r\nEXEC\r\nGET k\r\nSELECT 0\r\nGET k\r\n")
        .await;
    client
        .expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n$1\r\nv\r\n+OK\r\n$-1\r\n")
        .await;
}

#[tokio::test]
async fn exec_fails_if_a_watched_key_changed() {
    let server = server().await;
    let (mut one, mut two) = (Client::new(&server), Client::new(&server));
    one.check("WATCH a b", "+OK\r\n").await;
    two.check("SET b 1", "+OK\r\n").await;
    one.check("MULTI", "+OK\r\n").await;
    one.check("PING", "+QUEUED\r\n").await;
    one.check("EXEC", "*-1\r\n").await;
    // The watch ended with it.
    two.check("SET b 2", "+OK\r\n").await;
    one.check("MULTI", "+OK\r\n").await;
    one.check("PING", "+QUEUED\r\n").await;
    one.check("EXEC", "*1\r\n+PONG\r\n").await;
    // In RESP3 the null has no type.
    one.call("HELLO 3").await;
    one.check("WATCH a", "+OK\r\n").await;
    one.check("SET a own", "+OK\r\n").await;
    one.check("MULTI", "+OK\r\n").await;
    one.check("EXEC", "_\r\n").await;
}

#[tokio::test]
async fn a_key_of_the_same_name_in_another_database_is_another_key() {
    let server = server().await;
    let (mut one, mut two) = (Client::new(&server), Client::new(&server));
    one.check("WATCH k", "+OK\r\n").await;
    two.check("SELECT 1", "+OK\r\n").await;
    two.check("SET k v", "+OK\r\n").await;
    one.check("MULTI", "+OK\r\n").await;
    one.check("EXEC", "*0\r\n").await;
}

#[tokio::test]
async fn unwatch_discard_and_reset_end_the_watch() {
    let server = server().await;
    let (mut one, mut two) = (Client::new(&server), Client::new(&server));
    for end in ["UNWATCH\r\n", "MULTI\r\nDISCARD\r\n", "RESET\r\n"] {
        one.check("WATCH k", "+OK\r\n").await;
        one.send(end).await;
        for _ in end.lines() {
            one.reply().await;
        }
        two.check("SET k v", "+OK\r\n").await;
        one.check("MULTI", "+OK\r\n").await;
        one.check("EXEC", "*0\r\n").await;
    }
    // And it is forgotten that the key changed while it was watched.
    one.check("WATCH k", "+OK\r\n").await;
    two.check("SET k v", "+OK\r\n").await;
    one.check("UNWATCH", "+OK\r\n").await;
    one.check("MULTI", "+OK\r\n").await;
    one.check("EXEC", "*0\r\n").await;
}

#[tokio::test]
async fn the_states_of_a_transaction_show_in_the_client_list() {
    let server = server().await;
    let (mut one, mut two) = (Client::new(&server), Client::new(&server));
    one.check("WATCH k", "+OK\r\n").await;
    one.check("MULTI", "+OK\r\n").await;
    one.check("PING", "+QUEUED\r\n").await;
    let line = two.call("CLIENT LIST ID 1").await;
    assert!(
        line.contains(" flags=x ") && line.contains(" multi=1 "),
        "{line}"
    );
    two.check("SET k v", "+OK\r\n").await;
    let line = two.call("CLIENT LIST ID 1").await;
    assert!(line.contains(" flags=xd "), "{line}");
}

#[tokio::test]
async fn a_client_pause_holds_exec_back_if_it_writes() {
    let clock = Clock::manual();
    let server = start(Server::builder().clock(clock.clone())).await;
    let (mut writer, mut reader) = (Client::new(&server), Client::new(&server));
    let mut third = Client::new(&server);
    writer.send("MULTI\r\nSET k v\r\n").await;
    writer.expect("+OK\r\n+QUEUED\r\n").await;
    reader.send("MULTI\r\nGET k\r\n").await;
    reader.expect("+OK\r\n+QUEUED\r\n").await;
    third.check("CLIENT PAUSE 1000 WRITE", "+OK\r\n").await;
    writer.send("EXEC\r\n").await;
    reader.check("EXEC", "*1\r\n$-1\r\n").await;
    loop {
        // The request may still be under way.
        let line = third.call("CLIENT LIST ID 1").await;
        if line.contains(" flags=xb ") {
            break;
        }
    }
    third.check("GET k", "$-1\r\n").await;
    clock.advance(Duration::from_millis(1000));
    writer.expect("*1\r\n+OK\r\n").await;
    third.check("GET k", &bulk("v")).await;
}
