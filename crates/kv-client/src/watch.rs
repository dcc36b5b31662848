//! Optimistic transactions: [`Client::watch`].

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::arg::ToArgs;
use crate::class::{Class, Retry};
use crate::client::{Client, Servers};
use crate::connection::backoff::random;
use crate::connection::exchange::{Again, Exchange};
use crate::connection::link::{Answer, Life, TimeLimit};
use crate::connection::node::{Node, locked};
use crate::connection::session::Session;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::reply::Reply;
use crate::request::Request;
use crate::table::{self, Row, row};

/// An optimistic transaction to be made; see [`Client::watch`].
#[must_use = "nothing is watched until it is run"]
#[derive(Debug)]
pub struct Watch<'a> {
    client: &'a Client,
    request: Request,
    attempts: u32,
}

impl Client {
    /// [WATCH](https://redis.io/docs/latest/commands/watch/): reads keys, decides, and writes, all of it again if one of
    /// the keys was changed by somebody else in between.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// // Takes 10 if there are 10.
    /// let left = client
    ///     .watch("balance")
    ///     .run(|tx| async move {
    ///         let balance: i64 = tx.get("balance").into::<Option<i64>>().await?.unwrap_or(0);
    ///         if balance < 10 {
    ///             return Ok(None);
    ///         }
    ///         let (left,) = tx.transaction((tx.decrby("balance", 10),)).await?;
    ///         Ok(Some(left))
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The closure gets a handle on a connection that nobody else uses meanwhile, one of at most
    /// [`Config::max_lanes`](crate::Config::max_lanes); what is to depend on the keys must go through it, and nothing has to be undone: without a
    /// [`transaction`](Self::transaction) nothing was written. In a cluster the keys must be in one slot.
    pub fn watch(&self, keys: impl ToArgs) -> Watch<'_> {
        let mut request = Request::of(row!("WATCH"));
        keys.to_args(&mut request);
        Watch {
            client: self,
            request,
            attempts: ATTEMPTS,
        }
    }
}

/// The attempts that are made, unless [`Watch::attempts`] says otherwise.
const ATTEMPTS: u32 = 32;
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(50);

impl Watch<'_> {
    /// How often the closure is run at most. Default: 32.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Runs `attempt` until its transaction goes through or it does without one; what it came to.
    ///
    /// It is run again, after a short pause that grows, when a watched key changed ([`ErrorKind::Conflict`]), when the
    /// slot of the keys moved to another node, or when the connection was lost before the transaction was sent. Once a
    /// transaction was run, or may have been, whatever comes behind it in the closure does not begin it again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] if that was so at every attempt; and whatever else the closure fails with.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection. A transaction that was sent may have been run.
    pub async fn run<T, F, Fut>(self, mut attempt: F) -> Result<T>
    where
        F: FnMut(Client) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let Self {
            client,
            request,
            attempts,
        } = self;
        let retries = client.config().retry != Retry::Never;
        for number in 1.. {
            let mut committed = false;
            let result = try_once(client, &request, &mut attempt, &mut committed).await;
            let Err(error) = &result else {
                return result;
            };
            let again =
                matches!(error.kind(), ErrorKind::Conflict) || (retries && is_displaced(error));
            if !again || committed || number >= attempts || client.is_closed() {
                return result;
            }
            if let (true, Servers::Cluster(cluster)) = (is_displaced(error), &client.inner.servers)
            {
                cluster.heed(error);
            }
            tokio::time::sleep(pause(number)).await;
        }
        unreachable!("the last attempt returns")
    }
}

/// Whether the attempt came to nothing because its connection did, or led to the wrong node.
fn is_displaced(error: &Error) -> bool {
    let connection = matches!(
        error.kind(),
        ErrorKind::Lost { .. } | ErrorKind::Connect { .. } | ErrorKind::Closed
    );
    let codes = [
        "MOVED",
        "ASK",
        "TRYAGAIN",
        "CLUSTERDOWN",
        "LOADING",
        "READONLY",
        "MASTERDOWN",
    ];
    let reads = || {
        let row = error.command().and_then(|name| table::find(name, None));
        row.is_some_and(|row| row.class == Class::Read)
    };
    let had_no_effect = match error.outcome() {
        Outcome::NotSent => true,
        Outcome::MaybeExecuted => reads(),
        Outcome::Rejected | Outcome::Executed => false,
    };
    (connection && had_no_effect)
        || (error.outcome() == Outcome::Rejected
            && error.had_no_effect()
            && error.code().is_some_and(|code| codes.contains(&code)))
}

fn pause(number: u32) -> Duration {
    let most = Duration::from_millis(1 << number.min(10)).min(MAX_PAUSE);
    let thousandths = u32::try_from(random(u64::from(number)) % 1000).unwrap_or(0);
    most / 1000 * thousandths
}

/// `committed` becomes whether a transaction was run, or may have been.
async fn try_once<T, Fut: Future<Output = Result<T>>>(
    client: &Client,
    request: &Request,
    attempt: &mut impl FnMut(Client) -> Fut,
    committed: &mut bool,
) -> Result<T> {
    let home = match &client.inner.servers {
        Servers::One(node) => Arc::clone(node),
        Servers::Cluster(cluster) => cluster.home_of(request).await?,
    };
    let booth = home.booths.enter(&home).await?;
    ask(&booth.node, request.clone(), row!("WATCH")).await?;
    let handle = Client::of_node(Arc::clone(&booth.node));
    let result = attempt(handle.clone()).await;
    *committed = handle.inner.transactions.load(Ordering::Relaxed) > 0;
    // EXEC ends the watch, whatever comes of it; a closure without one leaves that to us. A handle that was kept could
    // still be used, so its connection is not lent to anybody else.
    let kept = Arc::strong_count(&handle.inner) > 1;
    if !kept
        && ask(&booth.node, Request::of(row!("UNWATCH")), row!("UNWATCH"))
            .await
            .is_ok()
    {
        drop(handle);
        booth.leave();
    }
    result
}

fn ask(node: &Node, request: Request, row: &'static Row) -> impl Future<Output = Result<()>> {
    let limit = TimeLimit {
        timeout: node.config.command_timeout,
        deadline: None,
    };
    async move {
        let fail = |kind, outcome| Err(Error::new(kind, outcome).of(row.name));
        match Exchange::new(&node.link, request, limit, Again::NEVER)
            .run()
            .await
        {
            Ok(Answer::One(Reply::Error(error))) => Err(Error::server(error).of(row.name)),
            Ok(Answer::One(_)) => Ok(()),
            // WATCH changes nothing, whether it was run or not.
            Ok(Answer::Failed(failure)) | Err(failure) => fail(failure.kind, Outcome::NotSent),
            Ok(Answer::Many { .. }) => unreachable!("one command was sent"),
        }
    }
}

/// Connections for one transaction at a time.
#[derive(Debug)]
pub(crate) struct Booths {
    max: usize,
    permits: Semaphore,
    idle: Mutex<Vec<(Session, Arc<Node>)>>,
}

/// A connection on loan. Unless it is returned, it ends.
struct Booth<'a> {
    booths: &'a Booths,
    session: Session,
    node: Arc<Node>,
    _permit: tokio::sync::SemaphorePermit<'a>,
}

impl Booths {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            permits: Semaphore::new(max),
            idle: Mutex::default(),
        }
    }

    async fn enter(&self, home: &Node) -> Result<Booth<'_>> {
        let closed = |_| Error::new(ErrorKind::Closed, Outcome::NotSent).of("WATCH");
        let permit = self.permits.acquire().await.map_err(closed)?;
        // What the closure changes in its session does not concern the others.
        let session = home.session();
        let session = Session {
            login: session.login.detached(),
            ..session
        };
        let idle = {
            let mut idle = locked(&self.idle);
            // Those whose session is out of date would read another database, and those that broke nothing at all.
            idle.retain(|(own, node)| {
                own.db == session.db
                    && own.login.turn() == session.login.turn()
                    && node.link.lock().life() == Life::Open
            });
            idle.pop().map(|(_, node)| node)
        };
        let node = idle.unwrap_or_else(|| Arc::new(home.start_booth(session.clone())));
        Ok(Booth {
            booths: self,
            session,
            node,
            _permit: permit,
        })
    }

    /// How many are lent.
    pub(crate) fn busy(&self) -> usize {
        self.max - self.permits.available_permits().min(self.max)
    }

    /// Ends the idle ones and lets nobody in any more.
    pub(crate) fn close(&self) {
        self.permits.close();
        locked(&self.idle).clear();
    }
}

impl Booth<'_> {
    fn leave(self) {
        let mut idle = locked(&self.booths.idle);
        if !self.booths.permits.is_closed() {
            idle.push((self.session, self.node));
        }
    }
}
