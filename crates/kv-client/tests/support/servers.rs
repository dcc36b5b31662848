//! Real servers: Debian's redis-server as a child process, and kv-server in this one.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kv_client::{Client, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::free_port;

/// A redis-server without persistence on a free port; it ends with this value.
pub(crate) struct Redis {
    child: Child,
    pub(crate) addr: SocketAddr,
    program: &'static str,
    args: Vec<String>,
}

/// The programs that the tests of ordinary commands run against, where they are on the path. The first has to be.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

impl Redis {
    /// Starts one; `None` if the program is not installed. With `REQUIRE_REDIS` set, that is a failure.
    pub(crate) async fn start(args: &[&str]) -> Option<Self> {
        let server = Self::of(PROGRAMS[0], args).await;
        if server.is_none() {
            assert!(
                std::env::var_os("REQUIRE_REDIS").is_none(),
                "redis-server is not installed"
            );
            eprintln!("skipped: redis-server is not installed");
        }
        server
    }

    async fn of(program: &'static str, args: &[&str]) -> Option<Self> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let mut server = Self {
            child: spawn(program, addr, &args)?,
            addr,
            program,
            args,
        };
        server.until_ready().await;
        Some(server)
    }

    pub(crate) fn config(&self) -> Config {
        patient(Config::from(self.addr))
    }

    /// Lets it do nothing at all until [`Self::resume`].
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Kills it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same port.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(self.program, self.addr, &self.args).expect("it started before");
        self.until_ready().await;
    }

    async fn until_ready(&mut self) {
        let begin = Instant::now();
        while !answers(self.addr).await {
            let ended = self.child.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "{} ended: {ended:?}", self.program);
            assert!(
                begin.elapsed() < Duration::from_secs(120),
                "{} does not answer on {}",
                self.program,
                self.addr
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether a server there replies, be it with an error. That it can be connected to says less: the system accepts for a
/// server that goes on starting, and may fail to.
async fn answers(addr: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(addr).await else {
        return false;
    };
    stream.write_all(b"PING\r\n").await.is_ok() && matches!(stream.read_u8().await, Ok(b'+' | b'-'))
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(program: &str, addr: SocketAddr, args: &[String]) -> Option<Child> {
    let port = addr.port().to_string();
    Command::new(program)
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

/// Time limits that a machine with other things to do does not reach.
fn patient(config: Config) -> Config {
    config
        .connect_timeout(Duration::from_secs(30))
        .command_timeout(Duration::from_secs(60))
}

/// Runs a test of ordinary commands in both protocols: against a new kv-server each time, and against redis-server and
/// valkey-server where they are installed. A server that does not know the command `needs` is left out.
pub(crate) async fn on_every_server<F: AsyncFn(Client)>(needs: &str, test: F) {
    let mut installed = Vec::new();
    installed.extend(Redis::start(&[]).await);
    installed.extend(Redis::of(PROGRAMS[1], &[]).await);
    let mut ran = 0;
    for protocol in [2, 3] {
        let ours = kv_server::Server::builder()
            .start()
            .await
            .expect("kv-server starts");
        let theirs = installed
            .iter()
            .map(|server| format!("redis://{}", server.addr));
        for url in std::iter::once(ours.url()).chain(theirs) {
            let config: Config = format!("{url}?protocol={protocol}").parse().expect("a URL");
            let client = Client::connect(patient(config))
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
        for server in &installed {
            let client = Client::connect(server.config())
                .await
                .expect("the server is there");
            client.flushall().await.expect("FLUSHALL");
        }
    }
    assert!(ran > 0 || installed.is_empty(), "no server knows {needs}");
}
