//! Many commands in one go: [`Client::pipeline`] and [`Client::transaction`].

mod batch;
mod future;
mod send;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::sync::atomic::Ordering;

use tracing::Instrument;

pub use self::batch::Batch;
use self::batch::{Parts, Replies};
pub use self::future::BatchFuture;
use self::send::{executed, send_pipeline, send_transaction};
use crate::client::Client;
use crate::command::{Settings, setter};
use crate::config::ReadFrom;
use crate::error::{Error, Result};
use crate::request::Request;
use crate::telemetry;

/// Commands that are sent together; see [`Client::pipeline`].
#[must_use = "a pipeline does nothing until it is awaited"]
pub struct Pipeline<'a, B: Batch> {
    client: &'a Client,
    batch: B,
    settings: Settings,
}

/// Commands that are run together; see [`Client::transaction`].
#[must_use = "a transaction does nothing until it is awaited"]
pub struct Transaction<'a, B: Batch> {
    client: &'a Client,
    batch: B,
    settings: Settings,
}

impl Client {
    /// Sends several commands in one go and waits for all of their replies: a tuple in, a tuple of values out.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// let (_, visits, name) = client
    ///     .pipeline((client.set("seen", "yes"), client.incr("visits"), client.get("name").into::<Option<String>>()))
    ///     .await?;
    ///
    /// let all = client.pipeline((0..100).map(|n| client.get(format!("key:{n}"))).collect::<Vec<_>>()).await?;
    ///
    /// let (first, second) = client.pipeline((client.lpop("list"), client.incr("not a number"))).results().await;
    /// # Ok(()) }
    /// ```
    ///
    /// Awaiting it gives all values or the first error; [`results`](Pipeline::results) gives the result of each command.
    /// Commands of other tasks may run between those of a pipeline; those of a [`transaction`](Self::transaction) run alone.
    ///
    /// The limits and the retry policy are those of the whole: [`Command::timeout`](crate::Command::timeout) of its commands counts as the shortest
    /// of them, and it is sent again only if each of its commands may be.
    pub fn pipeline<B: Batch>(&self, commands: B) -> Pipeline<'_, B> {
        Pipeline {
            client: self,
            batch: commands,
            settings: Settings::default(),
        }
    }

    /// Runs several commands as one, between MULTI and EXEC: all of them or none, and nobody else's in between.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// let (left, right) = client.transaction((client.decrby("left", 10), client.incrby("right", 10))).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// A command that the server refuses to queue (a wrong number of arguments, say) keeps all of them from running. A
    /// command that fails when it runs (a wrong type) does not take back what the others did; [`results`](Transaction::results)
    /// tells them apart.
    pub fn transaction<B: Batch>(&self, commands: B) -> Transaction<'_, B> {
        Transaction {
            client: self,
            batch: commands,
            settings: Settings::default(),
        }
    }
}

/// The settings that batches of both kinds have.
macro_rules! settings {
    ($batch:ident) => {
        impl<B: Batch> $batch<'_, B> {
            setter! {
                /// Limits the time from the first poll to the last reply. Default:
                /// [`Config::command_timeout`](crate::Config::command_timeout).
                timeout
            }

            setter! {
                /// Whether to send it again after its connection was lost. Default: as its commands say.
                retry
            }

            setter! {
                /// Whether to send it over the connection for what is large; see [`Command::bulk`](crate::Command::bulk).
                /// Default: by the length of the whole.
                bulk
            }
        }

        impl<B: Batch> fmt::Debug for $batch<'_, B> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($batch))
                    .field("settings", &self.settings)
                    .finish_non_exhaustive()
            }
        }
    };
}

settings!(Pipeline);
settings!(Transaction);

impl<'a, B: Batch> Pipeline<'a, B> {
    /// Which nodes of a cluster may serve the reads in it; see [`Command::read_from`](crate::Command::read_from). Default: as
    /// its commands say.
    pub fn read_from(mut self, nodes: ReadFrom) -> Self {
        self.settings.read_from = Some(nodes);
        self
    }

    /// The result of each command.
    pub fn results(self) -> impl Future<Output = B::Results> + Send + use<'a, B> {
        let (decoders, parts) = split(self.batch);
        let sent = pipeline(self.client, parts, self.settings);
        async move { B::each(decoders, &mut sent.await) }
    }
}

impl<'a, B: Batch> IntoFuture for Pipeline<'a, B> {
    type Output = Result<B::Output>;
    type IntoFuture = BatchFuture<'a, B>;

    fn into_future(self) -> Self::IntoFuture {
        let (decoders, parts) = split(self.batch);
        let sent = pipeline(self.client, parts, self.settings);
        BatchFuture::new(decoders, async move { Ok(sent.await) })
    }
}

impl<'a, B: Batch> Transaction<'a, B> {
    /// The result of each command, if they were run.
    pub fn results(self) -> impl Future<Output = Result<B::Results>> + Send + use<'a, B> {
        let (decoders, parts) = split(self.batch);
        let sent = transaction(self.client, parts, self.settings);
        async move { Ok(B::each(decoders, &mut sent.await?)) }
    }
}

impl<'a, B: Batch> IntoFuture for Transaction<'a, B> {
    type Output = Result<B::Output>;
    type IntoFuture = BatchFuture<'a, B>;

    fn into_future(self) -> Self::IntoFuture {
        let (decoders, parts) = split(self.batch);
        BatchFuture::new(decoders, transaction(self.client, parts, self.settings))
    }
}

/// How to read the replies, and what to send for them.
fn split<B: Batch>(batch: B) -> (B::Decoders, Parts) {
    let mut parts = Parts::default();
    (batch.split(&mut parts), parts)
}

async fn pipeline(client: &Client, parts: Parts, settings: Settings) -> Replies {
    let commands = parts.requests.len();
    let span = telemetry::of_batch(client.config(), "PIPELINE", &parts.requests);
    let sent = send_pipeline(client, parts, settings);
    let replies = match sent.instrument(span.clone()).await {
        Ok(replies) => replies,
        Err(error) => Replies::failed(&error, commands),
    };
    telemetry::first_failed(&span, || replies.first_error());
    replies
}

async fn transaction(client: &Client, parts: Parts, settings: Settings) -> Result<Replies> {
    let names: Vec<_> = parts.requests.iter().map(Request::clone_name).collect();
    let span = telemetry::of_batch(client.config(), "MULTI", &parts.requests);
    // Whoever drops this future does not learn whether it was run.
    let transactions = &client.inner.transactions;
    transactions.fetch_add(1, Ordering::Relaxed);
    let sent = send_transaction(client, parts, settings);
    let executed = match sent.instrument(span.clone()).await {
        Ok(answer) => executed(answer, &names),
        Err(error) => Err(error),
    };
    if names.is_empty() || executed.as_ref().is_err_and(Error::had_no_effect) {
        transactions.fetch_sub(1, Ordering::Relaxed);
    }
    let replies = executed.inspect_err(|error| telemetry::failed(&span, error))?;
    telemetry::first_failed(&span, || replies.first_error());
    Ok(replies)
}
