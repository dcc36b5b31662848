//! The list commands that wait.

mod common;

use common::{Client, bulk, bulks, noting_effects, server, start, waiting};
use kv_server::Server;

#[tokio::test]
async fn blpop_takes_what_is_there_without_waiting() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("RPUSH b 1 2 3 4", ":4\r\n").await;
    client.check("BLPOP a b 0", &bulks(&["b", "1"])).await;
    client.check("BRPOP a b 0", &bulks(&["b", "4"])).await;
    client.check("BRPOPLPUSH b c 0", &bulk("3")).await;
    client.check("BLMOVE b c LEFT RIGHT 0", &bulk("2")).await;
    let both = format!("*2\r\n{}{}", bulk("c"), bulks(&["3", "2"]));
    client.check("BLMPOP 0 2 b c LEFT COUNT 5", &both).await;
    client.check("EXISTS b c", ":0\r\n").await;
}

#[tokio::test]
async fn one_push_serves_as_many_as_it_has_elements_for_in_order_of_arrival() {
    let server = server().await;
    let mut first = waiting(&server, "BLPOP k 0").await;
    let mut second = waiting(&server, "BRPOP k 0").await;
    let mut third = waiting(&server, "BLPOP k 0").await;
    let mut pusher = Client::new(&server);
    pusher.check("RPUSH k a b c", ":3\r\n").await;
    first.expect(bulks(&["k", "a"])).await;
    second.expect(bulks(&["k", "c"])).await;
    third.expect(bulks(&["k", "b"])).await;
    pusher.check("EXISTS k", ":0\r\n").await;
}

#[tokio::test]
async fn a_chain_of_moves_passes_an_element_on() {
    let server = server().await;
    let mut last = waiting(&server, "BLPOP c 0").await;
    let mut middle = waiting(&server, "BLMOVE b c LEFT RIGHT 0").await;
    let mut first = waiting(&server, "BRPOPLPUSH a b 0").await;
    let mut pusher = Client::new(&server);
    pusher.check("LPUSH a x", ":1\r\n").await;
    first.expect(bulk("x")).await;
    middle.expect(bulk("x")).await;
    last.expect(bulks(&["c", "x"])).await;
    pusher.check("EXISTS a b c", ":0\r\n").await;
}

#[tokio::test]
async fn a_key_of_another_type_does_not_end_a_wait() {
    let server = server().await;
    let mut waiter = waiting(&server, "BLPOP k 0").await;
    let mut client = Client::new(&server);
    client.check("SET k x", "+OK\r\n").await;
    client.check("DEL k", ":1\r\n").await;
    client.check("SADD k x", ":1\r\n").await;
    client.check("DEL k", ":1\r\n").await;
    client.check("RPUSH k y", ":1\r\n").await;
    waiter.expect(bulks(&["k", "y"])).await;
}

#[tokio::test]
async fn a_move_to_a_key_of_another_type_fails_when_it_is_served_and_leaves_the_element() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("SET s x", "+OK\r\n").await;
    let mut waiter = waiting(&server, "BLMOVE k s LEFT LEFT 0").await;
    client.check("RPUSH k y", ":1\r\n").await;
    waiter
        .expect("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n")
        .await;
    client.check("LRANGE k 0 -1", &bulks(&["y"])).await;
}

#[tokio::test]
async fn keys_that_come_by_rename_copy_or_swapdb_end_a_wait() {
    let server = server().await;
    let mut client = Client::new(&server);
    for (prepare, bring) in [
        ("RPUSH other x", "RENAME other k"),
        ("RPUSH other x", "COPY other k"),
        ("RPUSH k x", "SWAPDB 0 9"),
    ] {
        let db = if bring.starts_with("SWAP") { 9 } else { 0 };
        let mut waiter = waiting(&server, "BLPOP k 0").await;
        client.check(&format!("SELECT {db}"), "+OK\r\n").await;
        client.check(prepare, ":1\r\n").await;
        let reply = client.call(bring).await;
        assert!(!reply.starts_with('-'), "{bring}: {reply}");
        waiter.expect(bulks(&["k", "x"])).await;
        client.check("SELECT 0", "+OK\r\n").await;
        client
            .check(
                "DEL other",
                if bring.starts_with("COPY") {
                    ":1\r\n"
                } else {
                    ":0\r\n"
                },
            )
            .await;
    }
}

#[tokio::test]
async fn an_element_that_is_gone_before_the_transaction_ends_serves_nobody() {
    let server = server().await;
    let mut waiter = waiting(&server, "BLPOP k 0").await;
    let mut client = Client::new(&server);
    for line in ["MULTI", "LPUSH k a", "DEL k", "EXEC", "LPUSH k b"] {
        client.call(line).await;
    }
    waiter.expect(bulks(&["k", "b"])).await;
}

#[tokio::test]
async fn timeouts_are_checked() {
    let server = server().await;
    let mut client = Client::new(&server);
    for (timeout, error) in [
        ("x", "ERR timeout is not a float or out of range"),
        ("nan", "ERR timeout is not a float or out of range"),
        ("-1", "ERR timeout is negative"),
        ("-0.01", "ERR timeout is negative"),
        ("9223372036854775807", "ERR timeout is out of range"),
        ("0x7FFFFFFFFFFFFF", "ERR timeout is out of range"),
        ("1e300", "ERR timeout is out of range"),
    ] {
        for line in [
            format!("BLPOP k {timeout}"),
            format!("BLMPOP {timeout} 1 k LEFT"),
            format!("BLMOVE k k LEFT LEFT {timeout}"),
            format!("BRPOPLPUSH k k {timeout}"),
        ] {
            client.check(&line, &format!("-{error}\r\n")).await;
        }
    }
}

#[tokio::test]
async fn inside_of_a_transaction_nothing_waits() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.call("MULTI").await;
    for line in ["BLPOP k 0", "BLMOVE k k LEFT LEFT 0", "BLMPOP 0 1 k LEFT"] {
        client.check(line, "+QUEUED\r\n").await;
    }
    client.check("EXEC", "*3\r\n*-1\r\n$-1\r\n*-1\r\n").await;
}

#[tokio::test]
async fn effects_are_commands_that_do_not_wait_and_name_what_was_chosen() {
    let (builder, seen) = noting_effects(Server::builder());
    let server = start(builder).await;
    let mut waiter = waiting(&server, "BLMOVE a b LEFT RIGHT 0").await;
    let mut client = Client::new(&server);
    client.check("RPUSH a 1", ":1\r\n").await;
    waiter.expect(bulk("1")).await;
    for line in [
        "BLPOP b 0",
        "SADD s only",
        "SPOP s",
        "SADD s x",
        "SPOP s 5",
        "RPUSH l 1 2",
        "LMPOP 2 none l RIGHT COUNT 2",
        "HINCRBYFLOAT h f 0.5",
        "LPOP none",
        "SREM none x",
    ] {
        let reply = client.call(line).await;
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    let expected = [
        "RPUSH a 1",
        "LMOVE a b LEFT RIGHT",
        "LPOP b",
        "SADD s only",
        "SREM s only",
        "SADD s x",
        "DEL s",
        "RPUSH l 1 2",
        "RPOP l 2",
        "HSET h f 0.5",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}
