//! Many commands in one go: [`Client::pipeline`] and [`Client::transaction`].

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use crate::class::Retry;
use crate::client::Client;
use crate::command::{Command, Decode, Settings};
use crate::connection::exchange::{Exchange, Requests, check_shared};
use crate::connection::link::{Answer, Failure, TimeLimit};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::reply::Reply;
use crate::request::Request;

/// Several commands that can be sent together: a tuple of up to twelve, a `Vec` or an array of [`Command`]s.
///
/// What comes back has the same shape, with the type of each command in its place.
///
/// It is implemented for these only.
pub trait Batch: Sized + private::Sealed {
    /// The values, if all of the commands succeed.
    type Output;
    /// The result of each command.
    type Results;

    #[doc(hidden)]
    type Decoders: Send;

    /// Moves the commands to `parts`, and keeps what is needed to read their replies.
    #[doc(hidden)]
    fn split(self, parts: &mut Parts) -> Self::Decoders;

    #[doc(hidden)]
    fn each(decoders: Self::Decoders, replies: &mut Replies) -> Self::Results;

    /// The values, or the first error.
    #[doc(hidden)]
    fn all(results: Self::Results) -> Result<Self::Output>;
}

mod private {
    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Sealed {}
}

/// The commands of a batch.
#[derive(Debug, Default)]
#[doc(hidden)]
#[expect(unnameable_types, reason = "only `Batch` has to do with it")]
pub struct Parts {
    requests: Vec<Request>,
    settings: Vec<Settings>,
}

/// The replies to a batch, one after the other.
#[derive(Debug)]
#[doc(hidden)]
#[expect(unnameable_types, reason = "only `Batch` has to do with it")]
pub struct Replies(std::vec::IntoIter<Result<Reply>>);

impl Parts {
    fn push<T, O>(&mut self, command: Command<'_, T, O>) -> Named<T> {
        let name = command.request.clone_name();
        self.requests.push(command.request);
        self.settings.push(command.settings);
        Named {
            name,
            decode: command.decode,
        }
    }
}

/// How to read one reply, and whose it is.
#[doc(hidden)]
#[expect(unnameable_types, reason = "only `Batch` has to do with it")]
pub struct Named<T> {
    name: Cow<'static, str>,
    decode: Decode<T>,
}

impl<T> fmt::Debug for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl<T> Named<T> {
    fn read(self, replies: &mut Replies) -> Result<T> {
        let closed = || Err(Error::new(ErrorKind::Closed, Outcome::NotSent));
        let value = match replies.0.next().unwrap_or_else(closed) {
            Ok(Reply::Error(error)) => Err(Error::server(error)),
            Ok(reply) => (self.decode)(reply).map_err(Error::reply),
            Err(error) => Err(error),
        };
        value.map_err(|error| {
            if error.command().is_some() {
                error
            } else {
                error.of(self.name)
            }
        })
    }
}

macro_rules! batch_of_tuple {
    ($(($($type:ident $options:ident $index:tt),+)),+ $(,)?) => {$(
        impl<$($type, $options),+> private::Sealed for ($(Command<'_, $type, $options>,)+) {}

        impl<$($type, $options),+> Batch for ($(Command<'_, $type, $options>,)+) {
            type Output = ($($type,)+);
            type Results = ($(Result<$type>,)+);
            type Decoders = ($(Named<$type>,)+);

            fn split(self, parts: &mut Parts) -> Self::Decoders {
                ($(parts.push(self.$index),)+)
            }

            fn each(decoders: Self::Decoders, replies: &mut Replies) -> Self::Results {
                ($(decoders.$index.read(replies),)+)
            }

            fn all(results: Self::Results) -> Result<Self::Output> {
                Ok(($(results.$index?,)+))
            }
        }
    )+};
}

batch_of_tuple!(
    (A OA 0),
    (A OA 0, B OB 1),
    (A OA 0, B OB 1, C OC 2),
    (A OA 0, B OB 1, C OC 2, D OD 3),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7, I OI 8),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7, I OI 8, J OJ 9),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7, I OI 8, J OJ 9, K OK 10),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7, I OI 8, J OJ 9, K OK 10, L OL 11),
);

impl<T, O> private::Sealed for Vec<Command<'_, T, O>> {}

impl<T, O> Batch for Vec<Command<'_, T, O>> {
    type Output = Vec<T>;
    type Results = Vec<Result<T>>;
    type Decoders = Vec<Named<T>>;

    fn split(self, parts: &mut Parts) -> Self::Decoders {
        self.into_iter()
            .map(|command| parts.push(command))
            .collect()
    }

    fn each(decoders: Self::Decoders, replies: &mut Replies) -> Self::Results {
        decoders
            .into_iter()
            .map(|decoder| decoder.read(replies))
            .collect()
    }

    fn all(results: Self::Results) -> Result<Self::Output> {
        results.into_iter().collect()
    }
}

impl<T, O, const N: usize> private::Sealed for [Command<'_, T, O>; N] {}

impl<T, O, const N: usize> Batch for [Command<'_, T, O>; N] {
    type Output = [T; N];
    type Results = [Result<T>; N];
    type Decoders = [Named<T>; N];

    fn split(self, parts: &mut Parts) -> Self::Decoders {
        self.map(|command| parts.push(command))
    }

    fn each(decoders: Self::Decoders, replies: &mut Replies) -> Self::Results {
        decoders.map(|decoder| decoder.read(replies))
    }

    fn all(results: Self::Results) -> Result<Self::Output> {
        let mut failed = None;
        let values = results.map(|result| {
            result
                .map_err(|error| failed.get_or_insert(error).clone())
                .ok()
        });
        if let Some(error) = failed {
            return Err(error);
        }
        #[expect(
            clippy::expect_used,
            reason = "an element that is missing has left its error above"
        )]
        Ok(values.map(|value| value.expect("every element succeeded")))
    }
}

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

/// A running batch.
type Running<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

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
    /// The limits and the retry policy are those of the whole: [`Command::timeout`] of its commands counts as the shortest
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

impl<'a, B: Batch> Pipeline<'a, B> {
    /// Limits the time from the first poll to the last reply. Default: [`Config::command_timeout`](crate::Config::command_timeout).
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.timeout = Some(timeout.into());
        self
    }

    /// Whether to send it again after its connection was lost. Default: as its commands say.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.retry = Some(retry);
        self
    }

    /// The result of each command.
    pub fn results(self) -> impl Future<Output = B::Results> + Send + use<'a, B> {
        let Self {
            client,
            batch,
            settings,
        } = self;
        let mut parts = Parts::default();
        let decoders = batch.split(&mut parts);
        async move {
            let names: Vec<_> = parts.requests.iter().map(Request::clone_name).collect();
            let replies = match send(client, parts, settings, false).await {
                Ok(answer) => each_reply(answer, &names),
                Err(error) => names.iter().map(|_| Err(error.clone())).collect(),
            };
            B::each(decoders, &mut Replies(replies.into_iter()))
        }
    }
}

impl<'a, B: Batch + 'a> IntoFuture for Pipeline<'a, B> {
    type Output = Result<B::Output>;
    type IntoFuture = Running<'a, Result<B::Output>>;

    fn into_future(self) -> Self::IntoFuture {
        let results = self.results();
        Box::pin(async move { B::all(results.await) })
    }
}

impl<'a, B: Batch> Transaction<'a, B> {
    /// Limits the time from the first poll to the reply. Default: [`Config::command_timeout`](crate::Config::command_timeout).
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.timeout = Some(timeout.into());
        self
    }

    /// Whether to send it again after its connection was lost. Default: as its commands say.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.retry = Some(retry);
        self
    }

    /// The result of each command, if they were run.
    pub fn results(self) -> impl Future<Output = Result<B::Results>> + Send + use<'a, B> {
        let Self {
            client,
            batch,
            settings,
        } = self;
        let mut parts = Parts::default();
        let decoders = batch.split(&mut parts);
        async move {
            let names: Vec<_> = parts.requests.iter().map(Request::clone_name).collect();
            let answer = send(client, parts, settings, true).await?;
            let replies = executed(answer, &names)?;
            Ok(B::each(decoders, &mut Replies(replies.into_iter())))
        }
    }
}

impl<'a, B: Batch + 'a> IntoFuture for Transaction<'a, B> {
    type Output = Result<B::Output>;
    type IntoFuture = Running<'a, Result<B::Output>>;

    fn into_future(self) -> Self::IntoFuture {
        let results = self.results();
        Box::pin(async move { B::all(results.await?) })
    }
}

/// Sends the commands, between MULTI and EXEC if they are to be `atomic`.
async fn send(
    client: &Client,
    parts: Parts,
    settings: Settings,
    atomic: bool,
) -> Result<Result<Answer, Failure>> {
    let Parts {
        mut requests,
        settings: each,
    } = parts;
    for request in &mut requests {
        request.classify();
        check_shared(request, true)?;
    }
    if requests.is_empty() {
        return Ok(Ok(Answer::Many {
            replies: Vec::new(),
            failure: None,
            executed_maybe: 0,
        }));
    }
    let config = client.config();
    let shortest = each
        .iter()
        .filter_map(|settings| settings.timeout.flatten())
        .min();
    let timeout = settings
        .timeout
        .unwrap_or_else(|| shortest.or(config.command_timeout));
    let policy = |own: &Settings| settings.retry.or(own.retry).unwrap_or(config.retry);
    let repeats = requests
        .iter()
        .zip(&each)
        .all(|(request, own)| policy(own).repeats(request.class()));
    let resends = each.iter().all(|own| policy(own) != Retry::Never);
    if atomic {
        requests.insert(0, Request::new("MULTI"));
        requests.push(Request::new("EXEC"));
    }
    let limit = TimeLimit {
        timeout,
        deadline: None,
    };
    let requests = Requests {
        list: requests,
        atomic,
    };
    let mut exchange = Exchange::new(
        &client.inner.link,
        requests,
        limit,
        resends,
        repeats,
        config.max_retries,
    );
    Ok(poll_fn(|cx| exchange.poll(cx)).await)
}

/// What became of each command of a pipeline.
fn each_reply(answer: Result<Answer, Failure>, names: &[Cow<'static, str>]) -> Vec<Result<Reply>> {
    let (replies, failure, executed_maybe) = match answer {
        Ok(Answer::Many {
            replies,
            failure,
            executed_maybe,
        }) => (replies, failure, executed_maybe),
        Ok(Answer::One(reply)) => (vec![reply], None, 1),
        Ok(Answer::Failed(failure)) | Err(failure) => (Vec::new(), Some(failure), 0),
    };
    let answered = replies.len();
    let missing = (answered..names.len()).map(|index| {
        let kind = failure
            .as_ref()
            .map_or(ErrorKind::Closed, |failure| failure.kind.clone());
        let outcome = if index < executed_maybe {
            Outcome::MaybeExecuted
        } else {
            Outcome::NotSent
        };
        Err(Error::new(kind, outcome))
    });
    replies.into_iter().map(Ok).chain(missing).collect()
}

/// The replies to the commands of a transaction, if it was run.
fn executed(
    answer: Result<Answer, Failure>,
    names: &[Cow<'static, str>],
) -> Result<Vec<Result<Reply>>> {
    let not_run = |failure: Failure, outcome| Err(Error::new(failure.kind, outcome).of("EXEC"));
    let mut replies = match answer {
        Ok(Answer::Many {
            replies,
            failure: None,
            ..
        }) if replies.is_empty() => return Ok(Vec::new()),
        Ok(Answer::Many {
            replies,
            failure: None,
            ..
        }) => replies,
        Ok(Answer::Many {
            failure: Some(failure),
            executed_maybe,
            ..
        }) => {
            // Without a whole EXEC the server drops what it had queued.
            let whole = executed_maybe == names.len() + 2;
            return not_run(
                failure,
                if whole {
                    Outcome::MaybeExecuted
                } else {
                    Outcome::NotSent
                },
            );
        }
        Ok(Answer::One(reply)) => vec![reply],
        Ok(Answer::Failed(failure)) | Err(failure) => {
            let outcome = failure.outcome;
            return not_run(failure, outcome);
        }
    };
    let exec = replies.pop();
    let queued = std::iter::once("MULTI").chain(names.iter().map(AsRef::as_ref));
    for (name, reply) in queued.zip(replies) {
        if let Reply::Error(error) = reply {
            return Err(Error::server(error).of(name.to_owned()));
        }
    }
    match exec {
        Some(Reply::Array(elements)) if elements.len() == names.len() => {
            Ok(elements.iter().map(Ok).collect())
        }
        Some(Reply::Error(error)) => Err(Error::server(error).of("EXEC")),
        Some(Reply::Null) => Err(Error::new(ErrorKind::Conflict, Outcome::Rejected).of("EXEC")),
        Some(other) => Err(Error::reply(
            other.mismatch("the replies to the transaction's commands"),
        )
        .of("EXEC")),
        None => Err(Error::new(ErrorKind::Closed, Outcome::NotSent).of("EXEC")),
    }
}

impl<B: Batch> fmt::Debug for Pipeline<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<B: Batch> fmt::Debug for Transaction<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
