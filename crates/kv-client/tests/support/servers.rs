//! Real servers: Debian's redis-server as a child process, and kv-server in this one.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kv_client::{Client, Config};

/// A redis-server without persistence on a free port; it ends with this value.
pub(crate) struct Redis {
    child: Child,
    pub(crate) addr: SocketAddr,
    args: Vec<String>,
}

impl Redis {
    /// Starts one; `None` if the program is not installed. With `REQUIRE_REDIS` set, that is a failure.
    pub(crate) async fn start(args: &[&str]) -> Option<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .expect("a free port")
            .local_addr()
            .expect("bound")
            .port();
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let Some(child) = spawn(addr, &args) else {
            assert!(
                std::env::var_os("REQUIRE_REDIS").is_none(),
                "redis-server is not installed"
            );
            eprintln!("skipped: redis-server is not installed");
            return None;
        };
        let server = Self { child, addr, args };
        server.until_ready().await;
        Some(server)
    }

    pub(crate) fn config(&self) -> Config {
        Config::from(self.addr)
    }

    /// Kills it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same port.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(self.addr, &self.args).expect("it started before");
        self.until_ready().await;
    }

    async fn until_ready(&self) {
        let begin = Instant::now();
        while tokio::net::TcpStream::connect(self.addr).await.is_err() {
            assert!(
                begin.elapsed() < Duration::from_secs(10),
                "redis-server does not listen on {}",
                self.addr
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(addr: SocketAddr, args: &[String]) -> Option<Child> {
    let port = addr.port().to_string();
    Command::new("redis-server")
        .args([
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .args(args)
        .stdout(Stdio::null())
        .spawn()
        .ok()
}

/// Runs a test of ordinary commands in both protocols: against a new kv-server each time, and against redis-server if it
/// is installed. A server that does not know the command `needs` is left out.
pub(crate) async fn on_every_server<F: AsyncFn(Client)>(needs: &str, test: F) {
    let redis = Redis::start(&[]).await;
    let mut ran = 0;
    for protocol in [2, 3] {
        let ours = kv_server::Server::builder()
            .start()
            .await
            .expect("kv-server starts");
        let theirs = redis
            .as_ref()
            .map(|redis| format!("redis://{}", redis.addr));
        for url in [Some(ours.url()), theirs].into_iter().flatten() {
            let client = Client::connect(format!("{url}?protocol={protocol}"))
                .await
                .expect("the server is there");
            let known: Vec<kv_client::Frame> = client
                .command("COMMAND")
                .arg(("INFO", needs))
                .into()
                .await
                .expect("COMMAND INFO");
            if known.first().is_some_and(|row| !row.is_null()) {
                test(client.clone()).await;
                ran += 1;
            }
            client.close().await;
        }
        ours.shutdown().await;
        if let Some(redis) = &redis {
            let client = Client::connect(redis.config())
                .await
                .expect("redis-server is there");
            client.flushall().await.expect("FLUSHALL");
        }
    }
    assert!(ran > 0 || redis.is_none(), "no server knows {needs}");
}
