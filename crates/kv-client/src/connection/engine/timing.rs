//! How long answers take.
//!
//! Commands that are taken up together are a *wave*, of which the clock is read once; that was done for their time limits
//! already. So is the time of a read, for the sake of the keepalive. What came of it is kept here until the driver holds the
//! lock on what it shares with the callers, as it does for each batch.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::latency::Latency;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Timing {
    /// The number of each wave that may have commands without an answer, and when it was taken up; in ascending order.
    waves: VecDeque<(u32, Instant)>,
    next: u32,
    /// When the bytes that are being decoded were read.
    heard: Option<Instant>,
    /// The answers that are being counted: their wave, how long they took, and how many there were.
    wave: u32,
    took: Duration,
    times: u64,
    /// What was counted before: how long, and how many.
    measured: Vec<(Duration, u64)>,
}

impl Timing {
    /// Commands are taken up; the number of their wave. `first` says that no others are pending.
    pub(super) fn begin(&mut self, now: Instant, first: bool) -> u32 {
        if first {
            self.waves.clear();
        }
        let wave = self.next;
        self.next = wave.wrapping_add(1);
        self.waves.push_back((wave, now));
        wave
    }

    /// What is decoded from now on was read at this time.
    pub(super) fn heard(&mut self, now: Instant) {
        self.flush();
        self.heard = Some(now);
    }

    /// A command of this wave has its answer. Those of earlier waves have theirs, or will have none.
    #[inline]
    pub(super) fn answered(&mut self, wave: u32) {
        if self.times > 0 && self.wave == wave {
            self.times += 1;
        } else {
            self.first_answered(wave);
        }
    }

    fn first_answered(&mut self, wave: u32) {
        self.flush();
        while self.waves.front().is_some_and(|&(first, _)| first != wave) {
            self.waves.pop_front();
        }
        if let (Some(heard), Some(&(_, begin))) = (self.heard, self.waves.front()) {
            self.wave = wave;
            self.took = heard.saturating_duration_since(begin);
            self.times = 1;
        }
    }

    fn flush(&mut self) {
        if self.times > 0 {
            self.measured.push((self.took, self.times));
            self.times = 0;
        }
    }

    /// Commands were withdrawn; `last` is the wave of the last one that is left.
    pub(super) fn withdrawn(&mut self, last: Option<u32>) {
        while self
            .waves
            .back()
            .is_some_and(|&(wave, _)| Some(wave) != last)
        {
            self.waves.pop_back();
        }
    }

    /// Moves what was measured to where it can be seen.
    pub(super) fn report(&mut self, to: &mut Latency) {
        self.flush();
        for (took, times) in self.measured.drain(..) {
            to.record(took, times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_measured_from_its_own_wave() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut timing = Timing::default();
        let first = timing.begin(at(0), true);
        let lost = timing.begin(at(10), false);
        let third = timing.begin(at(20), false);
        let withdrawn = timing.begin(at(30), false);
        assert_ne!(lost, withdrawn);
        timing.withdrawn(Some(third));
        timing.heard(at(100));
        for wave in [first, first, third] {
            timing.answered(wave);
        }
        let mut latency = Latency::default();
        timing.report(&mut latency);
        assert_eq!(latency.count(), 3);
        assert_eq!(latency.sum(), Duration::from_millis(100 + 100 + 80));
        assert_eq!(timing.waves.len(), 1, "nothing is kept of what is over");
        timing.begin(at(200), true);
        assert_eq!(timing.waves.len(), 1);
    }
}
