//! The reading half of a connection: socket to handler.

mod buffer;
mod large;
mod session;

use std::{collections::HashMap, future::poll_fn, pin::pin, task::Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{io::AsyncRead, sync::mpsc, task::JoinSet};
use tokio_util::codec::Decoder;
use tracing::{debug, trace};

use self::large::Uploading;
use super::{Handler, budget::Charge, connection::Connection, stats::Counters};
use crate::{
    Error, Frame, Head, Header, Item, Kind, Message, Request, RequestHeader, ServerCodec,
    control::{CONTROL_BYTES, Code, FromServer, MessageId, Refusal},
};

pub(super) struct Reader<'a, H> {
    connection: &'a Connection<H>,
    codec: ServerCodec,
    buffer: BytesMut,
    /// Whether `buffer` is one of the thread's. Otherwise it is this connection's own, or there is none.
    is_lent: bool,
    /// What `buffer` holds while this connection waits.
    charge: Charge,
    /// Messages that have not been counted yet: they are added up, so that few touch the shared counter.
    messages: u64,
    /// Whether the peer said hello.
    is_session: bool,
    /// The large frame of a plain client that is being received, unless it is skipped.
    frame: Option<mpsc::Sender<Bytes>>,
    /// The large messages of a client that said hello, by id.
    uploads: HashMap<u64, Uploading>,
    /// The handler's side of all large messages.
    tasks: JoinSet<()>,
}

/// Fewer bytes than this are copied out of the thread's buffer if they are to stay.
const COPY_BYTES: usize = 16 * 1024;

/// Shorter bodies may be answered at once, which copies them.
const AT_ONCE_BYTES: usize = 8 * 1024;

impl<'a, H: Handler> Reader<'a, H> {
    pub(super) fn new(connection: &'a Connection<H>) -> Self {
        let config = &connection.server.config;
        let frame_bytes = config.chunk_bytes + CONTROL_BYTES;
        let limits = config.limits.with_control(frame_bytes);
        Self {
            connection,
            codec: ServerCodec::new().limits(limits).chunked(frame_bytes),
            buffer: BytesMut::new(),
            is_lent: false,
            charge: Charge::new(&connection.server.budget),
            messages: 0,
            is_session: false,
            frame: None,
            uploads: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Reads to the end of the stream, or to the end of a frame when the server drains.
    pub(super) async fn run(mut self, mut io: impl AsyncRead + Unpin) -> Result<(), Error> {
        let connection = self.connection;
        let mut is_draining = false;
        loop {
            while let Some(item) = self.next()? {
                match item {
                    Item::Frame(Request { header, body }) if !header.kind.is_control() => {
                        let head = plain_head(header);
                        self.message(Message { head, body }).await;
                    }
                    item => self.item(item).await,
                }
            }
            let inside_frame = !self.buffer.is_empty() || !self.codec.is_between_frames();
            if is_draining && !inside_frame && !self.is_session {
                break;
            }
            self.make_room().await;
            connection.activity.reading(inside_frame);
            let read = poll_fn(|cx| match self.poll_read(&mut io, cx) {
                Poll::Pending if connection.is_draining() && !is_draining => Poll::Ready(None),
                read => read.map(Some),
            })
            .await;
            let Some(read) = read.transpose()? else {
                is_draining = true;
                if self.is_session {
                    connection
                        .peer
                        .outbox()
                        .push_control(FromServer::Goodbye.into_reply(0));
                }
                continue;
            };
            connection.activity.read();
            Counters::add(&connection.server.counters.bytes_in, read as u64);
            if read == 0 {
                self.end_of_stream()?;
                break;
            }
        }
        // Messages that have arrived whole are worth finishing.
        while self.tasks.join_next().await.is_some() {}
        Ok(())
    }

    /// The next thing in the buffer that takes a future to deal with.
    fn next(&mut self) -> Result<Option<Item<RequestHeader>>, Error> {
        if H::ANSWERS_AT_ONCE && !self.is_session {
            self.answer_at_once();
        }
        if let Some((header, body)) = self.codec.whole(&self.buffer) {
            if body.len() < COPY_BYTES {
                let body = Bytes::copy_from_slice(body);
                self.buffer.advance(RequestHeader::LEN + body.len());
                return Ok(Some(Item::Frame(Frame { header, body })));
            }
        }
        let item = self.codec.decode(&mut self.buffer)?;
        Ok(item.map(|item| match item {
            Item::Chunk { bytes, left } => Item::Chunk {
                bytes: without_the_rest(bytes),
                left,
            },
            Item::Frame(Frame { header, body }) => Item::Frame(Frame {
                header,
                body: without_the_rest(body),
            }),
            item => item,
        }))
    }

    /// Lets the handler answer the messages at the start of the buffer where they lie.
    fn answer_at_once(&mut self) {
        let Connection { server, peer, .. } = self.connection;
        // The first message makes the peer known, and takes the usual way.
        if self.codec.whole(&self.buffer).is_none() || peer.id().is_none() {
            return;
        }
        let Some(mut answers) = peer.outbox().begin_answers(self.buffer.len()) else {
            return;
        };
        let (mut rest, mut count) = (&self.buffer[..], 0);
        while let Some((header, body)) = self.codec.whole(rest).filter(|_| answers.has_room()) {
            let is_asked = !header.kind.is_control() && body.len() < AT_ONCE_BYTES;
            if !is_asked
                || !server
                    .handler
                    .at_once(peer, &plain_head(header), body, &mut answers)
            {
                break;
            }
            trace!(kind = header.kind.0, len = body.len(), "message");
            rest = &rest[RequestHeader::LEN + body.len()..];
            count += 1;
        }
        self.messages += count;
        let answered = self.buffer.len() - rest.len();
        self.buffer.advance(answered);
        peer.outbox().end_answers(answers);
    }

    fn end_of_stream(&mut self) -> Result<(), Error> {
        self.uploads.clear();
        match self.codec.decode_eof(&mut self.buffer) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.frame = None;
                Err(error)
            }
        }
    }

    /// Everything but whole messages of plain clients.
    async fn item(&mut self, item: Item<RequestHeader>) {
        match item {
            Item::Frame(request) => self.control(request).await,
            Item::TooLong { header, len, max } => {
                Counters::add(&self.connection.server.counters.too_long, 1);
                self.refuse(None, too_long(len, max, header.kind));
            }
            Item::Start { header, len } => self.frame = self.upload(plain_head(header), len).await,
            Item::Chunk { bytes, left } => {
                if let Some(frame) = self.frame.take() {
                    // Once the handler has had enough, the rest is skipped.
                    let sent = self.wait(pin!(frame.send(bytes))).await;
                    self.frame = Some(frame).filter(|_| sent.is_ok() && left > 0);
                }
                if left == 0 {
                    // Plain messages are handled strictly one after the other.
                    let mut tasks = std::mem::take(&mut self.tasks);
                    let done = pin!(async { while tasks.join_next().await.is_some() {} });
                    self.wait(done).await;
                }
            }
        }
    }

    async fn message(&mut self, message: Message) {
        let connection = self.connection;
        let id = message.head.id;
        if !self.is_sender_bound(&message.head) {
            return;
        }
        self.messages += 1;
        trace!(
            kind = message.head.kind.0,
            len = message.body.len(),
            "message"
        );
        let handling = pin!(connection.server.handler.message(&connection.peer, message));
        let handled = self.wait(handling).await;
        connection.server.answer(&connection.peer, id, handled);
    }

    /// Binds the sender's id to the connection, or checks that it is the one bound.
    ///
    /// A plain client may change its id, as the protocol never forbade it; a handler that minds can compare.
    fn is_sender_bound(&mut self, head: &Head) -> bool {
        let peer = &self.connection.peer;
        if peer.id().is_none() {
            self.bind(head.sender);
        } else if self.is_session && peer.id() != Some(head.sender) {
            let text = format!("sender {} is not the id of this connection", head.sender);
            self.refuse(head.id, Refusal::new(Code::NotYourId, text));
            return false;
        }
        true
    }

    fn bind(&self, id: u32) {
        if self.connection.peer.bind(id) {
            debug!(id, session = self.is_session, "joined");
            self.connection.server.handler.joined(&self.connection.peer);
        }
    }

    fn refuse(&self, id: Option<MessageId>, refusal: Refusal) {
        self.connection
            .server
            .refuse(&self.connection.peer, id, refusal);
    }
}

/// The same bytes; a few are copied, so that they do not keep the buffer alive that they lie in.
fn without_the_rest(bytes: Bytes) -> Bytes {
    if bytes.len() < COPY_BYTES {
        Bytes::copy_from_slice(&bytes)
    } else {
        bytes
    }
}

fn plain_head(
    RequestHeader {
        sender,
        receiver,
        kind,
    }: RequestHeader,
) -> Head {
    let (id, re) = (None, None);
    Head {
        sender,
        receiver,
        id,
        re,
        kind,
    }
}

fn too_long(len: u32, max: u32, kind: Kind) -> Refusal {
    let text = format!("body of {len} bytes exceeds the limit of {max} bytes for kind {kind}");
    Refusal::new(Code::TooLong, text)
}
