//! Commands on sets.

use std::collections::HashSet;

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::command::options::ScanOptions;
use crate::table::row;

impl Client {
    /// [SADD](https://redis.io/docs/latest/commands/sadd/): adds members; how many are new.
    pub fn sadd(&self, key: impl ToArg, members: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("SADD")).with(key).with_all(members)
    }

    /// [SREM](https://redis.io/docs/latest/commands/srem/): removes members; how many there were.
    pub fn srem(&self, key: impl ToArg, members: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("SREM")).with(key).with_all(members)
    }

    /// [SCARD](https://redis.io/docs/latest/commands/scard/): number of members.
    pub fn scard(&self, key: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("SCARD")).with(key)
    }

    /// [SMEMBERS](https://redis.io/docs/latest/commands/smembers/): all members.
    pub fn smembers(&self, key: impl ToArg) -> Command<'_, HashSet<Bytes>> {
        self.typed(row!("SMEMBERS")).with(key)
    }

    /// [SISMEMBER](https://redis.io/docs/latest/commands/sismember/): whether it is a member.
    pub fn sismember(&self, key: impl ToArg, member: impl ToArg) -> Command<'_, bool> {
        self.typed(row!("SISMEMBER")).with(key).with(member)
    }

    /// [SMISMEMBER](https://redis.io/docs/latest/commands/smismember/): of each, whether it is a member.
    pub fn smismember(&self, key: impl ToArg, members: impl ToArgs) -> Command<'_, Vec<bool>> {
        self.typed(row!("SMISMEMBER")).with(key).with_all(members)
    }

    /// [SPOP](https://redis.io/docs/latest/commands/spop/): takes a member at random.
    pub fn spop(&self, key: impl ToArg) -> Command<'_, Option<Bytes>> {
        self.typed(row!("SPOP")).with(key)
    }

    /// [SPOP](https://redis.io/docs/latest/commands/spop/) with a count: takes up to that many members at random.
    pub fn spop_count(&self, key: impl ToArg, count: u64) -> Command<'_, HashSet<Bytes>> {
        self.typed(row!("SPOP")).with(key).with(count)
    }

    /// [SRANDMEMBER](https://redis.io/docs/latest/commands/srandmember/): `count` different members at random; `-count`
    /// members that may repeat if it is negative.
    pub fn srandmember(&self, key: impl ToArg, count: i64) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("SRANDMEMBER")).with(key).with(count)
    }

    /// [SMOVE](https://redis.io/docs/latest/commands/smove/): moves a member to another set; whether it was there.
    pub fn smove(&self, from: impl ToArg, to: impl ToArg, member: impl ToArg) -> Command<'_, bool> {
        self.typed(row!("SMOVE")).with(from).with(to).with(member)
    }

    /// [SDIFF](https://redis.io/docs/latest/commands/sdiff/): what is in the first set and in none of the others.
    pub fn sdiff(&self, keys: impl ToArgs) -> Command<'_, HashSet<Bytes>> {
        self.typed_list(row!("SDIFF"), keys)
    }

    /// [SINTER](https://redis.io/docs/latest/commands/sinter/): what is in all of the sets.
    pub fn sinter(&self, keys: impl ToArgs) -> Command<'_, HashSet<Bytes>> {
        self.typed_list(row!("SINTER"), keys)
    }

    /// [SUNION](https://redis.io/docs/latest/commands/sunion/): what is in any of the sets.
    pub fn sunion(&self, keys: impl ToArgs) -> Command<'_, HashSet<Bytes>> {
        self.typed_list(row!("SUNION"), keys)
    }

    /// [SDIFFSTORE](https://redis.io/docs/latest/commands/sdiffstore/): keeps [`sdiff`](Self::sdiff) as a set; its size.
    pub fn sdiffstore(&self, to: impl ToArg, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("SDIFFSTORE")).with(to).with_all(keys)
    }

    /// [SINTERSTORE](https://redis.io/docs/latest/commands/sinterstore/): keeps [`sinter`](Self::sinter) as a set; its size.
    pub fn sinterstore(&self, to: impl ToArg, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("SINTERSTORE")).with(to).with_all(keys)
    }

    /// [SUNIONSTORE](https://redis.io/docs/latest/commands/sunionstore/): keeps [`sunion`](Self::sunion) as a set; its size.
    pub fn sunionstore(&self, to: impl ToArg, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("SUNIONSTORE")).with(to).with_all(keys)
    }

    /// [SSCAN](https://redis.io/docs/latest/commands/sscan/): one step of an iteration over the members: the next cursor, 0
    /// at the end, and some members.
    pub fn sscan(
        &self,
        key: impl ToArg,
        cursor: u64,
    ) -> Command<'_, (u64, Vec<Bytes>), ScanOptions> {
        self.typed(row!("SSCAN")).with(key).with(cursor)
    }
}
