//! What a request says about itself, if it differs from the configuration.

use std::time::Duration;

use crate::class::Retry;
use crate::config::ReadFrom;

/// Set by the methods that [`setter`] makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) retry: Option<Retry>,
    pub(crate) bulk: Option<bool>,
    pub(crate) read_from: Option<ReadFrom>,
}

/// A method of a request that has `settings`. What it means is said where it is made, since that differs.
macro_rules! setter {
    ($(#[$doc:meta])* timeout) => {
        $(#[$doc])*
        pub fn timeout(mut self, timeout: impl Into<Option<std::time::Duration>>) -> Self {
            self.settings.timeout = Some(timeout.into());
            self
        }
    };
    ($(#[$doc:meta])* retry) => {
        $(#[$doc])*
        pub fn retry(mut self, retry: $crate::Retry) -> Self {
            self.settings.retry = Some(retry);
            self
        }
    };
    ($(#[$doc:meta])* bulk) => {
        $(#[$doc])*
        pub fn bulk(mut self, bulk: bool) -> Self {
            self.settings.bulk = Some(bulk);
            self
        }
    };
}

pub(crate) use setter;
