//! Reading by ids.

use super::parse;
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::value::Stream;

pub(super) fn xlen(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let stream = cx.db.get::<Stream>(args.next()?)?;
    cx.out.unsigned(stream.map_or(0, |stream| stream.log.len()));
    Ok(())
}

pub(super) fn xrange(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    range(false, args, cx)
}

pub(super) fn xrevrange(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    range(true, args, cx)
}

fn range(backwards: bool, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let (one, other) = (args.next()?, args.next()?);
    let (start, end) = if backwards {
        (other, one)
    } else {
        (one, other)
    };
    let (start, end) = (parse::start(start)?, parse::end(end)?);
    let mut count = None;
    while args.remaining() > 0 {
        if args.remaining() == 1 || !args.take("COUNT") {
            return Err(ReplyError::Syntax);
        }
        count = Some(usize::try_from(args.integer()?).unwrap_or(0));
    }
    let Some(stream) = cx.db.get::<Stream>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    let max = match count {
        Some(0) => {
            cx.out.null_array();
            return Ok(());
        }
        count => count.unwrap_or(0),
    };
    if backwards {
        cx.out
            .stream_entries(stream.log.range_back(start, end), max);
    } else {
        cx.out.stream_entries(stream.log.range(start, end), max);
    }
    Ok(())
}
