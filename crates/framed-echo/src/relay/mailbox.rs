//! Who is connected under which id.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use tokio::sync::Notify;

use crate::{inbox::EntryId, server::Peer};

/// All ids that somebody is connected under, or that a message is being kept for.
#[derive(Debug, Default)]
pub(super) struct Directory {
    mailboxes: RwLock<HashMap<u32, Arc<Mailbox>>>,
}

/// One id: its connections, and the way from the inbox to them.
///
/// Messages go straight to the connections while the mailbox is *live*. Otherwise something is in the inbox, or about
/// to be, and all messages queue up behind it there, so that they arrive in order.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    /// Held while a message is stored, and while it is decided that the inbox is empty.
    pub(super) gate: tokio::sync::Mutex<()>,
    /// The last entry that has been taken out of the inbox for delivery. Held by the one task that does so.
    pub(super) cursor: tokio::sync::Mutex<EntryId>,
    /// Notified when connections have come or gone, and when the mailbox has become live.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    peers: Arc<[Peer]>,
    is_live: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            peers: Arc::new([]),
            is_live: false,
        }
    }
}

impl Directory {
    pub(super) fn get(&self, id: u32) -> Option<Arc<Mailbox>> {
        let mailboxes = self
            .mailboxes
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        mailboxes.get(&id).map(Arc::clone)
    }

    pub(super) fn get_or_create(&self, id: u32) -> Arc<Mailbox> {
        if let Some(mailbox) = self.get(id) {
            return mailbox;
        }
        let mut mailboxes = self
            .mailboxes
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(mailboxes.entry(id).or_default())
    }

    /// Forgets a mailbox without connections that nobody else is using.
    pub(super) fn release(&self, id: u32, mailbox: Arc<Mailbox>) {
        if !mailbox.peers().is_empty() {
            return;
        }
        drop(mailbox);
        let mut mailboxes = self
            .mailboxes
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // With the table locked, nobody can get hold of it in between.
        let is_unused =
            |mailbox: &Arc<Mailbox>| Arc::strong_count(mailbox) == 1 && mailbox.peers().is_empty();
        if mailboxes.get(&id).is_some_and(is_unused) {
            mailboxes.remove(&id);
        }
    }
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All connections under this id.
    pub(super) fn peers(&self) -> Arc<[Peer]> {
        Arc::clone(&self.state().peers)
    }

    /// The connections that messages go to without a detour through the inbox.
    pub(super) fn live_peers(&self) -> Option<Arc<[Peer]>> {
        let state = self.state();
        (state.is_live && !state.peers.is_empty()).then(|| Arc::clone(&state.peers))
    }

    /// Adds a connection. Unless it joins others, what is in the inbox, or will be when the last has left, comes first.
    pub(super) fn join(&self, peer: &Peer) {
        let mut state = self.state();
        state.is_live &= state.peers.iter().any(Peer::is_open);
        state.peers = state.peers.iter().chain([peer]).cloned().collect();
    }

    pub(super) fn leave(&self, peer: &Peer) {
        let mut state = self.state();
        let others = |other: &&Peer| other.connection() != peer.connection();
        state.peers = state.peers.iter().filter(others).cloned().collect();
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn set_live(&self, is_live: bool) {
        self.state().is_live = is_live;
        self.changed.notify_waiters();
    }

    /// Waits until no connection is about to leave: what it has not delivered comes before anything newer.
    pub(super) async fn settled(&self) {
        self.until(|state| state.peers.iter().all(Peer::is_open))
            .await;
    }

    /// Waits until messages go straight to the connections, or there are none; returns them.
    pub(super) async fn caught_up(&self) -> Arc<[Peer]> {
        self.until(|state| state.is_live || state.peers.is_empty())
            .await;
        self.peers()
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            if condition(&self.state()) {
                return;
            }
            changed.await;
        }
    }
}
