//! What a connection has to send.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::AsyncWrite;

use crate::connection::scratch;

/// Replies and messages that are not sent yet. The buffer is the thread's; a slow reader keeps it until it has read all of it.
#[derive(Debug, Default)]
pub(super) struct Output {
    buf: BytesMut,
    /// Bytes of `buf` that are sent already.
    sent: usize,
}

impl Output {
    /// Bytes that are not sent yet.
    pub(super) fn unsent(&self) -> usize {
        self.buf.len() - self.sent
    }

    /// The buffer to append to; what is sent already is taken out first, so that it does not grow behind it.
    pub(super) fn buf(&mut self) -> &mut BytesMut {
        if self.buf.capacity() == 0 {
            self.buf = scratch::take_out();
        }
        if self.sent > 0 {
            bytes::Buf::advance(&mut self.buf, self.sent);
            self.sent = 0;
        }
        &mut self.buf
    }

    /// Sends until nothing is left. Returns how many bytes went out, also if some are left.
    pub(super) fn poll_send(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> (usize, Poll<io::Result<()>>) {
        let before = self.sent;
        let result = self.poll_send_all(io, cx);
        let now_sent = self.sent - before;
        if matches!(result, Poll::Ready(Ok(()))) && self.buf.capacity() > 0 {
            self.sent = 0;
            scratch::put_out(std::mem::take(&mut self.buf));
        }
        (now_sent, result)
    }

    fn poll_send_all(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.buf.len() {
            let sent = ready!(Pin::new(&mut *io).poll_write(cx, &self.buf[self.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        // A socket needs no flush, a buffered transport of the caller's may.
        Pin::new(io).poll_flush(cx)
    }

    /// Drops all of it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
