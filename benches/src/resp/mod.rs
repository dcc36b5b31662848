//! RESP: what is decoded, and by whom.

#[cfg(feature = "hiredis")]
pub mod hiredis;
pub mod ours;
pub mod peers;
pub mod workload;

pub use workload::Workload;

/// A parser under test. It keeps its buffers and its state between passes, as it would on a connection.
pub trait Parser {
    /// What the tables call it.
    fn name(&self) -> &'static str;

    /// Feeds the workload's bytes piece by piece and decodes every frame; how many there were.
    fn pass(&mut self, workload: &Workload) -> usize;
}
