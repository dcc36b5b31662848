//! When the fields of a hash expire: a short list while few of them do, a table when many do.

use crate::keyspace::table::{Entry, ExpiryCursor, Slot, Table};
use crate::value::blob::Blob;

/// Times in Unix milliseconds, by field.
#[derive(Debug, Clone)]
pub(super) struct Times {
    form: Form,
    /// No field expires before this.
    next: i64,
}

#[derive(Debug, Clone)]
enum Form {
    Few(Vec<Deadline>),
    Many(Box<Table<Deadline>>),
}

/// A time of eight bytes, and the field.
#[derive(Debug, Clone, Default)]
pub(super) struct Deadline(Blob);

/// Above this many a list is looked through for too long.
const FEW: usize = 32;

impl Deadline {
    fn new(field: &[u8], at: i64) -> Self {
        Self(Blob::of(&[&at.to_le_bytes(), field]))
    }

    pub(super) fn field(&self) -> &[u8] {
        self.0.as_slice().get(8..).unwrap_or_default()
    }

    fn at(&self) -> i64 {
        let bytes = self.0.as_slice().first_chunk();
        bytes.map_or(i64::MAX, |bytes| i64::from_le_bytes(*bytes))
    }
}

impl Entry for Deadline {
    fn key(&self) -> &[u8] {
        self.field()
    }
}

impl Slot for Deadline {
    fn is_vacant(&self) -> bool {
        self.0.is_vacant()
    }

    fn expire_at(&self) -> Option<i64> {
        Some(self.at())
    }

    fn memory(&self) -> usize {
        self.0.memory()
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            form: Form::Few(Vec::new()),
            next: i64::MAX,
        }
    }
}

impl Times {
    /// No field expires before this; it may be too early, never too late.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    pub(super) fn is_empty(&self) -> bool {
        match &self.form {
            Form::Few(few) => few.is_empty(),
            Form::Many(many) => many.is_empty(),
        }
    }

    pub(super) fn get(&self, field: &[u8]) -> Option<i64> {
        match &self.form {
            Form::Few(few) => few.iter().find(|deadline| deadline.field() == field),
            Form::Many(many) => many.get(field),
        }
        .map(Deadline::at)
    }

    pub(super) fn set(&mut self, field: &[u8], at: i64) {
        self.next = self.next.min(at);
        let deadline = Deadline::new(field, at);
        match &mut self.form {
            Form::Few(few) => match few.iter().position(|known| known.field() == field) {
                Some(known) => few[known] = deadline,
                None if few.len() < FEW => {
                    if few.len() == few.capacity() {
                        few.reserve_exact(1 + few.len() / 4);
                    }
                    few.push(deadline);
                }
                None => {
                    let mut many = Box::new(Table::new());
                    for known in few.drain(..).chain([deadline]) {
                        many.insert(known);
                    }
                    self.form = Form::Many(many);
                }
            },
            Form::Many(many) => drop(many.insert(deadline)),
        }
    }

    /// `false` if the field had no time.
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.form {
            Form::Few(few) => {
                let found = few.iter().position(|known| known.field() == field);
                found.map(|at| few.swap_remove(at)).is_some()
            }
            Form::Many(many) => many.remove(field).is_some(),
        }
    }

    /// Takes out fields whose time is before `now`, about `budget` of them at most, and makes `next` exact if none is
    /// left. Returns whether none is.
    pub(super) fn take_due(
        &mut self,
        now: i64,
        budget: usize,
        mut f: impl FnMut(Deadline),
    ) -> bool {
        match &mut self.form {
            Form::Few(few) => {
                let mut at = 0;
                while let Some(deadline) = few.get(at) {
                    if deadline.at() < now {
                        f(few.swap_remove(at));
                    } else {
                        at += 1;
                    }
                }
                self.next = few.iter().map(Deadline::at).min().unwrap_or(i64::MAX);
                true
            }
            Form::Many(many) => {
                let before_now = now.saturating_sub(1);
                let sweep = many.expired(before_now, &mut ExpiryCursor::default(), budget, f);
                self.next = many.next_expiry();
                sweep.finished
            }
        }
    }

    /// How many fields' time is before `now`. Looks at all.
    pub(super) fn count_due(&self, now: i64) -> usize {
        let due = |deadline: &&Deadline| deadline.at() < now;
        match &self.form {
            Form::Few(few) => few.iter().filter(due).count(),
            Form::Many(many) => many.iter().filter(due).count(),
        }
    }

    /// When the first field expires. Looks at all.
    pub(super) fn first(&self) -> Option<i64> {
        match &self.form {
            Form::Few(few) => few.iter().map(Deadline::at).min(),
            Form::Many(many) => many.iter().map(Deadline::at).min(),
        }
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        match &self.form {
            Form::Few(few) => {
                let blobs: usize = few.iter().map(Slot::memory).sum();
                few.capacity() * size_of::<Deadline>() + blobs
            }
            Form::Many(many) => size_of::<Table<Deadline>>() + many.memory() + many.entry_bytes(),
        }
    }
}
