//! What string commands do to a database.

use crate::error::{ReplyError, Result};
use crate::keyspace::Db;
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::table::Position;
use crate::value::Form;

impl Db {
    /// A string, for a command that reads.
    #[inline]
    pub(crate) fn string(&mut self, key: &[u8]) -> Result<Option<&[u8]>> {
        match self.read(key) {
            Some(entry) => entry.as_string().map(Some).ok_or(ReplyError::WrongType),
            None => Ok(None),
        }
    }

    /// A string that was looked at before, so that several can be used at once; see [`view`](Self::view).
    pub(crate) fn view_string(&self, key: &[u8]) -> Option<&[u8]> {
        let entry = self.table.get(key)?;
        let is_alive = entry.expire_at() >= self.now;
        entry.as_string().filter(|_| is_alive)
    }

    /// Where a string is, for a command that changes it.
    #[inline]
    pub(crate) fn find_string(&mut self, key: &[u8]) -> Result<Option<Position>> {
        match self.find(key) {
            Some(at) if self.table.at(at).as_string().is_some() => {
                self.touch(at);
                Ok(Some(at))
            }
            Some(_) => Err(ReplyError::WrongType),
            None => Ok(None),
        }
    }

    /// The string at a position from [`find_string`](Self::find_string).
    #[inline]
    pub(crate) fn string_at(&self, at: Position) -> &[u8] {
        self.table.at(at).as_string().unwrap_or_default()
    }

    /// Sets a string, whatever was there.
    #[inline]
    pub(crate) fn set_string(&mut self, key: &[u8], value: &[u8], expire_at: i64) {
        let hash = self.table.hash(key);
        match self.table.find_hashed(hash, key) {
            Some(at) if self.table.at(at).expire_at() >= self.now => {
                self.touch(at);
                self.overwrite_at(at, key, value, expire_at, Form::Plain);
            }
            dead => {
                if let Some(at) = dead {
                    self.remove_expired(at);
                }
                self.insert_new(hash, Entry::string(key, value, expire_at));
            }
        }
    }

    /// Sets a string that was computed, without expiry, whatever was there.
    pub(crate) fn store_edited(&mut self, key: &[u8], value: Vec<u8>) {
        self.insert(Entry::edited(key, value, NEVER));
    }

    /// Sets a string, whatever was there, which leaves its expiry to it.
    pub(crate) fn set_string_keeping_expiry(&mut self, key: &[u8], value: &[u8]) {
        let place = self.find(key);
        self.put_string(place, key, value, Form::Plain);
    }

    /// Puts a string in the place of what is there and leaves it the expiry, or adds it if there is nothing.
    #[inline]
    pub(crate) fn put_string(
        &mut self,
        place: Option<Position>,
        key: &[u8],
        value: &[u8],
        form: Form,
    ) -> Position {
        match place {
            Some(at) => {
                let expire_at = self.table.at(at).expire_at();
                self.overwrite_at(at, key, value, expire_at, form);
                at
            }
            None => {
                let hash = self.table.hash(key);
                self.insert_new(hash, Entry::string_in(form, key, value, NEVER))
            }
        }
    }

    /// The bytes of the string at a position, to be changed in place.
    pub(crate) fn string_bytes_at(&mut self, at: Position) -> &mut [u8] {
        self.keep(at);
        self.table.at_mut(at).string_bytes_mut().unwrap_or_default()
    }

    /// Edits the string at a position, which may become longer or shorter.
    pub(crate) fn edit_string(&mut self, at: Position, edit: impl FnOnce(&mut Vec<u8>)) {
        self.keep(at);
        self.hand_out(at);
        let is_string = self.table.at_mut(at).edit_string(edit);
        debug_assert!(is_string, "a position of another type");
    }

    #[inline]
    fn overwrite_at(&mut self, at: Position, key: &[u8], value: &[u8], expire_at: i64, form: Form) {
        self.keep(at);
        if !self.table.at_mut(at).overwrite(value, expire_at, form) {
            self.replace_at(at, Entry::string_in(form, key, value, expire_at));
        } else if expire_at != NEVER {
            self.table.note_expiry(at, expire_at);
        }
    }
}
