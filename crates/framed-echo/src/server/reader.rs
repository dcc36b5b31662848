//! The reading half of a connection: socket to handler.

use std::{collections::HashMap, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc::{self, error::TrySendError},
    task::JoinSet,
};
use tokio_util::codec::Decoder;
use tracing::{debug, trace};

use super::{
    Handler, Upload, budget::Charge, connection::Connection, stats::Counters, upload::WINDOW_CHUNKS,
};
use crate::{
    Error, Head, Item, Kind, Message, Request, RequestHeader, ServerCodec,
    control::{
        CONTROL_BYTES, Code, FromClient, FromServer, MAX_PING_BYTES, MessageId, Refusal, VERSION,
        Welcome,
    },
};

pub(super) struct Reader<'a, H> {
    connection: &'a Connection<H>,
    codec: ServerCodec,
    buffer: BytesMut,
    charge: Charge,
    /// Bytes to ask for in the next read; between [`READ_BYTES`] and [`MAX_READ_BYTES`].
    read_bytes: usize,
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

/// Bytes asked for in one read, at first.
const READ_BYTES: usize = 8 * 1024;

/// And at most: a whole message of the default `chunk_bytes` comes in one read.
const MAX_READ_BYTES: usize = 72 * 1024;

/// With less left, a new buffer is better than a short read.
const MIN_READ_BYTES: usize = 2 * 1024;

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
            charge: Charge::new(&connection.server.budget),
            read_bytes: READ_BYTES,
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
            while let Some(item) = self.codec.decode(&mut self.buffer)? {
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
            let read = {
                let mut read = pin!(io.read_buf(&mut self.buffer));
                poll_fn(|cx| match read.as_mut().poll(cx) {
                    Poll::Pending if connection.is_draining() && !is_draining => Poll::Ready(None),
                    read => read.map(Some),
                })
                .await
            };
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
            self.adapt(read);
        }
        // Messages that have arrived whole are worth finishing.
        while self.tasks.join_next().await.is_some() {}
        Ok(())
    }

    /// Waits for room for replies, and for memory, and gets a buffer to read into.
    async fn make_room(&mut self) {
        let connection = self.connection;
        Counters::add(
            &connection.server.counters.messages_in,
            std::mem::take(&mut self.messages),
        );
        let outbox = connection.peer.outbox();
        let held = self.buffer.len() + self.read_bytes;
        if !outbox.has_room() || !self.charge.try_set(held) {
            let charge = &mut self.charge;
            let room = pin!(async { (outbox.room().await, charge.set(held).await) });
            connection.while_reader_waits(room).await;
        }
        if self.buffer.capacity() - self.buffer.len() < MIN_READ_BYTES {
            self.buffer.reserve(self.read_bytes);
        }
    }

    /// Reads more at a time from a peer that fills what it is given, and less from one that does not.
    fn adapt(&mut self, read: usize) {
        if self.buffer.len() == self.buffer.capacity() {
            self.read_bytes = (4 * self.read_bytes).min(MAX_READ_BYTES);
        } else if read < self.read_bytes / 16 {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES);
        }
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
                // Once the handler has had enough, the rest is skipped.
                if let Some(Err(_)) = self.send_chunk(bytes).await {
                    self.frame = None;
                }
                if left == 0 {
                    self.frame = None;
                    // Plain messages are handled strictly one after the other.
                    while self.tasks.join_next().await.is_some() {}
                }
            }
        }
    }

    async fn send_chunk(&self, bytes: Bytes) -> Option<Result<(), mpsc::error::SendError<Bytes>>> {
        match &self.frame {
            Some(frame) => Some(frame.send(bytes).await),
            None => None,
        }
    }

    async fn message(&mut self, message: Message) {
        let connection = self.connection;
        let id = message.head.id;
        if !self.is_sender_bound(&message.head) {
            return;
        }
        Counters::add(&connection.server.counters.messages_in, 1);
        trace!(
            kind = message.head.kind.0,
            len = message.body.len(),
            "message"
        );
        let handling = pin!(connection.server.handler.message(&connection.peer, message));
        let handled = connection.while_reader_waits(handling).await;
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
            charge.set(window).await;
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
                    connection
                        .server
                        .handler
                        .delivered(&connection.peer, delivered)
                        .await;
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
