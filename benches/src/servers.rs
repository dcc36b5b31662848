//! kv-server and redis-server as processes beside each other: what they take in CPU time and memory.
//!
//! A server is pinned to CPU 0, whoever asks it to CPU 1. CPU time is what the kernel accounts to the server's process
//! (`/proc/PID/schedstat` of its threads).

use std::ffi::OsStr;
use std::io::{self, BufWriter, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::flags::Result;

/// A server process on a port of its own; ends with the value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    port: u16,
}

/// One server process, pinned; ends with the value.
#[derive(Debug)]
pub struct Server {
    /// What it is called in messages.
    pub name: &'static str,
    process: Process,
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

impl Process {
    /// Starts a server without persistence, and waits until it replies. `words` are the program, or what runs it with it.
    ///
    /// Another port is tried if somebody takes one first. The ports lie below those that the system gives to outgoing
    /// connections.
    ///
    /// # Errors
    ///
    /// If it cannot be started, ends on each of ten ports, or does not reply within a minute.
    pub fn start(words: &[&OsStr]) -> Result<Self> {
        const FIRST: u32 = 11_000;
        const COUNT: u32 = 10_000;
        let (program, args) = words.split_first().ok_or("no program")?;
        // Two runs at once begin at different places.
        let begin = std::process::id() % COUNT * 37;
        let mut attempts = 0;
        for offset in 0..COUNT {
            let port = u16::try_from(FIRST + (begin + offset) % COUNT)?;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                continue;
            }
            let child = Command::new(program)
                .args(args)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
                .args(["--save", "", "--appendonly", "no"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|error| format!("{program:?}: {error}"))?;
            let mut process = Self { child, port };
            if process.replies()? {
                return Ok(process);
            }
            attempts += 1;
            if attempts == 10 {
                break;
            }
        }
        Err(format!("{words:?} ends as soon as it is started").into())
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until this process, and no other one, replies on its port; `false` if it ends.
    fn replies(&mut self) -> Result<bool> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let sign = format!("process_id:{}\r\n", self.child.id());
        while self.child.try_wait()?.is_none() {
            if self.info().is_ok_and(|info| info.contains(&sign)) {
                return Ok(true);
            }
            if Instant::now() > deadline {
                return Err(format!("nobody replies on port {}", self.port).into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(false)
    }

    fn info(&self) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"INFO server\r\nQUIT\r\n")?;
        let mut info = String::new();
        stream.read_to_string(&mut info)?;
        Ok(info)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// As [`Process::start`], on CPU 0.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn start(name: &'static str, program: &Path) -> Result<Self> {
        let words = ["taskset", "-c", "0"].map(OsStr::new);
        let process = Process::start(&[&words[..], &[program.as_os_str()]].concat())?;
        Ok(Self { name, process })
    }

    /// What `redis-cli` prints for a command.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn ask(&self, args: &[&str]) -> Result<String> {
        let output = Command::new("redis-cli")
            .args(["-p", &self.process.port.to_string()])
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
            .args(["-p", &self.process.port.to_string(), "--pipe"])
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
            .args([
                "-p",
                &self.process.port.to_string(),
                "-P",
                &pipeline.to_string(),
            ])
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
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.child.id()))? {
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
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("VmRSS")?;
        let kib = line.split_whitespace().next().ok_or("VmRSS")?;
        Ok(kib.parse::<u64>()? * 1024)
    }
}

/// The middle one of some figures.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
