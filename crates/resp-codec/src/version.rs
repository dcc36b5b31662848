//! The two versions of the protocol.

/// Which version of the protocol is written. Both are always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Version {
    /// RESP2: what every connection begins with.
    #[default]
    Resp2,
    /// RESP3: after `HELLO 3`.
    Resp3,
}
