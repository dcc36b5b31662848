//! A real cluster whose slots move and whose primaries die, while commands run.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

#[cfg(feature = "tls")]
#[path = "../support/certificates.rs"]
mod certificates;
mod counting;
mod failing;
mod logins;
mod maps;
mod moving;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/requests.rs"]
mod requests;
mod scripted;
#[cfg(feature = "tls")]
mod secured;
mod serving;
#[path = "../support/cluster.rs"]
mod support;

use kv_client::{Client, ErrorKind, Outcome, Protocol};

use failing::{a_primary_dies_and_nothing_is_counted_twice, subscriptions_follow_their_slot};
use logins::a_new_login_reaches_every_node;
use moving::{
    a_key_that_moves_is_found, a_scan_misses_nothing_of_a_slot_on_its_way,
    a_scan_misses_nothing_while_slots_move, slots_move_while_commands_run,
};
use serving::{
    a_read_says_itself_who_may_serve_it, announced_addresses_are_mapped_to_reachable_ones,
    commands_go_where_their_keys_are, pipelines_and_transactions,
    reads_come_from_replicas_if_asked_for, scans_return_every_key, the_nodes_are_known,
    watches_and_scripts,
};
use support::RedisCluster;

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
    a_read_says_itself_who_may_serve_it(&cluster).await;
    announced_addresses_are_mapped_to_reachable_ones(&cluster).await;
    a_new_login_reaches_every_node(&cluster).await;
    a_key_that_moves_is_found(&cluster).await;
    slots_move_while_commands_run(&cluster).await;
    a_scan_misses_nothing_while_slots_move(&cluster).await;
    a_scan_misses_nothing_of_a_slot_on_its_way(&cluster).await;
    subscriptions_follow_their_slot(&cluster).await;
    a_primary_dies_and_nothing_is_counted_twice(&mut cluster).await;
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
    let lazy = Client::connect_lazy(&url).unwrap();
    let error = lazy.get("k").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotACluster { .. }),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::NotSent);
    lazy.close().await;
    server.shutdown().await;

    let gone = Client::connect(&url).await.unwrap_err();
    assert!(matches!(gone.kind(), ErrorKind::Connect { .. }), "{gone:?}");
    let lazy = Client::connect_lazy(format!("{url}?command_timeout_ms=300")).unwrap();
    let error = lazy.get("k").await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);
    lazy.close().await;
}
