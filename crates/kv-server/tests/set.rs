//! The set commands, over raw bytes.

mod common;

use std::collections::BTreeSet;

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

/// The bulk strings of an array, in any order.
fn members(reply: &str) -> BTreeSet<&str> {
    reply.split("\r\n").skip(2).step_by(2).collect()
}

#[tokio::test]
async fn members_are_added_once_and_removed() {
    let (_server, mut client) = client().await;
    client.check("SADD k a b a", ":2\r\n").await;
    client.check("SADD k b c", ":1\r\n").await;
    client.check("SCARD k", ":3\r\n").await;
    client.check("SMEMBERS k", &bulks(&["a", "b", "c"])).await;
    client.check("SISMEMBER k a", ":1\r\n").await;
    client
        .check("SMISMEMBER k a x c", "*3\r\n:1\r\n:0\r\n:1\r\n")
        .await;
    client
        .check("SMISMEMBER none a b", "*2\r\n:0\r\n:0\r\n")
        .await;
    client.check("SREM k a x", ":1\r\n").await;
    client.check("SREM k b c", ":2\r\n").await;
    client.check("EXISTS k", ":0\r\n").await;
    client.check("SMEMBERS k", EMPTY).await;
}

#[tokio::test]
async fn integers_come_in_ascending_order() {
    let (_server, mut client) = client().await;
    client.check("SADD k 5 -1 100000 3", ":4\r\n").await;
    client
        .check("SMEMBERS k", &bulks(&["-1", "3", "5", "100000"]))
        .await;
    client.check("OBJECT ENCODING k", &bulk("intset")).await;
    client.check("SADD k 03", ":1\r\n").await;
    client.check("OBJECT ENCODING k", &bulk("listpack")).await;
    client.check("SISMEMBER k 3", ":1\r\n").await;
    client.check("SISMEMBER k 03", ":1\r\n").await;
}

#[tokio::test]
async fn a_set_takes_the_form_that_the_limits_ask_for() {
    let (_server, mut client) = client().await;
    for (param, value) in [
        ("set-max-intset-entries", "3"),
        ("set-max-listpack-entries", "2"),
        ("set-max-listpack-value", "4"),
    ] {
        client
            .check(&format!("CONFIG SET {param} {value}"), OK)
            .await;
        let shown = bulks(&[param, value]);
        client.check(&format!("CONFIG GET {param}"), &shown).await;
    }
    for (members, encoding) in [
        ("1 2 3", "intset"),
        ("1 2 3 4", "hashtable"),
        ("a b", "listpack"),
        ("a b c", "hashtable"),
        ("a", "listpack"),
        ("abcde", "hashtable"),
        ("1 a", "listpack"),
    ] {
        client.call("DEL k").await;
        client.call(&format!("SADD k {members}")).await;
        client.check("OBJECT ENCODING k", &bulk(encoding)).await;
    }
}

#[tokio::test]
async fn sets_are_combined() {
    let (_server, mut client) = client().await;
    client.check("SADD a 1 2 3 4", ":4\r\n").await;
    client.check("SADD b 3 4 5", ":3\r\n").await;
    client.check("SADD c 4 x", ":2\r\n").await;
    client.check("SINTER a b", &bulks(&["3", "4"])).await;
    client.check("SINTER a b c", &bulks(&["4"])).await;
    client.check("SINTER a none", EMPTY).await;
    client
        .check("SUNION a b none", &bulks(&["1", "2", "3", "4", "5"]))
        .await;
    client.check("SDIFF a b", &bulks(&["1", "2"])).await;
    client.check("SDIFF a b c none", &bulks(&["1", "2"])).await;
    client.check("SDIFF none a", EMPTY).await;
    let all = client.call("SUNION a b c").await;
    assert_eq!(
        members(&all),
        BTreeSet::from(["1", "2", "3", "4", "5", "x"])
    );
    client.check("SINTERCARD 2 a b", ":2\r\n").await;
    client.check("SINTERCARD 2 a b LIMIT 1", ":1\r\n").await;
    client.check("SINTERCARD 2 a b LIMIT 0", ":2\r\n").await;
    for (line, error) in [
        ("0 a", "numkeys should be greater than 0"),
        ("x a", "numkeys should be greater than 0"),
        (
            "3 a b",
            "Number of keys can't be greater than number of args",
        ),
        ("1 a LIMIT -1", "LIMIT can't be negative"),
        ("1 a LIMIT", "syntax error"),
        ("1 a b", "syntax error"),
    ] {
        client
            .check(&format!("SINTERCARD {line}"), &format!("-ERR {error}\r\n"))
            .await;
    }
}

#[tokio::test]
async fn results_are_stored_in_the_most_compact_form() {
    let (_server, mut client) = client().await;
    client.check("SADD a 1 2 x", ":3\r\n").await;
    client.check("SADD b 1 2 y", ":3\r\n").await;
    client.check("SET d old EX 100", OK).await;
    client.check("SINTERSTORE d a b", ":2\r\n").await;
    client.check("OBJECT ENCODING d", &bulk("intset")).await;
    client.check("TTL d", ":-1\r\n").await;
    client.check("SUNIONSTORE d a b", ":4\r\n").await;
    client.check("OBJECT ENCODING d", &bulk("listpack")).await;
    client.check("SDIFFSTORE d a a", ":0\r\n").await;
    client.check("EXISTS d", ":0\r\n").await;
    client.check("SDIFFSTORE a a b", ":1\r\n").await;
    client.check("SMEMBERS a", &bulks(&["x"])).await;
}

#[tokio::test]
async fn smove_moves_a_member_unless_a_type_is_wrong() {
    let (_server, mut client) = client().await;
    client.check("SADD a 1 2", ":2\r\n").await;
    client.check("SMOVE a b 1", ":1\r\n").await;
    client.check("SMOVE a b 9", ":0\r\n").await;
    client.check("SMOVE a a 2", ":1\r\n").await;
    client.check("SET s x", OK).await;
    client.check("SMOVE a s 2", WRONG_TYPE).await;
    client.check("SMOVE s a 2", WRONG_TYPE).await;
    client.check("SMOVE none s 2", ":0\r\n").await;
    client.check("SMEMBERS a", &bulks(&["2"])).await;
    client.check("SMOVE a b 2", ":1\r\n").await;
    client.check("EXISTS a", ":0\r\n").await;
    client.check("SMEMBERS b", &bulks(&["1", "2"])).await;
}

#[tokio::test]
async fn random_members_are_members_and_spop_takes_them_out() {
    let (_server, mut client) = client().await;
    let texts: Vec<_> = (0..300).map(|n| format!("member:{n}")).collect();
    for (key, count) in [("small", 100), ("large", 300)] {
        let line = format!("SADD {key} {}", texts[..count].join(" "));
        client.check(&line, &format!(":{count}\r\n")).await;
        for wanted in [5, 60, count] {
            let chosen = client.call(&format!("SRANDMEMBER {key} {wanted}")).await;
            assert_eq!(members(&chosen).len(), wanted, "they differ");
        }
        let repeated = client.call(&format!("SRANDMEMBER {key} -1000")).await;
        assert!(repeated.starts_with("*1000\r\n"));
        let mut left: BTreeSet<_> = texts[..count].iter().map(String::as_str).collect();
        let popped = client.call(&format!("SPOP {key} 40")).await;
        assert!(members(&popped).iter().all(|member| left.remove(member)));
        let one = client.call(&format!("SPOP {key}")).await;
        assert!(left.remove(one.split("\r\n").nth(1).unwrap()));
        let rest = client.call(&format!("SMEMBERS {key}")).await;
        assert_eq!(members(&rest), left);
        let all = client.call(&format!("SPOP {key} 1000")).await;
        assert_eq!(members(&all), left);
        client.check(&format!("EXISTS {key}"), ":0\r\n").await;
    }
    client.check("SPOP k", NULL).await;
    client.check("SPOP k 1", EMPTY).await;
    client.check("SRANDMEMBER k", NULL).await;
    client.check("SRANDMEMBER k 5", EMPTY).await;
    client.check("SRANDMEMBER k 5 5", SYNTAX).await;
    client
        .check(
            "SPOP k -1",
            "-ERR value is out of range, must be positive\r\n",
        )
        .await;
    client
        .check(
            "SRANDMEMBER k -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
        )
        .await;
}

#[tokio::test]
async fn sscan_returns_every_member_whatever_the_form() {
    let (_server, mut client) = client().await;
    for count in [100, 1000] {
        let texts: Vec<_> = (0..count).map(|n| format!("m{n}")).collect();
        client.call(&format!("SADD k {}", texts.join(" "))).await;
        let (mut cursor, mut seen) = ("0".to_owned(), BTreeSet::new());
        loop {
            let reply = client
                .call(&format!("SSCAN k {cursor} COUNT 20 MATCH m*"))
                .await;
            let words: Vec<_> = reply.split("\r\n").collect();
            seen.extend(words[5..].iter().step_by(2).map(|&word| word.to_owned()));
            cursor = words[2].to_owned();
            if cursor == "0" {
                break;
            }
        }
        seen.remove("");
        assert_eq!(seen, texts.into_iter().collect());
    }
    let nothing = format!("*2\r\n{}*0\r\n", bulk("0"));
    client.check("SSCAN none 0 COUNT x", &nothing).await;
    client.check("SSCAN k x", "-ERR invalid cursor\r\n").await;
    client.check("SSCAN k 0 COUNT 0", SYNTAX).await;
}

#[tokio::test]
async fn replies_are_sets_in_resp3() {
    let (_server, mut client) = client().await;
    client.call("HELLO 3").await;
    client.check("SADD k 1", ":1\r\n").await;
    for line in ["SMEMBERS k", "SINTER k", "SUNION k", "SDIFF k", "SPOP k 1"] {
        client.check(line, "~1\r\n$1\r\n1\r\n").await;
    }
    client.check("SMEMBERS k", "~0\r\n").await;
    client.check("SRANDMEMBER k 1", "*0\r\n").await;
    client.check("SPOP k", "_\r\n").await;
}
