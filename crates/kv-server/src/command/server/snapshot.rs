//! SAVE, BGSAVE, LASTSAVE and SHUTDOWN.

use tracing::{error, info};

use crate::command::Args;
use crate::connection::peer::Close;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::persist::{Job, SaveError};

/// SAVE: nobody else is served meanwhile.
pub(super) fn save(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    args.finish()?;
    write_now(cx)?;
    cx.out.ok();
    Ok(())
}

/// BGSAVE \[SCHEDULE]
pub(super) fn bgsave(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    // Nothing but another snapshot could be in the way, so there is nothing to schedule for.
    args.take("SCHEDULE");
    args.finish()?;
    if cx.nested {
        if cx.shared.saves.running.is_some() {
            return Err(SaveError::Running.into());
        }
        cx.shared.saves.scheduled = true;
        cx.out.simple("Background saving scheduled");
    } else {
        let job = begin(cx)?;
        cx.shared.saves.queue(job);
        cx.out.simple("Background saving started");
    }
    Ok(())
}

/// LASTSAVE
pub(super) fn lastsave(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    args.finish()?;
    cx.out.integer(cx.shared.saves.last_ms.div_euclid(1000));
    Ok(())
}

/// SHUTDOWN \[NOSAVE | SAVE] \[NOW] \[FORCE] \[ABORT]
pub(super) fn shutdown(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (mut save, mut nosave, mut force, mut abort) = (false, false, false, false);
    let abort_alone = args.remaining() == 1;
    while args.remaining() > 0 {
        if args.take("SAVE") {
            save = true;
        } else if args.take("NOSAVE") {
            nosave = true;
        } else if args.take("FORCE") {
            force = true;
        } else if args.take("ABORT") {
            abort = true;
        } else if !args.take("NOW") {
            // NOW does not wait for replicas, and there are none.
            return Err(ReplyError::Syntax);
        }
    }
    if save && nosave || abort && !abort_alone {
        return Err(ReplyError::Syntax);
    }
    if abort {
        return Err(ReplyError::text("ERR No shutdown in progress."));
    }
    if save || !nosave && cx.shared.config.saves_on_exit() {
        match write_now(cx) {
            Ok(()) => {}
            Err(failed) if force => error!(error = %failed, "not saved before the shutdown"),
            Err(failed) => {
                error!(error = %failed, "no shutdown, because the data could not be saved");
                return Err(ReplyError::text(
                    "ERR Errors trying to SHUTDOWN. Check logs.",
                ));
            }
        }
    }
    // A connection in memory is the program's own, which knows why it does this.
    if cx.session.origin.fd < 0 {
        info!("shutdown by the program");
    } else {
        info!(client = cx.session.origin.addr, "shutdown by a client");
    }
    cx.shared.shut_down = true;
    cx.shared.clients.close_all(Close::AfterOutput);
    cx.shared.shutdown_requested.notify_one();
    cx.session.closing = true;
    Ok(())
}

fn begin(cx: &mut Context<'_>) -> Result<Job> {
    let now_ms = cx.now_ms();
    let changes = cx.shared.stats.changes_since_save;
    let dbs = cx.others.with(cx.db);
    let job = cx
        .shared
        .saves
        .begin(&cx.shared.config, dbs, now_ms, changes)?;
    Ok(job)
}

/// Writes a snapshot under the lock.
pub(super) fn write_now(cx: &mut Context<'_>) -> Result {
    let job = begin(cx)?;
    let result = job.write(|number| cx.read_preserved(number));
    let now_ms = cx.now_ms();
    let saved = cx.shared.saves.end(now_ms, result.is_ok());
    cx.shared.stats.changes_since_save -= saved;
    cx.others
        .with(cx.db)
        .for_each(|(_, db)| db.stop_preserving());
    result?;
    Ok(())
}
