//! MONITOR: connections that see every command of the others.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use bytes::BytesMut;

use crate::command::{Args, Flags, RowId};
use crate::connection::peer::Peer;
use crate::connection::session::Session;
use crate::engine::Shared;
use crate::secrets::without_secrets;

/// Who watches, by id.
pub(crate) type Monitors = BTreeMap<u64, Arc<Peer>>;

impl Shared {
    /// Shows a command that ran on a database to all who watch.
    #[cold]
    pub(crate) fn show_to_monitors(
        &mut self,
        session: &Session,
        row: RowId,
        args: Args<'_>,
        db: usize,
        now_us: i64,
    ) {
        let row = self.commands.row(row);
        if row
            .command
            .flags
            .intersects(Flags::SKIP_MONITOR | Flags::ADMIN)
        {
            return;
        }
        let mut line = format!(
            "+{}.{:06} [{db} {}]",
            now_us.div_euclid(1_000_000),
            now_us.rem_euclid(1_000_000),
            if session.origin.is_unix {
                format!("unix:{}", session.origin.addr.trim_end_matches(":0"))
            } else {
                session.origin.addr.clone()
            },
        );
        for arg in without_secrets(&row.full_name, args.all()) {
            line.push(' ');
            quote(&mut line, arg);
        }
        line.push_str("\r\n");
        let limit = self.config.normal_output;
        let (mut cut_off, mut most) = (0, 0);
        for peer in self.monitors.values() {
            let unread = peer.deliver(limit.hard_bytes(), |buf: &mut BytesMut| {
                buf.extend_from_slice(line.as_bytes());
            });
            cut_off += u64::from(unread > limit.hard_bytes());
            most = most.max(unread);
        }
        self.stats.output_limit_disconnections += cut_off;
        self.clients.note_output(most, limit);
    }
}

/// A word in quotes, with what cannot be shown escaped as Redis does.
pub(crate) fn quote(to: &mut String, word: &[u8]) {
    to.push('"');
    for &byte in word {
        match byte {
            b'"' | b'\\' => {
                to.push('\\');
                to.push(byte.into());
            }
            b'\n' => to.push_str("\\n"),
            b'\r' => to.push_str("\\r"),
            b'\t' => to.push_str("\\t"),
            0x07 => to.push_str("\\a"),
            0x08 => to.push_str("\\b"),
            b' '..=b'~' => to.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(to, "\\x{byte:02x}")),
        }
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_has_nothing_that_breaks_a_line() {
        let mut text = String::new();
        quote(&mut text, b"a \"b\"\\\n\r\t\x07\x08\x00\xff");
        assert_eq!(text, r#""a \"b\"\\\n\r\t\a\b\x00\xff""#);
    }
}
