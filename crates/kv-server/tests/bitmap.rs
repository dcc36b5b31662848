//! Strings as sequences of bits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Client, server, start};
use kv_server::Server;

#[tokio::test]
async fn a_bit_beyond_the_end_makes_the_string_longer() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("SETBIT k 7 1", ":0\r\n").await;
    client.check("SETBIT k 7 0", ":1\r\n").await;
    client.check("SETBIT k 20 1", ":0\r\n").await;
    client.send("GET k\r\n").await;
    client.expect(b"$3\r\n\0\0\x08\r\n").await;
    client.check("GETBIT k 20", ":1\r\n").await;
    client.check("GETBIT k 4000000000", ":0\r\n").await;
    client.check("OBJECT ENCODING k", "$3\r\nraw\r\n").await;
    for line in [
        "SETBIT k 4294967296 1",
        "GETBIT k 4294967296",
        "SETBIT k -1 1",
        "BITFIELD k GET u8 #536870912",
        "BITFIELD k GET u8 #9223372036854775807",
    ] {
        let error = "-ERR bit offset is not an integer or out of range\r\n";
        client.check(line, error).await;
    }
    client.check("STRLEN k", ":3\r\n").await;
}

#[tokio::test]
async fn offsets_end_with_the_longest_string_that_is_allowed() {
    let limit = Server::builder().directive("proto-max-bulk-len", &["1mb"]);
    let server = start(limit.unwrap()).await;
    let mut client = Client::new(&server);
    client.check("SETBIT k 8388607 1", ":0\r\n").await;
    client.check("STRLEN k", ":1048576\r\n").await;
    client
        .check(
            "SETBIT k 8388608 1",
            "-ERR bit offset is not an integer or out of range\r\n",
        )
        .await;
}

#[tokio::test]
async fn a_range_may_be_in_bytes_or_in_bits() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("SET k foobar", "+OK\r\n").await;
    for (line, reply) in [
        ("BITCOUNT k", ":26\r\n"),
        ("BITCOUNT k 1 1", ":6\r\n"),
        ("BITCOUNT k 5 30 BIT", ":17\r\n"),
        ("BITCOUNT k 5 -1 bit", ":24\r\n"),
        ("BITCOUNT none 1", ":0\r\n"),
        ("BITCOUNT k 1", "-ERR syntax error\r\n"),
        ("BITCOUNT k 0 1 hello", "-ERR syntax error\r\n"),
        ("BITPOS k 1", ":1\r\n"),
        ("BITPOS k 0 2 -1 BIT", ":3\r\n"),
        ("BITPOS none 0", ":0\r\n"),
        ("BITPOS none 1", ":-1\r\n"),
        ("BITPOS k 2", "-ERR The bit argument must be 1 or 0.\r\n"),
    ] {
        client.check(line, reply).await;
    }
}

#[tokio::test]
async fn a_clear_bit_is_behind_the_string_unless_an_end_is_given() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check(r#"SET ones "\xff\xff\xff""#, "+OK\r\n").await;
    client.check("BITPOS ones 0", ":24\r\n").await;
    client.check("BITPOS ones 0 1", ":24\r\n").await;
    client.check("BITPOS ones 0 0 -1", ":-1\r\n").await;
    client.check("BITPOS ones 0 3", ":-1\r\n").await;
    client.check("BITPOS ones 0 9 -1 BIT", ":-1\r\n").await;
}

#[tokio::test]
async fn bitop_takes_missing_keys_for_zeros_and_removes_an_empty_result() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("SET a abc", "+OK\r\n").await;
    client.check("SET b 1", "+OK\r\n").await;
    client.check("BITOP OR to a b none", ":3\r\n").await;
    client.check("GET to", "$3\r\nqbc\r\n").await;
    client.check("BITOP AND to a none", ":3\r\n").await;
    client.check("BITCOUNT to", ":0\r\n").await;
    client
        .check(
            "BITOP NOT to a b",
            "-ERR BITOP NOT must be called with a single source key.\r\n",
        )
        .await;
    client.check("BITOP NOT to none", ":0\r\n").await;
    client.check("EXISTS to", ":0\r\n").await;
    client.check("LPUSH list x", ":1\r\n").await;
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    client.check("BITOP OR to a list", wrong).await;
    client.check("SETBIT list 0 1", wrong).await;
    client.check("BITFIELD list GET u8 0", wrong).await;
}

#[tokio::test]
async fn bitfield_runs_its_subcommands_in_order() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check(
            "BITFIELD k SET u8 #0 255 GET u8 0 INCRBY u8 0 10 OVERFLOW SAT INCRBY u8 0 1000 OVERFLOW FAIL INCRBY u8 0 1",
            "*5\r\n:0\r\n:255\r\n:9\r\n:255\r\n$-1\r\n",
        )
        .await;
    client
        .check("BITFIELD_RO k GET i8 0 GET u4 4", "*2\r\n:-1\r\n:15\r\n")
        .await;
    client.check("BITFIELD k", "*0\r\n").await;
    client
        .check(
            "BITFIELD_RO k SET u8 0 1",
            "-ERR BITFIELD_RO only supports the GET subcommand\r\n",
        )
        .await;
    client
        .check("BITFIELD k SET u8 0 1 GET u64 0", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n")
        .await;
    client.check("BITFIELD k GET u8 0", "*1\r\n:255\r\n").await;
}

#[tokio::test]
async fn what_changes_no_bit_is_no_change() {
    let server = server().await;
    let mut client = Client::new(&server);
    let mut other = Client::new(&server);
    client.check("SETBIT k 9 1", ":0\r\n").await;
    client.check("WATCH k", "+OK\r\n").await;
    other.check("SETBIT k 9 1", ":1\r\n").await;
    other.check("BITFIELD k SET u1 9 1", "*1\r\n:1\r\n").await;
    client.check("MULTI", "+OK\r\n").await;
    client.check("EXEC", "*0\r\n").await;
}
