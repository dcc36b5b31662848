//! A large message as it arrives.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Peer, budget::Charge};
use crate::{Head, body::Body, control::FromServer};

/// A large message whose body is still arriving. Dropped early, the rest of the body is skipped.
#[derive(Debug)]
pub struct Upload {
    head: Head,
    body: Body,
    /// A client that said hello sends a chunk more for each that has been taken.
    credit: Option<(u64, Peer)>,
    /// What the window may hold.
    _charge: Charge,
}

/// A large message stopped before all its bytes had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("large body ended early: {missing} of {len} bytes are missing")]
pub struct Incomplete {
    /// Bytes that did not come.
    pub missing: usize,
    /// Bytes that were announced.
    pub len: u32,
}

/// Chunks of one upload that may wait for the handler.
pub(crate) const WINDOW_CHUNKS: u32 = 4;

impl Upload {
    pub(crate) fn new(
        head: Head,
        len: u32,
        credit: Option<(u64, Peer)>,
        charge: Charge,
    ) -> (mpsc::Sender<Bytes>, Self) {
        let (sender, chunks) = mpsc::channel(WINDOW_CHUNKS as usize);
        let upload = Self {
            head,
            body: Body::new(len, chunks),
            credit,
            _charge: charge,
        };
        (sender, upload)
    }

    /// Who, to whom, what.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Bytes of the whole body.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "large by definition")]
    pub fn len(&self) -> u32 {
        self.body.len()
    }

    /// The next bytes; `None` behind the last.
    ///
    /// # Errors
    ///
    /// If the sender stops early; what came before is all there is.
    ///
    /// # Cancel safety
    ///
    /// No bytes are lost.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Incomplete> {
        let chunk = self.body.chunk().await?;
        if let Some((id, peer)) = self.credit.as_ref().filter(|_| !self.body.is_read()) {
            let credit = FromServer::Credit { id: *id, chunks: 1 };
            peer.outbox().push_control(credit.into_reply(0));
        }
        Ok(chunk)
    }
}
