//! Commands on sorted sets, but for ranges and for several sets together.

use std::time::Duration;

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::class::Class::Write;
use crate::client::Client;
use crate::command::Command;
use crate::command::options::ScanOptions;
use crate::error::ReplyError;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

/// The options of [`Client::zadd`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZAddOptions;

/// The options of [`Client::zrank`] and [`Client::zrevrank`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZRankOptions;

/// The options of [`Client::zrandmember`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZRandMemberOptions;

/// The options of [`Client::zmpop`] and [`Client::bzmpop`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ZMPopOptions;

/// An end of a sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreEnd {
    /// The lowest scores.
    Min,
    /// The highest scores.
    Max,
}

impl ScoreEnd {
    fn word(self) -> &'static str {
        match self {
            Self::Min => "MIN",
            Self::Max => "MAX",
        }
    }
}

/// What ZMPOP took: the key, and members with their scores.
type Popped = Option<(Bytes, Vec<(Bytes, f64)>)>;

impl Client {
    /// [ZADD](https://redis.io/docs/latest/commands/zadd/): adds members, given as pairs of a score and a member, or
    /// changes their scores; how many are new.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// client.zadd("ages", (36, "Ada")).await?;
    /// let changed: u64 = client.zadd("ages", [(37.0, "Ada"), (85.0, "Grace")]).xx().gt().ch().await?;
    /// let score: Option<f64> = client.zadd("ages", (1, "Ada")).incr().await?;
    /// # Ok(()) }
    /// ```
    pub fn zadd(&self, key: impl ToArg, members: impl ToArgs) -> Command<'_, u64, ZAddOptions> {
        self.typed(row!("ZADD"))
            .with(key)
            .options_here()
            .with_all(members)
    }

    /// [ZINCRBY](https://redis.io/docs/latest/commands/zincrby/): adds to a score; the new score.
    pub fn zincrby(&self, key: impl ToArg, by: f64, member: impl ToArg) -> Command<'_, f64> {
        self.typed(row!("ZINCRBY")).with(key).with(by).with(member)
    }

    /// [ZCARD](https://redis.io/docs/latest/commands/zcard/): number of members.
    pub fn zcard(&self, key: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("ZCARD")).with(key)
    }

    /// [ZSCORE](https://redis.io/docs/latest/commands/zscore/): the score of a member.
    pub fn zscore(&self, key: impl ToArg, member: impl ToArg) -> Command<'_, Option<f64>> {
        self.typed(row!("ZSCORE")).with(key).with(member)
    }

    /// [ZMSCORE](https://redis.io/docs/latest/commands/zmscore/): the scores of many members, in their order.
    pub fn zmscore(&self, key: impl ToArg, members: impl ToArgs) -> Command<'_, Vec<Option<f64>>> {
        self.typed(row!("ZMSCORE")).with(key).with_all(members)
    }

    /// [ZREM](https://redis.io/docs/latest/commands/zrem/): removes members; how many there were.
    pub fn zrem(&self, key: impl ToArg, members: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("ZREM")).with(key).with_all(members)
    }

    /// [ZRANK](https://redis.io/docs/latest/commands/zrank/): the place of a member, 0 for the lowest score.
    pub fn zrank(
        &self,
        key: impl ToArg,
        member: impl ToArg,
    ) -> Command<'_, Option<u64>, ZRankOptions> {
        self.typed(row!("ZRANK")).with(key).with(member)
    }

    /// [ZREVRANK](https://redis.io/docs/latest/commands/zrevrank/): the place of a member, 0 for the highest score.
    pub fn zrevrank(
        &self,
        key: impl ToArg,
        member: impl ToArg,
    ) -> Command<'_, Option<u64>, ZRankOptions> {
        self.typed(row!("ZREVRANK")).with(key).with(member)
    }

    /// [ZCOUNT](https://redis.io/docs/latest/commands/zcount/): number of members with scores from `min` to `max`:
    /// numbers, or text such as `"(5"` for *more than 5*.
    pub fn zcount(&self, key: impl ToArg, min: impl ToArg, max: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("ZCOUNT")).with(key).with(min).with(max)
    }

    /// [ZLEXCOUNT](https://redis.io/docs/latest/commands/zlexcount/): number of members from `min` to `max` in the
    /// order of their bytes: `"[a"` with *a*, `"(a"` without it, `"-"` and `"+"`.
    pub fn zlexcount(&self, key: impl ToArg, min: impl ToArg, max: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("ZLEXCOUNT")).with(key).with(min).with(max)
    }

    /// [ZRANDMEMBER](https://redis.io/docs/latest/commands/zrandmember/): `count` different members at random; `-count`
    /// members that may repeat if it is negative.
    pub fn zrandmember(
        &self,
        key: impl ToArg,
        count: i64,
    ) -> Command<'_, Vec<Bytes>, ZRandMemberOptions> {
        self.typed(row!("ZRANDMEMBER")).with(key).with(count)
    }

    /// [ZPOPMIN](https://redis.io/docs/latest/commands/zpopmin/): takes the member with the lowest score.
    pub fn zpopmin(&self, key: impl ToArg) -> Command<'_, Option<(Bytes, f64)>> {
        self.read_by(row!("ZPOPMIN"), first_of_popped).with(key)
    }

    /// [ZPOPMAX](https://redis.io/docs/latest/commands/zpopmax/): takes the member with the highest score.
    pub fn zpopmax(&self, key: impl ToArg) -> Command<'_, Option<(Bytes, f64)>> {
        self.read_by(row!("ZPOPMAX"), first_of_popped).with(key)
    }

    /// [ZPOPMIN](https://redis.io/docs/latest/commands/zpopmin/) with a count: takes up to that many with the lowest
    /// scores.
    pub fn zpopmin_count(&self, key: impl ToArg, count: u64) -> Command<'_, Vec<(Bytes, f64)>> {
        self.typed(row!("ZPOPMIN")).with(key).with(count)
    }

    /// [ZPOPMAX](https://redis.io/docs/latest/commands/zpopmax/) with a count: takes up to that many with the highest
    /// scores.
    pub fn zpopmax_count(&self, key: impl ToArg, count: u64) -> Command<'_, Vec<(Bytes, f64)>> {
        self.typed(row!("ZPOPMAX")).with(key).with(count)
    }

    /// [ZMPOP](https://redis.io/docs/latest/commands/zmpop/): takes from an end of the first sorted set that is not
    /// empty: its key, and one member unless [`count`](Command::count) says more.
    pub fn zmpop(&self, keys: impl ToArgs, end: ScoreEnd) -> Command<'_, Popped, ZMPopOptions> {
        self.typed(row!("ZMPOP"))
            .with_counted(keys)
            .with(end.word())
    }

    /// [BZPOPMIN](https://redis.io/docs/latest/commands/bzpopmin/): takes the member with the lowest score of the first
    /// sorted set that has one, waiting up to `timeout`, or for ever if that is zero. The key, the member and its
    /// score. On a connection of its own, as [`blpop`](Self::blpop).
    pub fn bzpopmin(
        &self,
        keys: impl ToArgs,
        timeout: Duration,
    ) -> Command<'_, Option<(Bytes, Bytes, f64)>> {
        self.typed(row!("BZPOPMIN"))
            .with_all(keys)
            .with(timeout.as_secs_f64())
    }

    /// [BZPOPMAX](https://redis.io/docs/latest/commands/bzpopmax/): as [`bzpopmin`](Self::bzpopmin), with the highest
    /// score.
    pub fn bzpopmax(
        &self,
        keys: impl ToArgs,
        timeout: Duration,
    ) -> Command<'_, Option<(Bytes, Bytes, f64)>> {
        self.typed(row!("BZPOPMAX"))
            .with_all(keys)
            .with(timeout.as_secs_f64())
    }

    /// [BZMPOP](https://redis.io/docs/latest/commands/bzmpop/): as [`zmpop`](Self::zmpop), waiting up to `timeout` as
    /// [`bzpopmin`](Self::bzpopmin) does.
    pub fn bzmpop(
        &self,
        timeout: Duration,
        keys: impl ToArgs,
        end: ScoreEnd,
    ) -> Command<'_, Popped, ZMPopOptions> {
        self.typed(row!("BZMPOP"))
            .with(timeout.as_secs_f64())
            .with_counted(keys)
            .with(end.word())
    }

    /// [ZSCAN](https://redis.io/docs/latest/commands/zscan/): one step of an iteration over the members: the next
    /// cursor, 0 at the end, and some members with their scores.
    pub fn zscan(
        &self,
        key: impl ToArg,
        cursor: u64,
    ) -> Command<'_, (u64, Vec<(Bytes, f64)>), ScanOptions> {
        self.typed(row!("ZSCAN")).with(key).with(cursor)
    }
}

/// The only pair, which stands alone in a list or in a list of its own.
fn first_of_popped(reply: Reply) -> Result<Option<(Bytes, f64)>, ReplyError> {
    Ok(Vec::from_reply(reply)?.into_iter().next())
}

impl<'a, T> Command<'a, T, ZAddOptions> {
    /// Only adds members, and changes no score.
    pub fn nx(self) -> Self {
        self.option("NX")
    }

    /// Only changes scores, and adds no member.
    pub fn xx(self) -> Self {
        self.option("XX")
    }

    /// Changes a score only if the new one is higher.
    pub fn gt(self) -> Self {
        self.option("GT")
    }

    /// Changes a score only if the new one is lower.
    pub fn lt(self) -> Self {
        self.option("LT")
    }

    /// Counts the members whose scores changed, too.
    pub fn ch(self) -> Command<'a, u64, ZAddOptions> {
        self.option("CH").decoded(u64::from_reply)
    }

    /// Adds to the score of the one member; the reply is the new score, `None` if an option kept it from changing.
    ///
    /// Running it twice adds twice, so it is not sent again when it may have been executed.
    pub fn incr(self) -> Command<'a, Option<f64>, ZAddOptions> {
        self.option("INCR")
            .with_class(Write)
            .decoded(Option::from_reply)
    }
}

impl<'a> Command<'a, Option<u64>, ZRankOptions> {
    /// With the score, as of Redis 7.2.
    pub fn withscore(self) -> Command<'a, Option<(u64, f64)>, ZRankOptions> {
        self.with("WITHSCORE").decoded(Option::from_reply)
    }
}

impl<'a> Command<'a, Vec<Bytes>, ZRandMemberOptions> {
    /// With the scores.
    pub fn withscores(self) -> Command<'a, Vec<(Bytes, f64)>, ZRandMemberOptions> {
        self.with("WITHSCORES").decoded(Vec::from_reply)
    }
}

impl<T> Command<'_, T, ZMPopOptions> {
    /// Takes up to that many members.
    pub fn count(self, count: u64) -> Self {
        self.with("COUNT").with(count)
    }
}
