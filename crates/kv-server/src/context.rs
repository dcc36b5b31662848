//! What a handler works with.

use std::time::Duration;

use resp_codec::number::parse_f64;

use crate::call::Words;
use crate::command::RowId;
use crate::connection::peer::Close;
use crate::connection::session::{OnTimeout, Session};
use crate::direct::DIRECT_ID;
use crate::engine::{Databases, Shared};
use crate::error::{ReplyError, Result};
use crate::keyspace::Db;
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::notify::Class;
use crate::reply::Reply;

/// The database, the reply and the session of the command that is running.
///
/// Fields are apart so that a handler can read from `db` while it writes to `out`.
#[derive(Debug)]
pub struct Context<'a> {
    /// The selected database; its time is the command's.
    pub(crate) db: &'a mut Db,
    pub(crate) others: OtherDbs<'a>,
    pub(crate) out: Reply<'a>,
    pub(crate) session: &'a mut Session,
    pub(crate) shared: &'a mut Shared,
    pub(crate) row: RowId,
    /// Set by a blocking command that found nothing.
    pub(crate) wait: &'a mut Option<Wait>,
    /// Unix time in microseconds, the same for all commands of a batch.
    pub(crate) now_us: i64,
    /// Inside of EXEC (or later of a script): a blocking command does not wait.
    pub(crate) nested: bool,
    /// Code runs it rather than a client, and gets the reply.
    pub(crate) is_own_call: bool,
}

/// What a blocking command waits for.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) keys: Vec<Box<[u8]>>,
    /// Unix time in milliseconds.
    pub(crate) deadline: Option<i64>,
    pub(crate) on_timeout: OnTimeout,
    /// Only a key of this type (as `TYPE` names it) ends the wait; without it, any write to one of the keys may.
    pub(crate) wants: Option<&'static str>,
    /// What runs then, if not the command as it was sent: XREAD's `$` is the last id at the beginning.
    pub(crate) again: Option<Words>,
}

/// The databases that are not selected.
#[derive(Debug)]
pub(crate) struct OtherDbs<'a> {
    before: &'a mut [Db],
    behind: &'a mut [Db],
}

impl<'a> OtherDbs<'a> {
    /// Splits one database off.
    pub(crate) fn split(dbs: &'a mut [Db], at: usize) -> (&'a mut Db, Self) {
        let (before, rest) = dbs.split_at_mut(at);
        let (db, behind) = rest
            .split_first_mut()
            .expect("a session selects a database that exists");
        (db, Self { before, behind })
    }

    /// How many databases there are, with the selected one.
    pub(crate) fn count(&self) -> usize {
        self.before.len() + 1 + self.behind.len()
    }

    /// The database of this number; `None` for the selected one and for those that do not exist.
    pub(crate) fn get(&mut self, index: usize) -> Option<&mut Db> {
        let selected = self.before.len();
        match index.checked_sub(selected + 1) {
            Some(behind) => self.behind.get_mut(behind),
            None => self.before.get_mut(index),
        }
    }

    /// Two different databases, neither of them the selected one.
    pub(crate) fn pair(&mut self, a: usize, b: usize) -> Option<(&mut Db, &mut Db)> {
        let selected = self.before.len();
        let before = (0..).zip(self.before.iter_mut());
        let behind = (selected + 1..).zip(self.behind.iter_mut());
        let mut found = before
            .chain(behind)
            .filter(|(index, _)| *index == a || *index == b);
        Some((found.next()?.1, found.next()?.1))
    }

    /// All databases with their numbers, `selected` in its place.
    pub(crate) fn with<'x>(
        &'x mut self,
        selected: &'x mut Db,
    ) -> impl Iterator<Item = (usize, &'x mut Db)> {
        let before = self.before.iter_mut();
        let behind = self.behind.iter_mut();
        before
            .chain(std::iter::once(selected))
            .chain(behind)
            .enumerate()
    }

    pub(crate) fn reborrow(&mut self) -> OtherDbs<'_> {
        OtherDbs {
            before: self.before,
            behind: self.behind,
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Db> {
        self.before.iter_mut().chain(self.behind.iter_mut())
    }
}

/// The selected database and the others.
struct AllDbs<'x, 'a> {
    db: &'x mut Db,
    others: &'x mut OtherDbs<'a>,
}

impl Databases for AllDbs<'_, '_> {
    fn at(&mut self, index: usize) -> &mut Db {
        match self.others.get(index) {
            Some(db) => db,
            None => self.db,
        }
    }
}

impl<'a> Context<'a> {
    /// The reply.
    pub fn reply(&mut self) -> &mut Reply<'a> {
        &mut self.out
    }

    /// Unix time in milliseconds, the same for all commands of a batch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_us.div_euclid(1000)
    }

    /// The number of the selected database.
    #[must_use]
    pub fn db_index(&self) -> usize {
        self.session.db
    }

    /// The name of the command that is running, in lower case, `container|subcommand`.
    pub(crate) fn command_name(&self) -> String {
        self.shared.commands.row(self.row).full_name.clone()
    }

    /// A database by its number, if it exists.
    pub(crate) fn database(&self, number: i64) -> Result<usize> {
        if i32::try_from(number).is_err() {
            return Err(ReplyError::outside(i32::MIN.into(), i32::MAX.into()));
        }
        usize::try_from(number)
            .ok()
            .filter(|&index| index < self.others.count())
            .ok_or(ReplyError::DbOutOfRange)
    }

    /// Removes a key of any type. `false` if it was not there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let removed = self.take(key).is_some();
        if removed {
            self.propagate_own(&[b"DEL", key]);
        }
        removed
    }

    /// Removes a key of any type, and returns what it held.
    pub(crate) fn take(&mut self, key: &[u8]) -> Option<Entry> {
        let entry = self.db.remove(key)?;
        self.db.changed(Class::GENERIC, "del", key);
        Some(entry)
    }

    /// Removes a collection that has lost its last element; that is part of the change that took it out.
    pub(crate) fn remove_emptied(&mut self, key: &[u8]) {
        if self.db.remove_if_empty(key) {
            self.db.event(Class::GENERIC, "del", key);
        }
    }

    /// The value of a string.
    ///
    /// # Errors
    ///
    /// [`ReplyError::WrongType`](crate::ReplyError::WrongType) if the key holds another type.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<&[u8]>> {
        self.db.string(key)
    }

    /// Sets a string without expiry, whatever was there.
    pub fn set(&mut self, key: &[u8], value: &[u8]) {
        self.db.set_string(key, value, NEVER);
        self.db.changed(Class::STRING, "set", key);
        self.propagate_own(&[b"SET", key, value]);
    }

    /// Removes all keys of the selected database, and returns how many there were.
    pub fn clear(&mut self) -> usize {
        let removed = self.db.clear();
        let count = removed.len();
        self.db.changes.count += u64::try_from(count).unwrap_or(u64::MAX);
        self.propagate_own(&[b"FLUSHDB"]);
        count
    }

    /// Waits until one of `keys` is written to, then runs the command again from its start; after `timeout` the reply is null.
    ///
    /// To be called last, in place of a reply. Who waits for a key is served in order of arrival, until the key is gone again. A `timeout` of
    /// `None` waits for ever. The connection's further requests wait too. Inside of a transaction the reply is null at once.
    ///
    /// ```
    /// use kv_server::{Args, Command, Context, Flags, Keys, Result};
    ///
    /// /// `TAKE key`: the value of a string, which is removed, as soon as there is one.
    /// fn take(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    ///     let key = args.next()?;
    ///     match cx.get(key)?.map(<[u8]>::to_vec) {
    ///         Some(value) => {
    ///             cx.remove(key);
    ///             cx.reply().bulk(&value);
    ///         }
    ///         None => cx.wait(&[key], None),
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let row = Command::new("TAKE", 2, Flags::WRITE | Flags::BLOCKING, Keys::ONE, take);
    /// ```
    pub fn wait(&mut self, keys: &[&[u8]], timeout: Option<Duration>) {
        let deadline = timeout.map(|timeout| {
            let ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
            self.now_ms().saturating_add(ms)
        });
        self.wait_for(Wait {
            keys: keys.iter().copied().map(Box::from).collect(),
            deadline,
            on_timeout: OnTimeout::Null,
            wants: None,
            again: None,
        });
    }

    /// When a wait ends that lasts so many seconds from now; 0 is for ever.
    pub(crate) fn deadline(&self, seconds: &[u8]) -> Result<Option<i64>> {
        let seconds = parse_f64(seconds)
            .ok_or_else(|| ReplyError::text("ERR timeout is not a float or out of range"))?;
        let out_of_range = || ReplyError::text("ERR timeout is out of range");
        let ms = (seconds * 1000.0).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        let ms = match ms {
            ms if ms < 0.0 => return Err(ReplyError::text("ERR timeout is negative")),
            ms if ms < i64::MAX as f64 => ms as i64,
            _ => return Err(out_of_range()),
        };
        match ms {
            0 => Ok(None),
            ms => self
                .now_ms()
                .checked_add(ms)
                .map(Some)
                .ok_or_else(out_of_range),
        }
    }

    /// Waits until one of the keys changes, then runs the command again.
    ///
    /// Inside of a transaction it replies as if the time were up.
    pub(crate) fn wait_for(&mut self, wait: Wait) {
        if !self.nested {
            *self.wait = Some(wait);
            return;
        }
        match wait.on_timeout {
            OnTimeout::Null => self.out.null(),
            OnTimeout::NullArray => self.out.null_array(),
        }
    }

    /// Bytes of output above which the connection is cut off, so that nobody reads the rest of a reply: who stops there sets `cut_off` of the
    /// session. Calls of the program's own get their replies whole.
    pub(crate) fn longest_output(&self) -> usize {
        if self.is_own_call || self.session.id == DIRECT_ID {
            return usize::MAX;
        }
        self.shared.output_limit(self.session).hard_bytes()
    }

    /// All sessions by id, this one in its place.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> {
        let own = self.session.id;
        let before = self.shared.clients.iter();
        let behind = self.shared.clients.iter();
        before
            .take_while(move |session| session.id < own)
            .chain(std::iter::once(&*self.session))
            .chain(behind.skip_while(move |session| session.id < own))
    }

    /// Takes back whatever this session registered elsewhere: subscriptions, watched keys.
    pub(crate) fn forget_session(&mut self) {
        let mut dbs = AllDbs {
            db: self.db,
            others: &mut self.others,
        };
        self.shared.forget(&mut dbs, self.session);
    }

    /// Ends all WATCHes of this session.
    pub(crate) fn unwatch(&mut self) {
        let mut dbs = AllDbs {
            db: self.db,
            others: &mut self.others,
        };
        self.session.unwatch(&mut dbs);
    }

    /// Closes another connection once what it was answered is sent; it is gone for all others at once.
    pub(crate) fn disconnect(&mut self, id: u64) {
        if let Some(peer) = self.shared.clients.peer(id) {
            peer.close(Close::AfterOutput);
        }
        let mut dbs = AllDbs {
            db: self.db,
            others: &mut self.others,
        };
        self.shared.disconnect(&mut dbs, id);
    }

    /// Ends the wait of a blocked client, as if its time were up or with an error. `false` if it does not wait.
    pub(crate) fn end_wait(&mut self, id: u64, error: Option<&ReplyError>) -> bool {
        let mut dbs = AllDbs {
            db: self.db,
            others: &mut self.others,
        };
        self.shared.end_wait(&mut dbs, id, error)
    }

    /// What the command does to the data, if that is not the command as it was sent (SPOP becomes SREM).
    ///
    /// Call it once for each command that is to be propagated, after the change.
    pub(crate) fn propagate(&mut self, command: &[&[u8]]) {
        self.shared.effects.rewrite(command);
    }
}
