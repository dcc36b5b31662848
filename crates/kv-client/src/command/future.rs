//! A [`Command`](super::Command) on its way.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::Span;

use super::{Decode, Settings};
use crate::class::Class;
use crate::client::{Client, Servers};
use crate::connection::exchange::{Exchange, check};
use crate::connection::link::{Answer, Failure};
use crate::connection::node::Node;
use crate::error::{Error, Result};
use crate::reply::Reply;
use crate::request::Request;
use crate::telemetry;

/// A running [`Command`](super::Command).
#[must_use = "futures do nothing until they are polled"]
pub struct CommandFuture<'a, T> {
    run: Run<'a>,
    decode: Decode<T>,
    span: Span,
}

impl<'a, T> CommandFuture<'a, T> {
    pub(super) fn new(
        client: &'a Client,
        mut request: Request,
        decode: Decode<T>,
        settings: Settings,
    ) -> Self {
        request.seal();
        let span = telemetry::of_command(client.config(), || request.clone_name());
        let run = match check(&request, client.config(), false) {
            Err(refusal) => Run::Refused(Some(refusal)),
            Ok(()) => run(client, request, settings),
        };
        Self { run, decode, span }
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "the large one is what nearly all commands are"
)]
enum Run<'a> {
    Shared(Exchange<'a, Request>, &'a Node),
    /// In a cluster, or on a lane.
    Boxed {
        future: Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'a>>,
        name: Cow<'static, str>,
    },
    Refused(Option<Error>),
}

fn run(client: &Client, request: Request, settings: Settings) -> Run<'_> {
    let (limit, again) = client.plan(&request, settings);
    let node = match &client.inner.servers {
        Servers::One(node) => node,
        Servers::Cluster(cluster) => {
            let name = request.clone_name();
            let future = Box::pin(cluster.run(request, limit, again, settings, false));
            return Run::Boxed { future, name };
        }
    };
    if request.class() == Class::Blocking {
        let name = request.clone_name();
        let lane = node.run_blocking(request, limit, again);
        let future = Box::pin(async move { single(lane.await) });
        return Run::Boxed { future, name };
    }
    if node
        .bulk
        .takes(request.class(), request.len(), settings.bulk)
    {
        let name = request.clone_name();
        let answer = node.run_bulk(request, limit, again);
        let future = Box::pin(async move { single(answer.await) });
        return Run::Boxed { future, name };
    }
    Run::Shared(Exchange::new(&node.link, request, limit, again), node)
}

impl<T> Future for CommandFuture<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let Self { run, decode, span } = &mut *self;
        let decode = *decode;
        let entered = span.enter();
        let result = match run {
            Run::Shared(exchange, node) => match exchange.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(answer) => {
                    node.forget(exchange.freight());
                    finish(single(answer), decode)
                        .map_err(|error| error.of(exchange.freight().clone_name()))
                }
            },
            Run::Boxed { future, name } => match future.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(reply) => finish(reply, decode).map_err(|error| error.of(name.clone())),
            },
            Run::Refused(refusal) => match refusal.take() {
                Some(refusal) => Err(refusal),
                None => panic!("polled again after it was ready"),
            },
        };
        drop(entered);
        if let Err(error) = &result {
            telemetry::failed(span, error);
        }
        Poll::Ready(result)
    }
}

pub(crate) fn finish<T>(reply: Result<Reply, Failure>, decode: Decode<T>) -> Result<T> {
    match reply {
        Ok(Reply::Error(error)) => Err(Error::server(error)),
        Ok(reply) => decode(reply).map_err(Error::reply),
        Err(failure) => Err(Error::new(failure.kind, failure.outcome)),
    }
}

pub(crate) fn single(answer: Result<Answer, Failure>) -> Result<Reply, Failure> {
    match answer? {
        Answer::One(reply) => Ok(reply),
        Answer::Failed(failure) => Err(failure),
        Answer::Many { .. } => unreachable!("one command was sent"),
    }
}

impl<T> fmt::Debug for CommandFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandFuture").finish_non_exhaustive()
    }
}
