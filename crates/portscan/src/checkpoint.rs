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

    /// Refuses numbers that could not come from a scan.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let plan = &self.plan;
        let problem = if self.version != Self::VERSION {
            "it is of another version"
        } else if plan.shards == 0 || plan.shard == 0 || plan.shard > plan.shards {
            "its shard does not exist"
        } else if plan.addresses.check().is_err() {
            "its addresses are out of order"
        } else if self.next_group > plan.groups()
            || self.groups.len() > 2
            || self
                .groups
                .iter()
                .any(|group| group.number >= self.next_group)
        {
            "its position lies outside the scan"
        } else if self
            .groups
            .iter()
            .flat_map(|group| group.live.iter().flatten())
            .any(|&m| m >= 1024)
        {
            "a group has more members than there can be"
        } else {
            return Ok(());
        };
        Err(Error::Checkpoint { problem })
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
