//! Commands about the server: configuration, data on disk, replication.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use resp_codec::Frame;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::command::generic::millis;
use crate::error::ReplyError;
use crate::fields::reply_struct;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

/// The options of [`Client::shutdown`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ShutdownOptions;

/// The options of [`Client::migrate`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MigrateOptions;

/// The options of [`Client::failover`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FailoverOptions;

reply_struct! {
    /// A module that is loaded.
    pub struct ModuleInfo {
        /// Its name.
        name: String = "name",
        /// Its version.
        version: i64 = "ver",
        /// Where it was loaded from. As of Redis 7.0.
        path: Option<String> = "path",
        /// What it was given. As of Redis 7.0.
        args: Vec<Bytes> = "args",
    }
}

/// What a server is to others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerRole {
    /// It takes writes.
    Primary {
        /// How much was written to its replicas.
        offset: i64,
        /// Its replicas: address, port, and what each has taken over.
        replicas: Vec<(String, u16, i64)>,
    },
    /// It follows another.
    Replica {
        /// The address that it follows.
        host: String,
        /// Its port.
        port: u16,
        /// `connect`, `connecting`, `sync` or `connected`.
        state: String,
        /// What it has taken over; -1 if it has nothing yet.
        offset: i64,
    },
    /// It watches over others.
    Sentinel {
        /// The names of the primaries it watches.
        primaries: Vec<String>,
    },
}

impl FromReply for ServerRole {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut parts = Vec::<Reply>::from_reply(reply)?.into_iter();
        let mut part = || parts.next().unwrap_or(Reply::Null);
        Ok(match String::from_reply(part())?.as_str() {
            "master" => Self::Primary {
                offset: FromReply::from_reply(part())?,
                replicas: FromReply::from_reply(part())?,
            },
            "slave" => Self::Replica {
                host: FromReply::from_reply(part())?,
                port: FromReply::from_reply(part())?,
                state: FromReply::from_reply(part())?,
                offset: FromReply::from_reply(part())?,
            },
            "sentinel" => Self::Sentinel {
                primaries: FromReply::from_reply(part())?,
            },
            other => return Err(ReplyError::new("a role", other.to_owned())),
        })
    }
}

impl Client {
    /// [CONFIG GET](https://redis.io/docs/latest/commands/config-get/): the parameters that match.
    pub fn config_get(&self, patterns: impl ToArgs) -> Command<'_, HashMap<String, String>> {
        self.typed(row!("CONFIG GET")).with_all(patterns)
    }

    /// [CONFIG SET](https://redis.io/docs/latest/commands/config-set/): changes parameters, given as one pair, a list
    /// of pairs or a map.
    pub fn config_set(&self, pairs: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("CONFIG SET")).with_all(pairs)
    }

    /// [CONFIG RESETSTAT](https://redis.io/docs/latest/commands/config-resetstat/): begins to count anew.
    pub fn config_resetstat(&self) -> Command<'_, ()> {
        self.typed(row!("CONFIG RESETSTAT"))
    }

    /// [CONFIG REWRITE](https://redis.io/docs/latest/commands/config-rewrite/): writes the parameters to the server's
    /// configuration file.
    pub fn config_rewrite(&self) -> Command<'_, ()> {
        self.typed(row!("CONFIG REWRITE"))
    }

    /// [SAVE](https://redis.io/docs/latest/commands/save/): writes a snapshot, and holds everybody up meanwhile.
    pub fn save(&self) -> Command<'_, ()> {
        self.typed(row!("SAVE"))
    }

    /// [BGSAVE](https://redis.io/docs/latest/commands/bgsave/): begins to write a snapshot; what the server says.
    pub fn bgsave(&self) -> Command<'_, String> {
        self.typed(row!("BGSAVE"))
    }

    /// [BGREWRITEAOF](https://redis.io/docs/latest/commands/bgrewriteaof/): begins to write the append-only file anew;
    /// what the server says.
    pub fn bgrewriteaof(&self) -> Command<'_, String> {
        self.typed(row!("BGREWRITEAOF"))
    }

    /// [LASTSAVE](https://redis.io/docs/latest/commands/lastsave/): when a snapshot was last written.
    pub fn lastsave(&self) -> Command<'_, SystemTime> {
        self.read_by(row!("LASTSAVE"), unix_seconds)
    }

    /// [SHUTDOWN](https://redis.io/docs/latest/commands/shutdown/): ends the server. It answers only if that fails; if
    /// it succeeds, the connection ends, and the command fails as lost and maybe executed.
    pub fn shutdown(&self) -> Command<'_, (), ShutdownOptions> {
        self.typed(row!("SHUTDOWN"))
    }

    /// [ROLE](https://redis.io/docs/latest/commands/role/): whether the server is a primary or a replica, and of whom.
    pub fn role(&self) -> Command<'_, ServerRole> {
        self.typed(row!("ROLE"))
    }

    /// [REPLICAOF](https://redis.io/docs/latest/commands/replicaof/): makes the server a replica of another;
    /// [`replicaof_no_one`](Self::replicaof_no_one) ends that.
    pub fn replicaof(&self, host: impl ToArg, port: u16) -> Command<'_, ()> {
        self.typed(row!("REPLICAOF")).with(host).with(port)
    }

    /// [SLAVEOF](https://redis.io/docs/latest/commands/slaveof/): the old name of REPLICAOF.
    pub fn slaveof(&self, host: impl ToArg, port: u16) -> Command<'_, ()> {
        self.typed(row!("SLAVEOF")).with(host).with(port)
    }

    /// [REPLICAOF](https://redis.io/docs/latest/commands/replicaof/) NO ONE: makes a replica a primary.
    pub fn replicaof_no_one(&self) -> Command<'_, ()> {
        self.typed(row!("REPLICAOF")).with("NO").with("ONE")
    }

    /// [FAILOVER](https://redis.io/docs/latest/commands/failover/): hands over to a replica.
    pub fn failover(&self) -> Command<'_, (), FailoverOptions> {
        self.typed(row!("FAILOVER"))
    }

    /// [WAIT](https://redis.io/docs/latest/commands/wait/): waits until so many replicas have all that was written **on
    /// this connection** before; how many have. Zero waits for ever.
    ///
    /// It waits on the connection that all clones share, because it is about what was written there, and holds their
    /// commands up meanwhile. It is never sent again: a new connection has written nothing.
    pub fn wait(&self, replicas: u64, timeout: Duration) -> Command<'_, u64> {
        self.typed(row!("WAIT"))
            .with(replicas)
            .with(millis(timeout))
    }

    /// [WAITAOF](https://redis.io/docs/latest/commands/waitaof/): as [`wait`](Self::wait), until it is on disk: here,
    /// and on so many replicas. As of Redis 7.2.
    pub fn waitaof(&self, local: u64, replicas: u64, timeout: Duration) -> Command<'_, (u64, u64)> {
        self.typed(row!("WAITAOF"))
            .with(local)
            .with(replicas)
            .with(millis(timeout))
    }

    /// [MIGRATE](https://redis.io/docs/latest/commands/migrate/): moves a key to another server; `false` if there is no
    /// such key. For many keys, the key is empty and [`keys`](Command::keys) names them.
    pub fn migrate(
        &self,
        host: impl ToArg,
        port: u16,
        key: impl ToArg,
        db: u32,
        timeout: Duration,
    ) -> Command<'_, bool, MigrateOptions> {
        self.typed(row!("MIGRATE"))
            .with(host)
            .with(port)
            .with(key)
            .with(db)
            .with(millis(timeout))
    }

    /// [LOLWUT](https://redis.io/docs/latest/commands/lolwut/): a picture, and the server's version.
    pub fn lolwut(&self) -> Command<'_, String> {
        self.typed(row!("LOLWUT"))
    }

    /// [DEBUG](https://redis.io/docs/latest/commands/debug/): what the server offers for its own tests.
    pub fn debug(&self, args: impl ToArgs) -> Command<'_, Frame> {
        self.typed(row!("DEBUG")).with_all(args)
    }

    /// [MODULE LIST](https://redis.io/docs/latest/commands/module-list/): the modules that are loaded.
    pub fn module_list(&self) -> Command<'_, Vec<ModuleInfo>> {
        self.typed(row!("MODULE LIST"))
    }

    /// [MODULE LOAD](https://redis.io/docs/latest/commands/module-load/): loads a module.
    pub fn module_load(&self, path: impl ToArg, args: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("MODULE LOAD")).with(path).with_all(args)
    }

    /// [MODULE LOADEX](https://redis.io/docs/latest/commands/module-loadex/): loads a module with a configuration.
    pub fn module_loadex(&self, path: impl ToArg, args: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("MODULE LOADEX")).with(path).with_all(args)
    }

    /// [MODULE UNLOAD](https://redis.io/docs/latest/commands/module-unload/): unloads a module.
    pub fn module_unload(&self, name: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("MODULE UNLOAD")).with(name)
    }

    /// [BGSAVE](https://redis.io/docs/latest/commands/bgsave/) SCHEDULE: as [`bgsave`](Self::bgsave), later if something
    /// else is being written.
    pub fn bgsave_schedule(&self) -> Command<'_, String> {
        self.typed(row!("BGSAVE")).with("SCHEDULE")
    }

    /// HELP of a command with subcommands, such as `OBJECT`: what there is.
    pub fn help(&self, command: &str) -> Command<'_, Vec<String>> {
        let mut request = crate::request::Request::new(command.to_ascii_uppercase());
        request.push(b"HELP");
        Command::new(self, request, Vec::from_reply)
    }

    /// [RESTORE-ASKING](https://redis.io/docs/latest/commands/restore-asking/): RESTORE as one node of a cluster sends it
    /// to another.
    pub fn restore_asking(
        &self,
        key: impl ToArg,
        ttl: Option<Duration>,
        dump: impl ToArg,
    ) -> Command<'_, ()> {
        self.typed(row!("RESTORE-ASKING"))
            .with(key)
            .with(ttl.map_or(0, millis))
            .with(dump)
    }
}

fn unix_seconds(reply: Reply) -> Result<SystemTime, ReplyError> {
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(u32::from_reply(reply)?.into()))
}

impl<T> Command<'_, T, ShutdownOptions> {
    /// Writes a snapshot first, whatever the configuration says.
    pub fn save(self) -> Self {
        self.with("SAVE")
    }

    /// Writes no snapshot, whatever the configuration says.
    pub fn nosave(self) -> Self {
        self.with("NOSAVE")
    }

    /// Does not wait for replicas.
    pub fn now(self) -> Self {
        self.with("NOW")
    }

    /// Ends also if the snapshot cannot be written.
    pub fn force(self) -> Self {
        self.with("FORCE")
    }

    /// Takes back a SHUTDOWN that is waiting.
    pub fn abort(self) -> Self {
        self.with("ABORT")
    }
}

impl<T> Command<'_, T, MigrateOptions> {
    /// Keeps the key here too.
    pub fn copy(self) -> Self {
        self.with("COPY")
    }

    /// Replaces what has the name there.
    pub fn replace(self) -> Self {
        self.with("REPLACE")
    }

    /// Logs in there with the password of the default user.
    pub fn auth(self, password: impl ToArg) -> Self {
        self.with("AUTH").with(password)
    }

    /// Logs in there with a user's name.
    pub fn auth_user(self, user: impl ToArg, password: impl ToArg) -> Self {
        self.with("AUTH2").with(user).with(password)
    }

    /// Many keys in place of one. The last of the options.
    pub fn keys(self, keys: impl ToArgs) -> Self {
        self.with("KEYS").with_all(keys)
    }
}

impl<T> Command<'_, T, FailoverOptions> {
    /// To this replica.
    pub fn to(self, host: impl ToArg, port: u16) -> Self {
        self.with("TO").with(host).with(port)
    }

    /// Also if it does not catch up in time.
    pub fn force(self) -> Self {
        self.with("FORCE")
    }

    /// Gives up after so long.
    pub fn timeout_after(self, timeout: Duration) -> Self {
        self.with("TIMEOUT").with(millis(timeout))
    }

    /// Takes back a FAILOVER that is under way.
    pub fn abort(self) -> Self {
        self.with("ABORT")
    }
}
