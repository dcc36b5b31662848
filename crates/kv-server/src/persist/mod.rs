//! What outlives the process: snapshots in Redis's RDB format.

mod custom;
mod file;
#[cfg(test)]
mod interop;
mod load;
#[allow(
    dead_code,
    unused_imports,
    reason = "a whole format; its tests read more of it than the server does"
)]
pub(crate) mod rdb;
mod save;
mod server;
mod values;

pub use custom::Existing;
pub(crate) use load::{Loaded, load_file};
pub(crate) use save::{Job, SaveError, Saves};
pub(crate) use values::{RestoreError, dump, restore};
