//! Connections of their own for commands that block, so that nothing waits behind them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::config::Config;
use crate::connection::driver::Driver;
use crate::connection::engine::Engine;
use crate::connection::exchange::{Again, Exchange};
use crate::connection::link::{Answer, Failure, Freight, Life, Link, TimeLimit};
use crate::connection::session::Session;
use crate::connection::topics::Topics;
use crate::error::{ErrorKind, Outcome, Phase};

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
    login: u64,
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
            pings: false,
            caching: None,
            ..config.clone()
        };
        Self {
            permits: Semaphore::new(config.max_lanes),
            config: Arc::new(lane),
            idle: Mutex::default(),
        }
    }

    /// Runs what blocks on a connection of its own, with the state of `session`.
    pub(crate) async fn run(
        &self,
        session: Session,
        freight: impl Freight,
        limit: TimeLimit,
        again: Again,
    ) -> Result<Answer, Failure> {
        let limit = limit.started(Instant::now());
        let permit = self.permit(limit).await?;
        // A server that answers neither in the command's own time nor in what any command has does not answer at all.
        let limit = TimeLimit {
            timeout: limit
                .timeout
                .or_else(|| Self::longest(&self.config, &freight)),
            ..limit
        };
        let login = session.login.clone();
        let loan = Loan {
            lane: self.lane(session),
            _permit: permit,
        };
        let answer = Exchange::new(&loan.lane.link, freight, limit, again)
            .run()
            .await?;
        if loan.lane.login == login.turn() {
            let mut idle = self.idle();
            if !self.permits.is_closed() {
                idle.push(loan.lane);
            }
        }
        Ok(answer)
    }

    /// How long a command that blocks for a time may take.
    pub(crate) fn longest(config: &Config, freight: &impl Freight) -> Option<Duration> {
        freight.patience()?.checked_add(config.command_timeout?)
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
        // A lane whose session is out of date would run the command in another database, or as another user.
        let login = session.login.turn();
        idle.retain(|lane| lane.db == session.db && lane.login == login);
        if let Some(lane) = idle.pop() {
            return lane;
        }
        drop(idle);
        let mut link = Link::new(1, self.config.max_unwritten_bytes);
        link.follows_primary = self.config.follows_primary();
        let link = Arc::new(link);
        let db = session.db;
        let engine = Engine::new(
            self.config.limits,
            Arc::new(Mutex::new(session)),
            Arc::new(Topics::new(false, None)),
        );
        tokio::spawn(Driver::new(Arc::clone(&link), Arc::clone(&self.config), engine).run(None));
        Lane { link, db, login }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are lent.
    pub(crate) fn busy(&self) -> usize {
        self.config.max_lanes - self.permits.available_permits().min(self.config.max_lanes)
    }

    /// Ends the idle lanes.
    pub(crate) fn clear(&self) {
        self.idle().clear();
    }

    /// Ends the idle lanes and lets nobody in any more.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }
}
