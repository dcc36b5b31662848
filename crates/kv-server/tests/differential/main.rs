//! Random commands on this server and on a real `redis-server`: every reply must be the same, byte by byte.
//!
//! Runs the same sequences each time, or new ones for `KV_DIFFERENTIAL_SECONDS`; skips where there is no `redis-server`.
//! A difference is reported as the shortest sequence of commands that still shows it, and becomes a test of its own once it is fixed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bitmaps;
mod collections;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod dump;
mod generate;
mod reference;
mod replay;
mod robust;
mod rows;
mod sort;
mod streams;
mod zsets;

use std::time::{Duration, Instant};

use common::Client;

use crate::compare::{Step, differs};
use crate::generate::Rng;
use crate::reference::Servers;

/// So many are run, whatever the machine.
const SEQUENCES: u64 = 600;
const SEED: u64 = 0x5eed;
/// Commands in a sequence.
const LENGTH: u64 = 60;

#[tokio::test]
async fn every_reply_is_that_of_redis() {
    let Some(servers) = Servers::start().await else {
        return;
    };
    let asked = std::env::var("KV_DIFFERENTIAL_SECONDS").ok();
    let seconds = asked.as_deref().and_then(|text| text.parse().ok());
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let seeds = match end {
        Some(_) => u64::from(std::process::id()) << 32..u64::MAX,
        None => SEED..SEED + SEQUENCES,
    };
    let (mut ours, mut theirs) = servers.connect().await;
    let mut commands = 0;
    for seed in seeds.take_while(|_| end.is_none_or(|end| Instant::now() < end)) {
        let mut rng = Rng::new(seed);
        let steps: Vec<Step> = (0..LENGTH).map(|_| generate::step(&mut rng)).collect();
        let resp3 = rng.chance(2);
        if let Some(found) = differs(&steps, resp3, &mut ours, &mut theirs).await {
            let steps = shrink(steps, resp3, &mut ours, &mut theirs).await;
            let found = differs(&steps, resp3, &mut ours, &mut theirs)
                .await
                .unwrap_or(found);
            let lines: Vec<_> = steps.iter().map(ToString::to_string).collect();
            panic!(
                "seed {seed:#x}, RESP{}:\n{}\n{found}",
                2 + u8::from(resp3),
                lines.join("\n")
            );
        }
        commands += LENGTH;
    }
    println!("{commands} commands without a difference");
}

/// Leaves out commands as long as the difference stays.
async fn shrink(
    mut steps: Vec<Step>,
    resp3: bool,
    ours: &mut Client,
    theirs: &mut Client,
) -> Vec<Step> {
    let mut at = steps.len();
    while at > 0 {
        at -= 1;
        let mut fewer = steps.clone();
        fewer.remove(at);
        if differs(&fewer, resp3, ours, theirs).await.is_some() {
            steps = fewer;
        }
    }
    steps
}
