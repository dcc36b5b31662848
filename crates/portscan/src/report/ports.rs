//! What a report keeps of the ports of an address.

use std::borrow::Cow;

use crate::{Reason, State};

/// One port: eight bytes beside its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// `u32::MAX` for none.
    rtt_us: u32,
    /// 0 for none.
    errno: u16,
    /// Says the state too.
    pub(super) reason: Reason,
    pub(super) tries: u8,
}

impl Kept {
    pub(super) fn new(reason: Reason, tries: u8, errno: Option<i32>, rtt_us: Option<u32>) -> Self {
        Self {
            rtt_us: rtt_us.unwrap_or(u32::MAX),
            errno: errno.map_or(0, |errno| u16::try_from(errno).unwrap_or(u16::MAX)),
            reason,
            tries,
        }
    }

    pub(super) fn state(self) -> State {
        self.reason.state()
    }

    pub(super) fn errno(self) -> Option<i32> {
        (self.errno > 0).then_some(self.errno.into())
    }

    pub(super) fn rtt_us(self) -> Option<u32> {
        (self.rtt_us < u32::MAX).then_some(self.rtt_us)
    }
}

/// The ports of an address, as they came: sorted now and then, and when they are asked for.
///
/// Verdicts come in random order, a tree would look for the place of each, and those of a large scan do not fit into the
/// processor's caches.
#[derive(Debug, Clone, Default)]
pub(super) struct PortTable {
    entries: Vec<(u16, Kept)>,
    /// So many are in ascending order, each port once; the rest are as they came.
    sorted: usize,
}

impl PortTable {
    /// Adds a port, or replaces what is kept of it.
    pub(super) fn insert(&mut self, port: u16, kept: Kept) {
        self.entries.push((port, kept));
        if self.entries.len() - self.sorted > self.sorted.max(UNSORTED) {
            self.sort();
        }
    }

    /// Brings all ports in order; of those that came twice the last one stays.
    fn sort(&mut self) {
        // It is stable, and takes the part that is in order as one run.
        self.entries.sort_by_key(|&(port, _)| port);
        self.entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                *kept = *later;
            }
            same
        });
        self.sorted = self.entries.len();
    }

    /// Brings all ports in order and gives back what memory is not needed: nothing more is expected.
    pub(super) fn settle(&mut self) {
        self.sort();
        self.entries.shrink_to_fit();
    }

    /// The ports in ascending order.
    pub(super) fn ordered(&self) -> Cow<'_, [(u16, Kept)]> {
        if self.sorted == self.entries.len() {
            return Cow::Borrowed(&self.entries);
        }
        let mut copy = self.clone();
        copy.sort();
        Cow::Owned(copy.entries)
    }

    pub(super) fn get(&self, port: u16) -> Option<Kept> {
        let (sorted, rest) = self.entries.split_at(self.sorted);
        // The last is what is usually asked for.
        let recent = rest.iter().rev().find(|entry| entry.0 == port);
        let found = recent.or_else(|| {
            let at = sorted.binary_search_by_key(&port, |entry| entry.0).ok()?;
            sorted.get(at)
        });
        found.map(|entry| entry.1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl PartialEq for PortTable {
    fn eq(&self, other: &Self) -> bool {
        self.ordered() == other.ordered()
    }
}

impl Eq for PortTable {}

impl FromIterator<(u16, Kept)> for PortTable {
    fn from_iter<I: IntoIterator<Item = (u16, Kept)>>(entries: I) -> Self {
        let mut table = Self {
            entries: entries.into_iter().collect(),
            sorted: 0,
        };
        table.settle();
        table
    }
}

/// Ports that may be out of order, however few there are.
const UNSORTED: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_port_takes_eight_bytes_and_loses_nothing() {
        assert_eq!(size_of::<Kept>(), 8);
        for (errno, rtt_us) in [(Some(111), Some(7)), (None, None), (Some(1), Some(0))] {
            let kept = Kept::new(Reason::ConnRefused, 3, errno, rtt_us);
            assert_eq!((kept.errno(), kept.rtt_us()), (errno, rtt_us));
            assert_eq!((kept.state(), kept.tries), (State::Closed, 3));
        }
    }

    proptest! {
        #[test]
        fn it_is_a_map_in_ascending_order(entries in proptest::collection::vec((0_u16..300, 0_u8..9), 0..600)) {
            let (mut table, mut map) = (PortTable::default(), BTreeMap::new());
            for &(port, tries) in &entries {
                let kept = Kept::new(Reason::SynAck, tries, None, None);
                table.insert(port, kept);
                map.insert(port, kept);
                prop_assert_eq!(table.get(port), Some(kept));
            }
            let expected: Vec<_> = map.clone().into_iter().collect();
            prop_assert_eq!(&table.ordered()[..], &expected[..]);
            prop_assert!((0..300).all(|port| table.get(port) == map.get(&port).copied()));
            prop_assert_eq!(&table, &entries.iter().map(|&(port, tries)| (port, Kept::new(Reason::SynAck, tries, None, None))).collect::<PortTable>());
            table.settle();
            prop_assert_eq!(&table.ordered()[..], &expected[..]);
        }
    }
}
