//! The spans of commands, with OpenTelemetry's names.

#[path = "support/mod.rs"]
mod peers;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use kv_client::{Client, Config, Reply};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the fields of every span of a command.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Fields>>>);

type Fields = BTreeMap<String, String>;

struct Visitor<'a>(&'a mut Fields);

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.0
            .insert(field.name().to_owned(), text.trim_matches('"').to_owned());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "kv_client::command"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        attributes.record(&mut Visitor(&mut fields));
        let mut spans = self.0.lock().expect("not poisoned");
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let index = usize::try_from(id.into_u64()).expect("few spans") - 1;
        values.record(&mut Visitor(
            &mut self.0.lock().expect("not poisoned")[index],
        ));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let common = [("otel.kind", "client"), ("db.system.name", "redis")];
    let all = pairs.iter().chain(&common);
    all.map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::test]
async fn a_command_is_a_span_with_the_names_of_opentelemetry_and_without_keys_or_values() {
    let server = kv_server::Server::builder().start().await.unwrap();
    let client = Client::connect(Config::from(server.addr()).db(3))
        .await
        .unwrap();
    let spans = Spans::default();
    let _listening = tracing::subscriber::set_default(spans.clone());

    client.set("secret key", "secret value").await.unwrap();
    client.incr("secret key").await.unwrap_err();
    client
        .get("secret key")
        .into::<Vec<i64>>()
        .await
        .unwrap_err();
    client.config_get("maxmemory").await.unwrap();
    let both = (client.get("a"), client.get("b"));
    client.pipeline(both).await.unwrap();
    let mixed = vec![
        client.set("n", 1).into::<Reply>().plain(),
        client.lpush("n", 2).into().plain(),
    ];
    client.transaction(mixed).await.unwrap_err();

    let port = server.addr().port().to_string();
    let of = |name: &str, more: &[(&str, &str)]| {
        let place = [
            ("otel.name", name),
            ("db.operation.name", name),
            ("db.namespace", "3"),
            ("server.address", "127.0.0.1"),
            ("server.port", &port),
        ];
        fields(&[&place, more].concat())
    };
    let wrong_type = [
        ("db.response.status_code", "WRONGTYPE"),
        ("error.type", "WRONGTYPE"),
    ];
    let no_number = [("db.response.status_code", "ERR"), ("error.type", "ERR")];
    let two = ("db.operation.batch.size", "2");
    assert_eq!(
        *spans.0.lock().unwrap(),
        [
            of("SET", &[]),
            of("INCR", &no_number),
            of("GET", &[("error.type", "reply")]),
            of("CONFIG GET", &[]),
            of("PIPELINE GET", &[two]),
            of("MULTI", &[&[two], &wrong_type[..]].concat()),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_span_says_that_the_time_ran_out() {
    let (config, mut peers) = peers::peers(1024);
    let connecting = tokio::spawn(async move { Client::connect(config).await.unwrap() });
    let _peer = peers.accept().await;
    let client = connecting.await.unwrap();
    let spans = Spans::default();
    let _listening = tracing::subscriber::set_default(spans.clone());

    client.get("k").await.unwrap_err();
    let expected = fields(&[
        ("otel.name", "GET"),
        ("db.operation.name", "GET"),
        ("db.namespace", "0"),
        ("error.type", "timeout"),
    ]);
    assert_eq!(*spans.0.lock().unwrap(), [expected]);
}
