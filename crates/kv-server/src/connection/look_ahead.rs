//! One look at the keys of several connections, before any of their requests is executed.
//!
//! A lookup in a large table waits for memory twice, for the bucket and for the entry: a fifth of the time that a small request costs, the kernel's
//! part included. Pipelined requests share their waits ([`Table::warm`]), and here the single requests of several connections do. A
//! connection that has read one notes its key and lets the other ready connections of its thread read theirs; the first that executes warms
//! all the noted keys. Nothing but time depends on it, so it does not matter if a task moves to another thread in between.
//!
//! [`Table::warm`]: crate::keyspace::table::Table::warm

use std::cell::RefCell;
use std::sync::Arc;

use crate::connection::batch::Batch;
use crate::connection::{Connection, scratch};
use crate::keyspace::Db;
use crate::keyspace::table::WARM_MAX;
use crate::server::Inner;

/// A request that is set aside is copied, so only small ones are.
const REQUEST_BYTES_MAX: usize = 1024;
/// Requests noted at once; with more, their keys would drive each other out of the fastest cache.
const NOTED_MAX: usize = 64;
/// So many looks in a row decide whether it pays.
const TRIAL_LOOKS: u32 = 16;
/// They have to find twice as many requests: a look costs about half of the wait for memory that it saves to all but one of them.
const TRIAL_REQUESTS: usize = 32;
/// If it does not pay, so many requests are executed as they come, before the next trial.
const PAUSE_REQUESTS: u32 = 240;

/// What a thread has noted.
#[derive(Default)]
struct LookAhead {
    /// The server whose requests are noted, by its address: several may share a thread.
    server: usize,
    keys: Vec<u8>,
    notes: Vec<Note>,
    /// Looks of the present trial, and requests that they found.
    looks: u32,
    found: usize,
    /// Requests still to execute as they come.
    pause: u32,
    /// Memory for requests that are set aside.
    #[expect(
        clippy::vec_box,
        reason = "connections keep batches boxed, and take them from here as they are"
    )]
    spare: Vec<Box<Batch>>,
}

/// One noted key: its database, and where it is in `keys`.
#[derive(Debug, Clone, Copy)]
struct Note {
    db: usize,
    start: usize,
    end: usize,
}

thread_local! {
    static LOOK_AHEAD: RefCell<LookAhead> = RefCell::default();
}

impl<T> Connection<T> {
    /// Keeps a request for the next poll, if that may let it share its wait for memory; otherwise gives it back, to be executed at once.
    pub(super) fn set_aside(&mut self, batch: Box<Batch>) -> Option<Box<Batch>> {
        let Some(db) = self.large_db else {
            return Some(batch);
        };
        // A batch in the connection's own buffer is in the middle of a large request.
        if self.partial.capacity() > 0 {
            return Some(batch);
        }
        let Some(aside) = LOOK_AHEAD.with_borrow_mut(|ahead| {
            ahead.follow(address(&self.server));
            ahead.note(&batch, db)
        }) else {
            return Some(batch);
        };
        self.batch = Some(aside);
        scratch::put_batch(batch);
        None
    }
}

impl LookAhead {
    /// What was noted for another server is dropped: it was set aside for nothing.
    fn follow(&mut self, server: usize) {
        if self.server != server {
            self.server = server;
            if !self.notes.is_empty() {
                self.judge(0);
            }
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.notes.clear();
        self.keys.clear();
    }

    /// Notes the key of a batch of one, and copies the batch out of the thread's buffer.
    fn note(&mut self, batch: &Batch, db: usize) -> Option<Box<Batch>> {
        if batch.remaining() != 1 || batch.buf.len() > REQUEST_BYTES_MAX || batch.error.is_some() {
            return None;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        if self.notes.len() == NOTED_MAX {
            return None;
        }
        let key = batch.upcoming_keys().next()?;
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        let end = self.keys.len();
        self.notes.push(Note { db, start, end });
        let mut aside = self.spare.pop().unwrap_or_default();
        batch.copy_to(&mut aside);
        Some(aside)
    }

    fn warm(&mut self, dbs: &[Db]) {
        self.judge(self.notes.len());
        if self.notes.len() > 1 {
            for notes in by_db(&mut self.notes) {
                for notes in notes.chunks(WARM_MAX) {
                    let keys = notes.iter().map(|note| &self.keys[note.start..note.end]);
                    if let Some(db) = dbs.get(notes[0].db) {
                        db.warm(keys);
                    }
                }
            }
        }
        self.clear();
    }

    /// Counts a look that found so many requests.
    fn judge(&mut self, found: usize) {
        self.looks += 1;
        self.found += found;
        if self.looks == TRIAL_LOOKS {
            if self.found < TRIAL_REQUESTS {
                self.pause = PAUSE_REQUESTS;
            }
            (self.looks, self.found) = (0, 0);
        }
    }
}

/// The notes of each database.
fn by_db(notes: &mut [Note]) -> impl Iterator<Item = &[Note]> {
    notes.sort_unstable_by_key(|note| note.db);
    notes.chunk_by(|one, next| one.db == next.db)
}

fn address(server: &Arc<Inner>) -> usize {
    Arc::as_ptr(server).addr()
}

/// Reads what the requests that this thread has noted will look up.
pub(super) fn warm(server: &Arc<Inner>, dbs: &[Db]) {
    LOOK_AHEAD.with_borrow_mut(|ahead| {
        ahead.follow(address(server));
        if !ahead.notes.is_empty() {
            ahead.warm(dbs);
        }
    });
}

/// Keeps the memory of a batch that was set aside, unless it grew.
pub(super) fn put_back(batch: Box<Batch>) {
    LOOK_AHEAD.with_borrow_mut(|ahead| {
        if ahead.spare.len() < NOTED_MAX && batch.buf.capacity() <= REQUEST_BYTES_MAX {
            ahead.spare.push(batch);
        }
    });
}

#[cfg(test)]
mod tests {
    use resp_codec::{Limits, RequestDecoder};

    use super::*;
    use crate::connection::batch::Round;
    use crate::keyspace::table::Seed;

    fn batch(requests: &str) -> Batch {
        let mut batch = Batch::default();
        batch.buf.extend_from_slice(requests.as_bytes());
        let round = Round {
            max: 1024,
            keep_empty: false,
        };
        batch.decode(&mut RequestDecoder::new(Limits::server()), round);
        batch
    }

    fn dbs() -> Vec<Db> {
        (0..2).map(|n| Db::new(Seed::new(n, 2))).collect()
    }

    #[test]
    fn a_batch_of_one_is_copied_with_what_follows_it() {
        let mut ahead = LookAhead::default();
        let read = batch("GET k\r\nGET unfini");
        let aside = ahead.note(&read, 0).unwrap();
        let (buf, args) = aside.peek().unwrap();
        assert_eq!(args[1].of(buf), b"k");
        assert_eq!((aside.decoded, &aside.buf[7..]), (7, &b"GET unfini"[..]));
    }

    #[test]
    fn what_gains_nothing_is_not_set_aside() {
        let mut ahead = LookAhead::default();
        for requests in ["GET a\r\nGET b\r\n", "GET", "PING\r\n", "*1\r\n$-5\r\n"] {
            assert!(ahead.note(&batch(requests), 0).is_none(), "{requests:?}");
        }
        let long = format!("GET {}\r\n", "k".repeat(REQUEST_BYTES_MAX));
        assert!(ahead.note(&batch(&long), 0).is_none());
    }

    #[test]
    fn a_connection_that_is_alone_waits_for_nobody() {
        let (mut ahead, dbs) = (LookAhead::default(), dbs());
        for _ in 0..TRIAL_LOOKS {
            assert!(ahead.note(&batch("GET k\r\n"), 0).is_some());
            ahead.warm(&dbs);
        }
        for _ in 0..PAUSE_REQUESTS {
            assert!(ahead.note(&batch("GET k\r\n"), 0).is_none());
        }
        assert!(ahead.note(&batch("GET k\r\n"), 0).is_some());
    }

    #[test]
    fn what_was_noted_for_another_server_is_dropped() {
        let (mut ahead, dbs) = (LookAhead::default(), dbs());
        ahead.follow(1);
        for _ in 0..2 {
            assert!(ahead.note(&batch("GET k\r\n"), 9).is_some());
        }
        ahead.follow(2);
        assert!(ahead.notes.is_empty());
        // An address can come again.
        assert!(ahead.note(&batch("GET k\r\n"), 9).is_some());
        assert!(ahead.note(&batch("GET k\r\n"), 9).is_some());
        ahead.warm(&dbs);
        assert!(ahead.notes.is_empty());
    }

    #[test]
    fn connections_of_servers_that_take_turns_wait_for_nobody() {
        let mut ahead = LookAhead::default();
        let waits = (0..1000).take_while(|turn| {
            ahead.follow(1 + turn % 2);
            ahead.note(&batch("GET k\r\n"), 0).is_some()
        });
        assert!(waits.count() <= 2 * TRIAL_REQUESTS);
    }

    #[test]
    fn keys_of_one_database_are_read_together_whatever_is_between_them() {
        let mut ahead = LookAhead::default();
        for n in 0..NOTED_MAX {
            assert!(ahead.note(&batch("GET k\r\n"), n % 2).is_some());
        }
        let lens: Vec<_> = by_db(&mut ahead.notes).map(<[Note]>::len).collect();
        assert_eq!(lens, [NOTED_MAX / 2; 2]);
    }

    #[test]
    fn notes_are_bounded_and_gone_after_a_look_also_at_small_tables() {
        let (mut ahead, dbs) = (LookAhead::default(), dbs());
        for n in 0..NOTED_MAX {
            let request = format!("GET k{n}\r\n");
            assert!(ahead.note(&batch(&request), n / 40).is_some());
        }
        assert!(ahead.note(&batch("GET k\r\n"), 0).is_none());
        ahead.warm(&dbs);
        assert!(ahead.keys.is_empty() && ahead.notes.is_empty());
        assert!(ahead.note(&batch("GET k\r\n"), 0).is_some());
    }
}
