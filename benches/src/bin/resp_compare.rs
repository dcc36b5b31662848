//! Decoding side by side: resp-codec, redis-protocol, the redis crate, and (feature `hiredis`) hiredis.
//!
//! ```text
//! taskset -c 0 cargo run --release -p benches --features hiredis --bin resp_compare
//! ```
//!
//! Arguments choose workloads by a part of their name.
//!
//! Every round runs every parser on every workload, one after the other, so that a change of the machine's speed meets
//! all of them; the table shows medians, in CPU time, so that other processes do not count. Each pass includes copying the bytes into the parser's buffer, as a read does.

use std::time::Duration;

use benches::{
    allocations, flags,
    resp::{Parser, Workload, ours, peers, workload},
};
use cpu_time::ThreadTime;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

const USAGE: &str = "\
Usage: resp_compare [PART...]

Compares parsers, on all workloads or on those whose name has one of these parts.";

const ROUNDS: usize = 9;
/// A parser runs this long in each round, and at least one pass.
const SLICE: Duration = Duration::from_millis(15);

fn main() {
    let chosen = flags::words(USAGE);
    let mut workloads = workload::all();
    workloads
        .retain(|w| chosen.is_empty() || chosen.iter().any(|part| w.name.contains(part.as_str())));
    let mut parsers: Vec<Box<dyn Parser>> = vec![
        Box::<ours::View>::default(),
        Box::<ours::Owned>::default(),
        Box::<ours::Codec>::default(),
        Box::<ours::Requests>::default(),
        Box::<peers::ProtocolRange>::default(),
        Box::<peers::ProtocolBytes>::default(),
        Box::<peers::Redis>::default(),
    ];
    #[cfg(feature = "hiredis")]
    parsers.push(Box::<benches::resp::hiredis::Hiredis>::default());

    // results[workload][parser]: nanoseconds per frame of each round, and allocations per frame.
    let mut results = vec![vec![(Vec::new(), 0.0); parsers.len()]; workloads.len()];
    for _ in 0..ROUNDS {
        for (workload, row) in workloads.iter().zip(&mut results) {
            for (parser, cell) in parsers.iter_mut().zip(row) {
                // redis-protocol starts over at every piece; one round of it says enough.
                let slow = workload.piece < workload.wire.len()
                    && parser.name().starts_with("redis-protocol");
                let applies = workload.requests || parser.name() != "resp-codec request";
                if applies && (!slow || cell.0.is_empty()) {
                    let (nanoseconds, allocations) = run(parser.as_mut(), workload);
                    cell.0.push(nanoseconds);
                    cell.1 = allocations;
                }
            }
        }
    }
    print(&workloads, &parsers, &results);
}

/// Nanoseconds and allocations per frame.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn run(parser: &mut dyn Parser, workload: &Workload) -> (f64, f64) {
    let check = |frames| assert_eq!(frames, workload.frames, "frames of {}", workload.name);
    let (start, before, mut passes) = (ThreadTime::now(), count(), 0usize);
    loop {
        check(parser.pass(workload));
        passes += 1;
        let elapsed = start.elapsed();
        if elapsed >= SLICE {
            let frames = (passes * workload.frames) as f64;
            return (
                elapsed.as_nanos() as f64 / frames,
                (count() - before) as f64 / frames,
            );
        }
    }
}

/// Allocations so far; with hiredis in the process, those of C too.
fn count() -> usize {
    #[cfg(feature = "hiredis")]
    return benches::resp::hiredis::allocations();
    #[cfg(not(feature = "hiredis"))]
    allocations::calls()
}

fn print(workloads: &[Workload], parsers: &[Box<dyn Parser>], results: &[Vec<(Vec<f64>, f64)>]) {
    for (title, column) in [
        ("nanoseconds per frame (median)", 0),
        ("allocations per frame", 1),
    ] {
        println!("\n{title}\n");
        print!("| {:24} |", "workload");
        parsers
            .iter()
            .for_each(|parser| print!(" {:>20} |", parser.name()));
        println!(
            "{}",
            if column == 0 {
                " best peer / best of ours |"
            } else {
                ""
            }
        );
        for (workload, row) in workloads.iter().zip(results) {
            print!("| {:24} |", workload.name);
            for (nanoseconds, allocations) in row {
                match median(nanoseconds) {
                    Some(median) if column == 0 => print!(" {median:>20.1} |"),
                    Some(_) => print!(" {allocations:>20.2} |"),
                    None => print!(" {:>20} |", "-"),
                }
            }
            if column == 0 {
                let best = |ours: bool| {
                    let of = parsers
                        .iter()
                        .zip(row)
                        .filter(|(p, _)| p.name().starts_with("resp-codec") == ours);
                    of.filter_map(|(_, (rounds, _))| median(rounds))
                        .fold(f64::INFINITY, f64::min)
                };
                print!(" {:>24.2} |", best(false) / best(true));
            }
            println!();
        }
    }
    println!("\nsplit array / whole array");
    let time = |name: &str, parser: usize| {
        let row = workloads.iter().position(|w| w.name == name)?;
        median(&results[row][parser].0)
    };
    for (index, parser) in parsers.iter().enumerate() {
        let (whole, split) = (
            time("5 MB array, whole", index),
            time("5 MB array, 4 KiB pieces", index),
        );
        if let (Some(whole), Some(split)) = (whole, split) {
            println!("{:>20}: {:.2}", parser.name(), split / whole);
        }
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
