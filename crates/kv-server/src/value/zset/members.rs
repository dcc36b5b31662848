//! The members of a large sorted set with their scores, each under a number of its own.

use crate::value::blob::Blob;

/// The number of a member; good until the member is removed or [moves](Members::relocate).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Id(u32);

#[derive(Debug, Clone, Default)]
struct Record {
    /// The bits of the score; of a free record, its [`Link`].
    bits: u64,
    /// Vacant where nobody is.
    text: Blob,
}

const _: () = assert!(size_of::<Record>() == 24);

/// Where the free records before and behind one are.
#[derive(Debug, Clone, Copy)]
struct Link {
    before: u32,
    behind: u32,
}

/// Members, found by their ids at once.
///
/// Records come in chunks, so that no growth copies all of them.
#[derive(Debug)]
pub(super) struct Members {
    /// All are full but the last one, and if there are several, all have room for as many.
    chunks: Vec<Vec<Record>>,
    /// The first free record, or [`NONE`].
    free: u32,
    vacancies: usize,
    /// Bytes that the texts have allocated.
    text_bytes: usize,
}

/// Records of a chunk: 12 KiB.
const CHUNK: usize = 512;
/// No record.
const NONE: u32 = u32::MAX;

impl Default for Members {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: NONE,
            vacancies: 0,
            text_bytes: 0,
        }
    }
}

impl Clone for Members {
    fn clone(&self) -> Self {
        let chunks = self.chunks.iter().map(|chunk| {
            let room = match self.chunks.len() {
                1 => chunk.len(),
                _ => CHUNK,
            };
            let mut copy = Vec::with_capacity(room);
            copy.extend_from_slice(chunk);
            copy
        });
        Self {
            chunks: chunks.collect(),
            ..*self
        }
    }
}

impl Id {
    /// For whoever keeps ids in other forms.
    pub(super) fn number(self) -> u32 {
        self.0
    }

    pub(super) fn of_number(number: u32) -> Self {
        Self(number)
    }

    #[inline]
    fn place(self) -> (usize, usize) {
        (self.0 as usize / CHUNK, self.0 as usize % CHUNK)
    }
}

impl Members {
    #[inline]
    fn record(&self, id: Id) -> &Record {
        let (chunk, at) = id.place();
        &self.chunks[chunk][at]
    }

    #[inline]
    fn record_mut(&mut self, id: Id) -> &mut Record {
        let (chunk, at) = id.place();
        &mut self.chunks[chunk][at]
    }

    /// Records, free ones included.
    fn records(&self) -> usize {
        match self.chunks.split_last() {
            Some((last, full)) => full.len() * CHUNK + last.len(),
            None => 0,
        }
    }

    #[inline]
    pub(super) fn text(&self, id: Id) -> &[u8] {
        self.record(id).text.as_slice()
    }

    #[inline]
    pub(super) fn score(&self, id: Id) -> f64 {
        f64::from_bits(self.record(id).bits)
    }

    pub(super) fn set_score(&mut self, id: Id, score: f64) {
        self.record_mut(id).bits = score.to_bits();
    }

    pub(super) fn insert(&mut self, text: &[u8], score: f64) -> Id {
        let record = Record {
            bits: score.to_bits(),
            text: Blob::of(&[text]),
        };
        self.text_bytes += record.text.memory();
        if self.free != NONE {
            let id = Id(self.free);
            self.unlink(id);
            *self.record_mut(id) = record;
            return id;
        }
        let id = u32::try_from(self.records())
            .ok()
            .filter(|&id| id != NONE)
            .expect("four billion members take more memory than machines have");
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => {
                // The first chunk grows by halves; the others have their size from the start.
                if chunk.len() == chunk.capacity() {
                    chunk.reserve_exact((chunk.len() / 2).min(CHUNK - chunk.len()));
                }
                chunk.push(record);
            }
            last => {
                let room = if last.is_some() { CHUNK } else { FIRST };
                let mut chunk = Vec::with_capacity(room);
                chunk.push(record);
                self.chunks.push(chunk);
            }
        }
        Id(id)
    }

    pub(super) fn remove(&mut self, id: Id) {
        let link = Link {
            before: NONE,
            behind: self.free,
        };
        if self.free != NONE {
            let behind = Id(self.free);
            let link = self.link(behind);
            self.set_link(
                behind,
                Link {
                    before: id.0,
                    ..link
                },
            );
        }
        let text = std::mem::take(&mut self.record_mut(id).text);
        self.text_bytes -= text.memory();
        self.set_link(id, link);
        self.free = id.0;
        self.vacancies += 1;
        self.trim();
    }

    /// The last member and the free record that it should move to, if much is free.
    ///
    /// Tell whoever knows the id first, while its text is where it was, then [`relocate`](Self::relocate) it.
    pub(super) fn loose(&self) -> Option<(Id, Id)> {
        let records = self.records();
        if self.vacancies * 2 <= records || self.vacancies <= FIRST {
            return None;
        }
        let last = u32::try_from(records - 1).ok()?;
        Some((Id(last), Id(self.free)))
    }

    /// Moves a member to a free record.
    pub(super) fn relocate(&mut self, last: Id, to: Id) {
        self.unlink(to);
        *self.record_mut(to) = std::mem::take(self.record_mut(last));
        self.drop_last();
        self.trim();
    }

    /// Gives free records at the end back.
    fn trim(&mut self) {
        while let Some(last) = self.chunks.last().and_then(|chunk| chunk.last()) {
            if !last.text.is_vacant() {
                break;
            }
            let last = self.records() - 1;
            if let Ok(number) = u32::try_from(last) {
                self.unlink(Id(number));
            }
            self.drop_last();
        }
    }

    fn drop_last(&mut self) {
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.pop();
            if chunk.is_empty() {
                self.chunks.pop();
                if self.chunks.len() < self.chunks.capacity() / 4 {
                    self.chunks.shrink_to(self.chunks.len() * 2);
                }
            }
        }
    }

    fn link(&self, id: Id) -> Link {
        let [a, b, c, d, e, f, g, h] = self.record(id).bits.to_le_bytes();
        Link {
            before: u32::from_le_bytes([a, b, c, d]),
            behind: u32::from_le_bytes([e, f, g, h]),
        }
    }

    fn set_link(&mut self, id: Id, link: Link) {
        self.record_mut(id).bits = u64::from(link.behind) << 32 | u64::from(link.before);
    }

    /// Takes a record out of the free list.
    fn unlink(&mut self, id: Id) {
        let Link { before, behind } = self.link(id);
        if before == NONE {
            self.free = behind;
        } else {
            let link = self.link(Id(before));
            self.set_link(Id(before), Link { behind, ..link });
        }
        if behind != NONE {
            let link = self.link(Id(behind));
            self.set_link(Id(behind), Link { before, ..link });
        }
        self.vacancies -= 1;
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        let room = match &*self.chunks {
            [chunk] => chunk.capacity(),
            chunks => chunks.len() * CHUNK,
        };
        self.chunks.capacity() * size_of::<Vec<Record>>()
            + room * size_of::<Record>()
            + self.text_bytes
    }

    /// The same, added up.
    #[cfg(test)]
    pub(super) fn memory_added_up(&self) -> usize {
        let records = self.chunks.iter().flatten();
        let texts: usize = records.map(|record| record.text.memory()).sum();
        let room: usize = self.chunks.iter().map(Vec::capacity).sum();
        self.chunks.capacity() * size_of::<Vec<Record>>() + room * size_of::<Record>() + texts
    }
}

/// Records that the first chunk begins with, and vacancies that are no reason to move anything.
const FIRST: usize = 16;
