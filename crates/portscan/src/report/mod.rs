//! The collected result of a scan, and what can be asked of it.

#[cfg(feature = "csv")]
mod csv;
mod diff;
mod expect;
mod given;
mod host;
mod hosts;
#[cfg(feature = "json")]
mod json;
mod ports;
mod text;
mod time;
#[cfg(feature = "xml")]
mod xml;

use std::{collections::BTreeSet, net::IpAddr, time::SystemTime};

pub use diff::{Change, Diff};
pub use expect::{Compliance, Expectation, ExpectationError, Finding, Judgement};
use given::Given;
pub(crate) use host::Extra;
pub use host::{HostReport, PortReport};
use hosts::HostTable;

use crate::{
    Addresses, Event, Notice, Order, Ports, Progress, Scanner, Scope, Technique, event::Counts,
    plan::Plan, ports::ranges,
};

/// What is known about the scan before its first probe.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Header {
    /// The version of this crate.
    pub version: String,
    /// The command line, or a description of the scan in its form.
    pub command_line: String,
    /// The technique that was used.
    pub technique: Technique,
    /// The order of the probes.
    pub order: Order,
    /// The seed of the order.
    pub seed: u64,
    /// The shard and the number of shards.
    pub shard: (u32, u32),
    /// The ports.
    pub ports: Ports,
    /// The number of addresses.
    pub addresses: u64,
    /// When the scan began; whole milliseconds.
    pub started: SystemTime,
}

impl Header {
    pub(crate) fn new(scanner: &Scanner, plan: &Plan, now: SystemTime) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command_line: scanner.described_command(plan),
            technique: Technique::Connect,
            order: plan.order,
            seed: plan.seed,
            shard: (plan.shard, plan.shards),
            ports: plan.ports.clone(),
            addresses: plan.addresses.len(),
            started: now,
        }
    }

    /// One line that says who is scanned, how and how fast; for whoever has to answer for it.
    pub(crate) fn audit(&self, scope: &Scope) {
        tracing::info!(
            target: "portscan::audit",
            command = self.command_line,
            technique = ?self.technique,
            addresses = self.addresses,
            ports = self.ports.len(),
            seed = self.seed,
            shard = self.shard.0,
            shards = self.shard.1,
            scope = %scope,
            "scan begins"
        );
    }

    pub(crate) fn audit_end(&self, progress: &Progress) {
        tracing::info!(
            target: "portscan::audit",
            command = self.command_line,
            sent = progress.sent,
            open = progress.counts.open,
            decided = progress.counts.total(),
            total = progress.total,
            elapsed_ms = u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX),
            "scan ends"
        );
    }
}

/// The result of a scan, complete or not.
///
/// Made by [`Scanner::run`](crate::Scanner::run), or from the events of a [`Scan`](crate::Scan) by [`Report::record`]; written as
/// text by its `Display`, and by the `write_` methods in other forms.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    header: Header,
    hosts: HostTable,
    unresolved: Vec<(String, String)>,
    notes: Vec<String>,
    progress: Progress,
    given: Given,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(header: Header) -> Self {
        Self {
            header,
            hosts: HostTable::new(),
            unresolved: Vec::new(),
            notes: Vec::new(),
            progress: Progress::default(),
            given: Given::default(),
        }
    }

    /// A report that knows the names and zones of its addresses before they are done.
    pub(crate) fn given(mut self, addresses: &Addresses) -> Self {
        self.given = Given::of(addresses);
        self
    }

    /// Takes up an event of the scan.
    pub fn record(&mut self, event: &Event) {
        match event {
            Event::Verdict(verdict) => self.host_mut(verdict.addr).record(verdict),
            Event::Service(service) => {
                let services = &mut self.host_mut(service.addr).services;
                services.insert(service.port, service.clone());
            }
            Event::HostDone(done) => self.host_mut(done.addr).finish(done),
            Event::Progress(progress) => self.progress = *progress,
            Event::Notice(Notice::Unresolved { name, error }) => {
                self.unresolved.push((name.clone(), error.clone()));
            }
            Event::Notice(notice @ Notice::FellBackToConnect { .. }) => {
                self.notes.push(notice.to_string());
            }
            Event::Notice(Notice::AnswersEverything { addr }) => {
                self.host_mut(*addr).answers_everything = true;
            }
        }
    }

    /// Takes up what an earlier part of the same scan, or another shard of it, has found; the scan began with whichever began first.
    pub fn merge(&mut self, other: &Self) {
        self.header.started = self.header.started.min(other.header.started);
        for host in other.hosts.iter() {
            match self.hosts.get_mut(host.addr) {
                None => self.hosts.insert(host.clone()),
                Some(mine) => {
                    mine.up |= host.up;
                    mine.answers_everything |= host.answers_everything;
                    mine.name = mine.name.take().or_else(|| host.name.clone());
                    mine.zone = mine.zone.take().or_else(|| host.zone.clone());
                    let both = [host.ports.ordered(), mine.ports.ordered()].concat();
                    mine.ports = both.into_iter().collect();
                    for (port, service) in &host.services {
                        let entry = mine.services.entry(*port);
                        entry.or_insert_with(|| service.clone());
                    }
                }
            }
        }
        for name in &other.unresolved {
            if !self.unresolved.contains(name) {
                self.unresolved.push(name.clone());
            }
        }
        self.notes.extend(other.notes.iter().cloned());
    }

    fn host_mut(&mut self, addr: IpAddr) -> &mut HostReport {
        self.hosts.get_or_insert_with(addr, || HostReport {
            name: self.given.name(addr).map(str::to_owned),
            zone: self.given.zone(addr).map(str::to_owned),
            ..HostReport::new(addr)
        })
    }

    /// What is known about the scan itself: technique, ports, order, seed, start.
    #[must_use]
    pub fn scan_info(&self) -> &Header {
        &self.header
    }

    /// The command line.
    #[must_use]
    pub fn command_line(&self) -> &str {
        &self.header.command_line
    }

    /// The figures of the scan as of its last [`Event::Progress`].
    #[must_use]
    pub fn statistics(&self) -> &Progress {
        &self.progress
    }

    /// Whether the scan came to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.progress.finished
    }

    /// The addresses, IPv4 first, in ascending order.
    pub fn hosts(&self) -> impl Iterator<Item = &HostReport> {
        self.hosts.ordered()
    }

    /// One address.
    #[must_use]
    pub fn host(&self, addr: IpAddr) -> Option<&HostReport> {
        self.hosts.get(addr)
    }

    /// The names that could not be looked up, with the reason.
    #[must_use]
    pub fn unresolved(&self) -> &[(String, String)] {
        &self.unresolved
    }

    /// What a person should know about how the scan went.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Ports by state, all addresses together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let each = self.hosts.iter().map(HostReport::counts);
        each.fold(Counts::default(), Counts::plus)
    }

    /// Every open port that was found, whatever its address, in ascending order.
    #[must_use]
    pub fn open_ports(&self) -> BTreeSet<u16> {
        self.hosts.iter().flat_map(HostReport::open_ports).collect()
    }
}

/// The state in nmap's own words; it has none for a port that this machine could not decide but `unknown`.
#[cfg(any(feature = "csv", feature = "xml"))]
fn nmap_state(state: crate::State) -> &'static str {
    match state {
        crate::State::Undecided => "unknown",
        other => other.as_str(),
    }
}

#[cfg(test)]
pub(crate) mod sample {
    //! A report for the tests of the formats.

    use std::time::Duration;

    use super::*;
    use crate::{
        Reason, Verdict,
        event::{HostDone, Service},
    };

    pub(crate) fn header() -> Header {
        Header {
            version: "0.1.0".to_owned(),
            command_line: "portscan <x> & \"y\"".to_owned(),
            technique: Technique::Connect,
            order: Order::Random,
            seed: 7,
            shard: (1, 1),
            ports: "22,80,100-200".parse().unwrap(),
            addresses: 2,
            started: SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_001),
        }
    }

    pub(crate) fn verdict(addr: &str, port: u16, reason: Reason) -> Event {
        Event::Verdict(Verdict {
            addr: addr.parse().unwrap(),
            port,
            state: reason.state(),
            reason,
            errno: (reason == Reason::ConnRefused).then_some(111),
            rtt: Some(Duration::from_micros(120)),
            tries: 1,
        })
    }

    pub(crate) fn done(addr: &str, name: Option<&str>) -> Event {
        Event::HostDone(HostDone {
            addr: addr.parse().unwrap(),
            name: name.map(Into::into),
            zone: None,
            up: true,
            counts: Counts::default(),
            rtt: Some(Duration::from_micros(120)),
            answers_everything: false,
        })
    }

    /// A report of one link-local address.
    pub(crate) fn link_local() -> Report {
        let mut report = Report::new(header());
        report.record(&verdict("fe80::1", 22, Reason::SynAck));
        report.record(&Event::HostDone(HostDone {
            addr: "fe80::1".parse().unwrap(),
            name: None,
            zone: Some("eth0".into()),
            up: true,
            counts: Counts::default(),
            rtt: None,
            answers_everything: false,
        }));
        report
    }

    pub(crate) fn report() -> Report {
        let mut report = Report::new(header());
        let mut events = vec![
            verdict("192.0.2.10", 22, Reason::SynAck),
            verdict("192.0.2.10", 80, Reason::ConnRefused),
            verdict("2001:db8::10", 80, Reason::SynAck),
            verdict("2001:db8::10", 22, Reason::OutOfDescriptors),
            Event::Service(Service {
                addr: "192.0.2.10".parse().unwrap(),
                port: 22,
                banner: Some("=SSH-2.0-\"x\";<y>".to_owned()),
                tls_subject: None,
            }),
            done("192.0.2.10", Some("www.example.test")),
            done("2001:db8::10", None),
            Event::Notice(Notice::Unresolved {
                name: "gone.example".to_owned(),
                error: "no address".to_owned(),
            }),
        ];
        events.extend((100..=200).map(|port| verdict("192.0.2.10", port, Reason::NoResponse)));
        let counts = Counts {
            open: 2,
            closed: 1,
            filtered: 101,
            undecided: 1,
        };
        events.push(Event::Progress(Progress {
            counts,
            total: 105,
            hosts_done: 2,
            sent: 300,
            elapsed: Duration::from_millis(1020),
            finished: true,
            ..Progress::default()
        }));
        events.iter().for_each(|event| report.record(event));
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, State};

    #[test]
    fn the_accessors_answer_as_those_of_python_nmap_do() {
        let report = sample::report();
        let host = report.host("192.0.2.10".parse().unwrap()).unwrap();
        assert_eq!(
            (host.hostname(), host.state(), host.protocols()),
            ("www.example.test", "up", &["tcp"][..])
        );
        assert_eq!(host.ports().count(), 103);
        assert_eq!(host.port(80).unwrap().state, State::Closed);
        assert_eq!(
            report.open_ports().into_iter().collect::<Vec<_>>(),
            [22, 80]
        );
        assert_eq!(report.counts(), report.statistics().counts);
        assert!(report.is_complete());
    }

    #[test]
    fn many_ports_of_a_state_are_counted_and_open_ones_never() {
        let mut report = Report::new(sample::header());
        for port in 1..=30 {
            report.record(&sample::verdict("192.0.2.1", port, Reason::SynAck));
            report.record(&sample::verdict(
                "192.0.2.1",
                100 + port,
                Reason::ConnRefused,
            ));
        }
        let (listed, extra) = report.hosts().next().unwrap().listed();
        assert_eq!(listed.len(), 30);
        assert_eq!((extra[0].state, extra[0].count()), (State::Closed, 30));
    }

    #[test]
    fn two_parts_of_a_scan_make_one_report() {
        let mut first = Report::new(sample::header());
        first.record(&sample::verdict("192.0.2.1", 1, Reason::SynAck));
        let mut second = Report::new(sample::header());
        second.record(&sample::verdict("192.0.2.1", 2, Reason::ConnRefused));
        second.record(&sample::verdict("192.0.2.2", 1, Reason::NoResponse));
        second.merge(&first);
        assert_eq!(second.counts().total(), 3);
        assert_eq!(
            second
                .host("192.0.2.1".parse().unwrap())
                .unwrap()
                .ports()
                .count(),
            2
        );
    }
}
