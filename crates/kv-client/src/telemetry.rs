//! Spans of `tracing` for commands, with the names of OpenTelemetry's [conventions for databases].
//!
//! [conventions for databases]: https://opentelemetry.io/docs/specs/semconv/database/redis/

use std::borrow::Cow;

use tracing::Span;
use tracing::field::{Empty, display};
use tracing::level_filters::LevelFilter;

use crate::config::{Address, Config};
use crate::error::{Error, ErrorKind};
use crate::request::Request;

/// The port that goes without saying.
const USUAL_PORT: u16 = 6379;

/// The span of one command, or of a batch. Costs next to nothing if nobody listens.
#[inline]
fn span(config: &Config, operation: impl Fn() -> Cow<'static, str>, batch: Option<usize>) -> Span {
    // Without the level, `debug_span!` makes a span that is disabled, too; but where another crate has switched on the
    // feature `log` of `tracing`, that one looks at each poll whether there is a logger.
    if LevelFilter::current() < LevelFilter::DEBUG {
        return Span::none();
    }
    enabled_span(config, operation, batch)
}

fn enabled_span(
    config: &Config,
    operation: impl Fn() -> Cow<'static, str>,
    batch: Option<usize>,
) -> Span {
    let span = tracing::debug_span!(
        target: "kv_client::command",
        "command",
        "otel.name" = %operation(),
        "otel.kind" = "client",
        "db.system.name" = "redis",
        "db.operation.name" = %operation(),
        "db.operation.batch.size" = batch,
        "db.namespace" = %config.db,
        "server.address" = Empty,
        "server.port" = Empty,
        "db.response.status_code" = Empty,
        "error.type" = Empty,
    );
    if !span.is_disabled() {
        match &config.address {
            Address::Tcp { host, port } => {
                span.record("server.address", host.as_str());
                if *port != USUAL_PORT {
                    span.record("server.port", port);
                }
            }
            Address::Unix(path) => {
                span.record("server.address", display(path.display()));
            }
            // Which server it is is known later, and may change.
            Address::Custom(_) | Address::Cluster(_) | Address::Sentinel { .. } => {}
        }
    }
    span
}

/// The span of one command; of a subcommand, with both of its words.
pub(crate) fn of_command(config: &Config, name: impl Fn() -> Cow<'static, str>) -> Span {
    span(config, name, None)
}

/// The span of a batch: `PIPELINE` or `MULTI`, and the name of its commands if they have only one.
pub(crate) fn of_batch(config: &Config, kind: &'static str, requests: &[Request]) -> Span {
    let operation = || {
        let mut names = requests.iter().map(Request::clone_name);
        match names.next() {
            Some(first) if names.all(|name| name == first) => Cow::Owned(format!("{kind} {first}")),
            _ => Cow::Borrowed(kind),
        }
    };
    span(config, operation, Some(requests.len()))
}

/// Notes how a command failed. Values and keys are in no error's type.
pub(crate) fn failed(span: &Span, error: &Error) {
    if span.is_disabled() {
        return;
    }
    if let Some(code) = error.code() {
        span.record("db.response.status_code", code);
        span.record("error.type", code);
        return;
    }
    let kind = match error.kind() {
        ErrorKind::Connect { .. } => "connect",
        ErrorKind::Credentials { .. } => "credentials",
        ErrorKind::Lost { .. } => "lost",
        ErrorKind::Protocol { .. } => "protocol",
        ErrorKind::Timeout { .. } => "timeout",
        ErrorKind::Reply(_) => "reply",
        ErrorKind::TooLong { .. } => "too_long",
        ErrorKind::Unshared { .. } => "unshared",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Closed => "closed",
        _ => "_OTHER",
    };
    span.record("error.type", kind);
}

/// Notes the first failure of a batch.
pub(crate) fn first_failed(span: &Span, failure: impl FnOnce() -> Option<Error>) {
    if span.is_disabled() {
        return;
    }
    if let Some(error) = failure() {
        failed(span, &error);
    }
}
