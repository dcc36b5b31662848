//! The order of the probes: a permutation that needs no table, so that any position can be computed and resumed.

/// A permutation of `0..len`, chosen by a key.
///
/// A Feistel network over the smallest even number of bits that holds `len`; a result beyond `len` is put through again until
/// it falls inside ("cycle walking"), at most four times on average.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permutation {
    len: u32,
    half_bits: u32,
    key: u64,
}

impl Permutation {
    pub(crate) fn new(len: u32, key: u64) -> Self {
        let bits = u32::BITS - len.saturating_sub(1).leading_zeros();
        Self {
            len,
            half_bits: bits.div_ceil(2).max(1),
            key,
        }
    }

    /// The value at a position, which is less than `len`.
    pub(crate) fn get(&self, position: u32) -> u32 {
        debug_assert!(position < self.len);
        let mut value = position;
        loop {
            value = self.encrypt(value);
            if value < self.len {
                return value;
            }
        }
    }

    fn encrypt(&self, value: u32) -> u32 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for round in 0..ROUNDS {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the low bits of a hash are wanted"
            )]
            let f = mix(self.key ^ (u64::from(right) << 8) ^ round) as u32 & mask;
            (left, right) = (right, left ^ f);
        }
        (left << self.half_bits) | right
    }
}

/// Enough that neighbours land far apart; this is no cipher.
const ROUNDS: u64 = 4;

/// A hash of a number (the finaliser of splitmix64).
pub(crate) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_exactly_once() {
        for len in [1, 2, 3, 5, 17, 1000, 65_535, 65_536, 65_537] {
            let order = Permutation::new(len, 42);
            let mut seen = vec![false; len as usize];
            for position in 0..len {
                let value = order.get(position) as usize;
                assert!(!seen[value], "{value} twice of {len}");
                seen[value] = true;
            }
        }
    }

    #[test]
    fn a_key_gives_one_order_and_another_key_another() {
        let order = |key| {
            (0..1000)
                .map(|i| Permutation::new(1000, key).get(i))
                .collect::<Vec<_>>()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let in_place = order(3)
            .iter()
            .enumerate()
            .filter(|&(i, &v)| i == v as usize)
            .count();
        assert!(in_place < 20, "{in_place} of 1000 did not move");
    }

    #[test]
    fn the_largest_group_fits() {
        let len = u32::MAX;
        let order = Permutation::new(len, 7);
        assert!(order.get(len - 1) < len);
    }
}
