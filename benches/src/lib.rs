//! What the benches and the comparisons share: an allocator that counts, workloads, and one interface to all parsers.
//!
//! Criterion benches are in `benches/`, comparisons with peers in `src/bin/`.

pub mod allocations;
pub mod resp;
