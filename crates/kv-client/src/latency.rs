//! How long commands take: [`Latency`].

use std::fmt;
use std::time::Duration;

/// How long the answers of a server took: their number, sum and maximum, and a histogram.
///
/// The time runs from when a command is taken up to be written until the bytes of its reply have been read, of each attempt
/// for itself; what it waited before, because [`Config::max_in_flight`](crate::Config::max_in_flight) were under way or there
/// was no connection, is not in it. A pipeline or a transaction counts once. Both ends are read from the clock once for all
/// commands that are written, or read, together.
///
/// The histogram has four ranges for each power of two: what it says is too high by at most a quarter, or by a microsecond.
/// It ends at about 71 minutes; whatever takes longer counts as that.
#[derive(Clone, PartialEq, Eq)]
pub struct Latency {
    count: u64,
    sum: Duration,
    max: Duration,
    ranges: Box<[u64; RANGES]>,
}

/// Ranges 0 to 3 are one microsecond each, and every four of the others twice as wide as the four before.
const RANGES: usize = 124;

impl Default for Latency {
    fn default() -> Self {
        Self {
            count: 0,
            sum: Duration::ZERO,
            max: Duration::ZERO,
            ranges: Box::new([0; RANGES]),
        }
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latency")
            .field("count", &self.count)
            .field("mean", &self.mean())
            .field("median", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max)
            .finish()
    }
}

impl Latency {
    /// `times` answers took `took`.
    pub(crate) fn record(&mut self, took: Duration, times: u64) {
        self.count += times;
        let times_32 = u32::try_from(times).unwrap_or(u32::MAX);
        self.sum = self.sum.saturating_add(took.saturating_mul(times_32));
        self.max = self.max.max(took);
        self.ranges[range(took)] += times;
    }

    /// Adds what another one has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
        for (own, other) in self.ranges.iter_mut().zip(other.ranges.iter()) {
            *own += other;
        }
    }

    /// How many answers there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long all of them took together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// How long the slowest one took; zero if there was none.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }

    /// How long they took on average; zero if there were none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        match self.count {
            0 => Duration::ZERO,
            count => self.sum.div_f64(count as f64),
        }
    }

    /// What the given part of the answers took at most: `quantile(0.99)` is the 99th percentile. Zero if there were none.
    ///
    /// # Panics
    ///
    /// If `part` is not between 0 and 1.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Duration {
        assert!((0.0..=1.0).contains(&part), "{part} is no part of one");
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most the count, and not negative"
        )]
        let wanted = ((self.count as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        for (end, count) in self.ranges() {
            seen += count;
            if seen >= wanted {
                return end.min(self.max);
            }
        }
        self.max
    }

    /// The ranges of the histogram in ascending order: where each ends, and how many answers are in it.
    pub fn ranges(&self) -> impl Iterator<Item = (Duration, u64)> {
        (0u32..).map(end).zip(self.ranges.iter().copied())
    }
}

/// The range that a time belongs to.
fn range(took: Duration) -> usize {
    let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
    let range = match micros {
        0..4 => micros,
        _ => {
            let power = micros.ilog2();
            let quarter = (micros >> (power - 2)) & 3;
            (power - 1) * 4 + quarter
        }
    };
    range as usize
}

/// Where a range ends; it is not part of it.
fn end(range: u32) -> Duration {
    let micros = match range {
        0..4 => u64::from(range) + 1,
        _ => u64::from(range % 4 + 5) << (range / 4 - 1),
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_the_range_that_ends_behind_it_by_at_most_a_quarter() {
        let mut previous = Duration::ZERO;
        for (number, end) in (0..RANGES).zip((0..).map(end)) {
            assert!(end > previous, "range {number}");
            let last = end - Duration::from_micros(1);
            for took in [previous, last] {
                assert_eq!(range(took), number, "{took:?}");
            }
            let excess = end - previous;
            assert!(
                excess <= previous / 4 || excess == Duration::from_micros(1),
                "range {number} is {previous:?} to {end:?}"
            );
            previous = end;
        }
        assert_eq!(range(Duration::MAX), RANGES - 1);
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), Duration::ZERO);
        for ms in 1..=100 {
            latency.record(Duration::from_millis(ms), 10);
        }
        let mut all = Latency::default();
        all.add(&latency);
        assert_eq!(all, latency);
        assert_eq!((all.count(), all.max()), (1000, Duration::from_millis(100)));
        assert_eq!(all.mean(), Duration::from_micros(50_500));
        for (part, ms) in [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)] {
            let exact = Duration::from_millis(ms);
            let said = all.quantile(part);
            assert!(
                (exact..=exact + exact / 4).contains(&said),
                "{part}: {said:?}"
            );
        }
    }
}
