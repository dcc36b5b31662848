//! Sets, lists and hashes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use kv_client::{Client, Outcome, Side};

use crate::servers::on_every_server;

#[tokio::test]
async fn sets() {
    on_every_server("SADD", async |client: Client| {
        let c = &client;
        assert_eq!(c.sadd("s", ["a", "b", "c", "a"]).await.unwrap(), 3);
        assert_eq!(c.sadd("t", ["b", "d"]).await.unwrap(), 2);
        let sorted =
            |set: std::collections::HashSet<Bytes>| set.into_iter().collect::<BTreeSet<_>>();
        assert_eq!(
            sorted(c.smembers("s").await.unwrap()),
            BTreeSet::from(["a".into(), "b".into(), "c".into()])
        );
        assert_eq!(
            sorted(c.sdiff(["s", "t"]).await.unwrap()),
            BTreeSet::from(["a".into(), "c".into()])
        );
        assert_eq!(
            sorted(c.sinter(["s", "t"]).await.unwrap()),
            BTreeSet::from(["b".into()])
        );
        assert_eq!(c.sunion(["s", "t"]).await.unwrap().len(), 4);
        assert_eq!(c.smembers("nope").await.unwrap().len(), 0);
        assert_eq!(c.spop("nope").await.unwrap(), None);
        assert!(c.spop("s").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn more_of_sets() {
    on_every_server("SMISMEMBER", async |client: Client| {
        let c = &client;
        c.sadd("s", [1, 2, 3]).await.unwrap();
        assert_eq!(
            (
                c.scard("s").await.unwrap(),
                c.srem("s", [3, 4]).await.unwrap()
            ),
            (3, 1)
        );
        assert!(c.sismember("s", 1).await.unwrap());
        assert_eq!(c.smismember("s", [1, 9]).await.unwrap(), [true, false]);
        assert_eq!(c.srandmember("s", -5).await.unwrap().len(), 5);
        assert!(c.smove("s", "t", 1).await.unwrap());
        assert_eq!(c.sunionstore("u", ["s", "t"]).await.unwrap(), 2);
        assert_eq!(c.sdiffstore("d", ["u", "t"]).await.unwrap(), 1);
        assert_eq!(c.sinterstore("i", ["u", "t"]).await.unwrap(), 1);
        assert_eq!(c.spop_count("u", 9).await.unwrap().len(), 2);
        let mut scan = c.scan_set("s");
        assert_eq!(scan.next().await.unwrap().unwrap(), "2");
        assert!(scan.next().await.is_none());
        assert_eq!(c.sscan("s", 0).await.unwrap(), (0, vec!["2".into()]));
    })
    .await;
}

#[tokio::test]
async fn lists() {
    on_every_server("LPUSH", async |client: Client| {
        let c = &client;
        assert_eq!(c.rpush("l", ["b", "c"]).await.unwrap(), 2);
        assert_eq!(c.lpush("l", "a").await.unwrap(), 3);
        assert_eq!(c.llen("l").await.unwrap(), 3);
        assert_eq!(c.lindex("l", -1).await.unwrap(), Some("c".into()));
        assert_eq!(c.lindex("l", 9).await.unwrap(), None);
        assert_eq!(c.lrange("l", 0, -1).await.unwrap(), ["a", "b", "c"]);
        assert!(c.lrange("nope", 0, -1).await.unwrap().is_empty());
        assert_eq!(c.lpop("l").await.unwrap(), Some("a".into()));
        assert_eq!(c.lpop("nope").await.unwrap(), None);
        let error = c.incr("l").await.unwrap_err();
        assert_eq!(
            (error.code(), error.outcome(), error.command()),
            (Some("WRONGTYPE"), Outcome::Rejected, Some("INCR"))
        );
    })
    .await;
}

#[tokio::test]
async fn more_of_lists() {
    on_every_server("LINSERT", async |client: Client| {
        let c = &client;
        assert_eq!(c.lpushx("l", 1).await.unwrap(), 0);
        c.rpush("l", (1..=6).collect::<Vec<i64>>()).await.unwrap();
        assert_eq!(c.rpushx("l", 7).await.unwrap(), 7);
        assert_eq!(c.rpop("l").await.unwrap(), Some("7".into()));
        assert_eq!(c.lpop_count("l", 2).await.unwrap(), ["1", "2"]);
        assert!(c.rpop_count("nope", 2).await.unwrap().is_empty());
        c.lset("l", 0, "x").await.unwrap();
        assert_eq!(c.linsert_before("l", "x", "w").await.unwrap(), 5);
        assert_eq!(c.linsert_after("l", "nope", "w").await.unwrap(), -1);
        assert_eq!(c.lrem("l", 0, "w").await.unwrap(), 1);
        c.ltrim("l", 0, 1).await.unwrap();
        assert_eq!(
            c.lmove("l", "m", Side::Left, Side::Right).await.unwrap(),
            Some("x".into())
        );
        assert_eq!(
            c.lrange("m", 0, -1).into::<Vec<String>>().await.unwrap(),
            ["x"]
        );
    })
    .await;
}

#[tokio::test]
async fn blocking_pops_wait_without_holding_others_up() {
    on_every_server("BLPOP", async |client: Client| {
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { client.blpop(["q", "r"], Duration::from_secs(120)).await }
        });
        let blocked = async {
            while !client.client_list().await.unwrap().contains("cmd=blpop") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), blocked)
            .await
            .expect("BLPOP waits");
        client.rpush("r", "job").await.unwrap();
        assert_eq!(
            waiting.await.unwrap().unwrap(),
            Some(("r".into(), "job".into()))
        );
        assert_eq!(
            client.brpop("q", Duration::from_millis(10)).await.unwrap(),
            None
        );
    })
    .await;
}

#[tokio::test]
async fn hashes() {
    on_every_server("HSET", async |client: Client| {
        let c = &client;
        assert_eq!(c.hset("h", ("a", 1)).await.unwrap(), 1);
        assert_eq!(
            c.hset("h", HashMap::from([("a", "2"), ("b", "3\r\n")]))
                .await
                .unwrap(),
            1
        );
        c.hmset("h", [("c", "4")]).await.unwrap();
        assert_eq!(c.hget("h", "b").await.unwrap(), Some("3\r\n".into()));
        assert_eq!(c.hget("h", "nope").await.unwrap(), None);
        assert_eq!(
            c.hmget("h", ["a", "nope"]).await.unwrap(),
            [Some("2".into()), None]
        );
        let all: BTreeMap<String, String> = c.hgetall("h").into().await.unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all["c"], "4");
        assert!(c.hgetall("nope").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn more_of_hashes() {
    on_every_server("HINCRBYFLOAT", async |client: Client| {
        let c = &client;
        c.hset("h", [("a", 1), ("b", 2)]).await.unwrap();
        assert!(!c.hsetnx("h", "a", 5).await.unwrap());
        assert_eq!(
            (
                c.hlen("h").await.unwrap(),
                c.hstrlen("h", "a").await.unwrap()
            ),
            (2, 1)
        );
        assert!(c.hexists("h", "a").await.unwrap());
        assert_eq!(c.hincrby("h", "a", 9).await.unwrap(), 10);
        assert_eq!(c.hincrbyfloat("h", "a", 0.25).await.unwrap(), 10.25);
        assert_eq!(c.hkeys("h").await.unwrap().len(), 2);
        assert_eq!(c.hvals("h").await.unwrap().len(), 2);
        assert_eq!(c.hrandfield("h", 5).await.unwrap().len(), 2);
        let mut scan = c.scan_hash("h").matching("b");
        assert_eq!(
            scan.next().await.unwrap().unwrap(),
            (Bytes::from("b"), Bytes::from("2"))
        );
        assert!(scan.next().await.is_none());
        assert_eq!(c.hdel("h", ["a", "b"]).await.unwrap(), 2);
    })
    .await;
}
