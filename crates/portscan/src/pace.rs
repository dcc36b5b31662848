//! How fast and how patiently a scan goes: round-trip times, loss, the window and the rate. No I/O; `now` is an argument.

use std::time::{Duration, Instant};

/// How often a silent port is probed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retries {
    /// As often as the loss seen so far asks for: enough that fewer than one port in a thousand scans is called filtered
    /// because its packets were lost, and at most `max` times. An address that never answered anything is not
    /// asked again, beyond the second SYN that the system's `connect` sends after a second (the SYN technique sends it itself).
    Adaptive {
        /// The most repetitions.
        max: u8,
    },
    /// This many times, whatever happens.
    Fixed(u8),
}

impl Default for Retries {
    fn default() -> Self {
        Self::Adaptive { max: 9 }
    }
}

/// A smoothed round-trip time and its variation, as in [RFC 6298](https://www.rfc-editor.org/rfc/rfc6298#section-2).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rtt {
    smoothed_us: u32,
    variation_us: u32,
}

impl Rtt {
    pub(crate) fn is_known(self) -> bool {
        self.variation_us > 0
    }

    pub(crate) fn record(&mut self, sample: Duration) {
        let sample = u32::try_from(sample.as_micros())
            .unwrap_or(u32::MAX >> 4)
            .min(u32::MAX >> 4);
        if self.is_known() {
            self.variation_us = (3 * self.variation_us + self.smoothed_us.abs_diff(sample)) / 4;
            self.smoothed_us = (7 * self.smoothed_us + sample) / 8;
        } else {
            self.smoothed_us = sample;
            self.variation_us = sample / 2;
        }
        self.variation_us = self.variation_us.max(1);
    }

    /// Silence for longer than this means that no answer will come.
    fn patience(self) -> Duration {
        Duration::from_micros(u64::from(self.smoothed_us) + 4 * u64::from(self.variation_us))
    }

    pub(crate) fn smoothed(self) -> Option<Duration> {
        self.is_known()
            .then(|| Duration::from_micros(self.smoothed_us.into()))
    }
}

/// How long try number `tries` (from 1) of a probe waits: what the address itself has taught, or else what the scan has, or
/// else `longest`.
pub(crate) fn timeout(host: Rtt, scan: Rtt, tries: u8, longest: Duration) -> Duration {
    let base = if host.is_known() {
        host.patience().max(LEAST_TIMEOUT)
    } else if scan.is_known() {
        (3 * scan.patience()).max(LEAST_TIMEOUT_ELSEWHERE)
    } else {
        longest
    };
    let grown = base.mul_f64(1.5_f64.powi(i32::from(tries.saturating_sub(1).min(16))));
    grown.min(longest)
}

/// The share of probes that needed more than one try.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Loss {
    answers: u32,
    late: u32,
}

impl Loss {
    /// Counts an answer that came on try number `tries`.
    pub(crate) fn record(&mut self, tries: u8) {
        self.answers += 1;
        self.late += u32::from(tries > 1);
        if self.answers >= 1 << 14 {
            self.answers /= 2;
            self.late /= 2;
        }
    }

    /// The tries after which fewer than 0.001 of `ports` ports are expected to be silent by loss alone.
    fn tries_for(self, ports: u64) -> u8 {
        if self.late == 0 {
            return LEAST_TRIES;
        }
        let lost = f64::from(self.late) / f64::from(self.answers);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let tries = ((ports.max(1) as f64 / 0.001).ln() / -lost.min(0.99).ln()).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the range of the type"
        )]
        let tries = tries.clamp(0.0, 255.0) as u8;
        tries.max(LEAST_TRIES)
    }
}

/// The tries that a silent port gets in all.
pub(crate) fn tries(
    retries: Retries,
    loss: Loss,
    ports: u64,
    host_answered: bool,
    system_repeats: bool,
) -> u8 {
    match retries {
        Retries::Fixed(count) => count.saturating_add(1),
        Retries::Adaptive { max } if host_answered => {
            loss.tries_for(ports).min(max.saturating_add(1))
        }
        Retries::Adaptive { max } => {
            if system_repeats {
                1
            } else {
                2.min(max.saturating_add(1))
            }
        }
    }
}

/// How many probes may be in flight: grows while answers come at the first try, shrinks with loss and local shortage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    size: usize,
    max: usize,
    /// Answers in this round, and how many of them needed more than one try.
    round: u32,
    late: u32,
}

impl Window {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self {
            size: max.min(FIRST_WINDOW),
            max,
            round: 0,
            late: 0,
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Counts an answer that came on try number `tries`.
    pub(crate) fn record(&mut self, tries: u8) {
        self.round += 1;
        self.late += u32::from(tries > 1);
        if self.round < ROUND {
            return;
        }
        if self.late * 8 > self.round {
            // Random loss alone must not starve the scan, so the window never falls below a floor.
            self.size = (self.size * 3 / 4).max(LEAST_WINDOW.min(self.max));
        } else {
            self.size = (self.size + ROUND as usize).min(self.max);
        }
        (self.round, self.late) = (0, 0);
    }

    /// This machine could not carry more than `in_flight` probes.
    pub(crate) fn shortage(&mut self, in_flight: usize) {
        self.size = in_flight.clamp(1, self.size);
        (self.round, self.late) = (0, 0);
    }
}

/// A token bucket: so many probes a second, in bursts of a hundredth of a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimit {
    per_second: Option<u32>,
    tokens: f64,
    filled: Instant,
}

impl RateLimit {
    pub(crate) fn new(per_second: Option<u32>, now: Instant) -> Self {
        Self {
            per_second,
            tokens: 1.0,
            filled: now,
        }
    }

    /// How many probes may go out now, at most `want`.
    pub(crate) fn available(&mut self, want: usize, now: Instant) -> usize {
        let Some(rate) = self.per_second else {
            return want;
        };
        let rate = f64::from(rate);
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * rate;
        self.tokens = (self.tokens + gained).min((rate / 100.0).max(1.0));
        self.filled = now;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and far below 2^32"
        )]
        let whole = self.tokens as usize;
        whole.min(want)
    }

    pub(crate) fn take(&mut self, probes: usize) {
        if self.per_second.is_some() {
            #[expect(clippy::cast_precision_loss, reason = "at most what `available` gave")]
            let probes = probes as f64;
            self.tokens -= probes;
        }
    }

    /// When the next probe may go out.
    pub(crate) fn next(&self) -> Option<Instant> {
        let rate = self.per_second?;
        let missing = (1.0 - self.tokens).max(0.0);
        Some(self.filled + Duration::from_secs_f64(missing / f64::from(rate)))
    }
}

/// An address that answers within microseconds may still be slow once; nmap uses the same floor.
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);

/// The floor where only other addresses have taught the round-trip time.
const LEAST_TIMEOUT_ELSEWHERE: Duration = Duration::from_millis(300);

/// Tries at an address that answers, while no loss has been seen.
const LEAST_TRIES: u8 = 3;

/// Enough that a thousand silent ports wait at the same time.
pub(crate) const FIRST_WINDOW: usize = 1024;

const LEAST_WINDOW: usize = 64;

/// Answers after which the window is reconsidered.
const ROUND: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(1500);

    fn rtt(samples: &[u64]) -> Rtt {
        let mut rtt = Rtt::default();
        samples
            .iter()
            .for_each(|&us| rtt.record(Duration::from_micros(us)));
        rtt
    }

    #[test]
    fn one_learned_round_trip_shortens_the_timeouts_of_all() {
        let none = Rtt::default();
        let near = rtt(&[200]);
        assert_eq!(timeout(none, none, 1, LONGEST), LONGEST);
        assert_eq!(timeout(near, near, 1, LONGEST), LEAST_TIMEOUT);
        assert_eq!(timeout(none, near, 1, LONGEST), LEAST_TIMEOUT_ELSEWHERE);
        let far = rtt(&[400_000]);
        assert_eq!(timeout(far, near, 1, LONGEST), Duration::from_millis(1200));
        assert_eq!(
            timeout(far, near, 2, LONGEST),
            LONGEST,
            "never longer than the setting"
        );
    }

    #[test]
    fn each_try_waits_longer_than_the_one_before() {
        let near = rtt(&[200]);
        assert_eq!(timeout(near, near, 2, LONGEST), Duration::from_millis(150));
        assert_eq!(timeout(near, near, 3, LONGEST), Duration::from_millis(225));
    }

    #[test]
    fn tries_follow_the_loss_and_the_number_of_ports() {
        let mut loss = Loss::default();
        for i in 0..1000 {
            loss.record(if i % 10 == 0 { 2 } else { 1 });
        }
        let adaptive = Retries::Adaptive { max: 9 };
        assert_eq!(
            tries(adaptive, loss, 65_535, true, true),
            8,
            "0.1^8 * 65535 < 0.001"
        );
        assert_eq!(tries(adaptive, loss, 20, true, true), 5);
        assert_eq!(tries(adaptive, Loss::default(), 65_535, true, true), 3);
        assert_eq!(
            tries(Retries::Adaptive { max: 4 }, loss, 65_535, true, true),
            5
        );
        assert_eq!(tries(adaptive, loss, 65_535, false, true), 1);
        assert_eq!(tries(adaptive, loss, 65_535, false, false), 2);
        assert_eq!(tries(Retries::Fixed(0), loss, 65_535, true, false), 1);
    }

    #[test]
    fn the_window_grows_with_answers_and_shrinks_with_loss_and_shortage() {
        let mut window = Window::new(2000);
        assert_eq!(window.size(), 1024);
        (0..ROUND * 20).for_each(|_| window.record(1));
        assert_eq!(window.size(), 2000);
        (0..ROUND).for_each(|_| window.record(2));
        assert_eq!(window.size(), 1500);
        (0..ROUND * 100).for_each(|_| window.record(2));
        assert_eq!(window.size(), 64);
        window.shortage(10);
        assert_eq!(window.size(), 10);
        window.shortage(0);
        assert_eq!(window.size(), 1);
        assert_eq!(Window::new(5).size(), 5);
    }

    #[test]
    fn the_rate_holds_over_a_second_and_in_bursts() {
        let start = Instant::now();
        let mut rate = RateLimit::new(Some(1000), start);
        let mut sent = 0;
        for ms in 0..1000 {
            let now = start + Duration::from_millis(ms);
            let burst = rate.available(64, now);
            assert!(burst <= 10);
            rate.take(burst);
            sent += burst;
        }
        assert!((990..=1000).contains(&sent), "{sent}");
        let rest = rate.available(10, start + Duration::from_millis(999));
        rate.take(rest);
        let next = rate.next().unwrap();
        assert!(next > rate.filled && next <= rate.filled + Duration::from_millis(1));
        assert_eq!(RateLimit::new(None, start).available(64, start), 64);
    }
}
