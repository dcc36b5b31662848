//! How a connection ends: the last reply, the end of the stream, leaving the engine.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use resp_codec::DecodeErrorKind;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::{Connection, protocol, scratch};
use crate::engine::Shared;

/// Input that is thrown away when the server closes a connection: a socket that is closed with unread input resets, and the peer may lose its replies.
const DISCARD_BYTES: usize = 1 << 20;

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The peer closed, or both sides agreed.
    Closed,
    Failed(#[expect(dead_code, reason = "shown when the end is logged")] io::Error),
    /// Output limit or the like.
    Cut,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// Answers a request that is no request; the connection ends.
    pub(super) fn reject(&mut self, error: resp_codec::DecodeError) {
        debug!(%error, "protocol error");
        // A request beyond the query buffer limit gets no answer, as in Redis.
        if !matches!(error.kind(), DecodeErrorKind::FrameLimit { .. }) {
            protocol::reject(self.out.buf(), &error, self.authenticated);
        }
        self.closing = true;
    }

    /// Tells the peer that nothing will follow, and throws away what it has sent meanwhile.
    pub(super) fn poll_hang_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(Pin::new(&mut self.io).poll_shutdown(cx)).is_err() || self.end_of_stream {
            return Poll::Ready(());
        }
        let mut bin = scratch::take_batch();
        let mut discarded = 0;
        while discarded < DISCARD_BYTES {
            bin.buf.clear();
            match tokio_util::io::poll_read_buf(Pin::new(&mut self.io), cx, &mut bin.buf) {
                Poll::Ready(Ok(read)) if read > 0 => discarded += read,
                _ => break,
            }
        }
        scratch::put_batch(bin);
        Poll::Ready(())
    }

    /// Leaves the engine; the connection is gone then.
    pub(super) fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let server = self.server.clone();
        let mut engine = ready!(server.lock.poll_lock(&mut self.ticket, cx));
        let Shared { clients, stats, .. } = &mut engine.shared;
        if let Some(session) = clients.get_mut(self.peer.id) {
            self.traffic.count(session, stats);
        }
        engine.disconnect(self.peer.id);
        self.left = true;
        Poll::Ready(())
    }
}

impl<T> Drop for Connection<T> {
    fn drop(&mut self) {
        self.server.lock.leave(&mut self.ticket);
        if !self.left {
            self.server.lock.lock().disconnect(self.peer.id);
        }
    }
}
