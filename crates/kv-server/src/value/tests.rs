//! What collections take, against Redis.

use super::*;
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::table::Slot as _;
use crate::value::list::End;

/// Bytes that `MEMORY USAGE key SAMPLES 0` of redis-server 7.0.15 gives for 10, 100 and 100,000 elements `element:00000000`,
/// fields `field:00000000` with values `value:00000000`, multiples of 7, and elements with multiples of 7 as scores. Sets of 10 and 100 texts have a listpack since Redis 7.2 only,
/// so what a list takes stands for them.
const REDIS: [(usize, [usize; 5]); 3] = [
    (10, [320, 320, 432, 80, 272]),
    (100, [2176, 2176, 3632, 272, 2608]),
    (
        100_000,
        [1_813_736, 7_172_976, 6_648_688, 4_772_976, 11_980_392],
    ),
];

/// Bytes of structure that a key takes in the keyspace's table.
const SLOT: usize = 31;

/// The object of a key takes more than Redis's, which shows in small collections; larger ones make up for it.
const OBJECT: usize = 56;

#[test]
fn elements_take_no_more_memory_than_in_redis() {
    for (count, redis) in REDIS {
        let (mut list, mut texts) = (List::default(), Set::Pack(Default::default()));
        let (mut hash, mut ints) = (Hash::default(), Set::default());
        let mut zset = Zset::default();
        for n in 0..count {
            let element = format!("element:{n:08}");
            list.expect(1, element.len(), Default::default());
            list.push(End::Right, element.as_bytes(), Default::default());
            texts.insert(element.as_bytes(), &Default::default());
            ints.insert((n * 7).to_string().as_bytes(), &Default::default());
            let score = (n * 7) as f64;
            zset.insert(element.as_bytes(), score, &Default::default());
            let (field, value) = (format!("field:{n:08}"), format!("value:{n:08}"));
            hash.set(field.as_bytes(), value.as_bytes(), &Default::default());
        }
        let values = [
            list.into(),
            texts.into(),
            hash.into(),
            ints.into(),
            zset.into(),
        ];
        for (value, redis) in values.into_iter().zip(redis) {
            let value: Value = value;
            let name = format!("{} as {}", value.type_name(), value.encoding());
            let ours = SLOT + Entry::object(b"l10", value, NEVER).memory();
            let limit = if count > 100 { redis } else { redis + OBJECT };
            assert!(
                ours <= limit,
                "{count} {name}: {ours} bytes, in Redis {redis}"
            );
        }
    }
}
