//! The names and zones that addresses were given with, known from the start: a report of half a scan has them too.

use std::{net::IpAddr, sync::Arc};

use crate::{Addresses, target::Block};

/// Blocks of addresses with their name or zone, in ascending order; they do not overlap.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    blocks: Arc<[(Block, Words)]>,
}

/// A name and a zone.
type Words = (Option<Box<str>>, Option<Box<str>>);

impl Given {
    pub(super) fn of(addresses: &Addresses) -> Self {
        let mut blocks: Vec<(Block, Words)> = addresses
            .given()
            .map(|(block, name, zone)| (block, (name.map(Box::from), zone.map(Box::from))))
            .collect();
        blocks.sort_by_key(|(block, _)| block.first);
        Self {
            blocks: blocks.into(),
        }
    }

    fn find(&self, addr: IpAddr) -> Option<&Words> {
        let after = self
            .blocks
            .partition_point(|(block, _)| block.first <= addr);
        let (block, words) = self.blocks[..after].last()?;
        (addr <= block.last).then_some(words)
    }

    pub(super) fn name(&self, addr: IpAddr) -> Option<&str> {
        self.find(addr)?.0.as_deref()
    }

    pub(super) fn zone(&self, addr: IpAddr) -> Option<&str> {
        self.find(addr)?.1.as_deref()
    }
}

/// What was given is no part of what was found, by which reports are compared.
impl PartialEq for Given {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Targets;

    #[tokio::test]
    async fn an_address_has_the_name_and_the_zone_it_was_given_with() {
        let targets: Targets = "10.0.0.0/24 localhost fe80::1-fe80::9%lo".parse().unwrap();
        let given = Given::of(&targets.resolve(false).await.unwrap());
        let name = |addr: &str| given.name(addr.parse().unwrap());
        let zone = |addr: &str| given.zone(addr.parse().unwrap());
        assert_eq!(
            (name("127.0.0.1"), zone("127.0.0.1")),
            (Some("localhost"), None)
        );
        assert_eq!((name("fe80::9"), zone("fe80::9")), (None, Some("lo")));
        assert_eq!((name("10.0.0.1"), zone("fe80::a")), (None, None));
    }
}
