//! DEBUG RELOAD.

use crate::command::Args;
use crate::command::server::snapshot;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::Db;
use crate::keyspace::table::Entry as _;
use crate::persist::{SaveError, load_file};

/// DEBUG RELOAD \[MERGE] \[NOFLUSH] \[NOSAVE]
///
/// What cannot be loaded leaves the data as it is.
pub(super) fn reload(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (mut save, mut flush, mut merge) = (true, true, false);
    while args.remaining() > 0 {
        if args.take("MERGE") {
            merge = true;
        } else if args.take("NOFLUSH") {
            flush = false;
        } else if args.take("NOSAVE") {
            save = false;
        } else {
            return Err(ReplyError::text(
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ));
        }
    }
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
    let failed = |reason: &dyn std::fmt::Display| {
        ReplyError::text(format!("ERR Error trying to load the RDB dump: {reason}"))
    };
    load_file(&path, &mut loaded, now_ms, &cx.shared.config).map_err(|error| failed(&error))?;
    if !flush && !merge {
        for ((_, db), loaded) in cx.others.with(cx.db).zip(&loaded) {
            if let Some(entry) = loaded.iter().find(|entry| db.contains(entry.key())) {
                let key = entry.key().escape_ascii();
                return Err(failed(&format_args!("key \"{key}\" is there already")));
            }
        }
    }
    for ((_, db), mut loaded) in cx.others.with(cx.db).zip(loaded) {
        if flush {
            db.swap_data(&mut loaded);
        } else {
            for entry in loaded.iter() {
                db.insert(entry.copied(entry.key()));
                db.touched(entry.key());
            }
        }
    }
    cx.out.ok();
    Ok(())
}
