//! One server: the connection to it that all callers share, and those that some commands need for themselves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use resp_codec::Version;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::cache::Cache;
use crate::config::{Config, Protocol};
use crate::connection::bulk::Bulk;
use crate::connection::driver::Driver;
use crate::connection::engine::Engine;
use crate::connection::exchange::Again;
use crate::connection::handshake::Established;
use crate::connection::lanes::Lanes;
use crate::connection::link::{Answer, Failure, Freight, Life, Link, TimeLimit};
use crate::connection::orphans::Orphanage;
use crate::connection::session::Session;
use crate::connection::topics::Topics;
use crate::pubsub::Carrier;
use crate::sentinel;
use crate::watch::Booths;

/// See the module. Its connections end with it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: Arc<Config>,
    pub(crate) link: Arc<Link>,
    /// The same connection, as subscriptions see it.
    shared: Carrier,
    pub(crate) lanes: Lanes,
    /// The connection for what is large.
    pub(crate) bulk: Bulk,
    /// What new connections are given; kept up to date by the driver.
    session: Arc<Mutex<Session>>,
    /// The connection for subscriptions, if the shared one cannot carry them.
    dedicated: Mutex<Option<Carrier>>,
    /// Each driver holds a receiver for as long as it runs: they are waited for when the client is closed.
    running: watch::Sender<()>,
    /// Look out for another primary.
    watches: Mutex<Vec<AbortHandle>>,
    orphanage: Option<Arc<Orphanage>>,
    /// What was read over the shared connection, if that is to be kept.
    pub(crate) cache: Option<Arc<Cache>>,
    /// What its commands may make out of date: the same, or what was read over another connection to this server.
    forgets: Option<Arc<Cache>>,
    /// Connections for WATCH.
    pub(crate) booths: Booths,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end(Life::Abandoned);
    }
}

impl Node {
    /// Starts with a connection that is made already, or makes it in the background.
    pub(crate) fn start(
        config: Arc<Config>,
        session: Arc<Mutex<Session>>,
        orphanage: Option<Arc<Orphanage>>,
        established: Option<Established>,
    ) -> Self {
        let topics = Topics::new(false, orphanage.clone());
        let watches = Mutex::default();
        let cache = config.caching.map(|caching| Arc::new(Cache::new(caching)));
        let running = watch::Sender::default();
        let shared = drive(
            &config,
            Arc::clone(&session),
            topics,
            established,
            (&watches, &running),
            cache.clone(),
        );
        Self {
            link: Arc::clone(&shared.link),
            shared,
            lanes: Lanes::new(&config),
            bulk: Bulk::new(config.bulk_from.filter(|_| config.reconnect)),
            forgets: cache.clone(),
            cache,
            booths: Booths::new(config.max_lanes),
            config,
            session,
            dedicated: Mutex::default(),
            running,
            watches,
            orphanage,
        }
    }

    /// A connection for a [watch](crate::Client::watch), which keeps nothing itself.
    pub(crate) fn start_booth(&self, session: Session) -> Self {
        // A connection that came back would have forgotten what it watches.
        let config = Config {
            reconnect: false, // which also keeps what is large on it
            caching: None,
            ..(*self.config).clone()
        };
        let session = Arc::new(Mutex::new(session));
        let mut booth = Self::start(Arc::new(config), session, None, None);
        booth.forgets.clone_from(&self.cache);
        booth
    }

    /// What was run may have changed what is kept. The server says so too, but perhaps only after the answer; whoever has
    /// that is not to read what was before.
    #[inline]
    pub(crate) fn forget(&self, freight: &impl Freight) {
        if let Some(cache) = &self.forgets {
            freight.each_change(&mut |key| match key {
                Some(key) => cache.forget(key),
                None => cache.clear(),
            });
        }
    }

    /// Runs what blocks on a connection of its own.
    pub(crate) async fn run_blocking(
        &self,
        freight: impl Freight,
        limit: TimeLimit,
        again: Again,
    ) -> Result<Answer, Failure> {
        let session = self.session();
        let answer = self.lanes.run(session, &freight, limit, again).await;
        self.forget(&freight);
        answer
    }

    /// Ends all of its connections: at once, or after what was admitted is answered.
    pub(crate) fn end(&self, life: Life) {
        self.link.end(life);
        if let Some(dedicated) = &*locked(&self.dedicated) {
            dedicated.link.end(life);
        }
        self.bulk.end(life);
        self.lanes.close();
        self.booths.close();
        locked(&self.watches)
            .drain(..)
            .for_each(|watch| watch.abort());
    }

    /// Ends its connections and waits until they are closed.
    pub(crate) async fn close(&self) {
        self.end(Life::Closing);
        self.running.closed().await;
    }

    /// What a new connection is given now.
    pub(crate) fn session(&self) -> Session {
        locked(&self.session).clone()
    }

    /// The connection that subscriptions go over. `version` is the protocol to expect while there is no connection yet.
    pub(crate) fn carrier(&self, version: Option<Version>) -> Carrier {
        let version = self.link.lock().status.version.or(version);
        let is_certain = self.config.protocol == Protocol::Resp3;
        if is_certain || version == Some(Version::Resp3) {
            self.shared.clone()
        } else {
            self.dedicated()
        }
    }

    /// All connections that may carry subscriptions.
    pub(crate) fn carriers(&self) -> impl Iterator<Item = Carrier> {
        let dedicated = locked(&self.dedicated).clone();
        std::iter::once(self.shared.clone()).chain(dedicated)
    }

    /// The connections that may be told of another login: all but one that has subscribed in RESP2.
    pub(crate) fn links_that_take_auth(&self) -> Vec<Arc<Link>> {
        let dedicated = locked(&self.dedicated).clone();
        let dedicated = dedicated.map(|carrier| carrier.link);
        let takes_auth = |link: &Arc<Link>| link.lock().status.version == Some(Version::Resp3);
        std::iter::once(Arc::clone(&self.link))
            .chain(self.bulk.link())
            .chain(dedicated.filter(takes_auth))
            .collect()
    }

    /// Starts the connection for what is large.
    pub(crate) fn start_bulk(&self, session: Session) -> Arc<Link> {
        let config = Arc::new(Config {
            caching: None,
            ..(*self.config).clone()
        });
        let topics = Topics::new(false, None);
        let session = Arc::new(Mutex::new(session));
        let tasks = (&self.watches, &self.running);
        drive(&config, session, topics, None, tasks, None).link
    }

    fn dedicated(&self) -> Carrier {
        let mut dedicated = locked(&self.dedicated);
        if let Some(carrier) = &*dedicated {
            return carrier.clone();
        }
        let session = Arc::new(Mutex::new(self.session()));
        let config = Arc::new(Config {
            caching: None,
            ..(*self.config).clone()
        });
        let topics = Topics::new(true, self.orphanage.clone());
        let tasks = (&self.watches, &self.running);
        let carrier = drive(&config, session, topics, None, tasks, None);
        if self.link.lock().life() != Life::Open {
            carrier.link.end(Life::Closing);
        }
        dedicated.insert(carrier).clone()
    }
}

/// Starts a connection, and notes its tasks.
fn drive(
    config: &Arc<Config>,
    session: Arc<Mutex<Session>>,
    topics: Topics,
    established: Option<Established>,
    (watches, running): (&Mutex<Vec<AbortHandle>>, &watch::Sender<()>),
    cache: Option<Arc<Cache>>,
) -> Carrier {
    let mut link = Link::new(config.max_in_flight, config.max_unwritten_bytes);
    link.follows_primary = config.follows_primary();
    let link = Arc::new(link);
    if let Some(established) = &established {
        link.lock()
            .connected(established.version, &established.peer);
    }
    let topics = Arc::new(topics);
    if config.follows_primary() {
        let watching = tokio::spawn(sentinel::watch(Arc::clone(config), Arc::downgrade(&link)));
        let mut watches = locked(watches);
        watches.retain(|watch| !watch.is_finished());
        watches.push(watching.abort_handle());
    }
    let mut engine = Engine::new(config.limits, session, Arc::clone(&topics));
    engine.cache = cache;
    let driver = Driver::new(Arc::clone(&link), Arc::clone(config), engine);
    let runs = running.subscribe();
    tokio::spawn(async move {
        driver.run(established).await;
        drop(runs);
    });
    Carrier { link, topics }
}

/// No code panics while it holds one of these locks, so a poisoned one is as good as any.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
