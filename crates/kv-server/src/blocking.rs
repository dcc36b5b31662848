//! Clients that wait for keys: who is served when, timeouts, and how a wait ends early.

use bytes::BytesMut;

use crate::connection::peer::Close;
use crate::connection::session::{Blocked, OnTimeout, Request, Session};
use crate::context::Wait;
use crate::dispatch::Run;
use crate::engine::{Databases, Engine, Shared};
use crate::error::ReplyError;
use crate::keyspace::entry::Entry;
use crate::reply::Reply;

impl Engine {
    /// Makes a session wait; it is served in order of arrival.
    pub(crate) fn block(&mut self, session: &mut Session, wait: Wait, request: Request) {
        let Wait {
            keys,
            deadline,
            on_timeout,
            wants,
            again,
        } = wait;
        let request = match again {
            Some(words) => Request {
                row: request.row,
                buf: words.buf.freeze(),
                args: words.args.into(),
            },
            None => request,
        };
        for key in &keys {
            self.dbs[session.db].add_waiter(key, session.id);
        }
        if let Some(at) = deadline {
            self.shared.clients.deadlines.insert((at, session.id), ());
        }
        session.blocked = Some(Blocked {
            db: session.db,
            keys,
            deadline,
            on_timeout,
            request,
            wants,
            silent: false,
        });
    }

    /// Runs the commands of clients whose keys became ready, oldest first; a command that serves one may make another key ready.
    pub(crate) fn serve_ready_keys(&mut self) {
        while let Some(index) = self.ready_dbs.pop() {
            let ready = std::mem::take(&mut self.dbs[index].changes.ready);
            for key in ready {
                self.serve_waiters(index, &key);
            }
        }
    }

    /// Runs the commands of those who wait for one key, once each.
    fn serve_waiters(&mut self, index: usize, key: &[u8]) {
        let now = self.now_ms();
        self.dbs[index].begin(now);
        let found = self.dbs[index].peek(key).map(Entry::type_name);
        // Whoever is served leaves the queue, so the next one is at the same place.
        let mut place = 0;
        for _ in 0..self.dbs[index].waiter_count(key) {
            let Some(id) = self.dbs[index].waiter(key, place) else {
                break;
            };
            let wants = |session: &Session| session.blocked.as_ref()?.wants;
            let wanted = self.shared.clients.get(id).and_then(wants);
            if wanted.is_some() && wanted != found || !self.retry_blocked(id) {
                place += 1;
            }
            if found.is_some() && !self.dbs[index].contains(key) {
                // Nothing is left for those behind.
                break;
            }
        }
    }

    /// Runs the command of a waiting client again. `false` if it goes on waiting.
    fn retry_blocked(&mut self, id: u64) -> bool {
        let Some(mut session) = self.shared.clients.take(id) else {
            return false;
        };
        let Some(blocked) = &session.blocked else {
            self.shared.clients.put_back(session);
            return false;
        };
        let (request, silent) = (blocked.request.clone(), blocked.silent);
        let mut out = BytesMut::new();
        let args = request.args().skip(self.name_words(request.row));
        let wait = self.call(&mut session, request.row, args, Run::Again, &mut out);
        let served = wait.is_none();
        if served {
            self.shared.unblock(&mut self.dbs, &mut session);
            if silent {
                out.clear();
            }
            session
                .peer
                .deliver(usize::MAX, |buf| buf.extend_from_slice(&out));
            if session.closing {
                session.peer.close(Close::AfterOutput);
            }
        }
        self.shared.clients.put_back(session);
        served
    }
}

impl Shared {
    /// Takes a session out of all queues; returns what it waited for.
    pub(crate) fn unblock(
        &mut self,
        dbs: &mut impl Databases,
        session: &mut Session,
    ) -> Option<Blocked> {
        let blocked = session.blocked.take()?;
        for key in &blocked.keys {
            dbs.at(blocked.db).remove_waiter(key, session.id);
        }
        if let Some(at) = blocked.deadline {
            self.clients.deadlines.remove(&(at, session.id));
        }
        Some(blocked)
    }

    /// Ends a wait before a key is ready: as if the time were up, or with an error (CLIENT UNBLOCK). `false` if the client does not wait.
    pub(crate) fn end_wait(
        &mut self,
        dbs: &mut impl Databases,
        id: u64,
        error: Option<&ReplyError>,
    ) -> bool {
        let Some(mut session) = self.clients.take(id) else {
            return false;
        };
        let blocked = self.unblock(dbs, &mut session);
        if let Some(blocked) = &blocked {
            // It is done now, so it is counted now.
            let counted = self.stats.command(blocked.request.row);
            counted.all_calls += 1;
            if let Some(error) = error {
                counted.failed += 1;
                self.stats.error(error);
            }
            let version = session.version;
            session.peer.deliver(usize::MAX, |buf| {
                if blocked.silent {
                    return;
                }
                let mut reply = Reply { buf, version };
                match (error, blocked.on_timeout) {
                    (Some(error), _) => reply.error(error),
                    (None, OnTimeout::Null) => reply.null(),
                    (None, OnTimeout::NullArray) => reply.null_array(),
                }
            });
        }
        self.clients.put_back(session);
        blocked.is_some()
    }
}
