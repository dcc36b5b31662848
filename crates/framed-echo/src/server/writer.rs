//! The writing half of a connection: outbox to socket.

use std::{future::poll_fn, io, pin::Pin, task::Poll};

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Handler, connection::Connection, outbox::Filled, scratch, stats::Counters};
use crate::output::Output;

/// Writes until the outbox is finished (`Ok(true)`), or has been closed early (`Ok(false)`).
pub(super) async fn run<H: Handler>(
    connection: &Connection<H>,
    mut io: impl AsyncWrite + Unpin,
) -> io::Result<bool> {
    let (server, peer) = (&connection.server, &connection.peer);
    let outbox = peer.outbox();
    let mut output = Output::default();
    loop {
        match poll_fn(|cx| outbox.poll_fill(&mut output, cx)).await {
            Filled::Open => {}
            Filled::Empty => {
                connection.spawn(|server, peer| async move { server.handler.empty(&peer).await });
                continue;
            }
            Filled::Cut => return Ok(false),
            Filled::Finished => {
                io.shutdown().await?;
                return Ok(true);
            }
        }
        let bytes = output.len() as u64;
        if !write_all(connection, &mut output, &mut io).await? {
            return Ok(false);
        }
        Counters::add(&server.counters.bytes_out, bytes);
        if let Some(buffer) = output.take_buffer() {
            scratch::put(buffer);
        }

        let delivered = outbox.settle_written();
        if !delivered.is_empty() {
            server.handler.delivered(peer, delivered).await;
        }
    }
}

/// Writes everything; `false` if the outbox was closed before.
async fn write_all<H: Handler>(
    connection: &Connection<H>,
    output: &mut Output,
    io: &mut (impl AsyncWrite + Unpin),
) -> io::Result<bool> {
    let activity = &connection.activity;
    let outbox = connection.peer.outbox();
    while !output.is_empty() {
        let written = poll_fn(|cx| match output.poll_write(Pin::new(io), cx) {
            Poll::Ready(written) => Poll::Ready(Some(written)),
            Poll::Pending => {
                activity.blocked();
                if let Some(buffer) = output.shrink() {
                    scratch::put(buffer);
                }
                outbox.poll_closed(cx).map(|()| None)
            }
        });
        match written.await {
            Some(written) => written?,
            None => return Ok(false),
        };
        activity.wrote();
    }
    io.flush().await?;
    Ok(true)
}
