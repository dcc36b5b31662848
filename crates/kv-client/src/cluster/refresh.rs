//! Keeping the map up to date, in the background.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info};

use crate::cluster::Cluster;
use crate::cluster::map::{Addr, SlotMap};
use crate::connection::backoff::random;
use crate::connection::exchange::{Again, Exchange};
use crate::connection::handshake::is_transient;
use crate::connection::link::{Answer, TimeLimit};
use crate::connection::node::{Node, locked};
use crate::error::{Error, ErrorKind, Outcome, Phase, Result};
use crate::reply::Reply;
use crate::request::Request;
use crate::table::{Row, row};

/// The least time between two refreshes; it doubles up to the other while they bring nothing new.
const MIN_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// A node that does not give the map in this time is passed over.
const PATIENCE: Duration = Duration::from_secs(1);

/// Refreshes the map whenever it is wished for, and once in every `period`, until the cluster is closed or dropped.
pub(super) async fn maintain(cluster: Weak<Cluster>, wish: Arc<Notify>, period: Option<Duration>) {
    let mut pause = MIN_PAUSE;
    let mut soon = false;
    loop {
        let waiting = Instant::now();
        match period.map(|period| if soon { period.min(MAX_PAUSE) } else { period }) {
            None => wish.notified().await,
            // At the end of the period there is nothing to be done but to go on.
            Some(period) => drop(timeout(period, wish.notified()).await),
        }
        if waiting.elapsed() > MAX_PAUSE {
            pause = MIN_PAUSE;
        }
        let Some(cluster) = cluster.upgrade() else {
            return;
        };
        if cluster.is_closed() {
            return;
        }
        let changed = cluster.refresh().await;
        cluster.place_orphans();
        soon = cluster.map().is_loading;
        drop(cluster);
        pause = if changed {
            MIN_PAUSE
        } else {
            (pause * 2).min(MAX_PAUSE)
        };
        sleep(pause).await;
    }
}

impl Cluster {
    /// Asks one node after the other until one gives a map. Whether that is another one than before.
    ///
    /// A node may have left its cluster, or somebody else's may have its address: what it says is used only if nobody says
    /// anything better.
    async fn refresh(&self) -> bool {
        let mut last = None;
        let mut doubtful = None::<SlotMap>;
        for addr in self.candidates() {
            if self.is_closed() {
                return false;
            }
            let node = self.node(&addr);
            match timeout(PATIENCE, self.ask_for_map(&addr, &node)).await {
                Ok(Ok(map)) if !map.goes_on_from(&self.map(), &addr) => {
                    debug!(%addr, "its map has nothing to do with the one that is known");
                    if doubtful
                        .as_ref()
                        .is_none_or(|other| other.shards.is_empty())
                    {
                        doubtful = Some(map);
                    }
                }
                Ok(Ok(map)) => {
                    *locked(&self.no_map) = None;
                    let changed = self.adopt(map);
                    if changed {
                        info!(%addr, "the map of the cluster has changed");
                    }
                    return changed;
                }
                Ok(Err(error)) => {
                    debug!(%addr, %error, "no map of the cluster");
                    // One that may give it later counts for more than one that never will.
                    if last.as_ref().is_none_or(is_final) {
                        last = Some(error);
                    }
                }
                Err(_) => {
                    debug!(%addr, "no map of the cluster in time");
                    let late = ErrorKind::Timeout {
                        phase: Phase::Waiting,
                        after: PATIENCE,
                        source: None,
                    };
                    last = Some(Error::new(late, Outcome::MaybeExecuted).of("CLUSTER SHARDS"));
                }
            }
        }
        if let Some(map) = doubtful {
            *locked(&self.no_map) = None;
            return self.adopt(map);
        }
        if last.is_some() {
            *locked(&self.no_map) = last;
        }
        false
    }

    /// The nodes to ask, those of the map in random order before the seeds, so that one with wrong ideas does not win twice.
    fn candidates(&self) -> Vec<Addr> {
        let map = self.map();
        let mut known: Vec<Addr> = map.all().cloned().collect();
        for (position, salt) in (1..known.len()).rev().zip(0u64..) {
            let bound = u64::try_from(position + 1).unwrap_or(u64::MAX);
            let other = usize::try_from(random(salt) % bound).unwrap_or(0);
            known.swap(position, other);
        }
        // Nodes that there are connections to answer at once.
        known.sort_by_key(|addr| !self.is_connected(addr));
        for seed in self.seeds() {
            if !known.contains(&seed) {
                known.push(seed);
            }
        }
        known
    }

    /// Asks `node` for the map.
    pub(super) async fn ask_for_map(&self, addr: &Addr, node: &Node) -> Result<SlotMap> {
        let tls = self.config.uses_tls();
        match self.ask(node, row!("CLUSTER SHARDS")).await? {
            Reply::Error(error) if error.message().contains("cluster support disabled") => {
                Err(not_a_cluster(addr, error.text()))
            }
            // Before Redis 7 there was only the other form.
            Reply::Error(refusal) if refusal.code() == "ERR" => {
                match self.ask(node, row!("CLUSTER SLOTS")).await? {
                    Reply::Error(error) if error.code() == "ERR" => {
                        Err(not_a_cluster(addr, error.text()))
                    }
                    Reply::Error(error) => Err(Error::server(error).of("CLUSTER SLOTS")),
                    reply => SlotMap::from_slots(reply, addr)
                        .map_err(|error| Error::reply(error).of("CLUSTER SLOTS")),
                }
            }
            Reply::Error(error) => Err(Error::server(error).of("CLUSTER SHARDS")),
            reply => SlotMap::from_shards(reply, addr, tls)
                .map_err(|error| Error::reply(error).of("CLUSTER SHARDS")),
        }
    }

    pub(super) async fn ask(&self, node: &Node, question: &'static Row) -> Result<Reply> {
        let request = Request::of(question);
        let limit = TimeLimit {
            timeout: Some(self.config.connect_timeout),
            deadline: None,
        };
        let fail = |kind, outcome| Err(Error::new(kind, outcome).of(question.name));
        match Exchange::new(&node.link, request, limit, Again::NEVER)
            .run()
            .await
        {
            Ok(Answer::One(reply)) => Ok(reply),
            Ok(Answer::Failed(failure)) | Err(failure) => fail(failure.kind, failure.outcome),
            Ok(Answer::Many { .. }) => fail(ErrorKind::Closed, Outcome::NotSent),
        }
    }

    fn is_connected(&self, addr: &Addr) -> bool {
        let nodes = locked(&self.nodes);
        nodes
            .get(addr)
            .is_some_and(|node| node.link.lock().status.connected)
    }

    /// Waits until the map has been refreshed, or `deadline` has passed; whether it was in time.
    pub(super) async fn refreshed(&self, patience: Duration) -> bool {
        let mut changes = self.map.subscribe();
        changes.mark_unchanged();
        self.wish.notify_one();
        matches!(timeout(patience, changes.changed()).await, Ok(Ok(())))
    }

    pub(super) fn count_redirect(&self) {
        self.redirects.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a node that gave no map for this reason will not give one later either, unless somebody changes the
/// configuration or the server.
pub(super) fn is_final(error: &Error) -> bool {
    let kind = error.kind();
    let is_answer = matches!(
        kind,
        ErrorKind::NotACluster { .. } | ErrorKind::Protocol { .. } | ErrorKind::Refused { .. }
    );
    is_answer && !is_transient(kind)
}

fn not_a_cluster(addr: &Addr, said: &str) -> Error {
    let kind = ErrorKind::NotACluster {
        addr: addr.to_string(),
        said: said.to_owned(),
    };
    Error::new(kind, Outcome::NotSent)
}
