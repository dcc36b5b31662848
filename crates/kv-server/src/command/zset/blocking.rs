//! The forms that wait.

use super::pop::{End, Pop, take};
use crate::command::Args;
use crate::connection::session::OnTimeout;
use crate::context::{Context, Wait};
use crate::error::Result;
use crate::value::Zset;

pub(super) fn bzpopmin(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    pop(End::Min, args, cx)
}

pub(super) fn bzpopmax(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    pop(End::Max, args, cx)
}

fn pop(end: End, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let mut keys: Vec<_> = args.rest().collect();
    let timeout = keys.pop().unwrap_or_default();
    let deadline = cx.deadline(timeout)?;
    for key in &keys {
        if cx.db.get_mut::<Zset>(key)?.is_some() {
            cx.out.array(3);
            cx.out.bulk(key);
            take(key, end, 1, false, cx)?;
            cx.propagate(&[end.command(), key]);
            return Ok(());
        }
    }
    wait(&keys, deadline, cx);
    Ok(())
}

pub(super) fn bzmpop(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let timeout = args.next()?;
    let pop = Pop::parse(&mut args)?;
    let deadline = cx.deadline(timeout)?;
    if !pop.serve(cx)? {
        wait(&pop.keys, deadline, cx);
    }
    Ok(())
}

fn wait(keys: &[&[u8]], deadline: Option<i64>, cx: &mut Context<'_>) {
    cx.wait_for(Wait {
        keys: keys.iter().copied().map(Box::from).collect(),
        deadline,
        on_timeout: OnTimeout::NullArray,
        wants: Some("zset"),
        again: None,
    });
}
