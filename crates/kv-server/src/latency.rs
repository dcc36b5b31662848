//! Latencies: a histogram for each command, and spikes above `latency-monitor-threshold`.

use std::collections::{BTreeMap, VecDeque};

/// How many calls of a command took how long, by powers of two of 1.024 µs and sixteen parts of each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    /// The first bucket is for up to 1.024 µs, each of the others for up to twice the one before. Few are ever used.
    buckets: [Option<Box<[u64; PARTS]>>; BUCKETS],
    pub(crate) calls: u64,
}

/// The last bucket begins at more than a minute.
const BUCKETS: usize = 28;
/// Parts of a bucket: a time is known to a sixteenth.
const PARTS: usize = 16;
/// What times are counted in, in nanoseconds.
const BLOCK_NS: u64 = 1024;

impl Histogram {
    pub(crate) fn record(&mut self, us: u64, calls: u64) {
        let blocks = us.saturating_mul(1000).div_ceil(BLOCK_NS).max(1);
        let bucket = blocks.next_power_of_two().trailing_zeros() as usize;
        let (bucket, part) = if bucket < BUCKETS {
            // Without the half of the end that is the bucket before.
            let half = (1 << bucket) / 2;
            (bucket, (blocks - half - 1) * PARTS as u64 / half.max(1))
        } else {
            (BUCKETS - 1, u64::MAX)
        };
        let part = usize::try_from(part).unwrap_or(PARTS).min(PARTS - 1);
        self.buckets[bucket].get_or_insert_default()[part] += calls;
        self.calls += calls;
    }

    /// The upper end of each bucket that adds something, in microseconds, and how many calls are at or below it.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> + Clone {
        let mut sum = 0;
        (0..).zip(&self.buckets).filter_map(move |(bucket, parts)| {
            let calls: u64 = parts.iter().flat_map(|parts| parts.iter()).sum();
            sum += calls;
            let end_us = (BLOCK_NS << bucket).div_ceil(1000);
            let end_us = if bucket < 5 { 1 << bucket } else { end_us };
            (calls > 0).then_some((end_us, sum))
        })
    }

    /// What so many percent of the calls took at most, in nanoseconds, to a sixteenth above; 0 if there were no calls.
    pub(crate) fn percentile_ns(&self, percent: f64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a count, from 0 to all"
        )]
        let wanted = ((percent / 100.0 * self.calls as f64).round() as u64).max(1);
        let mut sum = 0;
        for (bucket, parts) in self.buckets.iter().enumerate() {
            for (part, calls) in (1..).zip(parts.iter().flat_map(|parts| parts.iter())) {
                sum += calls;
                if sum >= wanted && *calls > 0 {
                    let half = (1_u64 << bucket) / 2;
                    let blocks = half + (half.max(1) * part).div_ceil(PARTS as u64);
                    return blocks * BLOCK_NS;
                }
            }
        }
        0
    }
}

/// Spikes by the event that they happened in.
#[derive(Debug, Default)]
pub(crate) struct Spikes {
    events: BTreeMap<&'static str, Spiky>,
}

/// The spikes of one event.
#[derive(Debug, Default)]
pub(crate) struct Spiky {
    /// The oldest first, at most one a second.
    pub(crate) samples: VecDeque<Spike>,
    /// The longest of all, in milliseconds.
    pub(crate) max_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spike {
    /// In Unix seconds.
    pub(crate) at_s: i64,
    pub(crate) ms: u64,
}

/// Spikes that are kept of an event.
const SAMPLES_MAX: usize = 160;

impl Spikes {
    /// Notes that something took so long; two in a second are one, the longer.
    pub(crate) fn note(&mut self, event: &'static str, at_s: i64, ms: u64) {
        let spiky = self.events.entry(event).or_default();
        spiky.max_ms = spiky.max_ms.max(ms);
        match spiky.samples.back_mut() {
            Some(last) if last.at_s == at_s => last.ms = last.ms.max(ms),
            _ => {
                if spiky.samples.len() == SAMPLES_MAX {
                    spiky.samples.pop_front();
                }
                spiky.samples.push_back(Spike { at_s, ms });
            }
        }
    }

    pub(crate) fn get(&self, event: &[u8]) -> Option<&Spiky> {
        let found = self
            .events
            .iter()
            .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(event));
        found.map(|(_, spiky)| spiky)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Spiky)> {
        self.events.iter().map(|(name, spiky)| (*name, spiky))
    }

    /// Forgets the events for which `is_meant` holds, and returns how many there were.
    pub(crate) fn forget(&mut self, is_meant: impl Fn(&str) -> bool) -> usize {
        let before = self.events.len();
        self.events.retain(|name, _| !is_meant(name));
        before - self.events.len()
    }
}

impl Spiky {
    /// A picture of the spikes, as high as their part of the highest, with their ages below.
    pub(crate) fn graph(&self, event: &str, now_s: i64) -> String {
        const ROWS: u64 = 4;
        let of = |pick: fn(u64, u64) -> u64| self.samples.iter().map(|spike| spike.ms).reduce(pick);
        let (high, low) = (of(u64::max).unwrap_or(0), of(u64::min).unwrap_or(0));
        let mut text = format!(
            "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
            self.max_ms,
            "-".repeat(80)
        );
        let range = (high - low).max(1);
        // In half rows: an odd number ends in `_`, an even one in `#`.
        let heights: Vec<u64> = self
            .samples
            .iter()
            .map(|spike| 1 + (spike.ms - low) * (2 * ROWS - 1) / range)
            .collect();
        for row in (0..ROWS).rev() {
            for &height in &heights {
                text.push(match height.saturating_sub(2 * row) {
                    0 => ' ',
                    1 => '_',
                    2 => '#',
                    _ => '|',
                });
            }
            text.push('\n');
        }
        text.push('\n');
        let ages: Vec<String> = self
            .samples
            .iter()
            .map(|spike| age(now_s - spike.at_s))
            .collect();
        let longest = ages.iter().map(String::len).max().unwrap_or(0);
        for line in 0..longest {
            text.extend(ages.iter().map(|age| age.chars().nth(line).unwrap_or(' ')));
            text.push('\n');
        }
        text
    }
}

/// `5s`, `12m`, `3h`, `2d`.
fn age(seconds: i64) -> String {
    let (number, unit) = match seconds.max(0) {
        s @ ..60 => (s, 's'),
        s @ ..3600 => (s / 60, 'm'),
        s @ ..86_400 => (s / 3600, 'h'),
        s => (s / 86_400, 'd'),
    };
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_adds_up_from_the_shortest_to_the_longest() {
        let mut histogram = Histogram::default();
        for (us, calls) in [(0, 2), (1, 1), (2, 1), (33, 1), (1_000_000_000, 1)] {
            histogram.record(us, calls);
        }
        let ends: Vec<_> = histogram.cumulative().collect();
        assert_eq!(ends[..3], [(1, 3), (2, 4), (66, 5)]);
        assert_eq!((ends[3].1, histogram.calls), (6, 6));
    }

    #[test]
    fn percentiles_are_exact_to_a_sixteenth() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile_ns(50.0), 0);
        for us in 1..=10_000 {
            histogram.record(us, 1);
        }
        for (percent, us) in [
            (0.0, 1),
            (1.0, 100),
            (50.0, 5_000),
            (99.0, 9_900),
            (99.9, 9_990),
            (100.0, 10_000),
        ] {
            let (ns, exact) = (histogram.percentile_ns(percent), us * 1000);
            let range = exact..=(exact + BLOCK_NS) * 17 / 16;
            assert!(range.contains(&ns), "{percent}: {ns}, not {exact}");
        }
        for us in [u64::MAX, 0, 1 << 40] {
            let mut histogram = Histogram::default();
            histogram.record(us, 3);
            assert_eq!(histogram.percentile_ns(0.0), histogram.percentile_ns(100.0));
            assert!(histogram.percentile_ns(50.0) > 0);
        }
    }

    #[test]
    fn spikes_of_one_second_are_one_and_only_so_many_are_kept() {
        let mut spikes = Spikes::default();
        for (at_s, ms) in [(1, 5), (1, 9), (1, 7), (2, 3)] {
            spikes.note("command", at_s, ms);
        }
        let spiky = spikes.get(b"COMMAND").unwrap();
        assert_eq!(
            spiky.samples,
            [Spike { at_s: 1, ms: 9 }, Spike { at_s: 2, ms: 3 }]
        );
        for at_s in 3..1000 {
            spikes.note("command", at_s, 1);
        }
        let spiky = spikes.get(b"command").unwrap();
        assert_eq!((spiky.samples.len(), spiky.max_ms), (SAMPLES_MAX, 9));
        assert_eq!(spikes.forget(|name| name == "other"), 0);
        assert_eq!(spikes.forget(|_| true), 1);
    }

    #[test]
    fn a_graph_shows_heights_and_ages() {
        let mut spiky = Spiky::default();
        for (at_s, ms) in [(0, 300), (90, 500)] {
            spiky.samples.push_back(Spike { at_s, ms });
        }
        spiky.max_ms = 600;
        let graph = spiky.graph("command", 100);
        let lines: Vec<_> = graph.lines().collect();
        assert_eq!(
            lines[0],
            "command - high 500 ms, low 300 ms (all time high 600 ms)"
        );
        assert_eq!(lines[2..6], [" #", " |", " |", "_|"]);
        assert_eq!(lines[7..], ["11", "m0", " s"]);
    }
}
