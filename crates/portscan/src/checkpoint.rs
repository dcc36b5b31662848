//! The state of a stopped scan, from which it goes on.

use std::{net::IpAddr, time::Duration};

use crate::{
    Error, Event,
    event::Counts,
    plan::{Place, Plan},
};

/// All that a scan needs to go on where it stopped: what is scanned in which order, how far it came, and what had been
/// found but not yet taken from the stream.
///
/// It does not hold what the stream has already given; keep that in a [`Report`](crate::Report).
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Checkpoint {
    pub(crate) version: u32,
    pub(crate) plan: Plan,
    pub(crate) next_group: u64,
    pub(crate) groups: Vec<GroupMark>,
    /// Probes that were under way.
    pub(crate) pending: Vec<Place>,
    pub(crate) hosts: Vec<HostMark>,
    /// Open ports whose service was being asked.
    pub(crate) services: Vec<(IpAddr, u16)>,
    pub(crate) unseen: Vec<Event>,
    pub(crate) counts: Counts,
    pub(crate) total: u64,
    pub(crate) hosts_done: u64,
    pub(crate) elapsed: Duration,
}

/// How far a group is.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct GroupMark {
    pub(crate) number: u64,
    /// The position of the next probe; `None` while the members were still being discovered, which begins again.
    pub(crate) next: Option<u32>,
    pub(crate) live: Option<Vec<u16>>,
}

/// How far a member of a group is.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct HostMark {
    pub(crate) group: u64,
    pub(crate) member: usize,
    /// `None` when it is done.
    pub(crate) addr: Option<IpAddr>,
    pub(crate) counts: [u32; 4],
    pub(crate) answered: bool,
}

impl Checkpoint {
    pub(crate) const VERSION: u32 = 1;

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.groups.is_empty() && self.next_group >= self.plan.groups() && self.unseen.is_empty()
    }

    /// Ports decided, and ports in all.
    #[must_use]
    pub fn position(&self) -> (u64, u64) {
        (self.counts.total(), self.total)
    }

    /// Refuses numbers that could not come from a scan: everything here is an index or a count of something there.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let plan = &self.plan;
        let problem = if self.version != Self::VERSION {
            "it is of another version"
        } else if plan.shards == 0 || plan.shard == 0 || plan.shard > plan.shards {
            "its shard does not exist"
        } else if plan.ports.is_empty() {
            "it has no ports"
        } else if plan.addresses.check().is_err() {
            "its addresses are out of order"
        } else if self.next_group > plan.groups()
            || self.hosts_done > plan.addresses.len()
            || self.counts.total() > plan.addresses.len().saturating_mul(1 << 16)
        {
            "its position lies outside the scan"
        } else if self.groups.len() > 2 || !self.groups.iter().all(|mark| self.fits(mark)) {
            "a group has members that do not exist"
        } else if !self.hosts.iter().all(|mark| self.has(mark)) {
            "an address does not exist, or has more verdicts than ports"
        } else {
            return Ok(());
        };
        Err(Error::Checkpoint { problem })
    }

    /// Whether a group has begun, and its live members are some of its members, each once.
    fn fits(&self, mark: &GroupMark) -> bool {
        let size = self.plan.group_size(mark.number);
        let same = self
            .groups
            .iter()
            .filter(|other| other.number == mark.number);
        mark.number < self.next_group
            && same.count() == 1
            && mark.live.as_ref().is_none_or(|live| {
                live.iter().all(|&member| usize::from(member) < size)
                    && live.windows(2).all(|pair| pair[0] < pair[1])
            })
    }

    fn has(&self, mark: &HostMark) -> bool {
        let verdicts: u64 = mark.counts.iter().map(|&count| u64::from(count)).sum();
        mark.member < self.plan.group_size(mark.group) && verdicts <= self.plan.ports.len() as u64
    }

    /// Writes the checkpoint as JSON.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Document`] for other JSON, [`Error::Checkpoint`] for numbers that contradict each other.
    #[cfg(feature = "json")]
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let checkpoint: Self = serde_json::from_str(json).map_err(|source| Error::Document {
            what: "checkpoint",
            source,
        })?;
        checkpoint.check()?;
        Ok(checkpoint)
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use super::*;
    use crate::Scanner;

    #[tokio::test]
    async fn numbers_that_contradict_each_other_are_refused() {
        let scanner = Scanner::new("127.0.0.1-3", "1-9").unwrap();
        let whole = scanner.start().await.unwrap().checkpoint().to_json();
        let mut value: serde_json::Value = serde_json::from_str(&whole).unwrap();
        value["next_group"] = 1.into();
        value["groups"] = serde_json::json!([{ "number": 0, "next": 5, "live": [0, 2] }]);
        assert!(Checkpoint::from_json(&value.to_string()).is_ok());
        let mark = |member: u32, counts: u32| serde_json::json!([{ "group": 0, "member": member, "addr": null, "counts": [counts, 0, 0, 0], "answered": true }]);
        for (place, wrong, message) in [
            ("/version", 2.into(), "it is of another version"),
            ("/plan/shard", 2.into(), "its shard does not exist"),
            (
                "/plan/addresses/parts/0/start",
                1.into(),
                "its addresses are out of order",
            ),
            (
                "/next_group",
                2.into(),
                "its position lies outside the scan",
            ),
            (
                "/groups/0/number",
                1.into(),
                "a group has members that do not exist",
            ),
            (
                "/groups/0/live/1",
                3.into(),
                "a group has members that do not exist",
            ),
            (
                "/groups/0/live/1",
                0.into(),
                "a group has members that do not exist",
            ),
            (
                "/hosts",
                mark(3, 1),
                "an address does not exist, or has more verdicts than ports",
            ),
            (
                "/hosts",
                mark(2, 10),
                "an address does not exist, or has more verdicts than ports",
            ),
        ] {
            let mut value = value.clone();
            *value.pointer_mut(place).unwrap() = wrong;
            let error = Checkpoint::from_json(&value.to_string()).unwrap_err();
            let expected = format!("the checkpoint is damaged: {message}");
            assert_eq!(error.to_string(), expected, "{place}");
        }
    }
}
