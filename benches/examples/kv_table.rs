//! The hash table of `kv-server` beside `hashbrown` and the `HashMap` of `std`.
//!
//!     cargo run --release -p benches --example kv_table -- 1000000 table
//!
//! The second argument is one of `table`, `hashbrown`, `std` or `none`, one a run so that each begins with a fresh heap;
//! `none` does all but the table, to tell what the rest costs. `hash` compares hash functions
//! instead, and `expiry` lets all entries expire within an hour of ten turns a second.
//!
//! Entries are as in the server: one allocation each, with a key of 16 bytes and a value of 16, and a clock beside it.
//! Figures are nanoseconds of processor time an operation, of independent operations; they include the making of the
//! key. Entries are inserted in the order of their keys and then used in random order.

#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "a private module of kv-server, of which this uses a part"
)]
#[path = "../../crates/kv-server/src/keyspace/table/mod.rs"]
mod table;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::flags;

use self::table::{Entry, ExpiryCursor, Seed, Slot, Table};

const USAGE: &str = "\
Usage: kv_table [ENTRIES [table | hashbrown | std | none | hash | expiry]]

Measures a table with so many entries (a million), hash functions, or how entries expire.";

/// A byte for the length of the key, the key, the value.
#[derive(Debug, Default)]
struct Packed(Box<[u8]>);

impl Packed {
    fn new(key: &[u8; 16]) -> Self {
        let mut packed = Vec::with_capacity(33);
        packed.push(16);
        packed.extend_from_slice(key);
        packed.extend_from_slice(key);
        Self(packed.into_boxed_slice())
    }
}

impl Slot for Packed {
    fn is_vacant(&self) -> bool {
        self.0.is_empty()
    }
}

impl Entry for Packed {
    fn key(&self) -> &[u8] {
        &self.0[1..=usize::from(self.0[0])]
    }
}

impl Borrow<[u8]> for Packed {
    fn borrow(&self) -> &[u8] {
        self.key()
    }
}

impl Hash for Packed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Packed {}

trait Map {
    fn insert(&mut self, entry: Packed);
    fn get(&self, key: &[u8]) -> bool;
    fn remove(&mut self, key: &[u8]) -> bool;
}

impl Map for Table<Packed> {
    fn insert(&mut self, entry: Packed) {
        Self::insert(self, entry);
    }

    fn get(&self, key: &[u8]) -> bool {
        Self::get(self, key).is_some()
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        Self::remove(self, key).is_some()
    }
}

/// The value is the clock.
impl Map for HashMap<Packed, u32> {
    fn insert(&mut self, entry: Packed) {
        Self::insert(self, entry, 0);
    }

    fn get(&self, key: &[u8]) -> bool {
        Self::get(self, key).is_some()
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        Self::remove(self, key).is_some()
    }
}

impl Map for hashbrown::HashMap<Packed, u32> {
    fn insert(&mut self, entry: Packed) {
        Self::insert(self, entry, 0);
    }

    fn get(&self, key: &[u8]) -> bool {
        Self::get(self, key).is_some()
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        Self::remove(self, key).is_some()
    }
}

/// Keeps the entries, to be freed at the same time as in the others.
impl Map for Vec<Packed> {
    fn insert(&mut self, entry: Packed) {
        self.push(entry);
    }

    fn get(&self, key: &[u8]) -> bool {
        black_box(key).len() == 16
    }

    fn remove(&mut self, _: &[u8]) -> bool {
        self.pop().is_some()
    }
}

fn main() {
    let mut args = flags::words(USAGE).into_iter();
    let count = args
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    match args.next().as_deref() {
        Some("hashbrown") => measure("hashbrown", count, hashbrown::HashMap::<Packed, u32>::new),
        Some("std") => measure("std", count, HashMap::<Packed, u32>::new),
        Some("none") => measure("none", count, || {
            Vec::with_capacity(usize::try_from(count).unwrap_or(0))
        }),
        Some("hash") => hashes(),
        Some("expiry") => expiry(count),
        _ => {
            measure("table", count, Table::<Packed>::new);
            shape(count);
        }
    }
}

fn measure<M: Map>(name: &str, count: u64, new: impl Fn() -> M) {
    let per = |time: Duration| time.as_nanos() / u128::from(count);
    let before = resident();
    let mut map = new();
    let mut longest = Longest::start();
    let insert = timed(|| {
        for n in 0..count {
            map.insert(Packed::new(&key(n)));
            longest.lap();
        }
    });
    let bytes = (resident() - before) as f64 / count as f64;

    let hit = timed(|| {
        let found = (0..count)
            .filter(|n| map.get(&key(shuffle(n + 17, count))))
            .count();
        assert_eq!(found as u64, count);
    });
    let miss = timed(|| {
        let found = (0..count)
            .filter(|n| map.get(&key(count + shuffle(*n, count))))
            .count();
        assert!(found == 0 || name == "none");
    });
    let update = timed(|| {
        if name != "none" {
            (0..count).for_each(|n| map.insert(Packed::new(&key(shuffle(n + 5, count)))));
        }
    });
    let mut longest_remove = Longest::start();
    let remove = timed(|| {
        for n in 0..count {
            assert!(map.remove(&key(shuffle(n + 3, count))));
            longest_remove.lap();
        }
    });
    println!(
        "{name:9} {count:8}: insert {:3} hit {:3} miss {:3} replace {:3} remove {:3} ns; \
         {bytes:.1} resident bytes a key; longest insert {longest}; longest remove {longest_remove}",
        per(insert),
        per(hit),
        per(miss),
        per(update),
        per(remove),
    );
}

/// The time on the processor, which other programs do not lengthen much.
fn timed(f: impl FnOnce()) -> Duration {
    let start = scheduled().0;
    f();
    scheduled().0 - start
}

/// The time that this thread was on a processor, and the time that it waited for one.
fn scheduled() -> (Duration, Duration) {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut nanos = stat
        .split(' ')
        .map(|nanos| Duration::from_nanos(nanos.trim().parse().unwrap_or(0)));
    (
        nanos.next().unwrap_or_default(),
        nanos.next().unwrap_or_default(),
    )
}

/// The five longest operations, less the time that other programs had the processor.
struct Longest {
    times: [Duration; 5],
    last: Instant,
    waited: Duration,
}

impl Longest {
    fn start() -> Self {
        Self {
            times: [Duration::ZERO; 5],
            waited: scheduled().1,
            last: Instant::now(),
        }
    }

    /// An operation ends here and the next begins.
    #[inline]
    fn lap(&mut self) {
        let now = Instant::now();
        let time = now - self.last;
        self.last = now;
        if time > self.times[4] {
            self.note(time);
        }
    }

    #[cold]
    fn note(&mut self, time: Duration) {
        let waited = scheduled().1;
        self.times[4] = self.times[4].max(time.saturating_sub(waited - self.waited));
        self.times.sort_unstable_by(|a, b| b.cmp(a));
        self.waited = waited;
        self.last = Instant::now();
    }
}

impl std::fmt::Display for Longest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros: Vec<_> = self
            .times
            .iter()
            .map(|time| time.as_micros().to_string())
            .collect();
        write!(f, "{} µs", micros.join(" "))
    }
}

/// Bytes of the structure for each entry, and the share of entries out of their bucket, at ten sizes of one doubling.
fn shape(count: u64) {
    let mut table = Table::<Packed>::with_seed(Seed::new(1, 2));
    for n in 0..count {
        table.insert(Packed::new(&key(n)));
        if n >= count / 2 && n % (count / 20) == 0 {
            let len = table.len() as f64;
            println!(
                "{:9} entries: {:.2} bytes of structure an entry, {:.2} entries a bucket, {:.2} % in overflow",
                table.len(),
                table.memory() as f64 / len,
                len / table.buckets() as f64,
                table.overflowed() as f64 * 100.0 / len,
            );
        }
    }
    let start = Instant::now();
    let (mut cursor, mut calls, mut seen) = (0, 0_u64, 0_u64);
    loop {
        cursor = table.scan(cursor, |_| seen += 1);
        calls += 1;
        if cursor == 0 {
            break;
        }
    }
    println!(
        "scan: {seen} entries in {calls} steps of {} ns",
        start.elapsed().as_nanos() / u128::from(calls)
    );
    let mut n = 0_u64;
    let start = Instant::now();
    for _ in 0..100_000 {
        black_box(table.random(|| {
            n += 1;
            mix(n)
        }));
    }
    println!("random: {} ns", start.elapsed().as_nanos() / 100_000);
    let mut heap = table.clear();
    let mut longest = Longest::start();
    let clear = timed(|| {
        while heap.drain_some(1_000) > 0 {
            longest.lap();
        }
    });
    println!("clear: {clear:?}, longest slice of 1000: {longest}");
}

/// A key of 16 bytes, and when it expires.
#[derive(Debug, Default)]
struct Volatile(Option<Box<([u8; 16], i64)>>);

impl Slot for Volatile {
    fn is_vacant(&self) -> bool {
        self.0.is_none()
    }

    fn expire_at(&self) -> Option<i64> {
        self.0.as_ref().map(|entry| entry.1)
    }
}

impl Entry for Volatile {
    fn key(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |entry| &entry.0)
    }
}

/// What turns of active expiry cost when entries expire at random times within an hour.
fn expiry(count: u64) {
    const HOUR: i64 = 3_600_000;
    let mut table = Table::<Volatile>::new();
    for n in 0..count {
        let at = i64::try_from(mix(n) % HOUR.unsigned_abs()).unwrap_or(0);
        table.insert(Volatile(Some(Box::new((key(n), at)))));
    }
    let mut cursor = ExpiryCursor::default();
    let idle = timed(|| {
        for _ in 0..1_000_000 {
            black_box(table.expired(-1, &mut cursor, 4_096, drop));
        }
    });
    println!(
        "a turn with nothing due: {} ns",
        idle.as_nanos() / 1_000_000
    );
    // The first turns also make the bounds exact, which growth left too early.
    let (mut removed, mut now) = (0, 0);
    for minute in 0..5 {
        let (mut longest, before) = (Longest::start(), removed);
        let time = timed(|| {
            for _ in 0..600 {
                now += 100;
                while {
                    let sweep = table.expired(now, &mut cursor, 4_096, drop);
                    longest.lap();
                    removed += sweep.removed;
                    !sweep.finished
                } {}
            }
        });
        let due = removed - before;
        println!(
            "minute {minute}: {due} entries, {} ns each, {:.2} % of a processor; longest call {longest}",
            time.as_nanos() / due.max(1) as u128,
            time.as_secs_f64() / 60.0 * 100.0,
        );
    }
}

/// What a hash costs when the next one waits for it.
fn hashes() {
    let seed = Seed::of_process();
    let quality = foldhash::quality::RandomState::default();
    let std = std::hash::RandomState::new();
    for len in [8, 16, 24, 32, 64] {
        let chain = |hash: &dyn Fn(&[u8]) -> u64| {
            let mut bytes = vec![7; len];
            let start = Instant::now();
            for _ in 0..10_000_000 {
                let hash = hash(black_box(&bytes));
                bytes[..8].copy_from_slice(&hash.to_le_bytes());
            }
            start.elapsed().as_nanos() as f64 / 1e7
        };
        use std::hash::BuildHasher as _;
        println!(
            "{len:2} bytes: SipHash-1-3 of the table {:.1}, of std {:.1}, foldhash::quality {:.1} ns",
            chain(&|bytes| seed.hash(bytes)),
            chain(&|bytes| std.hash_one(bytes)),
            chain(&|bytes| quality.hash_one(bytes)),
        );
    }
}

fn key(mut n: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(n % 10).unwrap_or(0);
        n /= 10;
    }
    key
}

/// A permutation of `0..count` that no prefetcher sees through, for counts not divisible by the prime.
fn shuffle(n: u64, count: u64) -> u64 {
    (n * 2_654_435_761) % count
}

fn mix(n: u64) -> u64 {
    let n = (n ^ n >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ n >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Resident bytes of the process.
fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<i64>().ok())
        .unwrap_or(0)
        * 4096
}
