//! Typed commands on sorted sets and places against real servers, in RESP2 and RESP3.

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kv_client::{Aggregate, Client, GeoBy, GeoFrom, GeoUnit, ScoreEnd};
use servers::on_every_server;

fn scored(pairs: &[(&'static str, f64)]) -> Vec<(Bytes, f64)> {
    pairs.iter().map(|&(m, s)| (Bytes::from(m), s)).collect()
}

#[tokio::test]
async fn scores() {
    on_every_server("ZADD", async |client: Client| {
        let c = &client;
        assert_eq!(c.zadd("z", [(1.0, "a"), (2.5, "b")]).await.unwrap(), 2);
        assert_eq!(c.zadd("z", (3, "a")).xx().gt().ch().await.unwrap(), 1);
        assert_eq!(c.zadd("z", (9, "a")).nx().await.unwrap(), 0);
        assert_eq!(c.zadd("z", (1, "a")).incr().await.unwrap(), Some(4.0));
        assert_eq!(c.zadd("z", (1, "a")).nx().incr().await.unwrap(), None);
        assert_eq!(c.zadd("z", (1, "a")).lt().ch().await.unwrap(), 1);
        assert_eq!(c.zscore("z", "b").await.unwrap(), Some(2.5));
        assert_eq!(c.zscore("z", "nope").await.unwrap(), None);
        assert_eq!(
            c.zmscore("z", ["a", "nope"]).await.unwrap(),
            [Some(1.0), None]
        );
        assert_eq!(c.zincrby("z", 0.25, "b").await.unwrap(), 2.75);
        assert_eq!(c.zadd("z", (f64::INFINITY, "end")).await.unwrap(), 1);
        assert_eq!(c.zscore("z", "end").await.unwrap(), Some(f64::INFINITY));
        assert_eq!(c.zcard("z").await.unwrap(), 3);
        assert_eq!(c.zrank("z", "b").await.unwrap(), Some(1));
        assert_eq!(c.zrevrank("z", "b").await.unwrap(), Some(1));
        assert_eq!(c.zrank("z", "nope").await.unwrap(), None);
        assert_eq!(c.zcount("z", "(1", f64::INFINITY).await.unwrap(), 2);
        assert_eq!(c.zrem("z", ["a", "nope"]).await.unwrap(), 1);
        let picked = c.zrandmember("z", 9).withscores().await.unwrap();
        let picked: BTreeMap<Bytes, f64> = picked.into_iter().collect();
        assert_eq!(
            picked,
            scored(&[("b", 2.75), ("end", f64::INFINITY)])
                .into_iter()
                .collect()
        );
        assert_eq!(c.zrandmember("z", -5).await.unwrap().len(), 5);
    })
    .await;
}

#[tokio::test]
async fn ranges() {
    on_every_server("ZRANGESTORE", async |client: Client| {
        let c = &client;
        c.zadd("z", [(1, "a"), (2, "b"), (3, "c"), (4, "d")])
            .await
            .unwrap();
        assert_eq!(c.zrange("z", 0, 1).await.unwrap(), ["a", "b"]);
        assert_eq!(c.zrange("z", 0, 1).rev().await.unwrap(), ["d", "c"]);
        let low = c.zrange("z", 0, 1).withscores().await.unwrap();
        assert_eq!(low, scored(&[("a", 1.0), ("b", 2.0)]));
        let as_map: BTreeMap<String, f64> = c.zrange("z", 0, 0).withscores().into().await.unwrap();
        assert_eq!(as_map["a"], 1.0);
        let as_list: Vec<(String, i64)> = c.zrange("z", 0, 0).withscores().into().await.unwrap();
        assert_eq!(as_list, [("a".to_owned(), 1)]);
        let middle = c.zrange("z", "(1", 4).by_score().limit(1, 2);
        assert_eq!(middle.await.unwrap(), ["c", "d"]);
        assert_eq!(
            c.zrange("z", "[b", "(d").by_lex().await.unwrap(),
            ["b", "c"]
        );
        assert_eq!(c.zrangestore("to", "z", 1, 2).await.unwrap(), 2);
        assert_eq!(
            c.zrevrange("z", 0, 0).withscores().await.unwrap(),
            scored(&[("d", 4.0)])
        );
        let by_score = c.zrangebyscore("z", 2, "+inf").limit(0, 1).withscores();
        assert_eq!(by_score.await.unwrap(), scored(&[("b", 2.0)]));
        assert_eq!(c.zrevrangebyscore("z", 2, 0).await.unwrap(), ["b", "a"]);
        assert_eq!(c.zrangebylex("z", "-", "[b").await.unwrap(), ["a", "b"]);
        assert_eq!(
            c.zrevrangebylex("z", "+", "-").limit(0, 1).await.unwrap(),
            ["d"]
        );
        assert_eq!(c.zlexcount("z", "[b", "+").await.unwrap(), 3);
        assert_eq!(c.zremrangebyrank("z", 0, 0).await.unwrap(), 1);
        assert_eq!(c.zremrangebyscore("z", 2, 2).await.unwrap(), 1);
        assert_eq!(c.zremrangebylex("z", "[c", "[c").await.unwrap(), 1);
        assert!(
            c.zrange("nope", 0, -1)
                .withscores()
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn pops() {
    on_every_server("BZMPOP", async |client: Client| {
        let c = &client;
        let some = Duration::from_secs(5);
        c.zadd(
            "z",
            [
                (1, "a"),
                (2, "b"),
                (3, "c"),
                (4, "d"),
                (5, "e"),
                (6, "f"),
                (7, "g"),
            ],
        )
        .await
        .unwrap();
        assert_eq!(c.zpopmin("z").await.unwrap(), Some(("a".into(), 1.0)));
        assert_eq!(c.zpopmax("z").await.unwrap(), Some(("g".into(), 7.0)));
        assert_eq!(c.zpopmin("nope").await.unwrap(), None);
        assert_eq!(
            c.zpopmin_count("z", 1).await.unwrap(),
            scored(&[("b", 2.0)])
        );
        assert_eq!(
            c.zpopmax_count("z", 1).await.unwrap(),
            scored(&[("f", 6.0)])
        );
        let popped = c.zmpop(["nope", "z"], ScoreEnd::Min).await.unwrap();
        assert_eq!(popped, Some(("z".into(), scored(&[("c", 3.0)]))));
        assert_eq!(c.zmpop("nope", ScoreEnd::Max).count(2).await.unwrap(), None);
        let popped = c.bzpopmin(["nope", "z"], some).await.unwrap();
        assert_eq!(popped, Some(("z".into(), "d".into(), 4.0)));
        let popped = c.bzmpop(some, "z", ScoreEnd::Max).count(9).await.unwrap();
        assert_eq!(popped, Some(("z".into(), scored(&[("e", 5.0)]))));
        assert_eq!(
            c.bzpopmax("z", Duration::from_millis(10)).await.unwrap(),
            None
        );
    })
    .await;
}

#[tokio::test]
async fn several_sorted_sets_together() {
    on_every_server("ZUNION", async |client: Client| {
        let c = &client;
        c.zadd("x", [(1, "a"), (2, "b")]).await.unwrap();
        c.zadd("y", [(10, "b"), (20, "c")]).await.unwrap();
        assert_eq!(c.zunion(["x", "y"]).await.unwrap(), ["a", "b", "c"]);
        let sum = c
            .zunion(["x", "y"])
            .weights([10, 1])
            .withscores()
            .await
            .unwrap();
        assert_eq!(sum, scored(&[("a", 10.0), ("c", 20.0), ("b", 30.0)]));
        let lowest = c.zinter(["x", "y"]).aggregate(Aggregate::Min).withscores();
        assert_eq!(lowest.await.unwrap(), scored(&[("b", 2.0)]));
        assert_eq!(
            c.zdiff(["x", "y"]).withscores().await.unwrap(),
            scored(&[("a", 1.0)])
        );
        let stored = c.zunionstore("to", ["x", "y"]).aggregate(Aggregate::Max);
        assert_eq!(stored.await.unwrap(), 3);
        assert_eq!(c.zinterstore("to", ["x", "y"]).await.unwrap(), 1);
        assert_eq!(c.zdiffstore("to", ["x", "y"]).await.unwrap(), 1);
        assert_eq!(c.zintercard(["x", "y"]).limit(5).await.unwrap(), 1);
        let (cursor, page) = c.zscan("x", 0).await.unwrap();
        assert_eq!((cursor, page), (0, scored(&[("a", 1.0), ("b", 2.0)])));
        let mut scan = c.scan_zset("x").matching("b");
        assert_eq!(scan.next().await.unwrap().unwrap(), ("b".into(), 2.0));
        assert!(scan.next().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn places() {
    on_every_server("GEOSEARCH", async |client: Client| {
        let c = &client;
        let palermo = (13.361_389, 38.115_556, "Palermo");
        let catania = (15.087_269, 37.502_669, "Catania");
        assert_eq!(c.geoadd("sicily", [palermo, catania]).await.unwrap(), 2);
        assert_eq!(c.geoadd("sicily", palermo).nx().ch().await.unwrap(), 0);
        let km = GeoUnit::Kilometres;
        let distance = c.geodist("sicily", "Palermo", "Catania", km).await.unwrap();
        assert_eq!(distance, Some(166.2742));
        assert_eq!(
            c.geodist("sicily", "Palermo", "nope", km).await.unwrap(),
            None
        );
        let hashes = c.geohash("sicily", ["Palermo", "nope"]).await.unwrap();
        assert_eq!(hashes, [Some("sqc8b49rny0".to_owned()), None]);
        let at = c.geopos("sicily", ["Palermo", "nope"]).await.unwrap();
        assert!((at[0].unwrap().0 - palermo.0).abs() < 1e-5 && at[1].is_none());

        let from = GeoFrom::lon_lat(15.0, 37.0);
        let by = GeoBy::Radius(200.0, km);
        assert_eq!(
            c.geosearch("sicily", from, by).asc().await.unwrap(),
            ["Catania", "Palermo"]
        );
        let all = c
            .geosearch("sicily", from, by)
            .withdist()
            .withhash()
            .withcoord()
            .desc();
        let found = all.await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].member, "Palermo");
        assert_eq!(found[0].distance, Some(190.4424));
        assert_eq!(found[0].hash, Some(3_479_099_956_230_698));
        assert!((found[0].position.unwrap().1 - palermo.1).abs() < 1e-5);
        let near = c.geosearch(
            "sicily",
            GeoFrom::Member("Catania"),
            GeoBy::Box(9.0, 9.0, km),
        );
        let near = near.withdist().count(1).await.unwrap();
        assert_eq!((near[0].distance, near[0].hash), (Some(0.0), None));
        let stored = c
            .geosearchstore("to", "sicily", from, by)
            .count_any(1)
            .storedist();
        assert_eq!(stored.await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn places_the_old_way() {
    on_every_server("GEORADIUS", async |client: Client| {
        let c = &client;
        c.geoadd(
            "s",
            [(13.361_389, 38.115_556, "P"), (15.087_269, 37.502_669, "C")],
        )
        .await
        .unwrap();
        let km = GeoUnit::Kilometres;
        assert_eq!(
            c.georadius("s", 15.0, 37.0, 100.0, km).await.unwrap(),
            ["C"]
        );
        let found = c
            .georadius_ro("s", 15.0, 37.0, 200.0, km)
            .withdist()
            .desc()
            .await
            .unwrap();
        assert_eq!(
            (&found[0].member, found[0].distance),
            (&"P".into(), Some(190.4424))
        );
        assert_eq!(
            c.georadiusbymember_ro("s", "C", 1.0, km).await.unwrap(),
            ["C"]
        );
        assert_eq!(
            c.georadiusbymember("s", "C", 1.0, km)
                .store("to")
                .await
                .unwrap(),
            1
        );
    })
    .await;
}
