//! How the use of keys is noted, in the 24 bits that the table keeps for each: when a key was used last, or how often.

use crate::keyspace::Db;
use crate::keyspace::table::Position;
use crate::rng::Rng;

/// What the 24 bits mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Usage {
    /// The time of the last use, in seconds, its lower 24 bits.
    #[default]
    Age,
    /// The upper 16 bits are the minute of the last use, the lower eight count uses.
    Frequency(Frequency),
}

/// How a key was used, as snapshots say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Used {
    /// Not for so many seconds.
    Idle(u32),
    /// So often, on the scale of OBJECT FREQ.
    Count(u8),
}

impl Usage {
    /// What a clock says now.
    pub(super) fn used(self, clock: u32, now_ms: i64) -> Used {
        match self {
            Self::Age => Used::Idle(age(stamp(now_ms), clock)),
            Self::Frequency(frequency) => {
                let count = frequency.count(clock, now_ms);
                Used::Count(u8::try_from(count).unwrap_or(u8::MAX))
            }
        }
    }
}

/// How uses are counted, as Redis does: with chances that fall as the count rises, so that eight bits tell a thousand
/// uses from a million; and the count falls with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frequency {
    /// `lfu-log-factor`: the higher, the more uses a count stands for.
    pub(crate) log_factor: u32,
    /// `lfu-decay-time`: minutes without use that take one off the count; 0 for never.
    pub(crate) decay_minutes: u32,
}

/// Bits of a stamp.
const STAMP_MAX: u32 = (1 << 24) - 1;
/// Minutes go round after 45 days.
const MINUTE_MAX: u32 = (1 << 16) - 1;
/// What a new key starts with, lest it be the first to go.
const FIRST_COUNT: u8 = 5;
const COUNT_MAX: u32 = 255;

/// The lower 24 bits of a time in seconds.
pub(super) fn stamp(now_ms: i64) -> u32 {
    u32::try_from(now_ms.div_euclid(1000) & i64::from(STAMP_MAX)).unwrap_or(0)
}

/// Seconds from one stamp to another; up to 194 days.
pub(super) fn age(now: u32, stamp: u32) -> u32 {
    now.wrapping_sub(stamp) & STAMP_MAX
}

/// The stamp that was so many seconds ago.
pub(super) fn idle_since(now: u32, seconds: u32) -> u32 {
    now.wrapping_sub(seconds.min(STAMP_MAX)) & STAMP_MAX
}

fn minute(now_ms: i64) -> u32 {
    u32::try_from(now_ms.div_euclid(60_000) & i64::from(MINUTE_MAX)).unwrap_or(0)
}

impl Frequency {
    /// The clock of a new key.
    pub(super) fn first(now_ms: i64) -> u32 {
        Self::counted(now_ms, FIRST_COUNT)
    }

    /// The clock of a key that has this count now.
    pub(super) fn counted(now_ms: i64, count: u8) -> u32 {
        (minute(now_ms) << 8) | u32::from(count)
    }

    /// The count of a key, less what the time since its last use has taken off.
    pub(crate) fn count(self, clock: u32, now_ms: i64) -> u32 {
        let idle = minute(now_ms).wrapping_sub(clock >> 8) & MINUTE_MAX;
        let lost = idle.checked_div(self.decay_minutes).unwrap_or(0);
        (clock & COUNT_MAX).saturating_sub(lost)
    }

    /// The clock of a key that is used now.
    pub(super) fn used(self, clock: u32, now_ms: i64, rng: &mut Rng) -> u32 {
        let count = self.count(clock, now_ms);
        let odds =
            u64::from(count.saturating_sub(FIRST_COUNT.into())) * u64::from(self.log_factor) + 1;
        let rises = count < COUNT_MAX && rng.next() <= u64::MAX / odds;
        (minute(now_ms) << 8) | (count + u32::from(rises))
    }
}

impl Db {
    /// Marks a key as used. Writes at most once a second, so that keys in use are not written to just because they are read.
    #[inline]
    pub(super) fn touch(&mut self, at: Position) {
        if !self.touching {
            return;
        }
        let clock = self.table.clock(at);
        let used = match self.usage {
            Usage::Age => self.stamp,
            Usage::Frequency(frequency) => frequency.used(clock, self.now, &mut self.rng),
        };
        if clock != used {
            self.table.set_clock(at, used);
        }
    }

    /// For how long a live key has not been used; up to 194 days.
    pub(crate) fn idle_seconds(&mut self, key: &[u8]) -> Option<u32> {
        let at = self.find_to_read(key)?;
        Some(age(self.stamp, self.table.clock(at)))
    }

    /// How often a live key is used, as far as an LFU policy counts; `None` if none does.
    pub(crate) fn frequency(&mut self, key: &[u8]) -> Option<u32> {
        let at = self.find_to_read(key)?;
        match self.usage {
            Usage::Age => None,
            Usage::Frequency(frequency) => Some(frequency.count(self.table.clock(at), self.now)),
        }
    }

    /// What is noted of a key that is new.
    pub(super) fn first_clock(&self) -> u32 {
        match self.usage {
            Usage::Age => self.stamp,
            Usage::Frequency(_) => Frequency::first(self.now),
        }
    }

    /// Lets a live key look as if it had not been used for so long, unless uses are counted.
    pub(crate) fn set_idle_seconds(&mut self, key: &[u8], seconds: u32) {
        if self.usage == Usage::Age {
            if let Some(at) = self.find(key) {
                self.table.set_clock(at, idle_since(self.stamp, seconds));
            }
        }
    }

    /// Lets a live key look as if it had been used so often, if uses are counted.
    pub(crate) fn set_frequency(&mut self, key: &[u8], count: u8) {
        if self.usage != Usage::Age {
            if let Some(at) = self.find(key) {
                self.table
                    .set_clock(at, Frequency::counted(self.now, count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_count_grows_with_the_logarithm_of_the_uses() {
        let frequency = Frequency {
            log_factor: 10,
            decay_minutes: 1,
        };
        let mut rng = Rng::new(1);
        let mut clock = Frequency::first(HOUR);
        let mut counts = Vec::new();
        for uses in 1..=100_000 {
            clock = frequency.used(clock, HOUR, &mut rng);
            if [100, 1_000, 100_000].contains(&uses) {
                counts.push(frequency.count(clock, HOUR));
            }
        }
        // The table in redis.conf has 10, 18 and 142 for this factor.
        assert!((7..=14).contains(&counts[0]), "{counts:?}");
        assert!((13..=24).contains(&counts[1]), "{counts:?}");
        assert!((120..=165).contains(&counts[2]), "{counts:?}");
    }

    #[test]
    fn a_count_falls_by_one_in_each_period_without_use_and_never_wraps() {
        let frequency = Frequency {
            log_factor: 0,
            decay_minutes: 2,
        };
        let mut rng = Rng::new(1);
        let mut clock = Frequency::first(HOUR);
        for _ in 0..300 {
            clock = frequency.used(clock, HOUR, &mut rng);
        }
        assert_eq!(frequency.count(clock, HOUR), 255);
        assert_eq!(frequency.count(clock, HOUR + 10 * 60_000), 250);
        assert_eq!(frequency.count(clock, HOUR + 24 * HOUR), 0);
        let never = Frequency {
            decay_minutes: 0,
            ..frequency
        };
        assert_eq!(never.count(clock, HOUR + 24 * HOUR), 255);
    }

    #[test]
    fn ages_survive_the_wrap_of_the_stamp() {
        assert_eq!(age(stamp(5_000), stamp(2_000)), 3);
        assert_eq!(age(2, STAMP_MAX), 3);
    }
}
