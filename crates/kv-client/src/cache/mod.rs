//! Client-side caching: a bounded store of replies, of which the server says when they are out of date.
//!
//! The order of things on the connection decides everything. A read is announced to the store before it is sent; if its key
//! is invalidated, or the connection lost, before its reply is stored, the announcement is gone and the reply is not kept.

mod store;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use resp_codec::Version;
use tokio::time::Instant;

pub(crate) use self::store::Cache;
use self::store::Found;
use crate::class::Class;
use crate::client::{Client, Servers};
use crate::command::{Command, finish, single};
use crate::connection::exchange::{Again, Exchange, Requests, check};
use crate::connection::link::{Answer, Failure, TimeLimit};
use crate::connection::node::Node;
use crate::error::{Outcome, Result};
use crate::reply::Reply;
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
    /// A reply is served until the server says that a key of it has changed, which takes as long as a message does; until a
    /// command of this client that may have changed the key is answered, also one of a script or a transaction; until
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
        if let Err(refusal) = check(&request, client.config(), false) {
            return Box::pin(async move { Err(refusal) });
        }
        let (limit, again) = client.plan(&request, settings);
        Box::pin(async move {
            let name = request.clone_name();
            let reply = match &client.inner.servers {
                Servers::One(node) => fetch(node, &request, limit, again).await,
                Servers::Cluster(cluster) => {
                    cluster.run(request, limit, again, settings, true).await
                }
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
