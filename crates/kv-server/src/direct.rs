//! The data without a client: commands run straight on the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use resp_codec::number::parse_f64;
use resp_codec::{Frame, write};

use crate::call::{Words, reply};
use crate::connection::peer::Peer;
use crate::connection::session::{Origin, Session};
use crate::dispatch::Flow;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::table::Entry as _;
use crate::server::{Inner, Server};
use crate::value::Value;
use crate::value::stream::Id;

/// The id of the session that a direct call has; no connection's.
pub(crate) const DIRECT_ID: u64 = 0;

/// One database of a running server, without a connection.
///
/// Every method runs a command as a client would, so WATCH, blocked clients, keyspace events, expiry and counters see no difference. It takes
/// the server's lock, and blocks the thread while another command runs. It works on a [stopped](Server::stop) server too.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let server = kv_server::Server::builder().start().await?;
/// let db = server.db(0);
/// db.set("user:1", "Ada")?;
/// db.set_for("session", b"\x00\xff", Duration::from_secs(60))?;
/// assert_eq!(db.get("user:1")?.as_deref(), Some(&b"Ada"[..]));
/// assert!(db.ttl("session")?.is_some_and(|left| left <= Duration::from_secs(60)));
/// assert_eq!(db.call(["INCRBY", "visits", "5"])?.as_i64(), Some(5));
/// assert_eq!(db.len(), 3);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Db<'s> {
    inner: &'s Inner,
    index: usize,
}

impl Server {
    /// Direct access to a database.
    ///
    /// # Panics
    ///
    /// If there is no database of this number.
    #[must_use]
    pub fn db(&self, index: usize) -> Db<'_> {
        let databases = self.inner.lock.lock().dbs.len();
        assert!(
            index < databases,
            "database {index} of a server with {databases}"
        );
        Db {
            inner: &self.inner,
            index,
        }
    }
}

impl Db<'_> {
    /// Runs any command, built-in or custom, and returns its reply as RESP2 has it.
    ///
    /// A blocking command does not wait. What a command does to its connection (SELECT, MULTI, SUBSCRIBE, ...) is gone with the call.
    ///
    /// # Errors
    ///
    /// The error that the command replied.
    pub fn call<A: AsRef<[u8]>>(&self, command: impl IntoIterator<Item = A>) -> Result<Frame> {
        let request = Words::new(command)?;
        let mut out = BytesMut::new();
        let next_deadline = {
            let mut engine = self.inner.lock.lock();
            let engine = &mut *engine;
            engine.set_now(self.inner.clock.now_us());
            let peer = Arc::new(Peer::new(DIRECT_ID, engine.now_ms(), Arc::default()));
            let mut session = Session::new(peer, Origin::in_memory(), engine.now_ms());
            session.authenticated = true;
            session.db = self.index;
            let flow = engine.execute(&mut session, &request.buf, &request.args, &mut out);
            engine.time(None);
            engine.shared.forget(&mut engine.dbs, &mut session);
            match flow {
                Flow::Postpone => return Err(ReplyError::text("ERR clients are paused")),
                Flow::Block => write::null(&mut out, session.version),
                Flow::Continue | Flow::Close | Flow::Cut => {}
            }
            engine.next_deadline()
        };
        self.inner.reschedule(next_deadline);
        reply(&out)
    }

    /// The value of a string.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        let reply = self.call([b"GET", key.as_ref()])?;
        Ok(reply.as_bytes().map(<[u8]>::to_vec))
    }

    /// Sets a string, whatever was there, without expiry.
    ///
    /// # Errors
    ///
    /// If the server refuses writes.
    pub fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result {
        self.call([b"SET", key.as_ref(), value.as_ref()]).map(drop)
    }

    /// Sets a string that expires; whole milliseconds, at least one.
    ///
    /// # Errors
    ///
    /// If the time is outside of Redis's range, or the server refuses writes.
    pub fn set_for(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Duration) -> Result {
        let ttl_ms = ttl.as_millis().max(1).to_string();
        let command = [
            b"SET",
            key.as_ref(),
            value.as_ref(),
            b"PX",
            ttl_ms.as_bytes(),
        ];
        self.call(command).map(drop)
    }

    /// Removes a key. `false` if it was not there.
    ///
    /// # Errors
    ///
    /// If the server refuses writes.
    pub fn del(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.call([b"DEL", key.as_ref()])
            .map(|reply| is_one(&reply))
    }

    /// Whether a key is there.
    ///
    /// # Errors
    ///
    /// Only if the command was replaced or taken away.
    pub fn exists(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.call([b"EXISTS", key.as_ref()])
            .map(|reply| is_one(&reply))
    }

    /// How long a key has left; `None` if it does not expire or is not there.
    ///
    /// # Errors
    ///
    /// Only if the command was replaced or taken away.
    pub fn ttl(&self, key: impl AsRef<[u8]>) -> Result<Option<Duration>> {
        let reply = self.call([b"PTTL", key.as_ref()])?;
        let ms = reply.as_i64().and_then(|ms| u64::try_from(ms).ok());
        Ok(ms.map(Duration::from_millis))
    }

    /// Lets a key expire after a time; whole milliseconds. `false` if it is not there.
    ///
    /// # Errors
    ///
    /// If the time is outside of Redis's range, or the server refuses writes.
    pub fn expire(&self, key: impl AsRef<[u8]>, after: Duration) -> Result<bool> {
        let ms = after.as_millis().to_string();
        self.call([b"PEXPIRE", key.as_ref(), ms.as_bytes()])
            .map(|reply| is_one(&reply))
    }

    /// The keys that match a pattern (`*` for all), in no order.
    ///
    /// # Errors
    ///
    /// Only if the command was replaced or taken away.
    pub fn keys(&self, pattern: impl AsRef<[u8]>) -> Result<Vec<Vec<u8>>> {
        let reply = self.call([b"KEYS", pattern.as_ref()])?;
        Ok(strings(&reply))
    }

    /// Adds an element at the end of a list; returns the list's new length.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else, or if the server refuses writes.
    pub fn push(&self, key: impl AsRef<[u8]>, element: impl AsRef<[u8]>) -> Result<usize> {
        let reply = self.call([b"RPUSH", key.as_ref(), element.as_ref()])?;
        Ok(reply
            .as_i64()
            .and_then(|len| usize::try_from(len).ok())
            .unwrap_or(0))
    }

    /// All elements of a list.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else.
    pub fn range(&self, key: impl AsRef<[u8]>) -> Result<Vec<Vec<u8>>> {
        self.call([b"LRANGE", key.as_ref(), b"0", b"-1"])
            .map(|reply| strings(&reply))
    }

    /// Sets a field of a hash. `true` if it is new.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else, or if the server refuses writes.
    pub fn hset(
        &self,
        key: impl AsRef<[u8]>,
        field: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<bool> {
        let command = [b"HSET", key.as_ref(), field.as_ref(), value.as_ref()];
        self.call(command).map(|reply| is_one(&reply))
    }

    /// The value of a field of a hash.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else.
    pub fn hget(&self, key: impl AsRef<[u8]>, field: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        let reply = self.call([b"HGET", key.as_ref(), field.as_ref()])?;
        Ok(reply.as_bytes().map(<[u8]>::to_vec))
    }

    /// All fields of a hash with their values.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else.
    pub fn hgetall(&self, key: impl AsRef<[u8]>) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let reply = self.call([b"HGETALL", key.as_ref()])?;
        let mut items = strings(&reply).into_iter();
        Ok(std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect())
    }

    /// Adds a member to a set. `true` if it is new.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else, or if the server refuses writes.
    pub fn sadd(&self, key: impl AsRef<[u8]>, member: impl AsRef<[u8]>) -> Result<bool> {
        self.call([b"SADD", key.as_ref(), member.as_ref()])
            .map(|reply| is_one(&reply))
    }

    /// All members of a set.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else.
    pub fn smembers(&self, key: impl AsRef<[u8]>) -> Result<BTreeSet<Vec<u8>>> {
        let reply = self.call([b"SMEMBERS", key.as_ref()])?;
        Ok(strings(&reply).into_iter().collect())
    }

    /// Sets the score of a member of a sorted set. `true` if the member is new.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else, if the score is not a number, or if the server refuses writes.
    pub fn zadd(
        &self,
        key: impl AsRef<[u8]>,
        member: impl AsRef<[u8]>,
        score: f64,
    ) -> Result<bool> {
        let score = score.to_string();
        let command = [b"ZADD", key.as_ref(), score.as_bytes(), member.as_ref()];
        self.call(command).map(|reply| is_one(&reply))
    }

    /// All members of a sorted set with their scores, in order.
    ///
    /// # Errors
    ///
    /// WRONGTYPE if the key holds something else.
    pub fn zrange(&self, key: impl AsRef<[u8]>) -> Result<Vec<(Vec<u8>, f64)>> {
        let reply = self.call([b"ZRANGE", key.as_ref(), b"0", b"-1", b"WITHSCORES"])?;
        let mut items = strings(&reply).into_iter();
        let pairs = std::iter::from_fn(|| Some((items.next()?, parse_f64(&items.next()?)?)));
        Ok(pairs.collect())
    }

    /// The type of a key as TYPE names it; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// Only if the command was replaced or taken away.
    pub fn type_of(&self, key: impl AsRef<[u8]>) -> Result<Option<String>> {
        let reply = self.call([b"TYPE", key.as_ref()])?;
        Ok(reply
            .as_str()
            .filter(|name| *name != "none")
            .map(str::to_owned))
    }

    /// Removes all keys of this database.
    ///
    /// # Errors
    ///
    /// If the server refuses writes.
    pub fn flush(&self) -> Result {
        self.call(["FLUSHDB"]).map(drop)
    }

    /// Keys, those included whose time has come but that nobody has looked at since.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.lock.lock().dbs[self.index].len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole database as text, a line for each live key in order: for messages of tests that fail.
    ///
    /// Looks like `"user:1" string, 60000 ms left: "Ada"`; bytes are escaped as in Rust, and fields and members are sorted.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut engine = self.inner.lock.lock();
        let now = self.inner.clock.now_ms();
        let db = &mut engine.dbs[self.index];
        db.begin(now);
        let mut entries: Vec<_> = db.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.key());
        entries.into_iter().fold(String::new(), |mut text, entry| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{} {}", quoted(entry.key()), entry.type_name());
            if entry.expire_at() != NEVER {
                let _ = write!(text, ", {} ms left", entry.expire_at() - now);
            }
            let _ = writeln!(text, ": {}", content(entry));
            text
        })
    }
}

fn is_one(reply: &Frame) -> bool {
    reply.as_i64() == Some(1)
}

/// The strings of an array.
fn strings(reply: &Frame) -> Vec<Vec<u8>> {
    let elements = reply.as_slice().unwrap_or_default().iter();
    elements
        .filter_map(Frame::as_bytes)
        .map(<[u8]>::to_vec)
        .collect()
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

fn content(entry: &Entry) -> String {
    let mut parts: Vec<String> = match entry.value() {
        None | Some(Value::String(_)) => return quoted(entry.as_string().unwrap_or_default()),
        Some(Value::List(list)) => {
            let elements = list.iter().map(|element| quoted(&element.to_vec()));
            return format!("[{}]", elements.collect::<Vec<_>>().join(", "));
        }
        Some(Value::Zset(zset)) => {
            let members = zset
                .iter()
                .map(|(member, score)| format!("{}: {score}", quoted(&member.to_vec())));
            return format!("({})", members.collect::<Vec<_>>().join(", "));
        }
        Some(Value::Stream(stream)) => {
            let entries = stream.log.range(Id::MIN, Id::MAX);
            let entries = entries.map(|entry| {
                let fields = entry.clone().fields().map(|(field, value)| {
                    format!("{}: {}", quoted(&field.to_vec()), quoted(&value.to_vec()))
                });
                let fields = fields.collect::<Vec<_>>().join(", ");
                format!("{} {{{fields}}}", entry.id)
            });
            return format!("[{}]", entries.collect::<Vec<_>>().join(", "));
        }
        Some(Value::Set(set)) => set.iter().map(|member| quoted(&member.to_vec())).collect(),
        Some(Value::Hash(hash)) => hash
            .iter()
            .map(|(field, value)| {
                format!("{}: {}", quoted(&field.to_vec()), quoted(&value.to_vec()))
            })
            .collect(),
    };
    parts.sort_unstable();
    format!("{{{}}}", parts.join(", "))
}
