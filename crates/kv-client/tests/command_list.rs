//! Every command of Redis 7.2 has a typed form or a place in the interface, and what the client knows of it is what Redis says.

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use kv_client::{
    BitField, BitOp, Class, Client, ClientFilter, Config, GeoBy, GeoFrom, GeoUnit, Request,
    ScoreEnd, Side, SlotState, Trim,
};
use servers::Redis;

/// All commands of Redis 7.2.
const COMMANDS: &str = "\
    ACL APPEND ASKING AUTH BGREWRITEAOF BGSAVE BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS BLMOVE \
    BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT CLUSTER COMMAND CONFIG COPY DBSIZE \
    DEBUG DECR DECRBY DEL DISCARD DUMP ECHO EVAL EVALSHA EVALSHA_RO EVAL_RO EXEC EXISTS EXPIRE \
    EXPIREAT EXPIRETIME FAILOVER FCALL FCALL_RO FLUSHALL FLUSHDB FUNCTION GEOADD GEODIST GEOHASH \
    GEOPOS GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GEOSEARCHSTORE \
    GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HELLO HEXISTS HGET HGETALL HINCRBY HINCRBYFLOAT \
    HKEYS HLEN HMGET HMSET HRANDFIELD HSCAN HSET HSETNX HSTRLEN HVALS INCR INCRBY INCRBYFLOAT INFO \
    KEYS LASTSAVE LATENCY LCS LINDEX LINSERT LLEN LMOVE LMPOP LOLWUT LPOP LPOS LPUSH LPUSHX LRANGE \
    LREM LSET LTRIM MEMORY MGET MIGRATE MODULE MONITOR MOVE MSET MSETNX MULTI OBJECT PERSIST PEXPIRE \
    PEXPIREAT PEXPIRETIME PFADD PFCOUNT PFDEBUG PFMERGE PFSELFTEST PING PSETEX PSUBSCRIBE PSYNC PTTL \
    PUBLISH PUBSUB PUNSUBSCRIBE QUIT RANDOMKEY READONLY READWRITE RENAME RENAMENX REPLCONF REPLICAOF \
    RESET RESTORE RESTORE-ASKING ROLE RPOP RPOPLPUSH RPUSH RPUSHX SADD SAVE SCAN SCARD SCRIPT SDIFF \
    SDIFFSTORE SELECT SET SETBIT SETEX SETNX SETRANGE SHUTDOWN SINTER SINTERCARD SINTERSTORE \
    SISMEMBER SLAVEOF SLOWLOG SMEMBERS SMISMEMBER SMOVE SORT SORT_RO SPOP SPUBLISH SRANDMEMBER SREM \
    SSCAN SSUBSCRIBE STRLEN SUBSCRIBE SUBSTR SUNION SUNIONSTORE SUNSUBSCRIBE SWAPDB SYNC TIME TOUCH \
    TTL TYPE UNLINK UNSUBSCRIBE UNWATCH WAIT WAITAOF WATCH XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP \
    XINFO XLEN XPENDING XRANGE XREAD XREADGROUP XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFF \
    ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN \
    ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX \
    ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE \
    ZUNION ZUNIONSTORE";

/// Those of them that have subcommands, which follow them.
const SUBCOMMANDS: &[(&str, &str)] = &[
    (
        "ACL",
        "CAT DELUSER DRYRUN GENPASS GETUSER HELP LIST LOAD LOG SAVE SETUSER USERS WHOAMI",
    ),
    (
        "CLIENT",
        "CACHING CAPA GETNAME GETREDIR HELP ID INFO KILL LIST NO-EVICT NO-TOUCH PAUSE REPLY SETINFO \
        SETNAME TRACKING TRACKINGINFO UNBLOCK UNPAUSE",
    ),
    (
        "CLUSTER",
        "ADDSLOTS ADDSLOTSRANGE BUMPEPOCH COUNT-FAILURE-REPORTS COUNTKEYSINSLOT DELSLOTS DELSLOTSRANGE \
        FAILOVER FLUSHSLOTS FORGET GETKEYSINSLOT HELP INFO KEYSLOT LINKS MEET MYID MYSHARDID NODES \
        REPLICAS REPLICATE RESET SAVECONFIG SET-CONFIG-EPOCH SETSLOT SHARDS SLAVES SLOT-STATS SLOTS",
    ),
    (
        "COMMAND",
        "COUNT DOCS GETKEYS GETKEYSANDFLAGS HELP INFO LIST",
    ),
    ("CONFIG", "GET HELP RESETSTAT REWRITE SET"),
    (
        "FUNCTION",
        "DELETE DUMP FLUSH HELP KILL LIST LOAD RESTORE STATS",
    ),
    (
        "LATENCY",
        "DOCTOR GRAPH HELP HISTOGRAM HISTORY LATEST RESET",
    ),
    ("MEMORY", "DOCTOR HELP MALLOC-STATS PURGE STATS USAGE"),
    ("MODULE", "HELP LIST LOAD LOADEX UNLOAD"),
    ("OBJECT", "ENCODING FREQ HELP IDLETIME REFCOUNT"),
    (
        "PUBSUB",
        "CHANNELS HELP NUMPAT NUMSUB SHARDCHANNELS SHARDNUMSUB",
    ),
    ("SCRIPT", "DEBUG EXISTS FLUSH HELP KILL LOAD SHOW"),
    ("SLOWLOG", "GET HELP LEN RESET"),
    (
        "XGROUP",
        "CREATE CREATECONSUMER DELCONSUMER DESTROY HELP SETID",
    ),
    ("XINFO", "CONSUMERS GROUPS HELP STREAM"),
];

/// The fields of a hash that end, as of Redis 7.4 and 8.0.
const FIELD_TTL: &str = "\
    HEXPIRE HEXPIREAT HEXPIRETIME HGETDEL HGETEX HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL \
    HSETEX HTTL";

/// What is no command on a shared connection, and what there is in its place.
const ELSEWHERE: &[(&str, &str)] = &[
    ("ASKING", "sent by the client where a cluster asks for it"),
    ("CLIENT CACHING", "client-side caching"),
    (
        "CLIENT CAPA",
        "what a server may assume is the client's own business",
    ),
    (
        "CLIENT REPLY",
        "every command has a reply, which is how it is known to have run",
    ),
    ("CLIENT TRACKING", "client-side caching"),
    ("DISCARD", "Client::transaction"),
    ("EXEC", "Client::transaction"),
    ("HELLO", "Config::protocol"),
    ("MONITOR", "a stream"),
    ("MULTI", "Client::transaction"),
    ("PSUBSCRIBE", "Client::subscribe"),
    ("PSYNC", "for replicas"),
    ("PUNSUBSCRIBE", "dropping the subscription"),
    ("QUIT", "Client::close"),
    (
        "READONLY",
        "where a client reads is a matter of its configuration",
    ),
    ("READWRITE", "the same"),
    ("REPLCONF", "for replicas"),
    ("RESET", "Client::close, and a new client"),
    ("SCRIPT DEBUG", "for redis-cli --ldb"),
    ("SSUBSCRIBE", "Client::subscribe"),
    ("SUBSCRIBE", "Client::subscribe"),
    ("SUNSUBSCRIBE", "dropping the subscription"),
    ("SYNC", "for replicas"),
    ("UNSUBSCRIBE", "dropping the subscription"),
    ("UNWATCH", "the optimistic transaction"),
    ("WATCH", "the optimistic transaction"),
];

/// Each command in its typed form, with the options that add keys or change the class.
#[rustfmt::skip] // many to a line
fn samples(c: &Client) -> Vec<Request> {
    let second = Duration::from_secs(1);
    let millis = Duration::from_millis(1500);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    let here = GeoFrom::lon_lat(15.0, 37.0);
    let near = GeoBy::Radius(1.0, GeoUnit::Kilometres);
    let pair = ("f", "v");
    let left = Side::Left;
    let min = ScoreEnd::Min;
    macro_rules! requests {
        ($($command:expr),+ $(,)?) => {
            vec![$($command.request().clone()),+]
        };
    }
    let strings = requests![
        c.append("k", "v"), c.decr("k"), c.decrby("k", 1), c.get("k"), c.getdel("k"), c.getex("k"),
        c.getex("k").persist(), c.getrange("k", 0, 1), c.getset("k", "v"), c.incr("k"), c.incrby("k", 1),
        c.incrbyfloat("k", 1.0), c.lcs("k", "l"), c.mget(["k", "l"]), c.mset([("k", 1), ("l", 2)]),
        c.msetnx([("k", 1), ("l", 2)]), c.psetex("k", second, "v"), c.set("k", "v"), c.set("k", "v").nx(),
        c.setex("k", second, "v"), c.setnx("k", "v"), c.setrange("k", 0, "v"), c.strlen("k"), c.substr("k", 0, 1),
        c.bitcount("k").bytes(0, 1), c.bitfield("k").get(BitField::Unsigned(8), 0), c.setbit("k", 1, true),
        c.bitfield_ro("k").get(BitField::Unsigned(8), 0), c.bitop(BitOp::And, "d", ["k", "l"]), c.getbit("k", 1),
        c.bitpos("k", true).bits(0, 1), c.pfadd("k", "e"), c.pfcount(["k", "l"]), c.pfmerge("d", ["k", "l"]),
        c.pfdebug("ENCODING", "k"), c.pfselftest(),
    ];
    let lists = requests![
        c.blmove("k", "l", left, left, second), c.blmpop(second, ["k", "l"], left), c.blpop(["k", "l"], second),
        c.brpop("k", second), c.brpoplpush("k", "l", second), c.lindex("k", 0), c.linsert_before("k", "p", "v"),
        c.linsert_after("k", "p", "v"), c.llen("k"), c.lmove("k", "l", left, left), c.lmpop(["k", "l"], left).count(2),
        c.lpop("k"), c.lpop_count("k", 2), c.lpos("k", "v").rank(1).count(2), c.lpush("k", "v"), c.lpushx("k", "v"),
        c.lrange("k", 0, 1), c.lrem("k", 0, "v"), c.lset("k", 0, "v"), c.ltrim("k", 0, 1), c.rpop("k"),
        c.rpop_count("k", 2), c.rpoplpush("k", "l"), c.rpush("k", "v"), c.rpushx("k", "v"),
    ];
    let sets = requests![
        c.sadd("k", "m"), c.scard("k"), c.sdiff(["k", "l"]), c.sdiffstore("d", ["k", "l"]), c.sinter(["k", "l"]),
        c.sintercard(["k", "l"]).limit(1), c.sinterstore("d", ["k", "l"]), c.sismember("k", "m"), c.smembers("k"),
        c.smismember("k", ["m", "n"]), c.smove("k", "l", "m"), c.spop("k"), c.spop_count("k", 2), c.srandmember("k", 2),
        c.srem("k", "m"), c.sscan("k", 0), c.sunion(["k", "l"]), c.sunionstore("d", ["k", "l"]),
    ];
    let hashes = requests![
        c.hdel("k", "f"), c.hexists("k", "f"), c.hget("k", "f"), c.hgetall("k"), c.hincrby("k", "f", 1),
        c.hincrbyfloat("k", "f", 1.0), c.hkeys("k"), c.hlen("k"), c.hmget("k", ["f", "g"]), c.hmset("k", pair),
        c.hrandfield("k", 2).withvalues(), c.hscan("k", 0), c.hset("k", pair), c.hsetnx("k", "f", "v"),
        c.hstrlen("k", "f"), c.hvals("k"), c.hexpire("k", second, "f"), c.hexpire("k", millis, "f").gt(),
        c.hpexpire("k", second, "f"), c.hexpireat("k", at, "f"), c.hpexpireat("k", at, "f"), c.hpersist("k", "f"),
        c.httl("k", "f"), c.hpttl("k", "f"), c.hexpiretime("k", "f"), c.hpexpiretime("k", "f"), c.hgetdel("k", "f"),
        c.hgetex("k", "f").persist(), c.hsetex("k", [pair]).ex(second),
    ];
    let sorted_sets = requests![
        c.bzmpop(second, ["k", "l"], min), c.bzpopmax(["k", "l"], second), c.bzpopmin("k", second),
        c.zadd("k", (1, "m")).gt().ch(), c.zadd("k", (1, "m")).incr(), c.zcard("k"), c.zcount("k", 0, 1),
        c.zdiff(["k", "l"]).withscores(), c.zdiffstore("d", ["k", "l"]), c.zincrby("k", 1.0, "m"),
        c.zinter(["k", "l"]).weights([1, 2]), c.zintercard(["k", "l"]).limit(1), c.zinterstore("d", ["k", "l"]),
        c.zlexcount("k", "-", "+"), c.zmpop(["k", "l"], min).count(2), c.zmscore("k", ["m", "n"]), c.zpopmax("k"),
        c.zpopmax_count("k", 2), c.zpopmin("k"), c.zpopmin_count("k", 2), c.zrandmember("k", 2).withscores(),
        c.zrange("k", 0, 1).by_score().limit(0, 1), c.zrangebylex("k", "-", "+").limit(0, 1),
        c.zrangebyscore("k", 0, 1).withscores(), c.zrangestore("d", "k", 0, 1), c.zrank("k", "m"), c.zrem("k", "m"),
        c.zremrangebylex("k", "-", "+"), c.zremrangebyrank("k", 0, 1), c.zremrangebyscore("k", 0, 1),
        c.zrevrange("k", 0, 1), c.zrevrangebylex("k", "+", "-"), c.zrevrangebyscore("k", 1, 0), c.zrevrank("k", "m"),
        c.zscan("k", 0), c.zscore("k", "m"), c.zunion(["k", "l"]), c.zunionstore("d", ["k", "l"]).weights([1, 2]),
        c.geoadd("k", (15.0, 37.0, "m")).nx(), c.geodist("k", "m", "n", GeoUnit::Miles), c.geohash("k", "m"),
        c.geopos("k", "m"), c.georadius("k", 15.0, 37.0, 1.0, GeoUnit::Feet).withdist(),
        c.georadius("k", 15.0, 37.0, 1.0, GeoUnit::Feet).count(1).store("d"),
        c.georadius_ro("k", 15.0, 37.0, 1.0, GeoUnit::Feet), c.georadiusbymember("k", "m", 1.0, GeoUnit::Feet),
        c.georadiusbymember("k", "m", 1.0, GeoUnit::Feet).storedist("d"), c.geosearchstore("d", "k", here, near),
        c.georadiusbymember_ro("k", "m", 1.0, GeoUnit::Feet), c.geosearch("k", here, near).withcoord(),
    ];
    let streams = requests![
        c.xack("k", "g", "1-1"), c.xadd("k", "*", pair).nomkstream().trim(Trim::AboutMaxLen(9)),
        c.xautoclaim("k", "g", "c", second, "0"), c.xclaim("k", "g", "c", second, "1-1").justid(), c.xdel("k", "1-1"),
        c.xgroup_create("k", "g", "$").mkstream(), c.xgroup_createconsumer("k", "g", "c"), c.xlen("k"),
        c.xgroup_delconsumer("k", "g", "c"), c.xgroup_destroy("k", "g"), c.xgroup_setid("k", "g", "$"),
        c.xinfo_consumers("k", "g"), c.xinfo_groups("k"), c.xinfo_stream("k"), c.xinfo_stream_full("k", 1),
        c.xpending("k", "g"), c.xpending_range("k", "g", "-", "+", 1).idle(second).consumer("c"),
        c.xrange("k", "-", "+").count(1), c.xread([("k", "0"), ("l", "0")]).count(1), c.xrevrange("k", "+", "-"),
        c.xread([("k", "0"), ("l", "0")]).block(second), c.xreadgroup("g", "c", [("k", ">"), ("l", ">")]).noack(),
        c.xreadgroup("g", "c", [("k", ">")]).count(1).block(second), c.xsetid("k", "1-1"), c.xtrim("k", Trim::MaxLen(1)),
    ];
    let keys = requests![
        c.copy("k", "l").replace(), c.del(["k", "l"]), c.dump("k"), c.exists(["k", "l"]), c.expire("k", second),
        c.expire("k", millis).nx(), c.expireat("k", at), c.expiretime("k"), c.keys("*"), c.move_to("k", 1), c.persist("k"),
        c.migrate("h", 1, "k", 0, second).copy(), c.migrate("h", 1, "", 0, second).keys(["k", "l"]), c.object_encoding("k"),
        c.object_freq("k"), c.object_idletime("k"), c.object_refcount("k"), c.pexpire("k", second), c.pexpireat("k", at),
        c.pexpiretime("k"), c.pttl("k"), c.randomkey(), c.rename("k", "l"), c.renamenx("k", "l"),
        c.restore("k", None, "dump").replace(), c.restore_asking("k", None, "dump"), c.scan(0), c.sort("k").by("w_*"),
        c.sort("k").get_pattern("#").store("d"), c.sort_ro("k").alpha(), c.touch(["k", "l"]), c.ttl("k"), c.key_type("k"),
        c.unlink(["k", "l"]), c.wait(1, second), c.waitaof(1, 0, second), c.dbsize(), c.flushall(), c.flushdb(),
        c.swapdb(0, 1),
    ];
    let messages_and_scripts = requests![
        c.publish("c", "m"), c.spublish("c", "m"), c.pubsub_channels("*"), c.pubsub_numpat(), c.pubsub_numsub("c"),
        c.pubsub_shardchannels("*"), c.pubsub_shardnumsub("c"), c.eval("return 1", ["k", "l"], ["a"]),
        c.eval_ro("return 1", ["k", "l"], ()), c.evalsha("sha", ["k", "l"], ()), c.evalsha_ro("sha", "k", ()),
        c.fcall("f", ["k", "l"], "a"), c.fcall_ro("f", "k", ()), c.function_delete("l"), c.function_dump(),
        c.function_flush(), c.function_kill(), c.function_list().withcode(), c.function_load("code").replace(),
        c.function_restore("dump"), c.function_stats(), c.script_exists("sha"), c.script_flush().lazily(),
        c.script_kill(), c.script_load("return 1"), c.script_show("sha"),
    ];
    let connection = requests![
        c.auth("p"), c.client_getname(), c.client_getredir(), c.client_id(), c.client_info(), c.client_list(),
        c.client_kill(ClientFilter::new()), c.client_no_evict(true), c.client_no_touch(true), c.client_pause(second),
        c.client_setinfo("LIB-NAME", "x"), c.client_setname("n"), c.client_trackinginfo(), c.client_unblock(1),
        c.client_unpause(), c.echo("m"), c.ping(), c.select(1),
    ];
    let server = requests![
        c.acl_cat(), c.acl_cat_of("read"), c.acl_deluser("u"), c.acl_dryrun("u", "GET", "k"), c.acl_genpass(64),
        c.acl_getuser("u"), c.acl_list(), c.acl_load(), c.acl_log(1), c.acl_log_reset(), c.acl_save(),
        c.acl_setuser("u", "on"), c.acl_users(), c.acl_whoami(), c.bgrewriteaof(), c.bgsave(), c.bgsave_schedule(),
        c.command_all(), c.command_count(), c.command_docs("get"), c.command_getkeys("GET", "k"),
        c.command_getkeysandflags("GET", "k"), c.command_info("get"), c.command_list(), c.config_get("*"),
        c.config_resetstat(), c.config_rewrite(), c.config_set(("maxmemory", 0)), c.debug(["SLEEP", "0"]), c.failover(),
        c.info("server"), c.lastsave(), c.latency_doctor(), c.latency_graph("e"), c.latency_histogram("get"),
        c.latency_history("e"), c.latency_latest(), c.latency_reset(()), c.lolwut(), c.memory_doctor(),
        c.memory_malloc_stats(), c.memory_purge(), c.memory_stats(), c.memory_usage("k").samples(1), c.module_list(),
        c.module_load("p", ()), c.module_loadex("p", ()), c.module_unload("n"), c.replicaof("h", 1), c.replicaof_no_one(),
        c.role(), c.save(), c.shutdown().nosave(), c.slaveof("h", 1), c.slowlog_get(-1), c.slowlog_len(),
        c.slowlog_reset(), c.time(),
    ];
    let cluster = requests![
        c.cluster_addslots([1, 2]), c.cluster_addslotsrange((1, 2)), c.cluster_bumpepoch(), c.cluster_info(),
        c.cluster_count_failure_reports("n"), c.cluster_countkeysinslot(1), c.cluster_delslots(1), c.cluster_keyslot("k"),
        c.cluster_delslotsrange((1, 2)), c.cluster_failover().force(), c.cluster_flushslots(), c.cluster_forget("n"),
        c.cluster_getkeysinslot(1, 1), c.cluster_links(), c.cluster_meet("127.0.0.1", 1), c.cluster_myid(),
        c.cluster_myshardid(), c.cluster_nodes_text(), c.cluster_replicas("n"), c.cluster_replicate("n"), c.cluster_reset(),
        c.cluster_reset_hard(), c.cluster_saveconfig(), c.cluster_set_config_epoch(1), c.cluster_shards(),
        c.cluster_setslot(1, SlotState::Stable), c.cluster_slaves("n"), c.cluster_slots(),
        c.cluster_slot_stats(("SLOTSRANGE", 0, 1)),
    ];
    let help = SUBCOMMANDS.iter().map(|(name, _)| c.help(name).request().clone());
    let families = [
        strings, lists, sets, hashes, sorted_sets, streams, keys, messages_and_scripts, connection, server, cluster,
    ];
    families.into_iter().flatten().chain(help).collect()
}

/// The name with its subcommand, if it has some.
fn full_name(request: &Request) -> String {
    let has_subcommands = SUBCOMMANDS.iter().any(|(name, _)| *name == request.name());
    match request.args().next() {
        Some(subcommand) if has_subcommands => {
            format!("{} {}", request.name(), String::from_utf8_lossy(subcommand))
        }
        _ => request.name().to_owned(),
    }
}

/// A client that never connects: for commands that are looked at and not sent.
fn nowhere() -> Client {
    Client::connect_lazy(Config::connector(|| {
        std::future::pending::<std::io::Result<tokio::io::DuplexStream>>()
    }))
    .expect("a configuration and no URL")
}

#[tokio::test]
async fn every_command_has_a_typed_form_or_a_place_elsewhere() {
    let mut expected: BTreeSet<String> = COMMANDS
        .split_whitespace()
        .chain(FIELD_TTL.split_whitespace())
        .map(str::to_owned)
        .collect();
    assert_eq!(COMMANDS.split_whitespace().count(), 241);
    for (container, subcommands) in SUBCOMMANDS {
        // COMMAND is one by itself, too.
        assert!(*container == "COMMAND" || expected.remove(*container));
        let names = subcommands.split_whitespace();
        expected.extend(names.map(|subcommand| format!("{container} {subcommand}")));
    }
    let client = nowhere();
    let mut found: BTreeSet<String> = samples(&client).iter().map(full_name).collect();
    for (name, _) in ELSEWHERE {
        assert!(found.insert((*name).to_owned()), "{name} has a typed form");
    }
    let missing: Vec<_> = expected.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing {missing:?}, unknown {unknown:?}"
    );
}

#[tokio::test]
async fn a_typed_command_has_the_class_of_the_same_command_by_name() {
    let client = nowhere();
    let mut differ = Vec::new();
    for request in samples(&client) {
        let mut by_name = Request::new(request.name().to_owned());
        request.args().for_each(|arg| by_name.push(arg));
        if request.class() != by_name.class() {
            differ.push((full_name(&request), request.class(), by_name.class()));
        }
        assert_eq!(request.keys(), by_name.keys(), "{}", full_name(&request));
    }
    assert!(differ.is_empty(), "typed and by name: {differ:?}");
    for (name, _) in ELSEWHERE {
        let mut words = name.split(' ');
        let mut request = Request::new(words.next().unwrap_or_default().to_owned());
        words.for_each(|word| request.push(word.as_bytes()));
        assert_eq!(request.class(), Class::Unshared, "{name}");
    }
}

#[tokio::test]
async fn keys_and_classes_are_those_that_redis_knows() {
    let Some(redis) = Redis::start(&[]).await else {
        return;
    };
    let client = Client::connect(redis.config()).await.unwrap();
    let (mut checked, mut wrong) = (0, Vec::new());
    for request in samples(&client) {
        let name = full_name(&request);
        let name_for_info = name.to_lowercase().replace(' ', "|");
        let info = client.command_info(name_for_info).await.unwrap();
        let Some(Some(info)) = info.into_iter().next() else {
            continue; // newer than this server
        };
        checked += 1;
        let args: Vec<&[u8]> = request.args().collect();
        if args.is_empty() {
            assert!(request.keys().is_empty(), "{name}");
        } else {
            let keys = match client.command_getkeys(request.name(), args).await {
                Err(error) if error.to_string().contains("no key arguments") => Vec::new(),
                keys => keys.unwrap_or_else(|error| panic!("{name}: {error}")),
            };
            // A sharded channel is no key, but goes to a node as one.
            if request.keys() != keys && name != "SPUBLISH" {
                wrong.push(format!("{name}: the keys are {keys:?}"));
            }
        }

        let has = |flag: &str| info.flags.iter().any(|is| is == flag);
        let class = request.class();
        // XREAD and XREADGROUP wait only if they are told to.
        let told_to = || request.args().any(|arg| arg == b"BLOCK");
        let waits = has("blocking") && (!name.starts_with("XREAD") || told_to());
        if waits != (class == Class::Blocking)
            || has("write") && class == Class::Read
            || has("readonly") && !waits && class != Class::Read
        {
            wrong.push(format!("{name}: {class:?} with {:?}", info.flags));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        checked > 300,
        "this server knows only {checked} of the commands"
    );
}
