//! The state of one connection: what is being written, and what is being received in pieces.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};

use super::outgoing::Outgoing;
use crate::{
    Head, Message, Request, RequestHeader,
    control::{FromClient, Welcome},
    output::Output,
};

/// What belongs to one connection and dies with it.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) output: Output,
    /// Bytes ever put into `output`.
    queued_bytes: u64,
    /// Bytes ever written.
    written_bytes: u64,
    /// On a plain connection: messages that have been sent when so many bytes have been written.
    pub(super) marks: VecDeque<(u64, Outgoing)>,
    /// Large messages under way; the first has the next turn. At most one on a plain connection.
    pub(super) uploads: VecDeque<Upload>,
    /// Large messages that arrive, by tag; on a plain connection under the tag 0.
    pub(super) downloads: HashMap<u64, Download>,
    /// Plain requests that have been written, in order.
    pub(super) unanswered: VecDeque<oneshot::Sender<Message>>,
    /// The tag up to which everything has been acknowledged.
    pub(super) acked: u64,
    /// The last tag that the application has handled, and all before it.
    pub(super) handled: u64,
    /// The last tag that was received.
    pub(super) last_tag: u64,
    /// Tags of answers, which never reach the stream of events; beyond `acked`.
    pub(super) answers: BTreeSet<u64>,
}

/// A large message on its way out.
pub(super) struct Upload {
    pub(super) id: u64,
    /// Bytes that have been handed over and not been sent.
    rest: Bytes,
    /// Where more comes from.
    source: Option<mpsc::Receiver<Bytes>>,
    /// Bytes of the body still to be sent.
    left: usize,
    /// Chunks that may be sent; `None` on a plain connection, where nobody counts.
    credit: Option<u32>,
    head: Head,
    /// On a plain connection: the message itself. After a hello it waits for its acknowledgement elsewhere.
    pub(super) outgoing: Option<Outgoing>,
}

/// A large message on its way in.
pub(super) struct Download {
    pub(super) left: usize,
    pub(super) sink: Sink,
}

/// What becomes of the bytes of a large message.
pub(super) enum Sink {
    /// It answers a request, which wants it whole.
    Collect {
        head: Head,
        body: BytesMut,
        answer: oneshot::Sender<Message>,
    },
    /// The application reads it.
    Forward(mpsc::Sender<Bytes>),
}

/// What a turn of an upload came to.
pub(super) enum Turn {
    /// Some bytes went out.
    Sent,
    /// The upload is complete; here is its message if nothing else waits for it.
    Complete(Option<Outgoing>),
    /// Its source stopped early.
    Broken(Upload),
}

/// Chunks on a plain connection, where no server names a size.
const CHUNK_BYTES: usize = 64 * 1024;

impl Wire {
    /// Appends a frame.
    pub(super) fn put(&mut self, Request { header, body }: Request) {
        let before = self.output.len();
        // No body gets here that is too long for its length field; see `Client::submit`.
        self.output
            .header(header, u32::try_from(body.len()).unwrap_or(u32::MAX));
        self.output.bytes(body);
        self.queued_bytes += (self.output.len() - before) as u64;
    }

    pub(super) fn put_control(&mut self, control: FromClient, head: &Head) {
        self.put(control.into_request(head.sender, head.receiver));
    }

    /// The message has been sent when all that is in the output now has been written.
    pub(super) fn mark(&mut self, outgoing: Outgoing) {
        self.marks.push_back((self.queued_bytes, outgoing));
    }

    /// Notes that bytes have been written; returns the messages that are sent now.
    pub(super) fn wrote(&mut self, bytes: usize) -> Vec<Outgoing> {
        self.written_bytes += bytes as u64;
        let mut sent = Vec::new();
        while self
            .marks
            .front()
            .is_some_and(|(end, _)| *end <= self.written_bytes)
        {
            sent.extend(self.marks.pop_front().map(|(_, outgoing)| outgoing));
        }
        sent
    }

    /// Begins a large message. `welcome` is `None` on a plain connection.
    pub(super) fn begin(
        &mut self,
        mut outgoing: Outgoing,
        welcome: Option<&Welcome>,
    ) -> Option<Outgoing> {
        let head = outgoing.message.head;
        let len = outgoing.len();
        let mut upload = Upload {
            id: outgoing.id,
            rest: outgoing.message.body.clone(),
            source: outgoing.source.take().map(|(_, source)| source),
            left: len as usize,
            credit: welcome.map(|welcome| welcome.window_chunks),
            head,
            outgoing: None,
        };
        if welcome.is_some() {
            let start = FromClient::Start {
                id: outgoing.id,
                re: head.re,
                kind: head.kind,
                len,
            };
            self.put_control(start, &head);
            self.uploads.push_back(upload);
            return Some(outgoing);
        }
        let before = self.output.len();
        let Head {
            sender,
            receiver,
            kind,
            ..
        } = head;
        self.output.header(
            RequestHeader {
                sender,
                receiver,
                kind,
            },
            len,
        );
        self.queued_bytes += (self.output.len() - before) as u64;
        upload.outgoing = Some(outgoing);
        self.uploads.push_back(upload);
        None
    }

    /// Sends a chunk of the next large message that has bytes and credit; pending if none has.
    pub(super) fn poll_turn(
        &mut self,
        chunk_bytes: Option<u32>,
        cx: &mut Context<'_>,
    ) -> Poll<Turn> {
        for _ in 0..self.uploads.len() {
            let Some(mut upload) = self.uploads.pop_front() else {
                break;
            };
            let may_send = upload.credit != Some(0);
            if may_send && upload.rest.is_empty() && upload.left > 0 {
                match upload.source.as_mut().map(|source| source.poll_recv(cx)) {
                    Some(Poll::Ready(Some(bytes))) => upload.rest = bytes,
                    Some(Poll::Pending) => {}
                    Some(Poll::Ready(None)) | None => return Poll::Ready(Turn::Broken(upload)),
                }
            }
            if !may_send || (upload.rest.is_empty() && upload.left > 0) {
                self.uploads.push_back(upload);
                continue;
            }
            self.send_chunk(&mut upload, chunk_bytes);
            if upload.left == 0 {
                return Poll::Ready(Turn::Complete(upload.outgoing.take()));
            }
            self.uploads.push_back(upload);
            return Poll::Ready(Turn::Sent);
        }
        Poll::Pending
    }

    fn send_chunk(&mut self, upload: &mut Upload, chunk_bytes: Option<u32>) {
        let max = chunk_bytes.map_or(CHUNK_BYTES, |bytes| bytes as usize);
        let bytes = upload
            .rest
            .split_to(upload.rest.len().min(max).min(upload.left));
        upload.left -= bytes.len();
        match &mut upload.credit {
            Some(credit) => {
                *credit -= 1;
                self.put_control(
                    FromClient::Chunk {
                        id: upload.id,
                        bytes,
                    },
                    &upload.head,
                );
            }
            None => {
                self.queued_bytes += bytes.len() as u64;
                self.output.bytes(bytes);
            }
        }
    }

    /// The server takes more chunks of a large message.
    pub(super) fn add_credit(&mut self, id: u64, chunks: u32) {
        let upload = self.uploads.iter_mut().find(|upload| upload.id == id);
        if let Some(credit) = upload.and_then(|upload| upload.credit.as_mut()) {
            *credit = credit.saturating_add(chunks);
        }
    }

    /// The tag to acknowledge now, if there is anything new.
    pub(super) fn next_ack(&mut self) -> Option<u64> {
        let before = self.acked;
        self.acked = self.acked.max(self.handled);
        while self
            .answers
            .first()
            .is_some_and(|answer| *answer <= self.acked + 1)
        {
            let answer = self.answers.pop_first();
            self.acked = self.acked.max(answer.unwrap_or(0));
        }
        (self.acked > before).then_some(self.acked)
    }
}
