//! What a connection says about itself: name, library, and how it wants to be treated.

use crate::command::Args;
use crate::connection::session::ReplyMode;
use crate::context::Context;
use crate::error::{ReplyError, Result};

pub(super) fn id(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.unsigned(cx.session.id);
    Ok(())
}

pub(super) fn getname(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let name = Some(&*cx.session.name).filter(|name| !name.is_empty());
    cx.out.bulk_or_null(name);
    Ok(())
}

pub(super) fn setname(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let name = check_name(args.next()?)?;
    cx.session.name = name.to_vec();
    cx.out.ok();
    Ok(())
}

pub(super) fn setinfo(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let option = args.next()?;
    let value = args.next()?;
    let session = &mut *cx.session;
    let attribute = if option.eq_ignore_ascii_case(b"LIB-NAME") {
        &mut session.lib_name
    } else if option.eq_ignore_ascii_case(b"LIB-VER") {
        &mut session.lib_version
    } else {
        let option = String::from_utf8_lossy(option);
        return Err(ReplyError::text(format!(
            "ERR Unrecognized option '{option}'"
        )));
    };
    if !fits_a_list(value) {
        let option = String::from_utf8_lossy(option);
        return Err(ReplyError::text(format!(
            "ERR {option} cannot contain spaces, newlines or special characters."
        )));
    }
    *attribute = value.to_vec();
    cx.out.ok();
    Ok(())
}

pub(super) fn reply(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let mode = &mut cx.session.reply_mode;
    if args.take("ON") {
        *mode = ReplyMode::On;
        cx.out.ok();
    } else if args.take("OFF") {
        *mode = ReplyMode::Off;
    } else if args.take("SKIP") {
        if *mode != ReplyMode::Off {
            *mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(ReplyError::Syntax);
    }
    Ok(())
}

pub(super) fn no_evict(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.session.no_evict = on_or_off(args)?;
    cx.out.ok();
    Ok(())
}

pub(super) fn no_touch(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.session.no_touch = on_or_off(args)?;
    cx.out.ok();
    Ok(())
}

fn on_or_off(mut args: Args<'_>) -> Result<bool> {
    if args.take("ON") {
        Ok(true)
    } else if args.take("OFF") {
        Ok(false)
    } else {
        Err(ReplyError::Syntax)
    }
}

/// A name that can stand in CLIENT LIST; the empty one takes the name away.
pub(in crate::command::connection) fn check_name(name: &[u8]) -> Result<&[u8]> {
    if fits_a_list(name) {
        Ok(name)
    } else {
        Err(ReplyError::text(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ))
    }
}

/// Blanks and control characters would break the lines of CLIENT LIST.
fn fits_a_list(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
