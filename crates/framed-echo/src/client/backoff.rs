//! How long to wait before the next attempt to connect.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Waits that double up to a bound, each shortened by a random part, so that many clients do not come back at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest first wait. Default: 100 ms.
    pub first: Duration,
    /// The longest wait of all. Default: 10 s.
    pub max: Duration,
    /// Attempts before the client gives up. Default: `None`, never.
    pub attempts: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            max: Duration::from_secs(10),
            attempts: None,
        }
    }
}

impl Backoff {
    /// The wait before attempt `attempt`, counted from 0: between half of its bound and the bound. `None`: give up.
    pub(crate) fn wait(&self, attempt: u32) -> Option<Duration> {
        if self.attempts.is_some_and(|attempts| attempt >= attempts) {
            return None;
        }
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        let bound = self.first.saturating_mul(factor).min(self.max);
        let random = RandomState::new().hash_one(attempt) % 1000;
        Some(bound / 2 + bound.mul_f64(0.5 * random as f64 / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_vary_by_half() {
        let backoff = Backoff {
            attempts: Some(40),
            ..Backoff::default()
        };
        for attempt in 0..40 {
            let bound = Duration::from_millis(100)
                .saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
            let bound = bound.min(Duration::from_secs(10));
            let wait = backoff.wait(attempt).expect("not given up yet");
            assert!(
                wait >= bound / 2 && wait <= bound,
                "attempt {attempt}: {wait:?} of {bound:?}"
            );
        }
        assert_eq!(backoff.wait(40), None);
    }
}
