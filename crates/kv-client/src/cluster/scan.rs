//! A scan over all nodes of a cluster.
//!
//! Each node has cursors of its own, and slots may move in the meantime. So what is remembered is which slots are done: those
//! that a node had from the start of its scan to the end. It goes on until that is all of them.
//!
//! While a slot is on its way to another node, some of its keys are there already, and may be so since before the scan of
//! the node that still has it. So it is done only when the other one has been scanned after that.

use tracing::debug;

use crate::cluster::Cluster;
use crate::cluster::map::Addr;
use crate::cluster::run::not_sent;
use crate::cluster::slots::SLOTS;
use crate::connection::exchange::{Again, Exchange};
use crate::connection::link::{Answer, Failure, TimeLimit};
use crate::error::{ErrorKind, Outcome};
use crate::reply::Reply;
use crate::request::Request;
use crate::table::row;

/// How far a scan over all nodes has come.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    done: Vec<bool>,
    /// The node that is being scanned.
    at: Option<Stop>,
    /// Nodes that slots are on their way to, whose present owner has been scanned.
    next: Vec<(Addr, Vec<u16>)>,
    /// Times in a row that a node was lost.
    losses: u32,
}

/// A node that is being scanned.
#[derive(Debug)]
struct Stop {
    addr: Addr,
    /// Those that it had at the start.
    slots: Vec<u16>,
    /// Those that were on their way to it then, and whose owner has been scanned.
    arriving: Vec<u16>,
    /// The connections that it had had.
    connections: u64,
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
                *cursor = 0;
                if let Some((addr, arriving)) = walk.next.pop() {
                    walk.at = Some(self.stop_at(addr, arriving));
                    continue;
                }
                let Some(slot) = walk.next_slot() else {
                    return Ok(None);
                };
                let map = self.map();
                let Some(shard) = map.shard(slot) else {
                    let failure = self.no_node(Some(slot));
                    self.pause(walk, limit, failure).await?;
                    continue;
                };
                walk.at = Some(self.stop_at(shard.primary.clone(), Vec::new()));
            }
            let Some(Stop {
                addr, connections, ..
            }) = &walk.at
            else {
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

    fn stop_at(&self, addr: Addr, arriving: Vec<u16>) -> Stop {
        let slots = self.map().ranges(&addr).into_iter().flatten().collect();
        let connections = self.node(&addr).link.lock().status.connections;
        Stop {
            addr,
            slots,
            arriving,
            connections: connections.max(1),
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
        let Some(stop) = walk.at.take() else {
            return;
        };
        // A map that is out of date would count slots as done that went to another node meanwhile.
        self.refreshed(self.config.connect_timeout).await;
        let leaving = self.leaving(&stop.addr).await;
        let map = self.map();
        for slot in stop.slots {
            if map
                .shard(slot)
                .is_none_or(|shard| shard.primary != stop.addr)
            {
                continue;
            }
            let Some((_, to)) = leaving.iter().find(|(leaving, _)| *leaving == slot) else {
                walk.done[usize::from(slot)] = true;
                continue;
            };
            match walk.next.iter_mut().find(|(addr, _)| addr == to) {
                _ if walk.done[usize::from(slot)] => {}
                Some((_, slots)) => slots.push(slot),
                None => walk.next.push((to.clone(), vec![slot])),
            }
        }
        for slot in stop.arriving {
            walk.done[usize::from(slot)] = true;
        }
    }

    /// The slots that are on their way from a node to others, as it says itself; nobody else knows.
    async fn leaving(&self, addr: &Addr) -> Vec<(u16, Addr)> {
        match self.ask(&self.node(addr), row!("CLUSTER NODES")).await {
            Ok(reply) => {
                let text = String::from_utf8_lossy(reply.as_bytes().unwrap_or_default());
                leaving(&text, addr)
            }
            Err(error) => {
                debug!(%addr, %error, "does not say which slots are on their way");
                Vec::new()
            }
        }
    }
}

/// Reads the reply to CLUSTER NODES, which has `[93->-id]` in the line of the node that says it.
fn leaving(text: &str, said_by: &Addr) -> Vec<(u16, Addr)> {
    let field = |line: &str, at: usize| line.split(' ').nth(at).unwrap_or_default().to_owned();
    let addr_of = |id: &str| {
        let line = text.lines().find(|line| field(line, 0) == id)?;
        let addr = field(line, 1);
        Addr::parse(addr.split(['@', ',']).next()?, said_by)
    };
    let own = text.lines().find(|line| {
        let flags = field(line, 2);
        flags.split(',').any(|flag| flag == "myself")
    });
    let moves = own.into_iter().flat_map(|line| line.split(' ').skip(8));
    let moves = moves.filter_map(|slot| {
        let (slot, id) = slot
            .strip_prefix('[')?
            .strip_suffix(']')?
            .split_once("->-")?;
        Some((slot.parse().ok()?, addr_of(id)?))
    });
    moves.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_which_of_its_slots_are_on_their_way_and_where_to() {
        let here = Addr::new("h", 1);
        let text = "aa 127.0.0.1:7001@17001,a.example myself,master - 0 0 1 connected 0-5 93 [93->-bb] [7-<-cc] [94->-??]\n\
                    bb :7002@17002 master - 0 1 2 connected 6-9\n\
                    cc 127.0.0.1:7003@17003 master - 0 1 3 connected [95->-aa]\n";
        assert_eq!(leaving(text, &here), [(93, Addr::new("h", 7002))]);
        for text in [
            "",
            "x",
            "aa b myself",
            "aa 1:1@1 myself - - - - - - [x->-aa] [1->-] []",
        ] {
            assert_eq!(leaving(text, &here), [], "{text}");
        }
    }
}
