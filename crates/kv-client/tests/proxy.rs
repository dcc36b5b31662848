//! Real servers behind a proxy that cuts the connection at every byte of an exchange, in either direction.

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kv_client::{Address, Client, Config, Outcome, Protocol};
use servers::on_every_server;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;

/// Forwards everything, until it is told how much more may pass.
#[derive(Default)]
struct Proxy {
    /// Bytes that may still pass from the client to the server, and back. Until they are armed they do not count.
    budgets: [AtomicUsize; 2],
    armed: AtomicBool,
    connections: AtomicUsize,
}

const TO_SERVER: usize = 0;
const TO_CLIENT: usize = 1;

impl Proxy {
    fn config(self: &Arc<Self>, server: SocketAddr) -> Config {
        let proxy = Arc::clone(self);
        Config::connector(move || {
            let proxy = Arc::clone(&proxy);
            async move {
                let server = TcpStream::connect(server).await?;
                let (ours, theirs) = tokio::io::duplex(64 * 1024);
                // Only the first connection is cut.
                let first = proxy.connections.fetch_add(1, Ordering::SeqCst) == 0;
                tokio::spawn(proxy.forward(theirs, server, first));
                Ok(ours)
            }
        })
    }

    async fn forward(self: Arc<Self>, client: DuplexStream, server: TcpStream, first: bool) {
        let (from_client, to_client) = tokio::io::split(client);
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = self.pump(from_client, to_server, first.then_some(TO_SERVER)) => {}
            () = self.pump(from_server, to_client, first.then_some(TO_CLIENT)) => {}
        }
    }

    async fn pump(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        budget: Option<usize>,
    ) {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let mut passes = read;
            let budget = budget.filter(|_| self.armed.load(Ordering::SeqCst));
            if let Some(budget) = budget.map(|direction| &self.budgets[direction]) {
                passes = read.min(budget.load(Ordering::SeqCst));
                budget.fetch_sub(passes, Ordering::SeqCst);
            }
            if to.write_all(&buffer[..passes]).await.is_err() || passes < read {
                return;
            }
        }
    }

    /// Lets so many bytes pass in one direction, and everything in the other.
    fn arm(&self, direction: usize, bytes: usize) {
        self.budgets[direction].store(bytes, Ordering::SeqCst);
        self.budgets[1 - direction].store(usize::MAX, Ordering::SeqCst);
        self.armed.store(true, Ordering::SeqCst);
    }
}

/// The longest of the two directions; behind the end nothing is cut.
const LONGEST: [usize; 2] = [130, 20];

#[tokio::test]
async fn a_connection_cut_at_every_byte_leaves_what_its_errors_say() {
    on_every_server("INCR", async |admin| {
        let Address::Tcp { host, port } = admin.config().address() else {
            panic!("a server with a port");
        };
        let server = SocketAddr::new(host.parse().expect("an address"), *port);
        let (mut whole, mut cut_off) = (0, 0);
        for direction in [TO_SERVER, TO_CLIENT] {
            for cut in 0..=LONGEST[direction] {
                let place = format!("{direction}:{cut}");
                let proxy = Arc::new(Proxy::default());
                let config = proxy.config(server).protocol(Protocol::Resp2);
                let client = Client::connect(config).await.expect("nothing is cut yet");
                proxy.arm(direction, cut);
                let (counter, list) = (format!("n:{place}"), format!("l:{place}"));
                let (incr, get, push) = tokio::join!(
                    client.incr(&counter).into_future(),
                    client.get("no such key").into_future(),
                    client.lpush(&list, "v").into::<i64>().into_future(),
                );
                assert_eq!(get.expect("a read is sent again"), None, "{place}");
                // On a connection of its own: the server's data is the judge.
                let count = admin.get(&counter).into::<Option<i64>>().await;
                let times = [
                    (incr, count.expect("a count").unwrap_or(0)),
                    (push, admin.llen(&list).into().await.expect("a length")),
                ];
                for (result, times) in times {
                    let range = match result.map_err(|error| error.outcome()) {
                        Ok(1) => {
                            whole += 1;
                            1..=1
                        }
                        Ok(other) => panic!("{place}: {other} is not the reply to the first one"),
                        Err(Outcome::MaybeExecuted) => {
                            cut_off += 1;
                            0..=1
                        }
                        Err(other) => panic!("{place}: {other:?}, and yet it is not sent again"),
                    };
                    assert!(range.contains(&times), "{place}: run {times} times");
                }
                client.close().await;
            }
        }
        assert!(whole > 50 && cut_off > 50, "{whole} whole, {cut_off} cut");
    })
    .await;
}
