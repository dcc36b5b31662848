//! The spans and events that the documentation of `framed_echo::server` lists.

mod common;

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{client, config, plain, relay};
use framed_echo::{
    ClientCodec, Item, Message, Request,
    control::Code,
    server::{Server, SlowReader},
};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::Framed;
use tracing::{
    Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// An event: its level, the spans that it is in, and its fields, of which `message` is the name.
#[derive(Clone, Debug)]
struct Seen {
    level: Level,
    spans: Vec<String>,
    fields: Fields,
}

#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Fields {
    fn name(&self) -> &str {
        self.0.get("message").map_or("", String::as_str)
    }

    /// The names of the fields, without the message.
    fn names(&self) -> Vec<&'static str> {
        let names = self.0.keys().copied();
        names.filter(|name| *name != "message").collect()
    }

    fn get(&self, name: &str) -> &str {
        &self.0[name]
    }
}

/// Keeps the events of this crate.
#[derive(Clone, Default)]
struct Recorder(Arc<Log>);

#[derive(Default)]
struct Log {
    last_span: AtomicU64,
    spans: Mutex<BTreeMap<u64, String>>,
    entered: Mutex<Vec<u64>>,
    seen: Mutex<Vec<Seen>>,
}

impl Recorder {
    /// The events of this name.
    fn named(&self, name: &str) -> Vec<Seen> {
        let seen = self.0.seen.lock().expect("not poisoned");
        let named = seen.iter().filter(|seen| seen.fields.name() == name);
        named.cloned().collect()
    }

    /// The one event of this name, which is as documented.
    fn one(&self, name: &str, level: Level, fields: &[&str]) -> Seen {
        let named = self.named(name);
        let [seen] = &named[..] else {
            panic!("{name}: {named:?}");
        };
        assert_eq!((seen.level, &seen.fields.names()[..]), (level, fields));
        seen.clone()
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("framed_echo")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.0.last_span.fetch_add(1, Relaxed) + 1;
        let mut fields = Fields::default();
        span.record(&mut fields);
        assert_eq!(*span.metadata().level(), Level::DEBUG);
        let fields: Vec<_> = fields
            .0
            .into_iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let span = format!("{}{{{}}}", span.metadata().name(), fields.join(", "));
        self.0.spans.lock().expect("not poisoned").insert(id, span);
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = self.0.spans.lock().expect("not poisoned");
        let entered = self.0.entered.lock().expect("not poisoned");
        let seen = Seen {
            level: *event.metadata().level(),
            spans: entered.iter().map(|id| spans[id].clone()).collect(),
            fields,
        };
        self.0.seen.lock().expect("not poisoned").push(seen);
    }

    fn enter(&self, span: &Id) {
        self.0
            .entered
            .lock()
            .expect("not poisoned")
            .push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let left = self.0.entered.lock().expect("not poisoned").pop();
        assert_eq!(left, Some(span.into_u64()));
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_connection_is_a_span_from_open_to_closed() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let server = Server::builder()
        .bind("127.0.0.1:0")
        .start()
        .await
        .expect("a free port");
    let mut peer = Framed::new(server.connect(), ClientCodec::new());
    peer.send(Request::text(7, 8, "body, never logged"))
        .await
        .expect("open");
    peer.next().await.expect("open").expect("an echo");
    drop(peer);
    server.shutdown(MINUTE).await;

    let listening = recorder.one("listening", Level::INFO, &["address"]);
    assert!(listening.fields.get("address").contains("127.0.0.1:"));
    assert!(listening.spans.is_empty());
    let span = ["conn{id=1, peer=memory}".to_owned()];
    let joined = recorder.one("joined", Level::DEBUG, &["id", "session"]);
    assert_eq!(
        (joined.fields.get("id"), joined.fields.get("session")),
        ("7", "false")
    );
    let message = recorder.one("message", Level::TRACE, &["kind", "len"]);
    assert_eq!(
        (message.fields.get("kind"), message.fields.get("len")),
        ("1", "18")
    );
    let closed = recorder.one("closed", Level::DEBUG, &["end", "undelivered"]);
    assert_eq!(closed.fields.get("undelivered"), "0");
    for seen in [
        recorder.one("open", Level::DEBUG, &[]),
        joined,
        message,
        closed,
    ] {
        assert_eq!(seen.spans, span, "{seen:?}");
    }
    recorder.one("draining", Level::INFO, &["deadline", "open"]);
    recorder.one("stopped", Level::INFO, &["cut", "finished"]);
    let all = format!("{:?}", recorder.0.seen.lock().expect("not poisoned"));
    assert!(!all.contains("never logged"), "{all}");
}

#[tokio::test]
async fn a_frame_that_breaks_off_or_is_refused_is_an_event_of_its_connection() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let server = Server::builder()
        .config(config(|config| config.max_connections = 2))
        .bind("127.0.0.1:0")
        .start()
        .await
        .expect("a free port");
    let mut broken = server.connect();
    broken.write_all(&[0, 0, 0]).await.expect("open");
    let mut refused = Framed::new(server.connect(), ClientCodec::new());
    let len = u32::MAX.to_be_bytes();
    let header = [&[0, 0, 0, 7, 0, 0, 0, 8, 1][..], &len].concat();
    refused.get_mut().write_all(&header).await.expect("open");
    let Item::Frame(_) = refused.next().await.expect("open").expect("an error frame") else {
        panic!("no frame");
    };
    // Both places are taken.
    let mut third = server.connect();
    third
        .read_to_end(&mut Vec::new())
        .await
        .expect("turned away");
    broken.shutdown().await.expect("open");
    broken.read_to_end(&mut Vec::new()).await.expect("closed");
    drop(refused);
    server.shutdown(MINUTE).await;

    let truncated = recorder.named("truncated");
    assert_eq!(truncated.len(), 2, "{truncated:?}");
    assert_eq!(truncated[0].spans, ["conn{id=1, peer=memory}"]);
    assert_eq!(
        truncated[0].fields.get("error"),
        "stream ended inside a header: 10 of 13 bytes are missing"
    );
    let refused = recorder.one("refused", Level::DEBUG, &["code"]);
    assert_eq!(refused.spans, ["conn{id=2, peer=memory}"]);
    assert_eq!(refused.fields.get("code"), Code::TooLong.to_string());
    let turned_away = recorder.one("turned away", Level::DEBUG, &[]);
    assert_eq!(turned_away.spans, ["conn{id=3, peer=memory}"]);
}

#[tokio::test]
async fn a_full_queue_is_an_event_that_names_the_slow_connection_and_the_policy() {
    for policy in [SlowReader::DropOldest, SlowReader::Inbox, SlowReader::Cut] {
        let recorder = Recorder::default();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let server = relay(config(|config| {
            config.queue.messages = 1;
            config.queue.slow_reader = policy;
        }))
        .await;
        let _bob = plain(&server, 2).await; // and reads nothing more
        let (alice, _incoming) = client(&server, 1).await;
        while recorder.named("slow reader").is_empty() {
            let message = Message::text(1, 2, "x".repeat(10_000));
            alice.post(message).await.expect("open");
            tokio::task::yield_now().await;
        }
        let slow = &recorder.named("slow reader")[0];
        assert_eq!(
            (slow.level, slow.fields.names()),
            (Level::DEBUG, vec!["connection", "policy"])
        );
        assert_eq!(slow.fields.get("connection"), "1");
        assert_eq!(slow.fields.get("policy"), format!("{policy:?}"));
        assert!(
            slow.spans[0].starts_with("conn{id=2, peer=127.0.0.1:"),
            "in the sender's: {slow:?}"
        );
    }
}
