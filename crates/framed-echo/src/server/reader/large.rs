//! Large messages: handed to the handler while they arrive, chunk by chunk.

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};
use tracing::trace;

use super::{
    super::{Handler, Upload, budget::Charge, stats::Counters, upload::WINDOW_CHUNKS},
    Reader,
};
use crate::{
    Head,
    control::{Code, MessageId, Refusal},
};

/// A large message that arrives in CHUNK frames.
pub(super) struct Uploading {
    chunks: mpsc::Sender<Bytes>,
    left: usize,
}

impl<H: Handler> Reader<'_, H> {
    /// Starts the handler on a large message. `None` if it is refused.
    pub(super) async fn upload(&mut self, head: Head, len: u32) -> Option<mpsc::Sender<Bytes>> {
        let connection = self.connection;
        let server = &connection.server;
        if !self.is_sender_bound(&head) {
            return None;
        }
        let mut charge = Charge::new(&server.budget);
        let window = WINDOW_CHUNKS as usize * server.config.chunk_bytes as usize;
        if !self.is_session {
            self.wait(pin!(charge.set(window))).await;
        } else if !charge.try_set(window) {
            self.refuse(
                head.id,
                Refusal::new(Code::Busy, "no memory is left for a large message"),
            );
            return None;
        }
        Counters::add(&server.counters.uploads, 1);
        trace!(kind = head.kind.0, len, "large message");
        let credit = head
            .id
            .filter(|_| self.is_session)
            .map(|id| (id.get(), connection.peer.clone()));
        let (chunks, upload) = Upload::new(head, len, credit, charge);
        let (server, peer) = (Arc::clone(server), connection.peer.clone());
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            let handled = server.handler.upload(&peer, upload).await;
            server.answer(&peer, head.id, handled);
        });
        Some(chunks)
    }

    pub(super) async fn start(&mut self, head: Head, id: u64, len: u32) {
        if let Err(refusal) = self.check(head.kind, len) {
            return self.refuse(head.id, refusal);
        }
        self.uploads.retain(|_, upload| !upload.chunks.is_closed());
        let problem = if id == 0 || self.uploads.contains_key(&id) {
            Some((Code::Malformed, "a large message needs an id of its own"))
        } else if len == 0 {
            Some((Code::Malformed, "a large message cannot be empty"))
        } else if self.uploads.len() >= self.connection.server.config.max_uploads {
            Some((Code::Busy, "too many large messages at a time"))
        } else {
            None
        };
        if let Some((code, text)) = problem {
            return self.refuse(head.id, Refusal::new(code, text));
        }
        if let Some(chunks) = self.upload(head, len).await {
            let left = len as usize;
            self.uploads.insert(id, Uploading { chunks, left });
        }
    }

    pub(super) fn chunk(&mut self, id: u64, bytes: Bytes) {
        // Chunks behind a refusal are under way already: skipped without another word.
        let Some(upload) = self.uploads.get_mut(&id) else {
            return;
        };
        let len = bytes.len();
        let max = upload
            .left
            .min(self.connection.server.config.chunk_bytes as usize);
        if len == 0 || len > max {
            self.uploads.remove(&id);
            let text = format!("chunk of {len} bytes where 1 to {max} were due");
            return self.refuse(MessageId::new(id), Refusal::new(Code::Malformed, text));
        }
        upload.left -= len;
        let is_last = upload.left == 0;
        let sent = upload.chunks.try_send(bytes);
        if is_last || sent.is_err() {
            self.uploads.remove(&id);
        }
        if let Err(TrySendError::Full(_)) = sent {
            let refusal = Refusal::new(Code::NoCredit, "chunk sent without credit");
            self.refuse(MessageId::new(id), refusal);
        }
    }
}
