//! Typed commands on bits, HyperLogLogs, scripts, order and the server itself against real servers, in RESP2 and RESP3.

#[path = "support/mod.rs"]
mod peers;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use kv_client::BitField::{Signed, Unsigned};
use kv_client::{
    BitOp, BitOverflow, Client, ClientFilter, ExpireTime, FieldChange, Outcome, ServerRole, Side,
    Ttl,
};
use servers::{Redis, on_every_server};

#[tokio::test]
async fn bits() {
    on_every_server("BITFIELD_RO", async |client: Client| {
        let c = &client;
        assert!(!c.setbit("b", 7, true).await.unwrap());
        assert!(c.getbit("b", 7).await.unwrap());
        c.set("b", "foobar").await.unwrap();
        assert_eq!(c.bitcount("b").await.unwrap(), 26);
        assert_eq!(c.bitcount("b").bytes(1, 1).await.unwrap(), 6);
        assert_eq!(c.bitcount("b").bits(5, 30).await.unwrap(), 17);
        assert_eq!(c.bitpos("b", true).await.unwrap(), Some(1));
        assert_eq!(c.bitpos("b", true).bytes(-1, -1).await.unwrap(), Some(41));
        assert_eq!(c.bitpos("nope", true).await.unwrap(), None);
        c.set("m", "abcdef").await.unwrap();
        assert_eq!(c.bitop(BitOp::And, "to", ["b", "m"]).await.unwrap(), 6);
        assert_eq!(c.get("to").await.unwrap().unwrap(), "`bc`ab");
        assert_eq!(c.bitop(BitOp::Not, "to", "b").await.unwrap(), 6);

        let numbers = c
            .bitfield("f")
            .incrby(Signed(5), 100, 1)
            .get(Unsigned(4), 0)
            .overflow(BitOverflow::Saturate)
            .set(Unsigned(8), "#3", 250)
            .incrby(Unsigned(8), "#3", 10)
            .overflow(BitOverflow::Fail)
            .incrby(Unsigned(8), "#3", 1)
            .await
            .unwrap();
        assert_eq!(numbers, [Some(1), Some(0), Some(0), Some(255), None]);
        let read = c.bitfield_ro("f").get(Unsigned(8), 24).get(Signed(5), 100);
        assert_eq!(read.await.unwrap(), [255, 1]);
    })
    .await;
}

#[tokio::test]
async fn rough_counts() {
    on_every_server("PFCOUNT", async |client: Client| {
        let c = &client;
        assert!(c.pfadd("h", ["a", "b", "c"]).await.unwrap());
        assert!(!c.pfadd("h", "a").await.unwrap());
        c.pfadd("i", ["c", "d"]).await.unwrap();
        assert_eq!(c.pfcount("h").await.unwrap(), 3);
        assert_eq!(c.pfcount(["h", "i"]).await.unwrap(), 4);
        c.pfmerge("to", ["h", "i"]).await.unwrap();
        assert_eq!(c.pfcount("to").await.unwrap(), 4);
    })
    .await;
}

#[tokio::test]
async fn scripts() {
    on_every_server("EVAL_RO", async |client: Client| {
        let c = &client;
        let add = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
        let sum: i64 = c.eval(add, "n", 5).into().await.unwrap();
        let sha = c.script_load(add).await.unwrap();
        let more: i64 = c.evalsha(&sha, ["n"], [7]).into().await.unwrap();
        assert_eq!((sum, more), (5, 12));
        let read: String = c
            .eval_ro("return redis.call('GET', KEYS[1])", "n", ())
            .into()
            .await
            .unwrap();
        assert_eq!(read, "12");
        let list: (i64, String) = c
            .eval("return {1, ARGV[2]}", (), ["a", "b"])
            .into()
            .await
            .unwrap();
        assert_eq!(list, (1, "b".to_owned()));
        assert_eq!(
            c.script_exists([&sha[..], "nope"]).await.unwrap(),
            [true, false]
        );
        c.script_flush().at_once().await.unwrap();
        let unknown = c.evalsha_ro(&sha, "n", ()).await.unwrap_err();
        assert_eq!(
            (unknown.code(), unknown.outcome()),
            (Some("NOSCRIPT"), Outcome::Rejected)
        );
        assert_eq!(c.script_kill().await.unwrap_err().code(), Some("NOTBUSY"));
    })
    .await;
}

#[tokio::test]
async fn functions() {
    on_every_server("FCALL", async |client: Client| {
        let c = &client;
        let code = "#!lua name=lib\n\
            redis.register_function{function_name='twice', callback=function(keys, args) return args[1] * 2 end, flags={'no-writes'}}";
        assert_eq!(c.function_load(code).await.unwrap(), "lib");
        assert!(c.function_load(code).await.is_err());
        assert_eq!(c.function_load(code).replace().await.unwrap(), "lib");
        assert_eq!(c.fcall("twice", (), 21).into::<i64>().await.unwrap(), 42);
        assert_eq!(c.fcall_ro("twice", "k", 4).into::<i64>().await.unwrap(), 8);
        let libraries = c.function_list().library("l*").withcode().await.unwrap();
        assert_eq!((&libraries[0].name[..], &libraries[0].engine[..]), ("lib", "LUA"));
        assert_eq!(libraries[0].functions[0].name, "twice");
        assert_eq!(libraries[0].functions[0].flags, ["no-writes"]);
        assert_eq!(libraries[0].code.as_deref(), Some(code));
        assert_eq!(c.function_list().await.unwrap()[0].code, None);
        let dump = c.function_dump().await.unwrap();
        c.function_flush().await.unwrap();
        c.function_restore(dump).await.unwrap();
        let stats = c.function_stats().await.unwrap();
        assert_eq!((stats.engines["LUA"], stats.running), ((1, 1), None));
        c.function_delete("lib").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn order() {
    on_every_server("SORT_RO", async |client: Client| {
        let c = &client;
        c.rpush("l", [3, 1, 2]).await.unwrap();
        let words = |list: Vec<Option<Bytes>>| {
            let words = list
                .into_iter()
                .map(|word| word.unwrap_or_else(|| "-".into()));
            words
                .map(|word| String::from_utf8(word.to_vec()).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(words(c.sort("l").await.unwrap()), ["1", "2", "3"]);
        assert_eq!(words(c.sort("l").desc().limit(0, 1).await.unwrap()), ["3"]);
        c.mset([("w_1", 30), ("w_2", 20), ("w_3", 10), ("o_2", 7)])
            .await
            .unwrap();
        let both = c
            .sort_ro("l")
            .by("w_*")
            .get_pattern("#")
            .get_pattern("o_*")
            .await
            .unwrap();
        assert_eq!(words(both), ["3", "-", "2", "7", "1", "-"]);
        assert_eq!(c.sort("l").alpha().store("to").await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn the_rest_of_lists_and_hashes() {
    on_every_server("LMPOP", async |client: Client| {
        let c = &client;
        c.rpush("l", ["a", "b", "a", "c"]).await.unwrap();
        assert_eq!(c.lpos("l", "a").rank(2).await.unwrap(), Some(2));
        assert_eq!(c.lpos("l", "a").count(0).await.unwrap(), [0, 2]);
        assert_eq!(c.lpos("l", "nope").await.unwrap(), None);
        assert_eq!(c.rpoplpush("l", "m").await.unwrap().unwrap(), "c");
        let popped = c.lmpop(["nope", "l"], Side::Left).count(2).await.unwrap();
        assert_eq!(popped, Some(("l".into(), vec!["a".into(), "b".into()])));
        let some = Duration::from_secs(5);
        let popped = c.blmpop(some, "l", Side::Right).await.unwrap();
        assert_eq!(popped, Some(("l".into(), vec!["a".into()])));
        assert_eq!(c.brpoplpush("m", "n", some).await.unwrap().unwrap(), "c");
        assert_eq!(c.lmpop("nope", Side::Left).await.unwrap(), None);
        c.hset("h", [("a", 1), ("b", 2)]).await.unwrap();
        let mut pairs = c.hrandfield("h", 9).withvalues().await.unwrap();
        pairs.sort();
        assert_eq!(pairs, [("a".into(), "1".into()), ("b".into(), "2".into())]);
        c.sadd("s", [1, 2]).await.unwrap();
        c.sadd("t", [2, 3]).await.unwrap();
        assert_eq!(c.sintercard(["s", "t"]).limit(9).await.unwrap(), 1);
    })
    .await;
}

/// No server that is at hand knows these yet, so it is checked what goes out and how what may come back is read.
#[tokio::test]
async fn fields_that_end() {
    let (config, mut peers) = peers::peers(1024);
    let connecting = tokio::spawn(async move { Client::connect(config).await.unwrap() });
    let mut peer = peers.accept().await;
    let c = &connecting.await.unwrap();
    macro_rules! exchange {
        ($command:expr, $request:expr, $reply:expr) => {{
            let answer = async {
                let request: Vec<&str> = $request.split(' ').collect();
                peer.expect(&request).await;
                peer.send($reply).await;
            };
            tokio::join!($command.into_future(), answer).0.unwrap()
        }};
    }
    let minute = Duration::from_secs(60);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    assert_eq!(
        exchange!(
            c.hexpire("h", minute, ["a", "b"]).nx(),
            "HEXPIRE h 60 NX FIELDS 2 a b",
            "*2\r\n:1\r\n:-2\r\n"
        ),
        [FieldChange::Changed, FieldChange::Missing]
    );
    assert_eq!(
        exchange!(
            c.hexpire("h", Duration::from_millis(1500), "a"),
            "HPEXPIRE h 1500 FIELDS 1 a",
            "*1\r\n:2\r\n"
        ),
        [FieldChange::Deleted]
    );
    assert_eq!(
        exchange!(
            c.hpersist("h", "a"),
            "HPERSIST h FIELDS 1 a",
            "*1\r\n:-1\r\n"
        ),
        [FieldChange::Unchanged]
    );
    assert_eq!(
        exchange!(
            c.httl("h", ["a", "b", "c"]),
            "HTTL h FIELDS 3 a b c",
            "*3\r\n:7\r\n:-1\r\n:-2\r\n"
        ),
        [
            Ttl::Left(Duration::from_secs(7)),
            Ttl::Persistent,
            Ttl::Missing
        ]
    );
    assert_eq!(
        exchange!(
            c.hpexpiretime("h", "a"),
            "HPEXPIRETIME h FIELDS 1 a",
            "*1\r\n:4000000000000\r\n"
        ),
        [ExpireTime::At(at)]
    );
    assert!(exchange!(
        c.hsetex("h", [("a", 1), ("b", 2)]).fnx().ex_at(at),
        "HSETEX h FNX PXAT 4000000000000 FIELDS 2 a 1 b 2",
        ":1\r\n"
    ));
    assert_eq!(
        exchange!(
            c.hgetex("h", ["a", "b"]).persist(),
            "HGETEX h PERSIST FIELDS 2 a b",
            "*2\r\n$1\r\n1\r\n$-1\r\n"
        ),
        [Some("1".into()), None]
    );
}

#[tokio::test]
async fn the_server_itself() {
    let Some(redis) = Redis::start(&[
        "--latency-monitor-threshold",
        "1",
        "--enable-debug-command",
        "yes",
    ])
    .await
    else {
        return;
    };
    for protocol in [2, 3] {
        let url = format!("redis://{}?protocol={protocol}", redis.addr);
        let client = Client::connect(url).await.unwrap();
        let c = &client;
        c.config_set([
            ("maxmemory-policy", "allkeys-lru"),
            ("slowlog-log-slower-than", "0"),
        ])
        .await
        .unwrap();
        assert_eq!(
            c.config_get(["maxmemory-pol*"]).await.unwrap()["maxmemory-policy"],
            "allkeys-lru"
        );
        c.config_resetstat().await.unwrap();
        c.set("k", "v").await.unwrap();
        let slow = c.slowlog_get(-1).await.unwrap();
        assert!(slow.iter().any(|slow| slow.args == ["SET", "k", "v"]));
        assert!(c.slowlog_len().await.unwrap() > 0);
        c.slowlog_reset().await.unwrap();
        c.debug(("SLEEP", "0.02")).await.unwrap();
        let events = c.latency_latest().await.unwrap();
        assert!(
            events
                .iter()
                .any(|event| event.name == "command" && event.max >= Duration::from_millis(20))
        );
        assert!(!c.latency_history("command").await.unwrap().is_empty());
        assert!(c.latency_histogram("set").await.unwrap()["set"].calls > 0);
        assert!(
            c.latency_graph("command")
                .await
                .unwrap()
                .contains("command")
        );
        assert!(!c.latency_doctor().await.unwrap().is_empty());
        assert!(c.latency_reset(()).await.unwrap() > 0);
        assert!(c.memory_usage("k").samples(0).await.unwrap().unwrap() > 0);
        assert_eq!(c.memory_usage("nope").await.unwrap(), None);
        assert!(
            c.memory_stats()
                .await
                .unwrap()
                .contains_key("peak.allocated")
        );
        c.memory_doctor().await.unwrap();
        assert_eq!(
            c.role().await.unwrap(),
            ServerRole::Primary {
                offset: 0,
                replicas: vec![]
            }
        );
        assert!(c.lastsave().await.unwrap() <= c.time().await.unwrap());
        assert!(c.lolwut().await.unwrap().contains("Redis"));
        assert_eq!(c.wait(0, Duration::from_millis(1)).await.unwrap(), 0);
        assert!(c.module_list().await.unwrap().is_empty());
        assert!(c.help("object").await.unwrap().len() > 3);

        assert_eq!(c.acl_whoami().await.unwrap(), "default");
        c.acl_setuser("ada", ["on", ">secret", "~app:*", "+@read"])
            .await
            .unwrap();
        let ada = c.acl_getuser("ada").await.unwrap().unwrap();
        assert!(ada.flags.contains(&"on".to_owned()) && ada.commands.contains("+@read"));
        assert_eq!(ada.keys.0, "~app:*");
        assert_eq!(c.acl_getuser("nobody").await.unwrap(), None);
        assert_eq!(c.acl_dryrun("ada", "GET", "app:1").await.unwrap(), "OK");
        assert!(
            c.acl_dryrun("ada", "SET", ["app:1", "v"])
                .await
                .unwrap()
                .contains("no permissions")
        );
        assert!(
            c.acl_cat_of("bitmap")
                .await
                .unwrap()
                .contains(&"getbit".to_owned())
        );
        assert_eq!(c.acl_genpass(128).await.unwrap().len(), 32);
        c.auth_user("ada", "wrong").await.unwrap_err();
        let log = c.acl_log(1).await.unwrap();
        assert_eq!((&log[0].reason[..], &log[0].username[..]), ("auth", "ada"));
        c.acl_log_reset().await.unwrap();
        assert_eq!(c.acl_users().await.unwrap().len(), 2);
        assert_eq!(c.acl_deluser("ada").await.unwrap(), 1);

        assert!(c.command_count().await.unwrap() > 200);
        let info = c.command_info(["get", "nope", "config|get"]).await.unwrap();
        assert_eq!(
            (info[0].as_ref().unwrap().arity, info[1].is_none()),
            (2, true)
        );
        assert_eq!(
            c.command_all().await.unwrap().len() as u64,
            c.command_count().await.unwrap()
        );
        assert_eq!(c.command_list().matching("ge?").await.unwrap(), ["get"]);
        let keys = c
            .command_getkeysandflags("LMOVE", ["a", "b", "LEFT", "RIGHT"])
            .await
            .unwrap();
        assert_eq!(
            (&keys[1].0, keys[1].1.contains(&"insert".to_owned())),
            (&"b".into(), true)
        );
        assert!(c.command_docs("get").await.unwrap().contains_key("get"));

        let other = Client::connect(redis.config()).await.unwrap();
        let id = other.client_id().await.unwrap();
        assert_eq!(c.client_kill(ClientFilter::new().id(id)).await.unwrap(), 1);
        assert!(!c.client_unblock(999_999).await.unwrap());
        assert_eq!(c.client_trackinginfo().await.unwrap().flags, ["off"]);
        c.client_no_evict(true).await.unwrap();
        c.client_pause(Duration::from_millis(1))
            .writes_only()
            .await
            .unwrap();
        c.client_unpause().await.unwrap();
        c.flushall().lazily().await.unwrap();
    }
}

#[tokio::test]
async fn a_node_says_what_it_knows_of_its_cluster() {
    let dir = std::env::temp_dir().join(format!("kv-client-node-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let dir_text = dir.display().to_string();
    let Some(redis) = Redis::start(&["--cluster-enabled", "yes", "--dir", &dir_text]).await else {
        return;
    };
    for protocol in [2, 3] {
        let url = format!("redis://{}?protocol={protocol}", redis.addr);
        let client = Client::connect(url).await.unwrap();
        let c = &client;
        if protocol == 2 {
            c.cluster_addslotsrange((0, 16383)).await.unwrap();
        }
        let me = c.cluster_myid().await.unwrap();
        assert_eq!(c.cluster_keyslot("{user}:1").await.unwrap(), 5474);
        let slots = c.cluster_slots().await.unwrap();
        assert_eq!((slots[0].start, slots[0].end), (0, 16383));
        assert_eq!(
            (slots[0].nodes[0].1, &slots[0].nodes[0].2),
            (redis.addr.port(), &me)
        );
        let shards = c.cluster_shards().await.unwrap();
        assert_eq!(shards[0].slots, [(0, 16383)]);
        assert_eq!(
            (shards[0].nodes[0].port, &shards[0].nodes[0].role[..]),
            (Some(redis.addr.port()), "master")
        );
        assert!(c.cluster_nodes_text().await.unwrap().contains(&me));
        assert!(
            c.cluster_info()
                .await
                .unwrap()
                .contains("cluster_known_nodes:1")
        );
        assert_eq!(c.cluster_countkeysinslot(1).await.unwrap(), 0);
        assert!(c.cluster_getkeysinslot(1, 9).await.unwrap().is_empty());
        assert!(c.cluster_links().await.unwrap().is_empty());
        c.cluster_saveconfig().await.unwrap();
    }
    drop(redis);
    std::fs::remove_dir_all(dir).unwrap();
}
