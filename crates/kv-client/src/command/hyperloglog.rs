//! Commands on HyperLogLogs, which count different elements roughly.

use resp_codec::Frame;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::table::row;

impl Client {
    /// [PFADD](https://redis.io/docs/latest/commands/pfadd/): adds elements; whether the estimate changed.
    pub fn pfadd(&self, key: impl ToArg, elements: impl ToArgs) -> Command<'_, bool> {
        self.typed(row!("PFADD")).with(key).with_all(elements)
    }

    /// [PFCOUNT](https://redis.io/docs/latest/commands/pfcount/): roughly how many different elements were added to any
    /// of the keys: 0.81 % off on average.
    pub fn pfcount(&self, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed_list(row!("PFCOUNT"), keys)
    }

    /// [PFMERGE](https://redis.io/docs/latest/commands/pfmerge/): adds all that was added to the keys.
    pub fn pfmerge(&self, to: impl ToArg, keys: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("PFMERGE")).with(to).with_all(keys)
    }

    /// [PFDEBUG](https://redis.io/docs/latest/commands/pfdebug/): looks inside, for the tests of the server.
    pub fn pfdebug(&self, subcommand: impl ToArg, key: impl ToArg) -> Command<'_, Frame> {
        self.typed(row!("PFDEBUG")).with(subcommand).with(key)
    }

    /// [PFSELFTEST](https://redis.io/docs/latest/commands/pfselftest/): lets the server test itself, for seconds.
    pub fn pfselftest(&self) -> Command<'_, ()> {
        self.typed(row!("PFSELFTEST"))
    }
}
