//! Random commands on this server and on a real `redis-server`: every reply must be the same, byte by byte.
//!
//! Runs for some seconds from a fixed seed, or for `KV_DIFFERENTIAL_SECONDS` from a new one; skips where there is no `redis-server`.
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

use common::{Client, server};

use crate::compare::{Step, differs};
use crate::generate::Rng;
use crate::reference::Redis;

const SECONDS: u64 = 10;
const SEED: u64 = 0x5eed;
/// Commands in a sequence.
const LENGTH: u64 = 60;

#[tokio::test]
async fn every_reply_is_that_of_redis() {
    let Some(redis) = Redis::start() else {
        println!("skipped: there is no redis-server");
        return;
    };
    let asked = std::env::var("KV_DIFFERENTIAL_SECONDS").ok();
    let seconds = asked.as_deref().and_then(|text| text.parse().ok());
    let mut seed = match seconds {
        Some(_) => u64::from(std::process::id()) << 32,
        None => SEED,
    };
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(SECONDS));
    let server = server().await;
    let mut ours = Client::new(&server);
    let mut theirs = redis.connect().await;
    let mut commands = 0;
    while Instant::now() < end {
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
        seed += 1;
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
