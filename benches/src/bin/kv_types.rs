//! kv-server beside Debian's redis-server, type by type: bytes per element, CPU time per request.
//!
//!     cargo build --release --example kv-server
//!     cargo run --release -p benches --bin kv_types -- [--rounds 5] [--requests 100000] [--pipelines 1,16] [--tests INCR,LPUSH]
//!         [--bytes list,hash,set,intset,zset,stream] [--elements 2000000]
//!
//! Both servers are pinned to CPU 0 and the clients to CPU 1. A figure of bytes is the growth of the resident set of a fresh
//! process that has a hundredth as much already. For CPU time rounds alternate between the two servers, each from the same
//! data, and medians are compared. What one of the servers does not know is left out.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use benches::flags::{self, Result, list};
use benches::servers::{self, Server, median};

const USAGE: &str = "\
Usage: kv_types [--rounds 5] [--requests 100000] [--pipelines 1,16] [--tests INCR,LPUSH,...]
                [--bytes list,hash,set,intset,zset,stream] [--elements 2000000] [--redis PROGRAM]

Compares the release build of the example kv-server with redis-server, type by type. An empty list ('') leaves that part
out, but all tests run without --tests; --redis names another program to compare with.";

/// What to run.
struct Options {
    rounds: usize,
    requests: u64,
    pipelines: Vec<u32>,
    tests: Vec<String>,
    bytes: Vec<String>,
    elements: u64,
    redis: String,
}

/// A request, and the data that it finds.
struct Test {
    name: &'static str,
    /// `__rand_int__` is a number of twelve digits below `-r`.
    request: &'static [&'static str],
    random: u64,
    fill: fn(&mut dyn Write, u64) -> io::Result<()>,
}

/// Numbers that `__rand_int__` takes.
const RANDOM: u64 = 100_000;
/// Keys of the hashes that HGETALL reads.
const HASHES: u64 = 10_000;
/// Elements in one request that fills.
const AT_ONCE: u64 = 10;

#[rustfmt::skip] // a table reads best in columns
const TESTS: &[Test] = &[
    Test { name: "INCR",        random: RANDOM, request: &["INCR", "counter:__rand_int__"], fill: nothing },
    Test { name: "MSET(10)",    random: RANDOM, request: &MSET, fill: nothing },
    Test { name: "LPUSH",       random: RANDOM, request: &["LPUSH", "list", "element:__rand_int__"], fill: nothing },
    Test { name: "RPOP",        random: RANDOM, request: &["RPOP", "list"], fill: |to, requests| elements(to, &["RPUSH", "list"], requests) },
    Test { name: "LRANGE_100",  random: RANDOM, request: &["LRANGE", "list", "0", "99"], fill: |to, _| elements(to, &["RPUSH", "list"], 450) },
    Test { name: "SADD",        random: RANDOM, request: &["SADD", "set", "element:__rand_int__"], fill: nothing },
    Test { name: "SPOP",        random: RANDOM, request: &["SPOP", "set"], fill: |to, requests| elements(to, &["SADD", "set"], requests) },
    Test { name: "HSET",        random: RANDOM, request: &["HSET", "hash", "element:__rand_int__", "value"], fill: nothing },
    Test { name: "HGETALL(10)", random: HASHES, request: &["HGETALL", "hash:__rand_int__"], fill: hashes },
    Test { name: "ZADD",        random: RANDOM, request: &["ZADD", "zset", "__rand_int__", "element:__rand_int__"], fill: nothing },
    Test { name: "ZPOPMIN",     random: RANDOM, request: &["ZPOPMIN", "zset"], fill: scored },
    Test { name: "ZRANGE_100",  random: RANDOM, request: &["ZRANGE", "zset", "0", "99"], fill: scored },
    Test { name: "XADD",        random: RANDOM, request: &["XADD", "stream", "*", "field", "element:__rand_int__"], fill: nothing },
    Test { name: "XADD_~",      random: RANDOM, request: &["XADD", "stream", "MAXLEN", "~", "1000", "*", "field", "element:__rand_int__"], fill: nothing },
    Test { name: "XRANGE_100",  random: RANDOM, request: &["XRANGE", "stream", "-", "+", "COUNT", "100"], fill: |to, _| elements(to, &["XADD", "stream", "*", "field"], 450) },
];

const MSET: [&str; 21] = {
    let mut words = ["value of ten"; 21];
    words[0] = "MSET";
    let mut at = 1;
    while at < words.len() {
        words[at] = "key:__rand_int__";
        at += 2;
    }
    words
};

fn main() -> Result<()> {
    let options = Options::parse();
    let ours = servers::ours()?;
    print_bytes(&options, &ours)?;
    print_cpu(&options, &ours)
}

fn print_bytes(options: &Options, ours: &Path) -> Result<()> {
    println!(
        "{:<10} {:>8}  {:>12} {:>12} {:>6}",
        "type", "elements", "ours", "redis", "ratio"
    );
    for kind in &options.bytes {
        for size in [10, 100, 100_000] {
            let bytes = |name, program| -> Result<Option<f64>> {
                let server = Server::start(name, program)?;
                if !knows(&server, command_of(kind))? {
                    return Ok(None);
                }
                let keys = options.elements / size;
                let fill = |keys: Range<u64>| {
                    server.fill(|to| {
                        let mut keys = keys;
                        keys.try_for_each(|key| collection(to, kind, key, size))
                    })
                };
                // The code that runs, buffers and the allocator's first pages are not what elements take.
                let first = (keys / 100).max(1);
                fill(0..first)?;
                let before = server.resident()?;
                fill(first..first + keys)?;
                let grown = server.resident()?.saturating_sub(before);
                #[allow(clippy::cast_precision_loss)]
                Ok(Some(grown as f64 / (keys * size) as f64))
            };
            let ours = bytes("kv-server", ours)?;
            let redis = bytes("redis-server", options.redis.as_ref())?;
            if let (Some(ours), Some(redis)) = (ours, redis) {
                let ratio = ours / redis;
                println!("{kind:<10} {size:>8}  {ours:>12.1} {redis:>12.1} {ratio:>6.2}");
            }
        }
    }
    Ok(())
}

fn print_cpu(options: &Options, ours: &Path) -> Result<()> {
    let servers = [
        Server::start("kv-server", ours)?,
        Server::start("redis-server", options.redis.as_ref())?,
    ];
    println!(
        "{:<18} {:>12} {:>12} {:>6}",
        "50 clients", "ours, µs", "redis, µs", "CPU"
    );
    for pipeline in &options.pipelines {
        for test in TESTS.iter().filter(|test| options.wants(test.name)) {
            let mut known = true;
            for server in &servers {
                known &= knows(server, test.request[0])?;
            }
            if !known {
                continue;
            }
            let requests = options.requests * u64::from((*pipeline).min(4));
            let mut samples = [Vec::new(), Vec::new()];
            for _ in 0..options.rounds {
                for (server, samples) in servers.iter().zip(&mut samples) {
                    server.ask(&["FLUSHALL"])?;
                    server.fill(|to| (test.fill)(to, requests))?;
                    server.settle()?;
                    let random = test.random.to_string();
                    let args = [&["-r", &random], test.request].concat();
                    samples.push(server.benchmark(*pipeline, requests, &args)?.cpu_us);
                }
            }
            let [ours, redis] = samples.map(median);
            let name = format!("{} P={pipeline}", test.name);
            let ratio = ours / redis;
            println!("{name:<18} {ours:>12.3} {redis:>12.3} {ratio:>6.2}");
        }
    }
    Ok(())
}

fn knows(server: &Server, command: &str) -> Result<bool> {
    let info = server.ask(&["COMMAND", "INFO", command])?;
    Ok(info.to_lowercase().contains(&command.to_lowercase()))
}

fn command_of(kind: &str) -> &'static str {
    match kind {
        "list" => "RPUSH",
        "hash" => "HSET",
        "zset" => "ZADD",
        "stream" => "XADD",
        _ => "SADD",
    }
}

fn request(to: &mut dyn Write, words: &[&[u8]]) -> io::Result<()> {
    write!(to, "*{}\r\n", words.len())?;
    for word in words {
        write!(to, "${}\r\n", word.len())?;
        to.write_all(word)?;
        to.write_all(b"\r\n")?;
    }
    Ok(())
}

/// A collection of `size` elements, ten at a time: texts of 16 bytes, in a hash with values of 8, in a sorted set with scores.
fn collection(to: &mut dyn Write, kind: &str, key: u64, size: u64) -> io::Result<()> {
    let name = format!("{kind}:{key:08}");
    if kind == "stream" {
        return entries(to, &name, size);
    }
    for start in (0..size).step_by(usize::try_from(AT_ONCE).unwrap_or(1)) {
        let mut words: Vec<Vec<u8>> = vec![command_of(kind).into(), name.clone().into()];
        for number in start..size.min(start + AT_ONCE) {
            // Neighbours in a collection are not neighbours in value, and no two collections are the same.
            let mixed = (number + key * size).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            match kind {
                "intset" => words.push(mixed.to_string().into()),
                "zset" => words.push(format!("{}.5", mixed % 1_000_000).into()),
                _ => {}
            }
            if kind != "intset" {
                words.push(format!("el:{number:06}:{:06x}", mixed & 0xff_ffff).into());
            }
            if kind == "hash" {
                words.push(format!("{mixed:08x}").into());
            }
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        request(to, &words)?;
    }
    Ok(())
}

/// Entries some milliseconds apart, with one field.
fn entries(to: &mut dyn Write, name: &str, size: u64) -> io::Result<()> {
    for number in 0..size {
        let id = format!("{}-0", 1_700_000_000_000 + 3 * number);
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let text = format!("el:{number:06}:{mixed:06x}");
        request(
            to,
            &[
                b"XADD",
                name.as_bytes(),
                id.as_bytes(),
                b"field",
                text.as_bytes(),
            ],
        )?;
    }
    Ok(())
}

fn nothing(to: &mut dyn Write, _: u64) -> io::Result<()> {
    request(to, &[b"PING"])
}

fn elements(to: &mut dyn Write, head: &[&str], count: u64) -> io::Result<()> {
    for number in 0..count {
        let element = format!("element:{number:012}");
        let mut words: Vec<&[u8]> = head.iter().map(|word| word.as_bytes()).collect();
        words.push(element.as_bytes());
        request(to, &words)?;
    }
    Ok(())
}

fn hashes(to: &mut dyn Write, _: u64) -> io::Result<()> {
    for key in 0..HASHES {
        let key = format!("hash:{key:012}");
        for field in 0..10 {
            let field = format!("field:{field}");
            request(
                to,
                &[b"HSET", key.as_bytes(), field.as_bytes(), b"some value"],
            )?;
        }
    }
    Ok(())
}

fn scored(to: &mut dyn Write, count: u64) -> io::Result<()> {
    for number in 0..count {
        let (score, member) = (number.to_string(), format!("element:{number:012}"));
        request(to, &[b"ZADD", b"zset", score.as_bytes(), member.as_bytes()])?;
    }
    Ok(())
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            rounds: 5,
            requests: 100_000,
            pipelines: vec![1, 16],
            tests: Vec::new(),
            bytes: list("list,hash,set,intset,zset,stream"),
            elements: 2_000_000,
            redis: "redis-server".into(),
        };
        flags::each(USAGE, |flag, value| {
            match flag {
                "--rounds" => options.rounds = value.parse()?,
                "--requests" => options.requests = value.parse()?,
                "--pipelines" => options.pipelines = flags::numbers(&value)?,
                "--tests" => options.tests = list(&value),
                "--bytes" => options.bytes = list(&value),
                "--elements" => options.elements = value.parse()?,
                "--redis" => options.redis = value,
                _ => return Ok(false),
            }
            Ok(true)
        });
        options
    }

    /// Whether a test was asked for; without a choice all are.
    fn wants(&self, name: &str) -> bool {
        self.tests.is_empty()
            || self
                .tests
                .iter()
                .any(|test| test.eq_ignore_ascii_case(name))
    }
}
