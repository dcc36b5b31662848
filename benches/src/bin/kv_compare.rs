//! kv-server beside Debian's redis-server: throughput, p99, CPU time per request, bytes per key.
//!
//!     cargo build --release --example kv-server
//!     cargo run --release -p benches --bin kv_compare -- [--rounds 5] [--requests 200000] [--tests get,set] [--pipelines 1,16,100]
//!
//! Both servers are pinned to CPU 0 and `redis-benchmark` to CPU 1; rounds alternate between them, and medians are compared.

use std::io::Write;
use std::path::Path;

use benches::flags::{self, Result};
use benches::servers::{self, Run, Server, median};

const USAGE: &str = "\
Usage: kv_compare [--rounds 5] [--requests 200000] [--tests set,get] [--pipelines 1,16,100] [--keys 1000000] [--redis PROGRAM]

Compares the release build of the example kv-server with redis-server. --requests is for a pipeline of one; with --keys 0
memory is not measured; --redis names another program to compare with.";

/// What to run.
struct Options {
    rounds: usize,
    requests: u64,
    tests: String,
    pipelines: Vec<u32>,
    keys: u64,
    redis: String,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let ours = servers::ours()?;
    let servers = start_both(&ours, &options)?;
    println!(
        "{:<16} {:>9} {:>9} {:>6}  {:>8} {:>8} {:>6}  {:>9} {:>9} {:>6}",
        "50 clients",
        "ours rps",
        "redis",
        "ratio",
        "ours p99",
        "redis",
        "ratio",
        "ours µs",
        "redis",
        "CPU"
    );
    for pipeline in &options.pipelines {
        for test in options.tests.split(',') {
            let mut samples = [Vec::new(), Vec::new()];
            for _ in 0..options.rounds {
                for (server, samples) in servers.iter().zip(&mut samples) {
                    let requests = options.requests * u64::from((*pipeline).min(16));
                    samples.push(round(server, test, *pipeline, requests)?);
                }
            }
            let [ours, redis] = samples.map(|samples| medians(&samples));
            println!(
                "{:<16} {:>9.0} {:>9.0} {:>6.2}  {:>8.3} {:>8.3} {:>6.2}  {:>9.3} {:>9.3} {:>6.2}",
                format!("{test} P={pipeline}"),
                ours.requests_a_second,
                redis.requests_a_second,
                ours.requests_a_second / redis.requests_a_second,
                ours.p99_ms,
                redis.p99_ms,
                ours.p99_ms / redis.p99_ms,
                ours.cpu_us,
                redis.cpu_us,
                ours.cpu_us / redis.cpu_us,
            );
        }
    }
    if options.keys > 0 {
        // In fresh processes: an allocator gives nothing back that it may need again.
        drop(servers);
        let servers = start_both(&ours, &options)?;
        let [ours, redis] = [
            bytes_per_key(&servers[0], options.keys)?,
            bytes_per_key(&servers[1], options.keys)?,
        ];
        println!(
            "bytes per key, {} keys of 14 bytes, values of 64: ours {ours:.1}, redis {redis:.1}, ratio {:.2}",
            options.keys,
            ours / redis
        );
    }
    Ok(())
}

fn start_both(ours: &Path, options: &Options) -> Result<[Server; 2]> {
    Ok([
        Server::start("kv-server", ours)?,
        Server::start("redis-server", options.redis.as_ref())?,
    ])
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            rounds: 5,
            requests: 200_000,
            tests: "set,get".into(),
            pipelines: vec![1, 16, 100],
            keys: 1_000_000,
            redis: "redis-server".into(),
        };
        flags::each(USAGE, |flag, value| {
            match flag {
                "--rounds" => options.rounds = value.parse()?,
                "--requests" => options.requests = value.parse()?,
                "--tests" => options.tests = value,
                "--pipelines" => options.pipelines = flags::numbers(&value)?,
                "--keys" => options.keys = value.parse()?,
                "--redis" => options.redis = value,
                _ => return Ok(false),
            }
            Ok(true)
        });
        options
    }
}

/// One run of `redis-benchmark`: a million different keys, values of 64 bytes.
fn round(server: &Server, test: &str, pipeline: u32, requests: u64) -> Result<Run> {
    server.benchmark(
        pipeline,
        requests,
        &["-r", "1000000", "-d", "64", "-t", test],
    )
}

/// Growth of the resident set while `keys` keys are set.
fn bytes_per_key(server: &Server, keys: u64) -> Result<f64> {
    let before = server.resident()?;
    server.fill(|input| {
        (0..keys).try_for_each(|key| {
            write!(
                input,
                "*3\r\n$3\r\nSET\r\n$14\r\nkey:{key:010}\r\n$64\r\n{key:064}\r\n"
            )
        })
    })?;
    let grown = server.resident()?.saturating_sub(before);
    #[allow(clippy::cast_precision_loss)]
    Ok(grown as f64 / keys as f64)
}

/// Field by field.
fn medians(runs: &[Run]) -> Run {
    let middle = |field: fn(&Run) -> f64| median(runs.iter().map(field).collect());
    Run {
        requests_a_second: middle(|run| run.requests_a_second),
        p99_ms: middle(|run| run.p99_ms),
        cpu_us: middle(|run| run.cpu_us),
    }
}
