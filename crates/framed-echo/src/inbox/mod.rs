//! Where a relay keeps messages for those who are away.

#[cfg(feature = "kv")]
mod kv;
mod memory;

use std::{error, future::Future, time::Duration};

#[cfg(feature = "kv")]
pub use kv::KvInbox;
pub use memory::MemoryInbox;

use crate::Message;

/// A store of messages, in one order for each receiver.
///
/// The relay stores a message before it says so to the sender, and removes it after the receiver has acknowledged it. A
/// relay killed in between delivers it again: at least once, never less.
pub trait Inbox: Send + Sync + 'static {
    /// Adds a message behind the receiver's others. When this returns, the message is as safe as this store makes it.
    ///
    /// # Errors
    ///
    /// [`InboxError::Full`] at the quota; then nothing has been stored. After [`InboxError::Failed`] it may have been.
    fn store(
        &self,
        receiver: u32,
        message: &Message,
    ) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// The oldest messages of a receiver behind `after`, at most `max` of them, oldest first. [`EntryId::default`] is
    /// before all.
    ///
    /// # Errors
    ///
    /// [`InboxError::Failed`].
    fn fetch(
        &self,
        receiver: u32,
        after: EntryId,
        max: usize,
    ) -> impl Future<Output = Result<Vec<Stored>, InboxError>> + Send;

    /// Removes messages that have arrived. Those that are gone already do no harm.
    ///
    /// # Errors
    ///
    /// [`InboxError::Failed`]; what is left is delivered again.
    fn remove(
        &self,
        receiver: u32,
        entries: &[EntryId],
    ) -> impl Future<Output = Result<(), InboxError>> + Send;
}

/// Names a stored message; later ones of the same receiver are greater. Never 0 for a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u128);

/// A message in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub entry: EntryId,
    /// The message.
    pub message: Message,
}

/// Why the inbox did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// The receiver's quota is used up.
    #[error("inbox of {receiver} is full: {messages} messages, {bytes} bytes")]
    Full {
        /// Whose inbox.
        receiver: u32,
        /// Messages in it.
        messages: usize,
        /// Bytes of their bodies.
        bytes: usize,
    },
    /// The store does not work.
    #[error("inbox failed")]
    Failed(#[source] Box<dyn error::Error + Send + Sync>),
}

/// How much is kept for one receiver, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Messages. Default: 1,000.
    pub messages: usize,
    /// Bytes of bodies. Default: 4 MiB.
    pub bytes: usize,
    /// Messages older than this are dropped. Default: 7 days. `None`: kept for ever.
    pub ttl: Option<Duration>,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            messages: 1000,
            bytes: 4 * 1024 * 1024,
            ttl: Some(Duration::from_secs(7 * 24 * 60 * 60)),
        }
    }
}
