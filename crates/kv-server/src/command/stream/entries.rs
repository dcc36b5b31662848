//! How ids and entries stand in a reply.

use crate::reply::Reply;
use crate::value::stream::{Entry, Id};

impl Reply<'_> {
    pub(super) fn stream_id(&mut self, id: Id) {
        self.bulk(id.text(&mut [0; 41]));
    }

    /// An id, and an array of fields and values in turn.
    pub(super) fn stream_entry(&mut self, entry: Entry<'_>) {
        self.array(2);
        self.stream_id(entry.id);
        self.array(entry.len * 2);
        for (field, value) in entry.fields() {
            self.item(field);
            self.item(value);
        }
    }

    /// Entries one by one, whose number is known only then; up to `max` of them, 0 for all.
    pub(super) fn stream_entries<'e>(
        &mut self,
        entries: impl Iterator<Item = Entry<'e>>,
        max: usize,
    ) {
        let position = self.position();
        let mut count = 0;
        for entry in entries.take(if max == 0 { usize::MAX } else { max }) {
            self.stream_entry(entry);
            count += 1;
        }
        self.put_before(position, |out| out.array(count));
    }
}
