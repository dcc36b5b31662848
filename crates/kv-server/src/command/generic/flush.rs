//! Databases emptied. The memory is freed later either way, so that nobody waits for it.

use crate::command::Args;
use crate::context::Context;
use crate::error::Result;

pub(super) fn flushdb(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    accept_mode(&mut args)?;
    cx.shared.garbage.bury_all(cx.db.clear());
    cx.out.ok();
    Ok(())
}

pub(super) fn flushall(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    accept_mode(&mut args)?;
    cx.shared.garbage.bury_all(cx.db.clear());
    for db in cx.others.iter_mut() {
        cx.shared.garbage.bury_all(db.clear());
    }
    cx.out.ok();
    Ok(())
}

/// SYNC and ASYNC say in Redis who frees the memory. Here both are at once for the caller and free it behind his back.
fn accept_mode(args: &mut Args<'_>) -> Result {
    let _ = args.take("SYNC") || args.take("ASYNC");
    args.finish()
}
