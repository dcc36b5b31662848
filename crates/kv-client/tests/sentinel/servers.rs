//! A primary and a replica under three real sentinels.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kv_client::Config;

use crate::cluster::{Secured, until};
use crate::ports::free_port;

/// The processes end, and their files go, with this value.
pub(crate) struct Servers {
    processes: Vec<(u16, Child)>,
    dir: PathBuf,
    secured: Secured,
    pub(crate) data: Vec<u16>,
    pub(crate) sentinels: Vec<u16>,
}

static SERVICES: AtomicU32 = AtomicU32::new(0);

impl Servers {
    /// `None` if Redis is not installed; with `REQUIRE_REDIS` set, that is a failure.
    pub(crate) async fn start(secured: Secured) -> Option<Self> {
        let installed = |name: &str| Command::new(name).arg("--version").output().is_ok();
        if !["redis-server", "redis-sentinel", "redis-cli"]
            .into_iter()
            .all(installed)
        {
            assert!(
                std::env::var_os("REQUIRE_REDIS").is_none(),
                "redis is not installed"
            );
            eprintln!("skipped: redis-server, redis-sentinel and redis-cli are not installed");
            return None;
        }
        let ports: Vec<u16> = (0..5).map(|_| free_port()).collect();
        let number = SERVICES.fetch_add(1, Ordering::Relaxed);
        let name = format!("kv-client-sentinel-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let mut servers = Self {
            processes: Vec::new(),
            dir,
            secured,
            data: ports[..2].to_vec(),
            sentinels: ports[2..].to_vec(),
        };
        let primary = ports[0].to_string();
        for &port in &ports[..2] {
            let mut args = vec!["--save", "", "--repl-diskless-sync-delay", "0"];
            if port != ports[0] {
                args.extend(["--replicaof", "127.0.0.1", &primary]);
            }
            servers.spawn("redis-server", port, &args);
        }
        for &port in &ports[2..] {
            // Sentinels write to their files.
            let file = servers.dir.join(format!("{port}.conf"));
            let mut text: String = servers.secured.port(port).chunks(2).map(line).collect();
            text += &servers
                .secured
                .server
                .chunks(2)
                .map(line)
                .collect::<String>();
            text += &format!(
                "bind 127.0.0.1\ndir {dir}\nsentinel monitor the-service 127.0.0.1 {primary} 2\n\
                 sentinel down-after-milliseconds the-service 1000\nsentinel failover-timeout the-service 3000\n",
                dir = servers.dir.display(),
            );
            std::fs::write(&file, text).unwrap();
            let child = Command::new("redis-sentinel")
                .arg(&file)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            servers.processes.push((port, child));
        }
        servers
            .until(|servers| {
                servers.sentinels.iter().all(|&port| {
                    let state = servers.cli(port, &["SENTINEL", "MASTER", "the-service"]);
                    let after = |name: &str| {
                        state
                            .lines()
                            .skip_while(|line| *line != name)
                            .nth(1)
                            .map(str::to_owned)
                    };
                    after("num-slaves").as_deref() == Some("1")
                        && after("num-other-sentinels").as_deref() == Some("2")
                }) && servers
                    .cli(servers.data[1], &["INFO", "replication"])
                    .contains("master_link_status:up")
            })
            .await;
        Some(servers)
    }

    fn spawn(&mut self, program: &str, port: u16, args: &[&str]) {
        let child = Command::new(program)
            .args(self.secured.port(port))
            .args(["--bind", "127.0.0.1"])
            .args(&self.secured.server)
            .args(args)
            .current_dir(&self.dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.processes.push((port, child));
    }

    pub(crate) fn cli(&self, port: u16, args: &[&str]) -> String {
        self.secured.ask(port, args)
    }

    pub(crate) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        until(|| condition(self)).await;
    }

    pub(crate) fn config(&self) -> Config {
        let sentinels = self.sentinels.iter().map(|&port| ("127.0.0.1", port));
        Config::sentinel("the-service", sentinels).command_timeout(Duration::from_secs(60))
    }

    pub(crate) fn kill(&mut self, port: u16) {
        let (_, child) = self
            .processes
            .iter_mut()
            .find(|(other, _)| *other == port)
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for (_, child) in &mut self.processes {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// An option as a line of a configuration file.
fn line(option: &[String]) -> String {
    format!("{}\n", option.join(" ").trim_start_matches("--"))
}
