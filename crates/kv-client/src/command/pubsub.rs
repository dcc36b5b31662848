//! Publishing, and questions about subscriptions. Subscribing itself is [`Client::subscribe`].

use std::collections::HashMap;

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::table::row;

impl Client {
    /// [PUBLISH](https://redis.io/docs/latest/commands/publish/): sends a message to a channel; how many received it.
    pub fn publish(&self, channel: impl ToArg, message: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("PUBLISH")).with(channel).with(message)
    }

    /// [SPUBLISH](https://redis.io/docs/latest/commands/spublish/): sends a message to a sharded channel; how many received it.
    pub fn spublish(&self, channel: impl ToArg, message: impl ToArg) -> Command<'_, u64> {
        self.typed(row!("SPUBLISH")).with(channel).with(message)
    }

    /// [PUBSUB CHANNELS](https://redis.io/docs/latest/commands/pubsub-channels/): channels with subscribers that match a pattern.
    pub fn pubsub_channels(&self, pattern: impl ToArg) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("PUBSUB CHANNELS")).with(pattern)
    }

    /// [PUBSUB NUMSUB](https://redis.io/docs/latest/commands/pubsub-numsub/): subscribers of each of these channels.
    pub fn pubsub_numsub(&self, channels: impl ToArgs) -> Command<'_, HashMap<Bytes, u64>> {
        self.typed(row!("PUBSUB NUMSUB")).with_all(channels)
    }

    /// [PUBSUB NUMPAT](https://redis.io/docs/latest/commands/pubsub-numpat/): number of patterns subscribed to.
    pub fn pubsub_numpat(&self) -> Command<'_, u64> {
        self.typed(row!("PUBSUB NUMPAT"))
    }

    /// [PUBSUB SHARDCHANNELS](https://redis.io/docs/latest/commands/pubsub-shardchannels/): sharded channels with
    /// subscribers that match a pattern.
    pub fn pubsub_shardchannels(&self, pattern: impl ToArg) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("PUBSUB SHARDCHANNELS")).with(pattern)
    }

    /// [PUBSUB SHARDNUMSUB](https://redis.io/docs/latest/commands/pubsub-shardnumsub/): subscribers of each of these
    /// sharded channels.
    pub fn pubsub_shardnumsub(&self, channels: impl ToArgs) -> Command<'_, HashMap<Bytes, u64>> {
        self.typed(row!("PUBSUB SHARDNUMSUB")).with_all(channels)
    }
}
