//! What can be set on a server, and what it is if nobody sets it.

use std::time::Duration;

use crate::Limits;

/// What happens to a message for a connection whose queue is full. Each case has its counter in
/// [`Stats`](super::Stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlowReader {
    /// Its sender waits, and is not read from meanwhile. The write timeout ends the wait. Counted in
    /// [`waited`](super::Stats::waited).
    #[default]
    Wait,
    /// The oldest messages in the queue make room; their senders get an error. Counted in
    /// [`dropped`](super::Stats::dropped).
    DropOldest,
    /// It goes to the inbox, and is delivered from there when the queue has emptied. Counted in
    /// [`spilled`](super::Stats::spilled).
    Inbox,
    /// The connection is closed, and what it has not received goes to the inbox. Counted in
    /// [`cut`](super::Stats::cut).
    Cut,
}

/// The bounds of one connection's outgoing queue, and what happens at them.
///
/// They bound what waits to be written; for a client that said hello they also bound, a second time, what has been
/// written and not been acknowledged. Large bodies are not queued: each waits with at most 256 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages. Default: 1,024.
    pub messages: usize,
    /// Bytes of bodies. Default: 1 MiB. A longer message still fits into an empty queue.
    pub bytes: usize,
    /// What happens when it is full. Default: [`SlowReader::Wait`].
    pub slow_reader: SlowReader,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            messages: 1024,
            bytes: 1024 * 1024,
            slow_reader: SlowReader::default(),
        }
    }
}

/// The settings of a server. Every field has a documented default; change those you care about.
///
/// ```
/// use framed_echo::server::Config;
/// use std::time::Duration;
///
/// let mut config = Config::default();
/// config.idle_timeout = Some(Duration::from_secs(600));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The longest body of each kind.
    pub limits: Limits,
    /// Bodies longer than this pass through in chunks of this size, so that neither memory nor other messages depend
    /// on how long they are. Bytes, 1 to 2^24. Default: 64 KiB.
    pub chunk_bytes: u32,
    /// Bytes that all connections together may hold: half-received frames, queues, messages that have not been
    /// acknowledged. Default: 256 MiB; at least four times `chunk_bytes`, so that a message always fits.
    ///
    /// Without room, a connection is not read from until others have given memory back. One message for each
    /// connection that has nothing else to write is allowed on top, and one read of 8 KiB for each that was waiting for
    /// bytes when the room ran out.
    pub memory_bytes: usize,
    /// Connections at a time; one more gets an error frame and is closed. Default: 10,000.
    pub max_connections: usize,
    /// The outgoing queue of each connection.
    pub queue: QueueLimits,
    /// Large bodies that one client that said hello may send at a time. Default: 16.
    pub max_uploads: usize,
    /// Closes a connection from which nothing has come for this long. Default: `None`, never.
    ///
    /// Clients that said hello answer pings, so this concerns the silent and the plain.
    pub idle_timeout: Option<Duration>,
    /// Closes a connection that stops inside a frame for this long. Default: 30 s.
    pub read_timeout: Option<Duration>,
    /// Closes a connection that takes no byte for this long while there is something to write. Default: 60 s.
    pub write_timeout: Option<Duration>,
    /// Pings a client that said hello when nothing has come from it for this long, and closes the connection after
    /// twice as long. Default: 30 s.
    pub heartbeat: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            chunk_bytes: 64 * 1024,
            memory_bytes: 256 * 1024 * 1024,
            max_connections: 10_000,
            queue: QueueLimits::default(),
            max_uploads: 16,
            idle_timeout: None,
            read_timeout: Some(Duration::from_secs(30)),
            write_timeout: Some(Duration::from_secs(60)),
            heartbeat: Some(Duration::from_secs(30)),
        }
    }
}
