//! The same over TLS: servers, sentinels, and all between each other.

use std::time::Duration;

use kv_client::{Client, Config};

use crate::certificates::Certificates;
use crate::cluster::Secured;
use crate::port_of;
use crate::servers::Servers;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_and_servers_are_reached_by_tls_before_and_after_a_failover() {
    let certificates = Certificates::new("sentinel");
    let mut server = certificates.server_args();
    let yes = ["--tls-replication", "yes", "--tls-auth-clients", "yes"];
    server.extend(yes.map(str::to_owned));
    let secured = Secured {
        server,
        cli: certificates.cli_args(),
    };
    let Some(mut servers) = Servers::start(secured).await else {
        return;
    };
    let url = format!(
        "rediss-sentinel://127.0.0.1:{}/the-service?command_timeout_ms=40000&{}",
        servers.sentinels[0],
        certificates.url_options()
    );
    let config: Config = url.parse().unwrap();
    assert_eq!(config.to_string(), url);
    let client = Client::connect(config.connect_timeout(Duration::from_secs(60)))
        .await
        .expect("both sides trust each other");
    client.set("before", "v").await.unwrap();
    let old = port_of(&client).await;
    assert_eq!(old, servers.data[0]);
    servers.kill(old);
    client
        .set("after", "w")
        .await
        .expect("the replica takes over");
    assert_ne!(port_of(&client).await, old);
    client.close().await;
}
