//! Which connections CLIENT LIST and CLIENT KILL mean.

use crate::command::Args;
use crate::connection::session::Session;
use crate::error::{ReplyError, Result};

/// The types of connection that CLIENT LIST TYPE and CLIENT KILL TYPE know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientType {
    Normal,
    PubSub,
    /// Connections from or to another server; there are none.
    Replication,
}

impl ClientType {
    pub(super) fn parse(args: &mut Args<'_>) -> Result<Self> {
        let name = args.next()?;
        match &*name.to_ascii_lowercase() {
            b"normal" => Ok(Self::Normal),
            b"pubsub" => Ok(Self::PubSub),
            b"master" | b"slave" | b"replica" => Ok(Self::Replication),
            _ => {
                let name = String::from_utf8_lossy(name);
                Err(ReplyError::text(format!(
                    "ERR Unknown client type '{name}'"
                )))
            }
        }
    }

    pub(super) fn of(session: &Session) -> Self {
        if session.is_subscriber() {
            Self::PubSub
        } else {
            Self::Normal
        }
    }
}
