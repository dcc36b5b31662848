//! Commands on sorted sets. Redis 7.0 writes other digits than 7.2 does, so scores are compared as numbers.

use crate::compare::Rule;
use crate::generate::{Line, NUMBERS, Options, PATTERNS};

const SCORES: &[&[u8]] = &[
    b"0",
    b"0",
    b"0",
    b"1",
    b"1",
    b"2",
    b"3",
    b"-1",
    b"-5",
    b"10",
    b"0.1",
    b"1.5",
    b"-2.25",
    b"3.0e3",
    b"inf",
    b"-inf",
    b"+inf",
    b"1e300",
    b"-1e300",
    b"1e-300",
    b"9007199254740993",
    b"9223372036854775807",
    b"123456789.125",
    b"-0",
    b"0x10",
    b"nan",
    b"1e400",
    b"",
    b" 1",
    b"1 ",
    b"x",
    b"(1",
    b"1e",
    b".5",
];
/// Ends of ranges.
const EDGES: &[&[u8]] = &[
    b"0", b"1", b"(1", b"(0", b"2", b"-1", b"(-1", b"-inf", b"+inf", b"inf", b"(inf", b"(-inf",
    b"1.5", b"(3.0e3", b"", b"(", b" 1", b"1 ", b"x", b"nan", b"[1", b"1e400", b"-",
];
const TEXTS: &[&[u8]] = &[
    b"-",
    b"+",
    b"[",
    b"(",
    b"[0",
    b"(0",
    b"[1",
    b"(10",
    b"[abc",
    b"(abc",
    b"[mynewtext",
    b"(\xff",
    b"[-1",
    b"a",
    b"",
    b"++",
    b"-x",
    b"0",
];
/// `lex` holds nothing but members with the score 0, which is what ranges of texts are for.
const LEX: &str = "lex";

const ADD: &Options = &[
    ("NX", &[]),
    ("XX", &[]),
    ("GT", &[]),
    ("LT", &[]),
    ("CH", &[]),
    ("INCR", &[]),
];
const RANGE: &Options = &[
    ("REV", &[]),
    ("BYSCORE", &[]),
    ("WITHSCORES", &[]),
    ("BYLEX", &[]),
];
const WITH_SCORES: &Options = &[("WITHSCORES", &[]), ("NX", &[])];
const COUNT: &Options = &[("COUNT", NUMBERS)];
const LIMIT: &Options = &[("LIMIT", NUMBERS), ("NX", &[])];
const SCAN: &Options = &[("COUNT", NUMBERS), ("MATCH", PATTERNS), ("NX", &[])];
const AGGREGATES: &[&[u8]] = &[b"SUM", b"min", b"MAX", b"x"];
/// Not one of them waits.
const TIMEOUTS: &[&[u8]] = &[b"x", b"-1", b"nan", b""];
/// Not one of them fills memory.
const FEW: &[&[u8]] = &[b"0", b"x", b"", b"-9223372036854775808", b"1.5"];
const ALL: &str = "100000";

impl Line<'_> {
    fn score(&mut self) -> &mut Self {
        self.from(SCORES)
    }

    /// Scores that are mostly good, so that more than errors come of many.
    fn members(&mut self) -> &mut Self {
        let many = self.rng.chance(10);
        loop {
            if self.rng.chance(if many { 400 } else { 15 }) {
                self.score();
            } else {
                self.from(&SCORES[..16]);
            }
            self.value();
            if self.rng.chance(if many { 60 } else { 3 }) {
                return self;
            }
        }
    }

    fn limit(&mut self) -> &mut Self {
        if self.rng.chance(2) {
            self.words("LIMIT").number().number();
        }
        self
    }

    /// WEIGHTS for two keys, AGGREGATE.
    fn weights(&mut self) -> &mut Self {
        if self.rng.chance(3) {
            self.words("WEIGHTS").score().score();
        }
        if self.rng.chance(3) {
            self.words("AGGREGATE").from(AGGREGATES);
        }
        self
    }

    pub(crate) fn zset_command(&mut self) -> Rule {
        match self.rng.next() % 42 {
            0..=5 => self.words("ZADD").key().members(),
            6..=8 => self.words("ZADD").key().options(ADD).score().value(),
            9 => self.words("ZADD").key().options(ADD).members(),
            10 => self.words("ZINCRBY").key().score().value(),
            11 => self.words("ZCARD").key(),
            12 => self.words("ZSCORE").key().value(),
            13 => self.words("ZMSCORE").key().value().value(),
            // Not with a further argument, which is newer.
            14 => {
                let rank = self.one_of(&["ZRANK", "ZREVRANK"]).key().value();
                return rank.by(Rule::AnyOrder);
            }
            15 => self.words("ZREM").key().value().value(),
            16 => self.words("ZCOUNT").key().from(EDGES).from(EDGES),
            17 => self
                .words("ZRANGE")
                .key()
                .number()
                .number()
                .options(WITH_SCORES),
            18 => self.words("ZRANGE").key().number().number().options(RANGE),
            19 => {
                let range = self
                    .words("ZRANGE")
                    .key()
                    .from(EDGES)
                    .from(EDGES)
                    .word("BYSCORE");
                range.options(&RANGE[..3]).limit()
            }
            20 => self
                .words("ZREVRANGE")
                .key()
                .number()
                .number()
                .options(WITH_SCORES),
            21 | 22 => {
                let range = self.one_of(&["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]);
                range
                    .key()
                    .from(EDGES)
                    .from(EDGES)
                    .limit()
                    .options(WITH_SCORES)
            }
            23 => self
                .words("ZRANGESTORE")
                .key()
                .key()
                .number()
                .number()
                .options(&RANGE[..1]),
            24 => {
                let range = self
                    .words("ZRANGESTORE")
                    .key()
                    .key()
                    .from(EDGES)
                    .from(EDGES);
                range.word("BYSCORE").options(&RANGE[..1]).limit()
            }
            25 => self.words("ZREMRANGEBYRANK").key().number().number(),
            26 => self.words("ZREMRANGEBYSCORE").key().from(EDGES).from(EDGES),
            27 | 28 => self.lex_command(),
            29 => self.one_of(&["ZPOPMIN", "ZPOPMAX"]).key(),
            30 => self.one_of(&["ZPOPMIN", "ZPOPMAX"]).key().number(),
            31 => {
                let pop = self.words("ZMPOP").word("2").key().key();
                pop.one_of(&["MIN", "max", "x"]).options(COUNT)
            }
            32 => {
                let pop = self.words("ZMPOP").number().key();
                pop.one_of(&["MIN", "MAX"]).options(COUNT)
            }
            33 => self
                .one_of(&["ZUNION", "ZINTER"])
                .word("2")
                .key()
                .key()
                .weights()
                .options(WITH_SCORES),
            34 => self
                .one_of(&["ZUNION", "ZINTER", "ZDIFF"])
                .number()
                .key()
                .key()
                .options(WITH_SCORES),
            35 => {
                let stored = self.one_of(&["ZUNIONSTORE", "ZINTERSTORE"]);
                stored.key().word("2").key().key().weights()
            }
            36 => self
                .words("ZDIFF")
                .word("3")
                .key()
                .key()
                .key()
                .options(WITH_SCORES),
            37 => self.words("ZDIFFSTORE").key().word("2").key().key(),
            38 => self
                .words("ZINTERCARD")
                .word("2")
                .key()
                .key()
                .options(LIMIT),
            39 => {
                let few = self.words("ZRANDMEMBER").key().from(FEW);
                few.options(WITH_SCORES)
            }
            // Not by the exact rule, under which arguments come and go: another timeout might wait.
            40 => {
                let pop = self.one_of(&["BZPOPMIN", "BZPOPMAX"]).key().key();
                return pop.from(TIMEOUTS).by(Rule::AnyOrder);
            }
            _ => {
                if self.rng.chance(3) {
                    return self.words("ZRANDMEMBER").key().word(ALL).by(Rule::AnyOrder);
                }
                let cursor = if self.rng.chance(4) { "1x" } else { "0" };
                let walk = self.words("ZSCAN").key().word(cursor).options(SCAN);
                return walk.by(Rule::Scan);
            }
        };
        Rule::Numbers
    }

    fn lex_command(&mut self) -> &mut Self {
        match self.rng.next() % 10 {
            0..=3 => self
                .words("ZADD")
                .word(LEX)
                .word("0")
                .value()
                .word("0")
                .value(),
            4 => self.words("ZLEXCOUNT").word(LEX).from(TEXTS).from(TEXTS),
            5 => self
                .words("ZREMRANGEBYLEX")
                .word(LEX)
                .from(TEXTS)
                .from(TEXTS),
            6 => {
                let range = self.words("ZRANGE").word(LEX).from(TEXTS).from(TEXTS);
                range.word("BYLEX").options(&RANGE[..1]).limit()
            }
            7 => {
                let range = self.words("ZRANGESTORE").key().word(LEX);
                range.from(TEXTS).from(TEXTS).word("BYLEX").limit()
            }
            _ => {
                let range = self.one_of(&["ZRANGEBYLEX", "ZREVRANGEBYLEX"]);
                range.word(LEX).from(TEXTS).from(TEXTS).limit()
            }
        }
    }
}
