//! Counters whose value the outcomes of their commands must explain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kv_client::{Client, Outcome};

/// Counts what each counter must be at least and at most, from the outcomes of its INCRs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) sure: i64,
    pub(crate) maybe: i64,
}

/// Increments counters until told to stop.
pub(crate) async fn count(
    client: Client,
    counters: Vec<String>,
    stop: Arc<AtomicBool>,
) -> Vec<(String, Count)> {
    let mut counts: Vec<_> = counters
        .into_iter()
        .map(|key| (key, Count::default()))
        .collect();
    let mut pipelined = false;
    while !stop.load(Ordering::Relaxed) {
        pipelined = !pipelined;
        if pipelined {
            let incrs: Vec<_> = counts.iter().map(|(key, _)| client.incr(key)).collect();
            let results = client.pipeline(incrs).results().await;
            counts
                .iter_mut()
                .zip(results)
                .for_each(|((_, count), result)| note(count, result));
        } else {
            for (key, count) in &mut counts {
                note(count, client.incr(key.as_str()).await);
            }
        }
        tokio::task::yield_now().await;
    }
    counts
}

fn note(count: &mut Count, result: kv_client::Result<i64>) {
    match result.map_err(|error| error.outcome()) {
        Ok(_) => count.sure += 1,
        Err(Outcome::MaybeExecuted) => count.maybe += 1,
        Err(Outcome::NotSent | Outcome::Rejected) => {}
        Err(Outcome::Executed) => panic!("INCR gives a number"),
    }
}

/// What the counters are must fit what was said of each INCR.
pub(crate) async fn check(client: &Client, counts: Vec<(String, Count)>) -> Count {
    let mut all = Count::default();
    for (key, count) in counts {
        let value = value_of(client, &key).await;
        let range = count.sure..=count.sure + count.maybe;
        assert!(
            range.contains(&value),
            "{key} is {value} and not in {range:?}"
        );
        all.sure += count.sure;
        all.maybe += count.maybe;
    }
    all
}

/// What a counter has come to.
pub(crate) async fn value_of(client: &Client, key: &str) -> i64 {
    let value: Option<i64> = client.get(key).into().await.expect("recovered");
    value.unwrap_or(0)
}
