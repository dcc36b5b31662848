//! Looking after connections: those that are idle, and those that do not read what they are sent.

use tracing::debug;

use crate::clients::Clients;
use crate::config::OutputLimit;
use crate::connection::peer::Close;
use crate::connection::session::Session;
use crate::engine::{Engine, Shared};

/// Time between two rounds; both limits are in whole seconds.
const PATROL_PAUSE_MS: i64 = 1000;

impl Shared {
    /// `client-output-buffer-limit` for this connection.
    pub(crate) fn output_limit(&self, session: &Session) -> OutputLimit {
        if session.is_subscriber() {
            self.config.pubsub_output
        } else {
            self.config.normal_output
        }
    }
}

impl Clients {
    /// Notes that a connection has so many unsent bytes; beyond the soft limit it is looked after.
    #[inline]
    pub(crate) fn note_output(&mut self, unsent: usize, limit: OutputLimit) {
        self.over_soft_limit |= limit.soft > 0 && unsent > limit.soft;
    }
}

impl Engine {
    /// When connections have to be looked after next, if at all.
    pub(crate) fn next_patrol(&self) -> Option<i64> {
        let clients = &self.shared.clients;
        let idle_ones = self.shared.config.timeout.is_some() && clients.len() > 0;
        (idle_ones || clients.over_soft_limit)
            .then(|| self.last_patrol_ms.saturating_add(PATROL_PAUSE_MS))
    }

    /// Closes connections that have been idle, or beyond their soft output limit, for too long.
    pub(crate) fn patrol(&mut self) {
        let now = self.now_ms();
        if self.next_patrol().is_none_or(|at| at > now) {
            return;
        }
        self.last_patrol_ms = now;
        let Shared {
            clients,
            config,
            stats,
            ..
        } = &mut self.shared;
        let timeout = config
            .timeout
            .map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        let mut any_over = false;
        for session in clients.iter_mut() {
            let limit = if session.is_subscriber() {
                config.pubsub_output
            } else {
                config.normal_output
            };
            if let Some(since) = session.over_soft_limit_since(limit, now) {
                any_over = true;
                let allowed = i64::try_from(limit.soft_seconds).unwrap_or(i64::MAX);
                if (now - since) / 1000 > allowed {
                    debug!(id = session.id, "the output stayed above its soft limit");
                    stats.output_limit_disconnections += 1;
                    session.peer.close(Close::Now);
                }
            }
            let idle = now - session.peer.active_ms();
            if timeout.is_some_and(|timeout| idle > timeout) && session.may_be_idle() {
                debug!(id = session.id, idle, "closing an idle connection");
                session.peer.close(Close::Now);
            }
        }
        clients.over_soft_limit = any_over;
    }
}

impl Session {
    /// Since when the unsent output has been above the soft limit.
    fn over_soft_limit_since(&mut self, limit: OutputLimit, now: i64) -> Option<i64> {
        let over = limit.soft > 0 && self.peer.waiting_bytes() > limit.soft;
        self.over_soft_limit_ms = over.then(|| self.over_soft_limit_ms.unwrap_or(now));
        self.over_soft_limit_ms
    }

    /// Whether `timeout` is meant for it: one that waits for keys or messages is not idle.
    fn may_be_idle(&self) -> bool {
        self.blocked.is_none() && !self.postponed && !self.is_subscriber()
    }
}
