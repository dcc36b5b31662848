//! CLIENT TRACKING and its relatives: client-side caching.

use std::collections::BTreeSet;

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::tracking::{Choice, Mode};

/// CLIENT TRACKING <ON | OFF> \[REDIRECT id] \[PREFIX prefix ...] \[BCAST] \[OPTIN] \[OPTOUT] \[NOLOOP]
pub(super) fn tracking(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let on = match () {
        () if args.take("ON") => true,
        () if args.take("OFF") => false,
        () => return Err(ReplyError::Syntax),
    };
    let mut redirect = None;
    let mut prefixes: Vec<&[u8]> = Vec::new();
    let (mut broadcast, mut opt_in, mut opt_out, mut no_loop) = (false, false, false, false);
    while args.remaining() > 0 {
        if args.remaining() > 1 && args.take("REDIRECT") {
            if redirect.is_some() {
                return Err(ReplyError::text(
                    "ERR A client can only redirect to a single other client",
                ));
            }
            redirect = Some(args.integer()?);
        } else if args.remaining() > 1 && args.take("PREFIX") {
            prefixes.push(args.next()?);
        } else if args.take("BCAST") {
            broadcast = true;
        } else if args.take("OPTIN") {
            opt_in = true;
        } else if args.take("OPTOUT") {
            opt_out = true;
        } else if args.take("NOLOOP") {
            no_loop = true;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let redirect = redirect.map(|id| existing(cx, id)).transpose()?;
    if !on {
        cx.shared.tracking.end(cx.session);
        cx.out.ok();
        return Ok(());
    }
    if !broadcast && !prefixes.is_empty() {
        return Err(ReplyError::text(
            "ERR PREFIX option requires BCAST mode to be enabled",
        ));
    }
    let former = cx.session.tracking.as_deref();
    if former.is_some_and(|mode| mode.prefixes.is_some() != broadcast) {
        return Err(ReplyError::text(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
        ));
    }
    if broadcast && (opt_in || opt_out) {
        return Err(ReplyError::text(
            "ERR OPTIN and OPTOUT are not compatible with BCAST",
        ));
    }
    if opt_in && opt_out {
        return Err(ReplyError::text(
            "ERR You can't specify both OPTIN mode and OPTOUT mode",
        ));
    }
    let former_choice = former.map(|mode| mode.choice);
    if opt_in && former_choice == Some(Choice::OptOut)
        || opt_out && former_choice == Some(Choice::OptIn)
    {
        return Err(ReplyError::text(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
        ));
    }
    let prefixes = if broadcast {
        let listened = former.and_then(|mode| mode.prefixes.clone());
        Some(all_prefixes(listened.unwrap_or_default(), &prefixes)?)
    } else {
        None
    };
    let choice = match (opt_in, opt_out) {
        (true, _) => Choice::OptIn,
        (_, true) => Choice::OptOut,
        _ => Choice::All,
    };
    let mode = Mode {
        redirect,
        prefixes,
        choice,
        no_loop,
        ..Mode::default()
    };
    cx.shared.tracking.begin(cx.session, mode);
    cx.db.tracked = true;
    cx.others.iter_mut().for_each(|db| db.tracked = true);
    cx.out.ok();
    Ok(())
}

/// The id of a connection that exists.
fn existing(cx: &Context<'_>, id: i64) -> Result<u64> {
    let found = u64::try_from(id)
        .ok()
        .filter(|&id| cx.session.id == id || cx.shared.clients.peer(id).is_some());
    found.ok_or_else(|| ReplyError::text("ERR The client ID you want redirect to does not exist"))
}

/// The prefixes that a connection listens to with the new ones; without any it listens to all keys.
fn all_prefixes(listened: BTreeSet<Box<[u8]>>, new: &[&[u8]]) -> Result<BTreeSet<Box<[u8]>>> {
    let overlap = |one: &[u8], two: &[u8]| one.starts_with(two) || two.starts_with(one);
    let collides = |one: &[u8], what: &str, two: &[u8]| {
        let (one, two) = (String::from_utf8_lossy(one), String::from_utf8_lossy(two));
        ReplyError::text(format!(
            "ERR Prefix '{one}' overlaps with {what} prefix '{two}'. Prefixes for a single client must not overlap."
        ))
    };
    for (at, &prefix) in new.iter().enumerate() {
        if let Some(other) = listened.iter().find(|other| overlap(prefix, other)) {
            return Err(collides(prefix, "an existing", other));
        }
        if let Some(other) = new[at + 1..].iter().find(|other| overlap(prefix, other)) {
            return Err(collides(prefix, "another provided", other));
        }
    }
    let mut all = listened;
    all.extend(new.iter().map(|prefix| Box::from(*prefix)));
    if all.is_empty() {
        all.insert(Box::default());
    }
    Ok(all)
}

/// CLIENT CACHING <YES | NO>
pub(super) fn caching(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let Some(mode) = cx.session.tracking.as_deref_mut() else {
        return Err(ReplyError::text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    let (needed, error) = if args.take("YES") {
        (
            Choice::OptIn,
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        )
    } else if args.take("NO") {
        (
            Choice::OptOut,
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        )
    } else {
        return Err(ReplyError::Syntax);
    };
    if mode.choice != needed {
        return Err(ReplyError::text(error));
    }
    mode.caching = true;
    cx.out.ok();
    Ok(())
}

/// CLIENT GETREDIR
pub(super) fn getredir(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let redirect = redirect(cx);
    cx.out.integer(redirect);
    Ok(())
}

/// Who gets the messages; 0 is the connection itself, -1 nobody.
fn redirect(cx: &Context<'_>) -> i64 {
    match &cx.session.tracking {
        Some(mode) => mode
            .redirect
            .map_or(0, |id| i64::try_from(id).unwrap_or(i64::MAX)),
        None => -1,
    }
}

/// CLIENT TRACKINGINFO
pub(super) fn trackinginfo(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let mode = cx.session.tracking.as_deref().cloned();
    let flags: Vec<&str> = match &mode {
        None => vec!["off"],
        Some(mode) => {
            let in_mode = |choice| mode.choice == choice;
            let flags = [
                ("on", true),
                ("bcast", mode.prefixes.is_some()),
                ("optin", in_mode(Choice::OptIn)),
                ("caching-yes", in_mode(Choice::OptIn) && mode.caching),
                ("optout", in_mode(Choice::OptOut)),
                ("caching-no", in_mode(Choice::OptOut) && mode.caching),
                ("noloop", mode.no_loop),
                ("broken_redirect", mode.broken),
            ];
            flags
                .into_iter()
                .filter_map(|(flag, on)| on.then_some(flag))
                .collect()
        }
    };
    cx.out.map(3);
    cx.out.bulk(b"flags");
    cx.out.set(flags.len());
    flags.iter().for_each(|flag| cx.out.bulk(flag.as_bytes()));
    cx.out.bulk(b"redirect");
    let redirect = redirect(cx);
    cx.out.integer(redirect);
    cx.out.bulk(b"prefixes");
    let prefixes = mode.and_then(|mode| mode.prefixes).unwrap_or_default();
    cx.out.array(prefixes.len());
    prefixes.iter().for_each(|prefix| cx.out.bulk(prefix));
    Ok(())
}
