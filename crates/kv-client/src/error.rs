//! What went wrong, with which command, and what became of that command on the server.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use resp_codec::{DecodeError, DecodeErrorKind};

use crate::url::UrlError;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: its [kind](Self::kind), the [command](Self::command) it hit, and that command's [outcome](Self::outcome).
///
/// ```
/// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
/// use kv_client::Outcome;
///
/// match client.incr("visits").await {
///     Ok(visits) => println!("visit number {visits}"),
///     Err(error) => match error.outcome() {
///         Outcome::NotSent | Outcome::Rejected => println!("not counted: {error}"),
///         Outcome::MaybeExecuted => println!("perhaps counted, perhaps not: {error}"),
///         Outcome::Executed => println!("counted, but the reply was not a number: {error}"),
///     },
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    command: Option<Cow<'static, str>>,
    outcome: Outcome,
}

/// What became of the command on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server cannot have run it: at least its last byte never left this process.
    NotSent,
    /// It was sent whole and no reply came: the server may have run it, or not. That is also what became of a command that was
    /// sent again, if that holds for one of its attempts and the last one failed, in whatever way.
    MaybeExecuted,
    /// The server answered with an error. Redis then changed nothing, except for what a script or a function had
    /// written before it failed.
    Rejected,
    /// The server ran it and answered, but the answer does not fit the type that was asked for.
    Executed,
}

/// Where a command was when its time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for other commands to be answered: [`Config::max_in_flight`](crate::Config::max_in_flight) were under way.
    Queued,
    /// Waiting for a connection to the server.
    Connecting,
    /// Waiting for the socket to take its bytes, or those of commands in front of it.
    Writing,
    /// Sent whole, waiting for the reply.
    Waiting,
}

/// The kinds of failure.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL is not one.
    #[error("invalid url: {0}")]
    Url(UrlError),
    /// The server could not be reached.
    #[error("connection to {addr} failed")]
    Connect {
        /// Where the connection was to go.
        addr: String,
        /// Why it failed.
        source: Arc<io::Error>,
    },
    /// The connection stands, but the server refused what the configuration asks for: AUTH, SELECT, HELLO.
    #[error("server at {addr} refused {step}: {reply}{}", login_hint(reply))]
    Refused {
        /// The server.
        addr: String,
        /// The command that it refused.
        step: &'static str,
        /// Its answer.
        reply: ServerError,
    },
    /// There is no login to be had: a [`CredentialsProvider`](crate::CredentialsProvider) failed, or the server refuses what
    /// it gave.
    #[error("cannot log in")]
    Credentials {
        /// What the provider failed with; or the server's refusal, an [`Error`].
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// An established connection ended.
    #[error("connection to {addr} was lost")]
    Lost {
        /// The server.
        addr: String,
        /// Why; end of file if the server closed it in good order.
        source: Arc<io::Error>,
    },
    /// What arrived is not RESP: the peer is no Redis, or the limits of the configuration are too narrow.
    #[error("reply from {addr} cannot be read{}", doubt(source))]
    Protocol {
        /// The server.
        addr: String,
        /// What is wrong with the bytes.
        source: DecodeError,
    },
    /// The time limit passed.
    #[error("timed out after {after:?} {phase}")]
    Timeout {
        /// What the command was waiting for.
        phase: Phase,
        /// The limit.
        after: Duration,
        /// Why there is no connection, if that is what it was waiting for.
        source: Option<Box<Error>>,
    },
    /// The server answered with an error.
    #[error("{0}{hint}", hint = cluster_hint(.0))]
    Server(ServerError),
    /// The reply has another type than the one asked for.
    #[error("{0}")]
    Reply(ReplyError),
    /// The command cannot be sent on a connection that is shared between callers.
    #[error("cannot be sent like this on a connection that others use too; {instead}")]
    Unshared {
        /// The command.
        command: String,
        /// What to use in its place.
        instead: &'static str,
    },
    /// An argument is longer than servers take, or than [`Limits::bulk_bytes`](crate::Limits::bulk_bytes) of
    /// [`Config::limits`](crate::Config::limits) allows in both directions.
    #[error("argument of {len} bytes exceeds the limit of {max} bytes")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit. Default: 512 MiB, as `proto-max-bulk-len` in redis.conf.
        max: usize,
    },
    /// A WATCHed key changed, so the transaction was not run.
    #[error("transaction was not run because a watched key changed")]
    Conflict,
    /// The client was closed.
    #[error("client is closed")]
    Closed,
    /// No sentinel says where the primary of the service is.
    #[error("no sentinel knows a primary of '{service}'")]
    NoPrimary {
        /// The service.
        service: String,
        /// What went wrong with the last one that was asked; nothing if it has never heard of the service.
        source: Option<Box<Error>>,
    },
    /// The server that the sentinels named is not, or not yet, a primary.
    #[error("server at {addr} is not a primary but a {role}")]
    NotPrimary {
        /// The server.
        addr: String,
        /// What it says it is.
        role: String,
    },
    /// The configuration says that this is a cluster, and the server says that it is none.
    #[error(
        "server at {addr} is not a node of a cluster ({said}); use a redis:// url for a single server"
    )]
    NotACluster {
        /// The server.
        addr: String,
        /// Its words.
        said: String,
    },
    /// The keys of one command or transaction are in several slots of the cluster, so no node has them all.
    #[error(
        "keys are in different slots ({first} and {second}) of the cluster; keys that belong together need a common {{tag}}"
    )]
    CrossSlot {
        /// The slot of the first key.
        first: u16,
        /// The slot of the first key in another one.
        second: u16,
    },
    /// The command makes sense on a single node of a cluster only.
    #[error("the command is about one node of the cluster; {instead}")]
    OneNode {
        /// What to use in its place.
        instead: &'static str,
    },
    /// As far as is known, no node of the cluster serves what is asked for.
    #[error("no node of the cluster serves {slots}")]
    NoNode {
        /// `slot 5`.
        slots: Cow<'static, str>,
        /// Why there is no map of the cluster, if none could be had when it was last asked for.
        source: Option<Box<Error>>,
    },
    /// The nodes of the cluster sent the command to each other, again and again.
    #[error("the nodes of the cluster sent it on {hops} times")]
    TooManyRedirects {
        /// How often.
        hops: u32,
    },
}

/// An error reply, as the server sent it: `WRONGTYPE Operation against a key holding the wrong kind of value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{text}")]
pub struct ServerError {
    text: Box<str>,
}

/// A reply that is not of the type asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got}")]
pub struct ReplyError {
    expected: Cow<'static, str>,
    got: Cow<'static, str>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, outcome: Outcome) -> Self {
        Self(Box::new(Inner {
            kind,
            command: None,
            outcome,
        }))
    }

    /// The same error, of the command `name`.
    pub(crate) fn of(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.0.command = Some(name.into());
        self
    }

    /// The same error, at the end of what began with `earlier`.
    pub(crate) fn after(mut self, earlier: &Self) -> Self {
        if earlier.0.outcome == Outcome::MaybeExecuted {
            self.0.outcome = Outcome::MaybeExecuted;
        }
        self
    }

    pub(crate) fn server(text: ServerError) -> Self {
        Self::new(ErrorKind::Server(text), Outcome::Rejected)
    }

    pub(crate) fn reply(error: ReplyError) -> Self {
        Self::new(ErrorKind::Reply(error), Outcome::Executed)
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The command that failed, in upper case as it was sent. `None` if the failure is not that of a command.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.0.command.as_deref()
    }

    /// What became of the command on the server.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Whether it is certain that the command changed nothing: it was [not sent](Outcome::NotSent) or
    /// [rejected](Outcome::Rejected); a script or a function before it was begun.
    #[must_use]
    pub fn had_no_effect(&self) -> bool {
        match self.0.outcome {
            Outcome::NotSent => true,
            Outcome::Rejected => {
                let is_script = self.command().is_some_and(runs_script);
                !is_script || self.server_error().is_none_or(ServerError::refuses_script)
            }
            Outcome::MaybeExecuted | Outcome::Executed => false,
        }
    }

    /// Whether a time limit passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Timeout { .. })
    }

    /// The server's own error, if this is one: also that of a refused AUTH or SELECT.
    #[must_use]
    pub fn server_error(&self) -> Option<&ServerError> {
        match &self.0.kind {
            ErrorKind::Server(error) | ErrorKind::Refused { reply: error, .. } => Some(error),
            _ => None,
        }
    }

    /// The first word of the server's error: `ERR`, `WRONGTYPE`, `NOSCRIPT`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.server_error().map(ServerError::code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            command,
            outcome,
        } = &*self.0;
        if let Some(command) = command {
            write!(f, "{command}: ")?;
        }
        write!(f, "{kind}")?;
        match (command, outcome) {
            (Some(_), Outcome::NotSent) => write!(f, " (not sent)"),
            (Some(_), Outcome::MaybeExecuted) => write!(f, " (maybe executed)"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            command,
            outcome,
        } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("command", command)
            .field("outcome", outcome)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.kind)
    }
}

/// Whether a command runs what may fail after it has written.
pub(crate) fn runs_script(command: &str) -> bool {
    matches!(command, "EVAL" | "EVALSHA" | "FCALL")
}

/// What the first byte of something else gives away.
fn doubt(source: &DecodeError) -> &'static str {
    match source.kind() {
        // An alert of TLS.
        DecodeErrorKind::UnknownType(0x15) => "; does this port speak TLS (rediss://)?",
        DecodeErrorKind::UnknownType(_) => "; is it a redis server?",
        _ => "",
    }
}

/// What to do about a server that wants a login.
fn login_hint(reply: &ServerError) -> &'static str {
    match reply.code() {
        "NOAUTH" => " (it wants a login: user:password@ in the url, or Config::credentials)",
        _ => "",
    }
}

/// What to do about a node of a cluster that was taken for a single server.
fn cluster_hint(reply: &ServerError) -> &'static str {
    match reply.code() {
        "MOVED" | "ASK" => " (a node of a cluster: a redis-cluster:// url follows this)",
        _ => "",
    }
}

impl From<UrlError> for Error {
    fn from(error: UrlError) -> Self {
        Self::new(ErrorKind::Url(error), Outcome::NotSent)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "in the queue",
            Self::Connecting => "without a connection",
            Self::Writing => "before it was written",
            Self::Waiting => "waiting for the reply",
        })
    }
}

impl ServerError {
    pub(crate) fn new(text: &[u8]) -> Self {
        Self {
            text: String::from_utf8_lossy(text).into(),
        }
    }

    /// The whole text, without the leading `-`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first word, if it is in capital letters as Redis's own codes are; `ERR` otherwise.
    #[must_use]
    pub fn code(&self) -> &str {
        let word = self.text.split(' ').next().unwrap_or_default();
        if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase()) {
            word
        } else {
            "ERR"
        }
    }

    /// Whether the server says this of a script, or a function, that it has not begun, or that has written nothing yet. What
    /// a script says itself may have the same code, and it may have written before; so the words count.
    pub(crate) fn refuses_script(&self) -> bool {
        #[rustfmt::skip] // a table reads best in columns
        let words: &[&str] = match self.code() {
            "NOSCRIPT" => &["No matching script"],
            "TRYAGAIN" => &["Multiple keys request"],
            "CROSSSLOT" => &["Keys in request"],
            "CLUSTERDOWN" => &["Hash slot not served", "The cluster is down"],
            "LOADING" => &["Redis is loading", "Valkey is loading"],
            "BUSY" => &["Redis is busy", "Valkey is busy"],
            "MASTERDOWN" => &["Link with MASTER is down"],
            "NOAUTH" => &["Authentication required"],
            "READONLY" => &["You can't write against a read only", "Can not run script with write flag"],
            "OOM" => &["command not allowed when used memory", "allow-oom flag is not set"],
            "NOREPLICAS" => &["Not enough good replicas"],
            "ERR" => &["Function not found", "Error compiling script", "wrong number of arguments for"],
            "MOVED" | "ASK" => {
                let mut words = self.message().split(' ');
                let slot = words.next().is_some_and(|slot| slot.parse::<u16>().is_ok());
                return slot && words.next().is_some_and(|to| to.contains(':')) && words.next().is_none();
            }
            _ => &[],
        };
        words.iter().any(|words| self.message().starts_with(words))
    }

    /// The server has become a replica; a script that says so has written nothing.
    pub(crate) fn is_of_replica(&self) -> bool {
        self.code() == "READONLY" && self.refuses_script()
    }

    /// A server that became a replica ended a blocking command; somebody with CLIENT UNBLOCK has other words.
    pub(crate) fn is_forced_unblock(&self) -> bool {
        self.text.starts_with("UNBLOCKED force")
    }

    /// The text behind the code.
    #[must_use]
    pub fn message(&self) -> &str {
        self.text
            .strip_prefix(self.code())
            .unwrap_or(&self.text)
            .trim_start()
    }
}

impl ReplyError {
    /// `expected` names the type asked for, `got` describes the reply.
    pub fn new(expected: impl Into<Cow<'static, str>>, got: impl Into<Cow<'static, str>>) -> Self {
        Self {
            expected: expected.into(),
            got: got.into(),
        }
    }

    /// The type that was asked for.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// The reply that came instead.
    #[must_use]
    pub fn got(&self) -> &str {
        &self.got
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_command_and_says_whether_it_ran() {
        let kind = ErrorKind::Timeout {
            phase: Phase::Waiting,
            after: Duration::from_secs(5),
            source: None,
        };
        let error = Error::new(kind, Outcome::MaybeExecuted).of("INCR");
        assert_eq!(
            error.to_string(),
            "INCR: timed out after 5s waiting for the reply (maybe executed)"
        );

        let error = Error::server(ServerError::new(b"WRONGTYPE Operation against a key")).of("GET");
        assert_eq!(error.to_string(), "GET: WRONGTYPE Operation against a key");
        assert_eq!(error.code(), Some("WRONGTYPE"));
    }

    #[test]
    fn an_error_without_a_code_counts_as_err() {
        let error = ServerError::new(b"Unrecognized command: X");
        assert_eq!(
            (error.code(), error.message()),
            ("ERR", "Unrecognized command: X")
        );
        let error = ServerError::new(b"ERR syntax error");
        assert_eq!((error.code(), error.message()), ("ERR", "syntax error"));
    }

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
