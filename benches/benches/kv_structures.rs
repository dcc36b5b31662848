//! The structures of kv-server's types beside plain ones of the standard library. What the server does beside is not measured.
//!
//!     cargo bench -p benches --bench kv_structures

#![expect(missing_docs, reason = "criterion_group! writes functions without")]

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use kv_server::bench::{Hash, Ints, List, Pack, Set, Zset, and, count_bits, first_bit};

/// Elements of what is large and of what is small.
const LARGE: u64 = 100_000;
const SMALL: u64 = 100;

/// Neighbours in a structure are not neighbours in the order of their use.
fn scattered(number: u64, below: u64) -> u64 {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % below
}

fn text(number: u64) -> [u8; 16] {
    let mut text = *b"element:00000000";
    let mut rest = number;
    for digit in text.iter_mut().rev() {
        if rest == 0 {
            break;
        }
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    text
}

fn index(number: u64, below: u64) -> usize {
    usize::try_from(scattered(number, below)).unwrap_or(0)
}

/// Runs `work` with 0, 1, 2, ...
fn each(c: &mut Criterion, name: &str, mut work: impl FnMut(u64)) {
    let mut number = 0;
    c.bench_function(name, |b| {
        b.iter(|| {
            number += 1;
            work(number);
        });
    });
}

fn pack(c: &mut Criterion) {
    let fill = || {
        let mut pack = Pack::default();
        (0..SMALL).for_each(|number| pack.push_back(&text(number)));
        pack
    };
    let filled = fill();
    let vec: Vec<Vec<u8>> = (0..SMALL).map(|number| text(number).to_vec()).collect();
    c.bench_function("pack/fill 100", |b| b.iter(fill));
    each(c, "pack/find of 100", |n| {
        assert!(filled.contains(&text(scattered(n, SMALL))));
    });
    each(c, "pack/find of 100, Vec<Vec>", |n| {
        let wanted = text(scattered(n, SMALL));
        assert!(vec.iter().any(|element| element[..] == wanted));
    });
    each(c, "pack/nth of 100", |n| {
        assert!(filled.nth_is_text(index(n, SMALL)));
    });
    c.bench_function("pack/walk 100", |b| {
        b.iter(|| black_box(&filled).text_bytes())
    });
}

fn list(c: &mut Criterion) {
    let mut list = List::default();
    let mut deque = VecDeque::new();
    for number in 0..LARGE {
        list.push_back(&text(number));
        deque.push_back(text(number).to_vec());
    }
    each(c, "list/index of 100,000", |n| {
        assert!(list.has(index(n, LARGE)));
    });
    each(c, "list/push and pop", |n| {
        list.push_back(&text(n));
        list.pop_front();
    });
    each(c, "list/push and pop, VecDeque<Vec>", |n| {
        deque.push_back(text(n).to_vec());
        black_box(deque.pop_front());
    });
    each(c, "list/insert and remove inside", |n| {
        list.insert(index(n, LARGE), &text(n));
        list.remove(index(n + 1, LARGE));
    });
    each(c, "list/insert and remove inside, VecDeque<Vec>", |n| {
        deque.insert(index(n, LARGE), text(n).to_vec());
        deque.remove(index(n + 1, LARGE));
    });
}

fn hash(c: &mut Criterion) {
    for (name, size) in [("100", SMALL), ("100,000", LARGE)] {
        let mut ours = Hash::default();
        let mut std = HashMap::new();
        for number in 0..size {
            ours.set(&text(number), b"value");
            std.insert(text(number).to_vec(), b"value".to_vec());
        }
        each(c, &format!("hash/get of {name}"), |n| {
            assert!(ours.contains(&text(scattered(n, size))));
        });
        each(c, &format!("hash/get of {name}, HashMap<Vec, Vec>"), |n| {
            assert!(std.contains_key(&text(scattered(n, size))[..]));
        });
        each(c, &format!("hash/remove and set of {name}"), |n| {
            let field = text(scattered(n, size));
            ours.remove(&field);
            ours.set(&field, b"value");
        });
        each(
            c,
            &format!("hash/remove and set of {name}, HashMap<Vec, Vec>"),
            |n| {
                let field = text(scattered(n, size));
                std.remove(&field[..]);
                std.insert(field.to_vec(), b"value".to_vec());
            },
        );
    }
}

fn ints(c: &mut Criterion) {
    const SIZE: u64 = 512;
    let number = |n: u64| i64::try_from(scattered(n, 1 << 40)).unwrap_or(0);
    let fill = || {
        let mut ints = Ints::default();
        for n in 0..SIZE {
            ints.insert(number(n));
        }
        ints
    };
    let ints = fill();
    let std: BTreeSet<i64> = (0..SIZE).map(number).collect();
    c.bench_function("intset/fill 512", |b| b.iter(fill));
    each(c, "intset/find of 512", |n| {
        assert!(ints.contains(number(n % SIZE)));
    });
    each(c, "intset/find of 512, BTreeSet", |n| {
        assert!(std.contains(&number(n % SIZE)));
    });
}

fn set(c: &mut Criterion) {
    let (mut ours, mut std) = (Set::default(), HashSet::new());
    for number in 0..LARGE {
        ours.insert(&text(number));
        std.insert(text(number).to_vec());
    }
    each(c, "set/find of 100,000", |n| {
        assert!(ours.contains(&text(scattered(n, LARGE))));
    });
    each(c, "set/find of 100,000, HashSet<Vec>", |n| {
        assert!(std.contains(&text(scattered(n, LARGE))[..]));
    });
    each(c, "set/remove and add of 100,000", |n| {
        let member = text(scattered(n, LARGE));
        ours.remove(&member);
        ours.insert(&member);
    });
}

fn zset(c: &mut Criterion) {
    #[expect(clippy::cast_precision_loss, reason = "far below what a double holds")]
    let score = |n: u64| scattered(n, 1 << 30) as f64;
    let mut zset = Zset::default();
    for number in 0..LARGE {
        zset.insert(&text(number), score(number));
    }
    each(c, "zset/rank of 100,000", |n| {
        assert!(zset.rank(&text(scattered(n, LARGE))).is_some());
    });
    each(c, "zset/count by score of 100,000", |n| {
        black_box(zset.count_below(score(n)));
    });
    each(c, "zset/100 of 100,000 by rank", |n| {
        black_box(zset.sum_of(index(n, LARGE - 100), 100));
    });
    each(c, "zset/another score in 100,000", |n| {
        zset.insert(&text(scattered(n, LARGE)), score(n));
    });
    c.bench_function("zset/pop 1,000 of 100,000", |b| {
        b.iter_batched(
            || zset.clone(),
            |mut zset| {
                (0..1000).for_each(|_| zset.pop_first());
                zset
            },
            BatchSize::LargeInput,
        );
    });
}

fn bits(c: &mut Criterion) {
    let bytes = vec![0x5a; 1 << 16];
    let zeros = vec![0; 1 << 16];
    c.bench_function("bits/count 64 KiB", |b| {
        b.iter(|| count_bits(black_box(&bytes)));
    });
    c.bench_function("bits/count 64 KiB, byte by byte", |b| {
        b.iter(|| {
            let ones = black_box(&bytes)
                .iter()
                .map(|byte| u64::from(byte.count_ones()));
            ones.sum::<u64>()
        });
    });
    c.bench_function("bits/first one in 64 KiB of zeros", |b| {
        b.iter(|| first_bit(black_box(&zeros), true));
    });
    c.bench_function("bits/and of 2 times 64 KiB", |b| {
        b.iter(|| and(black_box(&[&bytes, &zeros])));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .sample_size(20);
    targets = pack, list, hash, ints, set, zset, bits
}
criterion_main!(benches);
