//! What a server with commands of its own may change about requests that name no command.

use std::fmt;
use std::sync::Arc;

use crate::error::ReplyError;

/// A request that names no command of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown<'a> {
    /// A name that is not in the table.
    Name(&'a [u8]),
    /// Something else than text stands where the name belongs: an integer, a null, a map, as its wire form.
    ///
    /// Only with [`nested_requests`](crate::Builder::nested_requests).
    Frame(&'a [u8]),
    /// An array without elements, or blanks only. Without [`nested_requests`](crate::Builder::nested_requests) it is passed over, as in Redis.
    Nothing,
}

/// The error for such a request, in place of Redis's.
#[derive(Clone)]
pub(crate) struct OnUnknown(pub(crate) Arc<dyn Fn(Unknown<'_>) -> ReplyError + Send + Sync>);

impl fmt::Debug for OnUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnUnknown")
    }
}
