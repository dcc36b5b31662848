//! One connection to one server, shared by many callers.

pub(crate) mod backoff;
pub(crate) mod bulk;
pub(crate) mod driver;
pub(crate) mod engine;
pub(crate) mod exchange;
pub(crate) mod handshake;
pub(crate) mod lanes;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod node;
pub(crate) mod orphans;
pub(crate) mod outgoing;
pub(crate) mod published;
pub(crate) mod session;
pub(crate) mod topics;
mod transport;
