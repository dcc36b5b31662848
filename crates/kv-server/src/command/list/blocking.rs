//! The forms that wait.

use crate::command::Args;
use crate::command::list::ends::{Pop, take};
use crate::command::list::relocate::Move;
use crate::connection::session::OnTimeout;
use crate::context::{Context, Wait};
use crate::error::Result;
use crate::value::List;
use crate::value::list::End;

pub(super) fn blpop(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    pop(End::Left, b"LPOP", args, cx)
}

pub(super) fn brpop(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    pop(End::Right, b"RPOP", args, cx)
}

fn pop(end: End, name: &[u8], mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let mut keys: Vec<_> = args.rest().collect();
    let timeout = keys.pop().unwrap_or_default();
    let deadline = cx.deadline(timeout)?;
    for key in &keys {
        if cx.db.get_mut::<List>(key)?.is_some() {
            cx.out.array(2);
            cx.out.bulk(key);
            take(key, end, 1, cx)?;
            cx.propagate(&[name, key]);
            return Ok(());
        }
    }
    wait(&keys, deadline, OnTimeout::NullArray, cx);
    Ok(())
}

pub(super) fn blmpop(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let timeout = args.next()?;
    let pop = Pop::parse(&mut args)?;
    let deadline = cx.deadline(timeout)?;
    if !pop.serve(cx)? {
        wait(&pop.keys, deadline, OnTimeout::NullArray, cx);
    }
    Ok(())
}

pub(super) fn blmove(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let moving = Move::parse(&mut args)?;
    relocate(moving, args.next()?, cx)
}

pub(super) fn brpoplpush(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let moving = Move::parse_rpoplpush(&mut args)?;
    relocate(moving, args.next()?, cx)
}

fn relocate(moving: Move<'_>, timeout: &[u8], cx: &mut Context<'_>) -> Result {
    let deadline = cx.deadline(timeout)?;
    if moving.run(cx)? {
        moving.propagate(cx);
    } else {
        wait(&[moving.source], deadline, OnTimeout::Null, cx);
    }
    Ok(())
}

fn wait(keys: &[&[u8]], deadline: Option<i64>, on_timeout: OnTimeout, cx: &mut Context<'_>) {
    cx.wait_for(Wait {
        keys: keys.iter().copied().map(Box::from).collect(),
        deadline,
        on_timeout,
        wants: Some("list"),
        again: None,
    });
}
