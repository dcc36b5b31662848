//! A Redis-compatible server as a library: embed it in tests, in an application, or run it as a process.

#![forbid(unsafe_code)]

#[allow(
    dead_code,
    reason = "KEYS, SCAN, PSUBSCRIBE and CONFIG GET use it from their own slices"
)]
mod glob;
mod keyspace;
#[allow(
    dead_code,
    unused_imports,
    reason = "SAVE, the load at start, DUMP and RESTORE use it from their own slices"
)]
mod persist;
#[cfg(test)]
mod reference;
