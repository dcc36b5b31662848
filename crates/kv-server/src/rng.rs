//! Random choices (SPOP, RANDOMKEY, ...) from a seed, so that a test can repeat them.

/// [SplitMix64](https://doi.org/10.1145/2714064.2660195): small, fast, and good enough to pick members; not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 40 hexadecimal digits, as servers call themselves.
    pub(crate) fn hex_id(&mut self) -> String {
        let (a, b, c) = (self.next(), self.next(), self.next() >> 32);
        format!("{a:016x}{b:016x}{c:08x}")
    }

    /// Below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next()) * (bound as u128);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// Brings `count` randomly chosen elements to the front, in random order.
    pub(crate) fn choose<T>(&mut self, elements: &mut [T], count: usize) {
        for at in 0..count.min(elements.len()) {
            elements.swap(at, at + self.below(elements.len() - at));
        }
    }
}
