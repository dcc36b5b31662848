//! The client: sends messages, receives a stream of them, and reconnects.
//!
//! ```
//! use framed_echo::{Kind, Message, client::{Client, Event}, server::Server};
//! use futures::StreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder().bind("127.0.0.1:0").start().await?;
//! let (client, mut incoming) = Client::builder(server.local_addr().to_string()).id(10_000_000).connect().await?;
//! client.send(Message::text(10_000_000, 10_000_001, "你好")).await?;
//! let Some(Event::Message(echo)) = incoming.next().await else { panic!("the server answers") };
//! assert_eq!(echo.body, "你好");
//! # Ok(())
//! # }
//! ```

mod backoff;
mod connect;
mod connection;
mod deliveries;
mod driver;
mod eyeballs;
mod incoming;
mod link;
mod outgoing;
mod wire;

use std::{fmt, future::Future, io, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
};

pub use self::{
    backoff::Backoff,
    incoming::{Event, Incoming, LargeMessage},
};
use self::{
    connect::{Connector, Target},
    driver::Driver,
    incoming::Acks,
    outgoing::{Command, Outgoing},
};
use crate::{
    Kind, Limits, Message,
    control::{Outcome, Refusal},
};

/// A connection to a server that mends itself. A cheap handle: clones send over the same connection.
///
/// When the last clone is dropped, what has been sent is written and acknowledged, this side of the connection is
/// closed, and [`Incoming`] ends when the server has closed the other.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    id: u32,
}

/// What became of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sent {
    /// Written to the connection. All that a plain client can know.
    Written,
    /// The server has done with it what it does; a relay: the receiver has it.
    Delivered,
    /// The receiver is away; the relay's inbox has it.
    Kept,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The server refused it.
    #[error("refused")]
    Refused(#[source] Refusal),
    /// The connection broke, and unsent messages are to be given back. `may_have_arrived` says whether any of it had
    /// been written.
    #[error("connection lost")]
    Lost {
        /// The message.
        message: Box<Message>,
        /// Whether the server may have got it nevertheless.
        may_have_arrived: bool,
    },
    /// The connection broke while a large message was being streamed.
    #[error("connection lost inside a large message")]
    Incomplete,
    /// The body is longer than a frame can say.
    #[error("body of {len} bytes does not fit into a frame")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The client has been closed, or has given up reconnecting.
    #[error("client is closed")]
    Closed,
}

/// Why there is no answer to a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request was not sent.
    #[error("request not sent")]
    Send(#[from] SendError),
    /// No answer came in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke before an answer came.
    #[error("connection lost before the answer")]
    Lost,
}

/// What happens to messages that are not sent, or not acknowledged, when the connection breaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unsent {
    /// They are sent again over the next connection, in their order. The receiver may get one twice: with the same id.
    #[default]
    Keep,
    /// Their `send` fails and gives them back.
    GiveBack,
}

/// Sets up a [`Client`].
#[derive(Debug)]
pub struct Builder {
    target: Target,
    config: Config,
}

#[derive(Clone, Debug)]
struct Config {
    id: u32,
    plain: bool,
    limits: Limits,
    unsent: Unsent,
    backoff: Option<Backoff>,
    connect_timeout: Duration,
    window: usize,
}

/// Commands that wait for the driver; a sender waits when there are more.
const COMMANDS: usize = 256;

/// Events that wait for the application; then nothing more is read.
const EVENTS: usize = 256;

/// Chunks of one large message between its source and the driver, or the driver and the application.
const CHUNKS: usize = 4;

impl Client {
    /// A client of the server at `address`, such as `localhost:8888`.
    #[must_use]
    pub fn builder(address: impl Into<String>) -> Builder {
        Builder {
            target: Target::Tcp(address.into()),
            config: Config {
                id: 0,
                plain: false,
                limits: Limits::default(),
                unsent: Unsent::default(),
                backoff: Some(Backoff::default()),
                connect_timeout: Duration::from_secs(10),
                window: 1024,
            },
        }
    }

    /// The id of this client: the one it asked for, or the one the server gave it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Sends a message, and waits until it is known what became of it. The message's id is set here.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    ///
    /// # Cancel safety
    ///
    /// A cancelled `send` may or may not have sent the message.
    pub async fn send(&self, message: Message) -> Result<Sent, SendError> {
        self.post(message).await?.outcome().await
    }

    /// Queues a message behind those queued before; what becomes of it is in the [`Posted`].
    ///
    /// To keep many messages under way, post them all and wait afterwards. Waits while 256 messages are queued.
    ///
    /// # Errors
    ///
    /// If the client is closed or the body is too long for a frame.
    pub async fn post(&self, message: Message) -> Result<Posted, SendError> {
        self.submit(message, None, None).await
    }

    /// Sends a message and waits for the one that answers it.
    ///
    /// To a server that was told hello, the answer is the message whose `re` is the id of this one. To a plain server,
    /// which has no ids, it is the next message that belongs to no earlier request: right for an echo, and for nothing
    /// that sends on its own account.
    ///
    /// # Errors
    ///
    /// See [`RequestError`]. After a timeout the answer, if it comes, is an ordinary incoming message.
    pub async fn request(
        &self,
        message: Message,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        let (answer, answered) = oneshot::channel();
        let exchange = async {
            let posted = self.submit(message, Some(answer), None).await?;
            tokio::pin!(answered);
            tokio::select! {
                biased;
                answer = &mut answered => return answer.map_err(|_| RequestError::Lost),
                outcome = posted.outcome() => outcome?,
            };
            answered.await.map_err(|_| RequestError::Lost)
        };
        let answered = tokio::time::timeout(timeout, exchange).await;
        answered.map_err(|_| RequestError::Timeout(timeout))?
    }

    /// Begins a large message of exactly `len` bytes whose body is not in memory as a whole.
    ///
    /// After a hello it travels in chunks, with other messages in between; to a plain server it is one frame. A message
    /// given to [`send`](Self::send) takes the same way if it is long.
    ///
    /// # Errors
    ///
    /// If the client is closed.
    pub async fn open(&self, receiver: u32, kind: Kind, len: u32) -> Result<Sending, SendError> {
        let (chunks, source) = mpsc::channel(CHUNKS);
        let message = Message::new(self.id, receiver, kind, Bytes::new());
        let posted = self.submit(message, None, Some((len, source))).await?;
        Ok(Sending {
            chunks,
            left: len as usize,
            posted,
        })
    }

    async fn submit(
        &self,
        message: Message,
        answer: Option<oneshot::Sender<Message>>,
        source: Option<(u32, mpsc::Receiver<Bytes>)>,
    ) -> Result<Posted, SendError> {
        let len = message.body.len();
        if u32::try_from(len + crate::control::MESSAGE_PREFIX).is_err() {
            return Err(SendError::TooLong { len });
        }
        let (done, outcome) = oneshot::channel();
        let outgoing = Outgoing::new(message, source, done);
        let command = Command { outgoing, answer };
        self.commands
            .send(command)
            .await
            .map_err(|_| SendError::Closed)?;
        Ok(Posted { outcome })
    }
}

/// A message under way.
#[derive(Debug)]
pub struct Posted {
    outcome: oneshot::Receiver<Result<Sent, SendError>>,
}

impl Posted {
    /// Waits until it is known what became of the message.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub async fn outcome(self) -> Result<Sent, SendError> {
        self.outcome.await.unwrap_or(Err(SendError::Closed))
    }
}

/// A large message under way. Dropped before [`finish`](Self::finish), it is broken off.
#[derive(Debug)]
pub struct Sending {
    chunks: mpsc::Sender<Bytes>,
    left: usize,
    posted: Posted,
}

impl Sending {
    /// Hands over the next bytes; waits for the connection to take them. Bytes beyond the announced length are left
    /// out. `false`: nobody takes them any more, and [`finish`](Self::finish) says why.
    pub async fn write(&mut self, mut bytes: Bytes) -> bool {
        bytes.truncate(self.left);
        self.left -= bytes.len();
        bytes.is_empty() || self.chunks.send(bytes).await.is_ok()
    }

    /// Waits until it is known what became of the message.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; [`SendError::Incomplete`] too if fewer bytes were written than announced.
    pub async fn finish(self) -> Result<Sent, SendError> {
        drop(self.chunks);
        self.posted.outcome().await
    }
}

impl Builder {
    /// The id to send from. Default: 0, which asks the server for a free one; a plain client has to name one.
    #[must_use]
    pub fn id(mut self, id: u32) -> Self {
        self.config.id = id;
        self
    }

    /// Speaks the plain protocol, without a hello: no acknowledgements, no heartbeats.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.config.plain = true;
        self
    }

    /// The longest body accepted of each kind.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// What happens to messages when the connection breaks. Default: [`Unsent::Keep`].
    #[must_use]
    pub fn unsent(mut self, unsent: Unsent) -> Self {
        self.config.unsent = unsent;
        self
    }

    /// How to reconnect, or `None` to end with the first connection. Default: [`Backoff::default`].
    #[must_use]
    pub fn reconnect(mut self, backoff: Option<Backoff>) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// How long one attempt to connect may take, hello included. Default: 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How many messages may be under way without an acknowledgement. At least 1. Default: 1,024.
    #[must_use]
    pub fn window(mut self, messages: usize) -> Self {
        self.config.window = messages.max(1);
        self
    }

    /// Speaks TLS, to a server whose certificate is for `name`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(
        mut self,
        name: tokio_rustls::rustls::pki_types::ServerName<'static>,
        config: Arc<tokio_rustls::rustls::ClientConfig>,
    ) -> Self {
        if let Target::Tcp(address) = self.target {
            self.target = Target::Tls(address, name, config.into());
        }
        self
    }

    /// Connects to a Unix socket instead.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.target = Target::Unix(path.into());
        self
    }

    /// Connects, and says hello unless it is to be [`plain`](Self::plain). All addresses of a name are tried, a new
    /// one every 250 ms, IPv6 and IPv4 in turn; the first that answers is used ([RFC 8305]).
    ///
    /// # Errors
    ///
    /// If this first attempt fails; there is no second one yet.
    ///
    /// [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305
    pub async fn connect(self) -> io::Result<(Client, Incoming)> {
        let target = Arc::new(self.target);
        let connector = Connector::new(move || {
            let target = Arc::clone(&target);
            async move { target.connect().await }
        });
        start(connector, self.config).await
    }

    /// Connects over whatever `connect` yields; it is called again to reconnect.
    ///
    /// # Errors
    ///
    /// If this first attempt fails.
    pub async fn connect_with<F, IO>(
        self,
        mut connect: impl FnMut() -> F + Send + 'static,
    ) -> io::Result<(Client, Incoming)>
    where
        F: Future<Output = io::Result<IO>> + Send + 'static,
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let connector = Connector::new(move || {
            let io = connect();
            async move { io.await.map(connect::boxed) }
        });
        start(connector, self.config).await
    }
}

async fn start(mut connector: Connector, config: Config) -> io::Result<(Client, Incoming)> {
    let link = connector.link(&config).await?;
    let id = link.id();
    let (commands, received) = mpsc::channel(COMMANDS);
    let (events, arrived) = mpsc::channel(EVENTS);
    let acks = Arc::new(Acks::default());
    let driver = Driver::new(config, connector, received, events, Arc::clone(&acks), id);
    tokio::spawn(driver.run(link));
    Ok((Client { commands, id }, Incoming::new(arrived, acks)))
}

impl From<Outcome> for Sent {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Delivered => Self::Delivered,
            Outcome::Kept => Self::Kept,
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Written => "written",
            Self::Delivered => "delivered",
            Self::Kept => "kept",
        })
    }
}
