//! The settings of a server before it starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clients::Clients;
use crate::clock::Clock;
use crate::command::{Command, Found, Table};
use crate::config::{Config, params};
use crate::dialect::{OnUnknown, Unknown};
use crate::effect::{Effect, Effects, Observer};
use crate::engine::{Engine, Shared};
use crate::error::{Error, ReplyError};
use crate::eviction::Eviction;
use crate::garbage::Garbage;
use crate::keyspace::Db;
use crate::keyspace::table::Seed;
use crate::listen::Listener;
use crate::persist::Saves;
use crate::pubsub::PubSub;
use crate::rng::Rng;
use crate::server::{Inner, Server};
use crate::stats::Stats;

/// Settings for a [`Server`]; names and defaults are those of
/// [redis.conf](https://redis.io/docs/latest/operate/oss_and_stack/management/config/) unless said otherwise.
#[must_use]
pub struct Builder {
    config: Config,
    threads: usize,
    clock: Option<Clock>,
    commands: Vec<Command>,
    removed: Vec<String>,
    /// The built-in commands that clients get; all without it.
    only: Option<Vec<String>>,
    on_unknown: Option<OnUnknown>,
    observers: Vec<Observer>,
    seed: Option<u64>,
    when_full: WhenFull,
    /// Whether the directive `save` was used.
    save_given: bool,
}

/// What happens to a connection that would be one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// It gets an error and is closed, as in Redis.
    #[default]
    Reject,
    /// It waits, unaccepted, until another one closes.
    Wait,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            config: Config::default(),
            threads: 0,
            clock: None,
            commands: Vec::new(),
            removed: Vec::new(),
            only: None,
            on_unknown: None,
            observers: Vec::new(),
            seed: None,
            when_full: WhenFull::Reject,
            save_given: false,
        }
    }
}

impl Builder {
    /// The TCP port. Default: 0, one that the system chooses.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = Some(port);
        self
    }

    /// The host names or addresses to listen on, with the same port. Default: `127.0.0.1`.
    pub fn bind<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.config.bind = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// No TCP at all: a Unix socket, or in-memory connections only.
    pub fn no_tcp(mut self) -> Self {
        self.config.port = None;
        self
    }

    /// Also listens on a Unix socket at this path; a socket left behind there is replaced.
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.unix_socket = Some(path.into());
        self
    }

    /// Permissions of the Unix socket, as `0o700`. Default: what the process's umask leaves.
    pub fn unix_socket_mode(mut self, mode: u32) -> Self {
        self.config.unix_socket_mode = Some(mode);
        self
    }

    /// Runs the connections on this many threads of the server's own. Default: 0, on the runtime that [`start`](Self::start) is called from.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Where the time comes from. Default: [`Clock::system`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The password of the default user. Default: none.
    pub fn password(mut self, password: impl Into<Vec<u8>>) -> Self {
        self.config.requirepass =
            Some(password.into()).filter(|password: &Vec<u8>| !password.is_empty());
        self
    }

    /// The number of databases. Default: 16, at least 1.
    pub fn databases(mut self, databases: usize) -> Self {
        self.config.databases = databases.max(1);
        self
    }

    /// Open connections at most. Default: 10,000.
    pub fn max_clients(mut self, max: usize) -> Self {
        self.config.max_clients = max;
        self
    }

    /// What happens to a connection beyond [`max_clients`](Self::max_clients). Default: [`WhenFull::Reject`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Loads this file at the start, if it is there, and lets SAVE and BGSAVE write it. Default: none, the server does not touch the disk.
    ///
    /// The format is Redis's RDB. Snapshots are taken by themselves only with [`save_after`](Self::save_after). The same as `dir` and
    /// `dbfilename` in redis.conf, either of which also turns snapshots on.
    pub fn snapshot(mut self, file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        self.config.dir = match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            _ => PathBuf::from("."),
        };
        self.config.db_filename = file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        self.config.snapshots = true;
        self
    }

    /// Takes a snapshot in the background when `after` has passed since the last one and there were at least `changes`; also when the
    /// server is shut down. May be called several times. Whole seconds. Default: never.
    ///
    /// The same as `save` in redis.conf, which also turns [snapshots](Self::snapshot) on.
    pub fn save_after(mut self, after: Duration, changes: u64) -> Self {
        self.config.save.push((after.as_secs(), changes));
        self.config.snapshots = true;
        self
    }

    /// Adds a command, or replaces the built-in one of the same name.
    pub fn command(mut self, command: Command) -> Self {
        self.commands.push(command);
        self
    }

    /// Takes a built-in command away; clients get the error for unknown commands.
    pub fn without_command(mut self, name: impl Into<String>) -> Self {
        self.removed.push(name.into());
        self
    }

    /// Takes all built-in commands away: the server has the commands that are [added](Self::command), and no others.
    pub fn without_builtin_commands(self) -> Self {
        self.only_builtin_commands(std::iter::empty::<String>())
    }

    /// Takes all built-in commands away except these.
    ///
    /// [`Context::call`](crate::Context::call) still finds all of them. A name that is no built-in command's has no effect.
    pub fn only_builtin_commands<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.only = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Answers requests that name no command with an error of the caller's. Default: Redis's `ERR unknown command ...`.
    pub fn on_unknown_command(
        mut self,
        error: impl Fn(Unknown<'_>) -> ReplyError + Send + Sync + 'static,
    ) -> Self {
        self.on_unknown = Some(OnUnknown(Arc::new(error)));
        self
    }

    /// Accepts requests that are not arrays of bulk strings: simple strings and bulk strings that are split on blanks, and arguments that are
    /// themselves integers, nulls, arrays or maps. Default: `false`, a protocol error as in Redis.
    pub fn nested_requests(mut self, accept: bool) -> Self {
        self.config.nested_requests = accept;
        self
    }

    /// Calls `observer` with each change of the data, in order. It runs under the server's lock and must be quick.
    pub fn on_write(mut self, observer: impl Fn(&Effect) + Send + Sync + 'static) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Makes random choices (SPOP, RANDOMKEY, ...) and the order of SCAN repeatable. Default: different for each server.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets a parameter by its name in redis.conf, with the arguments that a line of that file has.
    ///
    /// What CONFIG GET shows can be set. `port 0` means no TCP here, as in redis.conf.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if there is no such parameter (or not yet), or if it does not take this value.
    pub fn directive(mut self, name: &str, args: &[impl AsRef<[u8]>]) -> Result<Self, Error> {
        let param = params::find(name.as_bytes())
            .ok_or_else(|| Error::Config(format!("unknown parameter '{name}'")))?;
        let args: Vec<_> = args.iter().map(AsRef::as_ref).collect();
        let failed = |reason| Error::Config(format!("{name}: {reason}"));
        if args.is_empty() {
            return Err(failed("wrong number of arguments".to_owned()));
        }
        let points = self.config.save.clone();
        (param.set)(&mut self.config, &args.join(&b' ')).map_err(failed)?;
        if param.name == "save" {
            // A configuration file has a line for each point; an empty one takes back those before it.
            if self.save_given && !self.config.save.is_empty() {
                self.config.save.splice(0..0, points);
            }
            self.save_given = true;
        }
        self.config.snapshots |= !self.config.save.is_empty();
        Ok(self)
    }

    /// Starts the server; it accepts connections when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] if an address cannot be listened on, [`Error::Thread`] if a thread cannot be started, [`Error::Snapshot`] if there is a
    /// snapshot that cannot be loaded.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime with I/O and time enabled.
    pub async fn start(self) -> Result<Server, Error> {
        let mut listeners = Vec::new();
        if let Some(port) = self.config.port {
            for host in &self.config.bind {
                listeners.push(Listener::tcp(host, port).await?);
            }
        }
        if let Some(path) = &self.config.unix_socket {
            listeners.push(Listener::unix(path, self.config.unix_socket_mode)?);
        }
        let tcp_port = listeners
            .iter()
            .find_map(Listener::tcp_addr)
            .map_or(0, |addr| addr.port());
        let threads = self.threads;
        let mut inner = self.build(tcp_port)?;
        if let Some(path) = inner.snapshot_path() {
            // The listeners queue connections up meanwhile.
            let load = tokio::task::spawn_blocking(move || inner.load(&path).map(|()| inner));
            inner = load.await.map_err(|error| Error::Thread(error.into()))??;
        }
        Server::start(Arc::new(inner), listeners, threads).await
    }

    fn build(self, tcp_port: u16) -> Result<Inner, Error> {
        let clock = self.clock.unwrap_or_default();
        let now_us = clock.now_us();
        let seed = self.seed.unwrap_or_else(random_seed);
        let table_seed = if self.seed.is_some() {
            Seed::new(seed, !seed)
        } else {
            Seed::of_process()
        };
        let mut rng = Rng::new(seed);
        let is_one =
            |names: &[String], name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        let keep = |name: &str| {
            let wanted = self.only.as_deref().is_none_or(|only| is_one(only, name));
            wanted && !is_one(&self.removed, name)
        };
        let commands = Arc::new(Table::new(keep, &self.commands));
        let run_id = rng.hex_id();
        // Of a generator of its own, so that a seed goes on choosing what it chose.
        let replication_id = Rng::new(!seed).hex_id();
        let mut dbs: Vec<_> = (0..self.config.databases)
            .map(|_| Db::new(table_seed))
            .collect();
        for db in &mut dbs {
            db.notify = self.config.notify.collected();
        }
        let shared = Shared {
            stats: Stats::new(commands.len(), self.config.tracks_latency),
            config: self.config,
            commands,
            clients: Clients::default(),
            pubsub: PubSub::default(),
            tracking: Default::default(),
            monitors: Default::default(),
            slowlog: Default::default(),
            spikes: Default::default(),
            effects: Effects::new(self.observers),
            crossed: false,
            on_unknown: self.on_unknown,
            rng,
            garbage: Garbage::default(),
            eviction: Eviction::default(),
            pause: None,
            saves: Saves::new(now_us.div_euclid(1000)),
            shut_down: false,
            active_expiry: true,
            cron_paused: false,
            slept: false,
            shutdown_requested: Arc::default(),
            started_ms: now_us.div_euclid(1000),
            run_id,
            replication_id,
            clock: clock.clone(),
            tcp_port,
            stopping: false,
        };
        let mut engine = Engine {
            dbs,
            shared,
            now_us,
            found: Found::default(),
            ready_dbs: Vec::new(),
            timed: (None, now_us),
            soonest_expiry: 0, // the first turn of active expiry finds out
            timed_calls: 0,
            last_sweep_ms: 0,
            last_patrol_ms: 0,
        };
        let usage = engine.shared.config.usage();
        engine.shared.eviction.restart(engine.dbs.iter_mut(), usage);
        let counts = engine.shared.counts_clients();
        engine.shared.clients.set_counting(counts, None);
        Ok(Inner::new(engine, clock, self.when_full))
    }
}

fn random_seed() -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(0_u8)
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
