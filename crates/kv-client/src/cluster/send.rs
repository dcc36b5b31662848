//! One request to one node, and what has to stand around it.

use crate::class::Class;
use crate::connection::exchange::{Again, Exchange, Requests};
use crate::connection::link::{Answer, Failure, Freight, TimeLimit};
use crate::connection::node::Node;
use crate::error::Outcome;
use crate::reply::Reply;
use crate::request::Request;
use crate::table::row;

/// What goes out in front of a request and behind it, on a connection that others use too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Around {
    #[default]
    Nothing,
    /// The slot is being moved to this node.
    Asking,
    /// A replica may serve it, on a connection that is for primaries otherwise.
    ReadOnly,
    /// Only the primary may serve it, on a connection that takes replies of replicas otherwise.
    ReadWrite,
}

impl Around {
    pub(super) fn before(self) -> Option<Request> {
        match self {
            Self::Nothing => None,
            Self::Asking => Some(Request::of(row!("ASKING"))),
            Self::ReadOnly => Some(Request::of(row!("READONLY"))),
            Self::ReadWrite => Some(Request::of(row!("READWRITE"))),
        }
    }

    pub(super) fn after(self) -> Option<Request> {
        match self {
            Self::Nothing | Self::Asking => None,
            Self::ReadOnly => Some(Request::of(row!("READWRITE"))),
            Self::ReadWrite => Some(Request::of(row!("READONLY"))),
        }
    }
}

/// Sends one request to one node.
pub(super) async fn send(
    node: &Node,
    request: &Request,
    around: Around,
    limit: TimeLimit,
    bulk: Option<bool>,
) -> Result<Reply, Failure> {
    let (before, after) = (around.before(), around.after());
    let Some(before) = before else {
        return match carry(node, request, request.class(), limit, bulk).await? {
            Answer::One(reply) => Ok(reply),
            Answer::Failed(failure) => Err(failure),
            Answer::Many { .. } => unreachable!("one command was sent"),
        };
    };
    let list = [&before, request].into_iter().chain(&after).collect();
    let freight = Requests {
        list,
        atomic: false,
    };
    match carry(node, freight, request.class(), limit, bulk).await? {
        Answer::Many {
            mut replies,
            failure,
            executed_maybe,
            ..
        } => match (replies.len(), failure) {
            // The reply is here, whatever became of what stands behind it.
            (2.., _) => Ok(replies.swap_remove(1)),
            (_, Some(failure)) => Err(Failure {
                outcome: match executed_maybe {
                    2.. => Outcome::MaybeExecuted,
                    _ => Outcome::NotSent,
                },
                ..failure
            }),
            (_, None) => Ok(Reply::Null),
        },
        Answer::Failed(failure) => Err(failure),
        Answer::One(reply) => Ok(reply),
    }
}

/// Sends something to one node, over the connection for what blocks, what is large, or all the rest.
pub(super) async fn carry(
    node: &Node,
    freight: impl Freight,
    class: Class,
    limit: TimeLimit,
    bulk: Option<bool>,
) -> Result<Answer, Failure> {
    if class == Class::Blocking {
        node.run_blocking(freight, limit, Again::NEVER).await
    } else if node.bulk.takes(class, freight.len(), bulk) {
        node.run_bulk(freight, limit, Again::NEVER).await
    } else {
        let shared = Exchange::new(&node.link, &freight, limit, Again::NEVER);
        let answer = shared.run().await;
        node.forget(&freight);
        answer
    }
}
