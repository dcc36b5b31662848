//! Commands on lists.

use std::time::Duration;

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::from_reply::FromReply;
use crate::table::row;

/// The options of [`Client::lpos`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LPosOptions;

/// The options of [`Client::lmpop`] and [`Client::blmpop`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LMPopOptions;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The head.
    Left,
    /// The tail.
    Right,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Left => "LEFT",
            Self::Right => "RIGHT",
        }
    }
}

impl Client {
    /// [LPUSH](https://redis.io/docs/latest/commands/lpush/): puts values at the head, one after the other; the new length.
    pub fn lpush(&self, key: impl ToArg, values: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("LPUSH")).with(key).with_all(values)
    }

    /// [RPUSH](https://redis.io/docs/latest/commands/rpush/): puts values at the tail; the new length.
    pub fn rpush(&self, key: impl ToArg, values: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("RPUSH")).with(key).with_all(values)
    }

    /// [LPUSHX](https://redis.io/docs/latest/commands/lpushx/): as LPUSH, if there is such a list; the new length, 0 if not.
    pub fn lpushx(&self, key: impl ToArg, values: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("LPUSHX")).with(key).with_all(values)
    }

    /// [RPUSHX](https://redis.io/docs/latest/commands/rpushx/): as RPUSH, if there is such a list; the new length, 0 if not.
    pub fn rpushx(&self, key: impl ToArg, values: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("RPUSHX")).with(key).with_all(values)
    }

    /// [LPOP](https://redis.io/docs/latest/commands/lpop/): takes the head.
    pub fn lpop(&self, key: impl ToArg) -> Command<'_, Option<Bytes>> {
        self.typed(row!("LPOP")).with(key)
    }

    /// [LPOP](https://redis.io/docs/latest/commands/lpop/) with a count: takes up to that many from the head.
    pub fn lpop_count(&self, key: impl ToArg, count: u64) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("LPOP")).with(key).with(count)
    }

    /// [RPOP](https://redis.io/docs/latest/commands/rpop/): takes the tail.
    pub fn rpop(&self, key: impl ToArg) -> Command<'_, Option<Bytes>> {
        self.typed(row!("RPOP")).with(key)
    }

    /// [RPOP](https://redis.io/docs/latest/commands/rpop/) with a count: takes up to that many from the tail.
    pub fn rpop_count(&self, key: impl ToArg, count: u64) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("RPOP")).with(key).with(count)
    }

    /// [LINDEX](https://redis.io/docs/latest/commands/lindex/): the value at a position; negative ones count from the tail.
    pub fn lindex(&self, key: impl ToArg, index: i64) -> Command<'_, Option<Bytes>> {
        self.typed(row!("LINDEX")).with(key).with(index)
    }

    /// [LLEN](https://redis.io/docs/latest/commands/llen/): the length.
    pub fn llen(&self, key: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("LLEN")).with(key)
    }

    /// [LRANGE](https://redis.io/docs/latest/commands/lrange/): the values from one position to another, both included.
    pub fn lrange(&self, key: impl ToArg, start: i64, stop: i64) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("LRANGE")).with(key).with(start).with(stop)
    }

    /// [LSET](https://redis.io/docs/latest/commands/lset/): replaces the value at a position.
    pub fn lset(&self, key: impl ToArg, index: i64, value: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("LSET")).with(key).with(index).with(value)
    }

    /// [LTRIM](https://redis.io/docs/latest/commands/ltrim/): keeps only the values from one position to another, both included.
    pub fn ltrim(&self, key: impl ToArg, start: i64, stop: i64) -> Command<'_, ()> {
        self.typed(row!("LTRIM")).with(key).with(start).with(stop)
    }

    /// [LREM](https://redis.io/docs/latest/commands/lrem/): removes `count` values that equal this one, from the tail if it
    /// is negative, all if it is 0; how many there were.
    pub fn lrem(&self, key: impl ToArg, count: i64, value: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("LREM")).with(key).with(count).with(value)
    }

    /// [LINSERT](https://redis.io/docs/latest/commands/linsert/) BEFORE: the new length, -1 if there is no such pivot.
    pub fn linsert_before(
        &self,
        key: impl ToArg,
        pivot: impl ToArg,
        value: impl ToArg,
    ) -> Command<'_, i64> {
        self.typed(row!("LINSERT"))
            .with(key)
            .with("BEFORE")
            .with(pivot)
            .with(value)
    }

    /// [LINSERT](https://redis.io/docs/latest/commands/linsert/) AFTER: the new length, -1 if there is no such pivot.
    pub fn linsert_after(
        &self,
        key: impl ToArg,
        pivot: impl ToArg,
        value: impl ToArg,
    ) -> Command<'_, i64> {
        self.typed(row!("LINSERT"))
            .with(key)
            .with("AFTER")
            .with(pivot)
            .with(value)
    }

    /// [LMOVE](https://redis.io/docs/latest/commands/lmove/): takes a value from one end and puts it at an end of another list.
    pub fn lmove(
        &self,
        from: impl ToArg,
        to: impl ToArg,
        take: Side,
        put: Side,
    ) -> Command<'_, Option<Bytes>> {
        self.typed(row!("LMOVE"))
            .with(from)
            .with(to)
            .with(take.word())
            .with(put.word())
    }

    /// [BLPOP](https://redis.io/docs/latest/commands/blpop/): takes the head of the first list that has one, waiting for it
    /// up to `timeout`, or for ever if that is zero. The key and the value.
    ///
    /// It runs on a connection of its own (see [`Config::max_lanes`](crate::Config::max_lanes)). Dropping the future closes
    /// that connection; a value that the server took from the list at that moment is lost, as with every client.
    pub fn blpop(
        &self,
        keys: impl ToArgs,
        timeout: Duration,
    ) -> Command<'_, Option<(Bytes, Bytes)>> {
        self.typed(row!("BLPOP"))
            .with_all(keys)
            .with(timeout.as_secs_f64())
    }

    /// [BRPOP](https://redis.io/docs/latest/commands/brpop/): as [`blpop`](Self::blpop), from the tail.
    pub fn brpop(
        &self,
        keys: impl ToArgs,
        timeout: Duration,
    ) -> Command<'_, Option<(Bytes, Bytes)>> {
        self.typed(row!("BRPOP"))
            .with_all(keys)
            .with(timeout.as_secs_f64())
    }

    /// [BLMOVE](https://redis.io/docs/latest/commands/blmove/): as [`lmove`](Self::lmove), waiting as [`blpop`](Self::blpop) does.
    pub fn blmove(
        &self,
        from: impl ToArg,
        to: impl ToArg,
        take: Side,
        put: Side,
        timeout: Duration,
    ) -> Command<'_, Option<Bytes>> {
        self.typed(row!("BLMOVE"))
            .with(from)
            .with(to)
            .with(take.word())
            .with(put.word())
            .with(timeout.as_secs_f64())
    }

    /// [RPOPLPUSH](https://redis.io/docs/latest/commands/rpoplpush/): takes the tail of a list and puts it at the head
    /// of another; the old form of [`lmove`](Self::lmove).
    pub fn rpoplpush(&self, from: impl ToArg, to: impl ToArg) -> Command<'_, Option<Bytes>> {
        self.typed(row!("RPOPLPUSH")).with(from).with(to)
    }

    /// [BRPOPLPUSH](https://redis.io/docs/latest/commands/brpoplpush/): as [`rpoplpush`](Self::rpoplpush), waiting as
    /// [`blpop`](Self::blpop) does.
    pub fn brpoplpush(
        &self,
        from: impl ToArg,
        to: impl ToArg,
        timeout: Duration,
    ) -> Command<'_, Option<Bytes>> {
        self.typed(row!("BRPOPLPUSH"))
            .with(from)
            .with(to)
            .with(timeout.as_secs_f64())
    }

    /// [LPOS](https://redis.io/docs/latest/commands/lpos/): the position of the first value that equals this one.
    pub fn lpos(
        &self,
        key: impl ToArg,
        value: impl ToArg,
    ) -> Command<'_, Option<u64>, LPosOptions> {
        self.typed(row!("LPOS")).with(key).with(value)
    }

    /// [LMPOP](https://redis.io/docs/latest/commands/lmpop/): takes from an end of the first list that is not empty:
    /// its key, and one value unless [`count`](Command::count) says more.
    pub fn lmpop(
        &self,
        keys: impl ToArgs,
        side: Side,
    ) -> Command<'_, Option<(Bytes, Vec<Bytes>)>, LMPopOptions> {
        self.typed(row!("LMPOP"))
            .with_counted(keys)
            .with(side.word())
    }

    /// [BLMPOP](https://redis.io/docs/latest/commands/blmpop/): as [`lmpop`](Self::lmpop), waiting as
    /// [`blpop`](Self::blpop) does.
    pub fn blmpop(
        &self,
        timeout: Duration,
        keys: impl ToArgs,
        side: Side,
    ) -> Command<'_, Option<(Bytes, Vec<Bytes>)>, LMPopOptions> {
        self.typed(row!("BLMPOP"))
            .with(timeout.as_secs_f64())
            .with_counted(keys)
            .with(side.word())
    }
}

impl<'a, T> Command<'a, T, LPosOptions> {
    /// Begins with the match of this number, 1 being the first; from the tail if it is negative.
    pub fn rank(self, rank: i64) -> Self {
        self.with("RANK").with(rank)
    }

    /// Looks at so many values only.
    pub fn maxlen(self, len: u64) -> Self {
        self.with("MAXLEN").with(len)
    }

    /// The positions of up to so many, of all if it is 0.
    pub fn count(self, count: u64) -> Command<'a, Vec<u64>, LPosOptions> {
        self.with("COUNT").with(count).decoded(Vec::from_reply)
    }
}

impl<T> Command<'_, T, LMPopOptions> {
    /// Takes up to that many values.
    pub fn count(self, count: u64) -> Self {
        self.with("COUNT").with(count)
    }
}
