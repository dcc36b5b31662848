//! What a running scan tells.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use crate::{State, Verdict};

/// An item of the stream of a [`Scan`](crate::Scan).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Event {
    /// A port was decided. Each port of each address is decided once.
    Verdict(Verdict),
    /// More about an open port; comes after its verdict, and before its host is done.
    Service(Service),
    /// All ports of an address are decided.
    HostDone(HostDone),
    /// How far the scan is; every [`Scanner::progress_every`](crate::Scanner::progress_every), and once at the end.
    Progress(Progress),
    /// Something that a person should know.
    Notice(Notice),
}

/// What an open port said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Service {
    /// The address.
    pub addr: IpAddr,
    /// The port.
    pub port: u16,
    /// The first bytes that the service sent by itself, at most 256, unprintable ones escaped.
    pub banner: Option<String>,
    /// The subject of the certificate that it showed in a TLS handshake.
    pub tls_subject: Option<String>,
}

/// An address whose ports are all decided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HostDone {
    /// The address.
    pub addr: IpAddr,
    /// The host name it was given by.
    pub name: Option<Arc<str>>,
    /// The zone of a link-local address, as it was written: the interface behind which it is.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub zone: Option<Arc<str>>,
    /// Whether anything came back from the address.
    pub up: bool,
    /// Ports open, closed, filtered and undecided.
    pub counts: Counts,
    /// The smoothed round-trip time.
    pub rtt: Option<Duration>,
    /// The address also answers "open" on ports chosen at random: something between answers for it, and its open ports
    /// mean little.
    pub answers_everything: bool,
}

/// Ports by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[expect(missing_docs, reason = "named after the states")]
pub struct Counts {
    pub open: u64,
    pub closed: u64,
    pub filtered: u64,
    pub undecided: u64,
}

impl Counts {
    /// All ports.
    #[must_use]
    pub fn total(&self) -> u64 {
        // Counts that were read from a file can be anything.
        [self.closed, self.filtered, self.undecided]
            .into_iter()
            .fold(self.open, u64::saturating_add)
    }

    /// The ports of one state.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        match state {
            State::Open => self.open,
            State::Closed => self.closed,
            State::Filtered => self.filtered,
            State::Undecided => self.undecided,
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            open: self.open + other.open,
            closed: self.closed + other.closed,
            filtered: self.filtered + other.filtered,
            undecided: self.undecided + other.undecided,
        }
    }

    pub(crate) fn add(&mut self, state: State) {
        match state {
            State::Open => self.open += 1,
            State::Closed => self.closed += 1,
            State::Filtered => self.filtered += 1,
            State::Undecided => self.undecided += 1,
        }
    }
}

/// How far a scan is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Progress {
    /// Ports decided so far, the resumed ones included.
    pub counts: Counts,
    /// Ports to decide in all.
    pub total: u64,
    /// Addresses done.
    pub hosts_done: u64,
    /// Probes under way.
    pub in_flight: usize,
    /// Probes that may be under way at once at the moment.
    pub window: usize,
    /// Probes sent, repetitions included.
    pub sent: u64,
    /// Probes sent again because nothing came back.
    pub repeated: u64,
    /// Probes made again because this machine had spoiled them.
    pub spoiled: u64,
    /// Connections that had met themselves, and were made again.
    pub self_connects: u64,
    /// The time since the scan began or was resumed.
    pub elapsed: Duration,
    /// The time that the rest will take if it goes on like this.
    pub eta: Option<Duration>,
    /// The scan has come to its end, and was not stopped before.
    pub finished: bool,
}

/// Something that a person should know about a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Notice {
    /// A host name has no address, or a zone no interface; the other targets are scanned.
    Unresolved {
        /// The target.
        name: String,
        /// The resolver's answer.
        error: String,
    },
    /// The SYN technique was asked for where possible, and is not possible.
    FellBackToConnect {
        /// The system's answer.
        error: String,
    },
    /// An address answers "open" on ports chosen at random; see [`HostDone::answers_everything`].
    AnswersEverything {
        /// The address.
        addr: IpAddr,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved { name, error } => write!(f, "{name} cannot be resolved: {error}"),
            Self::FellBackToConnect { error } => write!(
                f,
                "raw sockets are refused ({error}), so the connect technique is used"
            ),
            Self::AnswersEverything { addr } => write!(
                f,
                "{addr} is open on ports chosen at random too; something between answers for it"
            ),
        }
    }
}
