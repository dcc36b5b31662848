//! The hash commands, over raw bytes.

mod common;

use std::collections::BTreeMap;

use common::{Client, bulk, bulks, server};
use kv_server::Server;

const NULL: &str = "$-1\r\n";
const OK: &str = "+OK\r\n";
const EMPTY: &str = "*0\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

async fn client() -> (Server, Client) {
    let server = server().await;
    let client = Client::new(&server);
    (server, client)
}

#[tokio::test]
async fn fields_are_set_read_and_removed() {
    let (_server, mut client) = client().await;
    client.check("HSET k a 1 b two", ":2\r\n").await;
    client.check("HSET k a 3 c 4 c 5", ":1\r\n").await;
    client.check("HMSET k b 2", OK).await;
    client
        .check("HGETALL k", &bulks(&["a", "3", "b", "2", "c", "5"]))
        .await;
    client.check("HKEYS k", &bulks(&["a", "b", "c"])).await;
    client.check("HVALS k", &bulks(&["3", "2", "5"])).await;
    client.check("HGET k a", &bulk("3")).await;
    client.check("HGET k x", NULL).await;
    client
        .check("HMGET k c x", &format!("*2\r\n{}{NULL}", bulk("5")))
        .await;
    client.check("HMGET none c x", "*2\r\n$-1\r\n$-1\r\n").await;
    client.check("HLEN k", ":3\r\n").await;
    client.check("HEXISTS k a", ":1\r\n").await;
    client.check("HSTRLEN k a", ":1\r\n").await;
    client.check("HSTRLEN k x", ":0\r\n").await;
    client.check("HSETNX k a 9", ":0\r\n").await;
    client.check("HSETNX k d 9", ":1\r\n").await;
    client.check("HDEL k a x", ":1\r\n").await;
    client.check("HDEL k b c d", ":3\r\n").await;
    client.check("EXISTS k", ":0\r\n").await;
    for name in ["hset", "hmset"] {
        let arity = format!("-ERR wrong number of arguments for '{name}' command\r\n");
        client.check(&format!("{name} k a 1 b"), &arity).await;
    }
    client.check("HGETALL k", EMPTY).await;
}

#[tokio::test]
async fn fields_count() {
    let (_server, mut client) = client().await;
    client.check("HINCRBY k f 5", ":5\r\n").await;
    client.check("HINCRBY k f -7", ":-2\r\n").await;
    client.check("HINCRBYFLOAT k f 0.1", &bulk("-1.9")).await;
    client.check("HINCRBYFLOAT k g 3.0e3", &bulk("3000")).await;
    client
        .check("HSET k t text m 9223372036854775807", ":2\r\n")
        .await;
    for (line, error) in [
        ("HINCRBY k t 1", "hash value is not an integer"),
        ("HINCRBY k f 1", "hash value is not an integer"),
        ("HINCRBY k m 1", "increment or decrement would overflow"),
        ("HINCRBY k m x", "value is not an integer or out of range"),
        ("HINCRBYFLOAT k t 1", "hash value is not a float"),
        ("HINCRBYFLOAT k m x", "value is not a valid float"),
        ("HINCRBYFLOAT k m inf", "value is NaN or Infinity"),
    ] {
        client.check(line, &format!("-ERR {error}\r\n")).await;
    }
}

#[tokio::test]
async fn a_hash_takes_the_form_that_the_limits_ask_for() {
    let (_server, mut client) = client().await;
    client
        .check("CONFIG SET hash-max-listpack-entries 2", OK)
        .await;
    client
        .check("CONFIG SET hash-max-ziplist-value 4", OK)
        .await;
    client
        .check(
            "CONFIG GET hash-max-listpack-value",
            &bulks(&["hash-max-listpack-value", "4"]),
        )
        .await;
    for (pairs, encoding) in [
        ("a 1 b 2", "listpack"),
        ("a 1 b 2 a 3", "hashtable"),
        ("a 1 b 2 c 3", "hashtable"),
        ("a 12345", "hashtable"),
        ("abcde 1", "hashtable"),
    ] {
        client.call("DEL k").await;
        client.call(&format!("HSET k {pairs}")).await;
        client.check("OBJECT ENCODING k", &bulk(encoding)).await;
    }
}

#[tokio::test]
async fn random_fields_come_with_their_values() {
    let (_server, mut client) = client().await;
    for count in [50, 500] {
        let pairs: Vec<_> = (0..count).map(|n| format!("f{n} v{n}")).collect();
        client.call(&format!("HSET k {}", pairs.join(" "))).await;
        for wanted in [3, count - 1, count] {
            let reply = client
                .call(&format!("HRANDFIELD k {wanted} WITHVALUES"))
                .await;
            let words: Vec<_> = reply.split("\r\n").skip(2).step_by(2).collect();
            let chosen: BTreeMap<_, _> = words
                .chunks_exact(2)
                .map(|pair| (pair[0], pair[1]))
                .collect();
            assert_eq!(chosen.len(), wanted, "they differ");
            for (field, value) in chosen {
                assert_eq!(field[1..], value[1..]);
            }
        }
        let repeated = client.call("HRANDFIELD k -1000").await;
        assert!(repeated.starts_with("*1000\r\n$"));
        let field = client.call("HRANDFIELD k").await;
        assert!(field.contains("\r\nf"), "{field}");
    }
    client.check("HRANDFIELD none", NULL).await;
    client.check("HRANDFIELD none 1", EMPTY).await;
    client.check("HRANDFIELD k 1 VALUES", SYNTAX).await;
    client
        .check(
            "HRANDFIELD k 9223372036854775807 WITHVALUES",
            "-ERR value is out of range\r\n",
        )
        .await;
}

#[tokio::test]
async fn hscan_returns_fields_with_their_values() {
    let (_server, mut client) = client().await;
    client.check("HSET k a 1 b 2", ":2\r\n").await;
    let all = format!("*2\r\n{}{}", bulk("0"), bulks(&["a", "1", "b", "2"]));
    client.check("HSCAN k 0", &all).await;
    let one = format!("*2\r\n{}{}", bulk("0"), bulks(&["b", "2"]));
    client.check("HSCAN k 0 MATCH b COUNT 1", &one).await;
}

#[tokio::test]
async fn replies_have_their_resp3_shapes() {
    let (_server, mut client) = client().await;
    client.call("HELLO 3").await;
    client.check("HGETALL k", "%0\r\n").await;
    client.check("HSET k a 1", ":1\r\n").await;
    client
        .check("HGETALL k", "%1\r\n$1\r\na\r\n$1\r\n1\r\n")
        .await;
    client.check("HKEYS k", "*1\r\n$1\r\na\r\n").await;
    client
        .check(
            "HRANDFIELD k 1 WITHVALUES",
            "*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
        )
        .await;
    client.check("HGET k x", "_\r\n").await;
}

#[tokio::test]
async fn other_types_are_refused_and_nothing_is_made() {
    let (_server, mut client) = client().await;
    client.check("SET s x", OK).await;
    for line in [
        "HSET s a 1",
        "HGET s a",
        "HMGET s a",
        "HGETALL s",
        "HINCRBY s a 1",
        "HINCRBYFLOAT s a 1",
        "HDEL s a",
        "HSCAN s 0",
        "HRANDFIELD s 1",
        "HSETNX s a 1",
    ] {
        client.check(line, WRONG_TYPE).await;
    }
    client
        .check(
            "HINCRBY none f x",
            "-ERR value is not an integer or out of range\r\n",
        )
        .await;
    client.check("EXISTS none", ":0\r\n").await;
}
