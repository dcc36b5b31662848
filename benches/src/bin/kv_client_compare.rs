//! kv-client beside redis-rs (and, with the feature `clients`, rustis and fred): CPU time and allocations of the client for one operation.
//!
//!     cargo run --release -p benches --features clients --bin kv_client_compare -- [--rounds 9] [--only 64B,pipeline] [--url redis://...]
//!
//! One connection, one thread, tasks that each do SET and GET in turn; pipelines, MGET, messages. Rounds alternate between the clients; what is shown
//! are medians, and the medians of the ratios of each round to kv-client's. CPU time is that of the client's thread, system
//! calls included. Without `--url` a `redis-server` is started for it.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use std::{env, thread};

use benches::allocations::{self, Counting};
use cpu_time::ThreadTime;
use futures::StreamExt;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One row of the table.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    tasks: usize,
    value_len: usize,
    work: Work,
    /// Operations of all tasks together.
    operations: usize,
}

/// What each task does, again and again.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    /// SET and GET in turn.
    SetGet,
    /// So many GETs in an explicit pipeline, each an operation.
    Pipeline(usize),
    /// One MGET of so many keys, an operation.
    Mget(usize),
    /// Receives messages, each an operation.
    Receive,
}

const fn load(name: &'static str, tasks: usize, value_len: usize, operations: usize) -> Load {
    Load {
        name,
        tasks,
        value_len,
        work: Work::SetGet,
        operations,
    }
}

const fn special(name: &'static str, work: Work, value_len: usize, operations: usize) -> Load {
    Load {
        name,
        tasks: 1,
        value_len,
        work,
        operations,
    }
}

const LOADS: &[Load] = &[
    load("64B x 1 task", 1, 64, 10_000),
    load("64B x 64 tasks", 64, 64, 100_000),
    load("64B x 256 tasks", 256, 64, 150_000),
    load("64B x 1024 tasks", 1024, 64, 150_000),
    load("16KB x 1 task", 1, 16 * 1024, 5_000),
    load("16KB x 64 tasks", 64, 16 * 1024, 20_000),
    load("16KB x 256 tasks", 256, 16 * 1024, 20_000),
    load("16KB x 1024 tasks", 1024, 16 * 1024, 20_000),
    special("pipeline of 100", Work::Pipeline(100), 64, 200_000),
    special("MGET 100 x 1KB", Work::Mget(100), 1024, 4_000),
    special("pub/sub 64B", Work::Receive, 64, 200_000),
];

/// So many messages are published before the receiver has them all: few enough for the shortest queue of the clients.
const WINDOW: usize = 500;

/// What one round of one client came to.
#[derive(Clone, Copy)]
struct Sample {
    cpu_us: f64,
    allocations: f64,
    rate: f64,
}

/// A client under test.
trait Peer: Clone + Send + Sync + 'static {
    fn set(&self, key: &str, value: &[u8]) -> impl Future<Output = Result<()>> + Send;
    fn get(&self, key: &str) -> impl Future<Output = Result<usize>> + Send;
    /// GETs the key `count` times in one pipeline; the bytes received.
    fn pipeline(&self, key: &str, count: usize) -> impl Future<Output = Result<usize>> + Send;
    /// The bytes of all values.
    fn mget(&self, keys: &[String]) -> impl Future<Output = Result<usize>> + Send;
    /// Subscribes, and receives so many messages; tells `publisher` that it is ready, and of each window received.
    fn receive(
        &self,
        url: &str,
        count: usize,
        publisher: Publisher,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Publishes windows of messages on a thread of its own, whose CPU time is not counted.
struct Publisher {
    go: SyncSender<()>,
    /// One of its own for each run, because clients unsubscribe in the background.
    channel: String,
}

impl Publisher {
    fn start(url: &str, value_len: usize) -> Result<Self> {
        let addr = url
            .strip_prefix("redis://")
            .ok_or("the url is no redis://")?;
        let mut stream = TcpStream::connect(addr)?;
        let (go, asked) = sync_channel::<()>(2);
        let channel = format!("news:{}", stream.local_addr()?.port());
        let message = "x".repeat(value_len);
        let one = format!(
            "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${value_len}\r\n{message}\r\n",
            channel.len()
        );
        let window = one.repeat(WINDOW);
        let mut replies = vec![0; ":1\r\n".len() * WINDOW];
        thread::spawn(move || {
            while asked.recv().is_ok() {
                let sent = stream.write_all(window.as_bytes());
                if sent.and_then(|()| stream.read_exact(&mut replies)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { go, channel })
    }

    /// Counts one message; asks for more when a window is over.
    fn received(&self, total: &mut usize, of: usize) -> Result<()> {
        *total += 1;
        if *total % WINDOW == 0 && *total < of {
            self.go.send(())?;
        }
        Ok(())
    }
}

impl Peer for kv_client::Client {
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(self.set(key, value).await?)
    }

    async fn get(&self, key: &str) -> Result<usize> {
        Ok(self.get(key).await?.map_or(0, |value| value.len()))
    }

    async fn pipeline(&self, key: &str, count: usize) -> Result<usize> {
        let commands: Vec<_> = (0..count).map(|_| self.get(key)).collect();
        let values = self.pipeline(commands).await?;
        Ok(values.iter().flatten().map(bytes::Bytes::len).sum())
    }

    async fn mget(&self, keys: &[String]) -> Result<usize> {
        let values = self.mget(keys).await?;
        Ok(values.iter().flatten().map(bytes::Bytes::len).sum())
    }

    async fn receive(&self, _url: &str, count: usize, publisher: Publisher) -> Result<()> {
        let mut messages = self.subscribe(&publisher.channel).await?;
        publisher.go.send(())?;
        let mut total = 0;
        while total < count {
            match messages.next().await {
                Some(kv_client::Event::Message(_)) => publisher.received(&mut total, count)?,
                other => return Err(format!("{other:?} in place of a message").into()),
            }
        }
        Ok(())
    }
}

impl Peer for redis::aio::MultiplexedConnection {
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        let mut connection = self.clone();
        Ok(redis::AsyncTypedCommands::set(&mut connection, key, value).await?)
    }

    async fn get(&self, key: &str) -> Result<usize> {
        let mut connection = self.clone();
        let value: Vec<u8> = redis::AsyncCommands::get(&mut connection, key).await?;
        Ok(value.len())
    }

    async fn pipeline(&self, key: &str, count: usize) -> Result<usize> {
        let mut connection = self.clone();
        let mut pipe = redis::Pipeline::with_capacity(count);
        for _ in 0..count {
            pipe.get(key);
        }
        let values: Vec<Vec<u8>> = pipe.query_async(&mut connection).await?;
        Ok(values.iter().map(Vec::len).sum())
    }

    async fn mget(&self, keys: &[String]) -> Result<usize> {
        let mut connection = self.clone();
        let values: Vec<Vec<u8>> = redis::AsyncCommands::mget(&mut connection, keys).await?;
        Ok(values.iter().map(Vec::len).sum())
    }

    async fn receive(&self, url: &str, count: usize, publisher: Publisher) -> Result<()> {
        let mut connection = redis::Client::open(url)?.get_async_pubsub().await?;
        connection.subscribe(&publisher.channel).await?;
        publisher.go.send(())?;
        let mut messages = connection.on_message();
        let mut total = 0;
        while total < count {
            messages.next().await.ok_or("the stream ended")?;
            publisher.received(&mut total, count)?;
        }
        Ok(())
    }
}

#[cfg(feature = "clients")]
impl Peer for rustis::client::Client {
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        let value = rustis::resp::BulkString::from(value.to_vec());
        Ok(rustis::commands::StringCommands::set(self, key, value).await?)
    }

    async fn get(&self, key: &str) -> Result<usize> {
        let value: rustis::resp::BulkString =
            rustis::commands::StringCommands::get(self, key).await?;
        Ok(value.len())
    }

    async fn pipeline(&self, key: &str, count: usize) -> Result<usize> {
        use rustis::client::BatchPreparedCommand;

        let mut pipe = self.create_pipeline();
        for _ in 0..count {
            rustis::commands::StringCommands::get::<()>(&mut pipe, key).queue();
        }
        let values: Vec<rustis::resp::BulkString> = pipe.execute().await?;
        Ok(values.iter().map(|value| value.len()).sum())
    }

    async fn mget(&self, keys: &[String]) -> Result<usize> {
        let values: Vec<rustis::resp::BulkString> =
            rustis::commands::StringCommands::mget(self, keys).await?;
        Ok(values.iter().map(|value| value.len()).sum())
    }

    async fn receive(&self, _url: &str, count: usize, publisher: Publisher) -> Result<()> {
        let mut messages =
            rustis::commands::PubSubCommands::subscribe(self, publisher.channel.as_str()).await?;
        publisher.go.send(())?;
        let mut total = 0;
        while total < count {
            messages.next().await.ok_or("the stream ended")??;
            publisher.received(&mut total, count)?;
        }
        Ok(())
    }
}

#[cfg(feature = "clients")]
impl Peer for fred::clients::Client {
    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(fred::interfaces::KeysInterface::set(self, key, value, None, None, false).await?)
    }

    async fn get(&self, key: &str) -> Result<usize> {
        let value: bytes::Bytes = fred::interfaces::KeysInterface::get(self, key).await?;
        Ok(value.len())
    }

    async fn pipeline(&self, key: &str, count: usize) -> Result<usize> {
        let pipe = self.pipeline();
        for _ in 0..count {
            let () = fred::interfaces::KeysInterface::get(&pipe, key).await?;
        }
        let values: Vec<bytes::Bytes> = pipe.all().await?;
        Ok(values.iter().map(bytes::Bytes::len).sum())
    }

    async fn mget(&self, keys: &[String]) -> Result<usize> {
        let values: Vec<bytes::Bytes> =
            fred::interfaces::KeysInterface::mget(self, keys.to_vec()).await?;
        Ok(values.iter().map(bytes::Bytes::len).sum())
    }

    async fn receive(&self, _url: &str, count: usize, publisher: Publisher) -> Result<()> {
        use fred::interfaces::{EventInterface, PubsubInterface};

        let mut messages = self.message_rx();
        PubsubInterface::subscribe(self, publisher.channel.as_str()).await?;
        publisher.go.send(())?;
        let mut total = 0;
        while total < count {
            messages.recv().await?;
            publisher.received(&mut total, count)?;
        }
        PubsubInterface::unsubscribe(self, publisher.channel.as_str()).await?;
        Ok(())
    }
}

async fn run(peer: &impl Peer, load: Load, url: &str) -> Result<()> {
    if load.work == Work::Receive {
        let publisher = Publisher::start(url, load.value_len)?;
        return peer.receive(url, load.operations, publisher).await;
    }
    let step = match load.work {
        Work::SetGet => 2,
        Work::Pipeline(count) => count,
        Work::Mget(_) | Work::Receive => 1,
    };
    let rounds = load.operations / load.tasks / step;
    let mut tasks = JoinSet::new();
    for task in 0..load.tasks {
        let peer = peer.clone();
        tasks.spawn(async move {
            let key = format!("task:{task}");
            let value = vec![b'x'; load.value_len];
            peer.set(&key, &value).await?;
            let keys = match load.work {
                Work::Mget(count) => vec![key.clone(); count],
                _ => Vec::new(),
            };
            for _ in 0..rounds {
                let (received, values) = match load.work {
                    Work::Pipeline(count) => (peer.pipeline(&key, count).await?, count),
                    Work::Mget(count) => (peer.mget(&keys).await?, count),
                    Work::SetGet | Work::Receive => {
                        peer.set(&key, &value).await?;
                        (peer.get(&key).await?, 1)
                    }
                };
                let expected = values * load.value_len;
                if received != expected {
                    return Err(format!("{received} bytes instead of {expected}").into());
                }
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
    }
    while let Some(finished) = tasks.join_next().await {
        finished??;
    }
    Ok(())
}

fn measure(runtime: &Runtime, peer: &impl Peer, load: Load, url: &str) -> Result<Sample> {
    runtime.block_on(run(
        peer,
        Load {
            operations: load.operations / 10,
            ..load
        },
        url,
    ))?;
    let (cpu, begin, before) = (ThreadTime::now(), Instant::now(), allocations::calls());
    runtime.block_on(run(peer, load, url))?;
    let operations = load.operations as f64;
    Ok(Sample {
        cpu_us: cpu.elapsed().as_secs_f64() * 1e6 / operations,
        allocations: (allocations::calls() - before) as f64 / operations,
        rate: operations / begin.elapsed().as_secs_f64(),
    })
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A redis-server that ends with this program.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_redis(port: u16) -> Result<Server> {
    let child = Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .stdout(Stdio::null())
        .spawn()?;
    let server = Server(child);
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(server);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err("redis-server did not start".into())
}

fn main() -> Result<()> {
    let mut rounds = 9;
    let mut only = Vec::new();
    let mut url = None;
    let mut args = env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--rounds" => rounds = value.parse()?,
            "--only" => only = value.split(',').map(str::to_owned).collect(),
            "--url" => url = Some(value),
            _ => return Err(format!("unknown flag {flag}").into()),
        }
    }
    let _server = if url.is_none() {
        Some(start_redis(21_379)?)
    } else {
        None
    };
    let url = url.unwrap_or_else(|| "redis://127.0.0.1:21379".to_owned());

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ours = runtime.block_on(kv_client::Client::connect(url.as_str()))?;
    let redis =
        runtime.block_on(redis::Client::open(url.as_str())?.get_multiplexed_async_connection())?;
    #[cfg(feature = "clients")]
    let rustis = runtime.block_on(rustis::client::Client::connect(url.as_str()))?;
    #[cfg(feature = "clients")]
    let fred = runtime.block_on(async {
        use fred::interfaces::ClientLike;
        let client =
            fred::types::Builder::from_config(fred::types::config::Config::from_url(&url)?)
                .with_performance_config(|config| config.broadcast_channel_capacity = 2 * WINDOW)
                .build()?;
        client.init().await?;
        Ok::<_, fred::error::Error>(client)
    })?;

    for &load in LOADS
        .iter()
        .filter(|load| only.is_empty() || only.iter().any(|only| load.name.contains(only.as_str())))
    {
        let mut table: Vec<(&str, Vec<Sample>)> = Vec::new();
        let mut note = |name: &'static str, sample: Sample| match table
            .iter_mut()
            .find(|(other, _)| *other == name)
        {
            Some((_, samples)) => samples.push(sample),
            None => table.push((name, vec![sample])),
        };
        for _ in 0..rounds {
            note("kv-client", measure(&runtime, &ours, load, &url)?);
            note("redis-rs", measure(&runtime, &redis, load, &url)?);
            #[cfg(feature = "clients")]
            {
                note("rustis", measure(&runtime, &rustis, load, &url)?);
                note("fred", measure(&runtime, &fred, load, &url)?);
            }
        }
        println!("{}", load.name);
        let base: Vec<f64> = table[0].1.iter().map(|sample| sample.cpu_us).collect();
        for (name, samples) in &table {
            println!(
                "  {name:10} {:7.2} us CPU/op  {:5.1} allocations/op  {:8.0} op/s   CPU x {:.2}",
                median(samples.iter().map(|sample| sample.cpu_us)),
                median(samples.iter().map(|sample| sample.allocations)),
                median(samples.iter().map(|sample| sample.rate)),
                median(
                    samples
                        .iter()
                        .zip(&base)
                        .map(|(sample, base)| sample.cpu_us / base)
                ),
            );
        }
    }
    Ok(())
}
