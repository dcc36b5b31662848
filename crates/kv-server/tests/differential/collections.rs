//! Commands on lists, hashes and sets. What is random is asked for as a whole, in any order.

use crate::compare::Rule;
use crate::generate::{Line, NUMBERS, Options, PATTERNS};

const SCAN_OPTIONS: &Options = &[("COUNT", NUMBERS), ("MATCH", PATTERNS), ("NX", &[])];
const LPOS_OPTIONS: &Options = &[
    ("RANK", RANKS),
    ("COUNT", NUMBERS),
    ("MAXLEN", NUMBERS),
    ("NX", &[]),
];
/// Redis 7.2 refuses the least integer, 7.0 does not.
const RANKS: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"2",
    b"-2",
    b"x",
    b"9223372036854775807",
    b"-9223372036854775807",
];
const LIMIT: &Options = &[("LIMIT", NUMBERS), ("NX", &[])];
const COUNT: &Options = &[("COUNT", NUMBERS)];
/// Not one of them waits.
const TIMEOUTS: &[&[u8]] = &[b"x", b"-1", b"-0.5", b"nan", b"", b"1 "];
/// Not one of them fills memory.
const FEW: &[&[u8]] = &[b"0", b"x", b"", b"-9223372036854775808", b"1.5"];
const ALL: &str = "100000";

impl Line<'_> {
    pub(crate) fn collection_command(&mut self) -> Rule {
        match self.rng.next() % 3 {
            0 => self.list_command(),
            1 => self.hash_command(),
            _ => self.set_command(),
        }
    }

    /// From one value to a few dozen.
    fn values(&mut self) -> &mut Self {
        self.value();
        let many = self.rng.chance(10);
        while !self.rng.chance(if many { 40 } else { 3 }) {
            self.value();
        }
        self
    }

    fn end(&mut self) -> &mut Self {
        if self.rng.chance(20) {
            return self.value();
        }
        self.one_of(&["LEFT", "RIGHT", "left", "Right"])
    }

    fn list_command(&mut self) -> Rule {
        match self.rng.next() % 24 {
            0..=2 => self.one_of(&["LPUSH", "RPUSH"]).key().values(),
            3 => self.one_of(&["LPUSHX", "RPUSHX"]).key().values(),
            4 => self.one_of(&["LPOP", "RPOP"]).key(),
            5 => self.one_of(&["LPOP", "RPOP"]).key().number(),
            6 => self.words("LLEN").key(),
            7 => self.words("LINDEX").key().number(),
            8 | 9 => self.words("LSET").key().number().value(),
            10 => self.words("LRANGE").key().number().number(),
            11 => self.words("LTRIM").key().number().number(),
            12 => self.words("LREM").key().number().value(),
            13 | 14 => {
                let side = self
                    .words("LINSERT")
                    .key()
                    .one_of(&["BEFORE", "AFTER", "after", "x"]);
                side.value().value()
            }
            15 | 16 => self.words("LPOS").key().value().options(LPOS_OPTIONS),
            17 => self.words("RPOPLPUSH").key().key(),
            18 | 19 => self.words("LMOVE").key().key().end().end(),
            20 => self.words("LMPOP").number().key().end().options(COUNT),
            21 => self
                .words("LMPOP")
                .word("2")
                .key()
                .key()
                .end()
                .options(COUNT),
            // Not by the exact rule, under which arguments come and go: another timeout might wait.
            22 => {
                let pop = self.one_of(&["BLPOP", "BRPOP"]).key().key();
                return pop.from(TIMEOUTS).by(Rule::AnyOrder);
            }
            _ => {
                let relocate = self.words("BLMOVE").key().key().end().end();
                return relocate.from(TIMEOUTS).by(Rule::AnyOrder);
            }
        };
        Rule::Exact
    }

    /// A whole walk, or one from a cursor that is none.
    fn scan(&mut self, name: &str) -> Rule {
        let cursor = if self.rng.chance(4) { "1x" } else { "0" };
        let walk = self.words(name).key().word(cursor).options(SCAN_OPTIONS);
        walk.by(Rule::Scan)
    }

    fn hash_command(&mut self) -> Rule {
        match self.rng.next() % 18 {
            0..=2 => self.words("HSET").key().values().value(),
            3 => self.words("HMSET").key().values().value(),
            4 => self.words("HSETNX").key().value().value(),
            5 => self.words("HGET").key().value(),
            6 => self.words("HMGET").key().values(),
            7 => self.words("HDEL").key().values(),
            8 => self.words("HLEN").key(),
            9 => self.words("HEXISTS").key().value(),
            10 => self.words("HSTRLEN").key().value(),
            11 | 12 => self.words("HINCRBY").key().value().number(),
            13 => self.words("HINCRBYFLOAT").key().value().value(),
            14 => {
                let all = self.one_of(&["HGETALL", "HKEYS", "HVALS"]).key();
                return all.by(Rule::AnyOrder);
            }
            15 => self.words("HRANDFIELD").key().from(FEW).word("WITHVALUES"),
            16 => {
                let all = self.words("HRANDFIELD").key().word(ALL);
                return all.by(Rule::AnyOrder);
            }
            _ => return self.scan("HSCAN"),
        };
        Rule::Exact
    }

    fn set_command(&mut self) -> Rule {
        match self.rng.next() % 20 {
            0..=3 => self.words("SADD").key().values(),
            4 | 5 => self.words("SREM").key().values(),
            6 => self.words("SCARD").key(),
            7 => self.words("SISMEMBER").key().value(),
            8 => self.words("SMISMEMBER").key().values(),
            9 | 10 => self.words("SMOVE").key().key().value(),
            11 => {
                let stored = self.one_of(&["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]);
                stored.key().key().key()
            }
            12 | 13 => {
                let combined = self
                    .one_of(&["SINTER", "SUNION", "SDIFF"])
                    .key()
                    .key()
                    .key();
                return combined.by(Rule::AnyOrder);
            }
            14 => self.words("SINTERCARD").number().key().options(LIMIT),
            15 => self
                .words("SINTERCARD")
                .word("2")
                .key()
                .key()
                .options(LIMIT),
            16 => return self.words("SMEMBERS").key().by(Rule::AnyOrder),
            17 => {
                let all = self.one_of(&["SPOP", "SRANDMEMBER"]).key().word(ALL);
                return all.by(Rule::AnyOrder);
            }
            // Without a count the choice would be random.
            18 => {
                let few = self.one_of(&["SPOP", "SRANDMEMBER"]).key().from(FEW);
                return few.by(Rule::AnyOrder);
            }
            _ => return self.scan("SSCAN"),
        };
        Rule::Exact
    }
}
