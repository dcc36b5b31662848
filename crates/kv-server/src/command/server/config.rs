//! CONFIG: the parameters while the server runs.

use crate::command::Args;
use crate::config::params::{self, Change, PARAMS, Param};
use crate::config::{Config, Protection};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::glob::Glob;

/// CONFIG GET parameter \[parameter ...]
pub(super) fn get(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let patterns: Vec<_> = args
        .rest()
        .map(|pattern| Glob::new(pattern).ignore_case())
        .collect();
    let matching = |param: &&Param| {
        patterns
            .iter()
            .any(|pattern| pattern.matches(param.name.as_bytes()))
    };
    let found: Vec<_> = PARAMS.iter().filter(matching).collect();
    cx.out.map(found.len());
    for param in found {
        cx.out.bulk(param.name.as_bytes());
        let shown = (param.show)(&cx.shared.config);
        cx.out.bulk(shown.as_bytes());
    }
    Ok(())
}

/// CONFIG SET parameter value \[parameter value ...]: all of them, or none.
pub(super) fn set(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if args.remaining() % 2 != 0 {
        return Err(ReplyError::Arity("config|set".into()));
    }
    let mut config = cx.shared.config.clone();
    let mut seen: Vec<&str> = Vec::new();
    while args.remaining() > 0 {
        let (name, value) = (args.next()?, args.next()?);
        let param = params::find(name).ok_or_else(|| unknown(name))?;
        let failed = |reason: &str| {
            ReplyError::text(format!(
                "ERR CONFIG SET failed (possibly related to argument '{}') - {reason}",
                param.name
            ))
        };
        if seen.contains(&param.name) {
            return Err(failed("duplicate parameter"));
        }
        seen.push(param.name);
        match param.change {
            Change::Any => {}
            Change::Start => return Err(failed("can't set immutable config")),
            Change::Protected if may_change_protected(cx) => {}
            Change::Protected => return Err(failed("can't set protected config")),
        }
        (param.set)(&mut config, value).map_err(|reason| failed(&reason))?;
    }
    if !config.save.is_empty() && !config.snapshots {
        return Err(ReplyError::text(
            "ERR CONFIG SET failed (possibly related to argument 'save') - this server keeps its data in memory only",
        ));
    }
    apply(cx, config);
    cx.out.ok();
    Ok(())
}

fn unknown(name: &[u8]) -> ReplyError {
    let name = String::from_utf8_lossy(name);
    ReplyError::text(format!(
        "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
    ))
}

fn may_change_protected(cx: &Context<'_>) -> bool {
    match cx.shared.config.protected_configs {
        Protection::No => false,
        Protection::Yes => true,
        Protection::Local => cx.session.origin.is_local(),
    }
}

/// Makes new settings take effect.
fn apply(cx: &mut Context<'_>, config: Config) {
    let notify = config.notify.collected();
    cx.db.notify = notify;
    cx.others.iter_mut().for_each(|db| db.notify = notify);
    cx.shared.stats.has_histograms = config.tracks_latency;
    cx.shared.config = config;
    cx.shared
        .tracking
        .limit_keys(cx.shared.config.tracking_keys);
    let usage = cx.shared.config.usage();
    let dbs = cx.others.with(cx.db).map(|(_, db)| db);
    cx.shared.eviction.restart(dbs, usage);
    let counts = cx.shared.counts_clients();
    cx.shared.clients.set_counting(counts, Some(cx.session));
}

/// CONFIG RESETSTAT
pub(super) fn resetstat(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    args.finish()?;
    cx.shared.stats.reset();
    cx.shared.garbage.count().reset_freed();
    cx.db.counters = Default::default();
    cx.others
        .iter_mut()
        .for_each(|db| db.counters = Default::default());
    cx.out.ok();
    Ok(())
}

/// CONFIG REWRITE: a library has no configuration file.
pub(super) fn rewrite(_: Args<'_>, _: &mut Context<'_>) -> Result {
    Err(ReplyError::text(
        "ERR The server is running without a config file",
    ))
}

/// CONFIG HELP
pub(super) fn help(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help(
        "CONFIG",
        &[
            "GET <pattern>",
            "    Return parameters matching the glob-like <pattern> and their values.",
            "SET <directive> <value>",
            "    Set the configuration <directive> to <value>.",
            "RESETSTAT",
            "    Reset statistics reported by the INFO command.",
            "REWRITE",
            "    Rewrite the configuration file.",
        ],
    );
    Ok(())
}
