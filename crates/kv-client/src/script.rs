//! Scripts that the server keeps: [`Script`], which is sent by its hash and whole only if the server does not know it, and
//! [`Library`], which is loaded if the server does not know one of its functions.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use resp_codec::Frame;
use tokio::time::Instant;

use crate::arg::ToArgs;
use crate::client::Client;
use crate::command::{Command, Decode, Settings, setter};
use crate::error::{Error, Result};
use crate::from_reply::FromReply;
use crate::request::Request;
use crate::sha1::sha1_hex;
use crate::table::{Row, row};

/// A Lua script. Cloning it is cheap.
///
/// ```
/// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
/// use kv_client::Script;
///
/// let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
/// let count: i64 = client.script(&add, "visits", 10).into().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Script {
    source: Arc<str>,
    sha1: Arc<str>,
    read_only: bool,
}

impl Script {
    /// A script with this source.
    pub fn new(source: impl AsRef<str>) -> Self {
        let source = source.as_ref();
        Self {
            source: source.into(),
            sha1: sha1_hex(source.as_bytes()).into(),
            read_only: false,
        }
    }

    /// It only reads: it is sent as EVALSHA_RO, which Redis 7 and newer hold it to, may be sent again as any read, and
    /// may be served by replicas.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// What the server knows it by: the SHA-1 of its source, in hexadecimal.
    #[must_use]
    pub fn sha1(&self) -> &str {
        &self.sha1
    }

    /// Its source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("sha1", &self.sha1)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

/// A library of [functions](https://redis.io/docs/latest/develop/interact/programmability/functions-intro/). Cloning it is
/// cheap.
///
/// ```
/// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
/// use kv_client::Library;
///
/// let library = Library::new(
///     "#!lua name=visits
///     redis.register_function('visit', function(keys, args)
///         return redis.call('INCRBY', keys[1], args[1])
///     end)",
/// );
/// let count: i64 = client.function(&library, "visit", "visits", 10).into().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Library {
    source: Arc<str>,
    replace: bool,
}

impl Library {
    /// A library with this source, the first line of which names it: `#!lua name=mylib`.
    pub fn new(source: impl AsRef<str>) -> Self {
        Self {
            source: source.as_ref().into(),
            replace: false,
        }
    }

    /// Takes the place of a library of the same name that does not have the function that was called. Default: such a call
    /// fails, because another program may rely on what is there.
    #[must_use]
    pub fn replace(mut self) -> Self {
        self.replace = true;
        self
    }

    /// Its source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library")
            .field("header", &self.source.lines().next())
            .field("replace", &self.replace)
            .finish_non_exhaustive()
    }
}

/// A call of a [`Script`] or a function of a [`Library`], which is made when it is awaited; see [`Client::script`] and
/// [`Client::function`].
#[must_use = "a script does nothing until it is awaited"]
pub struct ScriptCall<'a, T> {
    client: &'a Client,
    kept: Kept,
    /// The call by hash, or by name.
    request: Request,
    decode: Decode<T>,
    settings: Settings,
}

/// What the server is to know.
#[derive(Clone)]
enum Kept {
    Script(Arc<str>),
    Library(Library),
}

impl Kept {
    /// Whether the server has said that it does not know it, and so has not run it.
    fn is_unknown(&self, error: &Error) -> bool {
        match self {
            Self::Script(_) => error
                .server_error()
                .is_some_and(|error| error.code() == "NOSCRIPT" && error.refuses_script()),
            Self::Library(_) => error
                .server_error()
                .is_some_and(|error| error.text() == "ERR Function not found"),
        }
    }
}

/// `keys` behind `first` and their number, and then `args`.
fn call(row: &'static Row, first: &[u8], keys: impl ToArgs, args: impl ToArgs) -> Request {
    let mut request = Request::of(row);
    request.push(first);
    request.push_counted(keys);
    args.to_args(&mut request);
    request
}

impl Client {
    /// Runs a script with these keys and arguments: [EVALSHA](https://redis.io/docs/latest/commands/evalsha/), and
    /// [EVAL](https://redis.io/docs/latest/commands/eval/) if the server says that it does not know the script.
    ///
    /// What it comes to depends on the script; [`into`](ScriptCall::into) says what is expected. A script is never sent
    /// again when it may have run, unless it is [read-only](Script::read_only) or [`retry`](ScriptCall::retry) says so.
    /// In a cluster it goes to the node of its keys.
    pub fn script(
        &self,
        script: &Script,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> ScriptCall<'_, Frame> {
        let row = match script.read_only {
            true => row!("EVALSHA_RO"),
            false => row!("EVALSHA"),
        };
        let request = call(row, script.sha1.as_bytes(), keys, args);
        ScriptCall::new(self, Kept::Script(Arc::clone(&script.source)), request)
    }

    /// Calls a function of a library with these keys and arguments: [FCALL](https://redis.io/docs/latest/commands/fcall/). If
    /// the server does not know it, the library is loaded ([FUNCTION LOAD](https://redis.io/docs/latest/commands/function-load/);
    /// in a cluster on all primaries) and the function called once more.
    ///
    /// Otherwise it is as [`script`](Self::script). Functions need Redis 7 or newer.
    pub fn function(
        &self,
        library: &Library,
        name: impl AsRef<str>,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> ScriptCall<'_, Frame> {
        self.call_function(row!("FCALL"), library, name.as_ref(), keys, args)
    }

    /// As [`function`](Self::function), of one that only reads (`no-writes`), to which the server holds it. It may be sent
    /// again as any read: [FCALL_RO](https://redis.io/docs/latest/commands/fcall_ro/).
    pub fn function_ro(
        &self,
        library: &Library,
        name: impl AsRef<str>,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> ScriptCall<'_, Frame> {
        self.call_function(row!("FCALL_RO"), library, name.as_ref(), keys, args)
    }

    fn call_function(
        &self,
        row: &'static Row,
        library: &Library,
        name: &str,
        keys: impl ToArgs,
        args: impl ToArgs,
    ) -> ScriptCall<'_, Frame> {
        let request = call(row, name.as_bytes(), keys, args);
        ScriptCall::new(self, Kept::Library(library.clone()), request)
    }
}

impl<'a> ScriptCall<'a, Frame> {
    fn new(client: &'a Client, kept: Kept, request: Request) -> Self {
        Self {
            client,
            kept,
            request,
            decode: Frame::from_reply,
            settings: Settings::default(),
        }
    }
}

impl<'a, T> ScriptCall<'a, T> {
    /// The same call, whose reply becomes a `U`.
    pub fn into<U: FromReply>(self) -> ScriptCall<'a, U> {
        ScriptCall {
            client: self.client,
            kept: self.kept,
            request: self.request,
            decode: U::from_reply,
            settings: self.settings,
        }
    }

    setter! {
        /// Limits the time from the first poll to the reply, or lifts the limit with `None`. Default:
        /// [`Config::command_timeout`](crate::Config::command_timeout).
        timeout
    }

    setter! {
        /// Whether to send it again after its connection was lost. Default: [`Config::retry`](crate::Config::retry).
        retry
    }

    async fn run(self) -> Result<T> {
        let Self {
            client,
            kept,
            request,
            decode,
            mut settings,
        } = self;
        let timeout = settings
            .timeout
            .unwrap_or_else(|| client.config().command_timeout);
        let begin = Instant::now();
        let left = || Some(timeout.map(|timeout| timeout.saturating_sub(begin.elapsed())));
        let mut short = Command::<T>::new(client, request.clone(), decode);
        short.settings = settings;
        let refused = match short.await {
            Err(error) if kept.is_unknown(&error) => error,
            result => return result,
        };
        // It was refused, so it did not run, unless an earlier attempt did.
        let again = match kept {
            // With its source it runs, and is known from then on.
            Kept::Script(source) => {
                let mut whole = Request::of(match request.name() {
                    "EVALSHA_RO" => row!("EVAL_RO"),
                    _ => row!("EVAL"),
                });
                whole.push(source.as_bytes());
                request.args().skip(1).for_each(|arg| whole.push(arg));
                whole
            }
            Kept::Library(library) => {
                settings.timeout = left();
                let loaded = load(client, &library, settings).await;
                loaded.map_err(|error| error.after(&refused))?;
                request
            }
        };
        settings.timeout = left();
        let mut again = Command::<T>::new(client, again, decode);
        again.settings = settings;
        again.await.map_err(|error| error.after(&refused))
    }
}

/// Loads a library that somebody else may load at the same time.
async fn load(client: &Client, library: &Library, settings: Settings) -> Result<()> {
    let mut request = Request::of(row!("FUNCTION LOAD"));
    if library.replace {
        request.push(b"REPLACE");
    }
    request.push(library.source.as_bytes());
    let mut load = Command::<Frame>::new(client, request, Frame::from_reply);
    load.settings = settings;
    match load.await {
        // What is there may have the function by now; the call that follows will tell.
        Err(error)
            if error
                .server_error()
                .is_some_and(|error| error.text().ends_with("already exists")) =>
        {
            Ok(())
        }
        result => result.map(drop),
    }
}

impl<'a, T: 'a> IntoFuture for ScriptCall<'a, T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for ScriptCall<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptCall")
            .field("name", &self.request.name())
            .finish_non_exhaustive()
    }
}
