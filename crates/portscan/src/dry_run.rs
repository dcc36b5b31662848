//! What a scan would do, without doing it.

use std::time::Duration;

use crate::{
    Retries, Technique,
    engine::Settings,
    pace::{self, Loss},
};

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
    /// About the time that the scan takes if nothing answers: until something does, every silence is waited out.
    pub silent: Duration,
    /// Probes a second at most.
    pub rate: Option<u32>,
}

impl DryRun {
    pub(crate) fn of(settings: &Settings, technique: Technique) -> Self {
        let Settings { plan, rate, .. } = settings;
        let probes = plan.probes();
        let hosts = plan.addresses.len();
        let questions = hosts.saturating_mul(settings.discovery.len() as u64);
        let most_tries = match settings.retries {
            Retries::Adaptive { max } => u64::from(max) + 1,
            Retries::Fixed(count) => u64::from(count) + 1,
        };
        let decoys = hosts.saturating_mul(settings.decoys.into());
        let at_rate = |probes: u64| rate.map_or(0, |rate| probes / u64::from(rate));
        Self {
            unresolved: plan.addresses.unresolved().to_vec(),
            addresses: hosts,
            ports: plan.ports.len(),
            probes,
            // A SYN and a RST for a closed port; an open one takes SYN, ACK and FIN of ours.
            packets_least: probes.saturating_add(questions),
            packets_most: probes
                .saturating_add(questions)
                .saturating_add(decoys)
                .saturating_mul(most_tries)
                .saturating_mul(3),
            least: Duration::from_secs(at_rate(probes)),
            silent: {
                // Who answers no question of the discovery is asked nothing more.
                let asked = if questions > 0 { questions } else { probes };
                let connect = technique == Technique::Connect;
                let tries = pace::tries(settings.retries, Loss::default(), asked, false, connect);
                let window = settings.max_in_flight.min(pace::FIRST_WINDOW) as u64;
                let rounds = asked.div_ceil(window).saturating_mul(tries.into());
                let waits = u32::try_from(rounds).unwrap_or(u32::MAX);
                let waited = settings.timeout.saturating_mul(waits);
                waited.max(Duration::from_secs(at_rate(asked)))
            },
            rate: *rate,
        }
    }
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
            Some(rate) => write!(f, "at most {rate} probes a second: {} s", secs(self.least))?,
            None => write!(f, "no limit on the rate: as fast as answers come")?,
        }
        write!(f, "; about {} s if nothing answers", secs(self.silent))
    }
}

/// Seconds, rounded up.
fn secs(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
