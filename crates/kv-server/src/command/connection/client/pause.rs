//! CLIENT PAUSE and CLIENT UNPAUSE.

use resp_codec::number;

use crate::command::Args;
use crate::context::Context;
use crate::engine::Pause;
use crate::error::{ReplyError, Result};

pub(super) fn pause(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let timeout = args.next()?;
    let writes_only = match args.remaining() {
        0 => false,
        1 if args.take("WRITE") => true,
        1 if args.take("ALL") => false,
        1 => {
            return Err(ReplyError::text(
                "ERR CLIENT PAUSE mode must be WRITE or ALL",
            ));
        }
        _ => return Err(ReplyError::subcommand_syntax(&args)),
    };
    let until_ms = end(timeout, cx.now_ms())?;
    // A pause never makes one that lasts longer, or holds back more, any weaker.
    cx.shared.pause = Some(match cx.shared.pause {
        Some(former) => Pause {
            until_ms: until_ms.max(former.until_ms),
            writes_only: writes_only && former.writes_only,
        },
        None => Pause {
            until_ms,
            writes_only,
        },
    });
    for (_, db) in cx.others.with(cx.db) {
        db.set_keeping_expired(true);
    }
    cx.out.ok();
    Ok(())
}

pub(super) fn unpause(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.shared.pause = None;
    for (_, db) in cx.others.with(cx.db) {
        db.set_keeping_expired(false);
    }
    cx.shared.clients.wake_postponed();
    cx.out.ok();
    Ok(())
}

/// When a pause of so many milliseconds ends.
fn end(timeout: &[u8], now_ms: i64) -> Result<i64> {
    let timeout = number::parse_i64(timeout)
        .ok_or_else(|| ReplyError::text("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(ReplyError::text("ERR timeout is negative"));
    }
    now_ms
        .checked_add(timeout)
        .ok_or_else(|| ReplyError::text("ERR timeout is out of range"))
}
