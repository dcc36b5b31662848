//! One connection of a client at work.

mod receive;

use std::{future::poll_fn, io, sync::Arc, task::Poll, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    time::Instant,
};
use tokio_util::codec::Decoder;

use super::{
    SendError, Sent,
    connect::BoxedIo,
    driver::Driver,
    incoming::Receipt,
    wire::{Turn, Wire},
};
use crate::{
    ClientCodec, Head, Message, Request,
    control::{FromClient, Welcome},
};

/// One connection at work.
pub(super) struct Connection<'a> {
    pub(super) driver: &'a mut Driver,
    pub(super) wire: &'a mut Wire,
    /// `None` on a plain connection.
    pub(super) welcome: Option<&'a Welcome>,
    pub(super) codec: ClientCodec,
    pub(super) buffer: BytesMut,
    /// The server has said goodbye.
    pub(super) is_leaving: bool,
}

/// Enough in the output to be worth a system call.
const OUTPUT_BYTES: usize = 64 * 1024;

const READ_BYTES: usize = 16 * 1024;

/// What the writing branch of a connection has done.
enum Progress {
    Turn(Box<Turn>),
    Wrote(usize),
}

impl Connection<'_> {
    /// Until the server closes the connection (`Ok`) or it breaks.
    pub(super) async fn run(
        &mut self,
        mut read: ReadHalf<BoxedIo>,
        mut write: WriteHalf<BoxedIo>,
        patience: Option<Duration>,
    ) -> io::Result<()> {
        let patience = patience.unwrap_or(Duration::MAX / 4);
        let silence = tokio::time::sleep(patience);
        tokio::pin!(silence);
        let mut last_read = Instant::now();
        let mut is_shut = false;
        let acks = Arc::clone(&self.driver.acks);
        self.decode()?; // what came with the welcome
        loop {
            self.acknowledge();
            self.fill();
            if self.wire.output.is_empty() && self.is_done() && !is_shut {
                is_shut = true;
                write.shutdown().await?;
            }
            let takes_commands =
                self.takes_messages() && self.driver.unsent.is_empty() && !self.driver.is_finishing;
            let has_room = self.wire.output.len() < OUTPUT_BYTES;
            let chunk_bytes = self.welcome.map(|welcome| welcome.chunk_bytes);
            let Self {
                driver,
                wire,
                buffer,
                ..
            } = self;
            let Driver {
                commands,
                deliveries,
                ..
            } = &mut **driver;
            let is_caught_up = deliveries.waiting.is_empty();
            let writes = !wire.output.is_empty();
            let uploads = &mut **wire;
            tokio::select! {
                () = deliveries.pass_on(), if !is_caught_up => {}
                read = read.read_buf(buffer), if is_caught_up => {
                    if read? == 0 {
                        return match self.codec.decode_eof(&mut self.buffer) {
                            Ok(_) => Ok(()),
                            Err(error) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)),
                        };
                    }
                    last_read = Instant::now();
                    self.decode()?;
                    self.buffer.reserve(READ_BYTES);
                }
                progress = poll_fn(|cx| {
                    // One branch for both, as both change the output.
                    if has_room {
                        if let Poll::Ready(turn) = uploads.poll_turn(chunk_bytes, cx) {
                            return Poll::Ready(Ok(Progress::Turn(Box::new(turn))));
                        }
                    }
                    if !writes {
                        return Poll::Pending;
                    }
                    uploads.output.poll_write(std::pin::Pin::new(&mut write), cx).map_ok(Progress::Wrote)
                }) => match progress? {
                    Progress::Turn(turn) => self.turn(*turn),
                    Progress::Wrote(bytes) => {
                        self.wrote(bytes);
                        if self.wire.output.is_empty() {
                            write.flush().await?;
                        }
                    }
                },
                command = commands.recv(), if takes_commands => match command {
                    Some(command) => self.driver.accept(command),
                    None => self.driver.is_finishing = true,
                },
                () = acks.changed.notified() => {}
                () = &mut silence => {
                    if last_read.elapsed() >= patience {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    silence.as_mut().reset(last_read + patience);
                }
            }
        }
    }

    /// Whether there is nothing more to say on this connection.
    fn is_done(&self) -> bool {
        let has_nothing = self.driver.unsent.is_empty() && self.driver.pending.is_empty();
        let has_acknowledged = self.wire.acked >= self.wire.last_tag;
        let is_leaving = self.is_leaving && has_acknowledged;
        self.wire.uploads.is_empty() && (is_leaving || (self.driver.is_finishing && has_nothing))
    }

    fn takes_messages(&self) -> bool {
        let is_inside_frame = self.welcome.is_none() && !self.wire.uploads.is_empty();
        !self.is_leaving
            && !is_inside_frame
            && self.driver.pending.len() < self.driver.config.window
            && self.wire.output.len() < OUTPUT_BYTES
    }

    /// Puts messages into the output.
    fn fill(&mut self) {
        while self.takes_messages() {
            let Some(mut outgoing) = self.driver.unsent.pop_front() else {
                break;
            };
            let Some(welcome) = self.welcome else {
                let Message { head, body } = outgoing.message.clone();
                self.wire.unanswered.extend(outgoing.answer.take());
                if outgoing.source.is_some() {
                    self.wire.begin(outgoing, None);
                } else {
                    self.wire
                        .put(Request::new(head.sender, head.receiver, head.kind, body));
                    self.wire.mark(outgoing);
                }
                continue;
            };
            outgoing.message.head.sender = self.driver.id;
            let Message { head, body } = outgoing.message.clone();
            if let Some(answer) = outgoing.answer.take() {
                self.driver.requests.insert(outgoing.id, answer);
            }
            let id = outgoing.id;
            let outgoing = if outgoing.source.is_some() || body.len() > welcome.chunk_bytes as usize
            {
                self.wire.begin(outgoing, Some(welcome))
            } else {
                let Head { id, re, kind, .. } = head;
                self.wire
                    .put_control(FromClient::Message { id, re, kind, body }, &head);
                Some(outgoing)
            };
            self.driver
                .pending
                .extend(outgoing.map(|outgoing| (id, outgoing)));
        }
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Sent | Turn::Complete(None) => {}
            Turn::Complete(Some(outgoing)) => self.wire.mark(outgoing),
            Turn::Broken(upload) => match self.driver.pending.remove(&upload.id) {
                Some(outgoing) => {
                    self.wire
                        .put_control(FromClient::Abort { id: upload.id }, &outgoing.message.head);
                    outgoing.finish(Err(SendError::Incomplete));
                }
                // Half a frame on a plain connection: nothing can follow.
                None => {
                    self.is_leaving = true;
                    if let Some(outgoing) = upload.outgoing {
                        outgoing.finish(Err(SendError::Incomplete));
                    }
                }
            },
        }
    }

    fn wrote(&mut self, bytes: usize) {
        for outgoing in self.wire.wrote(bytes) {
            outgoing.finish(Ok(Sent::Written));
        }
    }

    /// Tells the server what has been handled.
    fn acknowledge(&mut self) {
        let handled = self.driver.acks.take();
        let link = self.driver.link;
        let ours = |receipt: &Receipt| receipt.link == link;
        if let Some(receipt) = handled.message.filter(ours) {
            self.wire.handled = receipt.tag;
        }
        for receipt in handled.large.into_iter().filter(ours) {
            self.wire
                .put(FromClient::Ack { tag: receipt.tag }.into_request(self.driver.id, 0));
        }
        if let Some(tag) = self.wire.next_ack() {
            self.wire
                .put(FromClient::Ack { tag }.into_request(self.driver.id, 0));
        }
    }
}
