//! A bucket: a few entries in a few cache lines, and a list for those that do not fit.

use std::mem;

use super::Slot;

/// Entries that fit in a bucket. With entries of 16 bytes the bucket then fills four cache lines.
pub(super) const SLOTS: usize = 11;

/// Entries in the first part of the overflow, which is reached without a second jump.
const NEAR: usize = 3;

/// The bits of `used` when no slot is free.
const FULL: u16 = (1 << SLOTS) - 1;

/// The fields a lookup reads come first, in one cache line.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Bucket<E> {
    /// A tag per slot, four to a word, so that a few instructions compare them all. The last lane is unused.
    tags: [u64; 3],
    overflow: Option<Box<Overflow<E>>>,
    /// No entry in here, overflow included, expires before this.
    pub(super) next_expiry: i64,
    /// The bits (see `bit_of`) of the tags in the overflow, so that few lookups follow the pointer in vain.
    tags_beyond: u32,
    /// A bit per slot. Slots whose bit is 0 are vacant; their tags and clocks mean nothing.
    used: u16,
    clocks: [[u8; 3]; SLOTS],
    slots: [E; SLOTS],
}

/// What does not fit in a bucket.
#[derive(Debug)]
struct Overflow<E> {
    near: [Loose<E>; NEAR],
    /// Empty while `near` has a vacancy.
    far: Vec<Loose<E>>,
}

impl<E: Clone> Clone for Overflow<E> {
    /// With its room, which its table has counted.
    fn clone(&self) -> Self {
        let mut far = Vec::with_capacity(self.far.capacity());
        far.extend_from_slice(&self.far);
        Self {
            near: self.near.clone(),
            far,
        }
    }
}

/// An entry with all that its bucket knows about it.
#[derive(Debug, Default, Clone)]
pub(super) struct Loose<E> {
    pub(super) entry: E,
    pub(super) tag: u16,
    clock: [u8; 3],
}

/// An entry on its way from one bucket to another.
#[derive(Debug)]
pub(super) struct Moving<E> {
    pub(super) loose: Loose<E>,
    /// `next_expiry` of the bucket it comes from; cheaper than asking the entry, which is out of cache.
    pub(super) next_expiry: i64,
}

impl<E> Moving<E> {
    pub(super) fn new(entry: E, tag: u16, next_expiry: i64) -> Self {
        Self {
            loose: Loose {
                entry,
                tag,
                clock: [0; 3],
            },
            next_expiry,
        }
    }
}

impl<E: Slot> Default for Bucket<E> {
    fn default() -> Self {
        Self {
            tags: [0; 3],
            overflow: None,
            next_expiry: i64::MAX,
            tags_beyond: 0,
            used: 0,
            clocks: [[0; 3]; SLOTS],
            slots: std::array::from_fn(|_| E::default()),
        }
    }
}

// A slot number below `SLOTS` means a slot of the bucket, the next ones `near`, those above `far`.
impl<E: Slot> Bucket<E> {
    /// The slot of the entry that `is` holds for, if its tag is `tag`.
    #[inline]
    pub(super) fn find(&self, tag: u16, is: impl Fn(&E) -> bool) -> Option<usize> {
        let mut hits = self.hits(tag);
        while hits != 0 {
            let slot = slot_of(hits.trailing_zeros());
            if self.used >> slot & 1 != 0 && is(&self.slots[slot]) {
                return Some(slot);
            }
            hits &= hits - 1;
        }
        if self.tags_beyond & bit_of(tag) == 0 {
            return None;
        }
        self.overflow
            .as_ref()
            .and_then(|overflow| overflow.find(tag, is))
    }

    /// The slots whose tag is `tag`, some of them vacant, as bits that `slot_of` understands.
    #[inline]
    fn hits(&self, tag: u16) -> u64 {
        const LOW: u64 = 0x7fff_7fff_7fff_7fff;
        let pattern = u64::from(tag) * 0x0001_0001_0001_0001;
        let mut hits = 0;
        for (n, word) in self.tags.iter().enumerate() {
            let difference = word ^ pattern;
            // The top bit of each lane that is all zeros, exactly: no carry leaves a lane.
            let equal = !(((difference & LOW) + LOW) | difference | LOW);
            hits |= equal >> (3 - n);
        }
        hits
    }

    pub(super) fn has_used_slots(&self) -> bool {
        self.used != 0
    }

    /// The entry that a lookup of this tag compares first; some entry if there is none.
    #[inline]
    pub(super) fn likely(&self, tag: u16) -> &E {
        let hits = self.hits(tag) | 1 << 63;
        // One lane has no slot.
        let first = slot_of(hits.trailing_zeros()).min(SLOTS - 1);
        &self.slots[first]
    }

    /// The slots in use, in order.
    pub(super) fn slots(&self) -> impl Iterator<Item = usize> + use<E> {
        let (mut bits, mut beyond) = (
            self.used,
            SLOTS..SLOTS + self.overflow.as_ref().map_or(0, |o| o.len()),
        );
        std::iter::from_fn(move || {
            if bits == 0 {
                return beyond.next();
            }
            let slot = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some(slot)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.used.count_ones() as usize
            + self.overflow.as_ref().map_or(0, |overflow| overflow.len())
    }

    pub(super) fn overflowed(&self) -> usize {
        self.overflow.as_ref().map_or(0, |overflow| overflow.len())
    }

    /// The slot of the `nth` entry.
    pub(super) fn nth(&self, nth: usize) -> Option<usize> {
        self.slots().nth(nth)
    }

    #[inline]
    pub(super) fn get(&self, slot: usize) -> &E {
        match slot.checked_sub(SLOTS) {
            None => &self.slots[slot],
            Some(beyond) => &self.beyond(beyond).entry,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: usize) -> &mut E {
        match slot.checked_sub(SLOTS) {
            None => &mut self.slots[slot],
            Some(beyond) => &mut self.beyond_mut(beyond).entry,
        }
    }

    pub(super) fn clock(&self, slot: usize) -> u32 {
        let [a, b, c] = match slot.checked_sub(SLOTS) {
            None => self.clocks[slot],
            Some(beyond) => self.beyond(beyond).clock,
        };
        u32::from_le_bytes([a, b, c, 0])
    }

    pub(super) fn set_clock(&mut self, slot: usize, clock: u32) {
        let [a, b, c, _] = clock.to_le_bytes();
        match slot.checked_sub(SLOTS) {
            None => self.clocks[slot] = [a, b, c],
            Some(beyond) => self.beyond_mut(beyond).clock = [a, b, c],
        }
    }

    /// Panics if the position it belongs to is out of date.
    fn beyond(&self, beyond: usize) -> &Loose<E> {
        self.overflow
            .as_ref()
            .expect("position in the overflow")
            .get(beyond)
    }

    /// As `beyond`.
    fn beyond_mut(&mut self, beyond: usize) -> &mut Loose<E> {
        self.overflow
            .as_mut()
            .expect("position in the overflow")
            .get_mut(beyond)
    }

    /// Adds an entry whose key is not in here yet.
    #[inline]
    pub(super) fn insert(&mut self, moving: Moving<E>) -> usize {
        self.next_expiry = self.next_expiry.min(moving.next_expiry);
        let Moving { loose, .. } = moving;
        if self.used == FULL {
            self.tags_beyond |= bit_of(loose.tag);
            return SLOTS
                + self
                    .overflow
                    .get_or_insert_with(Overflow::boxed)
                    .push(loose);
        }
        let slot = (!self.used).trailing_zeros() as usize;
        self.used |= 1 << slot;
        let shift = slot % 4 * 16;
        let word = &mut self.tags[slot / 4];
        *word = *word & !(0xffff << shift) | u64::from(loose.tag) << shift;
        self.clocks[slot] = loose.clock;
        self.slots[slot] = loose.entry;
        slot
    }

    /// Takes an entry out; another one may move to its slot.
    pub(super) fn remove(&mut self, slot: usize) -> E {
        let entry = self.take(slot);
        if self.overflow.is_some() {
            self.close_ranks();
        }
        entry
    }

    /// Takes an entry out and leaves its slot vacant, for `close_ranks` to fill.
    fn take(&mut self, slot: usize) -> E {
        if slot < SLOTS {
            self.used &= !(1 << slot);
        }
        mem::take(self.get_mut(slot))
    }

    /// Moves entries from the overflow to where there is room.
    fn close_ranks(&mut self) {
        let Some(mut overflow) = self.overflow.take() else {
            return;
        };
        overflow.close_ranks();
        while self.used != FULL {
            let Some(loose) = overflow.pop() else { break };
            self.insert(Moving {
                loose,
                next_expiry: i64::MAX,
            });
        }
        self.tags_beyond = overflow
            .iter()
            .fold(0, |bits, loose| bits | bit_of(loose.tag));
        if overflow.len() > 0 {
            self.overflow = Some(overflow);
        }
    }

    /// Moves all entries that `leaves` holds for, by tag, and all the overflow, to `moving`.
    pub(super) fn lift(&mut self, leaves: impl Fn(u16) -> bool, moving: &mut Vec<Moving<E>>) {
        let next_expiry = self.next_expiry;
        let mut bits = self.used;
        while bits != 0 {
            let slot = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let tag = self.tag(slot);
            if leaves(tag) {
                let loose = Loose {
                    tag,
                    clock: self.clocks[slot],
                    entry: self.take(slot),
                };
                moving.push(Moving { loose, next_expiry });
            }
        }
        if let Some(overflow) = self.overflow.take() {
            let Overflow { near, far } = *overflow;
            let present = near
                .into_iter()
                .chain(far)
                .filter(|loose| !loose.entry.is_vacant());
            moving.extend(present.map(|loose| Moving { loose, next_expiry }));
        }
        if self.used == 0 {
            self.next_expiry = i64::MAX;
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "one lane of the word")]
    fn tag(&self, slot: usize) -> u16 {
        (self.tags[slot / 4] >> (slot % 4 * 16)) as u16
    }

    /// Hands over the entries that expire at `now` or before, and makes `next_expiry` exact. Returns how many.
    pub(super) fn expire(&mut self, now: i64, mut f: impl FnMut(E)) -> usize {
        let (mut next, mut expired) = (i64::MAX, 0);
        for slot in self.slots() {
            match self.get(slot).expire_at() {
                Some(at) if at <= now => {
                    expired += 1;
                    f(self.take(slot));
                }
                Some(at) => next = next.min(at),
                None => {}
            }
        }
        self.next_expiry = next;
        if expired > 0 {
            self.close_ranks();
        }
        expired
    }

    /// Bytes allocated for the overflow, without what its entries own.
    #[inline]
    pub(super) fn overflow_bytes(&self) -> usize {
        self.overflow.as_ref().map_or(0, |overflow| {
            size_of::<Overflow<E>>() + overflow.far.capacity() * size_of::<Loose<E>>()
        })
    }
}

/// From a bit of `hits`: lane `n % 4` of word `n / 4` sets bit `16 * lane + 12 + word`.
#[inline]
fn slot_of(bit: u32) -> usize {
    (bit / 16 + 4 * (bit % 16 - 12)) as usize
}

/// By the tag's upper bits, which never are among those that all tags of a bucket have in common.
#[inline]
fn bit_of(tag: u16) -> u32 {
    1 << (tag >> 11)
}

impl<E: Slot> Overflow<E> {
    #[cold]
    fn boxed() -> Box<Self> {
        Box::new(Self {
            near: Default::default(),
            far: Vec::new(),
        })
    }

    fn find(&self, tag: u16, is: impl Fn(&E) -> bool) -> Option<usize> {
        Some(
            SLOTS
                + self
                    .iter()
                    .position(|loose| loose.tag == tag && is(&loose.entry))?,
        )
    }

    fn iter(&self) -> impl Iterator<Item = &Loose<E>> {
        let near = self
            .near
            .iter()
            .take_while(|loose| !loose.entry.is_vacant());
        near.chain(&self.far)
    }

    /// Those of `near` come first and without a gap, except between `Bucket::take` and `close_ranks`.
    fn len(&self) -> usize {
        self.near
            .iter()
            .filter(|loose| !loose.entry.is_vacant())
            .count()
            + self.far.len()
    }

    fn get(&self, at: usize) -> &Loose<E> {
        if at < NEAR {
            &self.near[at]
        } else {
            &self.far[at - NEAR]
        }
    }

    fn get_mut(&mut self, at: usize) -> &mut Loose<E> {
        if at < NEAR {
            &mut self.near[at]
        } else {
            &mut self.far[at - NEAR]
        }
    }

    fn push(&mut self, loose: Loose<E>) -> usize {
        if let Some(at) = self.near.iter().position(|loose| loose.entry.is_vacant()) {
            self.near[at] = loose;
            return at;
        }
        self.far.push(loose);
        NEAR + self.far.len() - 1
    }

    fn pop(&mut self) -> Option<Loose<E>> {
        self.far.pop().or_else(|| {
            let last = self
                .near
                .iter_mut()
                .rev()
                .find(|loose| !loose.entry.is_vacant())?;
            Some(mem::take(last))
        })
    }

    fn close_ranks(&mut self) {
        self.far.retain(|loose| !loose.entry.is_vacant());
        for at in 0..NEAR {
            if self.near[at].entry.is_vacant() {
                let last = || {
                    (at + 1..NEAR)
                        .rev()
                        .find(|&from| !self.near[from].entry.is_vacant())
                };
                match self.far.pop() {
                    Some(loose) => self.near[at] = loose,
                    None => match last() {
                        Some(from) => self.near.swap(at, from),
                        None => break,
                    },
                }
            }
        }
        if self.far.capacity() > 2 * NEAR && self.far.len() < self.far.capacity() / 4 {
            self.far.shrink_to(self.far.len() * 2);
        }
    }
}
