//! Where a hash belongs: linear hashing with partial expansions.
//!
//! The table grows one bucket at a time. Buckets form `2^level` groups, chosen by the low `level` bits of the hash.
//! A group starts a level with `BASE` buckets and ends it with twice that, gaining one bucket in each of `BASE`
//! sweeps; a sweep visits the groups one after another as the table grows. After the last sweep every group is
//! looked at as two groups of `BASE` buckets and the next level begins; nothing moves for that.
//!
//! In plain linear hashing (`BASE` of 1) a bucket still to be split holds twice what a split one holds. With a `BASE`
//! of 2 groups go from 2 buckets to 3 and from 3 to 4, and the ratio is 1.5 and 1.33: fewer buckets overflow at the
//! same memory per key. (P.-Å. Larson, *Linear hashing with partial expansions*, VLDB 1980.)
//!
//! All sizes agree on one order of hashes, that of their bits read backwards, lowest bit first: a group is an
//! interval of it and so is a bucket, whatever the size of the table. That order is what SCAN follows.

/// Buckets of a group at the start of a level.
pub(super) const BASE: usize = 2;

/// The place of each interval of a group of `n` buckets, for each `n`. The places of `2 * BASE` follow from those of
/// `BASE`: interval `q` is in half `q / BASE`, which becomes a group of its own, at `2 * ORDER[BASE][q % BASE]`.
/// The others are chosen such that little moves.
const ORDER: [[u8; 2 * BASE]; 2 * BASE + 1] =
    [[0; 4], [0; 4], [0, 1, 0, 0], [0, 2, 1, 0], [0, 2, 1, 3]];

/// For a group of `n` buckets, from the eight bits of the hash above the group's own to the bucket's place.
type Map = [u8; 256];
static MAPS: [Map; 2 * BASE + 1] = maps();

#[expect(clippy::cast_possible_truncation, reason = "w is below 256")]
const fn maps() -> [Map; 2 * BASE + 1] {
    let mut maps = [[0; 256]; 2 * BASE + 1];
    let mut n = 1;
    while n < maps.len() {
        let mut w = 0;
        while w < 256 {
            let fraction = (w as u8).reverse_bits() as usize;
            maps[n][w] = ORDER[n][fraction * n / 256];
            w += 1;
        }
        n += 1;
    }
    maps
}

/// How the groups on one side of the sweep are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    /// Buckets in a group.
    pub(super) buckets: usize,
    /// The tag of an entry is the 16 bits of its hash from here up: `level - 8 <= shift <= level`, so that a tag tells
    /// where its entry moves in the next growth, and at least seven of its bits still tell entries apart.
    pub(super) shift: u32,
    map: &'static Map,
}

impl Side {
    fn new(level: u32, buckets: usize) -> Self {
        // The first sweep of a level is the one that renews the tags, should the level ask for it.
        let tagged = if buckets == BASE {
            level.saturating_sub(1)
        } else {
            level
        };
        Self {
            buckets,
            shift: tagged / 8 * 8,
            map: &MAPS[buckets],
        }
    }

    /// The tag of a hash in this side's buckets.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a tag is sixteen bits of the hash"
    )]
    pub(super) fn tag(&self, hash: u64) -> u16 {
        (hash >> self.shift) as u16
    }

    /// The place in its group of an entry whose tag was made by `of`.
    #[inline]
    pub(super) fn place(&self, tag: u16, of: &Self, level: u32) -> usize {
        usize::from(self.map[usize::from(tag >> (level - of.shift) & 0xff)])
    }
}

/// The number of buckets, as a position in the growth described above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) level: u32,
    /// Groups below this one have been swept. Below `2^level`.
    split: usize,
    /// `2^level - 1`.
    mask: usize,
    /// Groups not yet swept, and groups swept.
    sides: [Side; 2],
}

/// The group that has to be rearranged for one step of growth or shrinkage.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) group: usize,
    pub(super) level: u32,
    pub(super) from: Side,
    pub(super) to: Side,
}

impl Step {
    /// Address of the bucket at `place` of the group.
    pub(super) fn address(&self, place: usize) -> usize {
        (place << self.level) + self.group
    }
}

impl Shape {
    /// One bucket.
    pub(super) fn new() -> Self {
        Self::at(0, 1, 0)
    }

    fn at(level: u32, buckets: usize, split: usize) -> Self {
        let sides = [Side::new(level, buckets), Side::new(level, buckets + 1)];
        Self {
            level,
            split,
            mask: (1 << level) - 1,
            sides,
        }
    }

    pub(super) fn buckets(&self) -> usize {
        (self.sides[0].buckets << self.level) + self.split
    }

    /// Address and tag of a hash.
    #[inline]
    pub(super) fn locate(&self, hash: u64) -> (usize, u16) {
        let group = low(hash) & self.mask;
        let side = &self.sides[usize::from(group < self.split)];
        let place = side.map[low(hash >> self.level) & 0xff];
        ((usize::from(place) << self.level) + group, side.tag(hash))
    }

    /// Adds the last bucket.
    pub(super) fn grow(&mut self) -> Step {
        let [from, to] = self.sides;
        let step = Step {
            group: self.split,
            level: self.level,
            from,
            to,
        };
        self.split += 1;
        if self.split > self.mask {
            *self = match to.buckets {
                n if n == 2 * BASE => Self::at(self.level + 1, BASE, 0),
                n => Self::at(self.level, n, 0),
            };
        }
        step
    }

    /// Takes the last bucket away; there are at least two.
    pub(super) fn shrink(&mut self) -> Step {
        if self.split == 0 {
            *self = match self.sides[0].buckets {
                BASE if self.level > 0 => {
                    Self::at(self.level - 1, 2 * BASE - 1, 1 << (self.level - 1))
                }
                n => Self::at(self.level, n - 1, 1 << self.level),
            };
        }
        self.split -= 1;
        let [to, from] = self.sides;
        Step {
            group: self.split,
            level: self.level,
            from,
            to,
        }
    }

    /// The first cursor after the bucket that `cursor` points into; 0 after the last.
    ///
    /// A cursor is a hash, namely the first of a bucket's interval in the order of reversed bits. Being a point of that
    /// order, and not a number of a bucket, it stays right whatever happens to the table.
    pub(super) fn next(&self, cursor: u64) -> u64 {
        let group = cursor & self.mask as u64;
        let (buckets, fraction) = self.within_group(cursor);
        let interval = fraction * buckets / 256;
        // The first fraction of the next interval, or 256, which carries into the group.
        let next = ((interval + 1) * 256).div_ceil(buckets);
        let group = if self.level == 0 {
            0
        } else {
            group.reverse_bits() >> (64 - self.level)
        };
        let point = (group << 8) + next;
        // The carry out of the last group is shifted out, which leaves 0.
        (point << (56 - self.level)).reverse_bits()
    }

    /// Whether `cursor` is the first of a bucket's interval, rather than somewhere in it because the table has changed.
    pub(super) fn begins_bucket(&self, cursor: u64) -> bool {
        let (buckets, fraction) = self.within_group(cursor);
        let interval = fraction * buckets / 256;
        cursor >> self.level <= 0xff && fraction == (interval * 256).div_ceil(buckets)
    }

    /// The number of buckets in the group of a hash, and how far into the group's interval it is, in 256ths.
    fn within_group(&self, hash: u64) -> (u64, u64) {
        let side = &self.sides[usize::from(low(hash) & self.mask < self.split)];
        (
            side.buckets as u64,
            (hash >> self.level & 0xff).reverse_bits() >> 56,
        )
    }
}

/// Whether `a` comes before `b` in the order of reversed bits.
pub(crate) fn precedes(a: u64, b: u64) -> bool {
    a.reverse_bits() < b.reverse_bits()
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "only low bits are used, and fewer than a usize has"
)]
fn low(hash: u64) -> usize {
    hash as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes() -> impl Iterator<Item = u64> {
        (0..2_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23))
    }

    #[test]
    fn each_step_moves_hashes_only_within_its_group_and_as_tags_foretell() {
        let mut shape = Shape::new();
        for buckets in 1..5_000 {
            assert_eq!(shape.buckets(), buckets);
            let before = shape;
            let step = shape.grow();
            for hash in hashes() {
                let ((old, old_tag), (new, _)) = (before.locate(hash), shape.locate(hash));
                assert!(old < buckets && new <= buckets, "{hash:x} at {buckets}");
                if low(hash) & before.mask == step.group {
                    let place = step.to.place(old_tag, &step.from, step.level);
                    assert_eq!(step.address(place), new, "{hash:x} at {buckets}");
                } else {
                    assert_eq!(old, new, "{hash:x} at {buckets}");
                }
            }
        }
    }

    #[test]
    fn shrinking_undoes_growing() {
        let mut shapes = vec![Shape::new()];
        while shapes.len() < 3_000 {
            let mut shape = shapes[shapes.len() - 1];
            shape.grow();
            shapes.push(shape);
        }
        let mut shape = shapes[shapes.len() - 1];
        while let Some(expected) = shapes.pop() {
            assert_eq!(shape.buckets(), expected.buckets());
            for hash in hashes().take(50) {
                assert_eq!(
                    shape.locate(hash),
                    expected.locate(hash),
                    "{} buckets",
                    expected.buckets()
                );
            }
            if shape.buckets() > 1 {
                shape.shrink();
            }
        }
    }

    #[test]
    fn cursors_visit_every_bucket_once_and_are_small() {
        let mut shape = Shape::new();
        for buckets in 1..3_000 {
            let mut seen = vec![false; buckets];
            let mut cursor = 0;
            loop {
                let (address, _) = shape.locate(cursor);
                assert!(shape.begins_bucket(cursor), "{cursor} of {buckets}");
                assert!(
                    !shape.begins_bucket(cursor | 1 << 63),
                    "{cursor} of {buckets}"
                );
                assert!(
                    !std::mem::replace(&mut seen[address], true),
                    "bucket {address} of {buckets} twice"
                );
                cursor = shape.next(cursor);
                assert!(
                    cursor < 256 << shape.level,
                    "cursor {cursor} of {buckets} buckets"
                );
                if cursor == 0 {
                    break;
                }
            }
            assert!(seen.iter().all(|seen| *seen), "of {buckets}");
            shape.grow();
        }
    }
}
