//! A real cluster: six redis-servers of Debian, three primaries with a replica each.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kv_client::Config;

use crate::ports::free_port;

/// The processes end, and their files go, with this value.
pub(crate) struct RedisCluster {
    nodes: Vec<Process>,
    dir: PathBuf,
    secured: Secured,
}

/// What servers and redis-cli are told beside the rest, for TLS; nothing for plain connections.
#[derive(Default)]
pub(crate) struct Secured {
    pub(crate) server: Vec<String>,
    pub(crate) cli: Vec<String>,
}

impl Secured {
    /// The options that name the port to listen on.
    pub(crate) fn port(&self, port: u16) -> Vec<String> {
        let port = port.to_string();
        let options = match self.server.is_empty() {
            true => vec!["--port", &port],
            false => vec!["--port", "0", "--tls-port", &port],
        };
        options.into_iter().map(str::to_owned).collect()
    }

    /// What redis-cli prints of the server at this port.
    pub(crate) fn ask(&self, port: u16, args: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &port.to_string()])
            .args(&self.cli)
            .args(args)
            .output()
            .expect("redis-cli runs");
        text(&output)
    }
}

/// Waits for something that servers come to by themselves.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(
            begin.elapsed() < Duration::from_secs(120),
            "the servers do not get there"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

struct Process {
    port: u16,
    child: Child,
}

static CLUSTERS: AtomicU32 = AtomicU32::new(0);

impl RedisCluster {
    /// Starts three primaries with a replica each; `None` if Redis is not installed. With `REQUIRE_REDIS` set, that is a
    /// failure. A node that does not answer for `node_timeout_ms` is held to be down.
    pub(crate) async fn start(node_timeout_ms: u32) -> Option<Self> {
        Self::start_with(node_timeout_ms, Secured::default()).await
    }

    /// The same with TLS, for clients, replicas and between the nodes.
    pub(crate) async fn start_with(node_timeout_ms: u32, secured: Secured) -> Option<Self> {
        let installed = Command::new("redis-cli").arg("--version").output().is_ok()
            && Command::new("redis-server")
                .arg("--version")
                .output()
                .is_ok();
        if !installed {
            assert!(
                std::env::var_os("REQUIRE_REDIS").is_none(),
                "redis is not installed"
            );
            eprintln!("skipped: redis-server and redis-cli are not installed");
            return None;
        }
        let number = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("kv-client-cluster-{}-{number}", std::process::id()));
        let mut cluster = Self {
            nodes: Vec::new(),
            dir,
            secured,
        };
        for _ in 0..6 {
            cluster.spawn(free_port(), node_timeout_ms);
        }
        for port in cluster.ports() {
            cluster
                .until(|cluster| cluster.cli(port, &["PING"]) == "PONG")
                .await;
        }
        let hosts: Vec<_> = cluster
            .ports()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let created = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&hosts)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .args(&cluster.secured.cli)
            .output()
            .expect("redis-cli runs");
        assert!(created.status.success(), "{}", text(&created));
        // Until every node knows that every replica follows its primary.
        cluster
            .until(|cluster| {
                cluster.ports().all(|port| {
                    let nodes = cluster.cli(port, &["CLUSTER", "NODES"]);
                    cluster
                        .cli(port, &["CLUSTER", "INFO"])
                        .contains("cluster_state:ok")
                        && !cluster
                            .cli(port, &["CLUSTER", "SHARDS"])
                            .contains("loading")
                        && nodes.lines().filter(|line| line.contains("slave")).count() == 3
                        && (cluster.cli(port, &["ROLE"]).starts_with("master")
                            || cluster
                                .cli(port, &["INFO", "replication"])
                                .contains("master_link_status:up"))
                })
            })
            .await;
        Some(cluster)
    }

    fn spawn(&mut self, port: u16, node_timeout_ms: u32) {
        let dir = self.dir.join(port.to_string());
        std::fs::create_dir_all(&dir).expect("a directory for the node");
        let child = Command::new("redis-server")
            .args(self.secured.port(port))
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(&self.secured.server)
            .args([
                "--cluster-enabled",
                "yes",
                "--cluster-replica-validity-factor",
                "0",
            ])
            .args(["--cluster-node-timeout", &node_timeout_ms.to_string()])
            .args([
                "--repl-diskless-sync-delay",
                "0",
                "--repl-ping-replica-period",
                "1",
            ])
            .current_dir(dir)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        self.nodes.push(Process { port, child });
    }

    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.nodes
            .iter()
            .map(|node| node.port)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// A configuration with one seed, and time enough for a failover.
    pub(crate) fn config(&self) -> Config {
        let port = self.nodes[0].port;
        Config::cluster([("127.0.0.1", port)]).command_timeout(Duration::from_secs(60))
    }

    /// What redis-cli prints.
    pub(crate) fn cli(&self, port: u16, args: &[&str]) -> String {
        self.secured.ask(port, args)
    }

    /// The identifier of a node.
    pub(crate) fn id(&self, port: u16) -> String {
        self.cli(port, &["CLUSTER", "MYID"])
    }

    /// The ports of the primaries.
    pub(crate) fn primaries(&self) -> Vec<u16> {
        let is_primary = |port: &u16| self.cli(*port, &["ROLE"]).starts_with("master");
        self.ports().filter(is_primary).collect()
    }

    /// Begins to move a slot: keys go one by one with [`Self::migrate_keys`].
    pub(crate) fn begin_migration(&self, slot: u16, from: u16, to: u16) {
        let slot = slot.to_string();
        let importing = self.cli(
            to,
            &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.id(from)],
        );
        let migrating = self.cli(
            from,
            &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.id(to)],
        );
        assert_eq!((importing.as_str(), migrating.as_str()), ("OK", "OK"));
    }

    /// Moves up to `count` keys of a slot.
    pub(crate) fn migrate_keys(&self, slot: u16, from: u16, to: u16, count: usize) {
        let keys = self.cli(
            from,
            &[
                "CLUSTER",
                "GETKEYSINSLOT",
                &slot.to_string(),
                &count.to_string(),
            ],
        );
        for key in keys.lines() {
            let moved = self.cli(
                from,
                &["MIGRATE", "127.0.0.1", &to.to_string(), key, "0", "5000"],
            );
            assert!(moved == "OK" || moved == "NOKEY", "{key}: {moved}");
        }
    }

    /// Gives a slot to a node, which all primaries are told.
    pub(crate) fn finish_migration(&self, slot: u16, from: u16, to: u16) {
        let id = self.id(to);
        let rest = self
            .primaries()
            .into_iter()
            .filter(|&port| port != from && port != to);
        for port in [to, from].into_iter().chain(rest) {
            let set = self.cli(
                port,
                &["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id],
            );
            assert_eq!(set, "OK");
        }
    }

    /// Kills one node, as a crash would.
    pub(crate) fn kill(&mut self, port: u16) {
        let node = self
            .nodes
            .iter()
            .position(|node| node.port == port)
            .expect("one of the nodes");
        let mut node = self.nodes.swap_remove(node);
        node.child.kill().expect("it runs");
        node.child.wait().expect("it ran");
    }

    /// Waits for something that the nodes come to by themselves.
    pub(crate) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        until(|| condition(self)).await;
    }
}

impl Drop for RedisCluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
