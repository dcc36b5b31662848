//! The keyed hash that places entries: SipHash-1-3 over one slice.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// The secret key of the hash. Clients choose keys and see the table's order through SCAN, so the hash has to
/// withstand somebody who does both; SipHash is made for that. Foldhash, which is not, would save 3 to 7 ns for keys of
/// 8 to 32 bytes, of some 400 ns that a lookup takes in a table of a million.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed {
    k0: u64,
    k1: u64,
}

impl Seed {
    /// A fixed seed, for tests that need the same order every time.
    pub(crate) const fn new(k0: u64, k1: u64) -> Self {
        Self { k0, k1 }
    }

    /// The seed of this process: drawn from the operating system once, then the same for every table, so that a
    /// hash computed for one table is good for all.
    pub(crate) fn of_process() -> Self {
        static SEED: OnceLock<Seed> = OnceLock::new();
        *SEED.get_or_init(|| {
            let random = RandomState::new();
            Self::new(random.hash_one(0_u8), random.hash_one(1_u8))
        })
    }

    /// SipHash-1-3 of `bytes`.
    ///
    /// The hashers of `std` compute the same function, but through a streaming interface that costs more than the
    /// hashing for short keys, and cannot be seeded.
    #[inline]
    pub(crate) fn hash(self, bytes: &[u8]) -> u64 {
        let mut state = State {
            v0: self.k0 ^ 0x736f_6d65_7073_6575,
            v1: self.k1 ^ 0x646f_7261_6e64_6f6d,
            v2: self.k0 ^ 0x6c79_6765_6e65_7261,
            v3: self.k1 ^ 0x7465_6462_7974_6573,
        };
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            state.absorb(read(word));
        }
        // The last word holds the bytes left over and, on top, the length modulo 256.
        state.absorb(read_tail(words.remainder()) | (bytes.len() as u64) << 56);
        state.v2 ^= 0xff;
        state.round();
        state.round();
        state.round();
        state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    }
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    #[inline(always)]
    fn absorb(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }

    #[inline(always)]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.rotate_left(32);
    }
}

/// Little-endian, of exactly eight bytes.
#[inline(always)]
fn read(word: &[u8]) -> u64 {
    word.try_into().map_or(0, u64::from_le_bytes)
}

/// Little-endian, of up to seven bytes; reads overlapping halves rather than byte by byte.
#[inline(always)]
fn read_tail(tail: &[u8]) -> u64 {
    let len = tail.len();
    if let (Some(first), Some(last)) = (tail.first_chunk::<4>(), tail.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*first))
            | u64::from(u32::from_le_bytes(*last)) << ((len - 4) * 8)
    } else if let (Some(first), Some(last)) = (tail.first(), tail.last()) {
        u64::from(*first)
            | u64::from(tail[len / 2]) << (len / 2 * 8)
            | u64::from(*last) << ((len - 1) * 8)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_siphash_1_3_of_std_at_every_length() {
        use std::hash::Hasher as _;
        let bytes: Vec<u8> = (0..64_u8)
            .map(|n| n.wrapping_mul(151).wrapping_add(7))
            .collect();
        for len in 0..=bytes.len() {
            // `DefaultHasher::new` is SipHash-1-3 with a key of zeros.
            let mut std = std::hash::DefaultHasher::new();
            std.write(&bytes[..len]);
            assert_eq!(
                Seed::new(0, 0).hash(&bytes[..len]),
                std.finish(),
                "{len} bytes"
            );
        }
    }

    #[test]
    fn another_seed_gives_another_hash() {
        assert_ne!(Seed::new(1, 0).hash(b"key"), Seed::new(0, 0).hash(b"key"));
        assert_ne!(Seed::new(0, 1).hash(b"key"), Seed::new(0, 0).hash(b"key"));
    }
}
