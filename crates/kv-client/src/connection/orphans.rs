//! Subscriptions of a cluster whose node is gone, until they are given another one.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::connection::node::locked;
use crate::connection::topics::Topic;
use crate::mailbox::Mailbox;

/// See the module.
#[derive(Debug)]
pub(crate) struct Orphanage {
    /// `None` once it is closed.
    waiting: Mutex<Option<Vec<Orphan>>>,
    /// Wakes whoever finds them another node.
    wish: Arc<Notify>,
}

/// A topic that no node has any more, and who wants its messages.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) topic: Topic,
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
}

impl Orphanage {
    pub(crate) fn new(wish: Arc<Notify>) -> Self {
        Self {
            waiting: Mutex::new(Some(Vec::new())),
            wish,
        }
    }

    /// Takes a topic in.
    pub(crate) fn take_in(&self, topic: Topic, mailboxes: Vec<Arc<Mailbox>>) {
        match &mut *locked(&self.waiting) {
            Some(waiting) => waiting.push(Orphan { topic, mailboxes }),
            None => mailboxes.iter().for_each(|mailbox| mailbox.end()),
        }
        self.wish.notify_one();
    }

    pub(crate) fn release(&self) -> Vec<Orphan> {
        locked(&self.waiting)
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// A subscriber is gone.
    pub(crate) fn forget(&self, topic: &Topic, mailbox: &Arc<Mailbox>) {
        for orphan in locked(&self.waiting).iter_mut().flatten() {
            if orphan.topic == *topic {
                orphan
                    .mailboxes
                    .retain(|other| !Arc::ptr_eq(other, mailbox));
            }
        }
    }

    /// No node will be found for anybody any more.
    pub(crate) fn close(&self) {
        for orphan in locked(&self.waiting).take().into_iter().flatten() {
            orphan.mailboxes.iter().for_each(|mailbox| mailbox.end());
        }
    }
}
