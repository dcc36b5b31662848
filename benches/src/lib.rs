//! What the benches and the comparisons share: an allocator that counts, workloads, one interface to all parsers, command lines, and server processes.
//!
//! Criterion benches are in `benches/`, comparisons with peers in `src/bin/`.

pub mod allocations;
pub mod flags;
pub mod resp;
pub mod servers;
