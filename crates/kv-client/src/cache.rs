//! Client-side caching: a bounded store of replies, of which the server says when they are out of date.
//!
//! The order of things on the connection decides everything. A read is announced to the store before it is sent; if its key
//! is invalidated, or the connection lost, before its reply is stored, the announcement is gone and the reply is not kept.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use resp_codec::Version;
use tokio::time::Instant;

use crate::class::Class;
use crate::client::{Client, Servers};
use crate::command::{Command, finish, single};
use crate::connection::exchange::{Again, Exchange, Requests};
use crate::connection::link::{Answer, Failure, TimeLimit};
use crate::connection::node::{Node, locked};
use crate::error::{Outcome, Result};
use crate::reply::{Elements, Reply};
use crate::request::Request;
use crate::table::row;

/// How much of what was read is kept; see [`Config::caching`](crate::Config::caching).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caching {
    pub(crate) max_bytes: usize,
    pub(crate) max_age: Duration,
}

impl Default for Caching {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024 * 1024,
            max_age: Duration::from_secs(60),
        }
    }
}

impl Caching {
    /// 64 MiB for each server, for at most a minute.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The most that is kept for each server: requests, keys and replies, with what keeping them takes. What was used
    /// least recently goes first. Default: 64 MiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// After this long a reply is asked for anew, whatever the server said. Default: 60 s.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }
}

/// What a store has done; see [`Client::cache_stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Replies that are kept now, and what they take in bytes.
    pub entries: usize,
    /// See `entries`.
    pub bytes: usize,
    /// Reads that were served from the store.
    pub hits: u64,
    /// Reads that went to the server.
    pub misses: u64,
    /// Replies that were let go because the server said so.
    pub invalidated: u64,
    /// Replies that were let go to make room.
    pub evicted: u64,
}

/// A read that may be served from the store; see [`Command::cached`].
#[must_use = "a command does nothing until it is awaited"]
pub struct Cached<'a, T, O>(Command<'a, T, O>);

impl<'a, T, O> Command<'a, T, O> {
    /// Serves this read from the store of [`Config::caching`](crate::Config::caching) if it can, and keeps its reply there
    /// if not.
    ///
    /// ```
    /// # async fn example() -> kv_client::Result<()> {
    /// use kv_client::{Caching, Client, Config};
    ///
    /// let config: Config = "redis://localhost".parse()?;
    /// let client = Client::connect(config.caching(Caching::new())).await?;
    /// let greeting = client.get("greeting").cached().await?; // from the server
    /// let greeting = client.get("greeting").cached().await?; // from memory, until somebody changes it
    /// # Ok(()) }
    /// ```
    ///
    /// A reply is served until the server says that a key of it has changed, which takes as long as a message does; until
    /// the connection is lost or a database selected, which empties the store; or until its
    /// [`max_age`](Caching::max_age). A connection that broke without a sign is noticed after
    /// [`Config::keepalive`](crate::Config::keepalive) only.
    ///
    /// Commands that do more than read, those without keys or, in a cluster, with keys in several slots are sent as
    /// without this; and so is everything without `Config::caching`, or while the server speaks RESP2.
    pub fn cached(self) -> Cached<'a, T, O> {
        Cached(self)
    }
}

impl<T, O> fmt::Debug for Cached<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cached").field(&self.0).finish()
    }
}

impl<'a, T: 'a, O> IntoFuture for Cached<'a, T, O> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        if self.0.request.class() != Class::Read {
            return Box::pin(self.0.into_future());
        }
        let (client, request, decode, settings) = self.0.into_parts();
        let (limit, again) = client.plan(&request, settings);
        Box::pin(async move {
            let name = request.clone_name();
            let reply = match &client.inner.servers {
                Servers::One(node) => fetch(node, &request, limit, again).await,
                Servers::Cluster(cluster) => cluster.run(request, limit, again, true).await,
            };
            finish(reply, decode).map_err(|error| error.of(name))
        })
    }
}

impl Client {
    /// What the stores of [`Config::caching`](crate::Config::caching) have done; the sums over all nodes of a cluster.
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        let nodes = match &self.inner.servers {
            Servers::One(node) => vec![Arc::clone(node)],
            Servers::Cluster(cluster) => cluster.connected_nodes(),
        };
        let stats = nodes
            .iter()
            .filter_map(|node| node.cache.as_ref())
            .map(|cache| cache.stats());
        stats.fold(CacheStats::default(), |sum, own| CacheStats {
            entries: sum.entries + own.entries,
            bytes: sum.bytes + own.bytes,
            hits: sum.hits + own.hits,
            misses: sum.misses + own.misses,
            invalidated: sum.invalidated + own.invalidated,
            evicted: sum.evicted + own.evicted,
        })
    }
}

/// Serves a read from the store of `node`, or from `node`.
pub(crate) async fn fetch(
    node: &Node,
    request: &Request,
    limit: TimeLimit,
    again: Again,
) -> Result<Reply, Failure> {
    let keys: Vec<Bytes> = request
        .keys()
        .into_iter()
        .map(Bytes::copy_from_slice)
        .collect();
    // Only RESP3 has messages out of band on a connection with commands. Before the first connection it is not known; a
    // server that cannot track refuses CLIENT CACHING, and then nothing is kept.
    let version = node.link.lock().status.version;
    let active = version != Some(Version::Resp2) && !keys.is_empty();
    let Some(cache) = node.cache.as_ref().filter(|_| active) else {
        return single(Exchange::new(&node.link, request, limit, again).run().await);
    };
    let announced = match cache.look_up(request.to_vec().into(), keys, Instant::now()) {
        Found::Reply(reply) => return Ok(reply),
        Found::Nothing(announced) => announced,
    };
    let pair = Requests {
        list: vec![caching_yes(), request],
        atomic: false,
    };
    match Exchange::new(&node.link, pair, limit, again).run().await {
        Ok(Answer::Many {
            mut replies,
            failure: None,
            ..
        }) => {
            let reply = replies.pop().unwrap_or(Reply::Null);
            let tracked = replies.pop().is_some_and(|reply| reply.is_ok());
            if tracked && !matches!(reply, Reply::Error(_)) {
                announced.keep(&reply, Instant::now());
            }
            Ok(reply)
        }
        Ok(Answer::Many {
            failure: Some(failure),
            executed_maybe,
            ..
        }) => Err(Failure {
            outcome: match executed_maybe {
                2 => Outcome::MaybeExecuted,
                _ => Outcome::NotSent,
            },
            ..failure
        }),
        Ok(Answer::One(reply)) => Ok(reply),
        Ok(Answer::Failed(failure)) | Err(failure) => Err(failure),
    }
}

/// Has the server watch the keys of the command that follows.
fn caching_yes() -> &'static Request {
    static REQUEST: std::sync::OnceLock<Request> = std::sync::OnceLock::new();
    REQUEST.get_or_init(|| {
        let mut request = Request::of(row!("CLIENT CACHING"));
        request.push(b"YES");
        request
    })
}

/// The store of one connection.
#[derive(Debug)]
pub(crate) struct Cache {
    limits: Caching,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Arc<[u8]>, Entry>,
    /// Which requests read a key.
    readers: HashMap<Bytes, Vec<Arc<[u8]>>>,
    /// Requests whose replies are kept, by when they were last used.
    order: BTreeMap<u64, Arc<[u8]>>,
    /// Counts uses and announcements; no two have the same number.
    turn: u64,
    stats: CacheStats,
}

#[derive(Debug)]
struct Entry {
    keys: Vec<Bytes>,
    /// Of the announcement, or of the last use.
    turn: u64,
    /// `None` while it is only announced.
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    reply: Reply,
    until: Instant,
    bytes: usize,
}

enum Found<'a> {
    Reply(Reply),
    Nothing(Announced<'a>),
}

/// A read whose reply may be kept. Dropping it takes the announcement back.
struct Announced<'a> {
    cache: &'a Cache,
    request: Arc<[u8]>,
    turn: u64,
}

/// What keeping an entry takes beside its bytes: about what the maps and the pointers take.
const OVERHEAD: usize = 256;

impl Cache {
    pub(crate) fn new(limits: Caching) -> Self {
        Self {
            limits,
            inner: Mutex::default(),
        }
    }

    fn look_up(&self, request: Arc<[u8]>, keys: Vec<Bytes>, now: Instant) -> Found<'_> {
        let mut inner = locked(&self.inner);
        inner.turn += 1;
        let turn = inner.turn;
        if let Some(entry) = inner.entries.get_mut(&request) {
            if let Some(kept) = entry.kept.as_ref().filter(|kept| now < kept.until) {
                let reply = kept.reply.clone();
                let before = std::mem::replace(&mut entry.turn, turn);
                inner.order.remove(&before);
                inner.order.insert(turn, request);
                inner.stats.hits += 1;
                return Found::Reply(reply);
            }
        }
        inner.remove(&request);
        inner.stats.misses += 1;
        for key in &keys {
            let readers = inner.readers.entry(key.clone()).or_default();
            readers.push(Arc::clone(&request));
        }
        let kept = None;
        inner
            .entries
            .insert(Arc::clone(&request), Entry { keys, turn, kept });
        Found::Nothing(Announced {
            cache: self,
            request,
            turn,
        })
    }

    /// Reads a message out of band; whether it was about the store.
    pub(crate) fn notice(&self, elements: &Elements) -> bool {
        let mut elements = elements.iter();
        if elements
            .next()
            .is_none_or(|word| word.as_bytes() != Some(b"invalidate"))
        {
            return false;
        }
        match elements.next().and_then(Reply::into_elements) {
            Some(keys) => {
                let mut inner = locked(&self.inner);
                for key in keys.iter() {
                    inner.invalidate(key.as_bytes().unwrap_or_default());
                }
            }
            // The server has forgotten everything, or cannot say what changed.
            None => self.clear(),
        }
        true
    }

    /// Nothing that is kept or announced is of use any more.
    pub(crate) fn clear(&self) {
        let mut inner = locked(&self.inner);
        let (turn, mut stats) = (inner.turn, inner.stats);
        stats.invalidated += u64::try_from(inner.order.len()).unwrap_or(0);
        (stats.entries, stats.bytes) = (0, 0);
        *inner = Inner {
            turn,
            stats,
            ..Inner::default()
        };
    }

    fn stats(&self) -> CacheStats {
        locked(&self.inner).stats
    }
}

impl Inner {
    fn remove(&mut self, request: &Arc<[u8]>) {
        let Some(entry) = self.entries.remove(request) else {
            return;
        };
        if let Some(kept) = entry.kept {
            self.order.remove(&entry.turn);
            self.stats.entries -= 1;
            self.stats.bytes -= kept.bytes;
        }
        for key in &entry.keys {
            if let Some(readers) = self.readers.get_mut(key) {
                readers.retain(|other| other != request);
                if readers.is_empty() {
                    self.readers.remove(key);
                }
            }
        }
    }

    fn invalidate(&mut self, key: &[u8]) {
        for request in self.readers.get(key).cloned().unwrap_or_default() {
            let is_kept = self
                .entries
                .get(&request)
                .is_some_and(|entry| entry.kept.is_some());
            self.stats.invalidated += u64::from(is_kept);
            self.remove(&request);
        }
    }
}

impl Announced<'_> {
    /// Keeps `reply`, unless something has happened since the announcement.
    fn keep(self, reply: &Reply, now: Instant) {
        let limits = self.cache.limits;
        let reply = compact(reply);
        let mut inner = locked(&self.cache.inner);
        let Some(entry) = inner.entries.get_mut(&self.request) else {
            return;
        };
        if entry.turn != self.turn {
            return;
        }
        let keys: usize = entry.keys.iter().map(Bytes::len).sum();
        let bytes = OVERHEAD + self.request.len() + keys + size(&reply);
        let Some(until) = now
            .checked_add(limits.max_age)
            .filter(|_| bytes <= limits.max_bytes)
        else {
            return;
        };
        entry.kept = Some(Kept {
            reply,
            until,
            bytes,
        });
        inner.order.insert(self.turn, Arc::clone(&self.request));
        inner.stats.entries += 1;
        inner.stats.bytes += bytes;
        while inner.stats.bytes > limits.max_bytes {
            let Some((_, oldest)) = inner.order.pop_first() else {
                break;
            };
            inner.stats.evicted += 1;
            inner.remove(&oldest);
        }
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        let mut inner = locked(&self.cache.inner);
        let only_announced = |entry: &Entry| entry.turn == self.turn && entry.kept.is_none();
        if inner.entries.get(&self.request).is_some_and(only_announced) {
            inner.remove(&self.request);
        }
    }
}

/// A copy that keeps no buffer of the connection alive.
fn compact(reply: &Reply) -> Reply {
    match reply {
        Reply::Bulk(bytes) => Reply::Bulk(Bytes::copy_from_slice(bytes)),
        Reply::Array(elements) => Reply::Array(
            elements
                .iter()
                .map(|element| compact(&element))
                .collect::<Vec<_>>()
                .into(),
        ),
        Reply::Map(elements) => Reply::Map(
            elements
                .iter()
                .map(|element| compact(&element))
                .collect::<Vec<_>>()
                .into(),
        ),
        Reply::Set(elements) => Reply::Set(
            elements
                .iter()
                .map(|element| compact(&element))
                .collect::<Vec<_>>()
                .into(),
        ),
        other => other.clone(),
    }
}

fn size(reply: &Reply) -> usize {
    let own = size_of::<Reply>();
    match reply {
        Reply::Array(elements) | Reply::Map(elements) | Reply::Set(elements) => {
            own + elements.iter().map(|element| size(&element)).sum::<usize>()
        }
        other => own + other.as_bytes().map_or(0, <[u8]>::len),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(60);

    fn cache(max_bytes: usize) -> Cache {
        Cache::new(Caching::new().max_bytes(max_bytes).max_age(AGE))
    }

    fn look_up<'a>(cache: &'a Cache, request: &str, now: Instant) -> Found<'a> {
        let keys = request
            .split(' ')
            .skip(1)
            .map(|key| Bytes::copy_from_slice(key.as_bytes()));
        cache.look_up(request.as_bytes().into(), keys.collect(), now)
    }

    fn announced<'a>(cache: &'a Cache, request: &str, now: Instant) -> Announced<'a> {
        match look_up(cache, request, now) {
            Found::Nothing(announced) => announced,
            Found::Reply(reply) => panic!("{request} is kept: {reply:?}"),
        }
    }

    fn is_kept(cache: &Cache, request: &str, now: Instant) -> bool {
        matches!(look_up(cache, request, now), Found::Reply(_))
    }

    fn invalidate(cache: &Cache, keys: Option<&[&str]>) {
        let bulk = |text: &str| Reply::Bulk(Bytes::copy_from_slice(text.as_bytes()));
        let keys = match keys {
            Some(keys) => Reply::Array(keys.iter().map(|key| bulk(key)).collect::<Vec<_>>().into()),
            None => Reply::Null,
        };
        assert!(cache.notice(&vec![bulk("invalidate"), keys].into()));
    }

    #[test]
    fn a_reply_that_crosses_its_invalidation_is_not_kept() {
        let (cache, now) = (cache(10_000), Instant::now());
        let read = announced(&cache, "MGET a b", now);
        invalidate(&cache, Some(&["b"]));
        read.keep(&Reply::Integer(1), now);
        assert!(!is_kept(&cache, "MGET a b", now));

        let read = announced(&cache, "GET a", now);
        cache.clear(); // the connection was lost
        read.keep(&Reply::Integer(1), now);
        assert!(!is_kept(&cache, "GET a", now));

        // A second reader announces anew; the first one's reply is of before that.
        let first = announced(&cache, "GET a", now);
        invalidate(&cache, Some(&["a"]));
        let second = announced(&cache, "GET a", now);
        first.keep(&Reply::Integer(1), now);
        second.keep(&Reply::Integer(2), now);
        assert!(matches!(
            look_up(&cache, "GET a", now),
            Found::Reply(Reply::Integer(2))
        ));
    }

    #[test]
    fn replies_go_when_a_key_changes_when_they_are_old_and_when_there_is_no_room() {
        let (cache, now) = (cache(3 * (OVERHEAD + 100)), Instant::now());
        for request in ["GET a", "MGET a b", "GET c"] {
            announced(&cache, request, now).keep(&Reply::Integer(1), now);
        }
        assert!(is_kept(&cache, "GET a", now));
        announced(&cache, "GET d", now).keep(&Reply::Integer(1), now);
        assert!(!is_kept(&cache, "MGET a b", now), "used least recently");
        assert!(is_kept(&cache, "GET a", now));
        assert_eq!((cache.stats().entries, cache.stats().evicted), (3, 1));

        invalidate(&cache, Some(&["a", "unknown"]));
        assert!(!is_kept(&cache, "GET a", now));
        assert!(is_kept(&cache, "GET c", now));
        assert!(!is_kept(&cache, "GET c", now + AGE));
        invalidate(&cache, None);
        assert_eq!((cache.stats().entries, cache.stats().bytes), (0, 0));
        let inner = locked(&cache.inner);
        assert!(inner.entries.is_empty() && inner.readers.is_empty() && inner.order.is_empty());
    }

    #[test]
    fn a_read_that_is_given_up_leaves_nothing_behind() {
        let (cache, now) = (cache(10_000), Instant::now());
        drop(announced(&cache, "GET a", now));
        let inner = locked(&cache.inner);
        assert!(inner.entries.is_empty() && inner.readers.is_empty());
    }
}
