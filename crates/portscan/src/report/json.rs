//! The report as JSON and as JSON lines, and back.
//!
//! Both have the same objects: a document is `{"scan", "unresolved", "notes", "hosts", "end"}`; in lines each line is
//! one of `{"scan"}`, `{"unresolved"}`, `{"note"}`, `{"host"}` and `{"end"}`. Ports that are too many to be listed are in `extra_ports` as ranges.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::IpAddr,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Extra, Header, HostReport, Report, ports::Kept};
use crate::{Error, Ports, Progress, Reason, Service, State, event::Counts};

#[derive(Serialize, Deserialize)]
struct Document {
    scan: Header,
    #[serde(default)]
    unresolved: Vec<Unresolved>,
    #[serde(default)]
    notes: Vec<String>,
    hosts: Vec<Host>,
    end: End,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Scan(Header),
    Unresolved(Unresolved),
    Note(String),
    Host(Host),
    End(End),
}

#[derive(Serialize, Deserialize)]
struct Unresolved {
    name: String,
    error: String,
}

#[derive(Serialize, Deserialize)]
struct Host {
    addr: IpAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    state: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    answers_everything: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u64>,
    counts: Counts,
    ports: Vec<Port>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extra_ports: Vec<ExtraPorts>,
}

#[derive(Serialize, Deserialize)]
struct Port {
    port: u16,
    /// Follows from the reason; ignored when read.
    state: State,
    reason: Reason,
    tries: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<Service>,
    /// Follows from the port; ignored when read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
}

#[derive(Serialize, Deserialize)]
struct ExtraPorts {
    state: State,
    reason: Reason,
    count: usize,
    ports: Ports,
}

#[derive(Serialize, Deserialize)]
struct End {
    complete: bool,
    elapsed_ms: u64,
    counts: Counts,
    statistics: Progress,
}

impl Report {
    /// Writes one JSON document.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] if `out` fails.
    pub fn write_json(&self, mut out: impl Write) -> Result<(), Error> {
        let document = Document {
            scan: self.header.clone(),
            unresolved: self.unresolved_names().collect(),
            notes: self.notes.clone(),
            hosts: self.hosts().map(Host::from).collect(),
            end: self.end(),
        };
        serde_json::to_writer_pretty(&mut out, &document)
            .map_err(std::io::Error::from)
            .and_then(|()| writeln!(out))
            .map_err(|source| Error::Write {
                format: "JSON",
                source,
            })
    }

    /// Writes JSON lines: the scan, each host, the end.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] if `out` fails.
    pub fn write_json_lines(&self, mut out: impl Write) -> Result<(), Error> {
        let head = std::iter::once(Line::Scan(self.header.clone()));
        let lines = head
            .chain(self.unresolved_names().map(Line::Unresolved))
            .chain(self.notes.iter().cloned().map(Line::Note))
            .chain(self.hosts().map(|host| Line::Host(host.into())))
            .chain(std::iter::once(Line::End(self.end())));
        for line in lines {
            serde_json::to_writer(&mut out, &line)
                .map_err(std::io::Error::from)
                .and_then(|()| writeln!(out))
                .map_err(|source| Error::Write {
                    format: "JSON lines",
                    source,
                })?;
        }
        Ok(())
    }

    /// Reads what [`Report::write_json`] or [`Report::write_json_lines`] has written. The round-trip times and tries of
    /// ports that were only counted are not in it.
    ///
    /// # Errors
    ///
    /// [`Error::Document`] for anything else, [`Error::Read`] if `input` fails.
    pub fn read_json(input: impl Read) -> Result<Self, Error> {
        let mut text = String::new();
        BufReader::new(input)
            .read_to_string(&mut text)
            .map_err(|source| Error::Read {
                what: "the report".to_owned(),
                source,
            })?;
        let wrong = |source| Error::Document {
            what: "report",
            source,
        };
        match serde_json::from_str::<Document>(&text) {
            Ok(document) => Ok(Self::from(document)),
            Err(error) => {
                let first = text.lines().next().unwrap_or_default();
                let Ok(Line::Scan(header)) = serde_json::from_str(first) else {
                    return Err(wrong(error));
                };
                let mut report = Self::new(header);
                for line in text.as_bytes().lines().skip(1).map_while(Result::ok) {
                    match serde_json::from_str(&line).map_err(wrong)? {
                        Line::Scan(header) => report.header = header,
                        Line::Unresolved(name) => report.unresolved.push((name.name, name.error)),
                        Line::Note(note) => report.notes.push(note),
                        Line::Host(host) => report.add(host),
                        Line::End(end) => report.progress = end.statistics,
                    }
                }
                Ok(report)
            }
        }
    }

    fn unresolved_names(&self) -> impl Iterator<Item = Unresolved> {
        self.unresolved
            .iter()
            .cloned()
            .map(|(name, error)| Unresolved { name, error })
    }

    fn end(&self) -> End {
        End {
            complete: self.is_complete(),
            elapsed_ms: u64::try_from(self.progress.elapsed.as_millis()).unwrap_or(u64::MAX),
            counts: self.counts(),
            statistics: self.progress,
        }
    }

    fn add(&mut self, host: Host) {
        self.hosts.insert(host.into());
    }
}

impl From<Document> for Report {
    fn from(document: Document) -> Self {
        let mut report = Self::new(document.scan);
        report.unresolved = document
            .unresolved
            .into_iter()
            .map(|name| (name.name, name.error))
            .collect();
        report.notes = document.notes;
        document.hosts.into_iter().for_each(|host| report.add(host));
        report.progress = document.end.statistics;
        report
    }
}

impl From<&HostReport> for Host {
    fn from(host: &HostReport) -> Self {
        let (listed, extras) = host.listed();
        let extra_ports = |extra: Extra| {
            let state = extra.state;
            extra
                .reasons
                .into_iter()
                .map(move |(reason, ports)| ExtraPorts {
                    state,
                    reason,
                    count: ports.len(),
                    ports: ports.into_iter().collect(),
                })
        };
        Self {
            addr: host.addr,
            name: host.name.clone(),
            zone: host.zone.clone(),
            state: host.state().to_owned(),
            answers_everything: host.answers_everything,
            rtt_us: host
                .rtt
                .map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
            counts: host.counts(),
            ports: listed
                .into_iter()
                .map(|port| Port {
                    port: port.port,
                    state: port.state,
                    reason: port.reason,
                    tries: port.tries,
                    errno: port.errno,
                    rtt_us: port.rtt_us,
                    service: port.service.cloned(),
                    name: port.name().to_owned(),
                })
                .collect(),
            extra_ports: extras.into_iter().flat_map(extra_ports).collect(),
        }
    }
}

impl From<Host> for HostReport {
    fn from(host: Host) -> Self {
        let mut report = Self::new(host.addr);
        for port in host.ports {
            let kept = Kept::new(port.reason, port.tries, port.errno, port.rtt_us);
            report.ports.insert(port.port, kept);
            report
                .services
                .extend(port.service.map(|service| (port.port, service)));
        }
        for extra in host.extra_ports {
            let kept = Kept::new(extra.reason, 0, None, None);
            let ports = extra.ports.as_slice();
            ports
                .iter()
                .for_each(|&port| report.ports.insert(port, kept));
        }
        report.ports.settle();
        Self {
            name: host.name,
            zone: host.zone,
            up: host.state == "up",
            answers_everything: host.answers_everything,
            rtt: host.rtt_us.map(Duration::from_micros),
            ..report
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ranges, sample},
        *,
    };

    /// The ports that are only counted come back without their tries and times.
    fn without_detail(mut report: Report) -> Report {
        let hosts: Vec<_> = report.hosts().cloned().collect();
        for mut host in hosts {
            let bare = |(port, reason)| (port, Kept::new(reason, 0, None, None));
            let ports: Vec<_> = host.ports().map(|port| (port.port, port.reason)).collect();
            host.ports = ports.into_iter().map(bare).collect();
            report.hosts.insert(host);
        }
        report
    }

    #[test]
    fn both_forms_read_back_as_the_same_report() {
        let report = sample::report();
        let (mut document, mut lines) = (Vec::new(), Vec::new());
        report.write_json(&mut document).unwrap();
        report.write_json_lines(&mut lines).unwrap();
        assert_eq!(String::from_utf8_lossy(&lines).lines().count(), 5);
        for text in [document, lines] {
            let back = Report::read_json(&text[..]).unwrap();
            assert_eq!(without_detail(back), without_detail(report.clone()));
        }
    }

    #[test]
    fn other_json_is_refused() {
        for text in ["", "{}", "[1]", "{\"scan\": 1}\n"] {
            assert!(
                matches!(
                    Report::read_json(text.as_bytes()),
                    Err(Error::Document { .. })
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn many_ports_are_ranges() {
        let mut document = Vec::new();
        sample::report().write_json(&mut document).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&document).unwrap();
        let extra = &value["hosts"][0]["extra_ports"][0];
        assert_eq!(
            (&extra["ports"], &extra["count"]),
            (&"100-200".into(), &101.into())
        );
        assert_eq!(value["hosts"][0]["ports"][0]["name"], "ssh");
        assert_eq!(ranges(&[1, 2, 3, 9]), "1-3,9");
    }
}
