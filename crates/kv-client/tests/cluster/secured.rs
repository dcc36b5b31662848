//! The same over TLS: clients, replicas, and the nodes between each other.

use std::time::Duration;

use kv_client::{Client, Config, Event, key_slot};
use tokio::time::timeout;

use crate::certificates::Certificates;
use crate::support::{RedisCluster, Secured};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_to_a_secured_cluster_is_secured() {
    let certificates = Certificates::new("cluster");
    let mut server = certificates.server_args();
    let yes = [
        "--tls-cluster",
        "yes",
        "--tls-replication",
        "yes",
        "--tls-auth-clients",
        "yes",
    ];
    server.extend(yes.map(str::to_owned));
    let secured = Secured {
        server,
        cli: certificates.cli_args(),
    };
    let Some(mut cluster) = RedisCluster::start_with(1500, secured).await else {
        return;
    };
    let seed = cluster.ports().next().expect("six nodes");
    let options = certificates.url_options();
    let config: Config =
        format!("rediss-cluster://127.0.0.1:{seed}?command_timeout_ms=30000&{options}")
            .parse()
            .unwrap();
    let client = Client::connect(config).await.expect("both sides trust");
    let keys: Vec<String> = (0..50).map(|n| format!("tls:{n}")).collect();
    let sets = keys.iter().map(|key| client.set(key, key));
    client
        .pipeline(sets.collect::<Vec<_>>())
        .await
        .expect("on all primaries");
    let got: Vec<String> = client.mget(&keys).into().await.expect("from all primaries");
    assert_eq!(got, keys);
    client
        .set("large", vec![b'x'; 2_000_000])
        .await
        .expect("on a second connection");

    // A redirect names the secured port too.
    let slot = key_slot(&keys[0]);
    let home = client.cluster_node_of(&keys[0]).expect("a node has it");
    let kv_client::Address::Tcp { port: from, .. } = *home.address() else {
        panic!("a node has a port");
    };
    let primaries = cluster.primaries();
    let to = *primaries.iter().find(|&&port| port != from).unwrap();
    assert_eq!(
        client.del(&keys[0]).await.unwrap(),
        1,
        "an empty slot moves"
    );
    cluster.begin_migration(slot, from, to);
    cluster.finish_migration(slot, from, to);
    client.set(&keys[0], "moved").await.expect("sent on");
    assert!(client.stats().redirects > 0);

    let mut shard = client.ssubscribe(&keys[0]).await.expect("subscribed");
    client.spublish(&keys[0], "hello").await.unwrap();
    let event = timeout(Duration::from_secs(60), shard.next());
    let Some(Event::Message(message)) = event.await.expect("in time") else {
        panic!("expected the message");
    };
    assert_eq!(message.payload, "hello");

    // The replica that takes over is secured as well.
    let victim = client.cluster_node_of(&keys[1]).expect("a node has it");
    let kv_client::Address::Tcp { port, .. } = *victim.address() else {
        panic!("a node has a port");
    };
    cluster.kill(port);
    client
        .set(&keys[1], "again")
        .await
        .expect("the replica has taken over");
    client.close().await;

    // Without a certificate of its own nobody gets in.
    let other = cluster.ports().next().expect("five nodes are left");
    let ca = options.split('&').next().unwrap();
    let anonymous = format!("rediss-cluster://127.0.0.1:{other}?{ca}");
    Client::connect(anonymous)
        .await
        .expect_err("the server wants a certificate");
}
