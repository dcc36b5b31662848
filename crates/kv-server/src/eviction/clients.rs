//! What connections take, and `maxmemory-clients`.

use tracing::debug;

use crate::connection::peer::Close;
use crate::connection::session::Session;
use crate::engine::{Engine, Shared};

/// `maxmemory-clients`: bytes, or a part of `maxmemory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientLimit {
    Bytes(usize),
    /// Of `maxmemory`; without that there is no limit.
    Percent(u32),
}

impl ClientLimit {
    /// Bytes that all connections together may take; `None` for no limit.
    pub(crate) fn bytes(self, maxmemory: usize) -> Option<usize> {
        let bytes = match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => {
                let bytes = maxmemory as u128 * u128::from(percent) / 100;
                usize::try_from(bytes).unwrap_or(usize::MAX)
            }
        };
        Some(bytes).filter(|&bytes| bytes > 0)
    }
}

impl Shared {
    /// Whether the memory of connections is of interest to anybody.
    #[inline]
    pub(crate) fn counts_clients(&self) -> bool {
        self.config.maxmemory > 0 || self.config.client_limit != ClientLimit::Bytes(0)
    }
}

impl Engine {
    /// Whether there is a limit of what connections take.
    #[inline]
    pub(crate) fn limits_clients(&self) -> bool {
        self.shared.config.client_limit != ClientLimit::Bytes(0)
    }

    /// Before the requests of a session run, which are in its memory: closes the connections that take most while all
    /// together take too much. `false` if this one is among them.
    #[cold]
    pub(crate) fn allows_request(&mut self, session: &mut Session) -> bool {
        self.shared.clients.recount(session);
        self.evict(Some(session));
        !session.peer.is_closing()
    }

    /// Closes the connections that take most while all together take more than `maxmemory-clients`.
    pub(crate) fn evict_clients(&mut self) {
        self.evict(None);
    }

    /// `running` is not among the sessions, because its requests are about to run.
    fn evict(&mut self, running: Option<&Session>) {
        let shared = &mut self.shared;
        let Some(limit) = shared.config.client_limit.bytes(shared.config.maxmemory) else {
            return;
        };
        let mut used = shared.clients.memory();
        if used <= limit {
            return;
        }
        let size = |session: &Session| session.memory() + session.peer.waiting_bytes();
        // Those that are closed already are about to give back what they have.
        let sessions = || shared.clients.iter().chain(running);
        let leaving = sessions().filter(|session| session.peer.is_closing());
        used = used.saturating_sub(leaving.map(size).sum());
        while used > limit {
            let evictable = |session: &&Session| !session.no_evict && !session.peer.is_closing();
            let largest = sessions()
                .filter(evictable)
                .max_by_key(|session| size(session));
            let Some(largest) = largest else {
                return;
            };
            let bytes = size(largest);
            debug!(id = largest.id, bytes, "evicting a connection");
            largest.peer.close(Close::Now);
            shared.stats.evicted_clients += 1;
            used -= bytes.min(used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_maxmemory_is_no_limit_without_it() {
        assert_eq!(ClientLimit::Percent(5).bytes(1000), Some(50));
        assert_eq!(ClientLimit::Percent(5).bytes(0), None);
        assert_eq!(ClientLimit::Bytes(0).bytes(1000), None);
        assert_eq!(ClientLimit::Bytes(7).bytes(0), Some(7));
    }
}
