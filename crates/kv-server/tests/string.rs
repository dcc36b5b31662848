//! The string commands, over raw bytes.

mod common;

use common::{Client, bulk, server, start};
use kv_server::{Clock, Server};

const SYNTAX: &str = "-ERR syntax error\r\n";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const NULL: &str = "$-1\r\n";
const OK: &str = "+OK\r\n";

async fn client() -> (Server, Client) {
    let server = server().await;
    let client = Client::new(&server);
    (server, client)
}

#[tokio::test]
async fn set_and_get_carry_any_bytes() {
    let (_server, mut client) = client().await;
    for value in [&b""[..], b"\r\n\0\xff", &[b'x'; 100_000]] {
        client.request([&b"SET"[..], b"k\0", value]).await;
        client.expect(OK).await;
        client.request([&b"GET"[..], b"k\0"]).await;
        client
            .expect([format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat())
            .await;
    }
}

#[tokio::test]
async fn set_obeys_nx_and_xx_and_returns_the_old_value_with_get() {
    let (_server, mut client) = client().await;
    client.check("SET k a XX", NULL).await;
    client.check("SET k a NX", OK).await;
    client.check("SET k b nx", NULL).await;
    client.check("GET k", &bulk("a")).await;
    client.check("SET k b XX", OK).await;
    client.check("SET k c GET", &bulk("b")).await;
    client.check("SET k d NX GET", &bulk("c")).await;
    client.check("GET k", &bulk("c")).await;
    client.check("SET new e NX GET", NULL).await;
    client.check("GET new", &bulk("e")).await;
    client.check("SET newer e XX GET", NULL).await;
    client.check("GET newer", NULL).await;
    client.check("SET k f GET GET", &bulk("c")).await;
    client.check("SETNX k x", ":0\r\n").await;
    client.check("SETNX k2 x", ":1\r\n").await;
    client.check("GETSET k g", &bulk("f")).await;
    client.check("GETSET k3 g", NULL).await;
}

#[tokio::test]
async fn set_refuses_options_that_do_not_go_together() {
    let (_server, mut client) = client().await;
    for options in [
        "NX XX",
        "XX NX",
        "EX 1 PX 1",
        "EX 1 KEEPTTL",
        "KEEPTTL EX 1",
        "EXAT 1 PXAT 1",
        "EX",
        "PX",
        "EX 1 PERSIST",
        "FOO",
        "NX FOO",
        "1",
    ] {
        client.check(&format!("SET k v {options}"), SYNTAX).await;
    }
    client.check("GET k", NULL).await;
    client.check("SET k v EX 1 EX 100 NX NX", OK).await;
    client.check("SET k v KEEPTTL KEEPTTL", OK).await;
}

#[tokio::test]
async fn an_expire_time_has_to_be_positive_and_to_fit() {
    let (_server, mut client) = client().await;
    let invalid = |name| format!("-ERR invalid expire time in '{name}' command\r\n");
    for options in [
        "EX 0",
        "EX -1",
        "PX 0",
        "EXAT 0",
        "PXAT -5",
        "EX 9223372036854775807",
        "EX 9223372036854776",
        "PX 9223372036854775807",
        "EXAT 9223372036854775807",
    ] {
        client
            .check(&format!("SET k v {options}"), &invalid("set"))
            .await;
    }
    client.check("SET k v EX abc", NOT_INTEGER).await;
    client.check("SET k v EX 1.5", NOT_INTEGER).await;
    client.check("SETEX k 0 v", &invalid("setex")).await;
    client.check("PSETEX k -1 v", &invalid("psetex")).await;
    client.check("SETEX k x v", NOT_INTEGER).await;
    client.check("GET k", NULL).await;
    // GETEX looks at the key first.
    client.check("GETEX k EX 0", NULL).await;
    client.check("SET k v", OK).await;
    client.check("GETEX k EX 0", &invalid("getex")).await;
    client.check("GETEX k EX x", NOT_INTEGER).await;
    client.check("GETEX k EX 1 PX 1", SYNTAX).await;
    client.check("GETEX k PERSIST EX 1", SYNTAX).await;
    client.check("GETEX k KEEPTTL", SYNTAX).await;
}

#[tokio::test]
async fn strings_expire_by_the_clock() {
    let clock = Clock::manual();
    clock.set(1_000_000);
    let server = start(Server::builder().clock(clock.clone())).await;
    let mut client = Client::new(&server);
    client.check("SETEX a 10 v", OK).await;
    client.check("PSETEX b 10000 v", OK).await;
    client.check("SET c v EX 10", OK).await;
    client.check("SET d v PXAT 1010000", OK).await;
    client.check("SET e v EXAT 1010", OK).await;
    client.check("SET f v", OK).await;
    client.check("GETEX f PX 10000", &bulk("v")).await;
    client.check("SET kept v EX 10", OK).await;
    client.check("SET kept w KEEPTTL", OK).await;
    client.check("INCRBY n 5", ":5\r\n").await;
    client.check("GETEX n EX 10", &bulk("5")).await;
    client.check("INCR n", ":6\r\n").await;
    client.check("APPEND n 7", ":2\r\n").await;
    client.check("SETRANGE n 0 8", ":2\r\n").await;
    client.check("INCRBYFLOAT n 0.5", &bulk("87.5")).await;
    client.check("SET cleared v EX 10", OK).await;
    client.check("SET cleared v", OK).await;
    client.check("SET persistent v EX 10", OK).await;
    client.check("GETEX persistent PERSIST", &bulk("v")).await;
    clock.set(1_010_000);
    client.check("MGET a b c d e f kept n", "*8\r\n$1\r\nv\r\n$1\r\nv\r\n$1\r\nv\r\n$1\r\nv\r\n$1\r\nv\r\n$1\r\nv\r\n$1\r\nw\r\n$4\r\n87.5\r\n").await;
    clock.set(1_010_001);
    client
        .check(
            "MGET a b c d e f kept n",
            &format!("*8\r\n{}", NULL.repeat(8)),
        )
        .await;
    client
        .check("MGET cleared persistent", "*2\r\n$1\r\nv\r\n$1\r\nv\r\n")
        .await;
}

#[tokio::test]
async fn getex_with_a_time_that_is_past_deletes_the_key() {
    let (_server, mut client) = client().await;
    for options in ["EXAT 1", "PXAT 1"] {
        client.check("SET k v", OK).await;
        client
            .check(&format!("GETEX k {options}"), &bulk("v"))
            .await;
        client.check("GET k", NULL).await;
    }
    client.check("SET k v", OK).await;
    client.check("GETDEL k", &bulk("v")).await;
    client.check("GETDEL k", NULL).await;
}

#[tokio::test]
async fn several_strings_are_set_together_or_not_at_all() {
    let (_server, mut client) = client().await;
    client.check("MSET a 1 b 2 a 3", OK).await;
    client
        .check(
            "MGET a b c a",
            "*4\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n",
        )
        .await;
    client.check("MSETNX c 1 b 9", ":0\r\n").await;
    client.check("GET c", NULL).await;
    client.check("MSETNX c 1 d 2 c 3", ":1\r\n").await;
    client.check("GET c", &bulk("3")).await;
    client
        .check(
            "MSET a 1 b",
            "-ERR wrong number of arguments for 'mset' command\r\n",
        )
        .await;
    client
        .check(
            "MSETNX x 1 b",
            "-ERR wrong number of arguments for 'msetnx' command\r\n",
        )
        .await;
    client.check("GET x", NULL).await;
}

#[tokio::test]
async fn counters_stop_at_the_ends_of_64_bits() {
    let (_server, mut client) = client().await;
    let overflow = "-ERR increment or decrement would overflow\r\n";
    client.check("INCR n", ":1\r\n").await;
    client.check("DECRBY n 3", ":-2\r\n").await;
    client.check("DECR n", ":-3\r\n").await;
    client.check("SET n 9223372036854775807", OK).await;
    client.check("INCR n", overflow).await;
    client
        .check("INCRBY n -9223372036854775808", ":-1\r\n")
        .await;
    client
        .check("INCRBY n -9223372036854775808", overflow)
        .await;
    client
        .check(
            "DECRBY n -9223372036854775808",
            "-ERR decrement would overflow\r\n",
        )
        .await;
    client.check("GET n", &bulk("-1")).await;
    for text in [
        "",
        " 1",
        "1 ",
        "+1",
        "01",
        "1.0",
        "9223372036854775808",
        "x",
    ] {
        client.check(&format!("SET n \"{text}\""), OK).await;
        client.check("INCR n", NOT_INTEGER).await;
        client
            .check(&format!("INCRBY m \"{text}\""), NOT_INTEGER)
            .await;
    }
    client.check("GET m", NULL).await;
}

#[tokio::test]
async fn float_counters_show_what_people_expect() {
    let (_server, mut client) = client().await;
    client.check("INCRBYFLOAT f 0.1", &bulk("0.1")).await;
    client.check("INCRBYFLOAT f 0.2", &bulk("0.3")).await;
    client.check("SET f 3.0e3", OK).await;
    client.check("INCRBYFLOAT f 1.5", &bulk("3001.5")).await;
    client.check("INCRBYFLOAT f -3001.5", &bulk("0")).await;
    client
        .check("INCRBYFLOAT f x", "-ERR value is not a valid float\r\n")
        .await;
    client
        .check("INCRBYFLOAT f nan", "-ERR value is not a valid float\r\n")
        .await;
    client
        .check(
            "INCRBYFLOAT f inf",
            "-ERR increment would produce NaN or Infinity\r\n",
        )
        .await;
    client.check("SET f \" 1\"", OK).await;
    client
        .check("INCRBYFLOAT f 1", "-ERR value is not a valid float\r\n")
        .await;
}

#[tokio::test]
async fn strings_grow_by_append_and_setrange() {
    let (_server, mut client) = client().await;
    client.check("APPEND k foo", ":3\r\n").await;
    client.check("APPEND k \"\"", ":3\r\n").await;
    client.check("APPEND k bar", ":6\r\n").await;
    client.check("GET k", &bulk("foobar")).await;
    client.check("STRLEN k", ":6\r\n").await;
    client.check("STRLEN none", ":0\r\n").await;
    client.check("SETRANGE k 3 B", ":6\r\n").await;
    client.check("SETRANGE k 5 rst", ":8\r\n").await;
    client.check("GET k", &bulk("fooBarst")).await;
    client.check("SETRANGE k 9 !", ":10\r\n").await;
    client.check("GET k", &bulk("fooBarst\0!")).await;
    client.check("SETRANGE new 2 x", ":3\r\n").await;
    client.check("GET new", &bulk("\0\0x")).await;
    client.check("SETRANGE k 99 \"\"", ":10\r\n").await;
    client.check("SETRANGE none 99 \"\"", ":0\r\n").await;
    client.check("GET none", NULL).await;
    client
        .check("SETRANGE k -1 x", "-ERR offset is out of range\r\n")
        .await;
    client.check("SETRANGE k x x", NOT_INTEGER).await;
    client.check("GETRANGE new 2 -1", &bulk("x")).await;
    client.check("SUBSTR k 0 2", &bulk("foo")).await;
    client.check("GETRANGE none 0 -1", &bulk("")).await;
    client.check("GETRANGE k 0 x", NOT_INTEGER).await;
}

#[tokio::test]
async fn no_string_outgrows_the_largest_bulk() {
    let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    let (_server, mut client) = client().await;
    client.check("SETRANGE k 536870911 ab", too_long).await;
    client
        .check("SETRANGE k 9223372036854775807 a", too_long)
        .await;
    client.check("GET k", NULL).await;

    let builder = Server::builder()
        .directive("proto-max-bulk-len", &["1mb"])
        .unwrap();
    let server = start(builder).await;
    let mut client = Client::new(&server);
    client.check("SETRANGE k 1048576 a", too_long).await;
    client.check("SETRANGE k 1048575 a", ":1048576\r\n").await;
    client.check("APPEND k b", too_long).await;
    client.check("APPEND k \"\"", ":1048576\r\n").await;
    client.check("GETRANGE k -2 -1", &bulk("\0a")).await;
}

#[tokio::test]
async fn lcs_gives_the_text_its_length_or_its_places() {
    let (_server, mut client) = client().await;
    client.check("MSET a ohmytext b mynewtext", OK).await;
    client.check("LCS a b", &bulk("mytext")).await;
    client.check("LCS a b LEN", ":6\r\n").await;
    client.check("LCS a none", &bulk("")).await;
    let matches = "*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n";
    client
        .check(
            "LCS a b IDX",
            &format!("*4\r\n$7\r\nmatches\r\n{matches}$3\r\nlen\r\n:6\r\n"),
        )
        .await;
    let long = "*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n";
    let with_len = format!("$7\r\nmatches\r\n{long}$3\r\nlen\r\n:6\r\n");
    client
        .check(
            "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
            &format!("*4\r\n{with_len}"),
        )
        .await;
    client
        .check(
            "LCS a b IDX LEN",
            "-ERR If you want both the length and indexes, please just use IDX.\r\n",
        )
        .await;
    client.check("LCS a b MINMATCHLEN", SYNTAX).await;
    client.check("LCS a b MINMATCHLEN x", NOT_INTEGER).await;
    client.call("HELLO 3").await;
    client
        .check(
            "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
            &format!("%2\r\n{with_len}"),
        )
        .await;
}

#[tokio::test]
async fn lcs_refuses_the_same_sizes_as_redis() {
    let (_server, mut client) = client().await;
    client.check("SETRANGE a 11584 x", ":11585\r\n").await;
    client.check("SETRANGE b 11583 x", ":11584\r\n").await;
    client
        .check(
            "LCS a b",
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n",
        )
        .await;
    client.check("SETRANGE c 0 x", ":1\r\n").await;
    client.check("LCS a c", &bulk("x")).await;
}

#[tokio::test]
async fn resp3_has_its_own_null() {
    let (_server, mut client) = client().await;
    client.call("HELLO 3").await;
    client.check("GET k", "_\r\n").await;
    client.check("SET k v XX", "_\r\n").await;
    client.check("MGET k", "*1\r\n_\r\n").await;
}
