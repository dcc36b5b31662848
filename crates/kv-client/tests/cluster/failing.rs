//! Primaries that die, and subscriptions that move.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kv_client::{Address, Client, Event, Gap, Protocol, Subscription, key_slot};
use tokio::time::timeout;

use crate::counting::{count, value_of};
use crate::moving::neighbours;
use crate::support::RedisCluster;

pub(crate) async fn subscriptions_follow_their_slot(cluster: &RedisCluster) {
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
        match timeout(Duration::from_secs(60), shards.next())
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
        timeout(Duration::from_secs(60), published)
            .await
            .expect("subscribed at the new place");
        loop {
            match timeout(Duration::from_secs(60), shards.next())
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

pub(crate) async fn payload(subscription: &mut Subscription) -> Bytes {
    match timeout(Duration::from_secs(60), subscription.next())
        .await
        .expect("in time")
    {
        Some(Event::Message(message)) => message.payload,
        other => panic!("expected a message, got {other:?}"),
    }
}

pub(crate) async fn a_primary_dies_and_nothing_is_counted_twice(cluster: &mut RedisCluster) {
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
        let value = value_of(&client, &key).await;
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

    match timeout(Duration::from_secs(60), subscription.next())
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
