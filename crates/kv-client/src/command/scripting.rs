//! Scripts and functions, as the server knows them.

use std::collections::HashMap;

use bytes::Bytes;
use resp_codec::Frame;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::error::ReplyError;
use crate::fields::{Fields, reply_struct};
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

/// The options of [`Client::function_load`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FunctionLoadOptions;

/// The options of [`Client::function_list`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FunctionListOptions;

/// The options of [`Client::function_restore`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FunctionRestoreOptions;

/// The options of [`Client::flushdb`], [`Client::flushall`], [`Client::script_flush`] and [`Client::function_flush`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FlushOptions;

reply_struct! {
    /// A library of functions.
    pub struct LibraryInfo {
        /// Its name.
        name: String = "library_name",
        /// The language it is written in: `LUA`.
        engine: String = "engine",
        /// Its functions.
        functions: Vec<FunctionInfo> = "functions",
        /// Its source, if that was asked for.
        code: Option<String> = "library_code",
    }

    /// A function of a library.
    pub struct FunctionInfo {
        /// Its name, for [`Client::fcall`].
        name: String = "name",
        /// What its author says of it.
        description: Option<String> = "description",
        /// What it promises: `no-writes`, `allow-oom`, ...
        flags: Vec<String> = "flags",
    }

    /// A script or a function that is running.
    pub struct RunningScript {
        /// The function's name.
        name: String = "name",
        /// The command that called it.
        command: Vec<Bytes> = "command",
        /// For how long, in milliseconds.
        duration_ms: u64 = "duration_ms",
    }
}

/// What runs, and what there is to run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FunctionStats {
    /// What is running.
    pub running: Option<RunningScript>,
    /// Of each language, the number of libraries and of functions.
    pub engines: HashMap<String, (u64, u64)>,
}

impl FromReply for FunctionStats {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut fields = Fields::read(reply)?;
        let mut engines = HashMap::new();
        for (name, counts) in fields.take::<Vec<(String, Reply)>>("engines")? {
            let mut counts = Fields::read(counts)?;
            let counts = (
                counts.take("libraries_count")?,
                counts.take("functions_count")?,
            );
            engines.insert(name, counts);
        }
        Ok(Self {
            running: fields.take("running_script")?,
            engines,
        })
    }
}

impl Client {
    /// [EVAL](https://redis.io/docs/latest/commands/eval/): runs a Lua script. What it comes to depends on the script;
    /// [`into`](Command::into) says what is expected.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// let script = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
    /// let count: i64 = client.eval(script, ["visits"], [10]).into().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// It is sent once and no more: nobody but the author knows whether it may run twice, and says so with
    /// [`retry`](Command::retry).
    pub fn eval(
        &self,
        script: impl ToArg,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> Command<'_, Frame> {
        self.typed(row!("EVAL"))
            .with(script)
            .with_counted(keys)
            .with_all(args)
    }

    /// [EVAL_RO](https://redis.io/docs/latest/commands/eval_ro/): runs a script that only reads.
    pub fn eval_ro(
        &self,
        script: impl ToArg,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> Command<'_, Frame> {
        self.typed(row!("EVAL_RO"))
            .with(script)
            .with_counted(keys)
            .with_all(args)
    }

    /// [EVALSHA](https://redis.io/docs/latest/commands/evalsha/): runs a script that the server knows by its hash. The
    /// error has the code `NOSCRIPT` if it does not.
    pub fn evalsha(
        &self,
        sha1: impl ToArg,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> Command<'_, Frame> {
        self.typed(row!("EVALSHA"))
            .with(sha1)
            .with_counted(keys)
            .with_all(args)
    }

    /// [EVALSHA_RO](https://redis.io/docs/latest/commands/evalsha_ro/): runs a script that only reads and that the
    /// server knows by its hash.
    pub fn evalsha_ro(
        &self,
        sha1: impl ToArg,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> Command<'_, Frame> {
        self.typed(row!("EVALSHA_RO"))
            .with(sha1)
            .with_counted(keys)
            .with_all(args)
    }

    /// [FCALL](https://redis.io/docs/latest/commands/fcall/): calls a function of a library.
    pub fn fcall(
        &self,
        function: impl ToArg,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> Command<'_, Frame> {
        self.typed(row!("FCALL"))
            .with(function)
            .with_counted(keys)
            .with_all(args)
    }

    /// [FCALL_RO](https://redis.io/docs/latest/commands/fcall_ro/): calls a function that only reads.
    pub fn fcall_ro(
        &self,
        function: impl ToArg,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> Command<'_, Frame> {
        self.typed(row!("FCALL_RO"))
            .with(function)
            .with_counted(keys)
            .with_all(args)
    }

    /// [SCRIPT LOAD](https://redis.io/docs/latest/commands/script-load/): gives a script to the server; its hash.
    pub fn script_load(&self, script: impl ToArg) -> Command<'_, String> {
        self.typed(row!("SCRIPT LOAD")).with(script)
    }

    /// [SCRIPT EXISTS](https://redis.io/docs/latest/commands/script-exists/): of each hash, whether the server knows
    /// the script.
    pub fn script_exists(&self, sha1s: impl ToArgs) -> Command<'_, Vec<bool>> {
        self.typed(row!("SCRIPT EXISTS")).with_all(sha1s)
    }

    /// [SCRIPT SHOW](https://redis.io/docs/latest/commands/script-show/): the source of a script. As of Valkey 8.
    pub fn script_show(&self, sha1: impl ToArg) -> Command<'_, Bytes> {
        self.typed(row!("SCRIPT SHOW")).with(sha1)
    }

    /// [SCRIPT FLUSH](https://redis.io/docs/latest/commands/script-flush/): forgets all scripts.
    pub fn script_flush(&self) -> Command<'_, (), FlushOptions> {
        self.typed(row!("SCRIPT FLUSH"))
    }

    /// [SCRIPT KILL](https://redis.io/docs/latest/commands/script-kill/): stops the script that is running, if it has
    /// not written yet. On a server that is busy with a script, only this and FUNCTION KILL are answered.
    pub fn script_kill(&self) -> Command<'_, ()> {
        self.typed(row!("SCRIPT KILL"))
    }

    /// [FUNCTION LOAD](https://redis.io/docs/latest/commands/function-load/): gives a library to the server; its name.
    pub fn function_load(&self, code: impl ToArg) -> Command<'_, String, FunctionLoadOptions> {
        self.typed(row!("FUNCTION LOAD")).options_here().with(code)
    }

    /// [FUNCTION DELETE](https://redis.io/docs/latest/commands/function-delete/): deletes a library.
    pub fn function_delete(&self, library: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("FUNCTION DELETE")).with(library)
    }

    /// [FUNCTION LIST](https://redis.io/docs/latest/commands/function-list/): the libraries.
    pub fn function_list(&self) -> Command<'_, Vec<LibraryInfo>, FunctionListOptions> {
        self.typed(row!("FUNCTION LIST"))
    }

    /// [FUNCTION DUMP](https://redis.io/docs/latest/commands/function-dump/): all libraries in a form for
    /// [`function_restore`](Self::function_restore).
    pub fn function_dump(&self) -> Command<'_, Bytes> {
        self.typed(row!("FUNCTION DUMP"))
    }

    /// [FUNCTION RESTORE](https://redis.io/docs/latest/commands/function-restore/): adds the libraries that FUNCTION
    /// DUMP gave.
    pub fn function_restore(&self, dump: impl ToArg) -> Command<'_, (), FunctionRestoreOptions> {
        self.typed(row!("FUNCTION RESTORE")).with(dump)
    }

    /// [FUNCTION FLUSH](https://redis.io/docs/latest/commands/function-flush/): deletes all libraries.
    pub fn function_flush(&self) -> Command<'_, (), FlushOptions> {
        self.typed(row!("FUNCTION FLUSH"))
    }

    /// [FUNCTION KILL](https://redis.io/docs/latest/commands/function-kill/): stops the function that is running, if it
    /// has not written yet.
    pub fn function_kill(&self) -> Command<'_, ()> {
        self.typed(row!("FUNCTION KILL"))
    }

    /// [FUNCTION STATS](https://redis.io/docs/latest/commands/function-stats/): what runs, and what there is to run.
    pub fn function_stats(&self) -> Command<'_, FunctionStats> {
        self.typed(row!("FUNCTION STATS"))
    }
}

impl<T> Command<'_, T, FunctionLoadOptions> {
    /// Replaces a library of that name.
    pub fn replace(self) -> Self {
        self.option("REPLACE")
    }
}

impl<T> Command<'_, T, FunctionListOptions> {
    /// Only libraries whose names match.
    pub fn library(self, pattern: impl ToArg) -> Self {
        self.with("LIBRARYNAME").with(pattern)
    }

    /// With the source of each.
    pub fn withcode(self) -> Self {
        self.with("WITHCODE")
    }
}

impl<T> Command<'_, T, FunctionRestoreOptions> {
    /// Deletes all libraries first.
    pub fn flush(self) -> Self {
        self.with("FLUSH")
    }

    /// Replaces libraries of the same name.
    pub fn replace(self) -> Self {
        self.with("REPLACE")
    }
}

impl<T> Command<'_, T, FlushOptions> {
    /// Frees the memory in the background. Default: as `lazyfree-lazy-user-flush` says.
    pub fn lazily(self) -> Self {
        self.with("ASYNC")
    }

    /// Frees the memory before it answers.
    pub fn at_once(self) -> Self {
        self.with("SYNC")
    }
}
