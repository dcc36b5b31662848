//! Channels, patterns and shard channels: who listens, and delivery.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::sync::Arc;

use bytes::BytesMut;
use resp_codec::Version;

use crate::config::OutputLimit;
use crate::connection::peer::Peer;
use crate::connection::session::Session;
use crate::engine::Shared;
use crate::glob;
use crate::reply::Reply;

/// Who listens to what.
#[derive(Debug, Default)]
pub(crate) struct PubSub {
    channels: HashMap<Box<[u8]>, Listeners>,
    patterns: BTreeMap<Box<[u8]>, Listeners>,
    shard_channels: HashMap<Box<[u8]>, Listeners>,
}

/// By client id, so that delivery has an order.
type Listeners = BTreeMap<u64, Listener>;

#[derive(Debug)]
struct Listener {
    peer: Arc<Peer>,
    version: Version,
}

/// What came of a message.
#[derive(Debug, Clone, Copy, Default)]
struct Delivery {
    receivers: usize,
    /// Listeners that did not read and are closed now.
    cut_off: u64,
    /// Bytes that wait for the slowest listener.
    most_unread: usize,
}

impl AddAssign for Delivery {
    fn add_assign(&mut self, other: Self) {
        self.receivers += other.receivers;
        self.cut_off += other.cut_off;
        self.most_unread = self.most_unread.max(other.most_unread);
    }
}

impl Shared {
    /// Delivers a message to all who listen to a channel, or to a pattern that matches it. Returns how many do.
    pub(crate) fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let delivery = self
            .pubsub
            .publish(channel, message, self.config.pubsub_output);
        self.count(delivery)
    }

    /// Delivers a message to all who listen to a shard channel. Returns how many do.
    pub(crate) fn publish_shard(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let delivery = self
            .pubsub
            .publish_shard(channel, message, self.config.pubsub_output);
        self.count(delivery)
    }

    fn count(&mut self, delivery: Delivery) -> usize {
        self.stats.output_limit_disconnections += delivery.cut_off;
        self.clients
            .note_output(delivery.most_unread, self.config.pubsub_output);
        delivery.receivers
    }
}

/// The three name spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Channel,
    Pattern,
    Shard,
}

impl Kind {
    /// The first element of the confirmation.
    pub(crate) fn subscribed(self) -> &'static str {
        match self {
            Self::Channel => "subscribe",
            Self::Pattern => "psubscribe",
            Self::Shard => "ssubscribe",
        }
    }

    pub(crate) fn unsubscribed(self) -> &'static str {
        match self {
            Self::Channel => "unsubscribe",
            Self::Pattern => "punsubscribe",
            Self::Shard => "sunsubscribe",
        }
    }
}

/// A name at the connection that listens to it, and the connection at the name, which may be its only one.
fn subscription_bytes(name: &[u8]) -> usize {
    const PLACES: usize = size_of::<Box<[u8]>>() + size_of::<(Box<[u8]>, Listeners)>();
    PLACES + size_of::<(u64, Listener)>() + 2 * name.len()
}

impl PubSub {
    /// Adds a listener. `false` if it was one already.
    pub(crate) fn subscribe(&mut self, kind: Kind, name: &[u8], session: &mut Session) -> bool {
        let added = session.subscriptions.of(kind).insert(name.into());
        if added {
            session.listening_bytes += subscription_bytes(name);
            let listener = Listener {
                peer: session.peer.clone(),
                version: session.version,
            };
            match kind {
                Kind::Channel => self.channels.entry(name.into()).or_default(),
                Kind::Pattern => self.patterns.entry(name.into()).or_default(),
                Kind::Shard => self.shard_channels.entry(name.into()).or_default(),
            }
            .insert(session.id, listener);
        }
        added
    }

    /// Removes a listener. `false` if it was none.
    pub(crate) fn unsubscribe(&mut self, kind: Kind, name: &[u8], session: &mut Session) -> bool {
        let removed = session.subscriptions.of(kind).remove(name);
        if removed {
            session.listening_bytes -= subscription_bytes(name);
            self.remove(kind, name, session.id);
        }
        removed
    }

    fn remove(&mut self, kind: Kind, name: &[u8], id: u64) {
        let listeners = match kind {
            Kind::Channel => self.channels.get_mut(name),
            Kind::Pattern => self.patterns.get_mut(name),
            Kind::Shard => self.shard_channels.get_mut(name),
        };
        let Some(listeners) = listeners else { return };
        listeners.remove(&id);
        if listeners.is_empty() {
            match kind {
                Kind::Channel => drop(self.channels.remove(name)),
                Kind::Pattern => drop(self.patterns.remove(name)),
                Kind::Shard => drop(self.shard_channels.remove(name)),
            }
        }
    }

    /// Forgets a connection, without telling it.
    pub(crate) fn unsubscribe_all(&mut self, session: &mut Session) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in std::mem::take(session.subscriptions.of(kind)) {
                session.listening_bytes -= subscription_bytes(&name);
                self.remove(kind, &name, session.id);
            }
        }
    }

    /// The connection changed its protocol version (HELLO): messages follow it.
    pub(crate) fn version_changed(&mut self, session: &mut Session) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in session.subscriptions.of(kind).iter() {
                let listeners = match kind {
                    Kind::Channel => self.channels.get_mut(name),
                    Kind::Pattern => self.patterns.get_mut(name),
                    Kind::Shard => self.shard_channels.get_mut(name),
                };
                if let Some(listener) =
                    listeners.and_then(|listeners| listeners.get_mut(&session.id))
                {
                    listener.version = session.version;
                }
            }
        }
    }

    /// Delivers a message to the listeners of a channel, then to those of each pattern that matches.
    ///
    /// A listener with more unread bytes than the hard limit allows is cut off.
    fn publish(&self, channel: &[u8], message: &[u8], limit: OutputLimit) -> Delivery {
        let mut count = Delivery::default();
        if let Some(listeners) = self.channels.get(channel) {
            count += deliver(listeners, limit, &[b"message", channel, message]);
        }
        for (pattern, listeners) in &self.patterns {
            if glob::matches(pattern, channel) {
                count += deliver(listeners, limit, &[b"pmessage", pattern, channel, message]);
            }
        }
        count
    }

    /// Delivers a message to the listeners of a shard channel.
    fn publish_shard(&self, channel: &[u8], message: &[u8], limit: OutputLimit) -> Delivery {
        let mut count = Delivery::default();
        if let Some(listeners) = self.shard_channels.get(channel) {
            count += deliver(listeners, limit, &[b"smessage", channel, message]);
        }
        count
    }

    /// Channels with listeners, and how many each has.
    pub(crate) fn channels(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        let channels = if kind == Kind::Shard {
            &self.shard_channels
        } else {
            &self.channels
        };
        channels.keys().map(|name| &**name)
    }

    pub(crate) fn listeners(&self, kind: Kind, name: &[u8]) -> usize {
        let channels = if kind == Kind::Shard {
            &self.shard_channels
        } else {
            &self.channels
        };
        channels.get(name).map_or(0, Listeners::len)
    }

    pub(crate) fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    pub(crate) fn channel_count(&self, kind: Kind) -> usize {
        if kind == Kind::Shard {
            self.shard_channels.len()
        } else {
            self.channels.len()
        }
    }
}

/// Encodes a message once a protocol version, and appends it to each listener's outbox.
fn deliver(listeners: &Listeners, limit: OutputLimit, parts: &[&[u8]]) -> Delivery {
    let mut delivery = Delivery {
        receivers: listeners.len(),
        ..Delivery::default()
    };
    let (mut resp2, mut resp3) = (BytesMut::new(), BytesMut::new());
    for listener in listeners.values() {
        let encoded = match listener.version {
            Version::Resp2 => &mut resp2,
            Version::Resp3 => &mut resp3,
        };
        if encoded.is_empty() {
            let mut reply = Reply {
                buf: encoded,
                version: listener.version,
            };
            reply.push(parts.len());
            parts.iter().for_each(|part| reply.bulk(part));
        }
        let unread = listener
            .peer
            .deliver(limit.hard_bytes(), |buf| buf.extend_from_slice(encoded));
        delivery.cut_off += u64::from(unread > limit.hard_bytes());
        delivery.most_unread = delivery.most_unread.max(unread);
    }
    delivery
}
