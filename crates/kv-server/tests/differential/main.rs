//! Random commands on this server and on a real `redis-server`: every reply must be the same, byte by byte.
//!
//! Runs for some seconds from a fixed seed, or for `KV_DIFFERENTIAL_SECONDS` from a new one; skips where there is no `redis-server`.
//! A difference is reported as the shortest sequence of commands that still shows it, and becomes a test of its own once it is fixed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bitmaps;
mod collections;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod dump;
mod generate;
mod reference;
mod replay;
mod rows;
mod rows;
mod sort;
