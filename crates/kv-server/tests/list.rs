//! The list commands, over raw bytes.

mod common;

use common::{Client, bulk, bulks, server};
use kv_server::Server;

const NULL: &str = "$-1\r\n";
const NULL_ARRAY: &str = "*-1\r\n";
const OK: &str = "+OK\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const POSITIVE: &str = "-ERR value is out of range, must be positive\r\n";

async fn client() -> (Server, Client) {
    let server = server().await;
    let client = Client::new(&server);
    (server, client)
}

#[tokio::test]
async fn elements_are_pushed_and_popped_at_both_ends() {
    let (_server, mut client) = client().await;
    client.check("LPUSHX k a", ":0\r\n").await;
    client.check("RPUSH k b c", ":2\r\n").await;
    client.check("LPUSH k a 1", ":4\r\n").await;
    client.check("RPUSHX k d", ":5\r\n").await;
    client
        .check("LRANGE k 0 -1", &bulks(&["1", "a", "b", "c", "d"]))
        .await;
    client.check("LPOP k", &bulk("1")).await;
    client.check("RPOP k 2", &bulks(&["d", "c"])).await;
    client.check("LPOP k 0", "*0\r\n").await;
    client.check("LPOP k 9", &bulks(&["a", "b"])).await;
    client.check("EXISTS k", ":0\r\n").await;
    client.check("LPOP k", NULL).await;
    client.check("LPOP k 1", NULL_ARRAY).await;
    client.check("LPOP k -1", POSITIVE).await;
    client.check("RPOP k x", POSITIVE).await;
    let arity = "-ERR wrong number of arguments for 'rpop' command\r\n";
    client.check("RPOP k 1 2", arity).await;
}

#[tokio::test]
async fn elements_are_found_by_number_from_both_ends() {
    let (_server, mut client) = client().await;
    client.check("RPUSH k a b c", ":3\r\n").await;
    for (index, reply) in [("0", "a"), ("2", "c"), ("-1", "c"), ("-3", "a")] {
        client
            .check(&format!("LINDEX k {index}"), &bulk(reply))
            .await;
    }
    for index in ["3", "-4", "9223372036854775807", "-9223372036854775808"] {
        client.check(&format!("LINDEX k {index}"), NULL).await;
        let outside = "-ERR index out of range\r\n";
        client.check(&format!("LSET k {index} x"), outside).await;
    }
    client.check("LSET k -1 z", OK).await;
    client.check("LRANGE k 1 100", &bulks(&["b", "z"])).await;
    client.check("LRANGE k 2 1", "*0\r\n").await;
    client.check("LLEN k", ":3\r\n").await;
    client.check("LSET none 0 x", "-ERR no such key\r\n").await;
    client.check("LINDEX none x", NULL).await;
    let not_integer = "-ERR value is not an integer or out of range\r\n";
    client.check("LINDEX k x", not_integer).await;
}

#[tokio::test]
async fn elements_are_inserted_and_removed_by_their_text() {
    let (_server, mut client) = client().await;
    client.check("LINSERT k BEFORE a b", ":0\r\n").await;
    client.check("RPUSH k a b a c a", ":5\r\n").await;
    client.check("LINSERT k before b x", ":6\r\n").await;
    client.check("LINSERT k AFTER c y", ":7\r\n").await;
    client.check("LINSERT k AFTER z y", ":-1\r\n").await;
    client.check("LINSERT k x a y", SYNTAX).await;
    client.check("LREM k -1 a", ":1\r\n").await;
    client
        .check("LRANGE k 0 -1", &bulks(&["a", "x", "b", "a", "c", "y"]))
        .await;
    client.check("LREM k 0 a", ":2\r\n").await;
    client.check("LREM k 1 none", ":0\r\n").await;
    client.check("LTRIM k 1 2", OK).await;
    client.check("LRANGE k 0 -1", &bulks(&["b", "c"])).await;
    client.check("LTRIM k 5 2", OK).await;
    client.check("EXISTS k", ":0\r\n").await;
}

#[tokio::test]
async fn lpos_looks_from_either_end_for_the_rank_it_is_told() {
    let (_server, mut client) = client().await;
    client.check("RPUSH k a b c 1 2 3 c c", ":8\r\n").await;
    for (options, reply) in [
        ("", ":2\r\n"),
        ("RANK -1", ":7\r\n"),
        ("RANK 2", ":6\r\n"),
        ("RANK 4", NULL),
        ("COUNT 0", "*3\r\n:2\r\n:6\r\n:7\r\n"),
        ("COUNT 2 RANK -1", "*2\r\n:7\r\n:6\r\n"),
        ("COUNT 0 MAXLEN 3", "*1\r\n:2\r\n"),
        ("COUNT 0 MAXLEN 2 RANK -1", "*2\r\n:7\r\n:6\r\n"),
        ("MAXLEN 2", NULL),
        ("RANK", SYNTAX),
        ("COUNT -1", "-ERR COUNT can't be negative\r\n"),
        ("MAXLEN -1", "-ERR MAXLEN can't be negative\r\n"),
        (
            "RANK 0",
            "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list\r\n",
        ),
    ] {
        client.check(&format!("LPOS k c {options}"), reply).await;
    }
    client.check("LPOS none c", NULL).await;
    client.check("LPOS none c COUNT 1", "*0\r\n").await;
}

#[tokio::test]
async fn an_element_moves_from_list_to_list_or_within_one() {
    let (_server, mut client) = client().await;
    client.check("RPUSH a 1 2 3", ":3\r\n").await;
    client.check("LMOVE a b LEFT RIGHT", &bulk("1")).await;
    client.check("RPOPLPUSH a b", &bulk("3")).await;
    client.check("LRANGE b 0 -1", &bulks(&["3", "1"])).await;
    client.check("LMOVE b b LEFT RIGHT", &bulk("3")).await;
    client.check("LRANGE b 0 -1", &bulks(&["1", "3"])).await;
    client.check("RPOPLPUSH a a", &bulk("2")).await;
    client.check("SET s x", OK).await;
    client.check("LMOVE a s LEFT LEFT", WRONG_TYPE).await;
    client.check("LMOVE none s LEFT LEFT", NULL).await;
    client.check("LLEN a", ":1\r\n").await;
    client.check("LMOVE a b LEFT UP", SYNTAX).await;
    client.check("RPOPLPUSH a b", &bulk("2")).await;
    client.check("EXISTS a", ":0\r\n").await;
}

#[tokio::test]
async fn lmpop_takes_from_the_first_list_that_has_elements() {
    let (_server, mut client) = client().await;
    client.check("RPUSH b 1 2 3", ":3\r\n").await;
    let one = format!("*2\r\n{}{}", bulk("b"), bulks(&["1"]));
    client.check("LMPOP 2 a b LEFT", &one).await;
    let rest = format!("*2\r\n{}{}", bulk("b"), bulks(&["3", "2"]));
    client.check("LMPOP 2 a b RIGHT COUNT 10", &rest).await;
    client.check("LMPOP 2 a b RIGHT COUNT 10", NULL_ARRAY).await;
    let few = "-ERR numkeys should be greater than 0\r\n";
    client.check("LMPOP 0 a LEFT", few).await;
    let none = "-ERR count should be greater than 0\r\n";
    client.check("LMPOP 1 a LEFT COUNT 0", none).await;
    client.check("LMPOP 2 a LEFT", SYNTAX).await;
    client.check("LMPOP 1 a LEFT COUNT 1 COUNT 1", SYNTAX).await;
}

#[tokio::test]
async fn a_list_changes_its_encoding_with_its_size() {
    let (_server, mut client) = client().await;
    client
        .check("CONFIG SET list-max-listpack-size 3", OK)
        .await;
    client.check("RPUSH k a b c", ":3\r\n").await;
    client.check("OBJECT ENCODING k", &bulk("listpack")).await;
    client.check("RPUSH k d", ":4\r\n").await;
    client.check("OBJECT ENCODING k", &bulk("quicklist")).await;
    client
        .check("LRANGE k 0 -1", &bulks(&["a", "b", "c", "d"]))
        .await;
    client.check("LPOP k 3", &bulks(&["a", "b", "c"])).await;
    client.check("OBJECT ENCODING k", &bulk("listpack")).await;
}

#[tokio::test]
async fn other_types_are_refused_by_every_command() {
    let (_server, mut client) = client().await;
    client.check("SET s x", OK).await;
    for line in [
        "LPUSH s a",
        "RPUSHX s a",
        "LPOP s",
        "RPOP s 1",
        "LLEN s",
        "LINDEX s 0",
        "LSET s 0 a",
        "LRANGE s 0 -1",
        "LTRIM s 0 -1",
        "LREM s 0 a",
        "LPOS s a",
        "LINSERT s BEFORE a b",
        "RPOPLPUSH s a",
        "LMPOP 1 s LEFT",
        "BLPOP s 1",
        "BLMOVE s a LEFT LEFT 1",
    ] {
        client.check(line, WRONG_TYPE).await;
    }
    client.check("GET s", &bulk("x")).await;
}

#[tokio::test]
async fn a_list_carries_any_bytes() {
    let (_server, mut client) = client().await;
    let long = vec![b'x'; 100_000];
    for text in [
        &b""[..],
        b"\r\n\0\xff",
        &long,
        b"-0",
        b"9223372036854775808",
    ] {
        client.request([&b"RPUSH"[..], b"k", text]).await;
        assert!(client.reply().await.starts_with(':'));
        client.request([&b"LINDEX"[..], b"k", b"-1"]).await;
        let expected = [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
        client.expect(expected).await;
    }
}

#[tokio::test]
async fn the_inner_part_of_a_long_list_may_be_compressed() {
    let server = server().await;
    let mut client = Client::new(&server);
    let usage = async |client: &mut Client| -> usize {
        let reply = client.call("MEMORY USAGE l").await;
        reply[1..].trim().parse().expect("a number")
    };
    let texts: Vec<_> = (0..500)
        .map(|n| format!("{n:04}{}", "abc".repeat(100)))
        .collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let push = [&["RPUSH", "l"], &texts[..]].concat();
    client.request(&push).await;
    client.expect(":500\r\n").await;
    let plain = usage(&mut client).await;
    client
        .check("CONFIG SET list-compress-depth 1", "+OK\r\n")
        .await;
    client.check("DEL l", ":1\r\n").await;
    client.request(&push).await;
    client.expect(":500\r\n").await;
    let compressed = usage(&mut client).await;
    assert!(compressed * 4 < plain, "{compressed} of {plain} bytes");
    client.check("LRANGE l 0 -1", &bulks(&texts)).await;
    client.check("LINDEX l 250", &bulk(texts[250])).await;
    client
        .check(&format!("LPOS l {}", texts[300]), ":300\r\n")
        .await;
    client
        .check(&format!("LPOS l {} RANK -1", texts[301]), ":301\r\n")
        .await;
    client
        .check("SORT l ALPHA LIMIT 400 1", &bulks(&[texts[400]]))
        .await;
    client.check("LINSERT l AFTER none x", ":-1\r\n").await;
    client.call("DUMP l").await;
    client.check("COPY l m", ":1\r\n").await;
    client
        .check("LRANGE m 200 299", &bulks(&texts[200..300]))
        .await;
    // Reading leaves nothing decompressed behind, and changing it neither.
    assert_eq!(usage(&mut client).await, compressed);
    client.check("LSET l 250 x", "+OK\r\n").await;
    client
        .check(&format!("LREM l 0 {}", texts[100]), ":1\r\n")
        .await;
    assert!(usage(&mut client).await <= compressed + 400);
}
