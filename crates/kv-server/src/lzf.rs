//! LZF, the compression of long strings in RDB files and of the inner parts of lists: literal runs and back references within 8 KiB.
//!
//! A control byte below 32 announces that many literal bytes, plus one. Otherwise its upper three bits are a length
//! minus two (7: a byte to add follows), its lower five bits and the next byte the distance minus one.

/// Compresses strings one after another, reusing its table.
#[derive(Debug)]
pub(crate) struct Compressor {
    /// For each hash of three bytes, `base` plus the last position that had it. Entries below `base` belong to earlier
    /// inputs, so nothing is cleared between two inputs.
    table: Box<[u32]>,
    base: u32,
}

impl Compressor {
    pub(crate) fn new() -> Self {
        Self {
            table: vec![0; 1 << HASH_BITS].into_boxed_slice(),
            base: 1,
        }
    }

    /// Replaces `out` by the compressed `input`; `false` if that saves less than five bytes, as Redis decides.
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        let Some(max) = input.len().checked_sub(4) else {
            return false;
        };
        let Ok(len) = u32::try_from(input.len()) else {
            return false; // Redis reads the lengths of a compressed string into 32 bits
        };
        if self.base.checked_add(len).is_none() {
            self.table.fill(0);
            self.base = 1;
        }
        let compressed = self.pieces(input, out, max);
        // Restarting at the next call is right even where this addition would overflow.
        self.base = self.base.saturating_add(len);
        compressed
    }

    fn pieces(&mut self, input: &[u8], out: &mut Vec<u8>, max: usize) -> bool {
        let mut literals = 0; // where the bytes not yet written begin
        let mut at = 0;
        while let Some(window) = input.get(at..).and_then(<[u8]>::first_chunk) {
            let Some(start) = self.swap(*window, at, input) else {
                if out.len() + (at - literals) > max {
                    return false;
                }
                // The longer nothing was found, the longer the steps: random bytes pass quickly.
                at += 1 + ((at - literals) >> 5);
                continue;
            };
            let matched = common(&input[start..], &input[at..]);
            put_literals(&input[literals..at], out);
            put_reference(at - start, matched, out);
            if out.len() > max {
                return false;
            }
            at += matched;
            literals = at;
            // The end of the match is where the next repetition is likely to continue.
            if let Some(window) = input[at - 1..].first_chunk() {
                self.swap(*window, at - 1, input);
            }
        }
        put_literals(&input[literals..], out);
        out.len() <= max
    }

    /// Notes that `window` stands at `at`; returns where it stood before, if a reference can reach that far.
    fn swap(&mut self, window: [u8; 3], at: usize, input: &[u8]) -> Option<usize> {
        let position = self.base.checked_add(u32::try_from(at).ok()?)?;
        let known = std::mem::replace(&mut self.table[hash(window)], position);
        let start = usize::try_from(known.checked_sub(self.base)?).ok()?;
        (start < at && at - start <= MAX_DISTANCE && input[start..start + 3] == window)
            .then_some(start)
    }
}

/// Appends the `len` bytes that `input` decompresses to; `None`, with part of them appended, if it does not.
///
/// Reserves at most 88 bytes for each byte of input, whatever `len` says: no valid input holds more.
pub(crate) fn decompress(mut input: &[u8], len: usize, out: &mut Vec<u8>) -> Option<()> {
    if len / MAX_EXPANSION > input.len() {
        return None;
    }
    out.reserve(len);
    let start = out.len();
    let end = start + len;
    while let Some((control, rest)) = input.split_first() {
        let high = usize::from(control >> 5);
        let low = usize::from(control & 0x1f);
        if high == 0 {
            let (literals, rest) = rest.split_at_checked(low + 1)?;
            out.extend_from_slice(literals);
            input = rest;
        } else {
            let (more, rest) = if high == 7 {
                rest.split_first()?
            } else {
                (&0, rest)
            };
            let (distance, rest) = rest.split_first()?;
            let distance = (low << 8) + usize::from(*distance) + 1;
            repeat(out, start, distance, high + 2 + usize::from(*more))?;
            input = rest;
        }
        if out.len() > end {
            return None;
        }
    }
    (out.len() == end).then_some(())
}

/// Appends `len` bytes that begin `distance` bytes before the end of `out`, and not before `start`.
fn repeat(out: &mut Vec<u8>, start: usize, distance: usize, mut len: usize) -> Option<()> {
    let from = out
        .len()
        .checked_sub(distance)
        .filter(|from| *from >= start)?;
    // A reference may reach into what it writes: each round doubles what there is to copy.
    while len > 0 {
        let piece = len.min(out.len() - from);
        out.extend_from_within(from..from + piece);
        len -= piece;
    }
    Some(())
}

/// How many bytes `earlier` and `later` have in common at their start, at least the three compared already.
fn common(earlier: &[u8], later: &[u8]) -> usize {
    let most = later.len().min(MAX_MATCH);
    let pairs = earlier[3..].iter().zip(&later[3..most]);
    3 + pairs.take_while(|(a, b)| a == b).count()
}

fn put_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(MAX_LITERALS) {
        out.push(low_byte(run.len() - 1));
        out.extend_from_slice(run);
    }
}

fn put_reference(distance: usize, len: usize, out: &mut Vec<u8>) {
    let (distance, len) = (distance - 1, len - 2);
    if len < 7 {
        out.push(low_byte((len << 5) | (distance >> 8)));
    } else {
        out.push(low_byte((7 << 5) | (distance >> 8)));
        out.push(low_byte(len - 7));
    }
    out.push(low_byte(distance & 0xff));
}

/// Narrows a number that the bounds of this format keep below 256.
#[expect(
    clippy::cast_possible_truncation,
    reason = "callers stay below 256, see the constants"
)]
fn low_byte(number: usize) -> u8 {
    debug_assert!(number < 256, "{number} does not fit a byte");
    number as u8
}

fn hash(window: [u8; 3]) -> usize {
    let bytes = u32::from_le_bytes([window[0], window[1], window[2], 0]);
    (bytes.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

const HASH_BITS: u32 = 13;
const MAX_DISTANCE: usize = 1 << 13;
const MAX_LITERALS: usize = 1 << 5;
/// The longest reference: 2 + 7 + 255.
const MAX_MATCH: usize = 264;
/// What the longest reference, of three bytes, expands each of them to.
const MAX_EXPANSION: usize = MAX_MATCH / 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(input: &[u8]) -> Option<usize> {
        let mut compressed = Vec::new();
        if !Compressor::new().compress(input, &mut compressed) {
            return None;
        }
        let mut back = b"before".to_vec();
        decompress(&compressed, input.len(), &mut back).expect("our own output");
        assert_eq!(&back[6..], input);
        Some(compressed.len())
    }

    /// Bytes with repetitions near and far, and some without.
    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(b"ab".to_vec()),
            Just(b"a longer word".to_vec()),
            (any::<u8>(), 1..400_usize).prop_map(|(byte, len)| vec![byte; len]),
            proptest::collection::vec(any::<u8>(), 0..4),
        ]
    }

    #[test]
    fn repetitions_shrink_and_random_bytes_are_left_alone() {
        assert_eq!(
            round_trip(&[b'a'; 100]),
            Some(5),
            "one literal and one reference"
        );
        assert!(round_trip(&[b'a'; 10_000]) < Some(130));
        assert_eq!(round_trip(b"0123456789abcdefghijklmnopqrstuvwxyz"), None);
        assert_eq!(round_trip(b""), None);
        let far = [&b"abcdefgh"[..], &vec![0; 8_192 - 8], b"abcdefgh"].concat();
        assert!(
            round_trip(&far).is_some(),
            "a reference over the longest distance"
        );
    }

    #[test]
    fn an_old_table_does_not_leak_into_the_next_input() {
        let mut compressor = Compressor {
            base: u32::MAX - 50,
            ..Compressor::new()
        };
        let mut compressed = Vec::new();
        for round in 0..4_u8 {
            let input = [[round; 40], [b'x'; 40]].concat();
            assert!(compressor.compress(&input, &mut compressed));
            let mut back = Vec::new();
            assert_eq!(
                decompress(&compressed, 80, &mut back),
                Some(()),
                "round {round}"
            );
            assert_eq!(back, input);
        }
    }

    #[test]
    fn bad_input_is_refused() {
        let mut out = Vec::new();
        assert_eq!(
            decompress(b"\x02ab", 3, &mut out),
            None,
            "literals end early"
        );
        assert_eq!(
            decompress(b"\x00a\x20\x01", 4, &mut out),
            None,
            "a reference before the start"
        );
        assert_eq!(
            decompress(b"\x00a\xe0", 9, &mut out),
            None,
            "a reference without its length"
        );
        assert_eq!(
            decompress(b"\x00a\x20", 4, &mut out),
            None,
            "a reference without its distance"
        );
        assert_eq!(decompress(b"\x00a", 2, &mut out), None, "too short");
        assert_eq!(decompress(b"\x01ab", 1, &mut out), None, "too long");
        let mut fresh = Vec::new();
        assert_eq!(decompress(b"\x00a", usize::MAX, &mut fresh), None);
        assert_eq!(
            fresh.capacity(),
            0,
            "nothing is reserved for an impossible length"
        );
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(words in proptest::collection::vec(word(), 0..200)) {
            round_trip(&words.concat());
        }

        #[test]
        fn arbitrary_input_never_panics(input: Vec<u8>, len in 0..10_000_usize) {
            let mut out = Vec::new();
            if decompress(&input, len, &mut out).is_some() {
                prop_assert_eq!(out.len(), len);
            }
        }
    }
}
