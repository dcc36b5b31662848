//! DEBUG: what test suites need to bring a server into a state. Off unless `enable-debug-command` allows it.

use std::time::Duration;

use super::snapshot;
use crate::command::Args;
use crate::config::Protection;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::Db;
use crate::persist::{SaveError, load_file};

/// DEBUG subcommand \[arg ...]
pub(super) fn debug(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let allowed = match cx.shared.config.debug_command {
        Protection::No => false,
        Protection::Yes => true,
        Protection::Local => cx.session.origin.is_local(),
    };
    if !allowed {
        return Err(ReplyError::text(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
        ));
    }
    if args.take("SLEEP") {
        let seconds = args.float()?;
        args.finish()?;
        let pause = Duration::try_from_secs_f64(seconds).map_err(|_| ReplyError::OutOfRange)?;
        // Nobody is served meanwhile: that is what it is for.
        std::thread::sleep(pause);
    } else if args.take("SET-ACTIVE-EXPIRE") {
        let on = args.integer()? != 0;
        args.finish()?;
        cx.shared.active_expiry = on;
    } else if args.take("RELOAD") {
        let save = !args.take("NOSAVE");
        args.finish()?;
        reload(cx, save)?;
    } else {
        return Err(ReplyError::subcommand_syntax(&args));
    }
    cx.out.ok();
    Ok(())
}

/// Replaces the data by the snapshot, which is written first if asked for. If it cannot be loaded, the data stays.
fn reload(cx: &mut Context<'_>, save: bool) -> Result {
    let path = cx.shared.config.snapshot_path().ok_or(SaveError::Off)?;
    if save {
        snapshot::write_now(cx)?;
    }
    let mut loaded: Vec<Db> = cx
        .others
        .with(cx.db)
        .map(|(_, db)| db.new_empty())
        .collect();
    let now_ms = cx.now_ms();
    load_file(&path, &mut loaded, now_ms, &cx.shared.config).map_err(|error| {
        ReplyError::text(format!("ERR Error trying to load the RDB dump: {error}"))
    })?;
    for ((_, db), mut loaded) in cx.others.with(cx.db).zip(loaded) {
        db.swap_data(&mut loaded);
    }
    Ok(())
}
