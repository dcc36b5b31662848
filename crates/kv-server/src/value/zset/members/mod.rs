//! The members of a large sorted set with their scores, each under a number of its own.

mod chunk;
#[cfg(test)]
mod tests;

use self::chunk::{CHUNK, Chunk, NONE, Record};
use crate::value::blob::Blob;

/// The number of a member; good until the member is removed or [moves](Members::relocate).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Id(u32);

/// Members, found by their ids at once.
///
/// Records come in chunks, so that no growth copies all of them, and a chunk that nobody is in any more is given back: members that leave in the order in
/// which they came leave nothing behind.
#[derive(Debug)]
pub(super) struct Members {
    /// By their numbers. A chunk that was given back has no records and keeps its number; the last one was not.
    chunks: Vec<Chunk>,
    /// The first chunk in which there is room, or [`NONE`].
    open: u32,
    /// The first chunk that was given back, or [`NONE`].
    gone: u32,
    /// Members.
    len: usize,
    /// Records that there is memory for.
    room: usize,
    /// Bytes that the texts have allocated.
    text_bytes: usize,
}

/// Which list a chunk is in; a full one is in none.
#[derive(Debug, Clone, Copy)]
enum List {
    Open,
    Gone,
}

/// Records that the first chunk begins with.
const FIRST: usize = 16;

impl Default for Members {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            open: NONE,
            gone: NONE,
            len: 0,
            room: 0,
            text_bytes: 0,
        }
    }
}

impl Clone for Members {
    fn clone(&self) -> Self {
        let is_only = self.chunks.len() == 1;
        let chunks = self.chunks.iter().map(|chunk| {
            chunk.copied(match chunk.records.len() {
                0 => 0,
                len if is_only => len,
                _ => CHUNK,
            })
        });
        let chunks: Vec<_> = chunks.collect();
        Self {
            room: chunks.iter().map(|chunk| chunk.records.capacity()).sum(),
            chunks,
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

    fn new(chunk: u32, at: usize) -> Self {
        let number = u32::try_from(chunk as usize * CHUNK + at).ok();
        // One less than there are numbers, for whoever keeps ids in other forms.
        Self(
            number
                .filter(|&number| number != u32::MAX)
                .expect("four billion members take more memory than machines have"),
        )
    }

    #[inline]
    fn place(self) -> (usize, usize) {
        (self.0 as usize / CHUNK, self.0 as usize % CHUNK)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "512")]
    fn chunk(self) -> u32 {
        self.0 / CHUNK as u32
    }
}

impl Members {
    #[inline]
    fn record(&self, id: Id) -> &Record {
        let (chunk, at) = id.place();
        &self.chunks[chunk].records[at]
    }

    #[inline]
    fn chunk_mut(&mut self, chunk: u32) -> &mut Chunk {
        &mut self.chunks[chunk as usize]
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
        let (chunk, at) = id.place();
        self.chunks[chunk].records[at].bits = score.to_bits();
    }

    /// Reads the record of a member, which is not in the cache.
    #[inline]
    pub(super) fn touch(&self, id: Id) -> usize {
        usize::from(self.record(id).text.is_vacant())
    }

    pub(super) fn insert(&mut self, text: &[u8], score: f64) -> Id {
        let record = Record {
            bits: score.to_bits(),
            text: Blob::of(&[text]),
        };
        self.text_bytes += record.text.memory();
        let chunk = if self.open == NONE {
            self.add_chunk()
        } else {
            self.open
        };
        let id = Id::new(chunk, self.chunks[chunk as usize].vacancy());
        self.put(id, record);
        id
    }

    /// Puts a member into a free record.
    fn put(&mut self, id: Id, record: Record) {
        let (number, at) = id.place();
        let is_only = self.chunks.len() == 1;
        let chunk = &mut self.chunks[number];
        let (records, room) = (chunk.records.len(), chunk.records.capacity());
        if at == room && is_only {
            // Grows by halves; where there are several, they have their size from the start.
            let more = (records / 2).max(FIRST).min(CHUNK - records);
            chunk.records.reserve_exact(more);
        }
        chunk.put(at, record);
        self.room += chunk.records.capacity() - room;
        self.len += 1;
        if chunk.is_full() {
            self.leave(List::Open, id.chunk());
        }
    }

    /// Has memory for a chunk more, and returns its number.
    fn add_chunk(&mut self) -> u32 {
        let room = if self.chunks.is_empty() { FIRST } else { CHUNK };
        let fresh = Chunk::with_room(room);
        self.room += fresh.records.capacity();
        let number = if self.gone == NONE {
            self.chunks.push(fresh);
            u32::try_from(self.chunks.len() - 1).unwrap_or(NONE)
        } else {
            let number = self.gone;
            self.leave(List::Gone, number);
            *self.chunk_mut(number) = fresh;
            number
        };
        self.join(List::Open, number);
        number
    }

    pub(super) fn remove(&mut self, id: Id) {
        let text = self.vacate(id).text;
        self.text_bytes -= text.memory();
    }

    /// Takes a member out of its record.
    fn vacate(&mut self, id: Id) -> Record {
        let (_, at) = id.place();
        let chunk = self.chunk_mut(id.chunk());
        let was_full = chunk.is_full();
        let record = chunk.take(at);
        let is_empty = chunk.taken == 0;
        self.len -= 1;
        if was_full {
            self.join(List::Open, id.chunk());
        }
        if is_empty {
            self.give_back(id.chunk());
        }
        record
    }

    /// Frees a chunk that nobody is in.
    fn give_back(&mut self, number: u32) {
        self.leave(List::Open, number);
        let records = std::mem::take(&mut self.chunk_mut(number).records);
        self.room -= records.capacity();
        self.join(List::Gone, number);
        while self.chunks.last().is_some_and(|chunk| chunk.taken == 0) {
            if let Ok(last) = u32::try_from(self.chunks.len() - 1) {
                self.leave(List::Gone, last);
            }
            self.chunks.pop();
        }
        if self.chunks.len() < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(self.chunks.len() * 2);
        }
    }

    /// A member of the last chunk and the free record of another one that it should move to, if more is free than taken.
    ///
    /// Tell whoever knows the id first, while its text is where it was, then [`relocate`](Self::relocate) it.
    pub(super) fn loose(&mut self) -> Option<(Id, Id)> {
        let vacancies = self.room - self.len;
        // Members that leave in order leave up to a chunk free at each end. The last chunk has less, so there is another one with some.
        if vacancies <= self.len || vacancies < 2 * CHUNK {
            return None;
        }
        let last = u32::try_from(self.chunks.len() - 1).ok()?;
        let chunk = self.chunks.last_mut()?;
        while chunk.records.last()?.text.is_vacant() {
            chunk.unlink(chunk.records.len() - 1);
            chunk.records.pop();
        }
        let at = chunk.records.len() - 1;
        let to = if self.open == last {
            chunk.behind
        } else {
            self.open
        };
        let other = self.chunks.get(to as usize)?;
        Some((Id::new(last, at), Id::new(to, other.vacancy())))
    }

    /// Moves a member to a free record.
    pub(super) fn relocate(&mut self, last: Id, to: Id) {
        let record = self.vacate(last);
        self.put(to, record);
    }

    fn head(&mut self, list: List) -> &mut u32 {
        match list {
            List::Open => &mut self.open,
            List::Gone => &mut self.gone,
        }
    }

    /// Makes a chunk the first one of a list.
    fn join(&mut self, list: List, number: u32) {
        let behind = std::mem::replace(self.head(list), number);
        let chunk = self.chunk_mut(number);
        (chunk.before, chunk.behind) = (NONE, behind);
        if behind != NONE {
            self.chunk_mut(behind).before = number;
        }
    }

    /// Takes a chunk out of the list that it is in.
    fn leave(&mut self, list: List, number: u32) {
        let &Chunk { before, behind, .. } = &self.chunks[number as usize];
        if before == NONE {
            *self.head(list) = behind;
        } else {
            self.chunk_mut(before).behind = behind;
        }
        if behind != NONE {
            self.chunk_mut(behind).before = before;
        }
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.chunks.capacity() * size_of::<Chunk>()
            + self.room * size_of::<Record>()
            + self.text_bytes
    }

    /// The same, added up.
    #[cfg(test)]
    pub(super) fn memory_added_up(&self) -> usize {
        let records = self.chunks.iter().flat_map(|chunk| &chunk.records);
        let texts: usize = records.map(|record| record.text.memory()).sum();
        let room: usize = self
            .chunks
            .iter()
            .map(|chunk| chunk.records.capacity())
            .sum();
        self.chunks.capacity() * size_of::<Chunk>() + room * size_of::<Record>() + texts
    }
}
