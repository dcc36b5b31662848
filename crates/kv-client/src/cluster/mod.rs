//! Redis Cluster: which nodes there are, which one a request goes to, and what is done when that has changed.
//!
//! `slots`, `map`, `route` and `verdict` decide, without I/O; `run` and `batch` carry requests; `refresh` keeps the map.

mod batch;
mod journey;
mod map;
mod nodes;
mod refresh;
mod route;
mod run;
mod scan;
mod send;
mod slots;
mod subscriptions;
mod verdict;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resp_codec::Version;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use self::nodes::{ClusterNode, Role};
pub(crate) use self::scan::Walk;
pub use self::slots::key_slot;

use crate::cluster::map::{Addr, SlotMap};
use crate::config::{Address, Config, ReadFrom};
use crate::connection::backoff::Backoff;
use crate::connection::handshake::{Established, establish};
use crate::connection::link::Life;
use crate::connection::node::{Node, locked};
use crate::connection::orphans::Orphanage;
use crate::connection::session::Session;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::stats::Stats;

/// The nodes of a cluster and what is known of them. See the module.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) config: Arc<Config>,
    /// What new connections are given.
    session: Arc<Mutex<Session>>,
    /// The nodes that there was a reason to connect to.
    nodes: Mutex<HashMap<Addr, Arc<Node>>>,
    /// Sent anew with every refresh and every slot that moves.
    map: watch::Sender<Arc<SlotMap>>,
    /// Why nobody gave a map when it was last asked for.
    no_map: Mutex<Option<Error>>,
    /// Tells the background task that the map seems to be out of date.
    wish: Arc<Notify>,
    /// Subscriptions that lost their node.
    orphanage: Arc<Orphanage>,
    task: Mutex<Option<JoinHandle<()>>>,
    closed: AtomicBool,
    /// Changed from one request without keys to the next, and from one read to the next, so that all nodes get some.
    turn: AtomicUsize,
    redirects: AtomicU64,
    /// Requests that were tried again later.
    retries: AtomicU64,
    /// What nodes have done that have left.
    past: Mutex<Stats>,
}

/// A node that was lost is tried again at least this often; it may come back at any time, and commands wait for it.
const MAX_BACKOFF: Duration = Duration::from_millis(500);

impl Drop for Cluster {
    fn drop(&mut self) {
        self.orphanage.close();
        self.wish.notify_one();
    }
}

impl Cluster {
    /// Makes it without a connection; the background task asks the seeds.
    pub(crate) fn start(config: Arc<Config>) -> Arc<Self> {
        let wish = Arc::new(Notify::new());
        let cluster = Arc::new(Self {
            session: Arc::new(Mutex::new(config.session())),
            config,
            nodes: Mutex::default(),
            map: watch::Sender::default(),
            no_map: Mutex::default(),
            orphanage: Arc::new(Orphanage::new(Arc::clone(&wish))),
            wish,
            task: Mutex::default(),
            closed: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
            redirects: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            past: Mutex::default(),
        });
        let period = cluster.config.refresh_interval;
        let maintaining =
            refresh::maintain(Arc::downgrade(&cluster), Arc::clone(&cluster.wish), period);
        *locked(&cluster.task) = Some(tokio::spawn(maintaining));
        cluster.wish.notify_one();
        cluster
    }

    /// Connects to the first seed that answers, and asks it for the map. One without slots may have left its cluster.
    pub(crate) async fn connect(config: Arc<Config>) -> Result<Arc<Self>> {
        let cluster = Self::start(config);
        let mut last = None;
        let mut is_there = false;
        for seed in cluster.seeds() {
            match cluster.try_seed(&seed).await {
                Ok(map) if map.shards.is_empty() => is_there = true,
                Ok(map) => {
                    cluster.adopt(map);
                    return Ok(cluster);
                }
                Err(error) => last = Some(error),
            }
        }
        // The background task may have the map from a seed that it then let go, since the map has another name for it.
        if is_there || !cluster.map().shards.is_empty() {
            return Ok(cluster);
        }
        let closed = || Error::new(ErrorKind::Closed, Outcome::NotSent);
        Err(last.unwrap_or_else(closed))
    }

    async fn try_seed(&self, seed: &Addr) -> Result<SlotMap> {
        let config = Arc::new(self.config_of(seed));
        let session = locked(&self.session).clone();
        let established = establish(&config, &session).await?;
        let node = self.insert(seed, config, Some(established));
        self.ask_for_map(seed, &node).await
    }

    /// The addresses in the configuration.
    fn seeds(&self) -> Vec<Addr> {
        match &self.config.address {
            Address::Cluster(seeds) => {
                let seeds = seeds.iter();
                seeds.map(|(host, port)| Addr::new(host, *port)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How to connect to a node.
    fn config_of(&self, addr: &Addr) -> Config {
        let Backoff { min, max } = self.config.backoff;
        // Nobody but the configuration has said that there is such a node.
        let only_a_seed = self.seeds().contains(addr) && !self.map().knows(addr);
        let (host, port) = match only_a_seed {
            true => (addr.host.to_string(), addr.port),
            false => self.config.reach(&addr.host, addr.port),
        };
        Config {
            address: Address::Tcp { host, port },
            backoff: Backoff::new(min, max.min(MAX_BACKOFF)),
            fail_fast: true,
            readonly: self.config.read_from != ReadFrom::Primary,
            ..(*self.config).clone()
        }
    }

    /// The node at this address, which is connected to if it was not yet.
    pub(crate) fn node(&self, addr: &Addr) -> Arc<Node> {
        if let Some(node) = locked(&self.nodes).get(addr) {
            return Arc::clone(node);
        }
        self.insert(addr, Arc::new(self.config_of(addr)), None)
    }

    fn insert(&self, addr: &Addr, config: Arc<Config>, made: Option<Established>) -> Arc<Node> {
        let mut nodes = locked(&self.nodes);
        if let (Some(node), None) = (nodes.get(addr), &made) {
            return Arc::clone(node);
        }
        let (session, orphanage) = (Arc::clone(&self.session), Arc::clone(&self.orphanage));
        let node = Arc::new(Node::start(config, session, Some(orphanage), made));
        if self.is_closed() {
            node.end(Life::Closing);
        }
        nodes.insert(addr.clone(), Arc::clone(&node));
        node
    }

    /// The nodes that there are connections to.
    pub(crate) fn connected_nodes(&self) -> Vec<Arc<Node>> {
        locked(&self.nodes).values().cloned().collect()
    }

    pub(crate) fn session(&self) -> Session {
        locked(&self.session).clone()
    }

    pub(crate) fn map(&self) -> Arc<SlotMap> {
        Arc::clone(&self.map.borrow())
    }

    /// Uses a new map, and lets the nodes go that are not in it.
    fn adopt(&self, map: SlotMap) -> bool {
        let mut changed = false;
        let map = Arc::new(map);
        self.map.send_modify(|old| {
            changed = **old != *map;
            *old = Arc::clone(&map);
        });
        let mut gone = Vec::new();
        locked(&self.nodes).retain(|addr, node| {
            let stays = map.knows(addr);
            if !stays {
                gone.push(Arc::clone(node));
            }
            stays
        });
        for node in gone {
            locked(&self.past).add(&Stats::of(&node).past());
            // What it was sent it may still answer; what it was not sent goes elsewhere.
            node.end(Life::Closing);
        }
        changed
    }

    /// A node said that a slot has moved.
    fn moved(&self, slot: u16, addr: &Addr) {
        self.redirects.fetch_add(1, Ordering::Relaxed);
        self.map
            .send_if_modified(|map| Arc::make_mut(map).moved(slot, addr));
        self.wish.notify_one();
    }

    /// The protocol that the nodes speak, as far as is known.
    fn version(&self) -> Option<Version> {
        let nodes = locked(&self.nodes);
        nodes
            .values()
            .find_map(|node| node.link.lock().status.version)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.orphanage.close();
        self.wish.notify_one();
        let nodes: Vec<_> = locked(&self.nodes).values().cloned().collect();
        nodes.iter().for_each(|node| node.end(Life::Closing));
        for node in nodes {
            node.close().await;
        }
        // It may be pausing between two refreshes; there is nothing that it has to bring to an end.
        if let Some(task) = &*locked(&self.task) {
            task.abort();
        }
        // Whoever waits for a better map is told that none will come.
        self.map.send_modify(|_| {});
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut sum = locked(&self.past).clone();
        sum.redirects = self.redirects.load(Ordering::Relaxed);
        sum.retries += self.retries.load(Ordering::Relaxed);
        for node in self.connected_nodes() {
            sum.add(&Stats::of(&node));
        }
        sum
    }
}
