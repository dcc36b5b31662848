//! A run of members' records, which is given back as a whole.

use crate::value::blob::Blob;

/// A member, or room for one.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    /// The bits of the score; of a free record, its [`Link`].
    pub(super) bits: u64,
    /// Vacant where nobody is.
    pub(super) text: Blob,
}

const _: () = assert!(size_of::<Record>() == 24);

/// Where the free records of a chunk before and behind one are.
#[derive(Debug, Clone, Copy)]
struct Link {
    before: u16,
    behind: u16,
}

/// A run of records.
#[derive(Debug)]
pub(super) struct Chunk {
    /// [`CHUNK`] at most; none if it was given back.
    pub(super) records: Vec<Record>,
    /// Members in here.
    pub(super) taken: u16,
    /// The first free record, or [`END`].
    free: u16,
    /// Neighbours in the list of those with room, or of those given back.
    pub(super) before: u32,
    pub(super) behind: u32,
}

/// Records of a chunk: 12 KiB.
pub(super) const CHUNK: usize = 512;
/// No chunk.
pub(super) const NONE: u32 = u32::MAX;
/// No record of a chunk.
const END: u16 = u16::MAX;

impl Chunk {
    /// One that is in no list yet.
    pub(super) fn with_room(records: usize) -> Self {
        Self {
            records: Vec::with_capacity(records),
            taken: 0,
            free: END,
            before: NONE,
            behind: NONE,
        }
    }

    /// A copy with room for so many records.
    pub(super) fn copied(&self, room: usize) -> Self {
        let mut records = Vec::with_capacity(room);
        records.extend_from_slice(&self.records);
        Self { records, ..*self }
    }

    pub(super) fn is_full(&self) -> bool {
        usize::from(self.taken) == CHUNK
    }

    /// The record that a member can have, which may be one more than there are; the chunk is not full.
    pub(super) fn vacancy(&self) -> usize {
        match self.free {
            END => self.records.len(),
            free => free.into(),
        }
    }

    /// Puts a member where [`vacancy`](Self::vacancy) is.
    pub(super) fn put(&mut self, at: usize, record: Record) {
        if at == self.records.len() {
            self.records.push(record);
        } else {
            self.unlink(at);
            self.records[at] = record;
        }
        self.taken += 1;
    }

    /// Takes a member out.
    #[expect(clippy::cast_possible_truncation, reason = "below `CHUNK`")]
    pub(super) fn take(&mut self, at: usize) -> Record {
        let free = Link {
            before: END,
            behind: self.free,
        };
        if let Some(behind) = self.records.get_mut(usize::from(self.free)) {
            let link = behind.link();
            *behind = Record::vacant(Link {
                before: at as u16,
                ..link
            });
        }
        self.free = at as u16;
        self.taken -= 1;
        std::mem::replace(&mut self.records[at], Record::vacant(free))
    }

    /// Takes a record out of the free list.
    pub(super) fn unlink(&mut self, at: usize) {
        let Link { before, behind } = self.records[at].link();
        match self.records.get_mut(usize::from(before)) {
            Some(record) => {
                let link = record.link();
                *record = Record::vacant(Link { behind, ..link });
            }
            None => self.free = behind,
        }
        if let Some(record) = self.records.get_mut(usize::from(behind)) {
            let link = record.link();
            *record = Record::vacant(Link { before, ..link });
        }
    }
}

impl Record {
    /// A free one.
    fn vacant(link: Link) -> Self {
        Self {
            bits: u64::from(link.behind) << 16 | u64::from(link.before),
            text: Blob::Vacant,
        }
    }

    /// Of a free one.
    fn link(&self) -> Link {
        let [a, b, c, d, ..] = self.bits.to_le_bytes();
        Link {
            before: u16::from_le_bytes([a, b]),
            behind: u16::from_le_bytes([c, d]),
        }
    }
}
