//! What to say of a command that does not exist.

use crate::command::Row;
use crate::error::ReplyError;

/// Redis quotes at most 128 bytes of the name and of the arguments.
const QUOTED_MAX: usize = 128;

pub(super) fn unknown<'a>(name: &[u8], words: impl Iterator<Item = &'a [u8]>) -> ReplyError {
    let mut args = String::new();
    for word in words {
        if args.len() >= QUOTED_MAX {
            break;
        }
        args.push_str(&format!("'{}' ", quoted(word, QUOTED_MAX - args.len())));
    }
    ReplyError::UnknownCommand {
        name: quoted(name, QUOTED_MAX),
        args,
    }
}

pub(super) fn unknown_sub(container: &Row, name: &[u8]) -> ReplyError {
    ReplyError::UnknownSubcommand {
        name: quoted(name, QUOTED_MAX),
        container: container.command.name.clone(),
    }
}

fn quoted(word: &[u8], max: usize) -> String {
    String::from_utf8_lossy(word.get(..max).unwrap_or(word)).into_owned()
}
