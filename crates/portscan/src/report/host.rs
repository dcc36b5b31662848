//! One address of a report, and its ports.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use super::ports::{Kept, PortTable};
use crate::{
    Reason, State, Verdict,
    event::{Counts, HostDone, Service},
    services::Services,
};

/// One address of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReport {
    pub(super) addr: IpAddr,
    pub(super) name: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) up: bool,
    pub(super) answers_everything: bool,
    pub(super) rtt: Option<Duration>,
    pub(super) ports: PortTable,
    pub(super) services: BTreeMap<u16, Service>,
}

/// One port of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PortReport<'a> {
    /// The port.
    pub port: u16,
    /// What it is.
    pub state: State,
    /// What was observed.
    pub reason: Reason,
    /// Probes sent.
    pub tries: u8,
    /// The system's error number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub errno: Option<i32>,
    /// The round-trip time in microseconds.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub rtt_us: Option<u32>,
    /// What the service said.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub service: Option<&'a Service>,
}

/// Ports of one host that share a state and are too many to be listed one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) state: State,
    /// Their ports by reason.
    pub(crate) reasons: BTreeMap<Reason, Vec<u16>>,
}

impl Extra {
    pub(crate) fn count(&self) -> usize {
        self.reasons.values().map(Vec::len).sum()
    }
}

impl HostReport {
    pub(super) fn new(addr: IpAddr) -> Self {
        Self {
            addr,
            name: None,
            zone: None,
            up: false,
            answers_everything: false,
            rtt: None,
            ports: PortTable::default(),
            services: BTreeMap::new(),
        }
    }

    pub(super) fn record(&mut self, verdict: &Verdict) {
        self.up |= matches!(verdict.state, State::Open | State::Closed);
        let rtt_us = verdict
            .rtt
            .map(|rtt| u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX - 1));
        let kept = Kept::new(verdict.reason, verdict.tries, verdict.errno, rtt_us);
        self.ports.insert(verdict.port, kept);
    }

    pub(super) fn finish(&mut self, done: &HostDone) {
        self.name = done.name.as_deref().map(str::to_owned);
        self.zone = done.zone.as_deref().map(str::to_owned);
        self.up |= done.up;
        self.answers_everything |= done.answers_everything;
        self.rtt = done.rtt;
        self.ports.settle();
    }

    /// The address.
    #[must_use]
    pub fn addr(&self) -> IpAddr {
        self.addr
    }

    /// The host name that it was given by, or the empty string.
    #[must_use]
    pub fn hostname(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The zone of a link-local address, as it was written.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// The address with its zone, as in `fe80::1%eth0`.
    #[must_use]
    pub fn scoped_addr(&self) -> String {
        match &self.zone {
            Some(zone) => format!("{}%{zone}", self.addr),
            None => self.addr.to_string(),
        }
    }

    /// `up` if anything came back from the address, or else `down`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.up { "up" } else { "down" }
    }

    /// The address is open on ports chosen at random too: something between answers for it.
    #[must_use]
    pub fn answers_everything(&self) -> bool {
        self.answers_everything
    }

    /// The smoothed round-trip time.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// The protocols that have ports: `tcp`, or none.
    #[must_use]
    pub fn protocols(&self) -> &'static [&'static str] {
        if self.ports.is_empty() { &[] } else { &["tcp"] }
    }

    /// The ports in ascending order.
    pub fn ports(&self) -> impl Iterator<Item = PortReport<'_>> {
        let ports = self.ports.ordered();
        (0..ports.len()).map(move |at| {
            let (port, kept) = ports[at];
            self.port_report(port, kept)
        })
    }

    /// The state of each port, for many questions.
    pub(super) fn states(&self) -> BTreeMap<u16, State> {
        self.ports().map(|port| (port.port, port.state)).collect()
    }

    /// One port.
    #[must_use]
    pub fn port(&self, port: u16) -> Option<PortReport<'_>> {
        Some(self.port_report(port, self.ports.get(port)?))
    }

    fn port_report(&self, port: u16, kept: Kept) -> PortReport<'_> {
        PortReport {
            port,
            state: kept.state(),
            reason: kept.reason,
            tries: kept.tries,
            errno: kept.errno(),
            rtt_us: kept.rtt_us(),
            service: self.services.get(&port),
        }
    }

    /// The open ports in ascending order.
    pub fn open_ports(&self) -> impl Iterator<Item = u16> {
        self.ports()
            .filter(|port| port.state == State::Open)
            .map(|port| port.port)
    }

    /// Ports by state.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let ports = self.ports.ordered();
        ports.iter().for_each(|(_, kept)| counts.add(kept.state()));
        counts
    }

    /// The ports to list one by one, and those that are only counted: ports that are not open, where more than
    /// [`LISTED`] have the same state, as nmap does.
    pub(crate) fn listed(&self) -> (Vec<PortReport<'_>>, Vec<Extra>) {
        let counts = self.counts();
        let is_extra = |state| state != State::Open && counts.of(state) > LISTED;
        let mut listed = Vec::new();
        let mut extras: BTreeMap<State, Extra> = BTreeMap::new();
        for port in self.ports() {
            if is_extra(port.state) {
                let extra = extras.entry(port.state).or_insert_with(|| Extra {
                    state: port.state,
                    reasons: BTreeMap::new(),
                });
                extra
                    .reasons
                    .entry(port.reason)
                    .or_default()
                    .push(port.port);
            } else {
                listed.push(port);
            }
        }
        (listed, extras.into_values().collect())
    }
}

impl<'a> PortReport<'a> {
    /// The name of the port in the system's services file or in our own table.
    #[must_use]
    pub fn name(self) -> &'static str {
        Services::system().name(self.port).unwrap_or_default()
    }

    /// What the service said by itself.
    #[must_use]
    pub fn banner(self) -> Option<&'a str> {
        self.service?.banner.as_deref()
    }

    /// The subject of the service's certificate.
    #[must_use]
    pub fn tls_subject(self) -> Option<&'a str> {
        self.service?.tls_subject.as_deref()
    }
}

/// The most ports of one state, other than open, that are listed one by one.
const LISTED: u64 = 25;
