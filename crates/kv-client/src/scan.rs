//! SCAN and its relatives to the end: [`Scan`], a stream.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use crate::arg::ToArg;
use crate::class::Class;
use crate::client::{Client, Servers};
use crate::cluster::{Cluster, Walk};
use crate::command::{Command, CommandFuture};
use crate::config::Config;
use crate::connection::exchange::Again;
use crate::connection::link::TimeLimit;
use crate::error::{Error, Result};
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::request::Request;
use crate::table::row;

/// A stream of all keys, members or fields that match, made by [`Client::scan_keys`] and its relatives.
///
/// An element that is there from the start to the end is returned at least once, and perhaps more than once; one that
/// comes or goes in the meantime may be returned or not. An error ends the stream.
#[must_use = "a stream does nothing until it is polled"]
pub struct Scan<'a, T> {
    client: &'a Client,
    /// The command up to the cursor.
    start: Request,
    /// What follows the cursor.
    options: Request,
    cursor: Option<u64>,
    page: VecDeque<T>,
    step: Option<Step<'a, T>>,
    /// How far a scan of all nodes of a cluster has come.
    walk: Option<Box<Walk>>,
}

/// A page that is on its way.
enum Step<'a, T> {
    Command(Box<CommandFuture<'a, (u64, Vec<T>)>>),
    /// Of one of the nodes of a cluster; `None` is the end.
    Walk(Walking<'a, T>),
}

type Walking<'a, T> =
    Pin<Box<dyn Future<Output = (Box<Walk>, Result<Option<(u64, Vec<T>)>>)> + Send + 'a>>;

impl Client {
    /// All keys of the database: [SCAN](https://redis.io/docs/latest/commands/scan/) until the end; in a cluster the keys
    /// of all nodes, also if slots move in the meantime.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// let mut keys = client.scan_keys().matching("user:*").count(100);
    /// while let Some(key) = keys.next().await {
    ///     println!("{:?}", key?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn scan_keys(&self) -> Scan<'_, Bytes> {
        Scan::new(self, Request::of(row!("SCAN")))
    }

    /// All members of a set: [SSCAN](https://redis.io/docs/latest/commands/sscan/) until the end.
    pub fn scan_set(&self, key: impl ToArg) -> Scan<'_, Bytes> {
        let mut start = Request::of(row!("SSCAN"));
        key.to_arg(&mut start);
        Scan::new(self, start)
    }

    /// All fields of a hash with their values: [HSCAN](https://redis.io/docs/latest/commands/hscan/) until the end.
    pub fn scan_hash(&self, key: impl ToArg) -> Scan<'_, (Bytes, Bytes)> {
        let mut start = Request::of(row!("HSCAN"));
        key.to_arg(&mut start);
        Scan::new(self, start)
    }

    /// All members of a sorted set with their scores: [ZSCAN](https://redis.io/docs/latest/commands/zscan/) until the end.
    pub fn scan_zset(&self, key: impl ToArg) -> Scan<'_, (Bytes, f64)> {
        let mut start = Request::of(row!("ZSCAN"));
        key.to_arg(&mut start);
        Scan::new(self, start)
    }
}

impl<'a, T: Element> Scan<'a, T> {
    fn new(client: &'a Client, start: Request) -> Self {
        let options = Request::of(row!("SCAN"));
        Self {
            client,
            start,
            options,
            cursor: Some(0),
            page: VecDeque::new(),
            step: None,
            walk: Some(Box::default()),
        }
    }

    /// Only what matches the pattern.
    pub fn matching(mut self, pattern: impl ToArg) -> Self {
        self.options.push(b"MATCH");
        pattern.to_arg(&mut self.options);
        self
    }

    /// Roughly how many elements the server looks at in one step. Its default: 10.
    pub fn count(mut self, count: u64) -> Self {
        self.options.push(b"COUNT");
        count.to_arg(&mut self.options);
        self
    }

    /// Only keys of this type: `string`, `list`, `set`, `zset`, `hash`, `stream`. For [`Client::scan_keys`].
    pub fn of_type(mut self, name: impl ToArg) -> Self {
        self.options.push(b"TYPE");
        name.to_arg(&mut self.options);
        self
    }

    /// The next element; `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|cx| self.poll_step(cx)).await
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        loop {
            if let Some(element) = self.page.pop_front() {
                return Poll::Ready(Some(Ok(element)));
            }
            let step = match &mut self.step {
                Some(step) => step,
                None => {
                    let Some(cursor) = self.cursor.take() else {
                        return Poll::Ready(None);
                    };
                    let step = self.next_step(cursor);
                    self.step.insert(step)
                }
            };
            let page = match step {
                Step::Command(command) => ready!(Pin::new(command).poll(cx))
                    .map(|(cursor, page)| Some(((cursor != 0).then_some(cursor), page))),
                Step::Walk(walking) => {
                    let (walk, page) = ready!(walking.as_mut().poll(cx));
                    self.walk = Some(walk);
                    // Behind the end of one node there may be another.
                    page.map(|page| page.map(|(cursor, page)| (Some(cursor), page)))
                }
            };
            self.step = None;
            match page {
                Ok(Some((cursor, page))) => {
                    self.cursor = cursor;
                    self.page = page.into();
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn next_step(&mut self, cursor: u64) -> Step<'a, T> {
        let (start, options) = (self.start.clone(), self.options.clone());
        let request = move |cursor: u64| {
            let mut request = start.clone();
            cursor.to_arg(&mut request);
            options.args().for_each(|arg| request.push(arg));
            request
        };
        let client = self.client;
        match &client.inner.servers {
            Servers::Cluster(cluster) if self.start.name() == "SCAN" => {
                let walk = self.walk.take().unwrap_or_default();
                Step::Walk(Box::pin(walk_on(
                    cluster,
                    client.config(),
                    walk,
                    cursor,
                    request,
                )))
            }
            _ => {
                let command: Command<'a, _> = Command::new(client, request(cursor), T::page);
                Step::Command(Box::new(command.into_future()))
            }
        }
    }
}

/// One step of a scan over all nodes of a cluster.
async fn walk_on<T: Element>(
    cluster: &Cluster,
    config: &Config,
    mut walk: Box<Walk>,
    mut cursor: u64,
    request: impl Fn(u64) -> Request,
) -> (Box<Walk>, Result<Option<(u64, Vec<T>)>>) {
    let limit = TimeLimit {
        timeout: config.command_timeout,
        deadline: None,
    };
    let again = Again::of(config.retry, Class::Read, config.max_retries);
    let reply = cluster
        .walk(&mut walk, &mut cursor, request, limit, again)
        .await;
    let page = match reply {
        Ok(None) => Ok(None),
        Ok(Some(Reply::Error(error))) => Err(Error::server(error)),
        Ok(Some(reply)) => T::page(reply).map(Some).map_err(Error::reply),
        Err(failure) => Err(Error::new(failure.kind, failure.outcome)),
    };
    if let Ok(Some((0, _))) = page {
        cluster.walked(&mut walk).await;
    }
    (walk, page.map_err(|error| error.of("SCAN")))
}

impl<T: Element + Unpin> Stream for Scan<'_, T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.poll_step(cx)
    }
}

impl<T> fmt::Debug for Scan<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("command", &self.start.name())
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// What a page consists of.
pub trait Element: Sized + Send + 'static + private::Sealed {
    #[doc(hidden)]
    fn page(reply: crate::Reply) -> Result<(u64, Vec<Self>), crate::ReplyError>;
}

mod private {
    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Sealed {}

    impl Sealed for bytes::Bytes {}
    impl Sealed for (bytes::Bytes, bytes::Bytes) {}
    impl Sealed for (bytes::Bytes, f64) {}
}

impl Element for Bytes {
    fn page(reply: crate::Reply) -> Result<(u64, Vec<Self>), crate::ReplyError> {
        <(u64, Vec<Self>)>::from_reply(reply)
    }
}

impl Element for (Bytes, Bytes) {
    fn page(reply: crate::Reply) -> Result<(u64, Vec<Self>), crate::ReplyError> {
        <(u64, Vec<Self>)>::from_reply(reply)
    }
}

impl Element for (Bytes, f64) {
    fn page(reply: crate::Reply) -> Result<(u64, Vec<Self>), crate::ReplyError> {
        <(u64, Vec<Self>)>::from_reply(reply)
    }
}
