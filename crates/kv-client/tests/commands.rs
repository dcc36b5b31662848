//! The typed commands against real servers, in RESP2 and RESP3.

#[path = "support/servers.rs"]
mod servers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use kv_client::{Client, Config, ErrorKind, ExpireTime, KeyType, Outcome, Side, Ttl};
use servers::{Redis, on_every_server};

#[tokio::test]
async fn strings() {
    on_every_server("PTTL", async |client: Client| {
        let c = &client;
        assert_eq!(c.get("k").await.unwrap(), None);
        c.set("k", "v").await.unwrap();
        assert_eq!(c.get("k").await.unwrap(), Some(Bytes::from("v")));
        assert!(!c.set("k", "w").nx().await.unwrap());
        assert!(c.set("k", "w").xx().await.unwrap());
        assert_eq!(c.set("k", "x").get().await.unwrap(), Some(Bytes::from("w")));
        c.set("k", "y")
            .ex(Duration::from_millis(90_500))
            .await
            .unwrap();
        c.set("k", "z").keepttl().await.unwrap();
        assert!(
            matches!(c.pttl("k").await.unwrap(), Ttl::Left(left) if left > Duration::from_secs(80))
        );
        assert_eq!(
            c.getex("k").persist().await.unwrap(),
            Some(Bytes::from("z"))
        );
        assert_eq!(c.ttl("k").await.unwrap(), Ttl::Persistent);
        c.getex("k").ex(Duration::from_secs(100)).await.unwrap();
        assert!(matches!(c.ttl("k").await.unwrap(), Ttl::Left(_)));
        assert_eq!(c.getdel("k").await.unwrap(), Some(Bytes::from("z")));
        assert_eq!(c.getset("k", "1").await.unwrap(), None);
        assert_eq!(c.append("k", "23").await.unwrap(), 3);
        assert_eq!(c.strlen("k").await.unwrap(), 3);
        assert_eq!(
            (c.incr("k").await.unwrap(), c.decr("k").await.unwrap()),
            (124, 123)
        );
        assert_eq!(
            (
                c.incrby("k", 7).await.unwrap(),
                c.decrby("k", 30).await.unwrap()
            ),
            (130, 100)
        );
        assert_eq!(c.incrbyfloat("k", 0.5).await.unwrap(), 100.5);
        assert_eq!(c.setrange("k", 3, "_").await.unwrap(), 5);
        assert_eq!(c.getrange("k", 0, -2).await.unwrap(), "100_");
        assert_eq!(c.substr("k", 3, 3).await.unwrap(), "_");
        c.setex("e", Duration::from_millis(1500), "v")
            .await
            .unwrap();
        c.psetex("e", Duration::from_secs(60), "v").await.unwrap();
        assert!(
            matches!(c.ttl("e").await.unwrap(), Ttl::Left(left) if left > Duration::from_secs(50))
        );
        c.mset([("a", "1"), ("b", "2")]).await.unwrap();
        assert_eq!(
            c.mget(["a", "nope", "b"]).await.unwrap(),
            [Some("1".into()), None, Some("2".into())]
        );
        assert!(!c.msetnx([("b", 1), ("c", 2)]).await.unwrap());
        assert!(c.setnx("c", 2).await.unwrap());
        c.mset([("x", "ohmytext"), ("y", "mynewtext")])
            .await
            .unwrap();
        assert_eq!(c.lcs("x", "y").await.unwrap(), "mytext");
        assert_eq!(c.lcs("x", "y").len().await.unwrap(), 6);
        assert!(!c.lcs("x", "y").idx(2).await.unwrap().is_null());
    })
    .await;
}

#[tokio::test]
async fn text_with_line_ends_and_binary_values_come_back_unharmed() {
    on_every_server("GET", async |client: Client| {
        let text = "r\u{e9}sum\u{e9}\r\n$5\r\n\u{4f60}\u{597d}\r\n";
        client.set("text", text).await.unwrap();
        assert_eq!(client.get("text").into::<String>().await.unwrap(), text);

        let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        client.set(&binary[..300], &binary).await.unwrap();
        assert_eq!(client.get(&binary[..300]).await.unwrap().unwrap(), binary);
        client
            .set("shared", Bytes::from(binary.clone()))
            .await
            .unwrap();
        assert_eq!(
            client.get("shared").into::<Vec<u8>>().await.unwrap(),
            binary
        );
        assert!(matches!(
            client
                .get("shared")
                .into::<String>()
                .await
                .unwrap_err()
                .kind(),
            ErrorKind::Reply(_)
        ));
        client.set("empty", "").await.unwrap();
        assert_eq!(client.get("empty").await.unwrap(), Some(Bytes::new()));
    })
    .await;
}

#[tokio::test]
async fn keys_and_expiry() {
    on_every_server("EXPIRE", async |client: Client| {
        let c = &client;
        c.mset([("a", 1), ("b", 2), ("c", 3)]).await.unwrap();
        assert_eq!(c.exists(["a", "b", "nope", "a"]).await.unwrap(), 3);
        assert_eq!(c.ttl("nope").await.unwrap(), Ttl::Missing);
        assert!(c.expire("a", Duration::from_secs(100)).await.unwrap());
        assert!(!c.expire("a", Duration::from_secs(50)).gt().await.unwrap());
        assert!(
            c.expire("a", Duration::from_millis(50_500))
                .lt()
                .await
                .unwrap()
        );
        assert!(!c.expire("b", Duration::from_secs(50)).xx().await.unwrap());
        assert!(c.pexpire("b", Duration::from_secs(50)).nx().await.unwrap());
        assert!(c.persist("b").await.unwrap());
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        assert!(c.expireat("c", at).await.unwrap());
        assert_eq!(c.expiretime("c").await.unwrap(), ExpireTime::At(at));
        let at = at + Duration::from_millis(7);
        assert!(c.pexpireat("c", at).await.unwrap());
        assert_eq!(c.pexpiretime("c").await.unwrap(), ExpireTime::At(at));
        assert_eq!(c.expiretime("b").await.unwrap(), ExpireTime::Persistent);

        assert_eq!(c.key_type("a").await.unwrap(), KeyType::String);
        assert_eq!(c.key_type("nope").await.unwrap(), KeyType::None);
        c.rename("a", "z").await.unwrap();
        assert!(!c.renamenx("z", "b").await.unwrap());
        assert!(c.copy("z", "y").await.unwrap());
        assert!(!c.copy("z", "b").await.unwrap());
        assert!(c.copy("z", "b").replace().await.unwrap());
        assert_eq!(
            c.keys("?").into::<BTreeSet<String>>().await.unwrap().len(),
            4
        );
        assert!(c.randomkey().await.unwrap().is_some());
        assert_eq!(c.touch(["z", "nope"]).await.unwrap(), 1);
        assert_eq!(
            c.object_encoding("z").await.unwrap().as_deref(),
            Some("int")
        );
        assert_eq!(c.dbsize().await.unwrap(), 4);
        assert_eq!(
            (
                c.del(["z", "nope"]).await.unwrap(),
                c.unlink("y").await.unwrap()
            ),
            (1, 1)
        );
        c.flushdb().await.unwrap();
        assert_eq!(c.dbsize().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_scan_returns_every_key() {
    on_every_server("SCAN", async |client: Client| {
        let keys: BTreeSet<String> = (0..500).map(|n| format!("key:{n}")).collect();
        client
            .mset(keys.iter().map(|key| (key, 1)).collect::<Vec<_>>())
            .await
            .unwrap();
        client.set("other", 1).await.unwrap();
        let mut found = BTreeSet::new();
        let mut scan = client
            .scan_keys()
            .matching("key:*")
            .count(50)
            .of_type("string");
        while let Some(key) = scan.next().await {
            found.insert(String::from_utf8(key.unwrap().to_vec()).unwrap());
        }
        assert_eq!(found, keys);
        assert!(scan.next().await.is_none(), "it stays at the end");
        let (cursor, page) = client.scan(0).matching("key:1?").count(1000).await.unwrap();
        assert_eq!((cursor, page.len()), (0, 10));
    })
    .await;
}

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
            async move { client.blpop(["q", "r"], Duration::from_secs(10)).await }
        });
        let blocked = async {
            while !client.client_list().await.unwrap().contains("cmd=blpop") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), blocked)
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

#[tokio::test]
async fn pipelines_and_transactions_keep_types_apart() {
    on_every_server("MULTI", async |client: Client| {
        let c = &client;
        let (set, n, value, len) = c
            .pipeline((c.set("k", 41), c.incr("k"), c.get("k"), c.strlen("k")))
            .await
            .unwrap();
        let () = set;
        assert_eq!((n, value, len), (42, Some("42".into()), 2));
        let many = c
            .pipeline(
                (0..1000)
                    .map(|n| c.set(n.to_string(), n))
                    .collect::<Vec<_>>(),
            )
            .await
            .unwrap();
        assert_eq!(many.len(), 1000);
        let [a, b] = c
            .pipeline([c.get("7").into::<i64>(), c.get("8").into()])
            .await
            .unwrap();
        assert_eq!((a, b), (7, 8));

        let (ok, wrong, after) = c
            .pipeline((
                c.incr("k"),
                c.append("k", "x").into::<Vec<String>>(),
                c.incr("k"),
            ))
            .results()
            .await;
        assert_eq!(ok.unwrap(), 43);
        let wrong = wrong.unwrap_err();
        assert_eq!(
            (wrong.outcome(), wrong.command()),
            (Outcome::Executed, Some("APPEND"))
        );
        assert_eq!(after.unwrap_err().outcome(), Outcome::Rejected);

        c.set("k", 1).await.unwrap();
        assert_eq!(
            c.transaction((c.incr("k"), c.get("k").into::<i64>()))
                .await
                .unwrap(),
            (2, 2)
        );
        let (good, bad) = c
            .transaction((c.incr("k"), c.getex("k").ex(Duration::ZERO)))
            .results()
            .await
            .unwrap();
        assert_eq!(good.unwrap(), 3);
        assert_eq!(bad.unwrap_err().command(), Some("GETEX"));
        let error = c
            .transaction((c.incr("k"), c.command("NO-SUCH-COMMAND")))
            .await
            .unwrap_err();
        assert_eq!(
            (error.command(), error.outcome()),
            (Some("NO-SUCH-COMMAND"), Outcome::Rejected)
        );
        assert_eq!(
            c.get("k").into::<i64>().await.unwrap(),
            3,
            "nothing of it was run"
        );
        assert_eq!(
            c.pipeline(Vec::<kv_client::Command<'_, i64>>::new())
                .await
                .unwrap(),
            [0i64; 0]
        );
    })
    .await;
}

#[tokio::test]
async fn the_connection_itself() {
    on_every_server("INFO", async |client: Client| {
        client.ping().await.unwrap();
        assert_eq!(client.echo("hi").await.unwrap(), "hi");
        client.set("where", "0").await.unwrap();
        client.select(1).await.unwrap();
        assert_eq!(client.get("where").await.unwrap(), None);
        client.select(0).await.unwrap();
        client.client_setname("me").await.unwrap();
        assert_eq!(
            client.client_getname().await.unwrap().as_deref(),
            Some("me")
        );
        assert!(client.client_id().await.unwrap() > 0);
        assert!(client.client_info().await.unwrap().contains("name=me"));
        assert!(
            client
                .info("server")
                .await
                .unwrap()
                .contains("redis_version")
        );
        let skew = client
            .time()
            .await
            .unwrap()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        assert!(skew > Duration::from_secs(1_600_000_000));
        assert_eq!(
            client
                .auth("no password is set")
                .await
                .unwrap_err()
                .outcome(),
            Outcome::Rejected
        );
    })
    .await;
}

#[tokio::test]
async fn a_restarted_server_is_found_again_with_login_and_database() {
    let Some(mut redis) = Redis::start(&["--requirepass", "secret"]).await else {
        return;
    };
    let config = redis
        .config()
        .credentials(kv_client::Credentials::password("secret"))
        .db(3)
        .client_name("phoenix");
    let client = Client::connect(config).await.unwrap();
    for round in 1..=3u64 {
        redis.kill();
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { client.set("k", "v").await }
        });
        redis.start_again().await;
        waiting.await.unwrap().unwrap();
        assert_eq!(client.get("k").await.unwrap(), Some("v".into()));
        let info = client.client_info().await.unwrap();
        assert!(
            info.contains("db=3") && info.contains("name=phoenix"),
            "{info}"
        );
        assert!(client.stats().connections > round);
    }
    let error = Client::connect(redis.config()).await.unwrap_err();
    assert_eq!(error.code(), Some("NOAUTH"));
}

#[tokio::test]
async fn unix_sockets_and_streams_in_memory_work_as_tcp_does() {
    let path = std::env::temp_dir().join(format!("kv-client-{}.sock", std::process::id()));
    let server = std::sync::Arc::new(
        kv_server::Server::builder()
            .unix_socket(&path)
            .start()
            .await
            .unwrap(),
    );
    let unix = Client::connect(format!("redis+unix://{}", path.display()))
        .await
        .unwrap();
    let memory = {
        let server = std::sync::Arc::clone(&server);
        Client::connect(Config::connector(move || {
            std::future::ready(Ok(server.connect()))
        }))
        .await
        .unwrap()
    };
    let tcp = Client::connect(server.addr()).await.unwrap();
    unix.set("k", "v").await.unwrap();
    assert_eq!(memory.get("k").await.unwrap(), Some("v".into()));
    assert_eq!(tcp.get("k").await.unwrap(), Some("v".into()));
}
