//! The builder of a scan.

use std::time::{Duration, SystemTime};

use futures::StreamExt;

use crate::{
    Addresses, Checkpoint, DryRun, Error, Event, Notice, Order, Ports, Report, Retries, Scan,
    Scope, Targets,
    engine::{Engine, Settings},
    limits,
    order::mix,
    plan::Plan,
    report::{Header, HostReport},
    service::Look,
};

/// How ports are probed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Technique {
    /// The system's `connect`: a full handshake, then a close. Needs no privileges. The default.
    #[default]
    Connect,
    /// Half-open: a SYN on a raw socket. Needs root or `CAP_NET_RAW`.
    Syn,
    /// [`Technique::Syn`], or where raw sockets are refused [`Technique::Connect`], with a [`Notice`].
    SynOrConnect,
}

/// Describes a scan, and starts it.
///
/// ```no_run
/// # async fn f() -> Result<(), portscan::Error> {
/// let report = portscan::Scanner::new("192.168.1.0/24", "22,80,443")?.run().await?;
/// print!("{report}");
/// # Ok(()) }
/// ```
///
/// It needs a Tokio runtime with I/O and time enabled, and starts none of its own.
#[derive(Debug, Clone)]
#[must_use = "a scanner does nothing until it is started"]
pub struct Scanner {
    source: Source,
    ports: Ports,
    technique: Technique,
    scope: Scope,
    first_address_only: bool,
    order: Order,
    seed: Option<u64>,
    shard: (u32, u32),
    timeout: Duration,
    retries: Retries,
    rate: Rate,
    max_in_flight: usize,
    raise_descriptor_limit: bool,
    discovery: Vec<u16>,
    decoys: u8,
    look: Look,
    progress_every: Duration,
    command_line: Option<String>,
}

/// Where the addresses come from.
#[derive(Debug, Clone)]
enum Source {
    Targets(Targets),
    Checkpoint(Box<Checkpoint>),
}

/// The most probes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rate {
    /// [`POLITE_RATE`], and no limit for a scan of loopback addresses only, which touches no network.
    Polite,
    PerSecond(Option<u32>),
}

impl Scanner {
    /// Describes a scan of the targets and ports of two lists; see [`Targets`] and [`Ports`] for their form.
    ///
    /// # Errors
    ///
    /// The first expression that cannot be understood.
    pub fn new(targets: &str, ports: &str) -> Result<Self, Error> {
        Ok(Self::of(targets.parse()?, ports.parse()?))
    }

    /// Describes a scan of targets and ports.
    pub fn of(targets: Targets, ports: Ports) -> Self {
        Self {
            source: Source::Targets(targets),
            ports,
            technique: Technique::default(),
            scope: Scope::default(),
            first_address_only: false,
            order: Order::default(),
            seed: None,
            shard: (1, 1),
            timeout: Duration::from_millis(1500),
            retries: Retries::default(),
            rate: Rate::Polite,
            max_in_flight: 4096,
            raise_descriptor_limit: false,
            discovery: Vec::new(),
            decoys: 3,
            look: Look {
                timeout: Duration::from_secs(2),
                ..Look::default()
            },
            progress_every: Duration::from_millis(250),
            command_line: None,
        }
    }

    /// Describes the rest of a scan that was stopped. Targets, ports, order, seed and shard are the checkpoint's; everything
    /// else is set anew.
    pub fn resume(checkpoint: Checkpoint) -> Self {
        let ports = checkpoint.plan.ports.clone();
        Self {
            source: Source::Checkpoint(Box::new(checkpoint)),
            ..Self::of(Targets::new(), ports)
        }
    }

    /// How ports are probed. Default: [`Technique::Connect`].
    pub fn technique(mut self, technique: Technique) -> Self {
        self.technique = technique;
        self
    }

    /// What may be scanned. Default: [`Scope::private`].
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Scans only the first address of a host name that has several. Default: `false`, all of them.
    pub fn first_address_only(mut self, first: bool) -> Self {
        self.first_address_only = first;
        self
    }

    /// The order of the probes. Default: [`Order::Random`].
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// The seed of the random order; the same seed gives the same order. Default: a new one for each scan.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Scans only part `shard` (from 1) of `shards` equal parts; with the same targets, ports and seed the parts together are
    /// the whole. Default: 1 of 1.
    pub fn shard(mut self, shard: u32, shards: u32) -> Self {
        self.shard = (shard, shards);
        self
    }

    /// The longest wait for an answer, and the wait until a round-trip time has been learned. Default: 1.5 s, in which the
    /// system's `connect` sends a second SYN after 1 s. At least 1 ms.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often silence is asked again. Default: [`Retries::Adaptive`].
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// The most probes a second; `None` for no limit. Default: 5,000, and no limit for a scan of loopback addresses only.
    pub fn rate(mut self, per_second: Option<u32>) -> Self {
        self.rate = Rate::PerSecond(per_second);
        self
    }

    /// The most probes in flight. Default: 4,096; the limit of descriptors lowers it for the connect technique.
    pub fn max_in_flight(mut self, probes: usize) -> Self {
        self.max_in_flight = probes;
        self
    }

    /// Raises this process's limit of descriptors to the hard limit. Default: `false`.
    pub fn raise_descriptor_limit(mut self, raise: bool) -> Self {
        self.raise_descriptor_limit = raise;
        self
    }

    /// First asks every address on these ports, and scans only those where any of them answers, open or closed. Default:
    /// none, every address is scanned. [`Scanner::DISCOVERY_PORTS`] is a good choice.
    pub fn discovery(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.discovery = ports.into_iter().collect();
        self
    }

    /// Ports that some machine on a usual network answers, open or closed.
    pub const DISCOVERY_PORTS: [u16; 5] = [443, 80, 22, 445, 3389];

    /// Asks each address with an open port on so many random high ports, and flags it if all of them are open too. Default: 3;
    /// 0 for never, at most 16.
    pub fn decoys(mut self, ports: u8) -> Self {
        self.decoys = ports;
        self
    }

    /// Reads what open ports say by themselves, for at most [`Scanner::service_timeout`]. Default: `false`.
    pub fn banners(mut self, read: bool) -> Self {
        self.look.banner = read;
        self
    }

    /// Makes a TLS handshake with open ports to learn the subject of their certificate. Default: `false`.
    #[cfg(feature = "tls")]
    pub fn tls_subjects(mut self, read: bool) -> Self {
        self.look.tls = read;
        self
    }

    /// The time for reading a banner, and for a TLS handshake. Default: 2 s.
    pub fn service_timeout(mut self, timeout: Duration) -> Self {
        self.look.timeout = timeout;
        self
    }

    /// How often [`Event::Progress`] comes. Default: 250 ms; at least 1 ms.
    pub fn progress_every(mut self, period: Duration) -> Self {
        self.progress_every = period;
        self
    }

    /// What the report gives as the command line. Default: one made from the targets and ports.
    pub fn command_line(mut self, line: impl Into<String>) -> Self {
        self.command_line = Some(line.into());
        self
    }

    /// Looks names up and says what the scan would do, without sending a probe.
    ///
    /// # Errors
    ///
    /// As [`Scanner::start`], raw sockets excepted.
    pub async fn dry_run(&self) -> Result<DryRun, Error> {
        let settings = self.settings(self.plan().await?);
        Ok(DryRun::of(&settings, self.technique))
    }

    /// Looks names up, checks the scope, and starts the scan. Nothing is sent until the stream is polled.
    ///
    /// # Errors
    ///
    /// A target outside the scope, too many addresses, a setting outside its limits, or raw sockets refused. A name that
    /// cannot be looked up is no error: it comes as [`Notice::Unresolved`] and stands in the report.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been sent when the future is dropped.
    pub async fn start(self) -> Result<Scan, Error> {
        let plan = self.plan().await?;
        let mut header = Header::new(&self, &plan, now());
        let descriptors = limits::descriptors(self.raise_descriptor_limit);
        let mut settings = self.settings(plan);
        let mut notices: Vec<Notice> = settings
            .plan
            .addresses
            .unresolved()
            .iter()
            .map(|(name, error)| Notice::Unresolved {
                name: name.clone(),
                error: error.clone(),
            })
            .collect();
        let syn = match self.technique {
            Technique::Connect => None,
            Technique::Syn | Technique::SynOrConnect => match Engine::with_syn(settings.clone()) {
                Ok(engine) => Some(engine),
                Err(error) if self.technique == Technique::SynOrConnect => {
                    notices.push(Notice::FellBackToConnect {
                        error: error.to_string(),
                    });
                    None
                }
                Err(source) => return Err(Error::RawSocket { source }),
            },
        };
        if syn.is_some() {
            header.technique = Technique::Syn;
        }
        header.audit(&self.scope);
        let blank = Report::new(header).given(&settings.plan.addresses);
        let mut engine = match syn {
            Some(engine) => engine,
            None => {
                settings.max_in_flight = settings.max_in_flight.min(descriptors);
                Engine::with_connect(settings).map_err(|source| Error::System {
                    what: "making a poller",
                    source,
                })?
            }
        };
        match &self.source {
            Source::Checkpoint(checkpoint) => engine.resume(checkpoint),
            Source::Targets(_) => notices
                .into_iter()
                .for_each(|notice| engine.announce(Event::Notice(notice))),
        }
        Ok(Scan::new(engine, blank))
    }

    /// Runs the scan to its end and collects its report.
    ///
    /// # Errors
    ///
    /// As [`Scanner::start`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the scan at once; what was found is lost. Use [`Scanner::start`] to keep it.
    pub async fn run(self) -> Result<Report, Error> {
        self.run_each(|_| {}).await
    }

    /// As [`Scanner::run`], and hands each address to a callback as soon as its ports are decided.
    ///
    /// # Errors
    ///
    /// As [`Scanner::start`].
    pub async fn run_each(self, mut on_host: impl FnMut(&HostReport)) -> Result<Report, Error> {
        let mut scan = self.start().await?;
        let mut report = scan.report();
        while let Some(event) = scan.next().await {
            report.record(&event);
            if let Event::HostDone(done) = &event {
                if let Some(host) = report.host(done.addr) {
                    on_host(host);
                }
            }
        }
        Ok(report)
    }

    async fn plan(&self) -> Result<Plan, Error> {
        self.check_settings()?;
        let plan = match &self.source {
            Source::Checkpoint(checkpoint) => {
                checkpoint.check()?;
                let mut plan = checkpoint.plan.clone();
                plan.addresses.renew_zones().await?;
                plan
            }
            Source::Targets(targets) => Plan {
                addresses: targets.resolve(self.first_address_only).await?,
                ports: self.ports.clone(),
                order: self.order,
                seed: self.seed.unwrap_or_else(new_seed),
                shard: self.shard.0,
                shards: self.shard.1,
            },
        };
        self.scope.check(&plan.addresses)?;
        // Names that could not be looked up are told by the report, even if there is nothing else.
        if plan.addresses.is_empty() && plan.addresses.unresolved().is_empty() {
            return Err(Error::NoTargets);
        }
        Ok(plan)
    }

    fn settings(&self, plan: Plan) -> Settings {
        Settings {
            timeout: self.timeout,
            retries: self.retries,
            max_in_flight: self.max_in_flight,
            rate: self.probes_per_second(&plan.addresses),
            discovery: self.discovery.clone(),
            decoys: self.decoys,
            look: self.look,
            progress_every: self.progress_every,
            plan,
        }
    }

    fn check_settings(&self) -> Result<(), Error> {
        let (shard, shards) = self.shard;
        if shard == 0 || shard > shards {
            return Err(Error::Shard { shard, shards });
        }
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let rate = match self.rate {
            Rate::PerSecond(Some(rate)) => u64::from(rate),
            Rate::PerSecond(None) | Rate::Polite => 1,
        };
        for (name, value, min, max) in [
            ("timeout in milliseconds", ms(self.timeout), 1, 3_600_000),
            (
                "service timeout in milliseconds",
                ms(self.look.timeout),
                1,
                3_600_000,
            ),
            (
                "progress period in milliseconds",
                ms(self.progress_every),
                1,
                3_600_000,
            ),
            ("rate", rate, 1, u64::from(u32::MAX)),
            (
                "number of probes in flight",
                self.max_in_flight as u64,
                1,
                1 << 20,
            ),
            ("number of decoys", self.decoys.into(), 0, 16),
        ] {
            if !(min..=max).contains(&value) {
                return Err(Error::Setting {
                    name,
                    value,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }

    fn probes_per_second(&self, addresses: &Addresses) -> Option<u32> {
        match self.rate {
            Rate::PerSecond(rate) => rate,
            Rate::Polite => (!addresses.all_loopback()).then_some(POLITE_RATE),
        }
    }

    pub(crate) fn described_command(&self, plan: &Plan) -> String {
        let targets = match &self.source {
            Source::Targets(targets) => targets.to_string(),
            Source::Checkpoint(_) => "(resumed)".to_owned(),
        };
        self.command_line
            .clone()
            .unwrap_or_else(|| format!("portscan {targets} {}", plan.ports))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one reading of the wall clock: when the report's scan began"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

fn new_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    mix(RandomState::new().hash_one(0_u8))
}

/// Probes a second: far below what a home router carries, and a /24 with 100 ports takes five seconds.
const POLITE_RATE: u32 = 5000;
