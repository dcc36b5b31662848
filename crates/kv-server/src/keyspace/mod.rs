//! The databases.

#[allow(
    dead_code,
    unused_imports,
    reason = "the databases do not use all of it yet"
)]
pub(crate) mod table;
