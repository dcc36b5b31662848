//! Where the keys of a command stand among its arguments: what decides to which node of a cluster it goes.
//!
//! These are the [key specifications](https://redis.io/docs/latest/develop/reference/key-specs/) that Redis gives out
//! with COMMAND INFO, and its rules in code where it has no specification (SORT).

/// Some of the keys of a command. Positions count from its name, which is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// One key, here.
    At(usize),
    /// From here to the end, every so many arguments, without so many arguments at the end.
    From {
        first: usize,
        step: usize,
        without_last: usize,
    },
    /// The number of keys stands here, and they follow it.
    Counted(usize),
    /// One key, behind this word, which stands here or later.
    Behind(&'static str, usize),
    /// All that is behind this word, which stands here or later.
    AllBehind(&'static str, usize),
    /// The first half of what is behind this word, which stands here or later.
    HalfBehind(&'static str, usize),
}

use Place::{AllBehind, At, Behind, Counted, From, HalfBehind};

const fn from(first: usize, step: usize, without_last: usize) -> Place {
    From {
        first,
        step,
        without_last,
    }
}

pub(crate) const NO_KEY: &[Place] = &[];
pub(crate) const KEY: &[Place] = &[At(1)];
pub(crate) const KEY_2: &[Place] = &[At(2)];
pub(crate) const TWO_KEYS: &[Place] = &[At(1), At(2)];
pub(crate) const KEYS: &[Place] = &[from(1, 1, 0)];
pub(crate) const KEYS_FROM_2: &[Place] = &[from(2, 1, 0)];
pub(crate) const KEYS_BUT_LAST: &[Place] = &[from(1, 1, 1)];
pub(crate) const PAIRS: &[Place] = &[from(1, 2, 0)];
pub(crate) const COUNTED: &[Place] = &[Counted(1)];
pub(crate) const COUNTED_2: &[Place] = &[Counted(2)];
pub(crate) const KEY_AND_COUNTED: &[Place] = &[At(1), Counted(2)];
pub(crate) const STREAMS: &[Place] = &[HalfBehind("STREAMS", 1)];
/// Behind the names of a group and a consumer.
pub(crate) const STREAMS_OF_GROUP: &[Place] = &[HalfBehind("STREAMS", 4)];
pub(crate) const SORT: &[Place] = &[At(1), Behind("STORE", 2)];
pub(crate) const GEORADIUS: &[Place] = &[At(1), Behind("STORE", 5), Behind("STOREDIST", 5)];
pub(crate) const MIGRATE: &[Place] = &[At(3), AllBehind("KEYS", 6)];

/// The keys among `argv`, which begins with the command's name.
pub(crate) fn find<'a>(places: &[Place], argv: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut keys: Vec<&[u8]> = Vec::new();
    for place in places {
        let behind = |word: &str, first: usize| {
            let rest = argv.get(first..)?;
            let at = rest
                .iter()
                .position(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))?;
            rest.get(at + 1..)
        };
        match *place {
            At(index) => keys.extend(argv.get(index)),
            From {
                first,
                step,
                without_last,
            } => {
                let end = argv.len().saturating_sub(without_last);
                keys.extend(argv.get(first..end).into_iter().flatten().step_by(step));
            }
            Counted(index) => {
                let count = argv.get(index).and_then(|count| number(count)).unwrap_or(0);
                let rest = argv.get(index + 1..).unwrap_or_default();
                keys.extend(&rest[..count.min(rest.len())]);
            }
            Behind(word, first) => {
                keys.extend(behind(word, first).and_then(<[_]>::first));
            }
            AllBehind(word, first) => keys.extend(behind(word, first).unwrap_or_default()),
            HalfBehind(word, first) => {
                let rest = behind(word, first).unwrap_or_default();
                keys.extend(&rest[..rest.len() / 2]);
            }
        }
    }
    // MIGRATE with KEYS has an empty string in the place of its one key.
    if places == MIGRATE {
        keys.retain(|key| !key.is_empty());
    }
    keys
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(places: &[Place], line: &str) -> String {
        let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let keys = find(places, &argv);
        String::from_utf8(keys.join(&b' ')).unwrap()
    }

    #[test]
    fn keys_are_found_wherever_they_stand() {
        assert_eq!(keys(KEY, "GET a"), "a");
        assert_eq!(keys(PAIRS, "MSET a 1 b 2"), "a b");
        assert_eq!(keys(KEYS_BUT_LAST, "BLPOP a b 0"), "a b");
        assert_eq!(
            keys(KEY_AND_COUNTED, "ZUNIONSTORE d 2 a b WEIGHTS 1 2"),
            "d a b"
        );
        assert_eq!(keys(STREAMS, "XREAD COUNT 1 STREAMS a b 0 0"), "a b");
        let line = "XREADGROUP GROUP streams streams COUNT 1 STREAMS a b > >";
        assert_eq!(keys(STREAMS_OF_GROUP, line), "a b");
        assert_eq!(keys(SORT, "SORT a BY nosort store d"), "a d");
        assert_eq!(keys(MIGRATE, "MIGRATE h 1 a 0 5000"), "a");
        assert_eq!(keys(MIGRATE, "MIGRATE h 1  0 5000 COPY KEYS a b"), "a b");
    }

    #[test]
    fn a_count_that_lies_reaches_no_further_than_the_end() {
        assert_eq!(keys(COUNTED, "ZDIFF 18446744073709551615 a b"), "a b");
        assert_eq!(keys(COUNTED, "ZDIFF -1 a"), "");
        assert_eq!(keys(COUNTED_2, "EVAL x"), "");
        assert_eq!(keys(KEYS_BUT_LAST, "BLPOP"), "");
    }
}
