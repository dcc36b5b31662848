//! Commands on streams. Ids are given, for those that come from the clock differ; what waits is in `tests/stream_blocking.rs`.

use crate::compare::Rule;
use crate::generate::{Line, NUMBERS, Options};

/// Keys that an error can show as they are, and some of other types.
const KEYS: &[&[u8]] = &[b"a", b"b", b"c", b"s", b"s", b"s", b"t", b"t"];
/// They ascend more often than not.
const IDS: &[&[u8]] = &[
    b"1-1",
    b"1-2",
    b"1-3",
    b"2",
    b"2-5",
    b"3-*",
    b"5-1",
    b"5-*",
    b"9-9",
    b"10-0",
    b"10-*",
    b"11-1",
    b"12-0",
    b"13-*",
    b"20-1",
    b"21-18446744073709551615",
    b"22-0",
    b"30",
    b"31-2",
    b"40-1",
    b"41-*",
    b"50-7",
    b"300-70000",
    b"70000-1",
];
/// Edges, and what is no id.
const ODD_IDS: &[&[u8]] = &[
    b"0-0",
    b"0",
    b"0-1",
    b"0-*",
    b"18446744073709551615-18446744073709551615",
    b"18446744073709551615-18446744073709551614",
    b"18446744073709551615",
    b"18446744073709551615-*",
    b"18446744073709551616",
    b"1-18446744073709551616",
    b"-",
    b"+",
    b"$",
    b">",
    b"(",
    b"(1",
    b"(2-5",
    b"((1",
    b"(-",
    b"(0-0",
    b"(18446744073709551615-18446744073709551615",
    b"",
    b"x",
    b"1-x",
    b"1-",
    b"-1",
    b"1--1",
    b"01-01",
    b" 1-1",
    b"+1-1",
    b"1-1 ",
    b"1-2-3",
    b"1-**",
    b"9223372036854775808-9223372036854775808",
];
const EDGES: &[&[u8]] = &[
    b"-", b"-", b"-", b"+", b"+", b"+", b"2", b"5", b"10", b"(1-1", b"(10", b"(20-1", b"12-0",
    b"50", b"41-0",
];
const FIELDS: &[&[u8]] = &[b"f", b"f", b"f", b"f", b"g", b"10", b"", b"k\xff\r\n"];
const GROUPS: &[&[u8]] = &[b"g", b"g", b"g", b"h", b"nobody"];
const CONSUMERS: &[&[u8]] = &[b"alice", b"bob", b"carol"];
/// Who claims nothing: since Redis 7.2 a consumer is created even if it gets nothing.
const READERS: &[&[u8]] = &[b"dave", b"erin"];
const COUNT: &Options = &[("COUNT", NUMBERS), ("COUNT", SMALL), ("NX", &[])];
/// They leave something behind more often than not.
const SMALL: &[&[u8]] = &[b"1", b"2", b"3", b"5", b"8", b"0", b"-1", b"x"];
const READS: &[&[u8]] = &[
    b"-1",
    b"0",
    b"3",
    b"100",
    b"-2",
    b"x",
    b"9223372036854775807",
];
/// Either nothing is that old, or everything.
const IDLE: &[&[u8]] = &[
    b"0",
    b"0",
    b"-5",
    b"1000000",
    b"x",
    b"9223372036854775807",
    b"-9223372036854775808",
];
/// Times that the servers agree about.
const CLAIM: &Options = &[
    ("FORCE", &[]),
    ("JUSTID", &[]),
    ("RETRYCOUNT", SMALL),
    ("TIME", &[b"1000", b"0", b"x", b"-7"]),
    ("LASTID", &[b"5", b"20-1", b"0", b"x", b"-"]),
    ("IDLE", &[b"x", b""]),
    ("BUSY", &[]),
];
const AUTOCLAIM: &Options = &[("JUSTID", &[]), ("COUNT", SMALL), ("NX", &[])];
const XSETID: &Options = &[
    ("ENTRIESADDED", NUMBERS),
    ("ENTRIESADDED", SMALL),
    ("MAXDELETEDID", IDS),
    ("MAXDELETEDID", ODD_IDS),
    ("NX", &[]),
];
const MKSTREAM: &Options = &[("MKSTREAM", &[]), ("ENTRIESREAD", READS), ("NX", &[])];
/// Not one of them waits.
const BLOCK: &[&[u8]] = &[b"x", b"-1", b"", b"1.5", b"9223372036854775807"];

impl Line<'_> {
    fn stream_key(&mut self) -> &mut Self {
        self.from(KEYS)
    }

    fn id(&mut self) -> &mut Self {
        if self.rng.chance(12) {
            return self.from(ODD_IDS);
        }
        self.from(IDS)
    }

    fn edge(&mut self) -> &mut Self {
        if self.rng.chance(8) {
            return self.from(ODD_IDS);
        }
        self.from(EDGES)
    }

    fn ids(&mut self) -> &mut Self {
        self.id();
        while self.rng.chance(2) {
            self.id();
        }
        self
    }

    fn entry_fields(&mut self) -> &mut Self {
        self.from(FIELDS).value();
        while self.rng.chance(3) {
            self.from(FIELDS).value();
        }
        self
    }

    fn trimming(&mut self) -> &mut Self {
        match self.rng.next() % 8 {
            0 => return self.one_of(&["LIMIT", "MAXLEN", "MINID"]).number(),
            1..=4 => self.words("MAXLEN"),
            _ => self.words("MINID"),
        };
        let by_length = self.last_word().eq_ignore_ascii_case(b"MAXLEN");
        match self.rng.next() % 3 {
            0 => self.word("~"),
            1 => self.word("="),
            _ => self,
        };
        if by_length {
            let numbers = if self.rng.chance(6) { NUMBERS } else { SMALL };
            self.from(numbers);
        } else {
            self.id();
        }
        if self.rng.chance(3) {
            self.words("LIMIT").from(SMALL);
        }
        self
    }

    fn group(&mut self) -> &mut Self {
        self.from(GROUPS)
    }

    /// BLOCK with what is no time, in one of a few commands: those with a time might wait.
    fn block(&mut self) -> &mut Self {
        if self.rng.chance(12) {
            self.words("BLOCK").from(&BLOCK[..4]);
        }
        self
    }

    fn adding(&mut self) -> &mut Self {
        self.words("XADD").stream_key();
        if self.rng.chance(6) {
            self.words("NOMKSTREAM");
        }
        if self.rng.chance(4) {
            self.trimming();
        }
        self.id().entry_fields()
    }

    pub(crate) fn stream_command(&mut self) -> Rule {
        match self.rng.next() % 40 {
            0..=11 => self.adding(),
            12 => self.words("XLEN").stream_key(),
            13 | 14 => self
                .words("XRANGE")
                .stream_key()
                .edge()
                .edge()
                .options(COUNT),
            15 | 16 => self
                .words("XREVRANGE")
                .stream_key()
                .edge()
                .edge()
                .options(COUNT),
            17 | 18 => self.words("XDEL").stream_key().ids(),
            19 => self.words("XTRIM").stream_key().trimming(),
            20 => self.words("XSETID").stream_key().id().options(XSETID),
            21 => {
                self.words("XREAD");
                if self.rng.chance(3) {
                    self.words("COUNT").from(SMALL);
                }
                let read = self.block().words("STREAMS").stream_key();
                // By no exact rule: arguments that come and go might make it wait.
                return read.stream_key().id().id().by(Rule::AnyOrder);
            }
            22..=24 => {
                let create = self.words("XGROUP").one_of(&["CREATE", "create"]);
                let create = create.stream_key().group();
                if create.rng.chance(3) {
                    create.word("$").options(MKSTREAM)
                } else {
                    create.id().options(MKSTREAM)
                }
            }
            25 => {
                let set = self.words("XGROUP").word("SETID").stream_key().group();
                set.id().options(&MKSTREAM[1..])
            }
            26 => {
                let created = self.rng.chance(2);
                let name = if created {
                    "CREATECONSUMER"
                } else {
                    "DELCONSUMER"
                };
                let group = self.words("XGROUP").word(name).stream_key().group();
                group.from(if created { READERS } else { CONSUMERS })
            }
            27 => {
                if self.rng.chance(4) {
                    self.words("XGROUP").word("DESTROY").stream_key().group()
                } else {
                    let groups = self.words("XINFO").word("GROUPS").stream_key();
                    return groups.by(Rule::ButConsumers);
                }
            }
            28..=32 => {
                self.words("XREADGROUP")
                    .words("GROUP")
                    .group()
                    .from(CONSUMERS);
                if self.rng.chance(2) {
                    self.words("COUNT").from(SMALL);
                }
                if self.rng.chance(5) {
                    self.words("NOACK");
                }
                let read = self.block().words("STREAMS").stream_key();
                if read.rng.chance(3) {
                    read.id();
                } else {
                    read.word(">");
                }
                return self.by(Rule::AnyOrder);
            }
            33 => self.words("XACK").stream_key().group().ids(),
            34 => match self.rng.next() % 3 {
                0 => self.words("XPENDING").stream_key().group(),
                // Not the times since the entries were delivered.
                _ => {
                    let few = self.words("XPENDING").stream_key().group();
                    few.edge().edge().word("0").from(CONSUMERS)
                }
            },
            35 | 36 => {
                let claim = self.words("XCLAIM").stream_key().group().from(CONSUMERS);
                claim.from(IDLE).ids().options(CLAIM)
            }
            37 => {
                let claim = self.words("XAUTOCLAIM").stream_key().group();
                let claim = claim.from(CONSUMERS).from(IDLE).edge();
                claim.options(AUTOCLAIM)
            }
            _ => self.words("XINFO").word("STREAM").stream_key(),
        };
        Rule::Exact
    }
}
