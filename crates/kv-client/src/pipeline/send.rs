//! A batch on its way, and what its answer says of each command.

use std::borrow::Cow;

use super::batch::{Parts, Replies};
use crate::class::{Class, Retry};
use crate::client::{Client, Servers};
use crate::command::Settings;
use crate::config::ReadFrom;
use crate::connection::exchange::{Again, Exchange, Requests, check};
use crate::connection::link::{Answer, Failure, Freight, TimeLimit};
use crate::connection::node::Node;
use crate::error::{Error, ErrorKind, Outcome, Result, ServerError};
use crate::reply::Reply;
use crate::request::Request;

/// Commands that can go out, with what holds for all of them.
struct Ready {
    requests: Vec<Request>,
    /// What each says of the nodes that may serve it; nothing, if there is only one.
    reads_from: Vec<Option<ReadFrom>>,
    limit: TimeLimit,
    again: Again,
}

/// Sends the commands of a pipeline; what became of each.
pub(super) async fn send_pipeline(
    client: &Client,
    parts: Parts,
    settings: Settings,
) -> Result<Replies> {
    let Ready {
        requests,
        reads_from,
        limit,
        again,
    } = prepare(client, parts, settings)?;
    if requests.is_empty() {
        return Ok(Replies::default());
    }
    match &client.inner.servers {
        Servers::One(node) => {
            let len = requests.len();
            let freight = Requests {
                list: requests,
                atomic: false,
            };
            let answer = carry(node, freight, limit, again, settings.bulk).await;
            Ok(each_reply(answer, len))
        }
        Servers::Cluster(cluster) => {
            let requests = requests.into_iter().zip(reads_from).collect();
            let results = cluster
                .run_batch(requests, limit, again, settings.bulk)
                .await;
            let error = |failure: Failure| Error::new(failure.kind, failure.outcome);
            let results = results.into_iter().map(|result| result.map_err(error));
            Ok(Replies::new(Vec::new(), results.collect()))
        }
    }
}

/// Sends the commands of a transaction between MULTI and EXEC.
pub(super) async fn send_transaction(
    client: &Client,
    parts: Parts,
    settings: Settings,
) -> Result<Result<Answer, Failure>> {
    let Ready {
        mut requests,
        limit,
        again,
        ..
    } = prepare(client, parts, settings)?;
    if requests.is_empty() {
        return Ok(Ok(Answer::Many {
            replies: Vec::new(),
            failure: None,
            executed_maybe: 0,
            earlier: 0,
        }));
    }
    requests.insert(0, Request::new("MULTI"));
    requests.push(Request::new("EXEC"));
    let freight = Requests {
        list: requests,
        atomic: true,
    };
    Ok(match &client.inner.servers {
        Servers::One(node) => carry(node, freight, limit, again, settings.bulk).await,
        Servers::Cluster(cluster) => {
            let bulk = settings.bulk;
            cluster.run_transaction(freight, limit, again, bulk).await
        }
    })
}

/// Sends a batch to one server, by itself if it is large.
async fn carry(
    node: &Node,
    freight: Requests<Request>,
    limit: TimeLimit,
    again: Again,
    bulk: Option<bool>,
) -> Result<Answer, Failure> {
    if node.bulk.takes(Class::Write, freight.len(), bulk) {
        return node.run_bulk(freight, limit, again).await;
    }
    let answer = Exchange::new(&node.link, &freight, limit, again)
        .run()
        .await;
    node.forget(&freight);
    answer
}

fn prepare(client: &Client, parts: Parts, settings: Settings) -> Result<Ready> {
    let Parts {
        mut requests,
        settings: own,
    } = parts;
    let config = client.config();
    let mut again = Again {
        resends: true,
        repeats: true,
        left: config.max_retries,
    };
    let is_cluster = matches!(client.inner.servers, Servers::Cluster(_));
    let mut reads_from = Vec::new();
    let mut rest = own.iter().peekable();
    for (index, request) in requests.iter_mut().enumerate() {
        request.seal();
        check(request, config, true)?;
        let own = rest.next_if(|(at, _)| *at == index);
        let own = own.map(|(_, settings)| *settings).unwrap_or_default();
        let retry = settings.retry.or(own.retry).unwrap_or(config.retry);
        if is_cluster {
            reads_from.push(settings.read_from.or(own.read_from));
        }
        again.resends &= retry != Retry::Never;
        again.repeats &= retry.repeats(request.class());
    }
    let shortest = own
        .iter()
        .filter_map(|(_, settings)| settings.timeout.flatten())
        .min();
    let timeout = settings
        .timeout
        .unwrap_or_else(|| shortest.or(config.command_timeout));
    let limit = TimeLimit {
        timeout,
        deadline: None,
    };
    Ok(Ready {
        reads_from,
        requests,
        limit,
        again,
    })
}

/// What became of each command of a pipeline.
fn each_reply(answer: Result<Answer, Failure>, len: usize) -> Replies {
    let (replies, failure, executed_maybe, earlier) = match answer {
        Ok(Answer::Many {
            replies,
            failure,
            executed_maybe,
            earlier,
        }) => (replies, failure, executed_maybe, earlier),
        Ok(Answer::One(reply)) => (vec![reply], None, 1, 0),
        Ok(Answer::Failed(failure)) | Err(failure) => {
            let sent = failure.outcome != Outcome::NotSent;
            (Vec::new(), Some(failure), if sent { len } else { 0 }, 0)
        }
    };
    let answered = replies.len();
    let missing = (answered..len).map(|index| {
        let kind = failure
            .as_ref()
            .map_or(ErrorKind::Closed, |failure| failure.kind.clone());
        let outcome = if index < executed_maybe {
            Outcome::MaybeExecuted
        } else {
            Outcome::NotSent
        };
        Err(Error::new(kind, outcome))
    });
    if earlier == 0 {
        return Replies::new(replies, missing.collect());
    }
    let refused_again = replies
        .into_iter()
        .enumerate()
        .map(|(index, reply)| match reply {
            Reply::Error(error) if index < earlier => Err(refused_after(earlier, error)),
            reply => Ok(reply),
        });
    Replies::new(Vec::new(), refused_again.chain(missing).collect())
}

/// What a server's refusal says if so many commands may have been executed by an attempt before that.
fn refused_after(earlier: usize, error: ServerError) -> Error {
    match earlier {
        0 => Error::server(error),
        _ => Error::new(ErrorKind::Server(error), Outcome::MaybeExecuted),
    }
}

/// The replies to the commands of a transaction, if it was run.
pub(super) fn executed(
    answer: Result<Answer, Failure>,
    names: &[Cow<'static, str>],
) -> Result<Replies> {
    let not_run = |failure: Failure, outcome| Err(Error::new(failure.kind, outcome).of("EXEC"));
    let (mut replies, earlier) = match answer {
        Ok(Answer::Many {
            replies,
            failure: None,
            ..
        }) if replies.is_empty() => return Ok(Replies::default()),
        Ok(Answer::Many {
            replies,
            failure: None,
            earlier,
            ..
        }) => (replies, earlier),
        Ok(Answer::Many {
            failure: Some(failure),
            executed_maybe,
            ..
        }) => {
            // Without a whole EXEC the server drops what it had queued.
            let whole = executed_maybe == names.len() + 2;
            return not_run(
                failure,
                if whole {
                    Outcome::MaybeExecuted
                } else {
                    Outcome::NotSent
                },
            );
        }
        Ok(Answer::One(reply)) => (vec![reply], 0),
        Ok(Answer::Failed(failure)) | Err(failure) => {
            let outcome = failure.outcome;
            return not_run(failure, outcome);
        }
    };
    let exec = replies.pop();
    // Behind a MULTI that was refused, the commands were not queued but run.
    let is_refused = |reply: &Reply| matches!(reply, Reply::Error(_));
    let unguarded = replies.first().is_some_and(is_refused) && !replies.iter().all(is_refused);
    let earlier = if unguarded { replies.len() } else { earlier };
    let queued = std::iter::once("MULTI").chain(names.iter().map(AsRef::as_ref));
    for (name, reply) in queued.zip(replies) {
        if let Reply::Error(error) = reply {
            return Err(refused_after(earlier, error).of(name.to_owned()));
        }
    }
    match exec {
        Some(Reply::Array(elements)) if elements.len() == names.len() => {
            Ok(Replies::new(elements.iter().collect(), Vec::new()))
        }
        Some(Reply::Error(error)) => Err(refused_after(earlier, error).of("EXEC")),
        Some(Reply::Null) => Err(Error::new(ErrorKind::Conflict, Outcome::Rejected).of("EXEC")),
        Some(other) => Err(Error::reply(
            other.mismatch("the replies to the transaction's commands"),
        )
        .of("EXEC")),
        None => Err(Error::new(ErrorKind::Closed, Outcome::NotSent).of("EXEC")),
    }
}
