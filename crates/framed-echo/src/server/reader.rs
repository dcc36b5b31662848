//! The reading half of a connection: socket to handler.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc::{self, error::TrySendError},
    task::JoinSet,
};
use tokio_util::codec::Decoder;
use tracing::{debug, trace};

use super::{
    Handler, Upload, budget::Charge, connection::Connection, scratch, stats::Counters,
    upload::WINDOW_CHUNKS,
};
use crate::{
    Error, Frame, Head, Header, Item, Kind, Message, Request, RequestHeader, ServerCodec,
    control::{
        CONTROL_BYTES, Code, FromClient, FromServer, MAX_PING_BYTES, MessageId, Refusal, VERSION,
        Welcome,
    },
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

/// A large message that arrives in CHUNK frames.
struct Uploading {
    chunks: mpsc::Sender<Bytes>,
    left: usize,
}

/// The smallest buffer of a connection's own.
const OWN_BYTES: usize = 8 * 1024;

/// With less room left, a larger buffer is better than a short read.
const MIN_READ_BYTES: usize = 2 * 1024;

/// Fewer bytes than this are copied out of the thread's buffer if they are to stay.
const COPY_BYTES: usize = 16 * 1024;

/// Shorter bodies may be answered at once, which copies them.
const AT_ONCE_BYTES: usize = 8 * 1024;

/// Ids that the server gives out begin here.
const FIRST_FREE_ID: u32 = 0xf000_0000;

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
            self.keep_rest();
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

    /// Reads once. Between frames the bytes go into a buffer of the thread's.
    fn poll_read(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() == 0 {
            self.is_lent = self.connection.server.budget.has(scratch::SCRATCH_BYTES);
            if self.is_lent {
                self.buffer = scratch::take();
            } else {
                // There was memory when this connection began to wait for bytes.
                self.charge.note(OWN_BYTES);
                self.buffer.reserve(OWN_BYTES);
            }
        }
        let read = pin!(io.read_buf(&mut self.buffer)).poll(cx);
        if self.buffer.is_empty() && self.is_lent {
            self.give_back(BytesMut::new());
        }
        read
    }

    /// Puts `own` in the place of the buffer.
    fn give_back(&mut self, own: BytesMut) {
        let buffer = std::mem::replace(&mut self.buffer, own);
        if std::mem::take(&mut self.is_lent) {
            scratch::put(buffer);
        }
    }

    /// Gives the thread's buffer back, but for a frame that has begun. A long one keeps the buffer that it is in.
    fn keep_rest(&mut self) {
        if self.buffer.is_empty() {
            self.give_back(BytesMut::new());
        } else if self.is_lent && self.buffer.len() < COPY_BYTES {
            let mut own = BytesMut::with_capacity((2 * self.buffer.len()).max(OWN_BYTES));
            own.extend_from_slice(&self.buffer);
            self.give_back(own);
        }
    }

    /// Waits for room for replies, and for memory to read into.
    async fn make_room(&mut self) {
        let connection = self.connection;
        let (server, outbox) = (&connection.server, connection.peer.outbox());
        Counters::add(
            &server.counters.messages_in,
            std::mem::take(&mut self.messages),
        );
        // Between frames nothing is held, as long as the budget would allow for a whole buffer.
        let is_short = !server.budget.has(scratch::SCRATCH_BYTES);
        let (len, capacity) = (self.buffer.len(), self.buffer.capacity());
        let held = if len == 0 {
            if is_short { OWN_BYTES } else { 0 }
        } else if capacity - len < MIN_READ_BYTES {
            2 * capacity
        } else {
            capacity
        };
        if !outbox.has_room() || !self.charge.try_set(held) {
            let charge = &mut self.charge;
            let room = pin!(async { (outbox.room().await, charge.set(held).await) });
            connection.while_reader_waits(room).await;
        }
        if held > capacity {
            self.buffer.reserve(held - len);
        }
    }

    /// Runs something that may wait. Then the thread's buffer is not kept, but for the rest of what is in it.
    async fn wait<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return output; // the usual case, at no cost
        }
        self.keep_rest();
        self.charge.note(self.buffer.capacity());
        self.connection.while_reader_waits(work).await
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

    /// Starts the handler on a large message. `None` if it is refused.
    async fn upload(&mut self, head: Head, len: u32) -> Option<mpsc::Sender<Bytes>> {
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

    async fn control(&mut self, Request { header, body }: Request) {
        let control = match FromClient::decode(header.kind, body) {
            Some(Ok(control)) => control,
            Some(Err(malformed)) => {
                return self.refuse(None, Refusal::new(Code::Malformed, malformed.to_string()));
            }
            None => {
                let text = format!("control kind {} is unknown", header.kind);
                return self.refuse(None, Refusal::new(Code::UnknownKind, text));
            }
        };
        let connection = self.connection;
        let outbox = connection.peer.outbox();
        match control {
            FromClient::Hello { version } => self.hello(header.sender, version),
            _ if !self.is_session => self.refuse(
                None,
                Refusal::new(Code::Malformed, "a hello has to come first"),
            ),
            FromClient::Message { id, re, kind, body } => {
                let head = session_head(header, id, re, kind);
                let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
                match self.check(kind, len) {
                    Ok(()) => self.message(Message { head, body }).await,
                    Err(refusal) => self.refuse(id, refusal),
                }
            }
            FromClient::Ack { tag } => {
                let delivered = outbox.settle(tag);
                if !delivered.is_empty() {
                    let handler = &connection.server.handler;
                    let told = pin!(handler.delivered(&connection.peer, delivered));
                    self.wait(told).await;
                }
            }
            FromClient::Ping(body) if body.len() <= MAX_PING_BYTES => {
                outbox.push_control(FromServer::Pong(body).into_reply(0));
            }
            FromClient::Ping(_) => self.refuse(
                None,
                Refusal::new(Code::Malformed, "a ping of more than 125 bytes"),
            ),
            FromClient::Pong(_) => {}
            FromClient::Start { id, re, kind, len } => {
                let head = session_head(header, MessageId::new(id), re, kind);
                self.start(head, id, len).await;
            }
            FromClient::Chunk { id, bytes } => self.chunk(id, bytes),
            FromClient::Abort { id } => drop(self.uploads.remove(&id)),
        }
    }

    fn hello(&mut self, asked: u32, version: u8) {
        let peer = &self.connection.peer;
        let config = &self.connection.server.config;
        if peer.id().is_some() || version == 0 {
            let text = "a hello has to be the first frame and name a version from 1 on";
            return self.refuse(None, Refusal::new(Code::Malformed, text));
        }
        let own = FIRST_FREE_ID | u32::try_from(peer.connection() & 0x0fff_ffff).unwrap_or(0);
        let id = if asked == 0 { own } else { asked };
        let limits = [Kind::TEXT, Kind::PICTURE, Kind::VOICE, Kind::VIDEO];
        let welcome = Welcome {
            version: version.min(VERSION),
            id,
            heartbeat: config.heartbeat.unwrap_or(Duration::ZERO),
            chunk_bytes: config.chunk_bytes,
            window_chunks: WINDOW_CHUNKS,
            limits: limits.map(|kind| (kind, config.limits.of(kind))).into(),
        };
        self.is_session = true;
        peer.outbox().open_session(config.chunk_bytes);
        peer.outbox()
            .push_control(FromServer::Welcome(welcome).into_reply(0));
        Counters::add(&self.connection.server.counters.sessions, 1);
        self.bind(id); // behind the welcome, so that nothing comes before it
    }

    async fn start(&mut self, head: Head, id: u64, len: u32) {
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

    fn chunk(&mut self, id: u64, bytes: Bytes) {
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

    /// Whether a message of this kind may be this long.
    fn check(&self, kind: Kind, len: u32) -> Result<(), Refusal> {
        let max = self.connection.server.config.limits.of(kind);
        if kind.is_control() {
            return Err(Refusal::new(
                Code::Malformed,
                format!("kind {kind} inside a message"),
            ));
        }
        if len > max {
            Counters::add(&self.connection.server.counters.too_long, 1);
            return Err(too_long(len, max, kind));
        }
        Ok(())
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

fn session_head(
    header: RequestHeader,
    id: Option<MessageId>,
    re: Option<MessageId>,
    kind: Kind,
) -> Head {
    let RequestHeader {
        sender, receiver, ..
    } = header;
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
