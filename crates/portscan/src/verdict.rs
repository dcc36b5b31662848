//! What the scan says about one port, and why.

use std::{fmt, net::IpAddr, time::Duration};

/// The state of one port of one address, with the evidence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Verdict {
    /// The address that was probed.
    pub addr: IpAddr,
    /// The TCP port that was probed.
    pub port: u16,
    /// What the port is.
    pub state: State,
    /// What was observed.
    pub reason: Reason,
    /// The system's error number, where the observation was an error.
    pub errno: Option<i32>,
    /// The time between the last probe and its answer; `None` without an answer.
    pub rtt: Option<Duration>,
    /// Probes sent for this port; those that this machine could not send do not count.
    pub tries: u8,
}

/// The states of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum State {
    /// Something accepts connections.
    Open,
    /// The address answered that nothing listens.
    Closed,
    /// Nothing answered, or a router or a firewall answered in the port's place.
    Filtered,
    /// This machine was the cause that nothing was learned; the port's state is unknown.
    Undecided,
}

impl State {
    /// Every state, in the order of a report.
    pub const ALL: [Self; 4] = [Self::Open, Self::Closed, Self::Filtered, Self::Undecided];

    /// The name of the state in texts, JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::Undecided => "undecided",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was observed on the last probe of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Reason {
    /// The connection was accepted, or a SYN was answered with SYN-ACK.
    SynAck,
    /// The connection was refused. The system's `connect` also says so for an ICMP "port unreachable".
    ConnRefused,
    /// A SYN was answered with RST, or the connection was reset while it was being made.
    Reset,
    /// Nothing came within the timeout, on any try.
    NoResponse,
    /// ICMP "host unreachable", or no neighbour has the address.
    HostUnreach,
    /// ICMP "network unreachable".
    NetUnreach,
    /// ICMP "port unreachable" in answer to a SYN: a firewall's `REJECT`.
    PortUnreach,
    /// ICMP "administratively prohibited".
    AdminProhibited,
    /// Local: out of file descriptors.
    OutOfDescriptors,
    /// Local: out of socket buffers or memory.
    OutOfBuffers,
    /// Local: no free source port or source address.
    OutOfPorts,
    /// Local: this machine has no route to the address.
    NoRoute,
    /// Local: this machine's firewall or policy forbids the probe.
    NotPermitted,
    /// Local: the program was held up for so long that silence proves nothing.
    Lag,
    /// Local: the connection kept meeting itself.
    SelfConnect,
    /// Local: another error; see the error number.
    OtherError,
}

impl Reason {
    /// The name of the reason; those that nmap has too carry nmap's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SynAck => "syn-ack",
            Self::ConnRefused => "conn-refused",
            Self::Reset => "reset",
            Self::NoResponse => "no-response",
            Self::HostUnreach => "host-unreach",
            Self::NetUnreach => "net-unreach",
            Self::PortUnreach => "port-unreach",
            Self::AdminProhibited => "admin-prohibited",
            Self::OutOfDescriptors => "out-of-descriptors",
            Self::OutOfBuffers => "out-of-buffers",
            Self::OutOfPorts => "out-of-ports",
            Self::NoRoute => "no-route",
            Self::NotPermitted => "not-permitted",
            Self::Lag => "lag",
            Self::SelfConnect => "self-connect",
            Self::OtherError => "other-error",
        }
    }

    /// The state that this observation stands for.
    #[must_use]
    pub fn state(self) -> State {
        match self {
            Self::SynAck => State::Open,
            Self::ConnRefused | Self::Reset => State::Closed,
            Self::NoResponse
            | Self::HostUnreach
            | Self::NetUnreach
            | Self::PortUnreach
            | Self::AdminProhibited => State::Filtered,
            Self::OutOfDescriptors
            | Self::OutOfBuffers
            | Self::OutOfPorts
            | Self::NoRoute
            | Self::NotPermitted
            | Self::Lag
            | Self::SelfConnect
            | Self::OtherError => State::Undecided,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_cause_is_never_closed_or_filtered() {
        for reason in [
            Reason::OutOfDescriptors,
            Reason::OutOfBuffers,
            Reason::OutOfPorts,
            Reason::NoRoute,
            Reason::NotPermitted,
            Reason::Lag,
            Reason::SelfConnect,
            Reason::OtherError,
        ] {
            assert_eq!(reason.state(), State::Undecided, "{reason}");
        }
    }
}
