//! Scripts that the server keeps: [`Script`], which is sent by its hash and whole only if the server does not know it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use resp_codec::Frame;
use tokio::time::Instant;

use crate::arg::ToArgs;
use crate::class::Retry;
use crate::client::Client;
use crate::command::{Command, Decode, Settings};
use crate::error::Result;
use crate::from_reply::FromReply;
use crate::request::Request;
use crate::sha1::sha1_hex;
use crate::table::row;

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

/// A call of a [`Script`], which is made when it is awaited; see [`Client::script`].
#[must_use = "a script does nothing until it is awaited"]
pub struct ScriptCall<'a, T> {
    client: &'a Client,
    source: Arc<str>,
    /// The call by hash.
    request: Request,
    decode: Decode<T>,
    settings: Settings,
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
        let mut listed = Request::of(row!("EVALSHA"));
        keys.to_args(&mut listed);
        let mut request = Request::of(match script.read_only {
            true => row!("EVALSHA_RO"),
            false => row!("EVALSHA"),
        });
        request.push(script.sha1.as_bytes());
        request.push(listed.args().count().to_string().as_bytes());
        listed.args().for_each(|key| request.push(key));
        args.to_args(&mut request);
        ScriptCall {
            client: self,
            source: Arc::clone(&script.source),
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
            source: self.source,
            request: self.request,
            decode: U::from_reply,
            settings: self.settings,
        }
    }

    /// Limits the time from the first poll to the reply, or lifts the limit with `None`. Default:
    /// [`Config::command_timeout`](crate::Config::command_timeout).
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.timeout = Some(timeout.into());
        self
    }

    /// Whether to send it again after its connection was lost. Default: [`Config::retry`](crate::Config::retry).
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.retry = Some(retry);
        self
    }

    async fn run(self) -> Result<T> {
        let Self {
            client,
            source,
            request,
            decode,
            mut settings,
        } = self;
        let timeout = settings
            .timeout
            .unwrap_or_else(|| client.config().command_timeout);
        let begin = Instant::now();
        let mut by_hash = Command::<T>::new(client, request.clone(), decode);
        by_hash.settings = settings;
        match by_hash.await {
            Err(error) if error.code() == Some("NOSCRIPT") => {}
            result => return result,
        }
        // It was refused, so it did not run. With its source it runs, and is known from then on.
        let mut whole = Request::of(match request.name() {
            "EVALSHA_RO" => row!("EVAL_RO"),
            _ => row!("EVAL"),
        });
        whole.push(source.as_bytes());
        request.args().skip(1).for_each(|arg| whole.push(arg));
        settings.timeout = Some(timeout.map(|timeout| timeout.saturating_sub(begin.elapsed())));
        let mut by_source = Command::<T>::new(client, whole, decode);
        by_source.settings = settings;
        by_source.await
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
