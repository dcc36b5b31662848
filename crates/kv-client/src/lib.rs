//! An asynchronous client for Redis and Valkey that tells the truth about failures.

#![forbid(unsafe_code)]
