//! The command table: the first six rows, and the errors for everything else.

use kv_server::{
    Args, Builder, Command, Context, Flags, Keys, ReplyError, Result, Server, Unknown, WhenFull,
};

use crate::{schedule, value};

/// A server with these commands and no others; [`later`](crate::later) and [`extension`](crate::extension) add theirs.
pub fn server() -> Builder {
    let rows = [
        Command::new("GET", -1, Flags::READONLY, Keys::READ_ONE, get),
        Command::new("SET", -1, Flags::WRITE, Keys::ONE, set),
        Command::new("DELETE", -1, Flags::WRITE, Keys::ONE, delete),
        Command::new("FLUSH", -1, Flags::WRITE, Keys::NONE, flush),
        Command::new("MGET", -1, Flags::READONLY, Keys::READ_ALL, mget),
        Command::new("MSET", -1, Flags::WRITE, Keys::PAIRS, mset),
    ];
    let builder = Server::builder()
        .max_clients(64)
        .when_full(WhenFull::Wait)
        .nested_requests(true)
        .without_builtin_commands()
        .on_unknown_command(|request| match request {
            Unknown::Name(name) => ReplyError::text(format!(
                "Unrecognized command: {}",
                String::from_utf8_lossy(name)
            )),
            Unknown::Nothing => ReplyError::text("Missing command"),
            _ => ReplyError::text("Request must be a list, a simple string or a bulk string"),
        });
    rows.into_iter().fold(builder, Builder::command)
}

fn get(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = only(&mut args, "GET")?;
    reply_value(cx, key)
}

fn set(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if args.remaining() != 2 {
        return Err(wrong_number("SET"));
    }
    store(&mut args, cx)?;
    cx.reply().integer(1);
    Ok(())
}

fn delete(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = only(&mut args, "DELETE")?;
    let removed = cx.remove(key);
    cx.reply().flag(removed);
    Ok(())
}

fn flush(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if args.remaining() > 0 {
        return Err(wrong_number("FLUSH"));
    }
    let removed = schedule::clear_others(cx)?;
    cx.reply().len(removed);
    Ok(())
}

fn mget(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let keys = args.rest();
    cx.reply().array(keys.len());
    for key in keys {
        reply_value(cx, key)?;
    }
    Ok(())
}

fn mset(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if args.remaining() % 2 != 0 {
        return Err(wrong_number("MSET"));
    }
    let pairs = args.remaining() / 2;
    while args.remaining() > 0 {
        store(&mut args, cx)?;
    }
    cx.reply().len(pairs);
    Ok(())
}

fn store(args: &mut Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let kept = value::take(args)?;
    cx.set(key, &kept);
    Ok(())
}

fn reply_value(cx: &mut Context<'_>, key: &[u8]) -> Result {
    match cx.get(key)?.map(<[u8]>::to_vec) {
        Some(kept) => value::reply(cx, &kept),
        None => cx.reply().null(),
    }
    Ok(())
}

fn only<'a>(args: &mut Args<'a>, name: &str) -> Result<&'a [u8]> {
    if args.remaining() == 1 {
        args.next()
    } else {
        Err(wrong_number(name))
    }
}

fn wrong_number(name: &str) -> ReplyError {
    ReplyError::text(format!("Wrong number of arguments for {name}"))
}
