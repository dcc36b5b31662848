//! What the server says about its memory, its slow commands and its latency.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::error::ReplyError;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

/// The options of [`Client::memory_usage`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MemoryUsageOptions;

/// A command that was slow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowCommand {
    /// Its number in the list.
    pub id: u64,
    /// When it ran, in whole seconds.
    pub at: SystemTime,
    /// How long.
    pub took: Duration,
    /// Its name and arguments, shortened.
    pub args: Vec<Bytes>,
    /// From where it came.
    pub addr: String,
    /// The name of that connection.
    pub client_name: String,
}

impl FromReply for SlowCommand {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let (id, at, took, args, addr, client_name) = FromReply::from_reply(reply)?;
        Ok(Self {
            id,
            at: unix_seconds(at),
            took: Duration::from_micros(took),
            args,
            addr,
            client_name,
        })
    }
}

/// A kind of delay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyEvent {
    /// Its name: `command`, `fork`, `expire-cycle`, ...
    pub name: String,
    /// When it last happened, in whole seconds.
    pub at: SystemTime,
    /// How long it took then, in whole milliseconds.
    pub latest: Duration,
    /// The longest it ever took, in whole milliseconds.
    pub max: Duration,
}

impl FromReply for LatencyEvent {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let (name, at, latest, max) = FromReply::from_reply(reply)?;
        Ok(Self {
            name,
            at: unix_seconds(at),
            latest: Duration::from_millis(latest),
            max: Duration::from_millis(max),
        })
    }
}

/// How long the calls of a command took.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyHistogram {
    /// Number of calls.
    pub calls: u64,
    /// Up to so many microseconds took so many calls, those before included.
    pub up_to_us: Vec<(u64, u64)>,
}

impl FromReply for LatencyHistogram {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut fields = crate::fields::Fields::read(reply)?;
        Ok(Self {
            calls: fields.take("calls")?,
            up_to_us: fields.take("histogram_usec")?,
        })
    }
}

fn unix_seconds(seconds: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into())
}

/// Reads a list of times and delays.
fn history(reply: Reply) -> Result<Vec<(SystemTime, Duration)>, ReplyError> {
    let delays = Vec::<(u32, u64)>::from_reply(reply)?.into_iter();
    Ok(delays
        .map(|(at, ms)| (unix_seconds(at), Duration::from_millis(ms)))
        .collect())
}

impl Client {
    /// [MEMORY USAGE](https://redis.io/docs/latest/commands/memory-usage/): how many bytes a key takes, all in all.
    pub fn memory_usage(&self, key: impl ToArg) -> Command<'_, Option<u64>, MemoryUsageOptions> {
        self.typed(row!("MEMORY USAGE")).with(key)
    }

    /// [MEMORY STATS](https://redis.io/docs/latest/commands/memory-stats/): where the memory is.
    pub fn memory_stats(&self) -> Command<'_, HashMap<String, Reply>> {
        self.typed(row!("MEMORY STATS"))
    }

    /// [MEMORY DOCTOR](https://redis.io/docs/latest/commands/memory-doctor/): what the server says about its memory.
    pub fn memory_doctor(&self) -> Command<'_, String> {
        self.typed(row!("MEMORY DOCTOR"))
    }

    /// [MEMORY MALLOC-STATS](https://redis.io/docs/latest/commands/memory-malloc-stats/): what its allocator says.
    pub fn memory_malloc_stats(&self) -> Command<'_, String> {
        self.typed(row!("MEMORY MALLOC-STATS"))
    }

    /// [MEMORY PURGE](https://redis.io/docs/latest/commands/memory-purge/): gives memory back to the operating system.
    pub fn memory_purge(&self) -> Command<'_, ()> {
        self.typed(row!("MEMORY PURGE"))
    }

    /// [SLOWLOG GET](https://redis.io/docs/latest/commands/slowlog-get/): the newest so many slow commands; all of them
    /// if that is -1.
    pub fn slowlog_get(&self, count: i64) -> Command<'_, Vec<SlowCommand>> {
        self.typed(row!("SLOWLOG GET")).with(count)
    }

    /// [SLOWLOG LEN](https://redis.io/docs/latest/commands/slowlog-len/): how many slow commands are remembered.
    pub fn slowlog_len(&self) -> Command<'_, u64> {
        self.typed(row!("SLOWLOG LEN"))
    }

    /// [SLOWLOG RESET](https://redis.io/docs/latest/commands/slowlog-reset/): forgets the slow commands.
    pub fn slowlog_reset(&self) -> Command<'_, ()> {
        self.typed(row!("SLOWLOG RESET"))
    }

    /// [LATENCY LATEST](https://redis.io/docs/latest/commands/latency-latest/): the kinds of delay that happened.
    pub fn latency_latest(&self) -> Command<'_, Vec<LatencyEvent>> {
        self.typed(row!("LATENCY LATEST"))
    }

    /// [LATENCY HISTORY](https://redis.io/docs/latest/commands/latency-history/): when one of them happened, in whole
    /// seconds, and for how long.
    pub fn latency_history(&self, event: impl ToArg) -> Command<'_, Vec<(SystemTime, Duration)>> {
        self.read_by(row!("LATENCY HISTORY"), history).with(event)
    }

    /// [LATENCY RESET](https://redis.io/docs/latest/commands/latency-reset/): forgets the delays of these kinds, or all
    /// without one; of how many kinds there were some.
    pub fn latency_reset(&self, events: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("LATENCY RESET")).with_all(events)
    }

    /// [LATENCY GRAPH](https://redis.io/docs/latest/commands/latency-graph/): one of them as a picture.
    pub fn latency_graph(&self, event: impl ToArg) -> Command<'_, String> {
        self.typed(row!("LATENCY GRAPH")).with(event)
    }

    /// [LATENCY DOCTOR](https://redis.io/docs/latest/commands/latency-doctor/): what the server says about them.
    pub fn latency_doctor(&self) -> Command<'_, String> {
        self.typed(row!("LATENCY DOCTOR"))
    }

    /// [LATENCY HISTOGRAM](https://redis.io/docs/latest/commands/latency-histogram/): how long the calls of commands
    /// took; of all commands without one.
    pub fn latency_histogram(
        &self,
        commands: impl ToArgs,
    ) -> Command<'_, HashMap<String, LatencyHistogram>> {
        self.typed(row!("LATENCY HISTOGRAM")).with_all(commands)
    }
}

impl<T> Command<'_, T, MemoryUsageOptions> {
    /// Looks at so many elements of a collection; at all of them if that is 0. The server's default: 5.
    pub fn samples(self, samples: u64) -> Self {
        self.with("SAMPLES").with(samples)
    }
}
