//! Several sorted sets, or sets, together: union, intersection, difference.

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::from_reply::FromReply;
use crate::table::row;

/// The options of [`Client::zunion`], [`Client::zinter`] and their relatives that store.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZCombineOptions;

/// The options of [`Client::zdiff`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZDiffOptions;

/// The options of [`Client::zintercard`] and [`Client::sintercard`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct InterCardOptions;

/// How the scores of a member in several sets become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregate {
    /// Their sum.
    #[default]
    Sum,
    /// The lowest of them.
    Min,
    /// The highest of them.
    Max,
}

impl Aggregate {
    fn word(self) -> &'static str {
        match self {
            Self::Sum => "SUM",
            Self::Min => "MIN",
            Self::Max => "MAX",
        }
    }
}

impl Client {
    /// [ZUNION](https://redis.io/docs/latest/commands/zunion/): the members of any of the sets, in the order of their
    /// scores.
    pub fn zunion(&self, keys: impl ToArgs) -> Command<'_, Vec<Bytes>, ZCombineOptions> {
        self.typed(row!("ZUNION")).with_counted(keys)
    }

    /// [ZINTER](https://redis.io/docs/latest/commands/zinter/): the members of all of the sets, in the order of their
    /// scores.
    pub fn zinter(&self, keys: impl ToArgs) -> Command<'_, Vec<Bytes>, ZCombineOptions> {
        self.typed(row!("ZINTER")).with_counted(keys)
    }

    /// [ZDIFF](https://redis.io/docs/latest/commands/zdiff/): the members of the first set that are in none of the
    /// others.
    pub fn zdiff(&self, keys: impl ToArgs) -> Command<'_, Vec<Bytes>, ZDiffOptions> {
        self.typed(row!("ZDIFF")).with_counted(keys)
    }

    /// [ZUNIONSTORE](https://redis.io/docs/latest/commands/zunionstore/): keeps [`zunion`](Self::zunion) as a sorted
    /// set; its size.
    pub fn zunionstore(
        &self,
        to: impl ToArg,
        keys: impl ToArgs,
    ) -> Command<'_, u64, ZCombineOptions> {
        self.typed(row!("ZUNIONSTORE")).with(to).with_counted(keys)
    }

    /// [ZINTERSTORE](https://redis.io/docs/latest/commands/zinterstore/): keeps [`zinter`](Self::zinter) as a sorted
    /// set; its size.
    pub fn zinterstore(
        &self,
        to: impl ToArg,
        keys: impl ToArgs,
    ) -> Command<'_, u64, ZCombineOptions> {
        self.typed(row!("ZINTERSTORE")).with(to).with_counted(keys)
    }

    /// [ZDIFFSTORE](https://redis.io/docs/latest/commands/zdiffstore/): keeps [`zdiff`](Self::zdiff) as a sorted set;
    /// its size.
    pub fn zdiffstore(&self, to: impl ToArg, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("ZDIFFSTORE")).with(to).with_counted(keys)
    }

    /// [ZINTERCARD](https://redis.io/docs/latest/commands/zintercard/): how many members all of the sorted sets have in
    /// common.
    pub fn zintercard(&self, keys: impl ToArgs) -> Command<'_, u64, InterCardOptions> {
        self.typed(row!("ZINTERCARD")).with_counted(keys)
    }

    /// [SINTERCARD](https://redis.io/docs/latest/commands/sintercard/): how many members all of the sets have in
    /// common.
    pub fn sintercard(&self, keys: impl ToArgs) -> Command<'_, u64, InterCardOptions> {
        self.typed(row!("SINTERCARD")).with_counted(keys)
    }
}

impl<T> Command<'_, T, ZCombineOptions> {
    /// Multiplies the scores of each set by its number here; as many numbers as there are sets.
    pub fn weights(self, weights: impl ToArgs) -> Self {
        self.with("WEIGHTS").with_all(weights)
    }

    /// How the scores of a member in several sets become one. The server's default: their sum.
    pub fn aggregate(self, aggregate: Aggregate) -> Self {
        self.with("AGGREGATE").with(aggregate.word())
    }
}

impl<'a> Command<'a, Vec<Bytes>, ZCombineOptions> {
    /// With the scores.
    pub fn withscores(self) -> Command<'a, Vec<(Bytes, f64)>, ZCombineOptions> {
        self.with("WITHSCORES").decoded(Vec::from_reply)
    }
}

impl<'a> Command<'a, Vec<Bytes>, ZDiffOptions> {
    /// With the scores.
    pub fn withscores(self) -> Command<'a, Vec<(Bytes, f64)>, ZDiffOptions> {
        self.with("WITHSCORES").decoded(Vec::from_reply)
    }
}

impl<T> Command<'_, T, InterCardOptions> {
    /// Stops counting here; 0 does not.
    pub fn limit(self, limit: u64) -> Self {
        self.with("LIMIT").with(limit)
    }
}
