//! kv-server and redis-server as processes beside each other: what they take in CPU time and memory.
//!
//! A server is pinned to CPU 0, whoever asks it to CPU 1. CPU time is what the kernel accounts to the server's process
//! (`/proc/PID/schedstat` of its threads).

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// What the comparisons return.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One server process; ends with the value.
#[derive(Debug)]
pub struct Server {
    /// What it is called in messages.
    pub name: &'static str,
    child: Child,
    port: u16,
}

/// What one run of `redis-benchmark` came to.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// As `redis-benchmark` counts them.
    pub requests_a_second: f64,
    /// As `redis-benchmark` sees it.
    pub p99_ms: f64,
    /// CPU time of the server, a request.
    pub cpu_us: f64,
}

/// The example `kv-server`, built by `cargo build --release --example kv-server`.
///
/// # Errors
///
/// If it is not built.
pub fn ours() -> Result<PathBuf> {
    let ours = env::current_exe()?
        .with_file_name("examples")
        .join("kv-server");
    if ours.exists() {
        return Ok(ours);
    }
    let ours = ours.display();
    Err(format!("{ours} is missing: cargo build --release --example kv-server").into())
}

impl Server {
    /// Starts a server without persistence on a free port, and waits until it listens.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or does not listen within ten seconds.
    pub fn start(name: &'static str, program: &Path) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .args(["--port", &port.to_string(), "--save", ""])
            .args(["--appendonly", "no"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self { name, child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err(format!("{name} does not listen").into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// What `redis-cli` prints for a command.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn ask(&self, args: &[&str]) -> Result<String> {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(args)
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs the requests that `write` writes, by `redis-cli --pipe`.
    ///
    /// # Errors
    ///
    /// If one of them is answered by an error.
    pub fn fill(
        &self,
        write: impl FnOnce(&mut BufWriter<ChildStdin>) -> io::Result<()>,
    ) -> Result<()> {
        let mut pipe = Command::new("taskset")
            .args(["-c", "1", "redis-cli"])
            .args(["-p", &self.port.to_string(), "--pipe"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut input = BufWriter::new(pipe.stdin.take().ok_or("stdin")?);
        write(&mut input)?;
        input.flush()?;
        drop(input);
        let output = pipe.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains("errors: 0,") {
            Ok(())
        } else {
            Err(format!("{}: {text}", self.name).into())
        }
    }

    /// One run of `redis-benchmark` with 50 clients; `test` are its further arguments.
    ///
    /// # Errors
    ///
    /// If it does not run, or prints something unknown.
    pub fn benchmark(&self, pipeline: u32, requests: u64, test: &[&str]) -> Result<Run> {
        let before = self.cpu()?;
        let output = Command::new("taskset")
            .args(["-c", "1", "redis-benchmark", "--csv", "-c", "50"])
            .args(["-p", &self.port.to_string(), "-P", &pipeline.to_string()])
            .args(["-n", &requests.to_string()])
            .args(test)
            .output()?;
        let cpu = self.cpu()?.saturating_sub(before);
        let text = String::from_utf8_lossy(&output.stdout);
        let row = text
            .lines()
            .last()
            .filter(|line| line.starts_with('"') && !line.starts_with("\"test\""))
            .ok_or_else(|| format!("{}: {text}", self.name))?;
        // The name of a test may hold commas; the seven figures do not.
        let mut fields = row.rsplit(',').map(|field| field.trim_matches('"').parse());
        let mut figures = [0.0; 7];
        for figure in figures.iter_mut().rev() {
            *figure = fields.next().ok_or("a field is missing")??;
        }
        #[allow(clippy::cast_precision_loss)]
        Ok(Run {
            requests_a_second: figures[0],
            p99_ms: figures[5],
            cpu_us: cpu.as_secs_f64() * 1e6 / requests as f64,
        })
    }

    /// CPU time of all threads so far.
    ///
    /// # Errors
    ///
    /// If the process is gone.
    pub fn cpu(&self) -> Result<Duration> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
            let ns = schedstat.split(' ').next().ok_or("schedstat")?;
            total += ns.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Waits until the server has nothing left to do: memory is freed aside.
    ///
    /// # Errors
    ///
    /// If the process is gone.
    pub fn settle(&self) -> Result<()> {
        const QUIET: Duration = Duration::from_millis(2);
        const LOOK: Duration = Duration::from_millis(40);
        let mut before = self.cpu()?;
        loop {
            thread::sleep(LOOK);
            let now = self.cpu()?;
            if now - before < QUIET {
                return Ok(());
            }
            before = now;
        }
    }

    /// The resident set, in bytes.
    ///
    /// # Errors
    ///
    /// If the process is gone.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("VmRSS")?;
        let kib = line.split_whitespace().next().ok_or("VmRSS")?;
        Ok(kib.parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The middle one of some figures.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
