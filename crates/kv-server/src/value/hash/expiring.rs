//! A hash with fields that expire. Only such a hash pays for it: when the last time is gone it becomes a plain one again.

use super::times::Times;
use super::{Form, FormMut, Hash, Large, Limits};
use crate::value::pack::Item;

/// A plain hash, and when some of its fields expire.
#[derive(Debug, Clone)]
pub(crate) struct Expiring {
    /// Never a hash whose fields expire. Each field of `times` is in here.
    pub(super) fields: Hash,
    pub(super) times: Times,
    /// The time as of which fields that are still to be taken out count as gone; `None` if there are none.
    behind: Option<i64>,
}

/// Fields that are taken out at once when somebody looks at a hash; the others are hidden until it is their turn.
const BUDGET: usize = 1024;

impl Expiring {
    /// Whether the time of this field has come and it is only waiting to be taken out.
    pub(super) fn hides(&self, field: &[u8]) -> bool {
        self.behind
            .is_some_and(|now| self.times.get(field).is_some_and(|at| at < now))
    }

    /// Whether any field is hidden.
    pub(super) fn hides_any(&self) -> bool {
        self.behind.is_some()
    }

    pub(super) fn len(&self) -> usize {
        let hidden = self.behind.map_or(0, |now| self.times.count_due(now));
        self.fields.len() - hidden
    }

    /// Takes the field out for good if it is hidden, lest it be taken for a living one.
    pub(super) fn bury(&mut self, field: &[u8]) {
        if self.hides(field) {
            self.fields.remove(field);
            self.times.remove(field);
        }
    }
}

impl Hash {
    /// A lower bound of the time at which a field expires; `i64::MAX` if none does.
    #[inline]
    pub(crate) fn next_expiry(&self) -> i64 {
        match self.form() {
            Form::Expiring(expiring) => expiring.times.next(),
            Form::Pack(_) | Form::Table(_) => i64::MAX,
        }
    }

    /// When the first field expires. Looks at all of them.
    pub(crate) fn first_expiry(&self) -> Option<i64> {
        match self.form() {
            Form::Expiring(expiring) => expiring.times.first(),
            Form::Pack(_) | Form::Table(_) => None,
        }
    }

    /// When a field expires, if it does.
    pub(crate) fn expire_at(&self, field: &[u8]) -> Option<i64> {
        match self.form() {
            Form::Expiring(expiring) => expiring.times.get(field),
            Form::Pack(_) | Form::Table(_) => None,
        }
    }

    /// Sets when a field that is there expires.
    pub(crate) fn set_expire_at(&mut self, field: &[u8], at: i64) {
        if !matches!(self, Self::Large(large) if matches!(**large, Large::Expiring(_))) {
            let expiring = Expiring {
                fields: std::mem::take(self),
                times: Times::default(),
                behind: None,
            };
            *self = Large::Expiring(expiring).into();
        }
        if let FormMut::Expiring(expiring) = self.form_mut() {
            expiring.times.set(field, at);
        }
    }

    /// Lets a field live for ever. `false` if it did already.
    pub(crate) fn persist(&mut self, field: &[u8]) -> bool {
        let FormMut::Expiring(expiring) = self.form_mut() else {
            return false;
        };
        let had_time = expiring.times.remove(field);
        self.settle();
        had_time
    }

    /// Becomes a plain hash if no field expires any more.
    pub(super) fn settle(&mut self) {
        if let FormMut::Expiring(expiring) = self.form_mut() {
            if expiring.times.is_empty() {
                *self = std::mem::take(&mut expiring.fields);
            }
        }
    }

    /// Takes out fields whose time is before `now`, and shows them. What exceeds a budget is hidden from then on, and
    /// taken out by the next call.
    pub(crate) fn expire(&mut self, now: i64, mut f: impl FnMut(&[u8])) {
        let FormMut::Expiring(expiring) = self.form_mut() else {
            return;
        };
        let fields = &mut expiring.fields;
        let finished = expiring.times.take_due(now, BUDGET, |deadline| {
            fields.remove(deadline.field());
            f(deadline.field());
        });
        expiring.behind = (!finished).then_some(now);
        self.settle();
    }

    /// Hides fields whose time is before `now`, and takes none out.
    pub(crate) fn hide(&mut self, now: i64) {
        if let FormMut::Expiring(expiring) = self.form_mut() {
            expiring.behind = Some(now);
        }
    }

    /// Sets the value of a field that keeps its time, if it has one. Whether the field is new.
    pub(crate) fn set_keeping_expiry(
        &mut self,
        field: &[u8],
        value: &[u8],
        limits: &Limits,
    ) -> bool {
        match self.form_mut() {
            FormMut::Expiring(expiring) => {
                expiring.bury(field);
                expiring.fields.set(field, value, limits)
            }
            _ => self.set(field, value, limits),
        }
    }

    /// All fields with their values, and when they expire.
    pub(crate) fn iter_with_expiry(
        &self,
    ) -> impl Iterator<Item = (Item<'_>, Item<'_>, Option<i64>)> {
        self.iter().map(|(field, value)| {
            let at = self.expire_at(field.bytes(&mut Default::default()));
            (field, value, at)
        })
    }
}
