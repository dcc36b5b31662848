//! Sets of addresses as sorted ranges, and the blocks that a scan walks through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses from `first` to `last`, both included, of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Block {
    pub(crate) first: IpAddr,
    pub(crate) last: IpAddr,
}

impl Block {
    pub(crate) fn one(addr: IpAddr) -> Self {
        Self {
            first: addr,
            last: addr,
        }
    }

    /// The number of addresses; `None` for more than `u64` can count.
    pub(crate) fn len(&self) -> Option<u64> {
        let span = number(self.last) - number(self.first);
        u64::try_from(span).ok()?.checked_add(1)
    }

    /// The address at `index`, which is less than `len`.
    pub(crate) fn get(&self, index: u64) -> IpAddr {
        address(number(self.first) + u128::from(index), self.first.is_ipv4())
    }

    /// What is left of this block without `hole`: nothing, one block or two.
    fn without(self, hole: Self) -> [Option<Self>; 2] {
        let v4 = self.first.is_ipv4();
        if v4 != hole.first.is_ipv4() || hole.last < self.first || hole.first > self.last {
            return [Some(self), None];
        }
        let before = (self.first < hole.first).then(|| Self {
            first: self.first,
            last: address(number(hole.first) - 1, v4),
        });
        let after = (hole.last < self.last).then(|| Self {
            first: address(number(hole.last) + 1, v4),
            last: self.last,
        });
        [before, after]
    }
}

fn number(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => addr.to_bits().into(),
        IpAddr::V6(addr) => addr.to_bits(),
    }
}

fn address(number: u128, v4: bool) -> IpAddr {
    if v4 {
        #[expect(clippy::cast_possible_truncation, reason = "came from an IPv4 address")]
        return Ipv4Addr::from_bits(number as u32).into();
    }
    Ipv6Addr::from_bits(number).into()
}

/// A set of addresses: sorted blocks that do not overlap, so membership is a binary search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RangeSet {
    blocks: Vec<Block>,
}

impl RangeSet {
    pub(crate) fn contains(&self, addr: IpAddr) -> bool {
        let after = self.blocks.partition_point(|b| b.first <= addr);
        after > 0 && addr <= self.blocks[after - 1].last
    }

    /// Adds a block and returns the parts of it that were not in the set, in order.
    pub(crate) fn insert(&mut self, block: Block) -> Vec<Block> {
        // IPv4 sorts before IPv6, so both families live in one list.
        let from = self.blocks.partition_point(|b| b.last < block.first);
        let to = self.blocks.partition_point(|b| b.first <= block.last);
        let fresh = subtract(block, &self.blocks[from..to]);
        let merged = self.blocks[from..to].iter().fold(block, |all, b| Block {
            first: all.first.min(b.first),
            last: all.last.max(b.last),
        });
        self.blocks.splice(from..to, [merged]);
        fresh
    }

    pub(crate) fn into_blocks(self) -> Vec<Block> {
        self.blocks
    }

    /// The first address of a block that is in the set.
    pub(crate) fn first_of(&self, block: Block) -> Option<IpAddr> {
        let at = self.blocks.partition_point(|b| b.last < block.first);
        let found = self.blocks.get(at).filter(|b| b.first <= block.last)?;
        Some(found.first.max(block.first))
    }

    /// The parts of a block that are not in the set, in order.
    pub(crate) fn missing(&self, block: Block) -> Vec<Block> {
        let from = self.blocks.partition_point(|b| b.last < block.first);
        let to = self.blocks.partition_point(|b| b.first <= block.last);
        subtract(block, &self.blocks[from..to])
    }
}

impl FromIterator<Block> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Block>>(blocks: I) -> Self {
        let mut set = Self::default();
        for block in blocks {
            set.insert(block);
        }
        set
    }
}

/// `block` without sorted `holes`.
fn subtract(block: Block, holes: &[Block]) -> Vec<Block> {
    let mut parts = Vec::new();
    let mut rest = Some(block);
    for &hole in holes {
        let Some(block) = rest else { break };
        match block.without(hole) {
            [before, Some(after)] => {
                parts.extend(before);
                rest = Some(after);
            }
            // Nothing behind the hole: what is before it ends the block, or the hole lay elsewhere.
            [before, None] => rest = before,
        }
    }
    parts.extend(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first: &str, last: &str) -> Block {
        Block {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
        }
    }

    #[test]
    fn inserting_returns_only_what_is_new() {
        let mut set = RangeSet::default();
        set.insert(block("10.0.0.5", "10.0.0.9"));
        set.insert(block("10.0.0.20", "10.0.0.29"));
        let fresh = set.insert(block("10.0.0.0", "10.0.0.31"));
        assert_eq!(
            fresh,
            [
                block("10.0.0.0", "10.0.0.4"),
                block("10.0.0.10", "10.0.0.19"),
                block("10.0.0.30", "10.0.0.31")
            ]
        );
        assert_eq!(set.insert(block("10.0.0.7", "10.0.0.8")), []);
        assert_eq!(set.blocks, [block("10.0.0.0", "10.0.0.31")]);
    }

    #[test]
    fn a_set_holds_both_families_to_their_last_address() {
        let set: RangeSet = [
            block("0.0.0.0", "255.255.255.255"),
            block("ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ]
        .into_iter()
        .collect();
        assert!(set.contains("255.255.255.255".parse().unwrap()));
        assert!(set.contains("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap()));
        assert!(!set.contains("::".parse().unwrap()));
    }

    #[test]
    fn a_block_beyond_u64_has_no_length() {
        assert_eq!(
            block("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").len(),
            None
        );
        assert_eq!(block("2001:db8::", "2001:db8::ff").len(), Some(256));
    }
}
