//! A short sequence in one allocation: the compact form of lists, hashes and sets, and the chunk of a long list.
//!
//! Elements are encoded as in a [listpack](https://github.com/antirez/listpack/blob/master/listpack.md), so a snapshot can copy them; they
//! can be walked in both directions. In front of them there may be a gap, so that taking from the front or adding there moves nothing.

mod item;
#[cfg(test)]
pub(crate) mod tests;

use item::{Head, decode, measure, read_tail, tail_len, write_tail};
pub(crate) use item::{Item, digits_of};

/// A sequence of elements. It is good for some thousand bytes: edits move what is behind or before the place.
///
/// A place is an offset; any edit makes places that were taken before it worthless.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pack {
    /// Where the first element is in [`HEAD`] bytes, the gap, the elements, room to grow; or nothing at all.
    room: Box<[u8]>,
    /// Where the elements end: `HEAD <= start <= end <= room.len()`, or all zero.
    end: u32,
    /// The number of elements; here, because who looks for an element in a list reads it from many packs.
    len: u32,
}

/// Bytes in front of the gap.
const HEAD: usize = 4;
/// The longest element; a limit of the encoding is at 4 GiB.
pub(crate) const ITEM_MAX: usize = 1 << 30;
/// What a listpack has around its elements; limits in bytes are meant with it.
const LISTPACK_FRAME: usize = 7;
/// A pack never grows beyond this, whatever the limits are. As in Redis.
const BYTES_MAX: usize = 1 << 30;

impl Pack {
    /// The number of elements.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The encoded elements.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.room[self.start()..self.end()]
    }

    /// Bytes that a listpack with these elements has.
    pub(crate) fn listpack_len(&self) -> usize {
        self.end() - self.start() + LISTPACK_FRAME
    }

    /// Whether `more` bytes of text can be added.
    pub(crate) fn has_room_for(&self, more: usize) -> bool {
        self.listpack_len() + more <= BYTES_MAX
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.room.len()
    }

    #[inline]
    fn start(&self) -> usize {
        self.room
            .first_chunk()
            .map_or(0, |head| u32::from_le_bytes(*head) as usize)
    }

    #[inline]
    fn end(&self) -> usize {
        self.end as usize
    }

    /// The first element; the end if there is none.
    #[inline]
    pub(crate) fn first(&self) -> usize {
        self.start()
    }

    /// The place behind the last element.
    #[inline]
    pub(crate) fn behind(&self) -> usize {
        self.end()
    }

    /// The element at a place.
    #[inline]
    pub(crate) fn at(&self, at: usize) -> Item<'_> {
        decode(&self.room[at..self.end()]).0
    }

    /// The place behind an element; `None` behind the last.
    #[inline]
    pub(crate) fn next(&self, at: usize) -> Option<usize> {
        Some(self.skip(at)).filter(|&next| next < self.end())
    }

    /// The place behind an element.
    #[inline]
    fn skip(&self, at: usize) -> usize {
        let len = measure(&self.room[at..]);
        at + len + tail_len(len)
    }

    /// The place before one.
    #[inline]
    pub(crate) fn previous(&self, at: usize) -> Option<usize> {
        if at == self.start() {
            return None;
        }
        let (len, tail) = read_tail(&self.room[self.start()..at]);
        Some(at - tail - len)
    }

    /// The place of the element with this number, walking from the nearer end.
    pub(crate) fn nth(&self, index: usize) -> Option<usize> {
        let len = self.len();
        if index >= len {
            return None;
        }
        if index <= len / 2 {
            let mut at = self.start();
            for _ in 0..index {
                at = self.skip(at);
            }
            Some(at)
        } else {
            let mut at = self.end();
            for _ in index..len {
                at = self.previous(at)?;
            }
            Some(at)
        }
    }

    /// The place of an element, or the end for one that is not there.
    fn nth_or_end(&self, index: usize) -> usize {
        self.nth(index).unwrap_or_else(|| self.end())
    }

    /// The elements in order.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter {
            rest: if self.is_empty() { &[] } else { self.bytes() },
        }
    }

    /// The elements from a place on.
    pub(crate) fn iter_from(&self, at: usize) -> Iter<'_> {
        Iter {
            rest: self.room.get(at..self.end()).unwrap_or_default(),
        }
    }

    /// The first element from a place on that is this text, looking at every `step`-th.
    pub(crate) fn find(&self, mut at: usize, text: &[u8], step: usize) -> Option<usize> {
        let wanted = Head::of(Item::of(text));
        let is_text = matches!(Item::of(text), Item::Text(_));
        let head = wanted.as_slice();
        while at < self.end() {
            let rest = &self.room[at..self.end()];
            if let Some(behind) = rest.strip_prefix(head) {
                if !is_text || behind.starts_with(text) {
                    return Some(at);
                }
            }
            for _ in 0..step {
                at = self.skip(at);
            }
        }
        None
    }

    pub(crate) fn push_back(&mut self, text: &[u8]) {
        self.insert(self.end(), Item::of(text));
    }

    pub(crate) fn push_front(&mut self, text: &[u8]) {
        self.insert(self.start(), Item::of(text));
    }

    /// Adds an element before a place (or at the end), and returns where it is.
    pub(crate) fn insert(&mut self, at: usize, item: Item<'_>) -> usize {
        let head = Head::of(item);
        let at = self.open(at, encoded_len(&head, item));
        self.write(at, &head, item);
        self.set_len(self.len() + 1);
        at
    }

    /// Puts another element in the place of one, and returns where it is.
    pub(crate) fn replace(&mut self, at: usize, item: Item<'_>) -> usize {
        let head = Head::of(item);
        let old = self.skip(at) - at;
        let new = encoded_len(&head, item);
        let at = if new > old {
            self.open(at, new - old)
        } else {
            let at = self.close(at, old - new);
            self.give_back(at)
        };
        self.write(at, &head, item);
        at
    }

    fn write(&mut self, at: usize, head: &Head, item: Item<'_>) {
        let head = head.as_slice();
        let text = match item {
            Item::Int(_) => &[],
            Item::Text(text) => text,
        };
        let middle = at + head.len();
        let tail = middle + text.len();
        self.room[at..middle].copy_from_slice(head);
        self.room[middle..tail].copy_from_slice(text);
        let len = tail - at;
        write_tail(len, &mut self.room[tail..tail + tail_len(len)]);
    }

    /// Takes out `count` elements from a place on, and returns the place behind them.
    pub(crate) fn remove(&mut self, at: usize, count: usize) -> usize {
        let mut to = at;
        for _ in 0..count {
            to = self.skip(to);
        }
        self.remove_to(at, to, count)
    }

    /// Takes out up to `max` elements that are this text, the first or the last ones; returns how many.
    pub(crate) fn remove_equal(&mut self, text: &[u8], from_back: bool, max: usize) -> usize {
        let mut found = Vec::new();
        let mut from = self.first();
        while let Some(at) = self.find(from, text, 1) {
            from = self.skip(at);
            found.push((at, from));
        }
        let count = found.len().min(max);
        let taken = if from_back {
            &found[found.len() - count..]
        } else {
            &found[..count]
        };
        let Some(&(mut end, _)) = taken.first() else {
            return 0;
        };
        // What stays moves down over what goes.
        let behind = taken.iter().skip(1).map(|&(at, _)| at).chain([self.end()]);
        for (&(_, from), to) in taken.iter().zip(behind) {
            self.room.copy_within(from..to, end);
            end += to - from;
        }
        self.remove_to(end, self.end(), count);
        count
    }

    fn remove_to(&mut self, at: usize, to: usize, count: usize) -> usize {
        let len = self.len() - count;
        if len == 0 {
            *self = Self::default();
            return 0;
        }
        self.set_len(len);
        let at = self.close(at, to - at);
        self.give_back(at)
    }

    /// Makes the allocation smaller if half of it is unused, and returns where a place is now.
    fn give_back(&mut self, at: usize) -> usize {
        let to_end = self.end() - at;
        let wanted = class(HEAD + self.end() - self.start());
        if wanted * 2 <= self.room.len() {
            self.rearrange(HEAD, wanted, 0, 0);
        }
        self.end() - to_end
    }

    /// Takes out `count` elements from number `from` on, as far as they exist; returns how many.
    pub(crate) fn remove_range(&mut self, from: usize, count: usize) -> usize {
        let len = self.len();
        let count = count.min(len.saturating_sub(from));
        if count > 0 {
            let (at, to) = (self.nth_or_end(from), self.nth_or_end(from + count));
            self.remove_to(at, to, count);
        }
        count
    }

    /// Cuts the elements from number `index` on off.
    pub(crate) fn split_off(&mut self, index: usize) -> Self {
        let mut cut = Self::default();
        let count = self.len().saturating_sub(index);
        if count > 0 {
            let at = self.nth_or_end(index);
            cut.append_bytes(&self.room[at..self.end()], count);
            self.remove_to(at, self.end(), count);
        }
        cut
    }

    /// A pack of what [`bytes`](Self::bytes) showed of another one.
    pub(crate) fn from_bytes(bytes: &[u8], len: usize) -> Self {
        let mut pack = Self::default();
        pack.append_bytes(bytes, len);
        pack
    }

    /// Adds the elements of another pack.
    pub(crate) fn append(&mut self, other: &Self) {
        if !other.is_empty() {
            self.append_bytes(other.bytes(), other.len());
        }
    }

    fn append_bytes(&mut self, bytes: &[u8], count: usize) {
        let at = self.open(self.end(), bytes.len());
        self.room[at..at + bytes.len()].copy_from_slice(bytes);
        self.set_len(self.len() + count);
    }

    fn set_len(&mut self, len: usize) {
        self.len = u32::try_from(len)
            .expect("fewer elements than bytes, of which there are at most 4 GiB");
    }

    /// Makes room for `size` bytes at a place, and returns where that is now.
    fn open(&mut self, at: usize, size: usize) -> usize {
        let (start, end) = (self.start(), self.end());
        let (before, behind) = (at - start, end - at);
        if before < behind && start >= HEAD + size {
            self.room.copy_within(start..at, start - size);
            self.set_bounds(start - size, end);
            return at - size;
        }
        if self.room.len() < end + size {
            let used = HEAD + end - start + size;
            let len = if used + used / 8 <= self.room.len() {
                self.room.len()
            } else {
                class(used)
            };
            // What grows at the front gets the new room there.
            let gap = if before < behind { len - used } else { 0 };
            self.rearrange(HEAD + gap, len, before, size);
            return HEAD + gap + before;
        }
        self.room.copy_within(at..end, at + size);
        self.set_bounds(start, end + size);
        at
    }

    /// Closes a hole of `size` bytes at a place, and returns the place behind it.
    fn close(&mut self, at: usize, size: usize) -> usize {
        let (start, end) = (self.start(), self.end());
        if at - start < end - at - size {
            self.room.copy_within(start..at, start + size);
            self.set_bounds(start + size, end);
            at + size
        } else {
            self.room.copy_within(at + size..end, at);
            self.set_bounds(start, end - size);
            at
        }
    }

    /// Moves the elements to `start` in an allocation of `len` bytes, with a hole of `size` behind the first `before` bytes.
    fn rearrange(&mut self, start: usize, len: usize, before: usize, size: usize) {
        let (old_start, old_end) = (self.start(), self.end());
        let middle = old_start + before;
        if len > self.room.len() {
            let mut room = std::mem::take(&mut self.room).into_vec();
            room.reserve_exact(len - room.len());
            room.resize(len, 0);
            self.room = room.into_boxed_slice();
        }
        // The part that moves up goes first, lest the other one overwrite it.
        let tail = start + before + size;
        if start <= old_start {
            self.room.copy_within(old_start..middle, start);
            self.room.copy_within(middle..old_end, tail);
        } else {
            self.room.copy_within(middle..old_end, tail);
            self.room.copy_within(old_start..middle, start);
        }
        self.set_bounds(start, tail + old_end - middle);
        if len < self.room.len() {
            let mut room = std::mem::take(&mut self.room).into_vec();
            room.truncate(len);
            self.room = room.into_boxed_slice();
        }
    }

    fn set_bounds(&mut self, start: usize, end: usize) {
        let narrow = |at: usize| u32::try_from(at).expect("a pack is shorter than 4 GiB");
        self.room[..HEAD].copy_from_slice(&narrow(start).to_le_bytes());
        self.end = narrow(end);
    }
}

fn encoded_len(head: &Head, item: Item<'_>) -> usize {
    let len = head.as_slice().len()
        + match item {
            Item::Int(_) => 0,
            Item::Text(text) => text.len(),
        };
    len + tail_len(len)
}

/// The size that an allocator will hand out anyway: multiples of 16, then four steps in a doubling.
pub(crate) fn class(bytes: usize) -> usize {
    let step = if bytes <= 128 {
        16
    } else {
        (bytes - 1).next_power_of_two() / 8
    };
    bytes.next_multiple_of(step)
}

/// The elements of a pack.
#[derive(Debug, Clone)]
pub(crate) struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iter<'a> {
    /// The elements that [`push_item`] wrote.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes of those that are left.
    pub(crate) fn bytes_left(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (item, len) = decode(self.rest);
        self.rest = &self.rest[len + tail_len(len)..];
        Some(item)
    }
    fn nth(&mut self, n: usize) -> Option<Item<'a>> {
        for _ in 0..n {
            if self.rest.is_empty() {
                return None;
            }
            let len = measure(self.rest);
            self.rest = &self.rest[len + tail_len(len)..];
        }
        self.next()
    }
}

/// Adds an element to others in a plain vector, encoded as in a pack.
pub(crate) fn push_item(out: &mut Vec<u8>, item: Item<'_>) {
    let head = Head::of(item);
    let start = out.len();
    out.extend_from_slice(head.as_slice());
    if let Item::Text(text) = item {
        out.extend_from_slice(text);
    }
    let len = out.len() - start;
    let end = out.len();
    out.resize(end + tail_len(len), 0);
    write_tail(len, &mut out[end..]);
}

/// Where the last of these elements begins; they must not be none.
pub(crate) fn start_of_last(bytes: &[u8]) -> usize {
    let (len, tail) = read_tail(bytes);
    bytes.len() - tail - len
}
