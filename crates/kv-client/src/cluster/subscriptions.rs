//! Which node carries which subscription: a sharded channel goes to a node of its slot, the others to any.

use std::sync::Arc;

use crate::cluster::Cluster;
use crate::cluster::slots::key_slot;
use crate::connection::node::locked;
use crate::connection::topics::{Topic, TopicKind};
use crate::error::Error;
use crate::mailbox::Mailbox;
use crate::pubsub::Carrier;

impl Cluster {
    /// Finds a node for a topic and subscribes there. Without one it waits for the next map.
    pub(crate) fn place(&self, topic: &Topic, mailbox: &Arc<Mailbox>) {
        match self.carrier_of(topic) {
            Some(carrier) => {
                carrier.topics.add(topic, mailbox);
                // If the node left in the meantime, its topics are orphans already.
                carrier.link.nudge();
            }
            None => self
                .orphanage
                .take_in(topic.clone(), vec![Arc::clone(mailbox)]),
        }
        if mailbox.is_abandoned() {
            self.displace(topic, mailbox);
        }
    }

    fn carrier_of(&self, topic: &Topic) -> Option<Carrier> {
        let node = match topic.kind {
            TopicKind::Shard => {
                let map = self.map();
                let shard = map.shard(key_slot(&topic.name))?;
                self.node(&shard.primary)
            }
            // All nodes get all messages. One node carries all subscriptions, as long as it is there.
            TopicKind::Channel | TopicKind::Pattern => {
                let map = self.map();
                let nodes = locked(&self.nodes);
                let chosen = nodes
                    .values()
                    .find(|node| node.carriers().any(|carrier| carrier.topics.has_plain()))
                    .cloned();
                drop(nodes);
                match chosen {
                    Some(node) => node,
                    None if map.shards.is_empty() => return None,
                    None => self.any_node()?.1,
                }
            }
        };
        let carrier = node.carrier(self.version());
        (!carrier.topics.has_ended()).then_some(carrier)
    }

    /// Whether a topic has no connection; and why, if that is known.
    pub(crate) fn hindrance(&self, topic: &Topic) -> Option<Option<Error>> {
        match self.carrier_of(topic) {
            Some(carrier) => carrier.hindrance(),
            None => {
                let slot = (topic.kind == TopicKind::Shard).then(|| key_slot(&topic.name));
                let failure = self.no_node(slot);
                Some(Some(Error::new(failure.kind, failure.outcome)))
            }
        }
    }

    /// A subscriber is gone.
    pub(crate) fn displace(&self, topic: &Topic, mailbox: &Arc<Mailbox>) {
        self.orphanage.forget(topic, mailbox);
        let nodes: Vec<_> = locked(&self.nodes).values().cloned().collect();
        for carrier in nodes.iter().flat_map(|node| node.carriers()) {
            if carrier.topics.remove(topic, mailbox) {
                carrier.link.nudge();
            }
        }
    }

    /// Gives every subscription that lost its node another one.
    pub(super) fn place_orphans(&self) {
        for orphan in self.orphanage.release() {
            for mailbox in &orphan.mailboxes {
                self.place(&orphan.topic, mailbox);
            }
        }
    }
}
