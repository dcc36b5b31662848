//! How long to wait before the next attempt to connect.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The delays between attempts to reconnect: the first attempt is made at once, then `min`, doubling up to `max`.
///
/// Of each delay a random part, up to half, is taken off, so that the clients of a server that failed do not all come
/// back in the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            min: Duration::from_millis(50),
            max: Duration::from_secs(5),
        }
    }
}

impl Backoff {
    /// Delays from `min`, doubling up to `max`. Default: 50 ms and 5 s. `min` is taken as at least 1 ms, `max` as at least `min`.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        let min = min.max(Duration::from_millis(1));
        Self {
            min,
            max: max.max(min),
        }
    }

    /// The delay before attempt number `attempt`, counted from 0, with `random` saying how much is taken off.
    pub(crate) fn delay(&self, attempt: u32, random: u64) -> Duration {
        if attempt == 0 {
            return Duration::ZERO;
        }
        let full = self
            .min
            .saturating_mul(1u32.checked_shl(attempt - 1).unwrap_or(u32::MAX))
            .min(self.max);
        let thousandths = u32::try_from(random % 501).unwrap_or(0);
        full - full / 1000 * thousandths
    }
}

/// A number that differs between processes and calls. Good enough to spread clients out, and for nothing else.
pub(crate) fn random(salt: u64) -> u64 {
    RandomState::new().hash_one(salt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum_and_lose_at_most_half() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        assert_eq!(backoff.delay(0, 7), Duration::ZERO);
        for (attempt, full_ms) in [
            (1, 100),
            (2, 200),
            (3, 400),
            (4, 800),
            (5, 1000),
            (40, 1000),
            (u32::MAX, 1000),
        ] {
            assert_eq!(
                backoff.delay(attempt, 0),
                Duration::from_millis(full_ms),
                "attempt {attempt}"
            );
            assert_eq!(
                backoff.delay(attempt, 500),
                Duration::from_millis(full_ms / 2),
                "attempt {attempt}"
            );
        }
    }

    #[test]
    fn a_zero_delay_cannot_become_a_busy_loop() {
        assert!(Backoff::new(Duration::ZERO, Duration::ZERO).delay(1, 500) > Duration::ZERO);
    }
}
