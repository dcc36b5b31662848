//! How many entries a group still has to read, as far as the stream's counters tell.

use crate::value::stream::{Group, Id, Log};

impl Log {
    /// Whether an entry may have been deleted by itself between an id and the end, so that counting ids does not count entries.
    fn has_gaps_from(&self, start: Id) -> bool {
        self.len > 0
            && self.max_deleted != Id::MIN
            && self.first <= self.max_deleted
            && start <= self.max_deleted
    }

    /// How many entries there ever were up to this id, if that can be told.
    pub(crate) fn count_up_to(&self, id: Id) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last || id == self.last {
            return Some(self.added);
        }
        if id > self.last || self.max_deleted != Id::MIN && self.max_deleted >= self.first {
            return None;
        }
        // What was trimmed is gone from the front.
        let before = self.added.wrapping_sub(self.len);
        match id.cmp(&self.first) {
            std::cmp::Ordering::Less => Some(before),
            std::cmp::Ordering::Equal => Some(before.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Entries that a group has not been given yet, if that can be told.
    #[expect(
        clippy::cast_possible_wrap,
        reason = "XGROUP SETID can set a count beyond the stream's; Redis shows less than nothing then"
    )]
    pub(crate) fn lag(&self, group: &Group) -> Option<i64> {
        if self.added == 0 {
            return Some(0);
        }
        let counted = group.read.filter(|_| !self.has_gaps_from(group.last));
        let read = counted.or_else(|| self.count_up_to(group.last))?;
        Some(self.added.wrapping_sub(read) as i64)
    }

    /// Notes that a group has been given an entry.
    pub(crate) fn deliver(&self, id: Id, group: &mut Group) {
        if group.read.is_some() && !self.has_gaps_from(id) {
            group.read = group.read.map(|read| read.wrapping_add(1));
        } else if self.added > 0 {
            group.read = self.count_up_to(id);
        }
        group.last = id;
    }
}
