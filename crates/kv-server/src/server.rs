//! Start, accept, stop and start again; the embedding API.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resp_codec::Limits;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug_span, error, info};

use crate::builder::{Builder, WhenFull};
use crate::clock::Clock;
use crate::connection::peer::{Close, Peer};
use crate::connection::session::{Origin, Session};
use crate::connection::{Connection, Registered};
use crate::engine::{Engine, Shared};
use crate::error::Error;
use crate::garbage::Garbage;
use crate::listen::{self, Listener};
use crate::lock::Lock;
use crate::threads::Threads;

/// A running server.
///
/// It serves until it is [shut down](Self::shutdown) or dropped; dropping closes everything too, but does not wait for it.
#[derive(Debug)]
pub struct Server {
    pub(crate) inner: Arc<Inner>,
    running: Mutex<Option<Running>>,
    /// Where to listen again after a stop.
    addresses: Vec<SocketAddr>,
    unix_path: Option<PathBuf>,
    threads: usize,
}

/// What the tasks of a server share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) lock: Lock<Engine>,
    pub(crate) clock: Clock,
    /// Limits of requests from authenticated connections.
    pub(crate) request_limits: Limits,
    pub(crate) nested_requests: bool,
    pub(crate) query_buffer_limit: usize,
    when_full: WhenFull,
    /// Free places, if newcomers wait for one.
    places: Option<Arc<Semaphore>>,
    /// The time at which the timer task wakes up next.
    scheduled_ms: AtomicI64,
    rescheduled: Notify,
    /// SHUTDOWN was called.
    pub(crate) shutdown_requested: Arc<Notify>,
}

/// The tasks of one run.
#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    tasks: TaskTracker,
    handle: Handle,
    threads: Option<Threads>,
}

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There are `max_clients` already.
    Full,
    /// The server stops.
    Stopping,
}

/// How long connections may take to send their last replies when a server stops.
const GRACE: Duration = Duration::from_secs(1);
/// Buffered bytes in each direction of an in-memory connection.
const DUPLEX_BYTES: usize = 64 * 1024;

impl Server {
    /// Settings for a server; the defaults suit a test: 127.0.0.1, a port that the system chooses, nothing on disk.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) async fn start(
        inner: Arc<Inner>,
        listeners: Vec<Listener>,
        threads: usize,
    ) -> Result<Self, Error> {
        let addresses = listeners.iter().filter_map(Listener::tcp_addr).collect();
        let unix_path = listeners.iter().find_map(Listener::unix_path);
        let server = Self {
            inner,
            running: Mutex::new(None),
            addresses,
            unix_path,
            threads,
        };
        server.run(listeners)?;
        Ok(server)
    }

    fn run(&self, listeners: Vec<Listener>) -> Result<(), Error> {
        self.inner.lock.lock().shared.stopping = false;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let threads = if self.threads > 0 {
            Some(Threads::start(self.threads)?)
        } else {
            None
        };
        let handle = threads
            .as_ref()
            .map_or_else(Handle::current, Threads::first);
        let spread = threads.as_ref().map(Threads::handles).unwrap_or_default();
        for listener in listeners {
            let accept = listen::accept(
                listener,
                self.inner.clone(),
                stop.clone(),
                tasks.clone(),
                spread.clone(),
            );
            tasks.spawn_on(accept, &handle);
        }
        tasks.spawn_on(
            timer(self.inner.clone(), stop.clone(), tasks.clone()),
            &handle,
        );
        *self.running() = Some(Running {
            stop,
            tasks,
            handle,
            threads,
        });
        Ok(())
    }

    /// The TCP address; with several, the first one.
    ///
    /// # Panics
    ///
    /// If the server listens on a Unix socket only.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        *self
            .addresses
            .first()
            .expect("the server has a TCP address")
    }

    /// All TCP addresses.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The path of the Unix socket.
    #[must_use]
    pub fn unix_path(&self) -> Option<&Path> {
        self.unix_path.as_deref()
    }

    /// A URL for clients: `redis://127.0.0.1:40123`, or `redis+unix:///path` if there is no TCP address.
    #[must_use]
    pub fn url(&self) -> String {
        match (self.addresses.first(), &self.unix_path) {
            (Some(addr), _) => format!("redis://{addr}"),
            (None, Some(path)) => format!("redis+unix://{}", path.display()),
            (None, None) => String::new(),
        }
    }

    /// The clock that expiry and timeouts follow.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Opens a connection in memory, without a socket.
    ///
    /// # Panics
    ///
    /// If the server is stopped.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(DUPLEX_BYTES);
        self.serve(far);
        near
    }

    /// Serves a connection over any transport of the caller's, until it ends.
    ///
    /// # Panics
    ///
    /// If the server is stopped.
    pub fn serve(&self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let running = self.running();
        let running = running.as_ref().expect("the server is stopped");
        let inner = self.inner.clone();
        let registered = inner.register(&mut inner.lock.lock(), Origin::in_memory());
        match registered {
            Ok(registered) => {
                let connection = Connection::new(io, inner, registered);
                drop(running.tasks.spawn_on(connection, &running.handle));
            }
            Err(refused) => drop(
                running
                    .tasks
                    .spawn_on(listen::turn_away(io, refused), &running.handle),
            ),
        }
    }

    /// Stops listening, closes all connections once their replies are sent, and waits for all tasks to end. The data stays.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, everything still closes, but nobody waits for it.
    pub async fn stop(&self) {
        let Some(running) = self.running().take() else {
            return;
        };
        running.stop.cancel();
        running.tasks.close();
        self.inner
            .lock
            .with(|engine| {
                engine.shared.stopping = true;
                engine.shared.clients.close_all(Close::AfterOutput);
            })
            .await;
        if tokio::time::timeout(GRACE, running.tasks.wait())
            .await
            .is_err()
        {
            self.inner
                .lock
                .with(|engine| engine.shared.clients.close_all(Close::Now))
                .await;
            running.tasks.wait().await;
        }
        // The timer may have ended before a last BGSAVE reached it.
        let job = self.inner.lock.lock().shared.saves.take_job();
        if let Some(job) = job {
            let inner = self.inner.clone();
            let _ = tokio::task::spawn_blocking(move || inner.write_snapshot(&job)).await;
        }
        if let Some(path) = &self.unix_path {
            let _ = std::fs::remove_file(path);
        }
        if let Some(threads) = running.threads {
            threads.join().await;
        }
        info!("stopped");
    }

    /// Listens again after [`stop`](Self::stop), on the same addresses, with the same data.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] if an address was taken meanwhile, [`Error::Running`] if the server is not stopped.
    pub async fn restart(&self) -> Result<(), Error> {
        if self.running().is_some() {
            return Err(Error::Running);
        }
        self.inner.lock.lock().shared.shut_down = false;
        let mut listeners = Vec::new();
        for addr in &self.addresses {
            listeners.push(Listener::tcp(&addr.ip().to_string(), addr.port()).await?);
        }
        if let Some(path) = &self.unix_path {
            let mode = self.inner.lock.lock().shared.config.unix_socket_mode;
            listeners.push(Listener::unix(path, mode)?);
        }
        self.run(listeners)
    }

    /// Ends the server: [`stop`](Self::stop), a last snapshot if [`save_after`](Builder::save_after) is set, then drops the data.
    ///
    /// A snapshot that cannot be written is logged as an error; call [`save`](Self::save) before to learn of it. There is none if a client has
    /// sent SHUTDOWN, which has seen to it.
    pub async fn shutdown(self) {
        self.stop().await;
        let save = {
            let engine = self.inner.lock.lock();
            engine.shared.config.saves_on_exit() && !engine.shared.shut_down
        };
        if save {
            if let Err(error) = self.save().await {
                error!(%error, "not saved before the shutdown");
            }
        }
    }

    /// Writes a snapshot of the data as it is now, while the server goes on.
    ///
    /// # Errors
    ///
    /// [`Error::NoSnapshot`] if there is no [`snapshot`](Builder::snapshot) file or if one is being written, [`Error::Snapshot`] if writing fails;
    /// the old file is untouched then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the snapshot is written all the same.
    pub async fn save(&self) -> Result<(), Error> {
        let inner = self.inner.clone();
        let job = {
            let mut engine = inner.lock.lock();
            engine.set_now(inner.clock.now_us());
            engine.begin_save()?
        };
        tokio::task::spawn_blocking(move || inner.write_snapshot(&job))
            .await
            .map_err(|error| Error::Thread(error.into()))??;
        Ok(())
    }

    /// Completes when a client has sent SHUTDOWN; the owner then calls [`shutdown`](Self::shutdown).
    pub async fn shutdown_requested(&self) {
        self.inner.shutdown_requested.notified().await;
    }

    /// Counters of the server.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let engine = self.inner.lock.lock();
        let stats = &engine.shared.stats;
        Counters {
            commands: stats.commands,
            connections: stats.connections,
            open_connections: engine.shared.clients.len(),
            rejected_connections: stats.rejected_connections,
            panics: stats.panics,
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running().take() {
            running.stop.cancel();
            self.inner.lock.lock().shared.clients.close_all(Close::Now);
            if let Some(path) = &self.unix_path {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// What a server has done since its start, or since `CONFIG RESETSTAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Commands executed, refused ones included.
    pub commands: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections that are open now.
    pub open_connections: usize,
    /// Connections refused because of `max_clients`.
    pub rejected_connections: u64,
    /// Commands whose handler panicked; each cost its connection and nothing else.
    pub panics: u64,
}

impl Inner {
    pub(crate) fn new(engine: Engine, clock: Clock, when_full: WhenFull) -> Self {
        let config = &engine.shared.config;
        let request_limits = Limits {
            elements: i32::MAX as usize,
            bulk_bytes: config.max_bulk_bytes,
            frame_bytes: config.query_buffer_limit,
            ..Limits::server()
        };
        Self {
            request_limits,
            nested_requests: config.nested_requests,
            query_buffer_limit: config.query_buffer_limit,
            places: (when_full == WhenFull::Wait)
                .then(|| Arc::new(Semaphore::new(config.max_clients))),
            when_full,
            clock,
            scheduled_ms: AtomicI64::new(i64::MAX),
            rescheduled: Notify::new(),
            shutdown_requested: engine.shared.shutdown_requested.clone(),
            lock: Lock::new(engine),
        }
    }

    /// Enters a new connection into the engine.
    pub(crate) async fn admit(&self, origin: Origin) -> Result<Registered, Refused> {
        self.lock.with(|engine| self.register(engine, origin)).await
    }

    fn register(&self, engine: &mut Engine, origin: Origin) -> Result<Registered, Refused> {
        let now = self.clock.now_ms();
        let Shared {
            clients,
            config,
            stats,
            stopping,
            shut_down,
            ..
        } = &mut engine.shared;
        if *stopping || *shut_down {
            return Err(Refused::Stopping);
        }
        let full = self.when_full == WhenFull::Reject && clients.len() >= config.max_clients;
        if full {
            stats.rejected_connections += 1;
            return Err(Refused::Full);
        }
        let id = clients.next_id();
        let peer = Arc::new(Peer::new(id, now, clients.waiting.clone()));
        let span = debug_span!("conn", id, peer = origin.addr);
        let mut session = Session::new(peer.clone(), origin, now);
        let authenticated = !config.requires_auth();
        session.authenticated = authenticated;
        stats.connections += 1;
        let place = clients.add(Box::new(session));
        Ok(Registered {
            peer,
            place,
            span,
            authenticated,
        })
    }

    pub(crate) fn places(&self) -> Option<Arc<Semaphore>> {
        self.places.clone()
    }

    /// Makes the timer task wake up by then.
    #[inline]
    pub(crate) fn reschedule(&self, at: Option<i64>) {
        if at.is_some_and(|at| at < self.scheduled_ms.load(Ordering::Relaxed)) {
            self.rescheduled.notify_one();
        }
    }
}

/// Does what is due: timeouts of blocked clients, the end of pauses, active expiry.
async fn timer(inner: Arc<Inner>, stop: CancellationToken, tasks: TaskTracker) {
    let work = async {
        // Freed here, without the lock and a little at a time.
        let mut garbage = Garbage::default();
        loop {
            let tick = inner.lock.with(|engine| {
                engine.set_now(inner.clock.now_us());
                // A panic (an observer's, say) must not end all timeouts.
                let more = catch_unwind(AssertUnwindSafe(|| engine.tick())).unwrap_or_else(|_| {
                    error!("a panic in the timer");
                    false
                });
                garbage.take(&mut engine.shared.garbage);
                let job = engine.shared.saves.take_job();
                let next = engine.next_deadline();
                inner
                    .scheduled_ms
                    .store(next.unwrap_or(i64::MAX), Ordering::Relaxed);
                (more, job, next, engine.now_ms())
            });
            let (more, job, next, now) = tick.await;
            if let Some(job) = job {
                let inner = inner.clone();
                tasks.spawn_blocking(move || inner.write_snapshot(&job));
            }
            if garbage.drain_some() || more {
                tokio::task::yield_now().await;
                continue;
            }
            let sleep = async {
                match next {
                    Some(at) => inner.clock.sleep_until(at.max(now.saturating_add(1))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = inner.rescheduled.notified() => {}
            }
        }
    };
    tokio::select! {
        () = work.instrument(debug_span!("timer")) => {}
        () = stop.cancelled() => {}
    }
}
