//! Slots that move while commands and scans run.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kv_client::{Address, Client, Role, key_slot};

use crate::counting::{check, count};
use crate::support::RedisCluster;

/// One slot, in the middle of its way: keys that are gone are asked for at the new place (ASK), with TRYAGAIN in between.
pub(crate) async fn a_key_that_moves_is_found(cluster: &RedisCluster) {
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
pub(crate) fn neighbours(client: &Client, cluster: &RedisCluster, key: &str) -> (u16, u16) {
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

pub(crate) async fn slots_move_while_commands_run(cluster: &RedisCluster) {
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
        // Commands find some of their keys here and some there.
        let redirects = client.stats().redirects;
        let redirected = async {
            while client.stats().redirects == redirects {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), redirected).await;
        in_time.expect("a command meets the slot that moves");
        cluster.migrate_keys(slot, from, to, 1000);
        cluster.finish_migration(slot, from, to);
    }
    stop.store(true, Ordering::Relaxed);
    let mut counts = Vec::new();
    for task in tasks {
        counts.extend(task.await.expect("counts"));
    }
    let all = check(&client, counts).await;
    assert!(all.sure > 5, "only {} were counted", all.sure);
    assert_eq!(
        all.maybe, 0,
        "no connection was lost, so nothing is in doubt"
    );
    assert!(client.stats().redirects > 0);
    client.close().await;
}

pub(crate) async fn a_scan_misses_nothing_while_slots_move(cluster: &RedisCluster) {
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

/// A slot on its way from a node that is scanned later to one that has been scanned: what has arrived there is missing here.
pub(crate) async fn a_scan_misses_nothing_of_a_slot_on_its_way(cluster: &RedisCluster) {
    let client = Client::connect(cluster.config()).await.unwrap();
    client.flushall().await.unwrap();
    let sets: Vec<_> = (0..300)
        .map(|n| client.set(format!("way:{n}"), ""))
        .collect();
    client.pipeline(sets).await.unwrap();
    // One page a node, so the node of the first key has been scanned when that is here.
    let mut keys = client.scan_keys().matching("way:*").count(1000);
    let mut seen = vec![keys.next().await.unwrap().unwrap()];
    let port = |key: &[u8]| match *client.cluster_node_of(key).unwrap().address() {
        Address::Tcp { port, .. } => port,
        ref other => panic!("{other}"),
    };
    let to = port(&seen[0]);
    let key = (0..300)
        .map(|n| format!("way:{n}"))
        .find(|key| port(key.as_bytes()) != to)
        .expect("some keys are elsewhere");
    let (from, slot) = (port(key.as_bytes()), key_slot(&key));
    cluster.begin_migration(slot, from, to);
    cluster.migrate_keys(slot, from, to, 1000);
    while let Some(key) = keys.next().await {
        seen.push(key.expect("a page"));
    }
    let seen: HashSet<_> = seen.into_iter().collect();
    assert!(
        seen.contains(key.as_bytes()),
        "{key} was there all the time"
    );
    assert_eq!(seen.len(), 300);
    cluster.finish_migration(slot, from, to);
    client.close().await;
}
