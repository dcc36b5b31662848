//! A login that changes on every node.

use kv_client::{Client, Credentials, Role};

use crate::support::RedisCluster;

pub(crate) async fn a_new_login_reaches_every_node(cluster: &RedisCluster) {
    let set_user = |rule: &str| {
        for port in cluster.ports() {
            let rules = ["ACL", "SETUSER", "app", "on", rule, "~*", "&*", "+@all"];
            assert_eq!(cluster.cli(port, &rules), "OK");
        }
    };
    set_user(">old");
    let login = |password: &str| Credentials::new("app", password);
    let client = Client::connect(cluster.config().credentials(login("old")))
        .await
        .expect("logged in");
    client.flushall().await.expect("connected to all primaries");

    let primaries = client.cluster_nodes().into_iter();
    let primaries: Vec<_> = primaries
        .filter(|node| node.role() == Role::Primary)
        .collect();
    let mut connections = Vec::new();
    for node in &primaries {
        connections.push(node.client().client_id().await.unwrap());
    }
    // Refused by all of them: everything stays as it was.
    let error = client.set_credentials(login("wrong")).await.unwrap_err();
    assert_eq!(error.code(), Some("WRONGPASS"));
    set_user(">new");
    client.set_credentials(login("new")).await.expect("known");
    set_user("<old");
    for node in client.cluster_nodes() {
        let user = node.client().acl_whoami().await.expect("logged in");
        assert_eq!(user, "app", "{}", node.address());
    }
    for (node, connection) in primaries.iter().zip(connections) {
        let now = node.client().client_id().await.unwrap();
        assert_eq!(now, connection, "{} was told, not left", node.address());
    }
    for port in cluster.primaries() {
        cluster.cli(port, &["CLIENT", "KILL", "USER", "app"]);
    }
    let keys: Vec<_> = (0..50).map(|n| format!("login:{n}")).collect();
    let sets = keys.iter().map(|key| client.set(key, "v"));
    client
        .pipeline(sets.collect::<Vec<_>>())
        .await
        .expect("logged in again, with the new password");
    client.close().await;
    for port in cluster.ports() {
        assert_eq!(cluster.cli(port, &["ACL", "DELUSER", "app"]), "1");
    }
}
