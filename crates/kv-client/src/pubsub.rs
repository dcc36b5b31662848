//! Subscriptions: [`Subscription`], a stream of messages that says when some may be missing.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;

use crate::arg::ToArgs;
use crate::client::{Client, Servers};
use crate::cluster::Cluster;
use crate::connection::link::Link;
use crate::connection::topics::{Topic, TopicKind, Topics};
use crate::error::{Error, ErrorKind, Outcome, Phase, Result};
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

/// Where the driver leaves events for one subscription.
#[derive(Debug)]
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    capacity: usize,
    overflow: Overflow,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    /// Messages thrown away since the last [`Gap::Overflow`].
    lost: u64,
    /// How many of the events are messages.
    messages: usize,
    /// Topics that were lost with their connection and have not been renewed yet.
    broken: usize,
    /// The number of the request that renewed some of them last.
    renewed_by: u64,
    /// Topics that the server has not confirmed since the subscription was asked for.
    unconfirmed: usize,
    refusal: Option<Error>,
    ended: bool,
    abandoned: bool,
    waker: Option<Waker>,
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
        let mailbox = Arc::new(Mailbox {
            inner: Mutex::new(Inner {
                unconfirmed: self.topics.len(),
                ..Inner::default()
            }),
            capacity: self.capacity,
            overflow: self.overflow,
        });
        let subscription = Subscription {
            mailbox,
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

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_confirmed(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        let mut inner = self.lock();
        if let Some(refusal) = inner.refusal.take() {
            return Poll::Ready(Err(refusal));
        }
        if inner.unconfirmed == 0 {
            return Poll::Ready(Ok(()));
        }
        if inner.ended {
            return Poll::Ready(Err(Error::new(ErrorKind::Closed, Outcome::NotSent)));
        }
        inner.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut inner = self.lock();
        let drops_oldest = self.overflow == Overflow::DropOldest;
        // What was thrown away came before what is left, or after it.
        if inner.lost > 0 && (drops_oldest || inner.events.is_empty()) {
            let lost = std::mem::take(&mut inner.lost);
            return Poll::Ready(Some(Event::Gap(Gap::Overflow { lost })));
        }
        if let Some(event) = inner.events.pop_front() {
            inner.messages -= usize::from(matches!(event, Event::Message(_)));
            return Poll::Ready(Some(event));
        }
        if inner.ended {
            return Poll::Ready(None);
        }
        match &mut inner.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            waker => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn update(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        change(&mut inner);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn deliver(&self, message: Message) {
        self.update(|inner| {
            if inner.ended {
                return;
            }
            if inner.messages < self.capacity {
                // After messages that were thrown away, the gap has to come first.
                if inner.lost > 0 && self.overflow == Overflow::DropNewest {
                    let lost = std::mem::take(&mut inner.lost);
                    inner.events.push_back(Event::Gap(Gap::Overflow { lost }));
                }
                inner.messages += 1;
                inner.events.push_back(Event::Message(message));
                return;
            }
            inner.lost += 1;
            match self.overflow {
                Overflow::DropOldest => {
                    inner.drop_oldest();
                    inner.events.push_back(Event::Message(message));
                }
                Overflow::DropNewest => {}
                Overflow::End => inner.ended = true,
            }
        });
    }

    /// One of its topics is subscribed to, for the first time or again, by the request with this number.
    pub(crate) fn confirm(&self, number: u64) {
        self.update(|inner| {
            if inner.unconfirmed > 0 {
                inner.unconfirmed -= 1;
            } else if inner.broken > 0 {
                inner.broken -= 1;
                // All topics of a request are subscribed to at the same moment; those of another one are another gap.
                if std::mem::replace(&mut inner.renewed_by, number) != number {
                    inner.mark_gap();
                }
            }
        });
    }

    /// One of its topics is lost, and will be renewed. `was_confirmed`: the server had confirmed it.
    pub(crate) fn displaced(&self, was_confirmed: bool) {
        if !was_confirmed {
            return; // it is counted already
        }
        let mut inner = self.lock();
        if inner.unconfirmed > 0 {
            inner.unconfirmed += 1;
        } else {
            inner.broken += 1;
        }
    }

    pub(crate) fn refuse(&self, error: &Error) {
        self.update(|inner| {
            if inner.unconfirmed > 0 {
                inner.refusal = Some(error.clone());
            } else {
                inner.events.push_back(Event::Refused(error.clone()));
            }
            inner.ended = true;
        });
    }

    /// As [`refuse`](Self::refuse), of a subscription that is not complete yet.
    pub(crate) fn refuse_unconfirmed(&self, error: &Error) {
        self.update(|inner| {
            if inner.unconfirmed > 0 {
                // It was the connection that was refused: the subscription was never sent.
                let refusal = Error::new(error.kind().clone(), Outcome::NotSent);
                inner.refusal = Some(refusal);
                inner.ended = true;
            }
        });
    }

    pub(crate) fn end(&self) {
        self.update(|inner| inner.ended = true);
    }

    /// Nobody will look into it any more.
    fn abandon(&self) {
        let mut inner = self.lock();
        inner.ended = true;
        inner.abandoned = true;
        inner.events = VecDeque::new();
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }
}

impl Inner {
    /// Throws a message away; what marks a gap stays.
    fn drop_oldest(&mut self) {
        let is_message = |event: &Event| matches!(event, Event::Message(_));
        let Some(oldest) = self.events.iter().position(is_message) else {
            return;
        };
        self.events.remove(oldest);
        // Two gaps with nothing in between are one.
        let between = oldest.checked_sub(1).zip(self.events.get(oldest));
        if between.is_some_and(|(_, next)| matches!(next, Event::Gap(Gap::Reconnected))) {
            self.events.remove(oldest);
        }
    }

    fn mark_gap(&mut self) {
        let marked = matches!(self.events.back(), Some(Event::Gap(Gap::Reconnected)));
        if !marked && !self.ended {
            self.events.push_back(Event::Gap(Gap::Reconnected));
        }
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
