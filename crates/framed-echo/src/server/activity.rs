//! When a connection last did something, and what follows if it does nothing.

use std::{
    sync::atomic::{
        AtomicU8, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;
use tracing::trace;

use super::{Config, Peer};
use crate::control::FromServer;

/// What the reader and the writer of a connection note down, for [`Watch`] to judge. A note costs a store, so that
/// no timer is touched for a frame.
#[derive(Debug)]
pub(crate) struct Activity {
    start: Instant,
    reading: AtomicU8,
    /// Since when the reader has been waiting for bytes, in milliseconds after `start`.
    reading_since: AtomicU64,
    /// Since when the writer has been unable to write, in milliseconds after `start`; [`NEVER`]: it is not.
    writing_since: AtomicU64,
}

const NEVER: u64 = u64::MAX;

const NOT_READING: u8 = 0;
const BETWEEN_FRAMES: u8 = 1;
const INSIDE_FRAME: u8 = 2;

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            reading: AtomicU8::new(NOT_READING),
            reading_since: AtomicU64::new(0),
            writing_since: AtomicU64::new(NEVER),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(NEVER)
    }

    /// The reader waits for bytes.
    pub(crate) fn reading(&self, inside_frame: bool) {
        self.reading_since.store(self.now(), Relaxed);
        let state = if inside_frame {
            INSIDE_FRAME
        } else {
            BETWEEN_FRAMES
        };
        self.reading.store(state, Release);
    }

    /// The reader has got bytes, and is busy.
    pub(crate) fn read(&self) {
        self.reading.store(NOT_READING, Release);
    }

    /// The writer cannot write.
    pub(crate) fn blocked(&self) {
        if self.writing_since.load(Relaxed) == NEVER {
            self.writing_since.store(self.now(), Relaxed);
        }
    }

    /// The writer has written something.
    pub(crate) fn wrote(&self) {
        self.writing_since.store(NEVER, Relaxed);
    }
}

/// Why a connection has to be closed that did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing has come for too long.
    Idle,
    /// The peer stopped inside a frame.
    ReadTimeout,
    /// The peer takes no bytes.
    WriteTimeout,
}

/// The timer of one connection: wakes up as rarely as it can.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    activity: &'a Activity,
    idle: Option<u64>,
    read: Option<u64>,
    write: Option<u64>,
    heartbeat: Option<u64>,
    /// The silence that has been answered with a ping already, by its beginning.
    pinged: Option<u64>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(activity: &'a Activity, config: &Config) -> Self {
        let ms = |timeout: Option<Duration>| {
            timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(NEVER).max(1))
        };
        Self {
            activity,
            idle: ms(config.idle_timeout),
            read: ms(config.read_timeout),
            write: ms(config.write_timeout),
            heartbeat: ms(config.heartbeat),
            pinged: None,
        }
    }

    /// Pings a silent session, and waits until the connection has to be closed.
    pub(crate) async fn run(mut self, peer: &Peer) -> Due {
        loop {
            let next = match self.judge(self.activity.now(), peer.is_session()) {
                Next::Close(due) => return due,
                Next::Ping => {
                    trace!("ping");
                    peer.outbox()
                        .push_control(FromServer::Ping(Bytes::new()).into_reply(0));
                    continue;
                }
                Next::LookAgain(None) => return std::future::pending().await,
                Next::LookAgain(Some(next)) => self.activity.start + Duration::from_millis(next),
            };
            tokio::time::sleep_until(next).await;
        }
    }

    /// What is due now, or the earliest time at which something could be.
    fn judge(&mut self, now: u64, is_session: bool) -> Next {
        let reading = self.activity.reading.load(Acquire);
        let since = match reading {
            NOT_READING => now, // the silence is ours
            _ => self.activity.reading_since.load(Relaxed),
        };
        let inside_since = if reading == INSIDE_FRAME { since } else { now };
        let blocked_since = self.activity.writing_since.load(Relaxed).min(now);
        // Whether a client says hello is not known at the start: look again after each heartbeat.
        let (ping_since, silent_since) = match (is_session, self.pinged) {
            (false, _) => (now, now),
            (true, Some(pinged)) if pinged == since => (now, since),
            (true, _) => (since, since),
        };
        let close = |timeout, since, due| (timeout, since, Next::Close(due));
        let rules = [
            close(self.write, blocked_since, Due::WriteTimeout),
            close(self.read, inside_since, Due::ReadTimeout),
            close(self.idle, since, Due::Idle),
            close(
                self.heartbeat.map(|ms| ms.saturating_mul(2)),
                silent_since,
                Due::Idle,
            ),
            (self.heartbeat, ping_since, Next::Ping),
        ];
        let mut earliest = None;
        for (timeout, since, next) in rules {
            let Some(timeout) = timeout else { continue };
            let deadline = since.saturating_add(timeout);
            if deadline <= now {
                if next == Next::Ping {
                    self.pinged = Some(since);
                }
                return next;
            }
            earliest = Some(earliest.map_or(deadline, |earliest: u64| earliest.min(deadline)));
        }
        Next::LookAgain(earliest)
    }
}

/// What the timer has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Close(Due),
    /// Ask whether the peer is there.
    Ping,
    /// Nothing before this time, in milliseconds after the start; or nothing ever.
    LookAgain(Option<u64>),
}
