//! The body of a large message as it arrives, at either end.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::server::Incomplete;

#[derive(Debug)]
pub(crate) struct Body {
    len: u32,
    left: usize,
    chunks: mpsc::Receiver<Bytes>,
}

impl Body {
    pub(crate) fn new(len: u32, chunks: mpsc::Receiver<Bytes>) -> Self {
        Self {
            len,
            left: len as usize,
            chunks,
        }
    }

    /// Bytes of the whole.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn is_read(&self) -> bool {
        self.left == 0
    }

    /// The next bytes; `None` behind the last. An error if nobody sends the rest. Cancelled, it loses nothing.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Incomplete> {
        if self.is_read() {
            return Ok(None);
        }
        let Some(chunk) = self.chunks.recv().await else {
            return Err(Incomplete {
                missing: self.left,
                len: self.len,
            });
        };
        self.left = self.left.saturating_sub(chunk.len());
        Ok(Some(chunk))
    }
}
