//! The store of one connection. It does no I/O and reads no clock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::time::Instant;

use super::{CacheStats, Caching};
use crate::connection::node::locked;
use crate::reply::{Elements, Reply};

/// The store of one connection.
#[derive(Debug)]
pub(crate) struct Cache {
    limits: Caching,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Arc<[u8]>, Entry>,
    /// Which requests read a key. There may be as many as a hash has fields.
    readers: HashMap<Bytes, HashSet<Arc<[u8]>>>,
    /// Requests whose replies are kept, by when they were last used.
    order: BTreeMap<u64, Arc<[u8]>>,
    /// Counts uses and announcements; no two have the same number.
    turn: u64,
    stats: CacheStats,
}

#[derive(Debug)]
struct Entry {
    keys: Vec<Bytes>,
    /// Of the announcement, or of the last use.
    turn: u64,
    /// `None` while it is only announced.
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    reply: Reply,
    until: Instant,
    bytes: usize,
}

pub(super) enum Found<'a> {
    Reply(Reply),
    Nothing(Announced<'a>),
}

/// A read whose reply may be kept. Dropping it takes the announcement back.
pub(super) struct Announced<'a> {
    cache: &'a Cache,
    request: Arc<[u8]>,
    turn: u64,
}

/// What keeping an entry takes beside its bytes: about what the maps and the pointers take.
const OVERHEAD: usize = 256;

impl Cache {
    pub(crate) fn new(limits: Caching) -> Self {
        Self {
            limits,
            inner: Mutex::default(),
        }
    }

    pub(super) fn look_up(&self, request: Arc<[u8]>, keys: Vec<Bytes>, now: Instant) -> Found<'_> {
        let mut inner = locked(&self.inner);
        inner.turn += 1;
        let turn = inner.turn;
        if let Some(entry) = inner.entries.get_mut(&request) {
            if let Some(kept) = entry.kept.as_ref().filter(|kept| now < kept.until) {
                let reply = kept.reply.clone();
                let before = std::mem::replace(&mut entry.turn, turn);
                inner.order.remove(&before);
                inner.order.insert(turn, request);
                inner.stats.hits += 1;
                return Found::Reply(reply);
            }
        }
        inner.remove(&request);
        inner.stats.misses += 1;
        for key in &keys {
            let readers = inner.readers.entry(key.clone()).or_default();
            readers.insert(Arc::clone(&request));
        }
        let kept = None;
        inner
            .entries
            .insert(Arc::clone(&request), Entry { keys, turn, kept });
        Found::Nothing(Announced {
            cache: self,
            request,
            turn,
        })
    }

    /// Reads a message out of band; whether it was about the store.
    pub(crate) fn notice(&self, elements: &Elements) -> bool {
        let mut elements = elements.iter();
        if elements
            .next()
            .is_none_or(|word| word.as_bytes() != Some(b"invalidate"))
        {
            return false;
        }
        match elements.next().and_then(Reply::into_elements) {
            Some(keys) => {
                let mut inner = locked(&self.inner);
                for key in keys.iter() {
                    inner.invalidate(key.as_bytes().unwrap_or_default());
                }
            }
            // The server has forgotten everything, or cannot say what changed.
            None => self.clear(),
        }
        true
    }

    /// A key has changed.
    pub(crate) fn forget(&self, key: &[u8]) {
        locked(&self.inner).invalidate(key);
    }

    /// Nothing that is kept or announced is of use any more.
    pub(crate) fn clear(&self) {
        let mut inner = locked(&self.inner);
        let (turn, mut stats) = (inner.turn, inner.stats);
        stats.invalidated += u64::try_from(inner.order.len()).unwrap_or(0);
        (stats.entries, stats.bytes) = (0, 0);
        *inner = Inner {
            turn,
            stats,
            ..Inner::default()
        };
    }

    pub(super) fn stats(&self) -> CacheStats {
        locked(&self.inner).stats
    }
}

impl Inner {
    fn remove(&mut self, request: &Arc<[u8]>) {
        let Some(entry) = self.entries.remove(request) else {
            return;
        };
        if let Some(kept) = entry.kept {
            self.order.remove(&entry.turn);
            self.stats.entries -= 1;
            self.stats.bytes -= kept.bytes;
        }
        for key in &entry.keys {
            if let Some(readers) = self.readers.get_mut(key) {
                readers.remove(request);
                if readers.is_empty() {
                    self.readers.remove(key);
                }
            }
        }
    }

    fn invalidate(&mut self, key: &[u8]) {
        for request in self.readers.remove(key).unwrap_or_default() {
            let is_kept = self
                .entries
                .get(&request)
                .is_some_and(|entry| entry.kept.is_some());
            self.stats.invalidated += u64::from(is_kept);
            self.remove(&request);
        }
    }
}

impl Announced<'_> {
    /// Keeps `reply`, unless something has happened since the announcement.
    pub(super) fn keep(self, reply: &Reply, now: Instant) {
        let limits = self.cache.limits;
        let reply = compact(reply);
        let mut inner = locked(&self.cache.inner);
        let Some(entry) = inner.entries.get_mut(&self.request) else {
            return;
        };
        if entry.turn != self.turn {
            return;
        }
        let keys: usize = entry.keys.iter().map(Bytes::len).sum();
        let bytes = OVERHEAD + self.request.len() + keys + size(&reply);
        let Some(until) = now
            .checked_add(limits.max_age)
            .filter(|_| bytes <= limits.max_bytes)
        else {
            return;
        };
        entry.kept = Some(Kept {
            reply,
            until,
            bytes,
        });
        inner.order.insert(self.turn, Arc::clone(&self.request));
        inner.stats.entries += 1;
        inner.stats.bytes += bytes;
        while inner.stats.bytes > limits.max_bytes {
            let Some((_, oldest)) = inner.order.pop_first() else {
                break;
            };
            inner.stats.evicted += 1;
            inner.remove(&oldest);
        }
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        let mut inner = locked(&self.cache.inner);
        let only_announced = |entry: &Entry| entry.turn == self.turn && entry.kept.is_none();
        if inner.entries.get(&self.request).is_some_and(only_announced) {
            inner.remove(&self.request);
        }
    }
}

/// A copy that keeps no buffer of the connection alive.
fn compact(reply: &Reply) -> Reply {
    match reply {
        Reply::Bulk(bytes) => Reply::Bulk(Bytes::copy_from_slice(bytes)),
        Reply::Array(elements) => Reply::Array(
            elements
                .iter()
                .map(|element| compact(&element))
                .collect::<Vec<_>>()
                .into(),
        ),
        Reply::Map(elements) => Reply::Map(
            elements
                .iter()
                .map(|element| compact(&element))
                .collect::<Vec<_>>()
                .into(),
        ),
        Reply::Set(elements) => Reply::Set(
            elements
                .iter()
                .map(|element| compact(&element))
                .collect::<Vec<_>>()
                .into(),
        ),
        other => other.clone(),
    }
}

fn size(reply: &Reply) -> usize {
    let own = size_of::<Reply>();
    match reply {
        Reply::Array(elements) | Reply::Map(elements) | Reply::Set(elements) => {
            own + elements.iter().map(|element| size(&element)).sum::<usize>()
        }
        other => own + other.as_bytes().map_or(0, <[u8]>::len),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const AGE: Duration = Duration::from_secs(60);

    fn cache(max_bytes: usize) -> Cache {
        Cache::new(Caching::new().max_bytes(max_bytes).max_age(AGE))
    }

    fn look_up<'a>(cache: &'a Cache, request: &str, now: Instant) -> Found<'a> {
        let keys = request
            .split(' ')
            .skip(1)
            .map(|key| Bytes::copy_from_slice(key.as_bytes()));
        cache.look_up(request.as_bytes().into(), keys.collect(), now)
    }

    fn announced<'a>(cache: &'a Cache, request: &str, now: Instant) -> Announced<'a> {
        match look_up(cache, request, now) {
            Found::Nothing(announced) => announced,
            Found::Reply(reply) => panic!("{request} is kept: {reply:?}"),
        }
    }

    fn is_kept(cache: &Cache, request: &str, now: Instant) -> bool {
        matches!(look_up(cache, request, now), Found::Reply(_))
    }

    fn invalidate(cache: &Cache, keys: Option<&[&str]>) {
        let bulk = |text: &str| Reply::Bulk(Bytes::copy_from_slice(text.as_bytes()));
        let keys = match keys {
            Some(keys) => Reply::Array(keys.iter().map(|key| bulk(key)).collect::<Vec<_>>().into()),
            None => Reply::Null,
        };
        assert!(cache.notice(&vec![bulk("invalidate"), keys].into()));
    }

    #[test]
    fn a_reply_that_crosses_its_invalidation_is_not_kept() {
        let (cache, now) = (cache(10_000), Instant::now());
        let read = announced(&cache, "MGET a b", now);
        invalidate(&cache, Some(&["b"]));
        read.keep(&Reply::Integer(1), now);
        assert!(!is_kept(&cache, "MGET a b", now));

        let read = announced(&cache, "GET a", now);
        cache.clear(); // the connection was lost
        read.keep(&Reply::Integer(1), now);
        assert!(!is_kept(&cache, "GET a", now));

        // A second reader announces anew; the first one's reply is of before that.
        let first = announced(&cache, "GET a", now);
        invalidate(&cache, Some(&["a"]));
        let second = announced(&cache, "GET a", now);
        first.keep(&Reply::Integer(1), now);
        second.keep(&Reply::Integer(2), now);
        assert!(matches!(
            look_up(&cache, "GET a", now),
            Found::Reply(Reply::Integer(2))
        ));
    }

    #[test]
    fn replies_go_when_a_key_changes_when_they_are_old_and_when_there_is_no_room() {
        let (cache, now) = (cache(3 * (OVERHEAD + 100)), Instant::now());
        for request in ["GET a", "MGET a b", "GET c"] {
            announced(&cache, request, now).keep(&Reply::Integer(1), now);
        }
        assert!(is_kept(&cache, "GET a", now));
        announced(&cache, "GET d", now).keep(&Reply::Integer(1), now);
        assert!(!is_kept(&cache, "MGET a b", now), "used least recently");
        assert!(is_kept(&cache, "GET a", now));
        assert_eq!((cache.stats().entries, cache.stats().evicted), (3, 1));

        invalidate(&cache, Some(&["a", "unknown"]));
        assert!(!is_kept(&cache, "GET a", now));
        assert!(is_kept(&cache, "GET c", now));
        assert!(!is_kept(&cache, "GET c", now + AGE));
        invalidate(&cache, None);
        assert_eq!((cache.stats().entries, cache.stats().bytes), (0, 0));
        let inner = locked(&cache.inner);
        assert!(inner.entries.is_empty() && inner.readers.is_empty() && inner.order.is_empty());
    }

    #[test]
    fn many_fields_of_one_hash_are_let_go_in_a_time_that_grows_with_their_number_only() {
        const FIELDS: usize = 100_000;
        let (cache, now) = (cache(usize::MAX), Instant::now());
        let fields: Vec<Arc<[u8]>> = (0..FIELDS)
            .map(|n| format!("HGET h {n}").into_bytes().into())
            .collect();
        let begin = std::time::Instant::now();
        for request in &fields {
            match cache.look_up(Arc::clone(request), vec![Bytes::from_static(b"h")], now) {
                Found::Nothing(announced) => announced.keep(&Reply::Integer(1), now),
                Found::Reply(reply) => panic!("kept already: {reply:?}"),
            }
        }
        assert_eq!(cache.stats().entries, FIELDS);
        invalidate(&cache, Some(&["h"]));
        assert_eq!(cache.stats().entries, 0);
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(30), "{took:?}");
        let inner = locked(&cache.inner);
        assert!(inner.entries.is_empty() && inner.readers.is_empty());
    }

    #[test]
    fn a_read_that_is_given_up_leaves_nothing_behind() {
        let (cache, now) = (cache(10_000), Instant::now());
        drop(announced(&cache, "GET a", now));
        let inner = locked(&cache.inner);
        assert!(inner.entries.is_empty() && inner.readers.is_empty());
    }
}
