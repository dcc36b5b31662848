//! How much memory a database takes, kept up to date with every change.
//!
//! The table counts entries that come and go. A collection that a handler changes by itself is noted when it is handed
//! out, and counted anew when the next one is, or when anybody asks.

use crate::keyspace::Db;
use crate::keyspace::table::{Position, Slot as _};

/// An entry that was handed out to be changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct HandedOut {
    at: Position,
    /// Its size as the table knows it.
    bytes: usize,
}

impl Db {
    /// Bytes of the table, and of all that it holds.
    pub(crate) fn memory(&mut self) -> usize {
        self.count_handed_out();
        self.table.memory() + self.table.entry_bytes() + self.deadlines.memory()
    }

    /// Bytes of the table itself.
    pub(crate) fn table_memory(&self) -> usize {
        self.table.memory()
    }

    /// The entry at a position is about to change in size.
    #[inline]
    pub(super) fn hand_out(&mut self, at: Position) {
        if let Some(before) = self.handed_out {
            if before.at == at {
                return;
            }
            self.count_handed_out();
        }
        let bytes = self.table.at(at).memory();
        self.handed_out = Some(HandedOut { at, bytes });
    }

    /// Counts what was handed out. Call it before an entry comes or goes: positions change with that.
    #[inline]
    pub(super) fn count_handed_out(&mut self) {
        if let Some(HandedOut { at, bytes }) = self.handed_out.take() {
            let now = self.table.at(at).memory();
            self.table.note_resized(bytes, now);
        }
    }
}
