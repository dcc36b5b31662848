//! Commands on streams, but for consumer groups and questions about streams.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::class::Class::Blocking;
use crate::client::Client;
use crate::command::Command;
use crate::command::generic::millis;
use crate::error::ReplyError;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::request::Request;
use crate::table::row;

/// The options of [`Client::xadd`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XAddOptions;

/// The options of [`Client::xrange`] and [`Client::xrevrange`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XRangeOptions;

/// The options of [`Client::xread`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XReadOptions;

/// The options of [`Client::xsetid`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct XSetIdOptions;

/// The number of an entry of a stream: milliseconds since 1970, and a count within that millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970.
    pub ms: u64,
    /// Counts the entries of one millisecond.
    pub seq: u64,
}

/// One entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamEntry {
    /// Its number.
    pub id: StreamId,
    /// Its fields with their values, in their order, a name perhaps more than once. Empty if the entry was delivered
    /// before and has been deleted since.
    pub fields: Vec<(Bytes, Bytes)>,
}

/// How much of a stream is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trim {
    /// The newest so many entries.
    MaxLen(u64),
    /// At least the newest so many: whatever is cheap to remove goes.
    AboutMaxLen(u64),
    /// The entries from this one on.
    MinId(StreamId),
    /// The entries from this one on, and perhaps some before.
    AboutMinId(StreamId),
}

impl StreamId {
    /// Before every entry.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// After every entry.
    pub const MAX: Self = Self {
        ms: u64::MAX,
        seq: u64::MAX,
    };
}

impl StreamEntry {
    /// The value of a field; of the first if there are several of that name.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Bytes> {
        let mut fields = self.fields.iter();
        fields.find_map(|(name, value)| (name == field).then_some(value))
    }
}

impl fmt::Display for StreamId {
    /// As Redis writes it: `1526919030474-55`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for StreamId {
    type Err = ReplyError;

    fn from_str(text: &str) -> Result<Self, ReplyError> {
        let read = || {
            let (ms, seq) = text.split_once('-')?;
            Some(Self {
                ms: ms.parse().ok()?,
                seq: seq.parse().ok()?,
            })
        };
        read().ok_or_else(|| ReplyError::new("the id of an entry", format!("{text:?}")))
    }
}

impl ToArg for StreamId {
    fn to_arg(&self, request: &mut Request) {
        request.push(self.to_string().as_bytes());
    }
}

impl ToArgs for StreamId {
    fn to_args(&self, request: &mut Request) {
        self.to_arg(request);
    }
}

impl FromReply for StreamId {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        String::from_reply(reply)?.parse()
    }
}

impl FromReply for StreamEntry {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let (id, fields) = FromReply::from_reply(reply)?;
        Ok(Self { id, fields })
    }
}

impl ToArgs for Trim {
    fn to_args(&self, request: &mut Request) {
        match self {
            Self::MaxLen(len) => ("MAXLEN", "=", len).to_args(request),
            Self::AboutMaxLen(len) => ("MAXLEN", "~", len).to_args(request),
            Self::MinId(id) => ("MINID", "=", id).to_args(request),
            Self::AboutMinId(id) => ("MINID", "~", id).to_args(request),
        }
    }
}

impl Client {
    /// [XADD](https://redis.io/docs/latest/commands/xadd/): appends an entry, given as one pair, a list of pairs or a map;
    /// its id, which the server makes if the one given is `"*"`.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use kv_client::Trim;
    ///
    /// let id = client.xadd("log", "*", [("level", "warn"), ("text", "hot")]).await?;
    /// client.xadd("log", "*", ("level", "info")).trim(Trim::AboutMaxLen(100_000)).await?;
    /// # Ok(()) }
    /// ```
    pub fn xadd(
        &self,
        key: impl ToArg,
        id: impl ToArg,
        fields: impl ToArgs,
    ) -> Command<'_, StreamId, XAddOptions> {
        self.typed(row!("XADD"))
            .with(key)
            .options_here()
            .with(id)
            .with_all(fields)
    }

    /// [XREAD](https://redis.io/docs/latest/commands/xread/): the entries behind these ids; those of each stream that has
    /// some. The id `"$"` stands for the end of a stream, and has a use with [`block`](Command::block).
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use std::time::Duration;
    /// use kv_client::StreamId;
    ///
    /// let mut last = StreamId::MIN;
    /// loop {
    ///     let streams = client.xread([("log", last)]).count(100).block(Duration::from_secs(5)).await?;
    ///     for entry in streams.into_iter().flat_map(|(_key, entries)| entries) {
    ///         println!("{}: {:?}", entry.id, entry.get("text"));
    ///         last = entry.id;
    ///     }
    /// }
    /// # }
    /// ```
    pub fn xread<K: ToArg, I: ToArg>(
        &self,
        streams: impl IntoIterator<Item = (K, I)>,
    ) -> Command<'_, Vec<(Bytes, Vec<StreamEntry>)>, XReadOptions> {
        self.typed(row!("XREAD")).with_streams(streams)
    }

    /// [XLEN](https://redis.io/docs/latest/commands/xlen/): number of entries.
    pub fn xlen(&self, key: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("XLEN")).with(key)
    }

    /// [XRANGE](https://redis.io/docs/latest/commands/xrange/): the entries from one id to another; `"-"` and `"+"` are
    /// the first and the last, `"("` before an id leaves it out.
    pub fn xrange(
        &self,
        key: impl ToArg,
        start: impl ToArg,
        end: impl ToArg,
    ) -> Command<'_, Vec<StreamEntry>, XRangeOptions> {
        self.typed(row!("XRANGE")).with(key).with(start).with(end)
    }

    /// [XREVRANGE](https://redis.io/docs/latest/commands/xrevrange/): the entries from the end back to the start.
    pub fn xrevrange(
        &self,
        key: impl ToArg,
        end: impl ToArg,
        start: impl ToArg,
    ) -> Command<'_, Vec<StreamEntry>, XRangeOptions> {
        self.typed(row!("XREVRANGE"))
            .with(key)
            .with(end)
            .with(start)
    }

    /// [XDEL](https://redis.io/docs/latest/commands/xdel/): deletes entries; how many there were.
    pub fn xdel(&self, key: impl ToArg, ids: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("XDEL")).with(key).with_all(ids)
    }

    /// [XTRIM](https://redis.io/docs/latest/commands/xtrim/): deletes the oldest entries; how many.
    pub fn xtrim(&self, key: impl ToArg, trim: Trim) -> Command<'_, u64> {
        self.typed(row!("XTRIM")).with(key).with_all(trim)
    }

    /// [XSETID](https://redis.io/docs/latest/commands/xsetid/): sets the id that new entries come behind.
    pub fn xsetid(&self, key: impl ToArg, last_id: impl ToArg) -> Command<'_, (), XSetIdOptions> {
        self.typed(row!("XSETID")).with(key).with(last_id)
    }
}

impl<'a, T, O> Command<'a, T, O> {
    /// Appends STREAMS, all keys and then all ids; options go before that.
    pub(super) fn with_streams<K: ToArg, I: ToArg>(
        self,
        streams: impl IntoIterator<Item = (K, I)>,
    ) -> Self {
        let streams: Vec<_> = streams.into_iter().collect();
        let mut command = self.options_here().with("STREAMS");
        for (key, _) in &streams {
            command = command.with(key);
        }
        for (_, id) in &streams {
            command = command.with(id);
        }
        command
    }
}

impl<'a, T> Command<'a, T, XAddOptions> {
    /// Only if there is such a stream; otherwise the reply is `None`.
    pub fn nomkstream(self) -> Command<'a, Option<StreamId>, XAddOptions> {
        self.option("NOMKSTREAM").decoded(Option::from_reply)
    }

    /// Deletes the oldest entries.
    pub fn trim(self, trim: Trim) -> Self {
        self.option(trim)
    }
}

impl<T> Command<'_, T, XRangeOptions> {
    /// Up to so many.
    pub fn count(self, count: u64) -> Self {
        self.with("COUNT").with(count)
    }
}

impl<T> Command<'_, T, XReadOptions> {
    /// Up to so many of each stream.
    pub fn count(self, count: u64) -> Self {
        self.option(("COUNT", count))
    }

    /// Waits up to `timeout` until there is an entry, or for ever if that is zero.
    ///
    /// It then runs on a connection of its own (see [`Config::max_lanes`](crate::Config::max_lanes)).
    pub fn block(self, timeout: Duration) -> Self {
        self.with_class(Blocking).option(("BLOCK", millis(timeout)))
    }
}

impl<T> Command<'_, T, XSetIdOptions> {
    /// Sets how many entries the stream ever had.
    pub fn entries_added(self, count: u64) -> Self {
        self.with("ENTRIESADDED").with(count)
    }

    /// Sets the highest id that was deleted.
    pub fn max_deleted_id(self, id: StreamId) -> Self {
        self.with("MAXDELETEDID").with(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_ordered_as_a_number() {
        let id: StreamId = "18446744073709551615-7".parse().unwrap();
        assert_eq!(id.to_string(), "18446744073709551615-7");
        assert!("9-1".parse::<StreamId>().unwrap() < "10-0".parse().unwrap());
        assert!("5".parse::<StreamId>().is_err());
        assert!("5-x".parse::<StreamId>().is_err());
    }
}
