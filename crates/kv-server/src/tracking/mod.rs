//! Client-side caching (CLIENT TRACKING): who has read which keys, and who is told when they change.
//!
//! What a command changes is collected while it runs, and told when its reply is written: [`Shared::send_invalidations`].

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::BytesMut;
use resp_codec::Version;

use self::table::Table;
use crate::clients::Clients;
use crate::command::{Args, Flags, RowId};
use crate::connection::session::Session;
use crate::dispatch::Run;
use crate::engine::{Engine, Shared};
use crate::keyspace::Db;
use crate::reply::Reply;

/// What a connection asked for with CLIENT TRACKING ON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mode {
    /// Another connection gets the messages.
    pub(crate) redirect: Option<u64>,
    /// All keys with one of these prefixes, rather than those that it has read.
    pub(crate) prefixes: Option<BTreeSet<Box<[u8]>>>,
    pub(crate) choice: Choice,
    /// CLIENT CACHING: the next command is an exception.
    pub(crate) caching: bool,
    /// Not those that it changed itself.
    pub(crate) no_loop: bool,
    /// The connection that got the messages is gone.
    pub(crate) broken: bool,
}

/// Which of the keys that it reads a connection caches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    All,
    /// Those after CLIENT CACHING YES.
    OptIn,
    /// All but those after CLIENT CACHING NO.
    OptOut,
}

/// Who tracks, and what they have to be told.
#[derive(Debug, Default)]
pub(crate) struct Tracking {
    /// By id.
    clients: BTreeMap<u64, Tracker>,
    table: Table,
    /// Who wants to hear of all keys with a prefix.
    prefixes: BTreeMap<Box<[u8]>, BTreeSet<u64>>,
    /// What the prefixes of all connections take, about: a tree does not tell how full its nodes are.
    prefix_bytes: usize,
    /// The connection whose command runs.
    pub(crate) writer: Option<u64>,
    /// Readers to be told of a key.
    news: Vec<(u64, Box<[u8]>)>,
    /// Keys that changed, and who changed them, for those who want to hear of prefixes.
    changed: BTreeMap<Box<[u8]>, Option<u64>>,
    /// Everything is gone: FLUSHALL.
    flushed: bool,
}

/// What of a [`Mode`] decides whether a connection is told of a key.
#[derive(Debug, Clone, Copy)]
struct Tracker {
    no_loop: bool,
    by_prefix: bool,
}

impl Tracking {
    /// Whether anybody tracks.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Connections, keys that are remembered, readers of them, prefixes: for INFO.
    pub(crate) fn counts(&self) -> [usize; 4] {
        let table = &self.table;
        [
            self.clients.len(),
            table.keys(),
            table.items(),
            self.prefixes.len(),
        ]
    }

    /// Bytes allocated for what connections have read, and for those that listen to prefixes.
    pub(crate) fn memory(&self) -> usize {
        self.table.memory() + self.prefix_bytes
    }

    /// A connection tracks from now on.
    pub(crate) fn begin(&mut self, session: &mut Session, mode: Mode) {
        let tracker = Tracker {
            no_loop: mode.no_loop,
            by_prefix: mode.prefixes.is_some(),
        };
        self.clients.insert(session.id, tracker);
        for prefix in mode.prefixes.iter().flatten() {
            let listeners = self.prefixes.entry(prefix.clone()).or_default();
            if listeners.insert(session.id) {
                self.prefix_bytes += listener_bytes(prefix);
                session.listening_bytes += own_bytes(prefix);
            }
        }
        session.tracking = Some(Box::new(mode));
    }

    /// A connection does not track any more.
    pub(crate) fn end(&mut self, session: &mut Session) {
        let Some(mode) = session.tracking.take() else {
            return;
        };
        self.clients.remove(&session.id);
        for prefix in mode.prefixes.iter().flatten() {
            self.prefix_bytes -= listener_bytes(prefix);
            session.listening_bytes -= own_bytes(prefix);
            if let Some(listeners) = self.prefixes.get_mut(prefix) {
                listeners.remove(&session.id);
                if listeners.is_empty() {
                    self.prefixes.remove(prefix);
                }
            }
        }
        if self.clients.is_empty() {
            self.table.clear();
        }
    }

    /// A key changed; `writer` did it, if a connection did.
    fn invalidate(&mut self, key: &[u8], writer: Option<u64>) {
        if !self.prefixes.is_empty() {
            // What expired is told to everybody, whoever ran the command that noticed.
            let known = self.changed.entry(key.into()).or_insert(writer);
            *known = known.and(writer);
        }
        for id in self.table.take(key) {
            let told = self.clients.get(&id).is_some_and(|tracker| {
                !(tracker.by_prefix || tracker.no_loop && writer == Some(id))
            });
            if told {
                self.news.push((id, key.into()));
            }
        }
    }

    fn has_news(&self) -> bool {
        self.flushed || !self.news.is_empty() || !self.changed.is_empty()
    }

    /// Gives up the oldest keys beyond this many (0 is no limit); who read them is told.
    pub(crate) fn limit_keys(&mut self, max: usize) {
        while max > 0 && self.table.keys() > max {
            let Some(key) = self.table.oldest() else {
                break;
            };
            for id in self.table.take(&key) {
                self.news.push((id, key[..].into()));
            }
        }
    }
}

impl Shared {
    /// Notes what a database has changed.
    pub(crate) fn track_changes(&mut self, db: &mut Db) {
        if !self.tracking.is_on() {
            db.changes.touched.clear();
            db.tracked = false;
            return;
        }
        for key in &db.changes.expired {
            self.tracking.invalidate(key, None);
        }
        for key in &db.changes.evicted {
            self.tracking.invalidate(key, None);
        }
        let writer = self.tracking.writer;
        for key in db.changes.touched.drain(..) {
            match key {
                Some(key) => self.tracking.invalidate(&key, writer),
                None => {
                    self.tracking.table.clear();
                    self.tracking.flushed = true;
                }
            }
        }
    }

    /// After a command that reads: notes which keys the connection may have cached.
    pub(crate) fn remember_keys(&mut self, session: &Session, row: RowId, args: Args<'_>) {
        let Some(mode) = &session.tracking else {
            return;
        };
        let wanted = match mode.choice {
            Choice::All => true,
            Choice::OptIn => mode.caching,
            Choice::OptOut => !mode.caching,
        };
        if !wanted || mode.prefixes.is_some() {
            return;
        }
        let words: Vec<&[u8]> = args.all().collect();
        let keys = self.commands.row(row).command.keys;
        keys.positions(&words, |at, _| {
            self.tracking.table.note(words[at], session.id);
        });
        self.tracking.limit_keys(self.config.tracking_keys);
    }

    /// Tells everybody what they may not keep any longer. `running` is the session whose command ran, which is not among the clients.
    pub(crate) fn send_invalidations(&mut self, mut running: Option<&mut Session>) {
        if !self.tracking.is_on() || !self.tracking.has_news() {
            return;
        }
        let news = std::mem::take(&mut self.tracking.news);
        let changed = std::mem::take(&mut self.tracking.changed);
        if std::mem::take(&mut self.tracking.flushed) {
            let everybody: Vec<u64> = self.tracking.clients.keys().copied().collect();
            for id in everybody {
                self.tell(&mut running, id, None);
            }
        }
        for (id, key) in news {
            self.tell(&mut running, id, Some(&[&*key]));
        }
        if changed.is_empty() {
            return;
        }
        let prefixes = std::mem::take(&mut self.tracking.prefixes);
        for (prefix, listeners) in &prefixes {
            let from = (Bound::Included(&**prefix), Bound::Unbounded);
            let matching: Vec<_> = changed
                .range::<[u8], _>(from)
                .take_while(|(key, _)| key.starts_with(prefix))
                .collect();
            for &id in listeners {
                let no_loop = self.tracking.clients.get(&id).is_some_and(|it| it.no_loop);
                let keys: Vec<&[u8]> = matching
                    .iter()
                    .filter(|(_, writer)| !(no_loop && **writer == Some(id)))
                    .map(|(key, _)| &***key)
                    .collect();
                if !keys.is_empty() {
                    self.tell(&mut running, id, Some(&keys));
                }
            }
        }
        self.tracking.prefixes = prefixes;
    }

    /// Sends one connection, or the one it redirects to, keys that have changed; without keys all have.
    fn tell(&mut self, running: &mut Option<&mut Session>, id: u64, keys: Option<&[&[u8]]>) {
        let Some(session) = find(&mut self.clients, running, id) else {
            return;
        };
        let Some(redirect) = session.tracking.as_ref().map(|mode| mode.redirect) else {
            return;
        };
        let limit = self.config.normal_output.hard_bytes();
        let target = match redirect {
            None => session,
            Some(target) if !is_there(&mut self.clients, running, target) => {
                if let Some(session) = find(&mut self.clients, running, id) {
                    break_redirect(session, target, limit);
                }
                return;
            }
            Some(target) => match find(&mut self.clients, running, target) {
                Some(target) => target,
                None => return,
            },
        };
        let version = target.version;
        let listens = version == Version::Resp3 || redirect.is_some() && target.is_subscriber();
        if !listens {
            return;
        }
        let peer = target.peer.clone();
        let unread = peer.deliver(limit, |buf: &mut BytesMut| {
            let mut reply = Reply { buf, version };
            if version == Version::Resp3 {
                reply.push(2);
                reply.bulk(b"invalidate");
            } else {
                reply.array(3);
                reply.bulk(b"message");
                reply.bulk(b"__redis__:invalidate");
            }
            match keys {
                Some(keys) => {
                    reply.array(keys.len());
                    keys.iter().for_each(|key| reply.bulk(key));
                }
                None => reply.null(),
            }
        });
        if unread > limit {
            self.stats.output_limit_disconnections += 1;
        }
        self.clients.note_output(unread, self.config.normal_output);
    }
}

impl Engine {
    /// What was evicted for the sake of a command is told before its reply.
    pub(crate) fn tell_before_reply(&mut self, session: &mut Session, out: &mut BytesMut) {
        if self.shared.tracking.is_on() {
            self.shared.send_invalidations(Some(session));
            if session.peer.has_mail() {
                if let Some(close) = session.peer.collect(out) {
                    session.peer.close(close);
                }
            }
        }
    }

    /// Client-side caching: what this connection has read, and that it is the one whose changes come now.
    #[cold]
    pub(crate) fn follow_keys(
        &mut self,
        session: &mut Session,
        row: RowId,
        args: Args<'_>,
        run: Run,
    ) {
        self.shared.tracking.writer = Some(session.id);
        let Some(mode) = &session.tracking else {
            return;
        };
        let caching = mode.caching;
        let found = self.shared.commands.row(row);
        if found.command.flags.contains(Flags::READONLY) {
            self.shared.remember_keys(session, row, args);
        }
        let found = self.shared.commands.row(row);
        // CLIENT CACHING is for the next command that is none of its kind, or for a transaction.
        if caching
            && session.multi.is_none()
            && run != Run::Nested
            && !found.full_name.starts_with("client|")
        {
            session.end_caching();
        }
    }
}

/// What a prefix takes at the connection that listens to it.
fn own_bytes(prefix: &[u8]) -> usize {
    size_of::<Box<[u8]>>() + prefix.len()
}

/// What a listener takes at a prefix, which may have no other one.
fn listener_bytes(prefix: &[u8]) -> usize {
    size_of::<(Box<[u8]>, BTreeSet<u64>)>() + size_of::<u64>() + prefix.len()
}

/// A session by its id, the running one too.
fn find<'s>(
    clients: &'s mut Clients,
    running: &'s mut Option<&mut Session>,
    id: u64,
) -> Option<&'s mut Session> {
    match running {
        Some(session) if session.id == id => Some(session),
        _ => clients.get_mut(id),
    }
}

/// Whether a connection is there, and will be.
fn is_there(clients: &mut Clients, running: &mut Option<&mut Session>, id: u64) -> bool {
    find(clients, running, id).is_some_and(|session| !session.closing && !session.peer.is_closing())
}

/// The connection that got the messages is gone.
fn break_redirect(session: &mut Session, target: u64, limit: usize) {
    let version = session.version;
    if let Some(mode) = &mut session.tracking {
        mode.broken = true;
    }
    if version == Version::Resp3 {
        session.peer.deliver(limit, |buf| {
            let mut reply = Reply { buf, version };
            reply.push(2);
            reply.bulk(b"tracking-redir-broken");
            reply.unsigned(target);
        });
    }
}
