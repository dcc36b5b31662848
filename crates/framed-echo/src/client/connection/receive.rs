//! What a connection of a client makes of the frames that it receives.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::Decoder;
use tracing::debug;

use super::Connection;
use crate::{
    Head, Item, Message, Reply,
    client::{
        CHUNKS, SendError,
        deliveries::Waiting,
        incoming::{Event, LargeMessage, Receipt},
        wire::{Download, Sink},
    },
    control::{Code, FromClient, FromServer, MessageId, Refusal, kind},
};

impl Connection<'_> {
    pub(super) fn decode(&mut self) -> io::Result<()> {
        while let Some(item) = self
            .codec
            .decode(&mut self.buffer)
            .map_err(io::Error::other)?
        {
            match item {
                Item::Frame(reply) => self.reply(reply),
                Item::TooLong { header, len, max } => {
                    let text = format!(
                        "received body of {len} bytes exceeds the limit of {max} bytes for kind {}",
                        header.kind
                    );
                    self.driver
                        .deliveries
                        .event(Event::Refused(Refusal::new(Code::TooLong, text)), None);
                }
                Item::Start { header, len } => {
                    let head = self.head(header.sender, header.kind);
                    let answer = self.wire.unanswered.pop_front();
                    self.large(0, head, len, answer, None);
                }
                Item::Chunk { bytes, .. } => self.chunk(0, bytes),
            }
        }
        Ok(())
    }

    fn head(&self, sender: u32, kind: crate::Kind) -> Head {
        let (receiver, id, re) = (self.driver.id, None, None);
        Head {
            sender,
            receiver,
            id,
            re,
            kind,
        }
    }

    fn reply(&mut self, Reply { header, body }: Reply) {
        if !header.kind.is_control() || (self.welcome.is_none() && header.kind != kind::ERROR) {
            let head = self.head(header.sender, header.kind);
            let message = Message { head, body };
            return match self.wire.unanswered.pop_front() {
                Some(answer) => self.answer(answer, message, None),
                None => self.driver.deliveries.event(Event::Message(message), None),
            };
        }
        match FromServer::decode(header.kind, body) {
            Some(Ok(control)) => self.control(header.sender, control),
            Some(Err(malformed)) => debug!(%malformed, "ignored"),
            None => debug!(kind = header.kind.0, "ignored"),
        }
    }

    fn control(&mut self, sender: u32, control: FromServer) {
        let receiver = self.driver.id;
        match control {
            FromServer::Message {
                tag,
                id,
                re,
                kind,
                body,
            } => {
                let head = Head {
                    sender,
                    receiver,
                    id,
                    re,
                    kind,
                };
                let message = Message { head, body };
                self.wire.last_tag = tag;
                match re.and_then(|re| self.driver.requests.remove(&re.get())) {
                    Some(answer) => self.answer(answer, message, Some(tag)),
                    None => {
                        let receipt = Some(Receipt {
                            link: self.driver.link,
                            tag,
                        });
                        self.driver
                            .deliveries
                            .event(Event::Message(message), receipt);
                    }
                }
            }
            FromServer::Ack { id, outcome } => {
                if let Some(outgoing) = self.driver.pending.remove(&id) {
                    outgoing.finish(Ok(outcome.into()));
                }
            }
            FromServer::Ping(body) => self
                .wire
                .put(FromClient::Pong(body).into_request(receiver, 0)),
            FromServer::Error(refusal) => self.refused(refusal),
            FromServer::Start {
                tag,
                id,
                re,
                kind,
                len,
            } => {
                let head = Head {
                    sender,
                    receiver,
                    id,
                    re,
                    kind,
                };
                let answer = re.and_then(|re| self.driver.requests.remove(&re.get()));
                let receipt = Receipt {
                    link: self.driver.link,
                    tag,
                };
                self.large(tag, head, len, answer, Some(receipt));
            }
            FromServer::Chunk { tag, bytes } => self.chunk(tag, bytes),
            FromServer::Credit { id, chunks } => self.wire.add_credit(id, chunks),
            FromServer::Abort { tag } => drop(self.wire.downloads.remove(&tag)),
            FromServer::Goodbye => self.is_leaving = true,
            FromServer::Pong(_) | FromServer::Welcome(_) => {}
        }
    }

    /// Hands an answer over; it counts as handled.
    fn answer(&mut self, answer: oneshot::Sender<Message>, message: Message, tag: Option<u64>) {
        self.wire.answers.extend(tag);
        if let Err(late) = answer.send(message) {
            self.driver.deliveries.event(Event::Message(late), None);
        }
    }

    fn refused(&mut self, refusal: Refusal) {
        let id = refusal.id.map_or(0, MessageId::get);
        self.wire
            .uploads
            .retain(|upload| upload.id != id || id == 0);
        self.driver.requests.remove(&id);
        match self.driver.pending.remove(&id) {
            Some(outgoing) => outgoing.finish(Err(SendError::Refused(refusal))),
            None => self.driver.deliveries.event(Event::Refused(refusal), None),
        }
    }

    fn large(
        &mut self,
        tag: u64,
        head: Head,
        len: u32,
        answer: Option<oneshot::Sender<Message>>,
        receipt: Option<Receipt>,
    ) {
        let sink = match answer {
            Some(answer) => Sink::Collect {
                head,
                body: BytesMut::new(),
                answer,
            },
            None => {
                let (chunks, received) = mpsc::channel(CHUNKS);
                let ack = receipt.map(|receipt| (Arc::clone(&self.driver.acks), receipt));
                let large = LargeMessage::new(head, len, received, ack);
                self.driver.deliveries.event(Event::Large(large), None);
                Sink::Forward(chunks)
            }
        };
        let left = len as usize;
        self.wire.downloads.insert(tag, Download { left, sink });
    }

    fn chunk(&mut self, tag: u64, mut bytes: Bytes) {
        let Some(download) = self.wire.downloads.get_mut(&tag) else {
            return;
        };
        bytes.truncate(download.left);
        download.left -= bytes.len();
        let is_last = download.left == 0;
        match &mut download.sink {
            Sink::Collect { body, .. } => body.extend_from_slice(&bytes),
            Sink::Forward(chunks) => {
                let chunks = chunks.clone();
                self.driver
                    .deliveries
                    .waiting
                    .push_back(Waiting::Chunk(chunks, bytes));
            }
        }
        if is_last {
            let download = self.wire.downloads.remove(&tag);
            if let Some(Sink::Collect { head, body, answer }) =
                download.map(|download| download.sink)
            {
                self.answer(
                    answer,
                    Message {
                        head,
                        body: body.freeze(),
                    },
                    None,
                );
                if tag != 0 {
                    self.wire
                        .put(FromClient::Ack { tag }.into_request(self.driver.id, 0));
                }
            }
        }
    }
}
