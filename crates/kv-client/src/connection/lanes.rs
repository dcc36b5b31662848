//! Connections of their own for commands that block, so that nothing waits behind them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::class::Retry;
use crate::config::Config;
use crate::connection::driver::Driver;
use crate::connection::engine::Engine;
use crate::connection::exchange::Exchange;
use crate::connection::link::{Answer, Failure, Life, Link, TimeLimit};
use crate::connection::session::Session;
use crate::connection::topics::Topics;
use crate::error::{ErrorKind, Outcome, Phase};
use crate::reply::Reply;
use crate::request::Request;

/// A bounded pool of connections, each lent to one command at a time.
#[derive(Debug)]
pub(crate) struct Lanes {
    config: Arc<Config>,
    permits: Semaphore,
    idle: Mutex<Vec<Lane>>,
}

/// A connection that ends when it is dropped.
#[derive(Debug)]
struct Lane {
    link: Arc<Link>,
    /// What it was set up with.
    db: u32,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.link.end(Life::Abandoned);
    }
}

/// A lane on loan. Unless it is returned, it ends, and with it whatever the server is still waiting for.
struct Loan<'a> {
    lane: Lane,
    _permit: SemaphorePermit<'a>,
}

impl Lanes {
    pub(crate) fn new(config: &Config) -> Self {
        // A lane is silent for as long as its command blocks.
        let lane = Config {
            keepalive: None,
            ..config.clone()
        };
        Self {
            permits: Semaphore::new(config.max_lanes),
            config: Arc::new(lane),
            idle: Mutex::default(),
        }
    }

    /// Runs one blocking command on a connection of its own, with the state of `session`.
    pub(crate) async fn run(
        &self,
        session: Session,
        request: Request,
        limit: TimeLimit,
        retry: Retry,
    ) -> Result<Reply, Failure> {
        let limit = limit.started(Instant::now());
        let permit = self.permit(limit).await?;
        let loan = Loan {
            lane: self.lane(session),
            _permit: permit,
        };
        let repeats = retry.repeats(request.class());
        let mut exchange = Exchange::new(
            &loan.lane.link,
            request,
            limit,
            retry != Retry::Never,
            repeats,
            self.config.max_retries,
        );
        let answer = std::future::poll_fn(|cx| exchange.poll(cx)).await?;
        drop(exchange);
        self.idle().push(loan.lane);
        match answer {
            Answer::One(reply) => Ok(reply),
            Answer::Failed(failure) => Err(failure),
            Answer::Many { .. } => unreachable!("one command was sent"),
        }
    }

    async fn permit(&self, limit: TimeLimit) -> Result<SemaphorePermit<'_>, Failure> {
        let fail = |kind| Failure {
            kind,
            outcome: Outcome::NotSent,
            deadline: None,
        };
        let acquired = match limit.deadline {
            None => self.permits.acquire().await,
            Some(deadline) => match timeout_at(deadline, self.permits.acquire()).await {
                Ok(acquired) => acquired,
                Err(_) => {
                    let after = limit.timeout.unwrap_or_default();
                    return Err(fail(ErrorKind::Timeout {
                        phase: Phase::Queued,
                        after,
                        source: None,
                    }));
                }
            },
        };
        acquired.map_err(|_| fail(ErrorKind::Closed))
    }

    /// An idle lane of this database, or a new one.
    fn lane(&self, session: Session) -> Lane {
        let mut idle = self.idle();
        // A lane whose session is out of date would run the command in another database.
        idle.retain(|lane| lane.db == session.db);
        if let Some(lane) = idle.pop() {
            return lane;
        }
        drop(idle);
        let link = Arc::new(Link::new(1, self.config.max_unwritten_bytes));
        let db = session.db;
        let engine = Engine::new(
            self.config.limits,
            Arc::new(Mutex::new(session)),
            Arc::new(Topics::new(false)),
        );
        tokio::spawn(Driver::new(Arc::clone(&link), Arc::clone(&self.config), engine).run(None));
        Lane { link, db }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the idle lanes and lets nobody in any more.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }
}
