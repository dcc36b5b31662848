//! One direction of a TCP connection, put back in order from its packets.

use std::collections::BTreeMap;

/// What one packet says.
pub(crate) struct Segment<'a> {
    pub(crate) sequence: u32,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) payload: &'a [u8],
}

/// Bytes that came too early; with more, what is missing will not come.
const MAX_EARLY_BYTES: usize = 16 * 1024 * 1024;

#[derive(Default)]
pub(crate) struct Direction {
    /// The sequence number of the byte at `position`; `None` before the first segment.
    next: Option<u32>,
    /// Bytes that were in order so far.
    position: u64,
    /// Segments behind a hole, by the position of their first byte.
    early: BTreeMap<u64, Vec<u8>>,
    early_bytes: usize,
    /// The position behind the last byte, once it is known.
    end: Option<u64>,
    /// No SYN was seen.
    begins_inside: bool,
}

impl Direction {
    /// Takes a segment, and returns the bytes that are in order now.
    pub(crate) fn take(&mut self, segment: Segment<'_>) -> Vec<u8> {
        // A SYN takes the place of one byte.
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        let next = *self.next.get_or_insert_with(|| {
            self.begins_inside = !segment.syn;
            sequence
        });
        let distance = sequence.wrapping_sub(next);
        let (at, known) = if distance < 1 << 31 {
            (self.position + u64::from(distance), 0)
        } else {
            // Sent before: these bytes of it are in order already.
            (self.position, distance.wrapping_neg() as usize)
        };
        let new = segment.payload.get(known..).unwrap_or_default();
        if segment.fin {
            self.end = Some(at + new.len() as u64);
        }
        let place = self.early.entry(at).or_default();
        if new.len() > place.len() {
            self.early_bytes += new.len() - place.len();
            *place = new.to_vec();
        }
        self.in_order()
    }

    /// Bytes that were in order so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the capture began after this direction did.
    pub(crate) fn begins_inside(&self) -> bool {
        self.begins_inside
    }

    /// Whether all bytes up to the last have been handed out.
    pub(crate) fn is_over(&self) -> bool {
        self.end == Some(self.position)
    }

    /// Whether a hole is not worth waiting for any longer.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.early_bytes > MAX_EARLY_BYTES
    }

    /// Bytes that are not there although something behind them is.
    pub(crate) fn missing(&self) -> u64 {
        let behind = self.early.keys().next().copied().or(self.end);
        behind.map_or(0, |behind| behind.saturating_sub(self.position))
    }

    fn in_order(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(first) = self.early.first_entry() {
            if *first.key() > self.position {
                break;
            }
            let (at, segment) = first.remove_entry();
            self.early_bytes -= segment.len();
            let known = usize::try_from(self.position - at).unwrap_or(usize::MAX);
            if let Some(new) = segment.get(known..) {
                bytes.extend_from_slice(new);
                self.position += new.len() as u64;
                // Sequence numbers wrap around, which is what the truncation does.
                #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32")]
                let len = new.len() as u32;
                self.next = self.next.map(|next| next.wrapping_add(len));
            }
        }
        bytes
    }
}
