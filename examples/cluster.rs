//! Keys of a Redis Cluster, with the node that served each.
//!
//!     cargo run --example cluster -- redis-cluster://127.0.0.1:7000
//!
//! It counts visits for as long as it is left alone, so slots may be moved and nodes killed meanwhile. Without a cluster at
//! hand, six servers in empty directories make one:
//!
//!     for p in 7000 7001 7002 7003 7004 7005; do
//!         mkdir -p /tmp/cluster/$p && (cd /tmp/cluster/$p && redis-server --port $p --cluster-enabled yes --daemonize yes)
//!     done
//!     redis-cli --cluster create 127.0.0.1:700{0,1,2,3,4,5} --cluster-replicas 1 --cluster-yes

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use kv_client::{Client, Config, Role, key_slot};

/// Counts visits in a Redis Cluster, and shows the node that served each
#[derive(Parser)]
struct Options {
    /// redis-cluster://[user:password@]host:port[,host:port...]
    #[arg(default_value = "redis-cluster://127.0.0.1:7000")]
    url: String,
    /// How many rounds of visits to count; for ever without it.
    #[arg(long)]
    rounds: Option<u64>,
    /// The pause between rounds.
    #[arg(long, default_value_t = 1000)]
    pause_ms: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let config: Config = options.url.parse()?;
    let client = Client::connect(config.clone())
        .await
        .with_context(|| format!("cannot use {config}"))?;
    let nodes = client.cluster_nodes();
    ensure!(
        !nodes.is_empty(),
        "{config} is the url of a single server; that of a cluster begins with redis-cluster://"
    );
    for node in nodes {
        let slots: usize = node.slots().iter().map(|range| range.clone().count()).sum();
        let does = match node.role() {
            Role::Primary => "serves",
            _ => "follows the primary of",
        };
        println!("{} {does} {slots} slots", node.address());
    }
    let towns = ["Aachen", "Bergen", "Cork", "Delft", "Espoo", "Faro"];
    for round in 0.. {
        if options.rounds.is_some_and(|rounds| round >= rounds) {
            break;
        }
        // One pipeline; each command goes to the node of its key, and the results come back in order.
        let visits = towns.map(|town| client.incr(format!("visits:{town}")));
        for (town, visits) in towns.iter().zip(client.pipeline(visits).results().await) {
            let key = format!("visits:{town}");
            let served_by = match client.cluster_node_of(&key) {
                Some(node) => node.address().to_string(),
                None => "no node".to_owned(),
            };
            match visits {
                Ok(visits) => println!(
                    "{served_by:<21} slot {:>5}  {key:<13} {visits}",
                    key_slot(&key)
                ),
                Err(error) => println!("{served_by:<21} slot {:>5}  {error}", key_slot(&key)),
            }
        }
        let stats = client.stats();
        println!(
            "{} redirects, {} connections so far\n",
            stats.redirects, stats.connections
        );
        tokio::time::sleep(Duration::from_millis(options.pause_ms)).await;
    }
    client.close().await;
    Ok(())
}
