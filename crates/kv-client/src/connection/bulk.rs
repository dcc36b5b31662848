//! A connection of its own for what is large, so that nothing small waits behind it.

use std::sync::{Arc, Mutex};

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
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    link: Arc<Link>,
    /// What it was set up with.
    db: u32,
}

impl Bulk {
    pub(crate) fn new(from: Option<usize>) -> Self {
        Self {
            from,
            open: Mutex::default(),
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
        let open = locked(&self.open);
        open.as_ref().map(|open| Arc::clone(&open.link))
    }

    /// The connection with the state of `session`; `make` starts one.
    fn open(&self, session: Session, make: impl FnOnce(Session) -> Arc<Link>) -> Arc<Link> {
        let mut open = locked(&self.open);
        match &*open {
            Some(open) if open.db == session.db => return Arc::clone(&open.link),
            // What it was given was for the database of before.
            Some(old) => old.link.end(Life::Closing),
            None => {}
        }
        let db = session.db;
        let link = make(session);
        *open = Some(Open {
            link: Arc::clone(&link),
            db,
        });
        link
    }

    pub(crate) fn end(&self, life: Life) {
        if let Some(open) = &*locked(&self.open) {
            open.link.end(life);
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
        let link = self
            .bulk
            .open(self.session(), |session| self.start_bulk(session));
        if self.link.lock().life() != Life::Open {
            link.end(Life::Closing);
        }
        let answer = Exchange::new(&link, &freight, limit, again).run().await;
        self.forget(&freight);
        answer
    }
}
