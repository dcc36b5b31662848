//! Which version of Redis the server stands for.

/// What HELLO, INFO and `--version` call the server's version: clients choose features by it.
pub const REDIS_VERSION: &str = "7.2.6";
