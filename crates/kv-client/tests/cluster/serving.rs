//! Commands, pipelines, transactions, scans and reads while the cluster stays as it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use kv_client::{
    Address, Client, ClusterNode, ErrorKind, Library, Outcome, ReadFrom, Role, Script, key_slot,
};
use tokio::time::timeout;

use crate::support::RedisCluster;

pub(crate) async fn commands_go_where_their_keys_are(client: &Client) {
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

pub(crate) async fn pipelines_and_transactions(client: &Client) {
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

pub(crate) async fn watches_and_scripts(client: &Client) {
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
    let library = Library::new(
        "#!lua name=naming\nredis.register_function('name', function(keys) return keys[1] end)",
    );
    for key in ["foo", "bar", "hello", "foo"] {
        let name = client.function(&library, "name", key, ());
        assert_eq!(name.into::<String>().await.unwrap(), key);
    }
    client.function_flush().await.unwrap();
    let error = client.monitor().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::OneNode { .. }),
        "{error:?}"
    );
}

pub(crate) async fn scans_return_every_key(client: &Client) {
    client.flushall().await.unwrap();
    let sets: Vec<_> = (0..500)
        .map(|n| client.set(format!("scan:{n}"), ""))
        .collect();
    client.pipeline(sets).await.unwrap();
    assert_eq!(scanned(client).await.len(), 500);
}

pub(crate) async fn scanned(client: &Client) -> HashSet<Bytes> {
    let mut keys = client.scan_keys().matching("scan:*").count(20);
    let mut seen = HashSet::new();
    while let Some(key) = keys.next().await {
        seen.insert(key.expect("a page"));
    }
    seen
}

pub(crate) async fn the_nodes_are_known(client: &Client) {
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

pub(crate) async fn reads_come_from_replicas_if_asked_for(cluster: &RedisCluster) {
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
    timeout(Duration::from_secs(60), replicated)
        .await
        .expect("replicated");
    let (_, replica) = home_and_replica(&client, "{r}k");
    let before = gets(&replica).await;
    for _ in 0..10 {
        client.get("{r}k").await.unwrap();
    }
    let after = gets(&replica).await;
    assert_eq!(after - before, 10, "the replica served them");
    assert_eq!(client.stats().redirects, 0);
    client.close().await;
}

/// One read goes where it says, and leaves the connections as they were.
pub(crate) async fn a_read_says_itself_who_may_serve_it(cluster: &RedisCluster) {
    let client = Client::connect(cluster.config()).await.unwrap();
    client.set("{r}k", "v").await.unwrap();
    let replicated = async {
        let read = || client.get("{r}k").read_from(ReadFrom::Replica);
        while read().await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), replicated)
        .await
        .expect("replicated");
    let (home, replica) = home_and_replica(&client, "{r}k");
    let before = (gets(&home).await, gets(&replica).await);
    for _ in 0..5 {
        client
            .get("{r}k")
            .read_from(ReadFrom::Replica)
            .await
            .unwrap();
        client.get("{r}k").await.unwrap();
        let pair = (
            client.get("{r}k"),
            client.get("{r}k").read_from(ReadFrom::Replica),
        );
        client.pipeline(pair).await.unwrap();
    }
    let after = (gets(&home).await, gets(&replica).await);
    assert_eq!((after.0 - before.0, after.1 - before.1), (10, 10));
    assert_eq!(client.stats().redirects, 0);
    let error = replica.client().get("{r}k").await.unwrap_err();
    assert_eq!(error.code(), Some("MOVED"), "the connection is as before");
    client.close().await;

    let client = Client::connect(cluster.config().read_from(ReadFrom::Replica))
        .await
        .unwrap();
    for round in 0..100 {
        client.set("{r}k", round).await.unwrap();
        let read = client.get("{r}k").read_from(ReadFrom::Primary);
        assert_eq!(read.into::<i32>().await.unwrap(), round, "never behind");
    }
    client.close().await;
}

fn home_and_replica(client: &Client, key: &str) -> (ClusterNode, ClusterNode) {
    let home = client.cluster_node_of(key).unwrap();
    let nodes = client.cluster_nodes();
    let replica = nodes
        .into_iter()
        .find(|node| node.role() == Role::Replica && node.slots() == home.slots())
        .expect("each primary has a replica");
    (home, replica)
}

/// How many GETs a node has run.
async fn gets(node: &ClusterNode) -> u64 {
    let stats = node.client().info("commandstats").await.unwrap();
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_get:calls="));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

/// The nodes announce names that lead nowhere, as behind address translation.
pub(crate) async fn announced_addresses_are_mapped_to_reachable_ones(cluster: &RedisCluster) {
    let announce = |kind: &str| {
        for port in cluster.ports() {
            let name = format!("node-{port}.invalid");
            let set = ["CONFIG", "SET", "cluster-announce-hostname", &name];
            assert_eq!(cluster.cli(port, &set), "OK");
            let set = ["CONFIG", "SET", "cluster-preferred-endpoint-type", kind];
            assert_eq!(cluster.cli(port, &set), "OK");
        }
    };
    announce("hostname");
    // The nodes tell each other their names.
    cluster
        .until(|cluster| {
            cluster.ports().all(|port| {
                let shards = cluster.cli(port, &["CLUSTER", "SHARDS"]);
                cluster
                    .ports()
                    .all(|other| shards.contains(&format!("node-{other}.invalid")))
            })
        })
        .await;
    let asked = Arc::new(Mutex::new(HashSet::new()));
    let config = cluster.config().map_addresses({
        let asked = Arc::clone(&asked);
        move |host, port| {
            asked.lock().unwrap().insert(host.to_owned());
            ("127.0.0.1".to_owned(), port)
        }
    });
    let client = Client::connect(config).await.unwrap();
    let keys: Vec<String> = (0..100).map(|n| format!("mapped:{n}")).collect();
    for key in &keys {
        client.set(key, "v").await.expect("reached");
    }
    assert_eq!(client.exists(&keys).await.unwrap(), 100);
    let primaries = cluster.primaries();
    for port in primaries {
        let name = format!("node-{port}.invalid");
        assert!(asked.lock().unwrap().contains(&name), "{name}");
    }
    client.close().await;
    announce("ip");
}
