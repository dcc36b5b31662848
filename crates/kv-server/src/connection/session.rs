//! What a connection has said about itself so far: database, protocol, name, transaction, subscriptions.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use resp_codec::{Arg, Version};

use crate::command::{Args, RowId};
use crate::connection::peer::Peer;
use crate::engine::Databases;
use crate::pubsub::Kind;
use crate::tracking::Mode;

/// The state of one connection, kept by the engine so that CLIENT LIST and CLIENT KILL see it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: u64,
    /// Where it is among the [`Clients`](crate::clients::Clients).
    pub(crate) place: usize,
    pub(crate) peer: Arc<Peer>,
    pub(crate) origin: Origin,
    pub(crate) version: Version,
    pub(crate) authenticated: bool,
    pub(crate) db: usize,
    pub(crate) name: Vec<u8>,
    pub(crate) lib_name: Vec<u8>,
    pub(crate) lib_version: Vec<u8>,
    pub(crate) created_ms: i64,
    pub(crate) last_command: Option<RowId>,
    pub(crate) multi: Option<Multi>,
    /// Keys under WATCH.
    pub(crate) watched: Vec<Watched>,
    pub(crate) subscriptions: Subscriptions,
    /// Bytes that its subscriptions and the prefixes it tracks take, about.
    pub(crate) listening_bytes: usize,
    /// CLIENT TRACKING.
    pub(crate) tracking: Option<Box<Mode>>,
    pub(crate) reply_mode: ReplyMode,
    /// A reply was not written to its end, because the connection is over its limit of output: it must end.
    pub(crate) cut_off: bool,
    /// CLIENT NO-EVICT and CLIENT NO-TOUCH.
    pub(crate) no_evict: bool,
    pub(crate) no_touch: bool,
    /// The request that waits for keys.
    pub(crate) blocked: Option<Blocked>,
    /// CLIENT PAUSE holds this connection's next request back.
    pub(crate) postponed: bool,
    /// Closes once the replies so far are sent: QUIT, CLIENT KILL of itself.
    pub(crate) closing: bool,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) commands: u64,
    /// Since when its unsent output has been above the soft limit.
    pub(crate) over_soft_limit_ms: Option<i64>,
    /// Bytes of the query buffer, as of the last request.
    pub(crate) query_bytes: usize,
    /// Room left in the query buffer.
    pub(crate) query_room: usize,
    /// What the engine has counted for `maxmemory`.
    pub(crate) counted_bytes: usize,
}

/// Where a connection comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The peer's address, and the server's own; for a Unix socket its path and `:0`.
    pub(crate) addr: String,
    pub(crate) local_addr: String,
    pub(crate) is_unix: bool,
    /// The file descriptor; -1 if there is none.
    pub(crate) fd: i32,
}

impl Origin {
    /// A connection without a socket.
    pub(crate) fn in_memory() -> Self {
        Self {
            addr: "0.0.0.0:0".to_owned(),
            local_addr: "0.0.0.0:0".to_owned(),
            is_unix: false,
            fd: -1,
        }
    }

    /// Whether the peer is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        let ip = self.addr.parse().map(|addr: SocketAddr| addr.ip());
        self.is_unix || ip.is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
    }
}

/// A transaction that is being queued.
#[derive(Debug, Default)]
pub(crate) struct Multi {
    pub(crate) queue: Vec<Request>,
    /// A command was refused when it was queued: EXEC fails.
    pub(crate) broken: bool,
    /// Bytes that the queued requests have allocated.
    bytes: usize,
}

impl Multi {
    pub(crate) fn push(&mut self, request: Request) {
        self.bytes += request.buf.len() + size_of_val(&*request.args);
        self.queue.push(request);
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.queue.capacity() * size_of::<Request>() + self.bytes
    }
}

/// A key under WATCH.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) db: usize,
    pub(crate) key: Box<[u8]>,
}

/// A request that outlives the read buffer.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) row: RowId,
    pub(crate) buf: Bytes,
    pub(crate) args: Box<[Arg]>,
}

/// A request that waits for keys to become ready.
#[derive(Debug)]
pub(crate) struct Blocked {
    pub(crate) db: usize,
    pub(crate) keys: Vec<Box<[u8]>>,
    /// Unix time in milliseconds; `None` waits forever.
    pub(crate) deadline: Option<i64>,
    pub(crate) on_timeout: OnTimeout,
    pub(crate) request: Request,
    /// Only a key of this type is worth another try.
    pub(crate) wants: Option<&'static str>,
    /// CLIENT REPLY keeps the reply back.
    pub(crate) silent: bool,
}

/// The reply of a blocked command whose time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnTimeout {
    /// A null bulk string.
    Null,
    /// A null array.
    NullArray,
}

#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    pub(crate) channels: BTreeSet<Box<[u8]>>,
    pub(crate) patterns: BTreeSet<Box<[u8]>>,
    pub(crate) shard_channels: BTreeSet<Box<[u8]>>,
}

/// CLIENT REPLY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ReplyMode {
    #[default]
    On,
    Off,
    /// The reply of CLIENT REPLY SKIP itself is not sent, and neither is the next one.
    SkipNext,
    Skip,
}

impl Session {
    pub(crate) fn new(peer: Arc<Peer>, origin: Origin, now_ms: i64) -> Self {
        Self {
            id: peer.id,
            place: 0,
            peer,
            origin,
            version: Version::Resp2,
            authenticated: false,
            db: 0,
            name: Vec::new(),
            lib_name: Vec::new(),
            lib_version: Vec::new(),
            created_ms: now_ms,
            last_command: None,
            multi: None,
            watched: Vec::new(),
            subscriptions: Subscriptions::default(),
            listening_bytes: 0,
            tracking: None,
            reply_mode: ReplyMode::On,
            cut_off: false,
            no_evict: false,
            no_touch: false,
            blocked: None,
            postponed: false,
            closing: false,
            bytes_in: 0,
            bytes_out: 0,
            commands: 0,
            query_bytes: 0,
            query_room: 0,
            counted_bytes: 0,
            over_soft_limit_ms: None,
        }
    }

    /// Ends all WATCHes.
    pub(crate) fn unwatch(&mut self, dbs: &mut impl Databases) {
        for watched in self.watched.drain(..) {
            dbs.at(watched.db).unwatch(&watched.key, self.id);
        }
        self.peer.clear_touched();
    }

    /// Bytes that the session takes, unexecuted input included. Left out are messages that wait for it, and room in a
    /// buffer that it borrows from its thread.
    pub(crate) fn memory(&self) -> usize {
        let names = self.name.capacity() + self.lib_name.capacity() + self.lib_version.capacity();
        let watched = self.watched.iter();
        let watched: usize = watched
            .map(|watched| size_of::<Watched>() + watched.key.len())
            .sum();
        size_of::<Self>()
            + names
            + watched
            + self.listening_bytes
            + self.multi.as_ref().map_or(0, Multi::memory)
            + self.query_bytes
    }

    /// RESET: forgets what the connection said about itself, except for its library. What it registered elsewhere is gone already.
    pub(crate) fn reset(&mut self, authenticated: bool) {
        self.version = Version::Resp2;
        self.authenticated = authenticated;
        self.db = 0;
        self.name.clear();
        self.multi = None;
        self.reply_mode = ReplyMode::On;
        self.no_evict = false;
        self.no_touch = false;
    }

    /// CLIENT CACHING was for what ran now.
    pub(crate) fn end_caching(&mut self) {
        if let Some(mode) = &mut self.tracking {
            mode.caching = false;
        }
    }

    /// Whether a RESP2 connection is limited to the subscribe commands.
    pub(crate) fn is_subscriber(&self) -> bool {
        self.subscriptions.count() > 0
    }
}

impl Subscriptions {
    pub(crate) fn of(&mut self, kind: Kind) -> &mut BTreeSet<Box<[u8]>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// The number in the confirmations: channels and patterns together, shard channels apart.
    pub(crate) fn counted_with(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.channels.len() + self.patterns.len(),
            Kind::Shard => self.shard_channels.len(),
        }
    }

    /// All of them.
    pub(crate) fn count(&self) -> usize {
        self.channels.len() + self.patterns.len() + self.shard_channels.len()
    }
}

impl Request {
    /// Copies a request out of the read buffer.
    pub(crate) fn copy(row: RowId, buf: &[u8], args: &[Arg]) -> Self {
        let start = args.first().map_or(0, |arg| arg.range().start);
        let end = args.last().map_or(0, |arg| arg.range().end);
        let mut copy = Vec::with_capacity(end - start);
        copy.extend_from_slice(&buf[start..end]);
        let args = args.iter().map(|arg| arg.shifted_back(start)).collect();
        Self {
            row,
            buf: Bytes::from(copy),
            args,
        }
    }

    pub(crate) fn args(&self) -> Args<'_> {
        Args::new(&self.buf, &self.args)
    }
}
