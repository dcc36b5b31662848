//! Connection commands: who is talking, in which protocol, to which database.

mod client;
mod hello;

pub(super) use hello::DEFAULT_USER;

use crate::command::{Args, Command, Flags, Keys, row};
use crate::context::Context;
use crate::error::{ReplyError, Result};

/// Flags that most commands of this family have.
const ANYTIME: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);
/// And those that are also allowed before authentication and beside a busy script.
const ALWAYS: Flags = ANYTIME
    .and(Flags::FAST)
    .and(Flags::NO_AUTH)
    .and(Flags::ALLOW_BUSY);
const READY_FAST: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::FAST);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("AUTH",   -2, ALWAYS,      Keys::NONE, hello::auth)
        .docs("1.0.0", "[username] password", "Authenticates the connection.", "O(N) where N is the number of passwords defined for the user"),
    client::CLIENT,
    row("ECHO",    2, READY_FAST,  Keys::NONE, echo)
        .docs("1.0.0", "message", "Answers the message.", "O(1)"),
    row("HELLO",  -1, ALWAYS,      Keys::NONE, hello::hello)
        .docs("6.0.0", "[protover [AUTH username password] [SETNAME clientname]]", "Chooses the protocol version and tells about the server.", "O(1)"),
    row("PING",   -1, Flags::FAST, Keys::NONE, ping)
        .docs("1.0.0", "[message]", "Answers PONG or the message.", "O(1)").tips("request_policy:all_shards response_policy:all_succeeded"),
    row("QUIT",   -1, ALWAYS,      Keys::NONE, quit)
        .docs("1.0.0", "", "Closes the connection.", "O(1)"),
    row("RESET",   1, ALWAYS,      Keys::NONE, reset)
        .docs("6.2.0", "", "Makes the connection as good as new.", "O(1)"),
    row("SELECT",  2, READY_FAST,  Keys::NONE, select)
        .docs("1.0.0", "index", "Changes the selected database.", "O(1)"),
];

fn ping(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let message = args.rest();
    if message.len() > 1 {
        return Err(ReplyError::Arity("ping".into()));
    }
    let message = message.last();
    if cx.session.is_subscriber() && !cx.out.is_resp3() {
        cx.out.array(2);
        cx.out.bulk(b"pong");
        cx.out.bulk(message.unwrap_or_default());
    } else {
        match message {
            Some(message) => cx.out.bulk(message),
            None => cx.out.simple("PONG"),
        }
    }
    Ok(())
}

fn echo(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let message = args.next()?;
    cx.out.bulk(message);
    Ok(())
}

fn select(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.session.db = cx.database(args.integer()?)?;
    cx.out.ok();
    Ok(())
}

fn quit(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.session.closing = true;
    cx.out.ok();
    Ok(())
}

fn reset(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.forget_session();
    cx.session.reset(!cx.shared.config.requires_auth());
    cx.out.version = cx.session.version;
    cx.out.simple("RESET");
    Ok(())
}
