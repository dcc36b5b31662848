//! Subscriptions: [`Subscription`], a stream of messages that says when some may be missing.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;

use crate::arg::ToArgs;
use crate::client::{Client, Servers};
use crate::cluster::Cluster;
use crate::connection::link::Link;
use crate::connection::topics::{Topic, TopicKind, Topics};
use crate::error::{Error, ErrorKind, Outcome, Phase, Result};
use crate::mailbox::Mailbox;
use crate::request::Request;

/// What a [`Subscription`] yields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A message.
    Message(Message),
    /// Messages are missing here, or may be.
    Gap(Gap),
    /// The server will not renew the subscription after a reconnect; nothing more comes.
    Refused(Error),
}

/// A message that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Where it was published.
    pub channel: Bytes,
    /// The pattern that it matched, if it came by [`Client::psubscribe`].
    pub pattern: Option<Bytes>,
    /// What was published.
    pub payload: Bytes,
}

/// Why messages are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// The connection was lost and has been made anew; what was published in between is gone, if anything was.
    Reconnected,
    /// This subscriber was too slow: so many messages were thrown away.
    Overflow {
        /// Number of messages.
        lost: u64,
    },
}

/// What happens to a subscriber that is slower than its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The oldest messages are thrown away. The default.
    #[default]
    DropOldest,
    /// The newest messages are thrown away.
    DropNewest,
    /// The stream ends, after what it holds and a [`Gap::Overflow`].
    End,
}

/// The messages that wait for a subscriber, unless [`Subscribe::capacity`] says otherwise.
const CAPACITY: usize = 1024;

/// A subscription to be made, when it is awaited; see [`Client::subscribe`].
#[must_use = "a subscription is not made until it is awaited"]
#[derive(Debug)]
pub struct Subscribe<'a> {
    client: &'a Client,
    topics: Vec<Topic>,
    capacity: usize,
    overflow: Overflow,
}

/// A stream of [`Event`]s. Dropping it unsubscribes.
///
/// It never ends by itself while the client is open, except as [`Overflow::End`] and [`Event::Refused`] say.
#[must_use = "dropping a subscription unsubscribes"]
pub struct Subscription {
    mailbox: Arc<Mailbox>,
    names: Vec<Topic>,
    home: Home,
    /// Keeps the connection.
    _client: Client,
}

/// Where a subscription is registered.
enum Home {
    Connection(Carrier),
    /// Each topic with a node of its own, which may change.
    Cluster(Arc<Cluster>),
}

/// The connection that subscriptions go over.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    pub(crate) link: Arc<Link>,
    pub(crate) topics: Arc<Topics>,
}

impl Carrier {
    /// Whether there is no connection; and why, if that is known.
    pub(crate) fn hindrance(&self) -> Option<Option<Error>> {
        let connected = self.link.lock().status.connected;
        (!connected).then(|| self.topics.hindrance())
    }
}

impl Client {
    /// [SUBSCRIBE](https://redis.io/docs/latest/commands/subscribe/): the messages of one or more channels.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use kv_client::Event;
    ///
    /// let mut news = client.subscribe(["news", "weather"]).await?;
    /// while let Some(event) = news.next().await {
    ///     match event {
    ///         Event::Message(message) => println!("{:?}: {:?}", message.channel, message.payload),
    ///         Event::Gap(gap) => println!("something may be missing here: {gap:?}"),
    ///         other => println!("{other:?}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// With RESP3 the messages come over the shared connection, with RESP2 over one of their own, which all subscriptions
    /// share. After a reconnect the subscription is renewed, and a [`Gap`] marks the place. Of no channels, the stream ends at
    /// once.
    ///
    /// # Errors
    ///
    /// If the server refuses it, or does not confirm it within [`Config::command_timeout`](crate::Config::command_timeout):
    /// [`ErrorKind::Timeout`] says whether there was a connection.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready gives the subscription up.
    pub fn subscribe(&self, channels: impl ToArgs) -> Subscribe<'_> {
        self.subscription(TopicKind::Channel, &channels)
    }

    /// [PSUBSCRIBE](https://redis.io/docs/latest/commands/psubscribe/): the messages of all channels that match one of the patterns.
    pub fn psubscribe(&self, patterns: impl ToArgs) -> Subscribe<'_> {
        self.subscription(TopicKind::Pattern, &patterns)
    }

    /// [SSUBSCRIBE](https://redis.io/docs/latest/commands/ssubscribe/): the messages of sharded channels.
    pub fn ssubscribe(&self, channels: impl ToArgs) -> Subscribe<'_> {
        self.subscription(TopicKind::Shard, &channels)
    }

    fn subscription(&self, kind: TopicKind, names: &impl ToArgs) -> Subscribe<'_> {
        let mut request = Request::new(kind.subscribe());
        names.to_args(&mut request);
        let mut topics: Vec<_> = request
            .args()
            .map(|name| Topic {
                kind,
                name: Bytes::copy_from_slice(name),
            })
            .collect();
        topics.sort_unstable();
        topics.dedup();
        Subscribe {
            client: self,
            topics,
            capacity: CAPACITY,
            overflow: Overflow::default(),
        }
    }
}

impl Subscribe<'_> {
    /// How many messages may wait for the subscriber, at least one. Default: 1024.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages.max(1);
        self
    }

    /// What happens when more would have to wait. Default: [`Overflow::DropOldest`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    async fn run(self) -> Result<Subscription> {
        let command = self
            .topics
            .first()
            .map_or("SUBSCRIBE", |topic| topic.kind.subscribe());
        let home = self.client.home();
        let mailbox = Mailbox::new(self.topics.len(), self.capacity, self.overflow);
        let subscription = Subscription {
            mailbox: Arc::new(mailbox),
            names: self.topics,
            home,
            _client: self.client.clone(),
        };
        if subscription.names.is_empty() {
            subscription.mailbox.end(); // nothing will ever come
            return Ok(subscription);
        }
        subscription.register();
        let confirmed = poll_fn(|cx| subscription.mailbox.poll_confirmed(cx));
        let confirmed = match self.client.config().command_timeout {
            None => confirmed.await,
            Some(after) => tokio::time::timeout(after, confirmed)
                .await
                .unwrap_or_else(|_| Err(subscription.out_of_time(after))),
        };
        match confirmed {
            Ok(()) => Ok(subscription),
            Err(error) => Err(error.of(command)),
        }
    }
}

impl<'a> IntoFuture for Subscribe<'a> {
    type Output = Result<Subscription>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Subscription>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl Subscription {
    /// The next event; `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.mailbox.poll_next(cx)).await
    }

    /// It has not been confirmed after so long.
    fn out_of_time(&self, after: Duration) -> Error {
        let hindrance = match (&self.home, self.names.first()) {
            (Home::Connection(carrier), _) => carrier.hindrance(),
            (Home::Cluster(cluster), Some(topic)) => cluster.hindrance(topic),
            (Home::Cluster(_), None) => None,
        };
        let (phase, source, outcome) = match hindrance {
            // Whatever a connection was subscribed to has ended with it.
            Some(source) => (Phase::Connecting, source, Outcome::NotSent),
            None => (Phase::Waiting, None, Outcome::MaybeExecuted),
        };
        let kind = ErrorKind::Timeout {
            phase,
            after,
            source: source.map(Box::new),
        };
        Error::new(kind, outcome)
    }

    fn register(&self) {
        match &self.home {
            Home::Connection(carrier) => {
                for topic in &self.names {
                    carrier.topics.add(topic, &self.mailbox);
                }
                carrier.link.nudge();
            }
            Home::Cluster(cluster) => {
                for topic in &self.names {
                    cluster.place(topic, &self.mailbox);
                }
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.mailbox.poll_next(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.mailbox.abandon();
        match &self.home {
            Home::Connection(carrier) => {
                for topic in &self.names {
                    carrier.topics.remove(topic, &self.mailbox);
                }
                carrier.link.nudge();
            }
            Home::Cluster(cluster) => {
                for topic in &self.names {
                    cluster.displace(topic, &self.mailbox);
                }
            }
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("topics", &self.names)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Where a new subscription is registered.
    fn home(&self) -> Home {
        match &self.inner.servers {
            Servers::One(node) => Home::Connection(node.carrier(None)),
            Servers::Cluster(cluster) => Home::Cluster(Arc::clone(cluster)),
        }
    }
}
