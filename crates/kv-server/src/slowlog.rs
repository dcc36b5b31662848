//! The slow log: commands that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;

use crate::command::{Args, Flags, RowId};
use crate::connection::session::Session;
use crate::engine::Shared;
use crate::secrets::without_secrets;

/// What is kept of slow commands, the latest first.
#[derive(Debug, Default)]
pub(crate) struct SlowLog {
    entries: VecDeque<Entry>,
    /// What the entries have allocated.
    bytes: usize,
    /// Of the next entry; goes on growing when the log is emptied.
    next_id: u64,
}

/// A command that was slow.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// When it ran, in Unix seconds.
    pub(crate) at_s: i64,
    pub(crate) us: u64,
    pub(crate) args: Vec<Vec<u8>>,
    pub(crate) addr: String,
    pub(crate) name: Vec<u8>,
}

/// Arguments that are kept, and bytes of each; of what is beyond only the number is.
const ARGS_MAX: usize = 32;
const ARG_BYTES_MAX: usize = 128;

impl SlowLog {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn clear(&mut self) {
        self.entries = VecDeque::new();
        self.bytes = 0;
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.bytes
    }

    /// The latest first.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    fn push(&mut self, mut entry: Entry, max: usize) {
        entry.id = self.next_id;
        self.next_id += 1;
        self.bytes += entry.memory();
        self.entries.push_front(entry);
        while self.entries.len() > max {
            self.bytes -= self.entries.pop_back().map_or(0, |entry| entry.memory());
        }
    }
}

impl Entry {
    /// Bytes allocated.
    fn memory(&self) -> usize {
        let args: usize = self.args.iter().map(Vec::capacity).sum();
        self.args.capacity() * size_of::<Vec<u8>>()
            + args
            + self.addr.capacity()
            + self.name.capacity()
    }
}

impl Shared {
    /// Notes a command that took so long, if that is long enough.
    pub(crate) fn note_slow(
        &mut self,
        session: &Session,
        row: RowId,
        args: Args<'_>,
        us: u64,
        now_us: i64,
    ) {
        let is_slow = u64::try_from(self.config.slowlog_us).is_ok_and(|limit| us >= limit);
        let row = self.commands.row(row);
        if !is_slow || row.command.flags.contains(Flags::SKIP_SLOWLOG) {
            return;
        }
        let entry = Entry {
            id: 0,
            at_s: now_us.div_euclid(1_000_000),
            us,
            args: trimmed(&without_secrets(&row.full_name, args.all())),
            addr: session.origin.addr.clone(),
            name: session.name.clone(),
        };
        self.slowlog.push(entry, self.config.slowlog_len);
    }
}

fn trimmed(args: &[&[u8]]) -> Vec<Vec<u8>> {
    let kept = if args.len() > ARGS_MAX {
        ARGS_MAX - 1
    } else {
        args.len()
    };
    let mut trimmed: Vec<Vec<u8>> = args[..kept]
        .iter()
        .map(|arg| match arg.get(ARG_BYTES_MAX..) {
            Some(rest) if !rest.is_empty() => {
                let more = format!("... ({} more bytes)", rest.len());
                [&arg[..ARG_BYTES_MAX], more.as_bytes()].concat()
            }
            _ => arg.to_vec(),
        })
        .collect();
    if kept < args.len() {
        trimmed.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    trimmed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_commands_are_trimmed_to_what_is_left_out() {
        let long = vec![b'A'; 130];
        let shown = trimmed(&[b"set", &long]);
        assert!(shown[1].ends_with(b"AA... (2 more bytes)"));
        assert_eq!(shown[1].len(), 128 + 18);
        assert_eq!(trimmed(&[&b"x"[..]; 32]).len(), 32);
        let shown = trimmed(&[&b"x"[..]; 33]);
        assert_eq!(
            (shown.len(), &shown[31][..]),
            (32, &b"... (2 more arguments)"[..])
        );
    }
}
