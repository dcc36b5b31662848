//! Connection commands.

use crate::command::{Args, Command, Flags, Keys, row};
use crate::context::Context;
use crate::error::Result;

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("PING", -1, Flags::FAST, Keys::NONE, ping).docs("1.0.0", "[message]", "Answers PONG or the message.", "O(1)"),
];

fn ping(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    match args.rest().next() {
        Some(message) => cx.out.bulk(message),
        None => cx.out.simple("PONG"),
    }
    Ok(())
}
