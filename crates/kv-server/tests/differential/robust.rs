//! Any command with any arguments: no panic, whatever comes. The build has debug assertions and overflow checks.
//!
//!     KV_FUZZ_COMMANDS=10000000 cargo test -p kv-server --test differential robust -- --nocapture

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use kv_server::{Clock, Db, Server};
use resp_codec::Frame;

use crate::common::{Client, start};
use crate::generate::{self, KEYS, Rng};

const COMMANDS: u64 = 30_000;
/// What is shown of the past of a panic.
const SHOWN: usize = 40;

/// Arguments that are neither keys nor words. There is no large negative count, for which Redis too gives as many random elements.
const VALUES: &[&[u8]] = &[
    b"",
    b"0",
    b"1",
    b"-1",
    b"2",
    b"3",
    b"-7",
    b"10",
    b"100",
    b"1000",
    b"0.5",
    b"-1.5e3",
    b"1e308",
    b"inf",
    b"-inf",
    b"nan",
    b"+1",
    b" 1",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"18446744073709551615",
    b"4294967295",
    b"1700000000",
    b"*",
    b"?*[a-",
    b"#",
    b"a",
    b"field",
    b"\xff\x00\r\n",
    b"(1",
    b"[a",
    b"-",
    b"+",
    b"(",
    b"i8",
    b"u63",
    b"#1",
    b"u64",
    b"i64",
    b"w_*->f",
    b"nosort",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// What would end the run, or make it last: they wait, hold back all that follows, stop the process, or write files.
const LEFT_OUT: &[&str] = &["shutdown", "debug", "save", "bgsave", "client|pause"];

/// A command, and the words of its syntax.
struct Known {
    name: Vec<String>,
    words: Vec<String>,
    /// It reads and answers at once.
    reads: bool,
}

/// How a connection tracks what it reads; it changes from time to time.
const TRACKING: &[&str] = &[
    "ON",
    "ON NOLOOP",
    "ON OPTIN",
    "ON OPTOUT",
    "ON BCAST",
    "ON BCAST NOLOOP PREFIX a PREFIX b",
];

/// All commands and subcommands of the server.
fn known(server: &Server) -> Vec<Known> {
    let db = server.db(0);
    let list = db.call(["COMMAND", "LIST"]).unwrap();
    let names = list
        .as_slice()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap());
    let names = names.filter(|name| {
        !LEFT_OUT
            .iter()
            .any(|out| name == out || name.split('|').next() == Some(out))
    });
    names
        .map(|full| {
            let docs = db.call(["COMMAND", "DOCS", full]).unwrap();
            let mut words = Vec::new();
            tokens(&docs, &mut words);
            Known {
                name: full.split('|').map(str::to_owned).collect(),
                words,
                reads: has_flag(&db, full, "readonly") && !has_flag(&db, full, "blocking"),
            }
        })
        .collect()
}

fn has_flag(db: &Db<'_>, name: &str, flag: &str) -> bool {
    let info = db.call(["COMMAND", "INFO", name]).unwrap();
    let flags = info.as_slice().unwrap()[0].as_slice().unwrap()[2].as_slice();
    flags.unwrap().iter().any(|has| has.as_str() == Some(flag))
}

/// The tokens in the arguments of COMMAND DOCS.
fn tokens(docs: &Frame, words: &mut Vec<String>) {
    let parts = docs.as_slice().unwrap_or_default();
    for (at, part) in parts.iter().enumerate() {
        match part.as_str() {
            Some("token") => {
                words.extend(parts.get(at + 1).and_then(Frame::as_str).map(str::to_owned))
            }
            Some(_) => {}
            None => tokens(part, words),
        }
    }
}

fn command(rng: &mut Rng, known: &[Known]) -> Vec<Vec<u8>> {
    // One that makes sense leaves data for those that do not.
    if !rng.chance(3) {
        return generate::step(rng).args;
    }
    let chosen = &known[usize::try_from(rng.next()).unwrap_or(0) % known.len()];
    arguments(rng, chosen)
}

/// A command with any arguments.
fn arguments(rng: &mut Rng, chosen: &Known) -> Vec<Vec<u8>> {
    let mut args: Vec<Vec<u8>> = chosen
        .name
        .iter()
        .map(|word| word.clone().into_bytes())
        .collect();
    for at in 0..rng.next() % 8 {
        let words = &chosen.words;
        args.push(match rng.next() % 10 {
            0..=2 => rng.pick(KEYS).to_vec(),
            _ if at == 0 && !rng.chance(4) => rng.pick(KEYS).to_vec(),
            3..=5 if !words.is_empty() => {
                let at = usize::try_from(rng.next()).unwrap_or(0) % words.len();
                words[at].clone().into_bytes()
            }
            _ => rng.pick(VALUES).to_vec(),
        });
    }
    args
}

async fn tracking(server: &Server) -> Client {
    let mut client = Client::new(server);
    client.call("HELLO 3").await;
    client
}

/// Sends a request, and returns how many messages came before its reply.
async fn read(reader: &mut Client, line: &str) -> u64 {
    reader.send(format!("{line}\r\n")).await;
    answer(reader).await
}

async fn answer(reader: &mut Client) -> u64 {
    let mut told = 0;
    while reader.frame().await.starts_with(b">") {
        told += 1;
    }
    told
}

#[tokio::test]
async fn no_command_panics_whatever_its_arguments() {
    let asked = std::env::var("KV_FUZZ_COMMANDS").ok();
    let commands = asked.as_deref().and_then(|text| text.parse().ok());
    let seed = match commands {
        Some(_) => u64::from(std::process::id()) << 32,
        None => 0x5eed,
    };
    let clock = Clock::manual();
    // Long strings take time rather than find anything.
    let builder = Server::builder()
        .directive("proto-max-bulk-len", &["1mb"])
        .unwrap();
    let server = start(builder.clock(clock.clone())).await;
    let known = known(&server);
    assert!(known.len() > 150, "{}", known.len());
    let reading: Vec<&Known> = known.iter().filter(|known| known.reads).collect();
    assert!(reading.len() > 50, "{}", reading.len());
    let mut reader = tracking(&server).await;
    let mut told = 0_u64;
    let mut rng = Rng::new(seed);
    let mut past = VecDeque::new();
    let (began, mut errors) = (Instant::now(), 0_u64);
    let commands = commands.unwrap_or(COMMANDS);
    for number in 0..commands {
        if rng.chance(200) {
            clock.advance(Duration::from_millis(rng.next() % 20_000));
        }
        if rng.chance(5_000) {
            server.db(0).call(["FLUSHALL"]).unwrap();
        }
        if rng.chance(1_000) {
            let mode = TRACKING[usize::try_from(rng.next()).unwrap_or(0) % TRACKING.len()];
            told += read(&mut reader, "CLIENT TRACKING OFF").await;
            told += read(&mut reader, &format!("CLIENT TRACKING {mode}")).await;
        }
        if rng.chance(10) {
            let chosen = reading[usize::try_from(rng.next()).unwrap_or(0) % reading.len()];
            reader.request(arguments(&mut rng, chosen)).await;
            told += answer(&mut reader).await;
        }
        let args = command(&mut rng, &known);
        let db = server.db(if rng.chance(10) { 1 } else { 0 });
        errors += u64::from(db.call(&args).is_err());
        if args
            .get(1)
            .is_some_and(|sub| sub.eq_ignore_ascii_case(b"kill"))
        {
            // It may have closed the connection that tracks.
            reader = tracking(&server).await;
        }
        past.push_back(args);
        if past.len() > SHOWN {
            past.pop_front();
        }
        let shown = |past: &VecDeque<Vec<Vec<u8>>>| {
            let line = |args: &Vec<Vec<u8>>| {
                let words: Vec<_> = args
                    .iter()
                    .map(|arg| format!("\"{}\"", arg.escape_ascii()))
                    .collect();
                words.join(" ")
            };
            past.iter().map(line).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            server.counters().panics,
            0,
            "seed {seed:#x}, command {number}:\n{}",
            shown(&past)
        );
    }
    println!(
        "{commands} commands, {errors} of them refused, {told} messages to who tracks, no panic, {:.0} s, seed {seed:#x}",
        began.elapsed().as_secs_f64()
    );
}
