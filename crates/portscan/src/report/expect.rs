//! A policy of what ought to be open, and the verdict on a report.

use std::{fmt, net::IpAddr, str::FromStr};

use super::Report;
use crate::{Error, Ports, State, ports::ranges};

/// What ought to be open on every address: `22,443 only`, or `22,443` for at least those, or `nothing`.
///
/// ```
/// # use portscan::Expectation;
/// let policy: Expectation = "22,443 only".parse()?;
/// assert_eq!(policy.to_string(), "22,443 only");
/// # Ok::<(), portscan::ExpectationError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    ports: Vec<u16>,
    only: bool,
}

/// An expectation that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("expectation {text:?} is not a list of ports, with or without `only`, or `nothing`")]
pub struct ExpectationError {
    /// The text.
    pub text: String,
    /// What is wrong with the list.
    #[source]
    pub source: Error,
}

/// Whether a report is as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compliance {
    /// Everything is as expected.
    Met,
    /// Something is not.
    Broken,
    /// Nothing speaks against it, but something was not decided.
    Unknown,
}

/// A port that is not as expected, or not known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The address.
    pub addr: IpAddr,
    /// The port.
    pub port: u16,
    /// What it is; `None` if it was not scanned.
    pub state: Option<State>,
    /// Whether it ought to be open.
    pub expected_open: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.map_or("not scanned", State::as_str);
        let ought = if self.expected_open {
            "open"
        } else {
            "not open"
        };
        write!(
            f,
            "{} port {} is {state}, expected {ought}",
            self.addr, self.port
        )
    }
}

/// The verdict on a report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judgement {
    /// Whether the report is as expected.
    pub compliance: Compliance,
    /// Why it is not.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.compliance {
            Compliance::Met => "as expected",
            Compliance::Broken => "not as expected",
            Compliance::Unknown => "not known to be as expected",
        };
        writeln!(f, "{word}")?;
        self.findings
            .iter()
            .try_for_each(|finding| writeln!(f, "  {finding}"))
    }
}

impl FromStr for Expectation {
    type Err = ExpectationError;

    fn from_str(text: &str) -> Result<Self, ExpectationError> {
        let trimmed = text.trim();
        if trimmed == "nothing" {
            return Ok(Self {
                ports: Vec::new(),
                only: true,
            });
        }
        let (list, only) = match trimmed.strip_suffix("only") {
            Some(list) if list.ends_with(char::is_whitespace) => (list.trim_end(), true),
            _ => (trimmed, false),
        };
        let ports: Ports = list.parse().map_err(|source| ExpectationError {
            text: text.to_owned(),
            source,
        })?;
        Ok(Self {
            ports: ports.as_slice().to_vec(),
            only,
        })
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ports.is_empty(), self.only) {
            (true, _) => f.write_str("nothing"),
            (false, true) => write!(f, "{} only", ranges(&self.ports)),
            (false, false) => f.write_str(&ranges(&self.ports)),
        }
    }
}

impl Report {
    /// Compares every address with what ought to be open.
    ///
    /// A report without any address, an incomplete one, and a name that was not resolved leave the answer unknown.
    #[must_use]
    pub fn check(&self, expected: &Expectation) -> Judgement {
        let mut findings = Vec::new();
        for host in self.hosts() {
            let wanted = expected.ports.iter().map(|&port| (port, true));
            let states = host.states();
            let others = states
                .keys()
                .copied()
                .filter(|port| expected.only && expected.ports.binary_search(port).is_err());
            for (port, expected_open) in wanted.chain(others.map(|port| (port, false))) {
                let state = states.get(&port).copied();
                let finding = Finding {
                    addr: host.addr(),
                    port,
                    state,
                    expected_open,
                };
                if finding.compliance() != Compliance::Met {
                    findings.push(finding);
                }
            }
        }
        findings.sort_by_key(|finding| (finding.addr, finding.port));
        let broken = findings
            .iter()
            .any(|finding| finding.compliance() == Compliance::Broken);
        let unknown = !findings.is_empty()
            || !self.is_complete()
            || !self.unresolved.is_empty()
            || self.hosts.is_empty();
        let compliance = match (broken, unknown) {
            (true, _) => Compliance::Broken,
            (false, true) => Compliance::Unknown,
            (false, false) => Compliance::Met,
        };
        Judgement {
            compliance,
            findings,
        }
    }
}

impl Finding {
    fn compliance(&self) -> Compliance {
        match self.state {
            None | Some(State::Undecided) => Compliance::Unknown,
            Some(state) if (state == State::Open) == self.expected_open => Compliance::Met,
            Some(_) => Compliance::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::{Event, Progress, Reason};

    fn judge(ports: &[(u16, Reason)], expected: &str) -> (Compliance, usize) {
        let mut report = Report::new(sample::header());
        for &(port, reason) in ports {
            report.record(&sample::verdict("192.0.2.1", port, reason));
        }
        report.record(&Event::Progress(Progress {
            finished: true,
            ..Progress::default()
        }));
        let judgement = report.check(&expected.parse().unwrap());
        (judgement.compliance, judgement.findings.len())
    }

    #[test]
    fn a_policy_is_met_broken_or_unknown() {
        use Reason::{ConnRefused, NoResponse, OutOfDescriptors, SynAck};
        let ports = [
            (22, SynAck),
            (80, ConnRefused),
            (443, SynAck),
            (8080, NoResponse),
        ];
        assert_eq!(judge(&ports, "22,443 only"), (Compliance::Met, 0));
        assert_eq!(judge(&ports, "22"), (Compliance::Met, 0));
        assert_eq!(judge(&ports, "22 only"), (Compliance::Broken, 1));
        assert_eq!(judge(&ports, "22,80"), (Compliance::Broken, 1));
        assert_eq!(judge(&ports, "nothing"), (Compliance::Broken, 2));
        assert_eq!(judge(&ports, "22,9"), (Compliance::Unknown, 1));
        assert_eq!(
            judge(&[(22, SynAck), (23, OutOfDescriptors)], "22 only"),
            (Compliance::Unknown, 1)
        );
        assert_eq!(judge(&[], "nothing"), (Compliance::Unknown, 0));
    }

    #[test]
    fn a_wrong_policy_is_named_with_its_cause() {
        let error = "22,x only".parse::<Expectation>().unwrap_err();
        assert!(error.to_string().contains("\"22,x only\""));
        assert!(
            std::error::Error::source(&error)
                .unwrap()
                .to_string()
                .contains("column 4")
        );
    }
}
