//! The fields of a hash that end: as of Redis 7.4; HGETEX, HSETEX and HGETDEL as of Redis 8.0.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::class::Class::{Repeatable, Write};
use crate::client::Client;
use crate::command::Command;
use crate::command::generic::{ExpireTime, Ttl, millis, unix_ms, whole_seconds_or_ms};
use crate::error::ReplyError;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

/// The options of HEXPIRE and its relatives.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HExpireOptions;

/// The options of [`Client::hgetex`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HGetExOptions;

/// The options of [`Client::hsetex`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HSetExOptions;

/// What became of the end of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldChange {
    /// There is no such field.
    Missing,
    /// A condition was not met, or there was no end to take away.
    Unchanged,
    /// It has the new end, or no end any more.
    Changed,
    /// It ended at once.
    Deleted,
}

impl FromReply for FieldChange {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        Ok(match i64::from_reply(reply)? {
            -2 => Self::Missing,
            0 | -1 => Self::Unchanged,
            1 => Self::Changed,
            2 => Self::Deleted,
            other => return Err(ReplyError::new("a number from -2 to 2", other.to_string())),
        })
    }
}

/// Reads a list of times to live.
fn ttls(reply: Reply, unit: fn(u64) -> Duration) -> Result<Vec<Ttl>, ReplyError> {
    let each = Vec::<Reply>::from_reply(reply)?.into_iter();
    each.map(|reply| Ttl::read(reply, unit)).collect()
}

/// Reads a list of ends.
fn ends(reply: Reply, unit: fn(u64) -> Duration) -> Result<Vec<ExpireTime>, ReplyError> {
    let each = Vec::<Reply>::from_reply(reply)?.into_iter();
    each.map(|reply| ExpireTime::read(reply, unit)).collect()
}

impl Client {
    /// [HEXPIRE](https://redis.io/docs/latest/commands/hexpire/): gives fields a time to live; what became of each.
    ///
    /// Sent as HPEXPIRE if it is not whole seconds; parts of a millisecond are rounded up.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use std::time::Duration;
    ///
    /// let changes = client.hexpire("session:1", Duration::from_secs(60), ["token", "nonce"]).nx().await?;
    /// # Ok(()) }
    /// ```
    pub fn hexpire(
        &self,
        key: impl ToArg,
        ttl: Duration,
        fields: impl ToArgs,
    ) -> Command<'_, Vec<FieldChange>, HExpireOptions> {
        let (row, number) = whole_seconds_or_ms(ttl, row!("HEXPIRE"), row!("HPEXPIRE"));
        self.typed(row)
            .with(key)
            .with(number)
            .options_here()
            .with("FIELDS")
            .with_counted(fields)
    }

    /// [HPEXPIRE](https://redis.io/docs/latest/commands/hpexpire/): gives fields a time to live in milliseconds; what
    /// became of each.
    pub fn hpexpire(
        &self,
        key: impl ToArg,
        ttl: Duration,
        fields: impl ToArgs,
    ) -> Command<'_, Vec<FieldChange>, HExpireOptions> {
        self.typed(row!("HPEXPIRE"))
            .with(key)
            .with(millis(ttl))
            .options_here()
            .with("FIELDS")
            .with_counted(fields)
    }

    /// [HEXPIREAT](https://redis.io/docs/latest/commands/hexpireat/): gives fields an end, in whole seconds; what
    /// became of each.
    pub fn hexpireat(
        &self,
        key: impl ToArg,
        at: SystemTime,
        fields: impl ToArgs,
    ) -> Command<'_, Vec<FieldChange>, HExpireOptions> {
        self.typed(row!("HEXPIREAT"))
            .with(key)
            .with(unix_ms(at).div_euclid(1000))
            .options_here()
            .with("FIELDS")
            .with_counted(fields)
    }

    /// [HPEXPIREAT](https://redis.io/docs/latest/commands/hpexpireat/): gives fields an end, in milliseconds; what
    /// became of each.
    pub fn hpexpireat(
        &self,
        key: impl ToArg,
        at: SystemTime,
        fields: impl ToArgs,
    ) -> Command<'_, Vec<FieldChange>, HExpireOptions> {
        self.typed(row!("HPEXPIREAT"))
            .with(key)
            .with(unix_ms(at))
            .options_here()
            .with("FIELDS")
            .with_counted(fields)
    }

    /// [HPERSIST](https://redis.io/docs/latest/commands/hpersist/): takes the end away from fields; what became of
    /// each.
    pub fn hpersist(&self, key: impl ToArg, fields: impl ToArgs) -> Command<'_, Vec<FieldChange>> {
        self.typed(row!("HPERSIST"))
            .with(key)
            .with("FIELDS")
            .with_counted(fields)
    }

    /// [HTTL](https://redis.io/docs/latest/commands/httl/): how long fields live on, in whole seconds.
    pub fn httl(&self, key: impl ToArg, fields: impl ToArgs) -> Command<'_, Vec<Ttl>> {
        self.read_by(row!("HTTL"), |reply| ttls(reply, Duration::from_secs))
            .with(key)
            .with("FIELDS")
            .with_counted(fields)
    }

    /// [HPTTL](https://redis.io/docs/latest/commands/hpttl/): how long fields live on, in milliseconds.
    pub fn hpttl(&self, key: impl ToArg, fields: impl ToArgs) -> Command<'_, Vec<Ttl>> {
        self.read_by(row!("HPTTL"), |reply| ttls(reply, Duration::from_millis))
            .with(key)
            .with("FIELDS")
            .with_counted(fields)
    }

    /// [HEXPIRETIME](https://redis.io/docs/latest/commands/hexpiretime/): when fields end, in whole seconds.
    pub fn hexpiretime(
        &self,
        key: impl ToArg,
        fields: impl ToArgs,
    ) -> Command<'_, Vec<ExpireTime>> {
        self.read_by(row!("HEXPIRETIME"), |reply| {
            ends(reply, Duration::from_secs)
        })
        .with(key)
        .with("FIELDS")
        .with_counted(fields)
    }

    /// [HPEXPIRETIME](https://redis.io/docs/latest/commands/hpexpiretime/): when fields end, in milliseconds.
    pub fn hpexpiretime(
        &self,
        key: impl ToArg,
        fields: impl ToArgs,
    ) -> Command<'_, Vec<ExpireTime>> {
        self.read_by(row!("HPEXPIRETIME"), |reply| {
            ends(reply, Duration::from_millis)
        })
        .with(key)
        .with("FIELDS")
        .with_counted(fields)
    }

    /// [HGETDEL](https://redis.io/docs/latest/commands/hgetdel/): the values of fields, which are deleted.
    pub fn hgetdel(&self, key: impl ToArg, fields: impl ToArgs) -> Command<'_, Vec<Option<Bytes>>> {
        self.typed(row!("HGETDEL"))
            .with(key)
            .with("FIELDS")
            .with_counted(fields)
    }

    /// [HGETEX](https://redis.io/docs/latest/commands/hgetex/): the values of fields, whose time to live the options
    /// change.
    pub fn hgetex(
        &self,
        key: impl ToArg,
        fields: impl ToArgs,
    ) -> Command<'_, Vec<Option<Bytes>>, HGetExOptions> {
        self.typed(row!("HGETEX"))
            .with(key)
            .options_here()
            .with("FIELDS")
            .with_counted(fields)
    }

    /// [HSETEX](https://redis.io/docs/latest/commands/hsetex/): sets fields, given as one pair, a list of pairs or a map,
    /// with one time to live; whether it did.
    pub fn hsetex<K: ToArg, V: ToArg>(
        &self,
        key: impl ToArg,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Command<'_, bool, HSetExOptions> {
        let fields: Vec<_> = fields.into_iter().collect();
        let mut command = self
            .typed(row!("HSETEX"))
            .with(key)
            .options_here()
            .with("FIELDS")
            .with(fields.len());
        for (field, value) in fields {
            command = command.with(field).with(value);
        }
        command
    }
}

impl<T> Command<'_, T, HExpireOptions> {
    /// Only fields that have no end.
    pub fn nx(self) -> Self {
        self.with_class(Write).option("NX")
    }

    /// Only fields that have an end.
    pub fn xx(self) -> Self {
        self.option("XX")
    }

    /// Only if the new end is later than the one it has.
    pub fn gt(self) -> Self {
        self.with_class(Write).option("GT")
    }

    /// Only if the new end is earlier than the one it has.
    pub fn lt(self) -> Self {
        self.with_class(Write).option("LT")
    }
}

impl<T> Command<'_, T, HGetExOptions> {
    /// The fields are gone after `ttl`; see [`Command::ex`].
    pub fn ex(self, ttl: Duration) -> Self {
        self.with_class(Repeatable)
            .option(whole_seconds_or_ms(ttl, "EX", "PX"))
    }

    /// The fields are gone at this time, in whole milliseconds.
    pub fn ex_at(self, at: SystemTime) -> Self {
        self.with_class(Repeatable).option(("PXAT", unix_ms(at)))
    }

    /// The fields stay for ever.
    pub fn persist(self) -> Self {
        self.with_class(Repeatable).option("PERSIST")
    }
}

impl<T> Command<'_, T, HSetExOptions> {
    /// The fields are gone after `ttl`; see [`Command::ex`].
    pub fn ex(self, ttl: Duration) -> Self {
        self.option(whole_seconds_or_ms(ttl, "EX", "PX"))
    }

    /// The fields are gone at this time, in whole milliseconds.
    pub fn ex_at(self, at: SystemTime) -> Self {
        self.option(("PXAT", unix_ms(at)))
    }

    /// The time to live that the fields have stays as it is.
    pub fn keepttl(self) -> Self {
        self.option("KEEPTTL")
    }

    /// Only if none of the fields exists.
    pub fn fnx(self) -> Self {
        self.option("FNX")
    }

    /// Only if all of the fields exist.
    pub fn fxx(self) -> Self {
        self.option("FXX")
    }
}
