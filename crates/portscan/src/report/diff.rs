//! What changed between two reports.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use super::{HostReport, Report};
use crate::State;

/// One port whose state is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Change {
    /// The address.
    pub addr: IpAddr,
    /// The port.
    pub port: u16,
    /// What it was; `None` if the earlier scan did not decide it.
    pub before: Option<State>,
    /// What it is; `None` if the later scan did not decide it.
    pub after: Option<State>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |state: Option<State>| state.map_or("not scanned", State::as_str);
        write!(
            f,
            "{} port {}: {} -> {}",
            self.addr,
            self.port,
            name(self.before),
            name(self.after)
        )
    }
}

/// The changes from an earlier report to a later one, sorted by address and port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Diff {
    /// The changes.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The ports that are open and were not, or were not scanned.
    pub fn opened(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(|change| change.after == Some(State::Open))
    }

    /// The ports that were open and are not, or were not scanned again.
    pub fn no_longer_open(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(|change| change.before == Some(State::Open))
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changed");
        }
        self.changes
            .iter()
            .try_for_each(|change| writeln!(f, "{change}"))
    }
}

impl Report {
    /// What changed since an earlier report.
    ///
    /// A port that only one of them has counts if it is open there; one that either could not decide does not count.
    #[must_use]
    pub fn changes_since(&self, earlier: &Self) -> Diff {
        let addrs: BTreeSet<IpAddr> = self
            .hosts
            .iter()
            .chain(earlier.hosts.iter())
            .map(HostReport::addr)
            .collect();
        let mut changes = Vec::new();
        for addr in addrs {
            let states = |report: &Self| report.host(addr).map(HostReport::states);
            let before = states(earlier).unwrap_or_default();
            let after = states(self).unwrap_or_default();
            let ports: BTreeSet<u16> = before.keys().chain(after.keys()).copied().collect();
            let each = ports.into_iter().map(|port| Change {
                addr,
                port,
                before: before.get(&port).copied(),
                after: after.get(&port).copied(),
            });
            changes.extend(each.filter(|&change| is_change(change)));
        }
        Diff { changes }
    }
}

fn is_change(change: Change) -> bool {
    match (change.before, change.after) {
        (Some(State::Undecided), _) | (_, Some(State::Undecided)) => false,
        (Some(before), Some(after)) => before != after,
        (Some(only), None) | (None, Some(only)) => only == State::Open,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::Reason;

    fn report(ports: &[(u16, Reason)]) -> Report {
        let mut report = Report::new(sample::header());
        for &(port, reason) in ports {
            report.record(&sample::verdict("192.0.2.1", port, reason));
        }
        report
    }

    #[test]
    fn only_what_is_known_to_have_changed_counts() {
        use Reason::{ConnRefused, Lag, NoResponse, Reset, SynAck};
        let before = report(&[
            (1, SynAck),
            (2, SynAck),
            (3, ConnRefused),
            (4, NoResponse),
            (5, Lag),
            (6, SynAck),
            (7, Reset),
        ]);
        let after = report(&[
            (1, SynAck),
            (2, Reset),
            (3, SynAck),
            (4, NoResponse),
            (5, SynAck),
            (7, ConnRefused),
            (8, Reset),
        ]);
        let diff = after.changes_since(&before);
        assert_eq!(
            diff.to_string(),
            "192.0.2.1 port 2: open -> closed\n192.0.2.1 port 3: closed -> open\n192.0.2.1 port 6: open -> not scanned\n"
        );
        assert_eq!(
            diff.opened().map(|change| change.port).collect::<Vec<_>>(),
            [3]
        );
        assert_eq!(
            diff.no_longer_open()
                .map(|change| change.port)
                .collect::<Vec<_>>(),
            [2, 6]
        );
        assert!(after.changes_since(&after).is_empty());
    }
}
