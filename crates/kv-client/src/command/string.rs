//! Commands on strings: all 22 of Redis.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use resp_codec::Frame;

use crate::arg::{ToArg, ToArgs};
use crate::class::Class::{Repeatable, Write};
use crate::client::Client;
use crate::command::Command;
use crate::command::generic::{unix_ms, whole_seconds_or_ms};
use crate::from_reply::FromReply;
use crate::table::row;

/// The options of [`Client::set`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SetOptions;

/// The options of [`Client::getex`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GetExOptions;

/// The options of [`Client::lcs`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LcsOptions;

impl Client {
    /// [GET](https://redis.io/docs/latest/commands/get/): the value of a key, if there is one.
    pub fn get(&self, key: impl ToArg) -> Command<'_, Option<Bytes>> {
        self.typed(row!("GET")).with(key)
    }

    /// [SET](https://redis.io/docs/latest/commands/set/): sets a key to a value, and forgets any time to live unless an
    /// option says otherwise.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use std::time::Duration;
    ///
    /// client.set("k", "v").await?;
    /// client.set("k", "v").ex(Duration::from_secs(60)).await?;
    /// let was_set: bool = client.set("lock", "me").nx().ex(Duration::from_millis(1500)).await?;
    /// let old: Option<bytes::Bytes> = client.set("k", "w").get().await?;
    /// # Ok(()) }
    /// ```
    pub fn set(&self, key: impl ToArg, value: impl ToArg) -> Command<'_, (), SetOptions> {
        self.typed(row!("SET")).with(key).with(value)
    }

    /// [GETEX](https://redis.io/docs/latest/commands/getex/): the value of a key, whose time to live the options change.
    pub fn getex(&self, key: impl ToArg) -> Command<'_, Option<Bytes>, GetExOptions> {
        self.typed(row!("GETEX")).with(key)
    }

    /// [GETDEL](https://redis.io/docs/latest/commands/getdel/): the value of a key, which is deleted.
    pub fn getdel(&self, key: impl ToArg) -> Command<'_, Option<Bytes>> {
        self.typed(row!("GETDEL")).with(key)
    }

    /// [GETSET](https://redis.io/docs/latest/commands/getset/): sets a key and gives the value it had.
    pub fn getset(&self, key: impl ToArg, value: impl ToArg) -> Command<'_, Option<Bytes>> {
        self.typed(row!("GETSET")).with(key).with(value)
    }

    /// [GETRANGE](https://redis.io/docs/latest/commands/getrange/): part of a value, both ends included; negative positions
    /// count from the end.
    pub fn getrange(&self, key: impl ToArg, start: i64, end: i64) -> Command<'_, Bytes> {
        self.typed(row!("GETRANGE")).with(key).with(start).with(end)
    }

    /// [SUBSTR](https://redis.io/docs/latest/commands/substr/): the old name of GETRANGE.
    pub fn substr(&self, key: impl ToArg, start: i64, end: i64) -> Command<'_, Bytes> {
        self.typed(row!("SUBSTR")).with(key).with(start).with(end)
    }

    /// [MGET](https://redis.io/docs/latest/commands/mget/): the values of many keys, in their order.
    pub fn mget(&self, keys: impl ToArgs) -> Command<'_, Vec<Option<Bytes>>> {
        self.typed_list(row!("MGET"), keys)
    }

    /// [MSET](https://redis.io/docs/latest/commands/mset/): sets many keys at once, given as pairs or as a map.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// client.mset([("a", 1), ("b", 2)]).await?;
    /// # Ok(()) }
    /// ```
    pub fn mset(&self, pairs: impl ToArgs) -> Command<'_, ()> {
        self.typed_list(row!("MSET"), pairs)
    }

    /// [MSETNX](https://redis.io/docs/latest/commands/msetnx/): sets many keys if none of them exists; whether it did.
    pub fn msetnx(&self, pairs: impl ToArgs) -> Command<'_, bool> {
        self.typed_list(row!("MSETNX"), pairs)
    }

    /// [SETNX](https://redis.io/docs/latest/commands/setnx/): sets a key if it does not exist; whether it did.
    pub fn setnx(&self, key: impl ToArg, value: impl ToArg) -> Command<'_, bool> {
        self.typed(row!("SETNX")).with(key).with(value)
    }

    /// [SETEX](https://redis.io/docs/latest/commands/setex/): sets a key with a time to live in whole seconds, at least one;
    /// parts of a second are rounded up.
    pub fn setex(&self, key: impl ToArg, ttl: Duration, value: impl ToArg) -> Command<'_, ()> {
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        self.typed(row!("SETEX"))
            .with(key)
            .with(seconds)
            .with(value)
    }

    /// [PSETEX](https://redis.io/docs/latest/commands/psetex/): sets a key with a time to live in whole milliseconds; parts
    /// of one are rounded up.
    pub fn psetex(&self, key: impl ToArg, ttl: Duration, value: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("PSETEX"))
            .with(key)
            .with(crate::command::generic::millis(ttl))
            .with(value)
    }

    /// [SETRANGE](https://redis.io/docs/latest/commands/setrange/): overwrites a value from `offset` on; its new length.
    pub fn setrange(&self, key: impl ToArg, offset: u64, value: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("SETRANGE"))
            .with(key)
            .with(offset)
            .with(value)
    }

    /// [STRLEN](https://redis.io/docs/latest/commands/strlen/): the length of a value in bytes; 0 if there is none.
    pub fn strlen(&self, key: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("STRLEN")).with(key)
    }

    /// [APPEND](https://redis.io/docs/latest/commands/append/): lengthens a value; its new length.
    pub fn append(&self, key: impl ToArg, value: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("APPEND")).with(key).with(value)
    }

    /// [INCR](https://redis.io/docs/latest/commands/incr/): adds one to a number; the new number.
    pub fn incr(&self, key: impl ToArg) -> Command<'_, i64> {
        self.typed(row!("INCR")).with(key)
    }

    /// [INCRBY](https://redis.io/docs/latest/commands/incrby/): adds to a number; the new number.
    pub fn incrby(&self, key: impl ToArg, by: i64) -> Command<'_, i64> {
        self.typed(row!("INCRBY")).with(key).with(by)
    }

    /// [INCRBYFLOAT](https://redis.io/docs/latest/commands/incrbyfloat/): adds to a floating-point number; the new number.
    pub fn incrbyfloat(&self, key: impl ToArg, by: f64) -> Command<'_, f64> {
        self.typed(row!("INCRBYFLOAT")).with(key).with(by)
    }

    /// [DECR](https://redis.io/docs/latest/commands/decr/): takes one from a number; the new number.
    pub fn decr(&self, key: impl ToArg) -> Command<'_, i64> {
        self.typed(row!("DECR")).with(key)
    }

    /// [DECRBY](https://redis.io/docs/latest/commands/decrby/): takes from a number; the new number.
    pub fn decrby(&self, key: impl ToArg, by: i64) -> Command<'_, i64> {
        self.typed(row!("DECRBY")).with(key).with(by)
    }

    /// [LCS](https://redis.io/docs/latest/commands/lcs/): the longest common subsequence of two values.
    pub fn lcs(&self, key1: impl ToArg, key2: impl ToArg) -> Command<'_, Bytes, LcsOptions> {
        self.typed(row!("LCS")).with(key1).with(key2)
    }
}

impl<'a, T: FromReply> Command<'a, T, SetOptions> {
    /// The value is gone after `ttl`. Sent as EX if that is whole seconds, as PX otherwise; parts of a millisecond are rounded up.
    pub fn ex(self, ttl: Duration) -> Self {
        let (word, number) = whole_seconds_or_ms(ttl, "EX", "PX");
        self.with(word).with(number)
    }

    /// The value is gone at this time (PXAT), in whole milliseconds.
    pub fn ex_at(self, at: SystemTime) -> Self {
        self.with("PXAT").with(unix_ms(at))
    }

    /// The time to live that the key has stays as it is.
    pub fn keepttl(self) -> Self {
        self.with("KEEPTTL")
    }

    /// Only if the key does not exist; the reply says whether it was set.
    ///
    /// Running it twice is not the same as running it once, so it is not sent again when it may have been executed.
    pub fn nx(self) -> Command<'a, bool, SetOptions> {
        self.with("NX")
            .with_class(Repeatable)
            .decoded(bool::from_reply)
    }

    /// Only if the key exists; the reply says whether it was set.
    pub fn xx(self) -> Command<'a, bool, SetOptions> {
        self.with("XX").decoded(bool::from_reply)
    }

    /// The reply is the value that the key had, in place of whether it was set.
    pub fn get(self) -> Command<'a, Option<Bytes>, SetOptions> {
        self.with("GET")
            .with_class(Write)
            .decoded(Option::from_reply)
    }
}

impl<T: FromReply> Command<'_, T, GetExOptions> {
    /// The value is gone after `ttl`; see [`Command::ex`].
    pub fn ex(self, ttl: Duration) -> Self {
        let (word, number) = whole_seconds_or_ms(ttl, "EX", "PX");
        self.with_class(Repeatable).with(word).with(number)
    }

    /// The value is gone at this time (PXAT), in whole milliseconds.
    pub fn ex_at(self, at: SystemTime) -> Self {
        self.with_class(Repeatable).with("PXAT").with(unix_ms(at))
    }

    /// The value stays for ever.
    pub fn persist(self) -> Self {
        self.with_class(Repeatable).with("PERSIST")
    }
}

impl<'a, T: FromReply> Command<'a, T, LcsOptions> {
    /// Only the length of the subsequence.
    pub fn len(self) -> Command<'a, u64, LcsOptions> {
        self.with("LEN").decoded(u64::from_reply)
    }

    /// Where it stands in both values, matches of at least `min_len` bytes only, as the server words it.
    pub fn idx(self, min_len: u64) -> Command<'a, Frame, LcsOptions> {
        self.with("IDX")
            .with("MINMATCHLEN")
            .with(min_len)
            .with("WITHMATCHLEN")
            .decoded(Frame::from_reply)
    }
}
