//! What can keep a scan from being started or a report from being written.

use std::{io, net::IpAddr};

use crate::{ports::PortsError, target::TargetError};

/// The errors of this crate. What happens to a single port is a [`Verdict`](crate::Verdict), never an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A target expression cannot be understood.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A port expression cannot be understood.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// The list of targets is empty, or everything in it is left out again.
    #[error("no target is left to scan")]
    NoTargets,
    /// The list of ports is empty, or everything in it is left out again.
    #[error("no port is left to scan")]
    NoPorts,
    /// The targets have more addresses than one scan can count.
    #[error("more than {max} addresses")]
    TooManyAddresses {
        /// The limit.
        max: u64,
    },
    /// The targets and exclusions fall into more pieces than one scan can hold.
    #[error("more than {max} separate address ranges")]
    TooManyRanges {
        /// The limit.
        max: usize,
    },
    /// A target lies outside what may be scanned.
    #[error("{addr} lies outside the scope {scope}")]
    OutOfScope {
        /// The first such address.
        addr: IpAddr,
        /// The scope as it was written.
        scope: String,
    },
    /// A host name in a scope; a name can change its address.
    #[error("a scope is made of addresses; {name:?} is a name")]
    NameInScope {
        /// The name.
        name: String,
    },
    /// A zone in a scope; the interface of that name may be another one tomorrow.
    #[error("a scope is made of addresses; {target:?} has a zone")]
    ZoneInScope {
        /// The target.
        target: String,
    },
    /// A link-local address without its zone: this machine cannot know behind which interface it is.
    #[error("{addr} is link-local and needs its zone, as in {addr}%eth0")]
    NoZone {
        /// The address.
        addr: IpAddr,
    },
    /// The same link-local address in two zones. They may be two machines, and a report has one entry for each address.
    #[error("{addr} is asked for in two zones; scan them one after the other")]
    TwoZones {
        /// The first address that is in both.
        addr: IpAddr,
    },
    /// The zone of a scan that is to go on has no interface any more.
    #[error("the zone {zone:?} cannot be looked up")]
    Zone {
        /// The zone.
        zone: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A shard that does not exist.
    #[error("there is no shard {shard} of {shards}; the first is 1, the last {shards}")]
    Shard {
        /// The shard asked for.
        shard: u32,
        /// The number of shards.
        shards: u32,
    },
    /// A setting outside its limits.
    #[error("{name} {value} is outside {min} to {max}")]
    Setting {
        /// The name of the setting.
        name: &'static str,
        /// The value given.
        value: u64,
        /// The least allowed.
        min: u64,
        /// The most allowed.
        max: u64,
    },
    /// Raw sockets are refused, so the SYN technique cannot be used.
    #[error("raw sockets are refused (the SYN technique needs root or CAP_NET_RAW)")]
    RawSocket {
        /// The system's answer.
        source: io::Error,
    },
    /// The system refused something that the scan needs before its first probe.
    #[error("{what} failed")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("reading {what} failed")]
    Read {
        /// The file's name.
        what: String,
        /// The cause.
        source: io::Error,
    },
    /// A report could not be written.
    #[error("writing the report as {format} failed")]
    Write {
        /// The format.
        format: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A document is not a report or a checkpoint of this crate.
    #[cfg(feature = "json")]
    #[error("this is not a {what}")]
    Document {
        /// What was expected.
        what: &'static str,
        /// The cause.
        source: serde_json::Error,
    },
    /// A checkpoint whose numbers contradict each other.
    #[error("the checkpoint is damaged: {problem}")]
    Checkpoint {
        /// What does not fit.
        problem: &'static str,
    },
}
