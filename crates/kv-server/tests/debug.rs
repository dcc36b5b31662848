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

async fn debugging(builder: kv_server::Builder) -> (Server, Client) {
    let builder = builder.directive("enable-debug-command", &["yes"]);
    let server = start(builder.unwrap()).await;
    let client = Client::new(&server);
    (server, client)
}

#[tokio::test]
async fn reload_may_add_to_the_data() {
    let file = std::env::temp_dir().join(format!("kv-debug-merge-{}.rdb", std::process::id()));
    let (_server, mut client) = debugging(Server::builder().snapshot(&file)).await;
    client.check("MSET a 1 b 2", "+OK\r\n").await;
    client.check("SAVE", "+OK\r\n").await;
    client.check("MSET a changed c 3", "+OK\r\n").await;
    let reply = client.call("DEBUG RELOAD NOSAVE NOFLUSH").await;
    assert!(reply.contains("is there already"), "{reply}");
    client.check("GET a", &bulk("changed")).await;
    client
        .check("DEBUG RELOAD NOSAVE NOFLUSH MERGE", "+OK\r\n")
        .await;
    client
        .check("MGET a b c", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n")
        .await;
    client
        .check(
            "DEBUG RELOAD NOW",
            "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.\r\n",
        )
        .await;
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn after_a_sleep_the_time_is_a_later_one() {
    let (_server, mut client) = debugging(Server::builder()).await;
    client
        .send("SET k v PX 20\r\nDEBUG SLEEP 0.03\r\nGET k\r\n")
        .await;
    client.expect("+OK\r\n+OK\r\n$-1\r\n").await;
}

#[tokio::test]
async fn object_shows_where_and_how_a_value_is_stored() {
    let builder = Server::builder().clock(Clock::manual());
    let (_server, mut client) = debugging(builder).await;
    client.check("SET k 20000", "+OK\r\n").await;
    let before = client.call("DEBUG OBJECT k").await;
    assert!(before.starts_with("+Value at:0x"), "{before}");
    assert!(
        before.contains(" encoding:int serializedlength:3 "),
        "{before}"
    );
    client.check("INCR k", ":20001\r\n").await;
    assert_eq!(
        client.call("DEBUG OBJECT k").await,
        before,
        "changed in place"
    );
    client
        .check("DEBUG OBJECT none", "-ERR no such key\r\n")
        .await;
    client
        .check("CONFIG SET list-max-listpack-size 2", "+OK\r\n")
        .await;
    client.check("RPUSH l a b c", ":3\r\n").await;
    let list = client.call("DEBUG OBJECT l").await;
    assert!(list.contains(" encoding:quicklist "), "{list}");
    assert!(
        list.contains(" ql_nodes:2 ql_avg_node:1.50 ql_listpack_max:2 "),
        "{list}"
    );
}

#[tokio::test]
async fn long_elements_may_be_given_nodes_of_their_own() {
    let (_server, mut client) = debugging(Server::builder()).await;
    client
        .check("CONFIG SET list-max-listpack-size 3", "+OK\r\n")
        .await;
    client
        .check("DEBUG QUICKLIST-PACKED-THRESHOLD 5b", "+OK\r\n")
        .await;
    client.check("RPUSH l a long1 long2 b c", ":5\r\n").await;
    let list = client.call("DEBUG OBJECT l").await;
    assert!(list.contains(" ql_nodes:4 "), "{list}");
    client
        .check("DEBUG QUICKLIST-PACKED-THRESHOLD 0", "+OK\r\n")
        .await;
    client.check("RPUSH m a long1 long2 b c", ":5\r\n").await;
    let list = client.call("DEBUG OBJECT m").await;
    assert!(list.contains(" ql_nodes:2 "), "{list}");
    let reply = client.call("DEBUG QUICKLIST-PACKED-THRESHOLD 5gb").await;
    assert_eq!(
        reply,
        "-ERR argument must be a memory value bigger than 1 and smaller than 4gb\r\n"
    );
}

#[tokio::test]
async fn protocol_shows_every_type() {
    let (_server, mut client) = debugging(Server::builder()).await;
    client
        .check(
            "DEBUG PROTOCOL attrib",
            &bulk("Some real reply following the attribute"),
        )
        .await;
    client
        .check(
            "DEBUG PROTOCOL push",
            "-ERR RESP2 is not supported by this command\r\n",
        )
        .await;
    client.call("HELLO 3").await;
    for (kind, reply) in [
        ("string", "$11\r\nHello World\r\n"),
        ("integer", ":12345\r\n"),
        ("double", ",3.141\r\n"),
        ("bignum", "(1234567999999999999999999999999999999\r\n"),
        ("null", "_\r\n"),
        ("array", "*3\r\n:0\r\n:1\r\n:2\r\n"),
        ("set", "~3\r\n:0\r\n:1\r\n:2\r\n"),
        ("map", "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
        (
            "attrib",
            "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n$39\r\nSome real reply following the attribute\r\n",
        ),
        (
            "push",
            ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n",
        ),
        ("verbatim", "=29\r\ntxt:This is a verbatim\nstring\r\n"),
        ("true", "#t\r\n"),
        ("FALSE", "#f\r\n"),
    ] {
        client.send(format!("DEBUG PROTOCOL {kind}\r\n")).await;
        client.expect(reply).await;
    }
    let reply = client.call("DEBUG PROTOCOL nothing").await;
    assert!(
        reply.starts_with("-ERR Wrong protocol type name."),
        "{reply}"
    );
}

#[tokio::test]
async fn populate_adds_keys_that_are_not_there() {
    let (_server, mut client) = debugging(Server::builder()).await;
    client.check("SET key:1 mine", "+OK\r\n").await;
    client.check("DEBUG POPULATE 3", "+OK\r\n").await;
    client
        .check(
            "MGET key:0 key:1 key:2",
            "*3\r\n$7\r\nvalue:0\r\n$4\r\nmine\r\n$7\r\nvalue:2\r\n",
        )
        .await;
    client.check("DEBUG POPULATE 1 x 1000", "+OK\r\n").await;
    client.check("STRLEN x:0", ":1000\r\n").await;
    client.check("DBSIZE", ":4\r\n").await;
    let stats = client.call("DEBUG HTSTATS 0 full").await;
    assert!(stats.contains("\n number of elements: 4\n"), "{stats}");
    client
        .check("DEBUG HTSTATS 16", "-ERR Out of range database\r\n")
        .await;
    client
        .check("CONFIG SET set-max-listpack-entries 0", "+OK\r\n")
        .await;
    client.check("SADD s a", ":1\r\n").await;
    let stats = client.call("DEBUG HTSTATS-KEY s").await;
    assert!(stats.contains(" number of elements: 1\n"), "{stats}");
    let reply = client.call("DEBUG HTSTATS-KEY x:0").await;
    assert!(
        reply.contains("not represented using an hash table"),
        "{reply}"
    );
}

#[tokio::test]
async fn a_paused_cron_expires_nothing_by_itself() {
    let clock = Clock::manual();
    let (_server, mut client) = debugging(Server::builder().clock(clock.clone())).await;
    client.check("DEBUG PAUSE-CRON 1", "+OK\r\n").await;
    client.check("SET k v PX 10", "+OK\r\n").await;
    clock.advance(Duration::from_secs(10));
    client.check("DBSIZE", ":1\r\n").await;
    client.check("DEBUG PAUSE-CRON 0", "+OK\r\n").await;
    while client.call("DBSIZE").await != ":0\r\n" {}
}

#[tokio::test]
async fn the_replication_id_changes_when_it_is_asked_to() {
    let (_server, mut client) = debugging(Server::builder()).await;
    let id = async |client: &mut Client| {
        let info = client.call("INFO replication").await;
        info.lines()
            .find(|line| line.starts_with("master_replid:"))
            .unwrap()
            .to_owned()
    };
    let before = id(&mut client).await;
    assert_eq!(before.len(), "master_replid:".len() + 40);
    client.check("DEBUG CHANGE-REPL-ID", "+OK\r\n").await;
    assert_ne!(id(&mut client).await, before);
}

#[tokio::test]
async fn an_unknown_subcommand_or_a_word_too_many_is_an_error() {
    let (_server, mut client) = debugging(Server::builder()).await;
    for line in [
        "DEBUG NOTHING",
        "DEBUG OBJECT",
        "DEBUG DIGEST x",
        "DEBUG SLEEP 0 1",
    ] {
        let reply = client.call(line).await;
        assert!(
            reply.starts_with("-ERR unknown subcommand or wrong number of arguments for '"),
            "{line}: {reply}"
        );
    }
    client
        .check("DEBUG ERROR 'MINE is mine'", "-MINE is mine\r\n")
        .await;
    client
        .check(
            "DEBUG LOADAOF",
            "-ERR there is no append-only file to load\r\n",
        )
        .await;
    assert!(client.call("DEBUG HELP").await.contains("PAUSE-CRON <0|1>"));
}
