//! The sorted set commands, over raw bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;

use common::{Client, bulk, bulks, server};
use kv_server::Server;

const NULL: &str = "$-1\r\n";
const EMPTY: &str = "*0\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const NOT_FLOAT: &str = "-ERR value is not a valid float\r\n";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

async fn client() -> (Server, Client) {
    let server = server().await;
    let client = Client::new(&server);
    (server, client)
}

/// Runs a test on a small set and on a large one: with other limits the same members have the other form.
async fn client_of(encoding: &str) -> (Server, Client) {
    let (server, mut client) = client().await;
    if encoding == "skiplist" {
        client
            .check("CONFIG SET zset-max-ziplist-entries 0", "+OK\r\n")
            .await;
    }
    client.check("ZADD form 0 a", ":1\r\n").await;
    client.check("OBJECT ENCODING form", &bulk(encoding)).await;
    (server, client)
}

#[tokio::test]
async fn members_are_in_the_order_of_their_scores() {
    for encoding in ["listpack", "skiplist"] {
        let (_server, mut client) = client_of(encoding).await;
        client
            .check("ZADD k 3 c 1 a 2 b -inf z 2 aa inf y", ":6\r\n")
            .await;
        let all = bulks(&[
            "z", "-inf", "a", "1", "aa", "2", "b", "2", "c", "3", "y", "inf",
        ]);
        client.check("ZRANGE k 0 -1 WITHSCORES", &all).await;
        client.check("ZCARD k", ":6\r\n").await;
        client.check("ZRANK k b", ":3\r\n").await;
        client.check("ZREVRANK k b", ":2\r\n").await;
        client
            .check("ZRANK k b WITHSCORE", &format!("*2\r\n:3\r\n{}", bulk("2")))
            .await;
        client.check("ZRANK k x", NULL).await;
        client.check("ZRANK k x WITHSCORE", "*-1\r\n").await;
        client
            .check(
                "ZRANK k b WITHSCORE x",
                "-ERR wrong number of arguments for 'zrank' command\r\n",
            )
            .await;
        client.check("ZRANK k b x", SYNTAX).await;
        client
            .check("ZMSCORE k a x y", "*3\r\n$1\r\n1\r\n$-1\r\n$3\r\ninf\r\n")
            .await;
        client.check("ZREM k a b nobody", ":2\r\n").await;
        client.check("ZREM k z aa c y", ":4\r\n").await;
        client.check("EXISTS k", ":0\r\n").await;
    }
}

#[tokio::test]
async fn zadd_does_what_its_options_say() {
    for encoding in ["listpack", "skiplist"] {
        let (_server, mut client) = client_of(encoding).await;
        client.check("ZADD k XX 1 a", ":0\r\n").await;
        client.check("EXISTS k", ":0\r\n").await;
        client.check("ZADD k XX INCR 1 a", NULL).await;
        client.check("ZADD k 1 a 2 b", ":2\r\n").await;
        client.check("ZADD k NX 9 a 3 c", ":1\r\n").await;
        client.check("ZADD k CH 2 a 2 b 4 d", ":2\r\n").await;
        client.check("ZADD k XX CH 5 a 9 new", ":1\r\n").await;
        client.check("ZADD k GT CH 4 a 3 b 1 e", ":2\r\n").await;
        client.check("ZADD k LT CH 4 a 9 b", ":1\r\n").await;
        client
            .check(
                "ZRANGE k 0 -1 WITHSCORES",
                &bulks(&["e", "1", "b", "3", "c", "3", "a", "4", "d", "4"]),
            )
            .await;
        client.check("ZADD k INCR 1.5 a", &bulk("5.5")).await;
        client.check("ZADD k NX INCR 1 a", NULL).await;
        client.check("ZADD k GT INCR -1 a", NULL).await;
        client.check("ZADD k LT INCR -1 a", &bulk("4.5")).await;
        client.check("ZINCRBY k inf a", &bulk("inf")).await;
        client
            .check(
                "ZINCRBY k -inf a",
                "-ERR resulting score is not a number (NaN)\r\n",
            )
            .await;
        client.check("ZSCORE k a", &bulk("inf")).await;
        client.check("ZINCRBY new 3 m", &bulk("3")).await;
    }
}

#[tokio::test]
async fn zadd_does_all_or_nothing() {
    let (_server, mut client) = client().await;
    client.check("ZADD k 1 a x b", NOT_FLOAT).await;
    client.check("ZADD k nan a", NOT_FLOAT).await;
    client.check("ZADD k 1 a 2", SYNTAX).await;
    client.check("ZADD k NX CH", SYNTAX).await;
    client
        .check(
            "ZADD k NX XX 1 a",
            "-ERR XX and NX options at the same time are not compatible\r\n",
        )
        .await;
    for options in ["GT LT", "NX GT", "LT NX"] {
        client
            .check(
                &format!("ZADD k {options} 1 a"),
                "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n",
            )
            .await;
    }
    client
        .check(
            "ZADD k INCR 1 a 2 b",
            "-ERR INCR option supports a single increment-element pair\r\n",
        )
        .await;
    client.check("EXISTS k", ":0\r\n").await;
    client.check("SET s x", "+OK\r\n").await;
    client.check("ZADD s 1 a", WRONG_TYPE).await;
    client.check("ZADD s XX 1 a", WRONG_TYPE).await;
    client.check("ZCARD s", WRONG_TYPE).await;
    client.check("ZUNION 2 k s", WRONG_TYPE).await;
}

#[tokio::test]
async fn scores_are_written_as_redis_7_2_writes_them() {
    let (_server, mut client) = client().await;
    for (score, text) in [
        ("3.0e3", "3000"),
        ("0.1", "0.1"),
        ("1e-9", "1e-9"),
        ("-0x10", "-16"),
        ("1e21", "1e+21"),
        ("9007199254740993", "9007199254740992"),
        ("1152921504606846976", "1152921504606846976"),
        ("+inf", "inf"),
        ("0.30000000000000004", "0.30000000000000004"),
    ] {
        client.call("DEL k").await;
        client.check(&format!("ZADD k {score} m"), ":1\r\n").await;
        client.check("ZSCORE k m", &bulk(text)).await;
        client.call("HELLO 3").await;
        client.check("ZSCORE k m", &format!(",{text}\r\n")).await;
        let pair = format!("*1\r\n*2\r\n$1\r\nm\r\n,{text}\r\n");
        client.check("ZRANGE k 0 -1 WITHSCORES", &pair).await;
        client.check("ZPOPMIN k 1", &pair).await;
        client.call(&format!("ZADD k {score} m")).await;
        client
            .check("ZPOPMAX k", &format!("*2\r\n$1\r\nm\r\n,{text}\r\n"))
            .await;
        client.call("HELLO 2").await;
    }
}

#[tokio::test]
async fn ranges_go_by_rank_score_and_text() {
    for encoding in ["listpack", "skiplist"] {
        let (_server, mut client) = client_of(encoding).await;
        client.check("ZADD k 1 a 2 b 3 c 4 d 5 e", ":5\r\n").await;
        for (range, members) in [
            ("ZRANGE k 1 -2", &["b", "c", "d"][..]),
            ("ZRANGE k 0 0 REV", &["e"]),
            ("ZREVRANGE k 0 1", &["e", "d"]),
            ("ZRANGE k 3 1", &[]),
            ("ZRANGE k (1 3 BYSCORE", &["b", "c"]),
            ("ZRANGE k 4 (1 BYSCORE REV LIMIT 1 1", &["c"]),
            ("ZRANGEBYSCORE k -inf +inf LIMIT 1 2", &["b", "c"]),
            ("ZRANGEBYSCORE k -inf +inf LIMIT -1 2", &[]),
            ("ZRANGEBYSCORE k -inf +inf LIMIT 3 -1", &["d", "e"]),
            ("ZREVRANGEBYSCORE k (5 3", &["d", "c"]),
            ("ZRANGEBYSCORE k 5 1", &[]),
        ] {
            client.check(range, &bulks(members)).await;
        }
        client.check("ZCOUNT k (1 4", ":3\r\n").await;
        client.check("ZADD t 0 a 0 b 0 c 0 d", ":4\r\n").await;
        for (range, members) in [
            ("ZRANGE t [b (d BYLEX", &["b", "c"][..]),
            ("ZRANGEBYLEX t - +", &["a", "b", "c", "d"]),
            ("ZREVRANGEBYLEX t (d [b LIMIT 0 1", &["c"]),
            ("ZRANGEBYLEX t + -", &[]),
        ] {
            client.check(range, &bulks(members)).await;
        }
        client.check("ZLEXCOUNT t (a +", ":3\r\n").await;
        client.check("ZREMRANGEBYLEX t - [b", ":2\r\n").await;
        client.check("ZREMRANGEBYSCORE k 2 (4", ":2\r\n").await;
        client.check("ZREMRANGEBYRANK k -1 -1", ":1\r\n").await;
        client.check("ZRANGE k 0 -1", &bulks(&["a", "d"])).await;
        client.check("ZREMRANGEBYRANK k 0 -1", ":2\r\n").await;
        client.check("EXISTS k", ":0\r\n").await;
    }
}

#[tokio::test]
async fn ranges_that_mean_nothing_are_refused() {
    let (_server, mut client) = client().await;
    for (line, error) in [
        ("ZRANGEBYSCORE k x 1", "ERR min or max is not a float"),
        ("ZCOUNT k 1 nan", "ERR min or max is not a float"),
        (
            "ZRANGEBYLEX k a +",
            "ERR min or max not valid string range item",
        ),
        (
            "ZRANGE k a b",
            "ERR value is not an integer or out of range",
        ),
        (
            "ZRANGE k 0 1 LIMIT 0 1",
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ),
        (
            "ZRANGE k - + BYLEX WITHSCORES",
            "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
        ),
        ("ZRANGE k 0 1 REV REV", "ERR syntax error"),
        ("ZREVRANGE k 0 1 REV", "ERR syntax error"),
        ("ZRANGESTORE d k 0 1 WITHSCORES", "ERR syntax error"),
        (
            "ZPOPMIN k -1",
            "ERR value is out of range, must be positive",
        ),
        ("ZMPOP 0 k MIN", "ERR numkeys should be greater than 0"),
        (
            "ZMPOP 1 k MIN COUNT 0",
            "ERR count should be greater than 0",
        ),
        (
            "ZINTER 0 k",
            "ERR at least 1 input key is needed for 'zinter' command",
        ),
        ("ZUNION 1 k WEIGHTS x", "ERR weight value is not a float"),
        ("ZINTERCARD 1 k LIMIT -1", "ERR LIMIT can't be negative"),
        ("ZDIFF 1 k WEIGHTS 1", "ERR syntax error"),
        ("ZUNIONSTORE d 1 k WITHSCORES", "ERR syntax error"),
        ("ZUNION 3 k k", "ERR syntax error"),
    ] {
        client.check(line, &format!("-{error}\r\n")).await;
    }
}

#[tokio::test]
async fn sets_and_sorted_sets_are_combined() {
    for encoding in ["listpack", "skiplist"] {
        let (_server, mut client) = client_of(encoding).await;
        client.check("ZADD a 1 x 2 y 3 z", ":3\r\n").await;
        client.check("ZADD b 10 y 20 z 30 w", ":3\r\n").await;
        client.check("SADD s z w v", ":3\r\n").await;
        for (line, reply) in [
            (
                "ZUNION 2 a b WITHSCORES",
                &["x", "1", "y", "12", "z", "23", "w", "30"][..],
            ),
            (
                "ZINTER 2 a b WITHSCORES WEIGHTS 2 3",
                &["y", "34", "z", "66"],
            ),
            (
                "ZINTER 2 a b AGGREGATE MIN WITHSCORES",
                &["y", "2", "z", "3"],
            ),
            (
                "ZUNION 2 a s AGGREGATE MAX WITHSCORES",
                &["v", "1", "w", "1", "x", "1", "y", "2", "z", "3"],
            ),
            ("ZINTER 3 a b s", &["z"]),
            ("ZDIFF 2 a s WITHSCORES", &["x", "1", "y", "2"]),
            ("ZDIFF 2 a a", &[]),
            ("ZDIFF 1 none", &[]),
            (
                "ZUNION 1 s WEIGHTS inf WITHSCORES",
                &["v", "inf", "w", "inf", "z", "inf"],
            ),
        ] {
            client.check(line, &bulks(reply)).await;
        }
        client.check("ZINTERCARD 2 a b", ":2\r\n").await;
        client.check("ZINTERCARD 2 a b LIMIT 1", ":1\r\n").await;
        client.check("ZUNIONSTORE d 2 a s", ":5\r\n").await;
        client.check("OBJECT ENCODING d", &bulk(encoding)).await;
        client
            .check("ZINTERSTORE d 2 a b WEIGHTS 0 1", ":2\r\n")
            .await;
        client
            .check("ZRANGE d 0 -1 WITHSCORES", &bulks(&["y", "10", "z", "20"]))
            .await;
        client.check("ZDIFFSTORE d 2 a a", ":0\r\n").await;
        client.check("EXISTS d", ":0\r\n").await;
        client.check("ZRANGESTORE d b 0 1", ":2\r\n").await;
        client.check("ZRANGE d 0 -1", &bulks(&["y", "z"])).await;
        client.check("ZRANGESTORE d none 0 1", ":0\r\n").await;
        client.check("EXISTS d", ":0\r\n").await;
    }
}

#[tokio::test]
async fn members_are_popped_from_either_end() {
    for encoding in ["listpack", "skiplist"] {
        let (_server, mut client) = client_of(encoding).await;
        client
            .check("ZADD k 1 a 2 b 3 c 4 d 5 e 6 f", ":6\r\n")
            .await;
        client.check("ZPOPMIN k", &bulks(&["a", "1"])).await;
        client
            .check("ZPOPMAX k 2", &bulks(&["f", "6", "e", "5"]))
            .await;
        client.check("ZPOPMAX k 0", EMPTY).await;
        client.check("ZPOPMIN none", EMPTY).await;
        let popped = format!(
            "*2\r\n{}*2\r\n{}{}",
            bulk("k"),
            bulks(&["b", "2"]),
            bulks(&["c", "3"])
        );
        client.check("ZMPOP 2 none k MIN COUNT 2", &popped).await;
        let last = format!("*2\r\n{}*1\r\n{}", bulk("k"), bulks(&["d", "4"]));
        client.check("ZMPOP 1 k MAX COUNT 9", &last).await;
        client.check("EXISTS k", ":0\r\n").await;
        client.check("ZMPOP 1 k MAX", "*-1\r\n").await;
    }
}

#[tokio::test]
async fn the_form_changes_above_the_limits_and_never_back() {
    let (_server, mut client) = client().await;
    for n in 0..128 {
        client.check(&format!("ZADD k {n} {n}"), ":1\r\n").await;
    }
    client.check("OBJECT ENCODING k", &bulk("listpack")).await;
    client.check("ZADD k 0.5 more", ":1\r\n").await;
    client.check("OBJECT ENCODING k", &bulk("skiplist")).await;
    client.check("ZRANGE k 0 1", &bulks(&["0", "more"])).await;
    client.check("ZREMRANGEBYRANK k 1 -1", ":128\r\n").await;
    client.check("OBJECT ENCODING k", &bulk("skiplist")).await;
    let long = "x".repeat(65);
    client.check(&format!("ZADD long 1 {long}"), ":1\r\n").await;
    client
        .check("OBJECT ENCODING long", &bulk("skiplist"))
        .await;
    client
        .check(&format!("ZADD late 1 {}", &long[..64]), ":1\r\n")
        .await;
    client
        .check("OBJECT ENCODING late", &bulk("listpack"))
        .await;
    client
        .check("CONFIG SET zset-max-listpack-value 3", "+OK\r\n")
        .await;
    client.check("ZADD late 1 four", ":1\r\n").await;
    client
        .check("OBJECT ENCODING late", &bulk("skiplist"))
        .await;
}

#[tokio::test]
async fn a_walk_shows_whatever_stays_although_scores_change() {
    let (_server, mut client) = client().await;
    for n in 0..1_000 {
        client.check(&format!("ZADD k {n} m{n}"), ":1\r\n").await;
    }
    let (mut cursor, mut seen) = ("0".to_owned(), BTreeSet::new());
    for round in 0.. {
        let reply = client.call(&format!("ZSCAN k {cursor} COUNT 20")).await;
        let lines: Vec<_> = reply.split("\r\n").collect();
        lines[2].clone_into(&mut cursor);
        let members = lines[4..].iter().filter(|line| line.starts_with('m'));
        seen.extend(members.map(|member| (*member).to_owned()));
        if cursor == "0" {
            break;
        }
        // Members move within the order, others come and go.
        client
            .call(&format!(
                "ZADD k {} m{} 1 new{round}",
                5_000 - round,
                round * 7 % 1_000
            ))
            .await;
        client.call(&format!("ZREM k new{}", round / 2)).await;
    }
    assert_eq!(seen.len(), 1_000);
    client.check("ZADD small 1.5 a 2 b", ":2\r\n").await;
    let all = format!("*2\r\n{}{}", bulk("0"), bulks(&["a", "1.5"]));
    client.check("ZSCAN small 0 MATCH a*", &all).await;
    // Redis writes fractions of large sets in another way here.
    client
        .check("CONFIG SET zset-max-listpack-entries 0", "+OK\r\n")
        .await;
    client.check("ZADD large 0.1 last", ":1\r\n").await;
    let all = format!(
        "*2\r\n{}{}",
        bulk("0"),
        bulks(&["last", "0.10000000000000001"])
    );
    client.check("ZSCAN large 0", &all).await;
}

#[tokio::test]
async fn random_members_are_members() {
    for encoding in ["listpack", "skiplist"] {
        let (_server, mut client) = client_of(encoding).await;
        for n in 0..50 {
            client.check(&format!("ZADD k {n} m{n}"), ":1\r\n").await;
        }
        let one = client.call("ZRANDMEMBER k").await;
        assert!(one.contains("\r\nm"), "{one}");
        for (count, different) in [(10, 10), (40, 40), (100, 50)] {
            let reply = client.call(&format!("ZRANDMEMBER k {count}")).await;
            let members: BTreeSet<_> = reply
                .split("\r\n")
                .filter(|line| line.starts_with('m'))
                .collect();
            assert_eq!(members.len(), different, "{encoding} {count}");
        }
        let reply = client.call("ZRANDMEMBER k -100 WITHSCORES").await;
        assert!(reply.starts_with("*200\r\n"), "{reply}");
        let lines: Vec<_> = reply.split("\r\n").skip(2).step_by(2).collect();
        for pair in lines.chunks_exact(2) {
            assert_eq!(pair[0][1..], *pair[1]);
        }
        client.check("ZRANDMEMBER none", NULL).await;
        client.check("ZRANDMEMBER none 3", EMPTY).await;
    }
}
