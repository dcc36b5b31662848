//! What outlives the process: Redis's RDB format.

pub(crate) mod rdb;
