//! The sessions of all connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::connection::peer::{Close, Peer};
use crate::connection::session::Session;

/// The sessions, by id and by place; one that is executing a batch is with its connection.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// The place of each id.
    places: BTreeMap<u64, usize>,
    /// By place, so that a connection finds its session without a search.
    slots: Vec<Option<Slot>>,
    /// Places of connections that are gone.
    free: Vec<usize>,
    next_id: u64,
    /// Blocked sessions by deadline.
    pub(crate) deadlines: BTreeMap<(i64, u64), ()>,
    /// Somebody has more unsent output than its soft limit allows.
    pub(crate) over_soft_limit: bool,
    /// Bytes that wait to be sent, where they are many.
    pub(crate) waiting: Arc<AtomicUsize>,
    /// Whether `bytes` is kept up to date.
    counting: bool,
    /// What the sessions take, without what waits to be sent.
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    peer: Arc<Peer>,
    /// `None` while its connection executes.
    session: Option<Box<Session>>,
}

impl Clients {
    /// The id of the next connection; ids only grow.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Adds a session; returns its place.
    pub(crate) fn add(&mut self, mut session: Box<Session>) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        session.place = place;
        self.places.insert(session.id, place);
        self.slots[place] = Some(Slot {
            peer: session.peer.clone(),
            session: Some(session),
        });
        place
    }

    /// Takes a session out to execute its requests.
    pub(crate) fn take(&mut self, id: u64) -> Option<Box<Session>> {
        self.slot_mut(id)?.session.take()
    }

    /// As [`take`](Self::take), by the place that [`add`](Self::add) told; another connection may have it by now.
    #[inline]
    pub(crate) fn take_from(&mut self, place: usize, id: u64) -> Option<Box<Session>> {
        let slot = self.slots[place].as_mut()?;
        if slot.peer.id == id {
            slot.session.take()
        } else {
            None
        }
    }

    fn slot(&self, id: u64) -> Option<&Slot> {
        self.slots[*self.places.get(&id)?].as_ref()
    }

    fn slot_mut(&mut self, id: u64) -> Option<&mut Slot> {
        self.slots[*self.places.get(&id)?].as_mut()
    }

    /// All connections, by id.
    fn by_id(&self) -> impl Iterator<Item = &Slot> {
        let places = self.places.values();
        places.filter_map(|&place| self.slots[place].as_ref())
    }

    pub(crate) fn put_back(&mut self, mut session: Box<Session>) {
        if self.counting {
            self.recount(&mut session);
        }
        if let Some(slot) = &mut self.slots[session.place] {
            if slot.peer.id == session.id {
                slot.session = Some(session);
            }
        }
    }

    /// Counts what a session takes now.
    pub(crate) fn recount(&mut self, session: &mut Session) {
        let bytes = session.memory();
        self.bytes = self.bytes - session.counted_bytes + bytes;
        session.counted_bytes = bytes;
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Box<Session>> {
        let place = self.places.remove(&id)?;
        self.free.push(place);
        let session = self.slots[place].take()?.session?;
        self.bytes -= session.counted_bytes;
        Some(session)
    }

    /// What all connections take, as of their last requests; 0 unless it is counted.
    pub(crate) fn memory(&self) -> usize {
        let waiting = if self.counting {
            self.waiting.load(Ordering::Relaxed)
        } else {
            0
        };
        self.bytes + waiting
    }

    /// Begins to count what the sessions take, or stops it. That of the running session follows when it is put back.
    pub(crate) fn set_counting(&mut self, counting: bool, running: Option<&mut Session>) {
        self.counting = counting;
        let mut sum = 0;
        for session in self.iter_mut().chain(running) {
            session.counted_bytes = if counting { session.memory() } else { 0 };
            sum += session.counted_bytes;
        }
        self.bytes = sum;
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn peer(&self, id: u64) -> Option<&Arc<Peer>> {
        self.slot(id).map(|slot| &slot.peer)
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Session> {
        self.slot(id)?.session.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Session> {
        self.slot_mut(id)?.session.as_deref_mut()
    }

    /// All sessions but the one that executes, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.by_id().filter_map(|slot| slot.session.as_deref())
    }

    /// Wakes every connection whose request CLIENT PAUSE holds back.
    pub(crate) fn wake_postponed(&self) {
        for session in self.iter().filter(|session| session.postponed) {
            session.peer.wake();
        }
    }

    /// All sessions but the one that executes, in any order, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.slots
            .iter_mut()
            .flatten()
            .filter_map(|slot| slot.session.as_deref_mut())
    }

    pub(crate) fn close_all(&self, close: Close) {
        for slot in self.by_id() {
            slot.peer.close(close);
        }
    }
}
