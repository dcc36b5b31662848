//! SORT and SORT_RO.

use bytes::Bytes;

use crate::arg::ToArg;
use crate::class::Class::Write;
use crate::client::Client;
use crate::command::Command;
use crate::from_reply::FromReply;
use crate::table::row;

/// The options of [`Client::sort`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SortOptions;

/// The options of [`Client::sort_ro`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SortReadOptions;

impl Client {
    /// [SORT](https://redis.io/docs/latest/commands/sort/): the elements of a list, a set or a sorted set in order.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// let cheapest = client.sort("items").by("price:*").limit(0, 10).get_pattern("#").get_pattern("price:*").await?;
    /// let kept: u64 = client.sort("words").alpha().store("sorted").await?;
    /// # Ok(()) }
    /// ```
    pub fn sort(&self, key: impl ToArg) -> Command<'_, Vec<Option<Bytes>>, SortOptions> {
        self.typed(row!("SORT")).with(key)
    }

    /// [SORT_RO](https://redis.io/docs/latest/commands/sort_ro/): as [`sort`](Self::sort), for replicas.
    pub fn sort_ro(&self, key: impl ToArg) -> Command<'_, Vec<Option<Bytes>>, SortReadOptions> {
        self.typed(row!("SORT_RO")).with(key)
    }
}

impl<'a, T> Command<'a, T, SortOptions> {
    /// Keeps the result as a list; its length.
    pub fn store(self, to: impl ToArg) -> Command<'a, u64, SortOptions> {
        self.with_class(Write)
            .with("STORE")
            .with(to)
            .decoded(u64::from_reply)
    }
}

macro_rules! sort_options {
    ($($options:ident),+) => {$(
        impl<T> Command<'_, T, $options> {
    /// Sorts by other keys: the pattern with each element in the place of its star. A pattern without one does not
    /// sort.
    pub fn by(self, pattern: impl ToArg) -> Self {
        self.with("BY").with(pattern)
    }

    /// Leaves out the first `offset`, and gives up to `count`; all of them if that is negative.
    pub fn limit(self, offset: u64, count: i64) -> Self {
        self.with("LIMIT").with(offset).with(count)
    }

    /// Gives the value of another key in the place of the element, which is `#`; may be said several times.
    pub fn get_pattern(self, pattern: impl ToArg) -> Self {
        self.with("GET").with(pattern)
    }

    /// The lowest first. The default.
    pub fn asc(self) -> Self {
        self.with("ASC")
    }

    /// The highest first.
    pub fn desc(self) -> Self {
        self.with("DESC")
    }

    /// Compares text, not numbers.
    pub fn alpha(self) -> Self {
        self.with("ALPHA")
    }
        }
    )+};
}

sort_options!(SortOptions, SortReadOptions);
