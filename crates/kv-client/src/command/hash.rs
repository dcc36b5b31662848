//! Commands on hashes.

use std::collections::HashMap;

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::command::options::ScanOptions;
use crate::from_reply::FromReply;
use crate::table::row;

/// The options of [`Client::hrandfield`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HRandFieldOptions;

impl Client {
    /// [HSET](https://redis.io/docs/latest/commands/hset/): sets fields, given as one pair, a list of pairs or a map; how
    /// many of them are new.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// client.hset("user:1", ("name", "Ada")).await?;
    /// client.hset("user:1", [("born", 1815), ("died", 1852)]).await?;
    /// # Ok(()) }
    /// ```
    pub fn hset(&self, key: impl ToArg, fields: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("HSET")).with(key).with_all(fields)
    }

    /// [HMSET](https://redis.io/docs/latest/commands/hmset/): sets fields; the old form of HSET, with a reply that does not
    /// depend on what was there.
    pub fn hmset(&self, key: impl ToArg, fields: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("HMSET")).with(key).with_all(fields)
    }

    /// [HSETNX](https://redis.io/docs/latest/commands/hsetnx/): sets a field if it does not exist; whether it did.
    pub fn hsetnx(
        &self,
        key: impl ToArg,
        field: impl ToArg,
        value: impl ToArg,
    ) -> Command<'_, bool> {
        self.typed(row!("HSETNX")).with(key).with(field).with(value)
    }

    /// [HGET](https://redis.io/docs/latest/commands/hget/): the value of a field.
    pub fn hget(&self, key: impl ToArg, field: impl ToArg) -> Command<'_, Option<Bytes>> {
        self.typed(row!("HGET")).with(key).with(field)
    }

    /// [HMGET](https://redis.io/docs/latest/commands/hmget/): the values of many fields, in their order.
    pub fn hmget(&self, key: impl ToArg, fields: impl ToArgs) -> Command<'_, Vec<Option<Bytes>>> {
        self.typed(row!("HMGET")).with(key).with_all(fields)
    }

    /// [HGETALL](https://redis.io/docs/latest/commands/hgetall/): all fields with their values; empty if there is no such key.
    pub fn hgetall(&self, key: impl ToArg) -> Command<'_, HashMap<Bytes, Bytes>> {
        self.typed(row!("HGETALL")).with(key)
    }

    /// [HDEL](https://redis.io/docs/latest/commands/hdel/): deletes fields; how many there were.
    pub fn hdel(&self, key: impl ToArg, fields: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("HDEL")).with(key).with_all(fields)
    }

    /// [HEXISTS](https://redis.io/docs/latest/commands/hexists/): whether there is such a field.
    pub fn hexists(&self, key: impl ToArg, field: impl ToArg) -> Command<'_, bool> {
        self.typed(row!("HEXISTS")).with(key).with(field)
    }

    /// [HKEYS](https://redis.io/docs/latest/commands/hkeys/): the names of all fields.
    pub fn hkeys(&self, key: impl ToArg) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("HKEYS")).with(key)
    }

    /// [HVALS](https://redis.io/docs/latest/commands/hvals/): the values of all fields.
    pub fn hvals(&self, key: impl ToArg) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("HVALS")).with(key)
    }

    /// [HLEN](https://redis.io/docs/latest/commands/hlen/): number of fields.
    pub fn hlen(&self, key: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("HLEN")).with(key)
    }

    /// [HSTRLEN](https://redis.io/docs/latest/commands/hstrlen/): the length of a field's value in bytes.
    pub fn hstrlen(&self, key: impl ToArg, field: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("HSTRLEN")).with(key).with(field)
    }

    /// [HINCRBY](https://redis.io/docs/latest/commands/hincrby/): adds to a field's number; the new number.
    pub fn hincrby(&self, key: impl ToArg, field: impl ToArg, by: i64) -> Command<'_, i64> {
        self.typed(row!("HINCRBY")).with(key).with(field).with(by)
    }

    /// [HINCRBYFLOAT](https://redis.io/docs/latest/commands/hincrbyfloat/): adds to a field's floating-point number; the new number.
    pub fn hincrbyfloat(&self, key: impl ToArg, field: impl ToArg, by: f64) -> Command<'_, f64> {
        self.typed(row!("HINCRBYFLOAT"))
            .with(key)
            .with(field)
            .with(by)
    }

    /// [HRANDFIELD](https://redis.io/docs/latest/commands/hrandfield/): the names of `count` different fields, at random;
    /// of `-count` fields that may repeat if it is negative.
    pub fn hrandfield(
        &self,
        key: impl ToArg,
        count: i64,
    ) -> Command<'_, Vec<Bytes>, HRandFieldOptions> {
        self.typed(row!("HRANDFIELD")).with(key).with(count)
    }

    /// [HSCAN](https://redis.io/docs/latest/commands/hscan/): one step of an iteration over the fields: the next cursor, 0
    /// at the end, and some fields with their values.
    pub fn hscan(
        &self,
        key: impl ToArg,
        cursor: u64,
    ) -> Command<'_, (u64, HashMap<Bytes, Bytes>), ScanOptions> {
        self.typed(row!("HSCAN")).with(key).with(cursor)
    }
}

impl<'a> Command<'a, Vec<Bytes>, HRandFieldOptions> {
    /// With the values.
    pub fn withvalues(self) -> Command<'a, Vec<(Bytes, Bytes)>, HRandFieldOptions> {
        self.with("WITHVALUES").decoded(Vec::from_reply)
    }
}
