//! A connection of its own for what is large, so that nothing small waits behind it.

use std::sync::{Arc, Mutex, Weak};

use crate::class::Class;
use crate::connection::exchange::{Again, Exchange};
use crate::connection::link::{Answer, Failure, Freight, Life, Link, TimeLimit};
use crate::connection::node::{Node, locked};
use crate::connection::session::Session;

/// The connection for large requests, which is made when there is the first one.
#[derive(Debug)]
pub(crate) struct Bulk {
    /// Requests from this length on go over it by themselves.
    from: Option<usize>,
    lanes: Mutex<BulkLanes>,
}

#[derive(Debug, Default)]
struct BulkLanes {
    open: Option<Arc<Lane>>,
    /// Those that were open when another database was selected.
    former: Vec<Weak<Lane>>,
}

/// A connection that ends with its last user, who has what was begun answered.
#[derive(Debug)]
struct Lane {
    link: Arc<Link>,
    /// What it was set up with.
    db: u32,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.link.end(Life::Closing);
    }
}

impl Bulk {
    pub(crate) fn new(from: Option<usize>) -> Self {
        Self {
            from,
            lanes: Mutex::default(),
        }
    }

    /// Whether a request of `len` bytes goes over it, if its caller has no other wish. What changes the session stays on
    /// the shared connection, whose state is the client's.
    pub(crate) fn takes(&self, class: Class, len: usize, wish: Option<bool>) -> bool {
        let Some(from) = self.from else {
            return false;
        };
        wish.unwrap_or(len >= from) && !matches!(class, Class::Session | Class::Blocking)
    }

    /// The connection, if there is one.
    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        let lanes = locked(&self.lanes);
        lanes.open.as_ref().map(|lane| Arc::clone(&lane.link))
    }

    /// The connection with the state of `session`; `make` starts one.
    fn open(&self, session: Session, make: impl FnOnce(Session) -> Arc<Link>) -> Arc<Lane> {
        let mut lanes = locked(&self.lanes);
        if let Some(lane) = lanes.open.as_ref().filter(|lane| lane.db == session.db) {
            return Arc::clone(lane);
        }
        let db = session.db;
        let link = make(session);
        let lane = Arc::new(Lane { link, db });
        // What was given to the other one is for the database of before.
        let former = lanes.open.replace(Arc::clone(&lane));
        lanes.former.retain(|lane| lane.strong_count() > 0);
        lanes.former.extend(former.as_ref().map(Arc::downgrade));
        lane
    }

    pub(crate) fn end(&self, life: Life) {
        let lanes = locked(&self.lanes);
        let former = lanes.former.iter().filter_map(Weak::upgrade);
        for lane in lanes.open.iter().cloned().chain(former) {
            lane.link.end(life);
        }
    }
}

impl Node {
    /// Runs something large, beside what goes over the shared connection.
    pub(crate) async fn run_bulk(
        &self,
        freight: impl Freight,
        limit: TimeLimit,
        again: Again,
    ) -> Result<Answer, Failure> {
        let lane = self
            .bulk
            .open(self.session(), |session| self.start_bulk(session));
        if self.link.lock().life() != Life::Open {
            lane.link.end(Life::Closing);
        }
        let answer = Exchange::new(&lane.link, &freight, limit, again)
            .run()
            .await;
        self.forget(&freight);
        answer
    }
}
