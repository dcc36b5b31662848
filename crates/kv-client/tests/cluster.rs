//! A real cluster whose slots move and whose primaries die, while commands run.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

#[path = "support/cluster.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kv_client::{
    Address, Client, ErrorKind, Event, Gap, Outcome, Protocol, ReadFrom, Role, Script,
    Subscription, key_slot,
};
use support::RedisCluster;
use tokio::time::timeout;

/// Everything that needs no change of the cluster, and then the changes, one after the other: starting a cluster takes seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_served_as_one_while_it_changes() {
    let Some(mut cluster) = RedisCluster::start(1500).await else {
        return;
    };
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let client = Client::connect(cluster.config().protocol(protocol))
            .await
            .expect("connects");
        commands_go_where_their_keys_are(&client).await;
        pipelines_and_transactions(&client).await;
        watches_and_scripts(&client).await;
        scans_return_every_key(&client).await;
        the_nodes_are_known(&client).await;
        client.close().await;
        assert!(client.is_closed());
    }
    reads_come_from_replicas_if_asked_for(&cluster).await;
    a_key_that_moves_is_found(&cluster).await;
    slots_move_while_commands_run(&cluster).await;
    a_scan_misses_nothing_while_slots_move(&cluster).await;
    subscriptions_follow_their_slot(&cluster).await;
    a_primary_dies_and_nothing_is_counted_twice(&mut cluster).await;
}

async fn commands_go_where_their_keys_are(client: &Client) {
    client.flushall().await.expect("on all primaries");
    let keys: Vec<String> = (0..200).map(|n| format!("key:{n}")).collect();
    let pairs: BTreeMap<&str, usize> = keys.iter().map(String::as_str).zip(0..).collect();
    client.mset(&pairs).await.expect("split");
    let values: Vec<Option<usize>> = client.mget(&keys).into().await.expect("split");
    assert_eq!(
        values,
        (0..200).map(Some).collect::<Vec<_>>(),
        "in the order of the keys"
    );
    let values: Vec<Option<usize>> = client
        .mget(["key:7", "none", "key:3", "key:7"])
        .into()
        .await
        .unwrap();
    assert_eq!(values, [Some(7), None, Some(3), Some(7)]);

    assert_eq!(client.dbsize().await.unwrap(), 200);
    assert_eq!(client.exists(&keys).await.unwrap(), 200);
    assert_eq!(client.touch(["key:1", "key:2", "none"]).await.unwrap(), 2);
    let all: BTreeSet<Bytes> = client.keys("key:*").await.unwrap().into_iter().collect();
    assert_eq!(all.len(), 200);
    assert_eq!(client.del(&keys[..100]).await.unwrap(), 100);
    assert_eq!(client.unlink(&keys).await.unwrap(), 100);

    // What cannot be split is refused before it is sent.
    let error = client.rename("foo", "bar").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::CrossSlot { .. }),
        "{error:?}"
    );
    assert_eq!(
        (error.outcome(), error.command()),
        (Outcome::NotSent, Some("RENAME"))
    );
    client.set("{t}a", 1).await.unwrap();
    client.rename("{t}a", "{t}b").await.unwrap();

    // Blocking commands have lanes on the node of their key.
    let (popped, pushed) = tokio::join!(
        client
            .command("BLPOP")
            .arg(("queue", 5))
            .into::<(String, String)>()
            .into_future(),
        async {
            client.ping().await.expect("nothing waits behind it");
            client.rpush("queue", "job").await
        }
    );
    assert_eq!(popped.unwrap(), ("queue".to_owned(), "job".to_owned()));
    pushed.unwrap();

    let error = client.select(1).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Rejected, "{error}");
    let error = client.scan(0).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OneNode { .. }), "{error}");
}

async fn pipelines_and_transactions(client: &Client) {
    let sets: Vec<_> = (0..100).map(|n| client.set(format!("p:{n}"), n)).collect();
    client.pipeline(sets).await.unwrap();
    let gets: Vec<_> = (0..100)
        .map(|n| client.get(format!("p:{n}")).into::<i64>())
        .collect();
    assert_eq!(
        client.pipeline(gets).await.unwrap(),
        (0..100).collect::<Vec<_>>()
    );

    // Commands of every kind, and errors, come back in their places.
    let (pong, set, wrong, split, many) = client
        .pipeline((
            client.ping(),
            client.set("p:x", "text"),
            client.incr("p:x"),
            client.rename("foo", "bar"),
            client.mget(["p:1", "p:2", "p:99"]).into::<Vec<i64>>(),
        ))
        .results()
        .await;
    pong.unwrap();
    set.unwrap();
    assert_eq!(wrong.unwrap_err().outcome(), Outcome::Rejected);
    assert!(matches!(
        split.unwrap_err().kind(),
        ErrorKind::CrossSlot { .. }
    ));
    assert_eq!(many.unwrap(), [1, 2, 99]);

    let (left, right) = client
        .transaction((
            client.decrby("{acc}left", 10),
            client.incrby("{acc}right", 10),
        ))
        .await
        .unwrap();
    assert_eq!(left, -right);
    let error = client
        .transaction((client.incr("foo"), client.incr("bar")))
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::CrossSlot { .. }),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::NotSent);
    client
        .transaction((client.ping(), client.ping()))
        .await
        .expect("on any node");
}

async fn watches_and_scripts(client: &Client) {
    client.set("{w}a", 1).await.unwrap();
    let double = |tx: Client| async move {
        let value: i64 = tx.get("{w}a").into().await?;
        tx.transaction((tx.set("{w}b", value * 2),)).await
    };
    client.watch(["{w}a", "{w}b"]).run(double).await.unwrap();
    assert_eq!(client.get("{w}b").into::<i64>().await.unwrap(), 2);
    let error = client.watch(["foo", "bar"]).run(double).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::CrossSlot { .. }),
        "{error:?}"
    );

    // Each node gets to know the script when it first needs it.
    let name = Script::new("return KEYS[1]");
    for key in ["foo", "bar", "hello", "foo"] {
        let got: String = client.script(&name, key, ()).into().await.unwrap();
        assert_eq!(got, key);
    }
    let error = client.monitor().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::OneNode { .. }),
        "{error:?}"
    );
}

async fn scans_return_every_key(client: &Client) {
    client.flushall().await.unwrap();
    let sets: Vec<_> = (0..500)
        .map(|n| client.set(format!("scan:{n}"), ""))
        .collect();
    client.pipeline(sets).await.unwrap();
    assert_eq!(scanned(client).await.len(), 500);
}

async fn scanned(client: &Client) -> HashSet<Bytes> {
    let mut keys = client.scan_keys().matching("scan:*").count(20);
    let mut seen = HashSet::new();
    while let Some(key) = keys.next().await {
        seen.insert(key.expect("a page"));
    }
    seen
}

async fn the_nodes_are_known(client: &Client) {
    let nodes = client.cluster_nodes();
    let primaries = nodes.iter().filter(|node| node.role() == Role::Primary);
    let slots: usize = primaries
        .flat_map(|node| node.slots())
        .map(|range| range.clone().count())
        .sum();
    assert_eq!((nodes.len(), slots), (6, 16384));
    let home = client.cluster_node_of("foo").expect("a node has it");
    assert!(
        home.slots()
            .iter()
            .any(|range| range.contains(&key_slot("foo")))
    );
    let Address::Tcp { port, .. } = home.address() else {
        panic!("a node has a port: {home:?}");
    };
    let info = home.client().info("server").await.unwrap();
    assert!(info.contains(&format!("tcp_port:{port}")), "{info}");
}

async fn reads_come_from_replicas_if_asked_for(cluster: &RedisCluster) {
    let client = Client::connect(cluster.config().read_from(ReadFrom::Replica))
        .await
        .unwrap();
    client.set("{r}k", "v").await.unwrap();
    // The replica has it a moment later.
    let replicated = async {
        while client.get("{r}k").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), replicated)
        .await
        .expect("replicated");
    let home = client.cluster_node_of("{r}k").unwrap();
    let nodes = client.cluster_nodes();
    let replica = nodes
        .iter()
        .find(|node| node.role() == Role::Replica && node.slots() == home.slots())
        .expect("each primary has a replica");
    let gets = |stats: String| -> u64 {
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_get:calls="));
        line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    };
    let before = gets(replica.client().info("commandstats").await.unwrap());
    for _ in 0..10 {
        client.get("{r}k").await.unwrap();
    }
    let after = gets(replica.client().info("commandstats").await.unwrap());
    assert_eq!(after - before, 10, "the replica served them");
    assert_eq!(client.stats().redirects, 0);
    client.close().await;
}

/// One slot, in the middle of its way: keys that are gone are asked for at the new place (ASK), with TRYAGAIN in between.
async fn a_key_that_moves_is_found(cluster: &RedisCluster) {
    let client = Client::connect(cluster.config()).await.unwrap();
    client
        .mset([("{m}a", 1), ("{m}b", 2), ("{m}c", 3)])
        .await
        .unwrap();
    let slot = key_slot("{m}a");
    let (from, to) = neighbours(&client, cluster, "{m}a");
    cluster.begin_migration(slot, from, to);
    cluster.migrate_keys(slot, from, to, 1);
    let redirects = client.stats().redirects;
    let sum = |values: Vec<i64>| values.into_iter().sum::<i64>();
    let mut values = Vec::new();
    for key in ["{m}a", "{m}b", "{m}c"] {
        values.push(client.get(key).into::<i64>().await.expect(key));
    }
    assert_eq!(sum(values), 6);
    assert!(
        client.stats().redirects > redirects,
        "one of them had moved"
    );
    let gets = ["{m}a", "{m}b", "{m}c"].map(|key| client.get(key).into::<i64>());
    assert_eq!(sum(client.pipeline(gets).await.unwrap().to_vec()), 6);
    let (new, again) = client
        .transaction((client.incr("{m}new"), client.incr("{m}new")))
        .await
        .unwrap();
    assert_eq!(
        (new, again),
        (1, 2),
        "a new key is made at the new place, in a transaction as well"
    );

    // Some keys here, some there: neither node can serve all of them, until the rest has moved.
    let (values, ()) = tokio::join!(
        client
            .mget(["{m}a", "{m}b", "{m}c"])
            .into::<Vec<i64>>()
            .into_future(),
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            cluster.migrate_keys(slot, from, to, 10);
        }
    );
    assert_eq!(sum(values.unwrap()), 6);
    cluster.finish_migration(slot, from, to);
    assert_eq!(client.get("{m}a").into::<i64>().await.unwrap(), 1);
    client.close().await;
}

/// The ports of the primary that has `key`, and of another one.
fn neighbours(client: &Client, cluster: &RedisCluster, key: &str) -> (u16, u16) {
    let home = client.cluster_node_of(key).expect("a node has it");
    let Address::Tcp { port: from, .. } = *home.address() else {
        panic!("a node has a port");
    };
    let to = cluster
        .primaries()
        .into_iter()
        .find(|&port| port != from)
        .expect("three primaries");
    (from, to)
}

/// Counts what each counter must be at least and at most, from the outcomes of its INCRs.
#[derive(Clone, Copy, Default)]
struct Count {
    sure: i64,
    maybe: i64,
}

/// Increments counters until told to stop.
async fn count(
    client: Client,
    counters: Vec<String>,
    stop: Arc<AtomicBool>,
) -> Vec<(String, Count)> {
    let mut counts: Vec<_> = counters
        .into_iter()
        .map(|key| (key, Count::default()))
        .collect();
    let mut pipelined = false;
    while !stop.load(Ordering::Relaxed) {
        pipelined = !pipelined;
        if pipelined {
            let incrs: Vec<_> = counts.iter().map(|(key, _)| client.incr(key)).collect();
            let results = client.pipeline(incrs).results().await;
            counts
                .iter_mut()
                .zip(results)
                .for_each(|((_, count), result)| note(count, result));
        } else {
            for (key, count) in &mut counts {
                note(count, client.incr(key.as_str()).await);
            }
        }
        tokio::task::yield_now().await;
    }
    counts
}

fn note(count: &mut Count, result: kv_client::Result<i64>) {
    match result.map_err(|error| error.outcome()) {
        Ok(_) => count.sure += 1,
        Err(Outcome::MaybeExecuted) => count.maybe += 1,
        Err(Outcome::NotSent | Outcome::Rejected) => {}
        Err(Outcome::Executed) => panic!("INCR gives a number"),
    }
}

/// What the counters are must fit what was said of each INCR.
async fn check(client: &Client, counts: Vec<(String, Count)>) -> Count {
    let mut all = Count::default();
    for (key, count) in counts {
        let value = client
            .get(&key)
            .into::<Option<i64>>()
            .await
            .expect("recovered")
            .unwrap_or(0);
        let range = count.sure..=count.sure + count.maybe;
        assert!(
            range.contains(&value),
            "{key} is {value} and not in {range:?}"
        );
        all.sure += count.sure;
        all.maybe += count.maybe;
    }
    all
}

async fn slots_move_while_commands_run(cluster: &RedisCluster) {
    let client = Client::connect(cluster.config()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let counters = |task: u32| (0..5).map(|n| format!("{{move:{n}}}{task}")).collect();
    let tasks: Vec<_> = (0..4)
        .map(|task| tokio::spawn(count(client.clone(), counters(task), Arc::clone(&stop))))
        .collect();
    for n in 0..5 {
        let slot = key_slot(format!("{{move:{n}}}"));
        let (from, to) = neighbours(&client, cluster, &format!("{{move:{n}}}"));
        cluster.begin_migration(slot, from, to);
        cluster.migrate_keys(slot, from, to, 2);
        // Commands that find some of their keys here and some there.
        tokio::time::sleep(Duration::from_millis(30)).await;
        cluster.migrate_keys(slot, from, to, 1000);
        cluster.finish_migration(slot, from, to);
    }
    stop.store(true, Ordering::Relaxed);
    let mut counts = Vec::new();
    for task in tasks {
        counts.extend(task.await.expect("counts"));
    }
    let all = check(&client, counts).await;
    assert!(all.sure > 100, "only {} were counted", all.sure);
    assert_eq!(
        all.maybe, 0,
        "no connection was lost, so nothing is in doubt"
    );
    assert!(client.stats().redirects > 0);
    client.close().await;
}

async fn a_scan_misses_nothing_while_slots_move(cluster: &RedisCluster) {
    let client = Client::connect(cluster.config()).await.unwrap();
    client.flushall().await.unwrap();
    let sets: Vec<_> = (0..300)
        .map(|n| client.set(format!("scan:{n}"), ""))
        .collect();
    client.pipeline(sets).await.unwrap();
    let mut keys = client.scan_keys().matching("scan:*").count(10);
    let mut seen = HashSet::new();
    seen.insert(keys.next().await.unwrap().unwrap());
    // A slot goes from the node that is scanned last to the one that is being scanned.
    let nodes = client.cluster_nodes();
    let last = nodes
        .iter()
        .rfind(|node| node.role() == Role::Primary)
        .unwrap();
    let key = (0..300)
        .map(|n| format!("scan:{n}"))
        .find(|key| {
            last.slots()
                .iter()
                .any(|range| range.contains(&key_slot(key)))
        })
        .expect("some keys are there");
    let first = client
        .cluster_node_of([&seen.iter().next().unwrap()[..]].concat())
        .unwrap();
    let port = |address: &Address| match address {
        Address::Tcp { port, .. } => *port,
        other => panic!("{other}"),
    };
    let (from, to, slot) = (port(last.address()), port(first.address()), key_slot(&key));
    if from != to {
        cluster.begin_migration(slot, from, to);
        cluster.migrate_keys(slot, from, to, 1000);
        cluster.finish_migration(slot, from, to);
    }
    while let Some(key) = keys.next().await {
        seen.insert(key.expect("a page"));
    }
    assert_eq!(seen.len(), 300);
    client.close().await;
}

async fn subscriptions_follow_their_slot(cluster: &RedisCluster) {
    for protocol in [Protocol::Resp3, Protocol::Resp2] {
        let client = Client::connect(cluster.config().protocol(protocol))
            .await
            .unwrap();
        let mut plain = client.subscribe("news").await.expect("on any node");
        let mut shards = client
            .ssubscribe(["{s}1", "other", "{s}2"])
            .await
            .expect("on two nodes or more");
        client.publish("news", "1").await.unwrap();
        assert_eq!(payload(&mut plain).await, "1");
        for channel in ["{s}1", "other", "{s}2"] {
            client.spublish(channel, channel).await.unwrap();
            assert_eq!(payload(&mut shards).await, channel);
        }

        let (from, to) = neighbours(&client, cluster, "{s}");
        let slot = key_slot("{s}");
        cluster.begin_migration(slot, from, to);
        cluster.finish_migration(slot, from, to);
        match timeout(Duration::from_secs(10), shards.next())
            .await
            .expect("told of the move")
        {
            Some(Event::Gap(Gap::Reconnected)) => {}
            other => panic!("expected a gap, got {other:?}"),
        }
        // Renewed once for both channels; a message gets through when that is done.
        let published = async {
            while client.spublish("{s}2", "after").await.unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(10), published)
            .await
            .expect("subscribed at the new place");
        loop {
            match timeout(Duration::from_secs(10), shards.next())
                .await
                .expect("a message")
            {
                Some(Event::Gap(_)) => {}
                Some(Event::Message(message)) => break assert_eq!(message.payload, "after"),
                other => panic!("{other:?}"),
            }
        }
        drop((plain, shards));
        client.close().await;
    }
}

async fn payload(subscription: &mut Subscription) -> Bytes {
    match timeout(Duration::from_secs(10), subscription.next())
        .await
        .expect("in time")
    {
        Some(Event::Message(message)) => message.payload,
        other => panic!("expected a message, got {other:?}"),
    }
}

async fn a_primary_dies_and_nothing_is_counted_twice(cluster: &mut RedisCluster) {
    let client = Client::connect(cluster.config()).await.unwrap();
    client.flushall().await.unwrap();
    let victim = client.cluster_node_of("{victim}").unwrap();
    let Address::Tcp { port, .. } = *victim.address() else {
        panic!("a node has a port");
    };
    // Counters on every node, half of them on the one that dies. WAIT is of no use here: what is lost with a primary is a
    // matter of the servers, so the replica must have everything before it is promoted.
    let stop = Arc::new(AtomicBool::new(false));
    let counters = |task: u32| (0..4).map(|n| format!("{{dies:{n}}}{task}")).collect();
    let tasks: Vec<_> = (0..4)
        .map(|task| tokio::spawn(count(client.clone(), counters(task), Arc::clone(&stop))))
        .collect();
    let mut subscription = client.ssubscribe("{victim}").await.unwrap();

    tokio::time::sleep(Duration::from_millis(200)).await;
    cluster.kill(port);
    // A write to its slots goes through as soon as the replica is promoted, without anybody's doing.
    let begin = std::time::Instant::now();
    client
        .set("{victim}k", "v")
        .await
        .expect("the replica takes over");
    eprintln!("recovered after {:?}", begin.elapsed());
    stop.store(true, Ordering::Relaxed);
    let mut counts = Vec::new();
    for task in tasks {
        counts.extend(task.await.expect("counts"));
    }
    // Replication is asynchronous: the promoted replica may lack the last increments that the dead primary answered. No
    // counter may be higher than what was said, though.
    for (key, count) in counts {
        let value = client
            .get(&key)
            .into::<Option<i64>>()
            .await
            .expect("recovered")
            .unwrap_or(0);
        assert!(
            value <= count.sure + count.maybe,
            "{key} is {value}, {} sure and {} maybe",
            count.sure,
            count.maybe
        );
        if client
            .cluster_node_of(&key)
            .map(|node| node.slots().to_vec())
            != Some(victim.slots().to_vec())
        {
            assert!(value >= count.sure, "{key} is {value}, {} sure", count.sure);
        }
    }
    let promoted = client.cluster_node_of("{victim}").unwrap();
    assert_ne!(promoted.address(), victim.address());

    match timeout(Duration::from_secs(10), subscription.next())
        .await
        .expect("told of the loss")
    {
        Some(Event::Gap(Gap::Reconnected)) => {}
        other => panic!("expected a gap, got {other:?}"),
    }
    client.spublish("{victim}", "alive").await.unwrap();
    assert_eq!(payload(&mut subscription).await, "alive");
    client.close().await;
}

#[tokio::test]
async fn a_cluster_url_on_a_server_that_is_none_is_a_clear_error() {
    let server = kv_server::Server::builder().start().await.unwrap();
    let url = server.url().replace("redis://", "redis-cluster://");
    let error = Client::connect(&url).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotACluster { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("use a redis:// url for a single server"),
        "{error}"
    );
    server.shutdown().await;

    let gone = Client::connect(&url).await.unwrap_err();
    assert!(matches!(gone.kind(), ErrorKind::Connect { .. }), "{gone:?}");
    let lazy = Client::connect_lazy(format!("{url}?command_timeout_ms=300")).unwrap();
    let error = lazy.get("k").await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);
    lazy.close().await;
}
