//! The one clock: TTLs, timeouts, `TIME`, idle times and statistics all read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

/// Where a server takes the time from.
///
/// A clone shows the same time. The default is [`Clock::system`].
#[derive(Debug, Clone)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
struct Source {
    kind: Kind,
    /// Microseconds that [`Clock::advance`] added.
    advanced_us: AtomicI64,
    /// Told when the time jumps, so that whoever waits for a deadline looks again.
    jumped: Notify,
}

#[derive(Debug)]
enum Kind {
    System,
    Manual {
        start_us: i64,
    },
    Tokio {
        start_us: i64,
        start: tokio::time::Instant,
    },
}

impl Clock {
    /// The system's clock, plus whatever [`advance`](Self::advance) adds.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Kind::System)
    }

    /// A clock that stands still at the current system time until it is [advanced](Self::advance) or [set](Self::set).
    #[must_use]
    pub fn manual() -> Self {
        Self::new(Kind::Manual {
            start_us: system_us(),
        })
    }

    /// A clock that follows Tokio's, so that `tokio::time::pause` and `advance` move TTLs and timeouts too.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn tokio() -> Self {
        Self::new(Kind::Tokio {
            start_us: system_us(),
            start: tokio::time::Instant::now(),
        })
    }

    fn new(kind: Kind) -> Self {
        Self(Arc::new(Source {
            kind,
            advanced_us: AtomicI64::new(0),
            jumped: Notify::new(),
        }))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        let base = match &self.0.kind {
            Kind::System => system_us(),
            Kind::Manual { start_us } => *start_us,
            Kind::Tokio { start_us, start } => start_us.saturating_add(micros(start.elapsed())),
        };
        base.saturating_add(self.0.advanced_us.load(Ordering::Relaxed))
    }

    /// Milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_us().div_euclid(1000)
    }

    /// Moves the time on; what is due by then (expiries, timeouts of blocked clients) happens at once.
    ///
    /// Works on each kind of clock; on one that runs, the jump is added to it.
    pub fn advance(&self, by: Duration) {
        self.0.advanced_us.fetch_add(micros(by), Ordering::Relaxed);
        self.0.jumped.notify_waiters();
    }

    /// Sets a [manual](Self::manual) clock to a time in milliseconds since the Unix epoch; another clock jumps there and runs on.
    pub fn set(&self, unix_ms: i64) {
        let to = unix_ms.saturating_mul(1000);
        let by = to.saturating_sub(self.now_us());
        self.0.advanced_us.fetch_add(by, Ordering::Relaxed);
        self.0.jumped.notify_waiters();
    }

    /// Completes at `unix_ms`, or when the time jumps: the caller looks at the clock again.
    pub(crate) async fn sleep_until(&self, unix_ms: i64) {
        let jumped = self.0.jumped.notified();
        let wait = unix_ms.saturating_mul(1000).saturating_sub(self.now_us());
        let Ok(wait) = u64::try_from(wait) else {
            return;
        };
        match self.0.kind {
            // Time stands still: only a jump can bring the deadline.
            Kind::Manual { .. } if wait > 0 => jumped.await,
            _ => {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_micros(wait)) => {}
                    () = jumped => {}
                }
            }
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the system"
)]
fn system_us() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, micros)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_advanced() {
        let clock = Clock::manual();
        let before = clock.now_us();
        assert_eq!(clock.now_us(), before);
        clock.clone().advance(Duration::from_secs(61));
        assert_eq!(
            clock.now_us(),
            before + 61_000_000,
            "a clone is the same clock"
        );
        clock.set(5_000);
        assert_eq!(clock.now_ms(), 5_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tokio_clock_follows_paused_time() {
        let clock = Clock::tokio();
        let before = clock.now_ms();
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now_ms(), before + 250);
    }
}
