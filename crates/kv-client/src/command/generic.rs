//! Commands on keys of any type: existence, expiry, names, iteration.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::class::Class::Write;
use crate::client::Client;
use crate::command::Command;
use crate::command::options::FlushOptions;
use crate::error::ReplyError;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

/// The options of EXPIRE and its relatives.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ExpireOptions;

/// The options of SCAN.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ScanOptions;

/// The options of COPY.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CopyOptions;

/// The options of RESTORE.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RestoreOptions;

/// How long a key lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ttl {
    /// There is no such key.
    Missing,
    /// It has no end.
    Persistent,
    /// For this long.
    Left(Duration),
}

/// When a key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExpireTime {
    /// There is no such key.
    Missing,
    /// It has no end.
    Persistent,
    /// At this time.
    At(SystemTime),
}

/// The type of the value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyType {
    /// There is no such key.
    None,
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    ZSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
    /// A type of a module.
    Other(String),
}

impl Client {
    /// [DEL](https://redis.io/docs/latest/commands/del/): deletes keys; how many there were.
    pub fn del(&self, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed_list(row!("DEL"), keys)
    }

    /// [UNLINK](https://redis.io/docs/latest/commands/unlink/): as DEL, freeing the memory in the background.
    pub fn unlink(&self, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed_list(row!("UNLINK"), keys)
    }

    /// [EXISTS](https://redis.io/docs/latest/commands/exists/): how many of the keys exist; one named twice counts twice.
    pub fn exists(&self, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed_list(row!("EXISTS"), keys)
    }

    /// [TOUCH](https://redis.io/docs/latest/commands/touch/): marks keys as just used; how many there are.
    pub fn touch(&self, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed_list(row!("TOUCH"), keys)
    }

    /// [TYPE](https://redis.io/docs/latest/commands/type/): the type of a key's value.
    pub fn key_type(&self, key: impl ToArg) -> Command<'_, KeyType> {
        self.typed(row!("TYPE")).with(key)
    }

    /// [EXPIRE](https://redis.io/docs/latest/commands/expire/): gives a key a time to live; whether it did.
    ///
    /// Sent as PEXPIRE if it is not whole seconds; parts of a millisecond are rounded up.
    pub fn expire(&self, key: impl ToArg, ttl: Duration) -> Command<'_, bool, ExpireOptions> {
        let (row, number) = whole_seconds_or_ms(ttl, row!("EXPIRE"), row!("PEXPIRE"));
        self.typed(row).with(key).with(number)
    }

    /// [PEXPIRE](https://redis.io/docs/latest/commands/pexpire/): gives a key a time to live in milliseconds; whether it did.
    pub fn pexpire(&self, key: impl ToArg, ttl: Duration) -> Command<'_, bool, ExpireOptions> {
        self.typed(row!("PEXPIRE")).with(key).with(millis(ttl))
    }

    /// [EXPIREAT](https://redis.io/docs/latest/commands/expireat/): gives a key an end, in whole seconds; whether it did.
    pub fn expireat(&self, key: impl ToArg, at: SystemTime) -> Command<'_, bool, ExpireOptions> {
        self.typed(row!("EXPIREAT"))
            .with(key)
            .with(unix_ms(at).div_euclid(1000))
    }

    /// [PEXPIREAT](https://redis.io/docs/latest/commands/pexpireat/): gives a key an end, in milliseconds; whether it did.
    pub fn pexpireat(&self, key: impl ToArg, at: SystemTime) -> Command<'_, bool, ExpireOptions> {
        self.typed(row!("PEXPIREAT")).with(key).with(unix_ms(at))
    }

    /// [PERSIST](https://redis.io/docs/latest/commands/persist/): takes the end away from a key; whether it had one.
    pub fn persist(&self, key: impl ToArg) -> Command<'_, bool> {
        self.typed(row!("PERSIST")).with(key)
    }

    /// [TTL](https://redis.io/docs/latest/commands/ttl/): how long a key lives on, in whole seconds.
    pub fn ttl(&self, key: impl ToArg) -> Command<'_, Ttl> {
        self.typed::<i64, _>(row!("TTL"))
            .with(key)
            .decoded(|reply| Ttl::read(reply, Duration::from_secs))
    }

    /// [PTTL](https://redis.io/docs/latest/commands/pttl/): how long a key lives on, in milliseconds.
    pub fn pttl(&self, key: impl ToArg) -> Command<'_, Ttl> {
        self.typed::<i64, _>(row!("PTTL"))
            .with(key)
            .decoded(|reply| Ttl::read(reply, Duration::from_millis))
    }

    /// [EXPIRETIME](https://redis.io/docs/latest/commands/expiretime/): when a key ends, in whole seconds.
    pub fn expiretime(&self, key: impl ToArg) -> Command<'_, ExpireTime> {
        self.typed::<i64, _>(row!("EXPIRETIME"))
            .with(key)
            .decoded(|reply| ExpireTime::read(reply, Duration::from_secs))
    }

    /// [PEXPIRETIME](https://redis.io/docs/latest/commands/pexpiretime/): when a key ends, in milliseconds.
    pub fn pexpiretime(&self, key: impl ToArg) -> Command<'_, ExpireTime> {
        self.typed::<i64, _>(row!("PEXPIRETIME"))
            .with(key)
            .decoded(|reply| ExpireTime::read(reply, Duration::from_millis))
    }

    /// [RENAME](https://redis.io/docs/latest/commands/rename/): gives a key another name, replacing what has that name.
    pub fn rename(&self, key: impl ToArg, to: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("RENAME")).with(key).with(to)
    }

    /// [RENAMENX](https://redis.io/docs/latest/commands/renamenx/): gives a key another name unless that is taken; whether it did.
    pub fn renamenx(&self, key: impl ToArg, to: impl ToArg) -> Command<'_, bool> {
        self.typed(row!("RENAMENX")).with(key).with(to)
    }

    /// [COPY](https://redis.io/docs/latest/commands/copy/): copies a key; whether it did.
    pub fn copy(&self, key: impl ToArg, to: impl ToArg) -> Command<'_, bool, CopyOptions> {
        self.typed(row!("COPY")).with(key).with(to)
    }

    /// [MOVE](https://redis.io/docs/latest/commands/move/): moves a key to another database; whether it did.
    pub fn move_to(&self, key: impl ToArg, db: u32) -> Command<'_, bool> {
        self.typed(row!("MOVE")).with(key).with(db)
    }

    /// [KEYS](https://redis.io/docs/latest/commands/keys/): all keys that match a pattern. Holds the server up while it
    /// looks; [`scan`](Self::scan) does not.
    pub fn keys(&self, pattern: impl ToArg) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("KEYS")).with(pattern)
    }

    /// [RANDOMKEY](https://redis.io/docs/latest/commands/randomkey/): any key.
    pub fn randomkey(&self) -> Command<'_, Option<Bytes>> {
        self.typed(row!("RANDOMKEY"))
    }

    /// [SCAN](https://redis.io/docs/latest/commands/scan/): one step of an iteration over the keys: the next cursor, 0 at
    /// the end, and some keys. [`scan_keys`](Self::scan_keys) takes all the steps.
    pub fn scan(&self, cursor: u64) -> Command<'_, (u64, Vec<Bytes>), ScanOptions> {
        self.typed(row!("SCAN")).with(cursor)
    }

    /// [DUMP](https://redis.io/docs/latest/commands/dump/): the value of a key in a form for [`restore`](Self::restore).
    pub fn dump(&self, key: impl ToArg) -> Command<'_, Option<Bytes>> {
        self.typed(row!("DUMP")).with(key)
    }

    /// [RESTORE](https://redis.io/docs/latest/commands/restore/): makes a key of what DUMP gave; `None` lives for ever.
    pub fn restore(
        &self,
        key: impl ToArg,
        ttl: Option<Duration>,
        dump: impl ToArg,
    ) -> Command<'_, (), RestoreOptions> {
        self.typed(row!("RESTORE"))
            .with(key)
            .with(ttl.map_or(0, millis))
            .with(dump)
    }

    /// [OBJECT ENCODING](https://redis.io/docs/latest/commands/object-encoding/): how the server keeps a value.
    pub fn object_encoding(&self, key: impl ToArg) -> Command<'_, Option<String>> {
        self.typed(row!("OBJECT ENCODING")).with(key)
    }

    /// [OBJECT IDLETIME](https://redis.io/docs/latest/commands/object-idletime/): seconds since a key was used.
    pub fn object_idletime(&self, key: impl ToArg) -> Command<'_, Option<u64>> {
        self.typed(row!("OBJECT IDLETIME")).with(key)
    }

    /// [OBJECT FREQ](https://redis.io/docs/latest/commands/object-freq/): how often a key is used, on a logarithmic scale.
    pub fn object_freq(&self, key: impl ToArg) -> Command<'_, Option<u64>> {
        self.typed(row!("OBJECT FREQ")).with(key)
    }

    /// [OBJECT REFCOUNT](https://redis.io/docs/latest/commands/object-refcount/): references to a value.
    pub fn object_refcount(&self, key: impl ToArg) -> Command<'_, Option<u64>> {
        self.typed(row!("OBJECT REFCOUNT")).with(key)
    }

    /// [DBSIZE](https://redis.io/docs/latest/commands/dbsize/): number of keys in the database.
    pub fn dbsize(&self) -> Command<'_, u64> {
        self.typed(row!("DBSIZE"))
    }

    /// [FLUSHDB](https://redis.io/docs/latest/commands/flushdb/): deletes all keys of the database.
    pub fn flushdb(&self) -> Command<'_, (), FlushOptions> {
        self.typed(row!("FLUSHDB"))
    }

    /// [FLUSHALL](https://redis.io/docs/latest/commands/flushall/): deletes all keys of all databases.
    pub fn flushall(&self) -> Command<'_, (), FlushOptions> {
        self.typed(row!("FLUSHALL"))
    }

    /// [SWAPDB](https://redis.io/docs/latest/commands/swapdb/): swaps two databases for all clients of the server.
    pub fn swapdb(&self, first: u32, second: u32) -> Command<'_, ()> {
        self.typed(row!("SWAPDB")).with(first).with(second)
    }
}

impl<T> Command<'_, T, ExpireOptions> {
    /// Only if the key has no end.
    pub fn nx(self) -> Self {
        self.with_class(Write).with("NX")
    }

    /// Only if the key has an end.
    pub fn xx(self) -> Self {
        self.with("XX")
    }

    /// Only if the new end is later than the one it has.
    pub fn gt(self) -> Self {
        self.with_class(Write).with("GT")
    }

    /// Only if the new end is earlier than the one it has.
    pub fn lt(self) -> Self {
        self.with_class(Write).with("LT")
    }
}

impl<T> Command<'_, T, ScanOptions> {
    /// Only what matches the pattern.
    pub fn matching(self, pattern: impl ToArg) -> Self {
        self.with("MATCH").with(pattern)
    }

    /// Roughly how many elements to look at in one step. The server's default: 10.
    pub fn count(self, count: u64) -> Self {
        self.with("COUNT").with(count)
    }

    /// Only keys of this type: `string`, `list`, `set`, `zset`, `hash`, `stream`.
    pub fn of_type(self, name: impl ToArg) -> Self {
        self.with("TYPE").with(name)
    }
}

impl<T> Command<'_, T, CopyOptions> {
    /// Copies into another database.
    pub fn db(self, db: u32) -> Self {
        self.with("DB").with(db)
    }

    /// Replaces what has the name.
    pub fn replace(self) -> Self {
        self.with("REPLACE")
    }
}

impl<T> Command<'_, T, RestoreOptions> {
    /// The time to live is an end, in milliseconds since 1970.
    pub fn absttl(self) -> Self {
        self.with("ABSTTL")
    }

    /// So many seconds have gone since it was used.
    pub fn idletime(self, seconds: u64) -> Self {
        self.with("IDLETIME").with(seconds)
    }

    /// So often was it used, on the scale of OBJECT FREQ.
    pub fn freq(self, freq: u8) -> Self {
        self.with("FREQ").with(u16::from(freq))
    }

    /// Replaces what has the name.
    pub fn replace(self) -> Self {
        self.with("REPLACE")
    }
}

impl Ttl {
    /// The time that is left, if the key exists and has an end.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        match self {
            Self::Left(left) => Some(left),
            Self::Missing | Self::Persistent => None,
        }
    }

    pub(super) fn read(reply: Reply, unit: fn(u64) -> Duration) -> Result<Self, ReplyError> {
        Ok(match i64::from_reply(reply)? {
            -2 => Self::Missing,
            -1 => Self::Persistent,
            left => Self::Left(unit(left.try_into().unwrap_or(0))),
        })
    }
}

impl ExpireTime {
    pub(super) fn read(reply: Reply, unit: fn(u64) -> Duration) -> Result<Self, ReplyError> {
        let since_epoch = match Ttl::read(reply, unit)? {
            Ttl::Missing => return Ok(Self::Missing),
            Ttl::Persistent => return Ok(Self::Persistent),
            Ttl::Left(since_epoch) => since_epoch,
        };
        let at = SystemTime::UNIX_EPOCH.checked_add(since_epoch);
        at.map(Self::At).ok_or_else(|| {
            ReplyError::new("a time", format!("{} s since 1970", since_epoch.as_secs()))
        })
    }
}

impl FromReply for KeyType {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        Ok(match String::from_reply(reply)?.as_str() {
            "none" => Self::None,
            "string" => Self::String,
            "list" => Self::List,
            "set" => Self::Set,
            "zset" => Self::ZSet,
            "hash" => Self::Hash,
            "stream" => Self::Stream,
            other => Self::Other(other.to_owned()),
        })
    }
}

impl fmt::Display for KeyType {
    /// The server's word for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::ZSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Other(other) => other,
        })
    }
}

/// Whole milliseconds, rounded up: no time to live becomes zero, which the server would take for "at once" or refuse.
pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// `seconds` and whole seconds if that says it all, `ms` and milliseconds otherwise.
pub(super) fn whole_seconds_or_ms<T>(time: Duration, seconds: T, ms: T) -> (T, i64) {
    if time.subsec_nanos() == 0 {
        (seconds, i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
    } else {
        (ms, millis(time))
    }
}

/// Milliseconds since 1970; negative before.
pub(super) fn unix_ms(at: SystemTime) -> i64 {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}
