//! Random commands, with a liking for edges.

use crate::compare::{Rule, Step};

/// SplitMix64.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True once in `n` times.
    pub(crate) fn chance(&mut self, n: u64) -> bool {
        self.next() % n == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.next() % from.len() as u64).unwrap()]
    }
}

pub(crate) const KEYS: &[&[u8]] = &[b"a", b"b", b"c", b"d*", b"k\xff\r\n", b""];

const VALUES: &[&[u8]] = &[
    b"", b"0", b"-0", b"1", b"5", b"10", b"9999", b"10000", b"-1", b"007", b"+1", b" 1", b"1 ", b"abc", b"ohmytext",
    b"mynewtext", b"1.5", b"0.1", b"-2.25", b"3.0e3", b"1e400", b"1e5000", b"inf", b"-inf", b"nan", b"0x10", b"1e", b".5",
    b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"-9223372036854775809",
    b"99999999999999999999", b"\0\r\n\xff", b"0.30000000000000004", b"17179869184.000001",
    b"12345678901234567890123456789012345678901234", b"123456789012345678901234567890123456789012345",
    b"a longer text that is edited in place and that no small allocation can hold, because it has more than a hundred and twenty-eight bytes",
];

pub(crate) const NUMBERS: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"2",
    b"-2",
    b"3",
    b"7",
    b"-7",
    b"10",
    b"100",
    b"-100",
    b"4294967295",
    b"2147483647",
    b"2147483648",
    b"-2147483648",
    b"-2147483649",
    b"9223372036854775806",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775807",
    b"-9223372036854775808",
    b"-9223372036854775809",
    b"1.5",
    b"x",
    b"",
    b" 1",
    b"01",
    b"+1",
    b"-0",
];

/// Beyond these SETRANGE makes a string of half a gigabyte.
const OFFSETS: &[&[u8]] = &[
    b"0",
    b"1",
    b"3",
    b"44",
    b"200",
    b"2000",
    b"-1",
    b"536870912",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"x",
    b"",
    b"1.0",
];

/// None that comes while a sequence runs. Redis computes with overflow what is within half a second of the end of time.
const TTLS: &[&[u8]] = &[
    b"0",
    b"-1",
    b"100000",
    b"1000000",
    b"100000000",
    b"9223372036854775",
    b"9223372036854776",
    b"-9223372036854775",
    b"-9223372036854776",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"x",
    b"",
    b"1.5",
];

const SECONDS_AT: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"4102444800",
    b"4102444801",
    b"9223372036854775",
    b"9223372036854776",
    b"9223372036854775807",
    b"-9223372036854776",
    b"x",
    b"",
];

const MILLISECONDS_AT: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"4102444800000",
    b"4102444800001",
    b"4102444800500",
    b"9223372036854775000",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"x",
    b"",
];

const DBS: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"0",
    b"1",
    b"2",
    b"15",
    b"16",
    b"-1",
    b"2147483648",
    b"x",
    b"",
    b"9223372036854775808",
];

pub(crate) const PATTERNS: &[&[u8]] = &[
    b"*", b"**", b"?", b"[a-c]", b"[^a]", b"d\\*", b"a", b"", b"k*", b"*\n", b"[", b"\\",
];

const TYPES: &[&[u8]] = &[
    b"string", b"STRING", b"list", b"hash", b"zset", b"stream", b"nothing", b"",
];

/// One command.
pub(crate) fn step(rng: &mut Rng) -> Step {
    let mut line = Line {
        args: Vec::new(),
        rng,
    };
    let rule = match line.rng.next() % 18 {
        0..=4 => line.command(),
        5..=8 => line.collection_command(),
        9 => line.bitmap_command(),
        10 => line.sort_command(),
        11..=13 => line.zset_command(),
        14..=16 => line.stream_command(),
        _ => line.dump_command(),
    };
    // Now and then an argument too few or too many.
    let is_fixed = matches!(rule, Rule::Exact | Rule::Numbers);
    if is_fixed && line.rng.chance(40) && line.args.len() > 1 {
        line.args.pop();
    } else if is_fixed && line.rng.chance(60) {
        line.number();
    }
    Step {
        rule,
        args: line.args,
    }
}

/// A command that is being made.
pub(crate) struct Line<'r> {
    args: Vec<Vec<u8>>,
    pub(crate) rng: &'r mut Rng,
}

impl Line<'_> {
    fn command(&mut self) -> Rule {
        const STRINGS: u64 = 24;
        match self.rng.next() % (STRINGS + 26) {
            0..=2 => self.words("SET").key().value().options(SET_OPTIONS),
            3 => self.words("GET").key(),
            4 => self.words("GETDEL").key(),
            5 | 6 => self.words("GETEX").key().options(GETEX_OPTIONS),
            7 => self.words("GETRANGE").key().number().number(),
            8 => self.words("GETSET").key().value(),
            9 => self.words("INCR").key(),
            10 => self.words("DECR").key(),
            11 => self.words("INCRBY").key().number(),
            12 => self.words("DECRBY").key().number(),
            13 | 14 => self.words("INCRBYFLOAT").key().value(),
            15 => self.words("LCS").key().key().options(LCS_OPTIONS),
            16 => self.words("MGET").key().key().key(),
            17 => self.words("MSET").key().value().key().value(),
            18 => self.words("MSETNX").key().value().key().value(),
            19 => self.words("SETEX").key().from(TTLS).value(),
            20 => self.words("PSETEX").key().from(TTLS).value(),
            21 => self.words("SETNX").key().value(),
            22 => self.words("SETRANGE").key().from(OFFSETS).value(),
            23 => self.words("APPEND").key().value(),
            24 => self.words("STRLEN").key(),
            25 => self.words("SUBSTR").key().number().number(),
            26 => self.words("DEL").key().key(),
            27 => self.words("UNLINK").key().key(),
            28 => self.words("EXISTS").key().key().key(),
            29 => self.words("TOUCH").key().key(),
            30 => self.words("TYPE").key(),
            31 => self.words("RENAME").key().key(),
            32 => self.words("RENAMENX").key().key(),
            33 | 34 => self.words("COPY").key().key().options(COPY_OPTIONS),
            35 => self.words("MOVE").key().from(DBS),
            36 => return self.words("RANDOMKEY").by(Rule::AnyKey),
            37 => self.words("TTL").value(),
            38 => return self.words("KEYS").from(PATTERNS).by(Rule::AnyOrder),
            39 if self.rng.chance(2) => self
                .words("SCAN")
                .number()
                .options(SCAN_OPTIONS)
                .errors_only(),
            39 => {
                return self
                    .words("SCAN")
                    .word("0")
                    .options(SCAN_OPTIONS)
                    .by(Rule::Scan);
            }
            40 => {
                return self
                    .words("OBJECT")
                    .word("ENCODING")
                    .key()
                    .by(Rule::Encoding);
            }
            41 => match self.rng.next() % 4 {
                0 => self.words("OBJECT").word("FREQ").key(),
                1 => self.words("OBJECT").word("REFCOUNT").word("none"),
                2 => self.words("OBJECT").number(),
                _ => self.words("FLUSHDB").options(FLUSH_OPTIONS),
            },
            42 => {
                return self
                    .words("EXPIRE")
                    .key()
                    .from(TTLS)
                    .options(EXPIRE_OPTIONS)
                    .by(Rule::Order);
            }
            43 => {
                return self
                    .words("PEXPIRE")
                    .key()
                    .from(TTLS)
                    .options(EXPIRE_OPTIONS)
                    .by(Rule::Order);
            }
            44 => self
                .words("EXPIREAT")
                .key()
                .from(SECONDS_AT)
                .options(EXPIRE_OPTIONS),
            45 => self
                .words("PEXPIREAT")
                .key()
                .from(MILLISECONDS_AT)
                .options(EXPIRE_OPTIONS),
            46 => {
                return self
                    .one_of(&["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"])
                    .key()
                    .by(Rule::Near);
            }
            47 => self.words("PERSIST").key(),
            48 => self.words("SWAPDB").from(DBS).from(DBS),
            _ => self.words("SELECT").from(&DBS[..3]),
        };
        Rule::Exact
    }

    pub(crate) fn words(&mut self, name: &str) -> &mut Self {
        let name = if self.rng.chance(8) {
            name.to_lowercase()
        } else {
            name.to_owned()
        };
        self.word(&name)
    }

    pub(crate) fn one_of(&mut self, names: &[&str]) -> &mut Self {
        let name = self.rng.pick(names);
        self.word(name)
    }

    pub(crate) fn word(&mut self, word: &str) -> &mut Self {
        self.args.push(word.into());
        self
    }

    pub(crate) fn last_word(&self) -> &[u8] {
        self.args.last().map_or(b"", Vec::as_slice)
    }

    pub(crate) fn from(&mut self, values: &[&[u8]]) -> &mut Self {
        let value = self.rng.pick(values);
        self.args.push(value.to_vec());
        self
    }

    pub(crate) fn key(&mut self) -> &mut Self {
        self.from(KEYS)
    }

    pub(crate) fn value(&mut self) -> &mut Self {
        self.from(VALUES)
    }

    pub(crate) fn number(&mut self) -> &mut Self {
        self.from(NUMBERS)
    }

    pub(crate) fn by(&mut self, rule: Rule) -> Rule {
        rule
    }

    /// A cursor that comes from nowhere may show anything; only a broken one has a known answer.
    pub(crate) fn errors_only(&mut self) -> &mut Self {
        self.args[1] = self
            .rng
            .pick(&[&b"x"[..], b" 1", b"1x", b"18446744073709551616", b"-"])
            .to_vec();
        self
    }

    /// Options in any number and order.
    pub(crate) fn options(&mut self, options: &[(&str, &[&[u8]])]) -> &mut Self {
        while self.rng.chance(2) {
            let (name, values) =
                options[usize::try_from(self.rng.next() % options.len() as u64).unwrap()];
            self.words(name);
            if !values.is_empty() && !self.rng.chance(20) {
                self.from(values);
            }
        }
        self
    }
}

pub(crate) type Options = [(&'static str, &'static [&'static [u8]])];

const SET_OPTIONS: &Options = &[
    ("NX", &[]),
    ("XX", &[]),
    ("GET", &[]),
    ("KEEPTTL", &[]),
    ("EX", TTLS),
    ("PX", TTLS),
    ("EXAT", SECONDS_AT),
    ("PXAT", MILLISECONDS_AT),
    ("PERSIST", &[]),
];
const GETEX_OPTIONS: &Options = &[
    ("PERSIST", &[]),
    ("EX", TTLS),
    ("PX", TTLS),
    ("EXAT", SECONDS_AT),
    ("PXAT", MILLISECONDS_AT),
    ("NX", &[]),
];
const LCS_OPTIONS: &Options = &[
    ("LEN", &[]),
    ("IDX", &[]),
    ("IDX", &[]),
    ("WITHMATCHLEN", &[]),
    ("MINMATCHLEN", NUMBERS),
    ("NX", &[]),
];
const COPY_OPTIONS: &Options = &[("REPLACE", &[]), ("DB", DBS), ("NX", &[])];
const SCAN_OPTIONS: &Options = &[
    ("COUNT", NUMBERS),
    ("MATCH", PATTERNS),
    ("TYPE", TYPES),
    ("NX", &[]),
];
const EXPIRE_OPTIONS: &Options = &[
    ("NX", &[]),
    ("XX", &[]),
    ("GT", &[]),
    ("LT", &[]),
    ("FOO", &[]),
];
const FLUSH_OPTIONS: &Options = &[("SYNC", &[]), ("ASYNC", &[]), ("NX", &[])];
