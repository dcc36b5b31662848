//! Entry points for the fuzz targets.

/// Holds `data`, as an RDB file and as a DUMP payload, against the law of any bytes.
///
/// # Panics
///
/// Panics if the law is broken.
pub fn rdb(data: &[u8]) {
    crate::persist::rdb::law::any_bytes(data);
}
