//! Ranges of sorted sets: by place, by score, by the bytes of the members.

use bytes::Bytes;

use crate::arg::ToArg;
use crate::client::Client;
use crate::command::Command;
use crate::from_reply::FromReply;
use crate::table::row;

/// The options of [`Client::zrange`] and [`Client::zrangestore`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZRangeOptions;

/// The options of [`Client::zrangebyscore`] and [`Client::zrevrangebyscore`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZRangeByScoreOptions;

/// The options of [`Client::zrangebylex`] and [`Client::zrevrangebylex`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZRangeByLexOptions;

/// The options of [`Client::zrevrange`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZRevRangeOptions;

impl Client {
    /// [ZRANGE](https://redis.io/docs/latest/commands/zrange/): the members from one place to another, both included;
    /// negative places count from the end. The options make these bounds scores or texts.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// let lowest_ten = client.zrange("ages", 0, 9).await?;
    /// let all: Vec<(bytes::Bytes, f64)> = client.zrange("ages", 0, -1).withscores().await?;
    /// let elders: Vec<String> = client.zrange("ages", "(60", f64::INFINITY).by_score().limit(0, 10).into().await?;
    /// # Ok(()) }
    /// ```
    pub fn zrange(
        &self,
        key: impl ToArg,
        start: impl ToArg,
        stop: impl ToArg,
    ) -> Command<'_, Vec<Bytes>, ZRangeOptions> {
        self.typed(row!("ZRANGE")).with(key).with(start).with(stop)
    }

    /// [ZRANGESTORE](https://redis.io/docs/latest/commands/zrangestore/): keeps [`zrange`](Self::zrange) as a sorted
    /// set; its size.
    pub fn zrangestore(
        &self,
        to: impl ToArg,
        key: impl ToArg,
        start: impl ToArg,
        stop: impl ToArg,
    ) -> Command<'_, u64, ZRangeOptions> {
        self.typed(row!("ZRANGESTORE"))
            .with(to)
            .with(key)
            .with(start)
            .with(stop)
    }

    /// [ZREVRANGE](https://redis.io/docs/latest/commands/zrevrange/): the members from one place to another, the
    /// highest score first. [`zrange`](Self::zrange) with [`rev`](Command::rev) is the newer form.
    pub fn zrevrange(
        &self,
        key: impl ToArg,
        start: i64,
        stop: i64,
    ) -> Command<'_, Vec<Bytes>, ZRevRangeOptions> {
        self.typed(row!("ZREVRANGE"))
            .with(key)
            .with(start)
            .with(stop)
    }

    /// [ZRANGEBYSCORE](https://redis.io/docs/latest/commands/zrangebyscore/): the members with scores from `min` to
    /// `max`: numbers, or text such as `"(5"` for *more than 5*.
    pub fn zrangebyscore(
        &self,
        key: impl ToArg,
        min: impl ToArg,
        max: impl ToArg,
    ) -> Command<'_, Vec<Bytes>, ZRangeByScoreOptions> {
        self.typed(row!("ZRANGEBYSCORE"))
            .with(key)
            .with(min)
            .with(max)
    }

    /// [ZREVRANGEBYSCORE](https://redis.io/docs/latest/commands/zrevrangebyscore/): the members with scores from `max`
    /// down to `min`.
    pub fn zrevrangebyscore(
        &self,
        key: impl ToArg,
        max: impl ToArg,
        min: impl ToArg,
    ) -> Command<'_, Vec<Bytes>, ZRangeByScoreOptions> {
        self.typed(row!("ZREVRANGEBYSCORE"))
            .with(key)
            .with(max)
            .with(min)
    }

    /// [ZRANGEBYLEX](https://redis.io/docs/latest/commands/zrangebylex/): the members from `min` to `max` in the order
    /// of their bytes, if all have one score: `"[a"` with *a*, `"(a"` without it, `"-"` and `"+"`.
    pub fn zrangebylex(
        &self,
        key: impl ToArg,
        min: impl ToArg,
        max: impl ToArg,
    ) -> Command<'_, Vec<Bytes>, ZRangeByLexOptions> {
        self.typed(row!("ZRANGEBYLEX"))
            .with(key)
            .with(min)
            .with(max)
    }

    /// [ZREVRANGEBYLEX](https://redis.io/docs/latest/commands/zrevrangebylex/): the members from `max` down to `min` in
    /// the order of their bytes.
    pub fn zrevrangebylex(
        &self,
        key: impl ToArg,
        max: impl ToArg,
        min: impl ToArg,
    ) -> Command<'_, Vec<Bytes>, ZRangeByLexOptions> {
        self.typed(row!("ZREVRANGEBYLEX"))
            .with(key)
            .with(max)
            .with(min)
    }

    /// [ZREMRANGEBYRANK](https://redis.io/docs/latest/commands/zremrangebyrank/): removes the members from one place to
    /// another, both included; how many there were.
    pub fn zremrangebyrank(&self, key: impl ToArg, start: i64, stop: i64) -> Command<'_, u64> {
        self.typed(row!("ZREMRANGEBYRANK"))
            .with(key)
            .with(start)
            .with(stop)
    }

    /// [ZREMRANGEBYSCORE](https://redis.io/docs/latest/commands/zremrangebyscore/): removes the members with scores
    /// from `min` to `max`; how many there were.
    pub fn zremrangebyscore(
        &self,
        key: impl ToArg,
        min: impl ToArg,
        max: impl ToArg,
    ) -> Command<'_, u64> {
        self.typed(row!("ZREMRANGEBYSCORE"))
            .with(key)
            .with(min)
            .with(max)
    }

    /// [ZREMRANGEBYLEX](https://redis.io/docs/latest/commands/zremrangebylex/): removes the members from `min` to `max`
    /// in the order of their bytes; how many there were.
    pub fn zremrangebylex(
        &self,
        key: impl ToArg,
        min: impl ToArg,
        max: impl ToArg,
    ) -> Command<'_, u64> {
        self.typed(row!("ZREMRANGEBYLEX"))
            .with(key)
            .with(min)
            .with(max)
    }
}

impl<T> Command<'_, T, ZRangeOptions> {
    /// The bounds are scores: numbers, or text such as `"(5"` for *more than 5*.
    pub fn by_score(self) -> Self {
        self.with("BYSCORE")
    }

    /// The bounds are texts, compared by their bytes: `"[a"` with *a*, `"(a"` without it, `"-"` and `"+"`.
    pub fn by_lex(self) -> Self {
        self.with("BYLEX")
    }

    /// The highest first. Bounds that are scores or texts then change places too.
    pub fn rev(self) -> Self {
        self.with("REV")
    }

    /// Leaves out the first `offset`, and gives up to `count`; all of them if that is negative. For bounds that are
    /// scores or texts.
    pub fn limit(self, offset: u64, count: i64) -> Self {
        self.with("LIMIT").with(offset).with(count)
    }
}

/// Options that add the scores to the members.
macro_rules! with_scores {
    ($($options:ident),+) => {$(
        impl<'a> Command<'a, Vec<Bytes>, $options> {
            /// With the scores.
            pub fn withscores(self) -> Command<'a, Vec<(Bytes, f64)>, $options> {
                self.with("WITHSCORES").decoded(Vec::from_reply)
            }
        }
    )+};
}

with_scores!(ZRangeOptions, ZRevRangeOptions, ZRangeByScoreOptions);

/// Options that give a part of the result.
macro_rules! with_limit {
    ($($options:ident),+) => {$(
        impl<T> Command<'_, T, $options> {
            /// Leaves out the first `offset`, and gives up to `count`; all of them if that is negative.
            pub fn limit(self, offset: u64, count: i64) -> Self {
                self.with("LIMIT").with(offset).with(count)
            }
        }
    )+};
}

with_limit!(ZRangeByScoreOptions, ZRangeByLexOptions);
