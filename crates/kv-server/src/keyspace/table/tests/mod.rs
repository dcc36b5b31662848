//! The table against a model, through growth and shrinkage.

mod model;

use std::collections::{BTreeSet, HashSet};

use super::*;

/// The form that entries of a database have: 16 bytes, key and all in one allocation.
#[derive(Clone, Debug, Default, PartialEq)]
struct Item(Option<Box<Content>>, u64);

#[derive(Clone, Debug, PartialEq)]
struct Content {
    key: Vec<u8>,
    expire_at: Option<i64>,
}

impl Item {
    fn new(key: impl Into<Vec<u8>>, value: u64, expire_at: Option<i64>) -> Self {
        Self(
            Some(Box::new(Content {
                key: key.into(),
                expire_at,
            })),
            value,
        )
    }

    fn numbered(n: u32) -> Self {
        Self::new(n.to_le_bytes(), u64::from(n), None)
    }

    fn number(&self) -> u32 {
        u32::from_le_bytes(self.key().try_into().unwrap())
    }
}

impl Slot for Item {
    fn is_vacant(&self) -> bool {
        self.0.is_none()
    }

    fn expire_at(&self) -> Option<i64> {
        self.0.as_ref().unwrap().expire_at
    }

    fn memory(&self) -> usize {
        usize::try_from(self.1).unwrap() % 97
    }
}

impl Entry for Item {
    fn key(&self) -> &[u8] {
        &self.0.as_ref().unwrap().key
    }
}

const SEED: Seed = Seed::new(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);

fn table_of(numbers: impl IntoIterator<Item = u32>) -> Table<Item> {
    let mut table = Table::with_seed(SEED);
    for n in numbers {
        assert!(table.insert(Item::numbered(n)).is_none(), "{n} is new");
    }
    table
}

/// A sequence of good enough random numbers (xorshift*).
fn random_numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Checks all that must hold between two calls.
fn check(table: &Table<Item>) {
    let buckets: Vec<_> = table
        .chunks
        .iter()
        .flat_map(|chunk| &chunk.buckets)
        .collect();
    assert_eq!(buckets.len(), table.buckets());
    let full = table.chunks.len().saturating_sub(1);
    assert!(
        table.chunks[..full]
            .iter()
            .all(|chunk| chunk.buckets.len() == CHUNK)
    );
    assert_eq!(
        buckets.iter().map(|bucket| bucket.len()).sum::<usize>(),
        table.len()
    );
    assert_eq!(
        buckets
            .iter()
            .map(|bucket| bucket.overflow_bytes())
            .sum::<usize>(),
        table.overflow_bytes
    );
    assert!(table.moving.is_empty());
    assert!(table.len() * 2 <= buckets.len() * MAX_LOAD_HALVES);
    assert!(buckets.len() <= 1 || table.len() >= buckets.len() * MIN_LOAD);
    for (address, bucket) in buckets.iter().enumerate() {
        let chunk = &table.chunks[address / CHUNK];
        for slot in bucket.slots() {
            let entry = bucket.get(slot);
            let (home, tag) = table.shape.locate(table.hash(entry.key()));
            assert_eq!(home, address, "{entry:?}");
            assert_eq!(
                bucket.find(tag, |found| found.key() == entry.key()),
                Some(slot),
                "{entry:?}"
            );
            let at = entry.expire_at().unwrap_or(i64::MAX);
            assert!(
                table.next_expiry <= at && chunk.next_expiry <= at && bucket.next_expiry <= at,
                "{entry:?}"
            );
        }
    }
}

#[test]
fn an_empty_table_allocates_nothing_and_a_small_one_little() {
    let mut table = Table::<Item>::new();
    assert_eq!(table.memory(), 0);
    assert!(table.is_empty() && table.find(b"key").is_none() && table.scan(7, |_| ()) == 0);
    assert!(
        table.random(|| 0).is_none()
            && table.remove(b"key").is_none()
            && table.iter().next().is_none()
    );
    for n in 0..8 {
        table.insert(Item::numbered(n));
    }
    assert!(
        table.memory() <= 300,
        "{} bytes for 8 entries",
        table.memory()
    );
}

#[test]
fn a_bucket_is_four_cache_lines() {
    assert_eq!(size_of::<Item>(), 16);
    assert_eq!(size_of::<Bucket<Item>>(), 256);
}

#[test]
fn memory_per_entry_stays_bounded_while_growing_and_shrinking() {
    let mut table = Table::with_seed(SEED);
    for n in 0..200_000 {
        table.insert(Item::numbered(n));
        if n >= 5_000 && n % 1_000 == 0 {
            let bytes = table.memory() as f64 / table.len() as f64;
            assert!(
                (28.0..40.0).contains(&bytes),
                "{bytes} bytes per entry at {n}"
            );
        }
    }
    check(&table);
    for n in (0..200_000).rev() {
        assert_eq!(
            table.remove(&u32::to_le_bytes(n)).map(|item| item.number()),
            Some(n)
        );
        if n >= 5_000 && n % 1_000 == 0 {
            let bytes = table.memory() as f64 / table.len() as f64;
            assert!(
                (28.0..60.0).contains(&bytes),
                "{bytes} bytes per entry at {n}"
            );
        }
    }
    check(&table);
    assert!(
        table.memory() < 10_000,
        "{} bytes when empty",
        table.memory()
    );
}

#[test]
fn a_length_that_goes_up_and_down_does_not_move_buckets() {
    let mut table = table_of(0..50_000);
    let buckets = table.buckets();
    for _ in 0..10 {
        for n in 50_000..50_009 {
            table.insert(Item::numbered(n));
        }
        for n in 50_000..50_009 {
            table.remove(&u32::to_le_bytes(n));
        }
    }
    assert!(table.buckets() <= buckets + 2);
}

/// What bounds the time of the longest insertion. The capacity remembers the most that was ever on the move.
#[test]
fn no_step_of_growth_or_shrinkage_moves_many_entries() {
    let mut table = table_of(0..300_000);
    for n in 0..300_000_u32 {
        table.remove(&n.to_le_bytes());
    }
    let most = table.moving.capacity();
    assert!((8..=128).contains(&most), "{most} entries at once");
}

/// Tags are made from other bits of the hash from 256 and from 65536 groups on, and back.
#[test]
fn tags_are_renewed_where_the_level_asks_for_it() {
    const COUNT: u32 = 1_300_000;
    let mut table = Table::with_seed(SEED);
    let mut levels = HashSet::new();
    for n in 0..COUNT {
        table.insert(Item::numbered(n));
        levels.insert(table.shape.level);
    }
    assert!(levels.contains(&8) && levels.contains(&16), "{levels:?}");
    check(&table);
    for n in 0..COUNT - 2_000 {
        assert!(table.remove(&n.to_le_bytes()).is_some(), "{n}");
        if n % 400_000 == 0 {
            check(&table);
        }
    }
    assert_eq!(table.shape.level, 7);
    check(&table);
}

#[test]
fn entries_with_one_hash_are_all_kept() {
    let mut table = Table::<Item>::with_seed(SEED);
    // As if all had the same hash: straight into one bucket.
    let mut bucket = Bucket::<Item>::default();
    for n in 0..1_000 {
        let slot = bucket.insert(Moving::new(Item::numbered(n), 5, i64::MAX));
        assert_eq!(bucket.get(slot).number(), n);
    }
    for n in (0..1_000).step_by(3).chain((0..1_000).skip(1).step_by(3)) {
        let slot = bucket
            .find(5, |item| item.number() == n)
            .expect("still there");
        assert_eq!(bucket.remove(slot).number(), n);
    }
    let left: BTreeSet<_> = bucket
        .slots()
        .map(|slot| bucket.get(slot).number())
        .collect();
    assert!(left.into_iter().eq((2..1_000).step_by(3)));
    assert_eq!(bucket.slots().count(), bucket.len());
    let overflow = bucket.overflow_bytes();
    assert!(overflow > 0 && overflow < 1_000 * 32, "{overflow} bytes");
    for slot in (0..bucket.len()).rev() {
        bucket.remove(slot);
    }
    assert_eq!((bucket.len(), bucket.overflow_bytes()), (0, 0));
    assert!(table.insert(Item::numbered(1)).is_none());
}

#[test]
fn random_entries_are_drawn_evenly() {
    let mut random = random_numbers(42);
    for count in [1, 5, 60, 700, 5_000_u32] {
        let table = table_of(0..count);
        let mut drawn = vec![0_u32; count as usize];
        let draws = count * 200;
        for _ in 0..draws {
            let position = table.random(&mut random).expect("not empty");
            drawn[table.at(position).number() as usize] += 1;
        }
        // χ² has a mean of count - 1 and a variance of twice that; six deviations do not happen by chance.
        let chi: f64 = drawn
            .iter()
            .map(|&drawn| (f64::from(drawn) - 200.0).powi(2) / 200.0)
            .sum();
        let free = f64::from(count - 1);
        assert!(
            chi < free + 6.0 * (2.0 * free).sqrt() + 1e-9,
            "χ² is {chi} for {count} entries"
        );
    }
}

#[test]
fn a_sample_of_volatile_entries_finds_the_only_one() {
    let mut table = table_of(0..20_000);
    table.sample(0, 5, true, |_, _, _| panic!("none is volatile"));
    table.insert(Item::new(7_777_u32.to_le_bytes(), 0, Some(9)));
    for start in [0, u64::MAX / 3, u64::MAX] {
        let mut found = Vec::new();
        table.sample(start, 5, true, |position, item, clock| {
            assert_eq!((table.at(position), clock), (item, 0));
            found.push(item.number());
        });
        assert_eq!(found, [7_777]);
        let mut count = 0;
        table.sample(start, 16, false, |_, _, _| count += 1);
        assert_eq!(count, 16);
    }
}

#[test]
fn expiry_far_ahead_costs_no_look() {
    let mut table = Table::with_seed(SEED);
    for n in 0..50_000_u32 {
        table.insert(Item::new(
            n.to_le_bytes(),
            0,
            Some(1_000_000 + i64::from(n)),
        ));
    }
    table.insert(Item::new(*b"soon", 0, Some(10)));
    let mut cursor = ExpiryCursor::default();
    assert_eq!(
        table.expired(9, &mut cursor, 1, drop),
        Sweep {
            removed: 0,
            finished: true
        }
    );
    // One chunk is looked through, with the entries of one bucket; the others are passed over.
    let sweep = table.expired(10, &mut cursor, 2 * CHUNK + 100, drop);
    assert_eq!(
        sweep,
        Sweep {
            removed: 1,
            finished: true
        }
    );
    assert_eq!(table.next_expiry(), 1_000_000);
}

#[test]
fn a_budget_too_small_for_a_round_reaches_every_due_entry() {
    let mut table = table_of(0..30_000);
    for n in 0..100_u32 {
        table.insert(Item::new((n * 300).to_le_bytes(), 0, Some(5)));
    }
    let (mut cursor, mut removed, mut calls) = (ExpiryCursor::default(), 0, 0_u32);
    while removed < 100 {
        // More come due all the time where the sweep has been.
        let sweep = table.expired(5, &mut cursor, 20, |item| {
            removed += usize::from(item.expire_at() == Some(5))
        });
        table.insert(Item::new((100_000 + calls).to_le_bytes(), 0, Some(4)));
        assert!(!sweep.finished || removed == 100);
        calls += 1;
        assert!(calls < 2_000, "{removed} of 100 after {calls} calls");
    }
}

#[test]
fn a_cleared_table_is_freed_in_slices() {
    let mut table = table_of(0..10_000);
    let mut heap = table.clear();
    assert!(table.is_empty() && table.memory() == 0 && table.find(&1_u32.to_le_bytes()).is_none());
    let mut left = heap.len();
    assert_eq!(left, 10_000);
    while !heap.is_empty() {
        let now = heap.drain_some(100);
        assert!(
            now == 0 || (100..200).contains(&(left - now)),
            "{left} to {now}"
        );
        left = now;
    }
    assert!(table.insert(Item::numbered(1)).is_none());
}

#[test]
fn warming_reads_present_and_absent_keys_without_harm() {
    let table = table_of(0..40_000);
    let keys: Vec<_> = (0..80_000u32).map(u32::to_le_bytes).collect();
    for chunk in keys.chunks(warm::WARM_MAX + 3) {
        table.warm(chunk.iter().map(|key| &key[..]));
    }
    assert_eq!(table.len(), 40_000);
}
