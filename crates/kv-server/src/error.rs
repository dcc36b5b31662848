//! Every error text that the server writes, once.

use std::borrow::Cow;

use crate::command::Args;
use crate::persist::{RestoreError, SaveError};

/// An error reply; its `Display` is the text on the wire, without the leading `-`.
///
/// Texts are those of Redis 7.2, so that clients which look at them (`MOVED`, `WRONGTYPE`, `NOAUTH`, ...) work unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The key holds another type.
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    /// Options that do not go together, or an unknown one.
    #[error("ERR syntax error")]
    Syntax,
    /// Not an integer, or outside of `i64`.
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    /// Not a number.
    #[error("ERR value is not a valid float")]
    NotFloat,
    /// An integer outside of the command's own range.
    #[error("ERR value is out of range")]
    OutOfRange,
    /// A negative number where only positive ones make sense.
    #[error("ERR value is out of range, must be positive")]
    MustBePositive,
    /// The sum does not fit into `i64`.
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    /// The sum is infinite or not a number.
    #[error("ERR increment would produce NaN or Infinity")]
    NanOrInfinity,
    /// An offset outside of a string.
    #[error("ERR offset is out of range")]
    OffsetOutOfRange,
    /// An offset of a bit that no string may have.
    #[error("ERR bit offset is not an integer or out of range")]
    BitOffset,
    /// A string that would be longer than `proto-max-bulk-len`.
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringTooLong,
    /// A TTL that is not positive, or overflows.
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire(Cow<'static, str>),
    /// The key does not exist.
    #[error("ERR no such key")]
    NoSuchKey,
    /// RESTORE without REPLACE, but the key exists.
    #[error("BUSYKEY Target key name already exists.")]
    BusyKey,
    /// An index outside of a list.
    #[error("ERR index out of range")]
    IndexOutOfRange,
    /// A database number that does not exist.
    #[error("ERR DB index is out of range")]
    DbOutOfRange,
    /// A database number that is not a number.
    #[error("ERR invalid DB index")]
    InvalidDb,
    /// Source and destination are the same.
    #[error("ERR source and destination objects are the same")]
    SameObject,
    /// The wrong number of arguments; the name is in lower case, `container|subcommand`.
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(Cow<'static, str>),
    /// No such command; the tail quotes the first arguments.
    #[error("ERR unknown command '{name}', with args beginning with: {args}")]
    UnknownCommand {
        /// As the client wrote it, cut at 128 bytes.
        name: String,
        /// Each quoted and followed by a blank, cut at 128 bytes.
        args: String,
    },
    /// No such subcommand.
    #[error("ERR unknown subcommand '{name}'. Try {container} HELP.")]
    UnknownSubcommand {
        /// As the client wrote it.
        name: String,
        /// In upper case.
        container: Cow<'static, str>,
    },
    /// The connection has to authenticate first.
    #[error("NOAUTH Authentication required.")]
    NoAuth,
    /// A wrong name or password.
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPass,
    /// AUTH with one argument, but there is no password.
    #[error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
    )]
    NoPassword,
    /// A command that makes no sense inside of MULTI.
    #[error("ERR Command not allowed inside a transaction")]
    NotInMulti,
    /// MULTI inside of MULTI.
    #[error("ERR MULTI calls can not be nested")]
    NestedMulti,
    /// WATCH inside of MULTI.
    #[error("ERR WATCH inside MULTI is not allowed")]
    WatchInMulti,
    /// EXEC or DISCARD outside of MULTI.
    #[error("ERR {0} without MULTI")]
    WithoutMulti(&'static str),
    /// A command of the transaction was refused when it was queued.
    #[error("EXECABORT Transaction discarded because of previous errors.")]
    ExecAbort,
    /// A subscribed RESP2 connection may only do a few things.
    #[error(
        "ERR Can't execute '{0}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    )]
    Subscribed(String),
    /// HELLO before authentication, and without AUTH.
    #[error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
    )]
    HelloWithoutAuth,
    /// CLIENT UNBLOCK with ERROR ended the wait of a blocking command.
    #[error("UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    Unblocked,
    /// HELLO with a version other than 2 and 3.
    #[error("NOPROTO unsupported protocol version")]
    NoProto,
    /// Memory is used up and the command would use more.
    #[error("OOM command not allowed when used memory > 'maxmemory'.")]
    OutOfMemory,
    /// Snapshots fail, and writes are refused until one succeeds.
    #[error(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
    )]
    SaveFailed,
    /// The handler of a command panicked; the connection is closed.
    #[error("ERR internal error while executing '{0}'")]
    Internal(String),
    /// Any other text, with its code (`ERR ...`).
    #[error("{0}")]
    Text(Cow<'static, str>),
}

impl ReplyError {
    /// An error with this text, which should begin with a code (`ERR `) as Redis's do.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Text(text.into())
    }

    /// A subcommand with arguments that do not fit it; `args` are those of the whole command.
    pub(crate) fn subcommand_syntax(args: &Args<'_>) -> Self {
        let mut words = args.all().map(String::from_utf8_lossy);
        let container = words.next().unwrap_or_default().to_uppercase();
        let name = words.next().unwrap_or_default();
        Self::text(format!(
            "ERR unknown subcommand or wrong number of arguments for '{name:.128}'. Try {container} HELP."
        ))
    }

    /// An integer outside of a range that the error names.
    pub(crate) fn outside(min: i64, max: i64) -> Self {
        Self::text(format!(
            "ERR value is out of range, value must between {min} and {max}"
        ))
    }
}

impl From<SaveError> for Error {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Write { path, source } => Self::Snapshot {
                path,
                source: source.into(),
            },
            other => Self::NoSnapshot(other.to_string()),
        }
    }
}

impl From<RestoreError> for ReplyError {
    fn from(error: RestoreError) -> Self {
        Self::text(format!("ERR {error}"))
    }
}

impl From<SaveError> for ReplyError {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Write { path, source } => {
                Self::text(format!("ERR Cannot write {}: {source}", path.display()))
            }
            other => Self::text(format!("ERR {other}")),
        }
    }
}

/// What a handler returns: its reply is already written, or there is an error to write instead.
pub type Result<T = ()> = std::result::Result<T, ReplyError>;

/// Why a server could not start, or could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address could not be bound.
    #[error("cannot listen on {addr}")]
    Bind {
        /// The address or path that was asked for.
        addr: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A thread or runtime of the server's own could not be started.
    #[error("cannot start a server thread")]
    Thread(#[source] std::io::Error),
    /// A configuration parameter has a value that cannot be.
    #[error("invalid configuration: {0}")]
    Config(String),
    /// The snapshot file could not be read or written.
    #[error("snapshot {}", path.display())]
    Snapshot {
        /// The file.
        path: std::path::PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no snapshot to write, because snapshots are turned off or because one is being written already.
    #[error("{0}")]
    NoSnapshot(String),
    /// The server is running already.
    #[error("the server is running")]
    Running,
}
