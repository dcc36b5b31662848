//! The command line.

use std::{fs::File, io::BufReader, path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use portscan::{Expectation, Order, Ports, Report, Retries, Scanner, Scope, Targets, Technique};

use crate::output::Saved;

/// Scans TCP ports.
///
/// Scan only what you own or what its owner has asked you to scan. Exit codes: 0 done and open ports found, 1 none open,
/// 2 bad use, 3 incomplete (interrupted, a name without an address, or ports that this machine could not decide), 4 not as expected.
#[derive(Debug, Parser)]
#[command(name = "portscan", version)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Args {
    /// Addresses, CIDR blocks, ranges (10.0.0.1-9) and host names, separated by commas; !X leaves X out.
    #[arg(required_unless_present_any = ["input", "resume"])]
    host: Option<String>,

    /// Ports: numbers, ranges, names, top:N, all; !X leaves X out [default: top:100].
    #[arg(conflicts_with = "resume")]
    ports: Option<String>,

    /// Reads targets from a file (- for standard input), lists on lines, # begins a comment; then HOST may be left out,
    /// and a single argument is PORTS.
    #[arg(short, long, value_name = "FILE")]
    input: Vec<String>,

    /// Leaves these targets out.
    #[arg(long, value_name = "LIST")]
    exclude: Vec<String>,

    /// Leaves the targets of a file out.
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<String>,

    /// Scans only the first address of each host name.
    #[arg(long)]
    first_address: bool,

    /// How ports are probed.
    #[arg(short, long, value_enum, default_value_t = TechniqueArg::Connect)]
    technique: TechniqueArg,

    /// The order of the probes; port is a port sweep.
    #[arg(long, value_enum, default_value_t = OrderArg::Random, conflicts_with = "resume")]
    order: OrderArg,

    /// The seed of the random order.
    #[arg(long, conflicts_with = "resume")]
    seed: Option<u64>,

    /// Scans only part I of N.
    #[arg(long, value_name = "I/N", value_parser = shard, conflicts_with = "resume")]
    shard: Option<(u32, u32)>,

    /// The longest wait for an answer, such as 1500ms or 2s.
    #[arg(long, value_parser = duration, default_value = "1500ms")]
    timeout: Duration,

    /// Repetitions of a probe that nothing answers: a number, or auto.
    #[arg(long, value_parser = retries, default_value = "auto")]
    retries: Retries,

    /// Probes a second at most, or unlimited [default: 5000, unlimited on loopback].
    #[arg(long, value_parser = rate)]
    rate: Option<RateArg>,

    /// Probes in flight at most.
    #[arg(long, default_value_t = 4096)]
    max_in_flight: usize,

    /// Raises the limit of descriptors to the hard limit.
    #[arg(long)]
    raise_limit: bool,

    /// First finds the addresses that answer, by connecting to these ports.
    #[arg(long, value_name = "PORTS", num_args = 0..=1, require_equals = true, default_missing_value = "443,80,22,445,3389")]
    discover: Option<Ports>,

    /// Random ports asked on each address with an open port, to recognise one that answers everything.
    #[arg(long, default_value_t = 3)]
    decoys: u8,

    /// Reads what open ports say by themselves.
    #[arg(long)]
    banners: bool,

    /// Reads the certificate's subject of open TLS ports.
    #[arg(long)]
    tls: bool,

    /// The time for a banner or a TLS handshake.
    #[arg(long, value_parser = duration, default_value = "2s")]
    service_timeout: Duration,

    /// Writes the report to a file, in the format of its extension: .txt .json .jsonl .csv .xml.
    #[arg(short, long, value_name = "FILE")]
    pub output: Vec<PathBuf>,

    /// Where the state of an interrupted scan goes [default: portscan.checkpoint].
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,

    /// Goes on with an interrupted scan.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["host", "input"])]
    resume: Option<PathBuf>,

    /// Compares with an earlier report (.json or .jsonl).
    #[arg(long, value_name = "FILE")]
    pub diff: Option<PathBuf>,

    /// What ought to be open on every address: `22,443 only`, `22`, or `nothing`.
    #[arg(long, value_name = "POLICY")]
    pub expect: Option<Expectation>,

    /// Allows public addresses too.
    #[arg(long)]
    allow_public: bool,

    /// Allows only these addresses [default: loopback and private ranges].
    #[arg(long, value_name = "LIST", conflicts_with = "allow_public")]
    scope: Option<Scope>,

    /// Says what would be done, and sends nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Writes what happens, the audit line included, to standard error.
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TechniqueArg {
    /// The system's connect; needs no privileges.
    Connect,
    /// Half-open, on a raw socket; needs root or CAP_NET_RAW.
    Syn,
    /// Half-open, or connect where raw sockets are refused.
    Auto,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OrderArg {
    Random,
    Host,
    Port,
}

/// Probes a second; `None` is unlimited.
#[derive(Debug, Clone, Copy)]
struct RateArg(Option<u32>);

/// A scan to run, and what its earlier part has found.
pub struct Job {
    pub scanner: Scanner,
    pub earlier: Option<Report>,
}

impl Args {
    pub fn job(&self) -> anyhow::Result<Job> {
        let (scanner, earlier) = match &self.resume {
            Some(file) => {
                let (checkpoint, report) = Saved::read(file)?;
                (Scanner::resume(checkpoint), Some(report))
            }
            None => {
                let (host, ports) = self.host_and_ports();
                (Scanner::of(self.targets(host)?, ports.parse()?), None)
            }
        };
        let mut scanner = scanner
            .command_line(std::env::args().collect::<Vec<_>>().join(" "))
            .technique(match self.technique {
                TechniqueArg::Connect => Technique::Connect,
                TechniqueArg::Syn => Technique::Syn,
                TechniqueArg::Auto => Technique::SynOrConnect,
            })
            .order(match self.order {
                OrderArg::Random => Order::Random,
                OrderArg::Host => Order::HostMajor,
                OrderArg::Port => Order::PortMajor,
            })
            .scope(match (&self.scope, self.allow_public) {
                (Some(scope), _) => scope.clone(),
                (None, true) => Scope::any(),
                (None, false) => Scope::private(),
            })
            .first_address_only(self.first_address)
            .timeout(self.timeout)
            .retries(self.retries)
            .max_in_flight(self.max_in_flight)
            .raise_descriptor_limit(self.raise_limit)
            .decoys(self.decoys)
            .banners(self.banners)
            .tls_subjects(self.tls)
            .service_timeout(self.service_timeout);
        if let Some(ports) = &self.discover {
            scanner = scanner.discovery(ports.as_slice().iter().copied());
        }
        if let Some(seed) = self.seed {
            scanner = scanner.seed(seed);
        }
        if let Some((shard, shards)) = self.shard {
            scanner = scanner.shard(shard, shards);
        }
        if let Some(RateArg(rate)) = self.rate {
            scanner = scanner.rate(rate);
        }
        Ok(Job { scanner, earlier })
    }

    fn host_and_ports(&self) -> (Option<&str>, &str) {
        match (self.host.as_deref(), self.ports.as_deref()) {
            (Some(only), None) if !self.input.is_empty() => (None, only),
            (host, ports) => (host, ports.unwrap_or("top:100")),
        }
    }

    fn targets(&self, host: Option<&str>) -> anyhow::Result<Targets> {
        let mut targets = Targets::new();
        if let Some(list) = host {
            targets.add(list)?;
        }
        for list in &self.exclude {
            targets.exclude(list)?;
        }
        for (files, exclude) in [(&self.input, false), (&self.exclude_file, true)] {
            for name in files {
                if name == "-" {
                    targets.read(std::io::stdin().lock(), "standard input", exclude)?;
                } else {
                    let file =
                        File::open(name).with_context(|| format!("opening {name} failed"))?;
                    targets.read(BufReader::new(file), name, exclude)?;
                }
            }
        }
        if targets.is_empty() {
            return Err(portscan::Error::NoTargets.into());
        }
        Ok(targets)
    }
}

fn shard(text: &str) -> Result<(u32, u32), String> {
    text.split_once('/')
        .and_then(|(shard, shards)| Some((shard.parse().ok()?, shards.parse().ok()?)))
        .ok_or_else(|| "a shard is written I/N, such as 1/4".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let value = number
        .parse::<f64>()
        .ok()
        .filter(|value| value.is_finite() && *value >= 0.0);
    value
        .and_then(|value| Duration::try_from_secs_f64(value * unit).ok())
        .ok_or_else(|| "a time is written 1500ms or 1.5s".to_owned())
}

fn retries(text: &str) -> Result<Retries, String> {
    match text {
        "auto" => Ok(Retries::default()),
        number => number
            .parse()
            .map(Retries::Fixed)
            .map_err(|_| "a number from 0 to 255, or auto".to_owned()),
    }
}

fn rate(text: &str) -> Result<RateArg, String> {
    match text {
        "unlimited" => Ok(RateArg(None)),
        number => match number.parse() {
            Ok(rate) if rate > 0 => Ok(RateArg(Some(rate))),
            _ => Err("a number from 1, or unlimited".to_owned()),
        },
    }
}
