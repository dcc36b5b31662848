//! kv-server beside Debian's redis-server: throughput, p99, CPU time per request, bytes per key.
//!
//!     cargo build --release --example kv-server
//!     cargo run --release -p benches --bin kv_compare -- [--rounds 5] [--seconds 2] [--tests get,set] [--pipelines 1,16,100]
//!
//! Both servers are pinned to CPU 0 and `redis-benchmark` to CPU 1; rounds alternate between them, and medians are compared. The CPU time is what the
//! kernel accounts to the server's process (`/proc/PID/schedstat` of its threads).

use std::error::Error;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What to run.
struct Options {
    rounds: usize,
    requests: u64,
    tests: String,
    pipelines: Vec<u32>,
    keys: u64,
    redis: String,
}

/// One server process.
struct Server {
    name: &'static str,
    child: Child,
    port: u16,
}

/// What one round of one test came to.
#[derive(Clone, Copy)]
struct Sample {
    requests_a_second: f64,
    p99_ms: f64,
    cpu_us: f64,
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let ours = env::current_exe()?
        .with_file_name("examples")
        .join("kv-server");
    if !ours.exists() {
        return Err(format!(
            "{} is missing: cargo build --release --example kv-server",
            ours.display()
        )
        .into());
    }
    let dir = env::temp_dir().join(format!("kv-compare-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let servers = start_both(&ours, &options, &dir)?;
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
                    samples.push(server.round(
                        test,
                        *pipeline,
                        options.requests * u64::from((*pipeline).min(16)),
                    )?);
                }
            }
            let [ours, redis] = samples.map(|samples| median(&samples));
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
        let servers = start_both(&ours, &options, &dir)?;
        let [ours, redis] = [
            servers[0].bytes_per_key(options.keys)?,
            servers[1].bytes_per_key(options.keys)?,
        ];
        println!(
            "bytes per key, {} keys of 14 bytes, values of 64: ours {ours:.1}, redis {redis:.1}, ratio {:.2}",
            options.keys,
            ours / redis
        );
    }
    fs::remove_dir_all(dir)?;
    Ok(())
}

fn start_both(ours: &Path, options: &Options, dir: &Path) -> Result<[Server; 2]> {
    let dir = dir.to_str().ok_or("the temporary directory is not text")?;
    let args = ["--save", "", "--appendonly", "no", "--dir", dir];
    Ok([
        Server::start("kv-server", ours, 21_101, &args)?,
        Server::start("redis-server", options.redis.as_ref(), 21_102, &args)?,
    ])
}

impl Options {
    fn parse() -> Result<Self> {
        let mut options = Self {
            rounds: 5,
            requests: 200_000,
            tests: "set,get".into(),
            pipelines: vec![1, 16, 100],
            keys: 1_000_000,
            redis: "redis-server".into(),
        };
        let mut args = env::args().skip(1);
        while let Some(flag) = args.next() {
            let value = args.next().ok_or("a flag has no value")?;
            match flag.as_str() {
                "--rounds" => options.rounds = value.parse()?,
                "--requests" => options.requests = value.parse()?,
                "--tests" => options.tests = value,
                "--pipelines" => {
                    options.pipelines = value
                        .split(',')
                        .map(str::parse)
                        .collect::<std::result::Result<_, _>>()?
                }
                "--keys" => options.keys = value.parse()?,
                "--redis" => options.redis = value,
                _ => return Err(format!("unknown flag {flag}").into()),
            }
        }
        Ok(options)
    }
}

impl Server {
    fn start(name: &'static str, program: &Path, port: u16, args: &[&str]) -> Result<Self> {
        let child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .args(["--port", &port.to_string()])
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self { name, child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err(format!("{name} does not listen").into());
            }
            thread::yield_now();
        }
        Ok(server)
    }

    /// One run of `redis-benchmark`: a million different keys, values of 64 bytes.
    fn round(&self, test: &str, pipeline: u32, requests: u64) -> Result<Sample> {
        let before = self.cpu()?;
        let output = Command::new("taskset")
            .args([
                "-c",
                "1",
                "redis-benchmark",
                "--csv",
                "-p",
                &self.port.to_string(),
                "-t",
                test,
                "-P",
                &pipeline.to_string(),
            ])
            .args([
                "-c",
                "50",
                "-r",
                "1000000",
                "-d",
                "64",
                "-n",
                &requests.to_string(),
            ])
            .output()?;
        let cpu = self.cpu()? - before;
        let text = String::from_utf8(output.stdout)?;
        let row = text
            .lines()
            .find(|line| line.to_lowercase().starts_with(&format!("\"{test}\"")))
            .ok_or_else(|| format!("{}: {text}", self.name))?;
        let fields: Vec<f64> = row
            .split(',')
            .skip(1)
            .map(|field| field.trim_matches('"').parse())
            .collect::<std::result::Result<_, _>>()?;
        #[allow(clippy::cast_precision_loss)]
        Ok(Sample {
            requests_a_second: fields[0],
            p99_ms: fields[5],
            cpu_us: cpu.as_secs_f64() * 1e6 / requests as f64,
        })
    }

    /// CPU time of all threads so far.
    fn cpu(&self) -> Result<Duration> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
            total += schedstat
                .split(' ')
                .next()
                .ok_or("schedstat")?
                .parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Growth of the resident set while `keys` keys are set, by `redis-cli --pipe`.
    fn bytes_per_key(&self, keys: u64) -> Result<f64> {
        let cli = |args: &[&str]| {
            Command::new("redis-cli")
                .args(["-p", &self.port.to_string()])
                .args(args)
                .output()
        };
        cli(&["FLUSHALL"])?;
        let before = self.resident()?;
        let mut pipe = Command::new("redis-cli")
            .args(["-p", &self.port.to_string(), "--pipe"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        {
            let mut input = std::io::BufWriter::new(pipe.stdin.take().ok_or("stdin")?);
            for key in 0..keys {
                use std::io::Write;
                write!(
                    input,
                    "*3\r\n$3\r\nSET\r\n$14\r\nkey:{key:010}\r\n$64\r\n{key:064}\r\n"
                )?;
            }
        }
        pipe.wait()?;
        let grown = self.resident()? - before;
        #[allow(clippy::cast_precision_loss)]
        Ok(grown as f64 / keys as f64)
    }

    fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .ok_or("VmRSS")?;
        Ok(line
            .split_whitespace()
            .nth(1)
            .ok_or("VmRSS")?
            .parse::<u64>()?
            * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Field by field.
fn median(samples: &[Sample]) -> Sample {
    let middle = |field: fn(&Sample) -> f64| {
        let mut values: Vec<f64> = samples.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Sample {
        requests_a_second: middle(|s| s.requests_a_second),
        p99_ms: middle(|s| s.p99_ms),
        cpu_us: middle(|s| s.cpu_us),
    }
}
