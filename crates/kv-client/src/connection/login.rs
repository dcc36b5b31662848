//! The login that the connections of a client share, and that may be replaced while they stand.

use std::sync::{Arc, Mutex};

use crate::config::{Credentials, CredentialsProvider};
use crate::connection::node::locked;
use crate::error::Result;

/// What the connections of one client log in with. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Login(Arc<Mutex<Current>>);

#[derive(Clone, Debug, Default)]
struct Current {
    provider: Option<CredentialsProvider>,
    /// Counted up whenever connections that were made before are to log in again.
    turn: u64,
}

impl Login {
    pub(crate) fn new(provider: Option<CredentialsProvider>) -> Self {
        Self(Arc::new(Mutex::new(Current { provider, turn: 0 })))
    }

    /// A copy that changes by itself.
    pub(crate) fn detached(&self) -> Self {
        Self(Arc::new(Mutex::new(locked(&self.0).clone())))
    }

    /// Which of the logins is the present one.
    pub(crate) fn turn(&self) -> u64 {
        locked(&self.0).turn
    }

    /// What to log in with now, and the turn that it belongs to.
    pub(crate) async fn ask(&self) -> Result<(Option<Credentials>, u64)> {
        let Current { provider, turn } = locked(&self.0).clone();
        let credentials = match provider {
            Some(provider) => Some(provider.ask().await?),
            None => None,
        };
        Ok((credentials, turn))
    }

    /// Whether a login that is refused now may be a better one when it is asked for again.
    pub(crate) fn may_change(&self) -> bool {
        let current = locked(&self.0);
        let provider = current.provider.as_ref();
        provider.is_some_and(|provider| provider.fixed().is_none())
    }

    /// Has every connection log in again.
    pub(crate) fn renew(&self) {
        locked(&self.0).turn += 1;
    }

    /// Logs in with something else from now on; what it was before.
    pub(crate) fn replace(
        &self,
        provider: Option<CredentialsProvider>,
    ) -> Option<CredentialsProvider> {
        let mut current = locked(&self.0);
        current.turn += 1;
        std::mem::replace(&mut current.provider, provider)
    }
}
