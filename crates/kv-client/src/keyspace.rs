//! Keyspace notifications: what happens to keys, as a subscription.

use bytes::Bytes;

use crate::arg::ToArg;
use crate::client::{Client, Servers};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::pubsub::{Message, Subscription};
use crate::request::Request;

/// Something that happened to a key; see [`Message::key_event`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyEvent {
    /// In which database.
    pub db: u32,
    /// To which key.
    pub key: Bytes,
    /// What: `set`, `del`, `expired`, `lpush`, ...
    pub event: Bytes,
}

impl Client {
    /// What happens to the keys that match a pattern, in the database of this client: a subscription whose messages
    /// [`Message::key_event`] reads.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use kv_client::Event;
    ///
    /// let mut events = client.key_events("session:*").await?;
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         Event::Message(message) => println!("{:?}", message.key_event()),
    ///         other => println!("something may be missing: {other:?}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// The server says nothing unless its `notify-keyspace-events` has `K` and the classes of events that are wanted;
    /// see [Keyspace notifications]. In a cluster each node speaks of its own keys only, so one of
    /// [`cluster_nodes`](Self::cluster_nodes) is to be asked.
    ///
    /// # Errors
    ///
    /// As any subscription; [`ErrorKind::OneNode`] in a cluster.
    ///
    /// [Keyspace notifications]: https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/
    pub async fn key_events(&self, pattern: impl ToArg) -> Result<Subscription> {
        let Servers::One(node) = &self.inner.servers else {
            let instead = "ask one of Client::cluster_nodes";
            let error = Error::new(ErrorKind::OneNode { instead }, Outcome::NotSent);
            return Err(error.of("PSUBSCRIBE"));
        };
        let mut request = Request::new("PSUBSCRIBE");
        pattern.to_arg(&mut request);
        let mut channel = format!("__keyspace@{}__:", node.session().db).into_bytes();
        channel.extend_from_slice(request.args().next().unwrap_or_default());
        self.psubscribe(channel).await
    }
}

impl Message {
    /// What happened to which key, if this is a keyspace notification of either form.
    #[must_use]
    pub fn key_event(&self) -> Option<KeyEvent> {
        let by_key = self.channel.strip_prefix(b"__keyspace@");
        let (rest, is_by_key) = match by_key {
            Some(rest) => (rest, true),
            None => (self.channel.strip_prefix(b"__keyevent@")?, false),
        };
        let end = rest.windows(3).position(|window| window == b"__:")?;
        let db = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
        let named = self.channel.slice_ref(&rest[end + 3..]);
        let (key, event) = match is_by_key {
            true => (named, self.payload.clone()),
            false => (self.payload.clone(), named),
        };
        Some(KeyEvent { db, key, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(channel: &'static str, payload: &'static str) -> Option<(u32, String, String)> {
        let message = Message {
            channel: Bytes::from_static(channel.as_bytes()),
            pattern: None,
            payload: Bytes::from_static(payload.as_bytes()),
        };
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        let event = message.key_event()?;
        Some((event.db, text(event.key), text(event.event)))
    }

    #[test]
    fn both_forms_say_the_same() {
        let expected = Some((3, "a__:b".to_owned(), "set".to_owned()));
        assert_eq!(read("__keyspace@3__:a__:b", "set"), expected);
        assert_eq!(read("__keyevent@3__:set", "a__:b"), expected);
        for channel in ["news", "__keyspace@", "__keyspace@x__:k", "__keyspace@1_:k"] {
            assert_eq!(read(channel, "set"), None, "{channel}");
        }
    }
}
