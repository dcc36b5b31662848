//! The task behind a client: owns the connection, and gets another when it breaks.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    future::poll_fn,
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::codec::Decoder;
use tracing::{debug, info};

use super::{
    CHUNKS, Config, SendError, Sent, Unsent,
    connect::{BoxedIo, Connector},
    incoming::{Acks, Arrived, Event, LargeMessage, Receipt},
    link::Link,
    wire::{Download, Sink, Turn, Wire},
};
use crate::{
    ClientCodec, Head, Item, Message, Reply, Request,
    control::{Code, FromClient, FromServer, MessageId, Refusal, Welcome, kind},
};

/// What a handle asks of the driver.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) outgoing: Outgoing,
    /// Where the answer goes, if one is waited for.
    pub(super) answer: Option<oneshot::Sender<Message>>,
}

/// A message from the moment it is posted to the moment its outcome is known.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) id: u64,
    pub(super) message: Message,
    /// Where the body comes from if it is not in `message`, and its length.
    pub(super) source: Option<(u32, mpsc::Receiver<Bytes>)>,
    /// The body was taken from its source, and cannot be sent again.
    is_stream: bool,
    done: oneshot::Sender<Result<Sent, SendError>>,
    answer: Option<oneshot::Sender<Message>>,
}

impl Outgoing {
    pub(super) fn new(
        message: Message,
        source: Option<(u32, mpsc::Receiver<Bytes>)>,
        done: oneshot::Sender<Result<Sent, SendError>>,
    ) -> Self {
        Self {
            id: 0,
            message,
            is_stream: source.is_some(),
            source,
            done,
            answer: None,
        }
    }

    /// Bytes of the whole body.
    pub(super) fn len(&self) -> u32 {
        match &self.source {
            Some((len, _)) => *len,
            None => u32::try_from(self.message.body.len()).unwrap_or(u32::MAX),
        }
    }

    fn finish(self, outcome: Result<Sent, SendError>) {
        let _ = self.done.send(outcome); // nobody may be waiting
    }

    fn give_back(self, may_have_arrived: bool) {
        let lost = match self.is_stream {
            true => SendError::Incomplete,
            false => SendError::Lost {
                message: Box::new(self.message),
                may_have_arrived,
            },
        };
        let _ = self.done.send(Err(lost));
    }
}

pub(super) struct Driver {
    config: Config,
    connector: Connector,
    commands: mpsc::Receiver<Command>,
    /// No handle is left, and no command will come.
    is_finishing: bool,
    deliveries: Deliveries,
    acks: Arc<Acks>,
    id: u32,
    last_message: u64,
    link: u64,
    /// Not written yet, oldest first.
    unsent: VecDeque<Outgoing>,
    /// Written after a hello and not acknowledged, by id.
    pending: BTreeMap<u64, Outgoing>,
    /// Requests whose answer is outstanding, by id; after a hello only.
    requests: HashMap<u64, oneshot::Sender<Message>>,
}

/// What has been received and not been taken by the application. While anything is here, nothing more is read.
struct Deliveries {
    events: mpsc::Sender<Arrived>,
    waiting: VecDeque<Waiting>,
}

enum Waiting {
    Event(Arrived),
    Chunk(mpsc::Sender<Bytes>, Bytes),
}

/// How a connection ended.
enum End {
    /// As it was meant to.
    Closed,
    Broken(io::Error),
}

/// Enough in the output to be worth a system call.
const OUTPUT_BYTES: usize = 64 * 1024;

const READ_BYTES: usize = 16 * 1024;

impl Driver {
    pub(super) fn new(
        config: Config,
        connector: Connector,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Arrived>,
        acks: Arc<Acks>,
        id: u32,
    ) -> Self {
        Self {
            config,
            connector,
            commands,
            is_finishing: false,
            deliveries: Deliveries {
                events,
                waiting: VecDeque::new(),
            },
            acks,
            id,
            last_message: 0,
            link: 0,
            unsent: VecDeque::new(),
            pending: BTreeMap::new(),
            requests: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self, mut link: Link) {
        loop {
            self.link += 1;
            let end = self.drive(link).await;
            match end {
                End::Closed => break,
                End::Broken(error) => debug!(%error, "connection lost"),
            }
            self.deliveries.disconnected();
            let Some(next) = self.reconnect().await else {
                break;
            };
            link = next;
            info!("reconnected");
            self.deliveries.reconnected();
        }
        self.commands.close();
        for outgoing in self.unsent.drain(..) {
            outgoing.give_back(false);
        }
        while let Some(command) = self.commands.recv().await {
            command.outgoing.give_back(false);
        }
        self.requests.clear();
        while !self.deliveries.waiting.is_empty() {
            self.deliveries.pass_on().await;
        }
    }

    async fn reconnect(&mut self) -> Option<Link> {
        let backoff = self.config.backoff.clone()?;
        let mut config = self.config.clone();
        config.id = self.id; // also if the server chose it
        for attempt in 0.. {
            let wait = backoff.wait(attempt)?;
            self.wait(tokio::time::sleep(wait)).await;
            if self.is_finishing && self.unsent.is_empty() {
                return None;
            }
            let link = self.connector.link(&config);
            match self.wait(link).await {
                Ok(link) => return Some(link),
                Err(error) => debug!(%error, attempt, "cannot reconnect"),
            }
        }
        None
    }

    /// Waits while there is no connection: what has been received is passed on, and what is to be sent is given back if
    /// that is how it was set up.
    async fn wait<T>(&mut self, until: impl Future<Output = T>) -> T {
        let gives_back = self.config.unsent == Unsent::GiveBack;
        let mut until = pin!(until);
        loop {
            tokio::select! {
                output = &mut until => return output,
                () = self.deliveries.pass_on(), if !self.deliveries.waiting.is_empty() => {}
                command = self.commands.recv(), if gives_back && !self.is_finishing => match command {
                    Some(command) => command.outgoing.give_back(false),
                    None => self.is_finishing = true,
                },
            }
        }
    }

    /// Serves one connection to its end, and sorts out what it leaves.
    async fn drive(&mut self, link: Link) -> End {
        let patience = link.patience();
        let Link {
            io,
            codec,
            buffer,
            welcome,
            ..
        } = link;
        let (read, write) = tokio::io::split(io);
        let mut wire = Wire::default();
        let mut connection = Connection {
            driver: self,
            wire: &mut wire,
            welcome: welcome.as_ref(),
            codec,
            buffer,
            is_leaving: false,
        };
        let end = match connection.run(read, write, patience).await {
            Ok(()) => End::Closed,
            Err(error) => End::Broken(error),
        };
        self.sort_out(wire);
        match end {
            End::Closed if !self.is_finishing || !self.unsent.is_empty() => {
                End::Broken(io::ErrorKind::UnexpectedEof.into())
            }
            end => end,
        }
    }

    /// Decides what becomes of messages whose outcome the connection has taken with it.
    fn sort_out(&mut self, wire: Wire) {
        let marked = wire.marks.into_iter().map(|(_, outgoing)| outgoing);
        let streaming = wire
            .uploads
            .into_iter()
            .filter_map(|upload| upload.outgoing);
        let pending = std::mem::take(&mut self.pending).into_values();
        let under_way: Vec<_> = pending.chain(marked).chain(streaming).collect();
        for outgoing in under_way.into_iter().rev() {
            if self.config.unsent == Unsent::GiveBack || outgoing.is_stream {
                outgoing.give_back(true);
            } else {
                self.unsent.push_front(outgoing);
            }
        }
        if self.config.unsent == Unsent::GiveBack {
            for outgoing in self.unsent.drain(..) {
                outgoing.give_back(false);
            }
        }
        // Whoever waits for an answer to a message that is sent again goes on waiting.
        let again: std::collections::HashSet<u64> =
            self.unsent.iter().map(|outgoing| outgoing.id).collect();
        self.requests.retain(|id, _| again.contains(id));
    }
}

/// One connection at work.
struct Connection<'a> {
    driver: &'a mut Driver,
    wire: &'a mut Wire,
    /// `None` on a plain connection.
    welcome: Option<&'a Welcome>,
    codec: ClientCodec,
    buffer: BytesMut,
    /// The server has said goodbye.
    is_leaving: bool,
}

impl Connection<'_> {
    /// Until the server closes the connection (`Ok`) or it breaks.
    async fn run(
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

    fn decode(&mut self) -> io::Result<()> {
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

/// What the writing branch of a connection has done.
enum Progress {
    Turn(Box<Turn>),
    Wrote(usize),
}

impl Driver {
    fn accept(
        &mut self,
        Command {
            mut outgoing,
            answer,
        }: Command,
    ) {
        self.last_message += 1;
        outgoing.id = self.last_message;
        if !self.config.plain {
            outgoing.message.head.id = MessageId::new(outgoing.id);
        }
        outgoing.answer = answer;
        self.unsent.push_back(outgoing);
    }
}

impl Deliveries {
    fn event(&mut self, event: Event, receipt: Option<Receipt>) {
        self.waiting
            .push_back(Waiting::Event(Arrived { event, receipt }));
    }

    fn disconnected(&mut self) {
        // An application that does not look is told once, however often it happens.
        let last = self.waiting.back();
        if matches!(
            last,
            Some(Waiting::Event(Arrived {
                event: Event::Reconnected,
                ..
            }))
        ) {
            self.waiting.pop_back();
        } else {
            self.event(Event::Disconnected, None);
        }
    }

    fn reconnected(&mut self) {
        self.event(Event::Reconnected, None);
    }

    /// Passes one thing on, as soon as the application takes it. Cancel safe.
    async fn pass_on(&mut self) {
        match self.waiting.front() {
            Some(Waiting::Event(_)) => {
                let permit = self.events.reserve().await;
                if let Some(Waiting::Event(arrived)) = self.waiting.pop_front() {
                    if let Ok(permit) = permit {
                        permit.send(arrived);
                    }
                }
            }
            Some(Waiting::Chunk(chunks, _)) => {
                let permit = chunks.clone().reserve_owned().await;
                if let Some(Waiting::Chunk(_, bytes)) = self.waiting.pop_front() {
                    if let Ok(permit) = permit {
                        permit.send(bytes);
                    }
                }
            }
            None => {}
        }
    }
}
