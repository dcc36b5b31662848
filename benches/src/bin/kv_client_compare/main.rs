//! kv-client beside redis-rs (and, with the feature `clients`, rustis and fred): CPU time, allocations and slowest answers of the client.
//!
//!     cargo run --release -p benches --features clients --bin kv_client_compare -- [--rounds 9] [--only 64B,pipeline] [--clients kv-client,rustis] [--url redis://...]
//!
//! One connection, one thread, tasks that each do SET and GET in turn; pipelines, MGET, messages. Rounds alternate between
//! the clients, each in a process of its own, as in use: otherwise one has the heap that another left, and who gives memory
//! back to the system and takes it again does not pay for that. What is shown are medians, and the medians of the ratios of
//! each round to kv-client's. CPU time is that of the client's thread, system calls included. The 99.9th percentile is that of the time
//! one await takes (of a message: the time since its window was asked for), from a run of its own, in which nothing else is
//! measured. `(socket)` is the same bytes over the same runtime's socket, with nothing understood of them: what is left for
//! any client to save. Without `--url` a `redis-server` is started for it.

mod bare;
mod peers;

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use benches::allocations::{self, Counting};
use benches::flags::{self, Result, list};
use benches::servers::Process;
use cpu_time::ThreadTime;
use tokio::task::JoinSet;

use crate::bare::Bare;
use crate::peers::{Inbox, Note, Peer};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const USAGE: &str = "\
Usage: kv_client_compare [--rounds 9] [--only 64B,pipeline,...] [--clients kv-client,rustis,...] [--url redis://...]

Compares kv-client with redis-rs, and with rustis and fred if built with --features clients. --only takes parts of the
names of loads; without --url a redis-server is started.";

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
    load("64B x 1 task", 1, 64, 40_000),
    load("64B x 64 tasks", 64, 64, 100_000),
    load("64B x 256 tasks", 256, 64, 150_000),
    load("64B x 1024 tasks", 1024, 64, 150_000),
    load("16KB x 1 task", 1, 16 * 1024, 30_000),
    load("16KB x 64 tasks", 64, 16 * 1024, 40_000),
    load("16KB x 256 tasks", 256, 16 * 1024, 40_000),
    load("16KB x 1024 tasks", 1024, 16 * 1024, 40_000),
    special("pipeline of 100", Work::Pipeline(100), 64, 1_000_000),
    special("MGET 100 x 1KB", Work::Mget(100), 1024, 10_000),
    special("pub/sub 64B", Work::Receive, 64, 200_000),
];

/// What one round of one client came to.
#[derive(Clone, Copy)]
struct Sample {
    cpu_us: f64,
    allocations: f64,
    rate: f64,
    p999_us: f64,
}

impl Sample {
    /// In one line, for [`Self::parse`].
    fn line(&self) -> String {
        let Self {
            cpu_us,
            allocations,
            rate,
            p999_us,
        } = self;
        format!("{cpu_us} {allocations} {rate} {p999_us}")
    }

    fn parse(line: &str) -> Option<Self> {
        let mut figures = line.split_whitespace().map(str::parse);
        let mut next = || figures.next()?.ok();
        Some(Self {
            cpu_us: next()?,
            allocations: next()?,
            rate: next()?,
            p999_us: next()?,
        })
    }
}

/// The times that awaits took, if they are wanted.
struct Times(Option<Vec<Duration>>);

impl Times {
    fn begin(&self) -> Option<Instant> {
        self.0.as_ref().map(|_| Instant::now())
    }

    fn end(&mut self, begin: Option<Instant>) {
        if let (Some(times), Some(begin)) = (&mut self.0, begin) {
            times.push(begin.elapsed());
        }
    }
}

/// Runs the load, and returns the times of its awaits if those are wanted.
async fn run(peer: &impl Peer, load: Load, url: &str, timed: bool) -> Result<Vec<Duration>> {
    let times = || Times(timed.then(|| Vec::with_capacity(load.operations)));
    if load.work == Work::Receive {
        let mut times = times();
        let mut asked = None;
        let mut note = |note| match note {
            Note::Asked => asked = times.begin(),
            Note::Received => times.end(asked),
        };
        let inbox = Inbox::start(url, load.value_len, load.operations, &mut note)?;
        peer.receive(url, inbox).await?;
        return Ok(times.0.unwrap_or_default());
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
        let mut times = times();
        tasks.spawn(async move {
            let key = format!("task:{task}");
            let value = vec![b'x'; load.value_len];
            peer.set(&key, &value).await?;
            let keys = match load.work {
                Work::Mget(count) => vec![key.clone(); count],
                _ => Vec::new(),
            };
            for _ in 0..rounds {
                let begin = times.begin();
                let (received, values) = match load.work {
                    Work::Pipeline(count) => (peer.pipeline(&key, count).await?, count),
                    Work::Mget(count) => (peer.mget(&keys).await?, count),
                    Work::SetGet | Work::Receive => {
                        peer.set(&key, &value).await?;
                        times.end(begin);
                        let begin = times.begin();
                        let received = peer.get(&key).await?;
                        times.end(begin);
                        (received, 1)
                    }
                };
                if load.work != Work::SetGet {
                    times.end(begin);
                }
                let expected = values * load.value_len;
                if received != expected {
                    return Err(format!("{received} bytes instead of {expected}").into());
                }
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(times.0.unwrap_or_default())
        });
    }
    let mut all = Vec::new();
    while let Some(finished) = tasks.join_next().await {
        all.append(&mut finished??);
    }
    Ok(all)
}

fn measure<P: Peer>(load: Load, url: &str) -> Result<Sample> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let peer: P = runtime.block_on(P::open(url))?;
    let warm_up = Load {
        operations: load.operations / 10,
        ..load
    };
    runtime.block_on(run(&peer, warm_up, url, false))?;
    let (cpu, begin, before) = (ThreadTime::now(), Instant::now(), allocations::calls());
    runtime.block_on(run(&peer, load, url, false))?;
    let operations = load.operations as f64;
    let cpu_us = cpu.elapsed().as_secs_f64() * 1e6 / operations;
    let allocations = (allocations::calls() - before) as f64 / operations;
    let rate = operations / begin.elapsed().as_secs_f64();
    let mut times = runtime.block_on(run(&peer, load, url, true))?;
    times.sort_unstable();
    let p999 = times.get(times.len() * 999 / 1000);
    Ok(Sample {
        cpu_us,
        allocations,
        rate,
        p999_us: p999.map_or(0.0, |time| time.as_secs_f64() * 1e6),
    })
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The clients, in the order of a round.
const CLIENTS: &[&str] = &[
    kv_client::Client::NAME,
    redis::aio::MultiplexedConnection::NAME,
    #[cfg(feature = "clients")]
    rustis::client::Client::NAME,
    #[cfg(feature = "clients")]
    fred::clients::Client::NAME,
    Bare::NAME,
];

/// Measures one client in this process.
fn measure_here(client: &str, load: Load, url: &str) -> Result<Sample> {
    match client {
        kv_client::Client::NAME => measure::<kv_client::Client>(load, url),
        redis::aio::MultiplexedConnection::NAME => {
            measure::<redis::aio::MultiplexedConnection>(load, url)
        }
        #[cfg(feature = "clients")]
        rustis::client::Client::NAME => measure::<rustis::client::Client>(load, url),
        #[cfg(feature = "clients")]
        fred::clients::Client::NAME => measure::<fred::clients::Client>(load, url),
        Bare::NAME => measure::<Bare>(load, url),
        _ => Err(format!("no client {client}").into()),
    }
}

/// Measures one client in a process of its own, which prints what it found.
fn measure_in_a_process(client: &str, load: Load, url: &str) -> Result<Sample> {
    let output = Command::new(env::current_exe()?)
        .args(["--measure", load.name, "--clients", client, "--url", url])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    Sample::parse(&text).ok_or_else(|| format!("{client} failed in {}", load.name).into())
}

/// What came of each client, in the order of the rounds.
struct Table<'a> {
    load: Load,
    url: &'a str,
    clients: &'a [String],
    rows: Vec<(&'static str, Vec<Sample>)>,
}

impl Table<'_> {
    fn round(&mut self) -> Result<()> {
        for &name in CLIENTS {
            let is_wanted =
                self.clients.is_empty() || self.clients.iter().any(|client| client == name);
            let is_able =
                name != Bare::NAME || (self.load.tasks == 1 && self.load.work != Work::Receive);
            if !is_wanted || !is_able {
                continue;
            }
            let sample = measure_in_a_process(name, self.load, self.url)?;
            match self.rows.iter_mut().find(|(row, _)| *row == name) {
                Some((_, samples)) => samples.push(sample),
                None => self.rows.push((name, vec![sample])),
            }
        }
        Ok(())
    }

    fn print(&self) {
        println!("{}", self.load.name);
        let Some((_, base)) = self.rows.first() else {
            return;
        };
        for (name, samples) in &self.rows {
            let median_of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure));
            let ratio_of = |figure: fn(&Sample) -> f64| {
                median(
                    samples
                        .iter()
                        .zip(base)
                        .map(|(sample, base)| figure(sample) / figure(base)),
                )
            };
            println!(
                "  {name:10} {:7.2} us CPU/op  {:5.1} allocations/op  {:8.0} op/s  {:8.0} us p99.9   CPU x {:.2}   p99.9 x {:.2}",
                median_of(|sample| sample.cpu_us),
                median_of(|sample| sample.allocations),
                median_of(|sample| sample.rate),
                median_of(|sample| sample.p999_us),
                ratio_of(|sample| sample.cpu_us),
                ratio_of(|sample| sample.p999_us),
            );
        }
    }
}

fn main() -> Result<()> {
    let mut rounds = 9;
    let mut only = Vec::new();
    let mut clients = Vec::new();
    let mut url = None;
    let mut measured = None;
    flags::each(USAGE, |flag, value| {
        match flag {
            "--rounds" => rounds = value.parse()?,
            "--only" => only = list(&value),
            "--clients" => clients = list(&value),
            "--url" => url = Some(value),
            // How this program calls itself.
            "--measure" => measured = LOADS.iter().find(|load| load.name == value),
            _ => return Ok(false),
        }
        Ok(true)
    });
    if let (Some(&load), [client], Some(url)) = (measured, &clients[..], &url) {
        println!("{}", measure_here(client, load, url)?.line());
        return Ok(());
    }
    let mut server = None;
    let url = match url {
        Some(url) => url,
        None => {
            let started = server.insert(Process::start(&["redis-server".as_ref()])?);
            format!("redis://127.0.0.1:{}", started.port())
        }
    };

    for &load in LOADS
        .iter()
        .filter(|load| only.is_empty() || only.iter().any(|only| load.name.contains(only.as_str())))
    {
        let mut table = Table {
            load,
            url: &url,
            clients: &clients,
            rows: Vec::new(),
        };
        for _ in 0..rounds {
            table.round()?;
        }
        table.print();
    }
    drop(server);
    Ok(())
}
