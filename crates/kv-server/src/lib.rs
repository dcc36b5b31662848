//! A Redis-compatible server as a library: embed it in tests, in an application, or run it as a process.

#![forbid(unsafe_code)]

mod keyspace;
