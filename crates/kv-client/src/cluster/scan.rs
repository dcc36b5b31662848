//! A scan over all nodes of a cluster.
//!
//! Each node has cursors of its own, and slots may move in the meantime. So what is remembered is which slots are done: those
//! that a node had from the start of its scan to the end. It goes on until that is all of them.

use crate::cluster::Cluster;
use crate::cluster::map::Addr;
use crate::cluster::run::not_sent;
use crate::cluster::slots::SLOTS;
use crate::connection::exchange::{Again, Exchange};
use crate::connection::link::{Answer, Failure, TimeLimit};
use crate::error::{ErrorKind, Outcome};
use crate::reply::Reply;
use crate::request::Request;

/// How far a scan over all nodes has come.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    done: Vec<bool>,
    /// The node that is being scanned, the slots that it had at the start, and the connections it had had.
    at: Option<(Addr, Vec<u16>, u64)>,
    /// Times in a row that a node was lost.
    losses: u32,
}

impl Walk {
    /// The first slot that is not done.
    fn next_slot(&self) -> Option<u16> {
        let next = self.done.iter().position(|done| !done)?;
        u16::try_from(next).ok()
    }
}

impl Cluster {
    /// Takes one step: sends `scan`, which makes the request with a cursor, where the walk has come to.
    ///
    /// `Ok(None)` is the end. A good reply is given to [`Self::walked`] with the cursor in it.
    pub(crate) async fn walk(
        &self,
        walk: &mut Walk,
        cursor: &mut u64,
        scan: impl Fn(u64) -> Request,
        limit: TimeLimit,
        again: Again,
    ) -> Result<Option<Reply>, Failure> {
        let limit = limit.started(tokio::time::Instant::now());
        if walk.done.is_empty() {
            walk.done = vec![false; SLOTS];
        }
        loop {
            if walk.at.is_none() {
                let Some(slot) = walk.next_slot() else {
                    return Ok(None);
                };
                let map = self.map();
                let Some(shard) = map.shard(slot) else {
                    let failure = self.no_node(Some(slot));
                    self.pause(walk, limit, failure).await?;
                    continue;
                };
                let slots = map.ranges(&shard.primary).into_iter().flatten().collect();
                let connections = self.node(&shard.primary).link.lock().status.connections;
                walk.at = Some((shard.primary.clone(), slots, connections.max(1)));
                *cursor = 0;
            }
            let Some((addr, _, connections)) = &walk.at else {
                continue;
            };
            let node = self.node(addr);
            let answer = Exchange::new(&node.link, scan(*cursor), limit, Again::NEVER)
                .run()
                .await;
            let same = node.link.lock().status.connections <= *connections;
            let failure = match answer {
                Ok(Answer::One(Reply::Error(error)))
                    if !matches!(error.code(), "LOADING" | "CLUSTERDOWN" | "MASTERDOWN") =>
                {
                    return Ok(Some(Reply::Error(error)));
                }
                Ok(Answer::One(Reply::Error(error))) => Failure {
                    kind: ErrorKind::Server(error),
                    outcome: Outcome::Rejected,
                    deadline: None,
                },
                // After a restart the cursor of before means nothing.
                Ok(Answer::One(_)) if !same => not_sent(ErrorKind::Closed),
                Ok(Answer::One(reply)) => {
                    walk.losses = 0;
                    return Ok(Some(reply));
                }
                Ok(Answer::Failed(failure)) | Err(failure) => failure,
                Ok(Answer::Many { .. }) => unreachable!("one command was sent"),
            };
            if matches!(failure.kind, ErrorKind::Timeout { .. }) || !again.resends {
                return Err(failure);
            }
            walk.at = None;
            self.pause(walk, limit, failure).await?;
        }
    }

    async fn pause(
        &self,
        walk: &mut Walk,
        limit: TimeLimit,
        failure: Failure,
    ) -> Result<(), Failure> {
        self.wish.notify_one();
        if !self.wait(walk.losses, limit).await {
            return self.out_of_time(Err(failure), limit).map(|_| ());
        }
        walk.losses += 1;
        Ok(())
    }

    /// The node said that its scan is over: its slots are done, those of them that it still has.
    pub(crate) async fn walked(&self, walk: &mut Walk) {
        let Some((addr, slots, _)) = walk.at.take() else {
            return;
        };
        // A map that is out of date would count slots as done that went to another node meanwhile.
        self.refreshed(self.config.connect_timeout).await;
        let map = self.map();
        for slot in slots {
            if map.shard(slot).is_some_and(|shard| shard.primary == addr) {
                walk.done[usize::from(slot)] = true;
            }
        }
    }
}
