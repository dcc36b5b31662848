//! What a scan would do, without doing it.

use std::time::Duration;

/// What a scan would do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DryRun {
    /// Names without an address, with the reason.
    pub unresolved: Vec<(String, String)>,
    /// Addresses.
    pub addresses: u64,
    /// Ports of each address.
    pub ports: usize,
    /// Ports to decide, all addresses together (of this shard).
    pub probes: u64,
    /// Packets that this machine sends if every port answers at once and is closed.
    pub packets_least: u64,
    /// Packets that this machine sends if everything that can be lost is lost, and every port is open.
    pub packets_most: u64,
    /// The time that the rate alone asks for.
    pub least: Duration,
    /// Probes a second at most.
    pub rate: Option<u32>,
}

impl std::fmt::Display for DryRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, error) in &self.unresolved {
            writeln!(f, "not resolved: {name} ({error})")?;
        }
        writeln!(
            f,
            "{} addresses x {} ports: {} probes",
            self.addresses, self.ports, self.probes
        )?;
        writeln!(f, "{} to {} packets", self.packets_least, self.packets_most)?;
        match self.rate {
            Some(rate) => write!(
                f,
                "at most {rate} probes a second, so {} s or more",
                self.least.as_secs()
            ),
            None => write!(f, "no limit on the rate"),
        }
    }
}
