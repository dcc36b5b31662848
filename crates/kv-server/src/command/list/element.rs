//! Elements by number.

use std::ops::Range;

use crate::command::Args;
use crate::command::list::ends::check_lengths;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::List;

pub(super) fn llen(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let len = cx.db.get(key)?.map_or(0, List::len);
    cx.out.len(len);
    Ok(())
}

/// The number of an element; negative ones count from the end.
fn absolute(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index).filter(|&index| index < len),
        Err(_) => usize::try_from(index.unsigned_abs())
            .ok()
            .and_then(|back| len.checked_sub(back)),
    }
}

/// The numbers from `start` to `stop`, both included, as far as they exist; negative ones count from the end.
fn range(start: i64, stop: i64, len: usize) -> Range<usize> {
    let start = match usize::try_from(start) {
        Ok(start) => start.min(len),
        Err(_) => absolute(start, len).unwrap_or(0),
    };
    let end = match usize::try_from(stop) {
        Ok(stop) => stop.saturating_add(1).min(len),
        Err(_) => absolute(stop, len).map_or(0, |stop| stop + 1),
    };
    start..end.max(start)
}

pub(super) fn lindex(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let Some(list) = cx.db.get::<List>(key)? else {
        cx.out.null();
        return Ok(());
    };
    // As in Redis, the index matters only where there is a list.
    let index = args.integer()?;
    let index = absolute(index, list.len());
    match index.and_then(|index| list.get(index)) {
        Some(item) => cx.out.item(item),
        None => cx.out.null(),
    }
    if list.is_squeezed() {
        index
            .into_iter()
            .for_each(|index| cx.db.close_list(key, index..index + 1));
    }
    Ok(())
}

pub(super) fn lset(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let limits = cx.shared.config.list;
    let list: &mut List = cx.db.get_mut(key)?.ok_or(ReplyError::NoSuchKey)?;
    let index = args.integer()?;
    let text = args.next()?;
    check_lengths([text].into_iter())?;
    let index = absolute(index, list.len()).ok_or(ReplyError::IndexOutOfRange)?;
    list.expect(1, text.len(), limits);
    list.set(index, text, limits);
    list.shrink(limits);
    cx.db.changed(Class::LIST, "lset", key);
    cx.out.ok();
    Ok(())
}

pub(super) fn lrange(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    let Some(list) = cx.db.get::<List>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    let range = range(start, stop, list.len());
    cx.out.array(range.len());
    let items = list.iter_from(range.start).take(range.len());
    items.for_each(|item| cx.out.item(item));
    if list.is_squeezed() {
        cx.db.close_list(key, range);
    }
    Ok(())
}

pub(super) fn ltrim(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    let limits = cx.shared.config.list;
    let Some(list) = cx.db.get_mut::<List>(key)? else {
        cx.out.ok();
        return Ok(());
    };
    let len = list.len();
    let range = range(start, stop, len);
    list.remove(range.end, usize::MAX, limits);
    list.remove(0, range.start, limits);
    if range.is_empty() {
        *list = List::default();
    }
    list.shrink(limits);
    // As in Redis, watchers are told even if nothing was cut off.
    let cut = len - range.len();
    cx.db.changed_by(cut as u64, Class::LIST, "ltrim", key);
    if range.is_empty() {
        cx.remove_emptied(key);
    }
    cx.out.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_as_redis_cuts_them() {
        for (start, stop, expected) in [
            (0, -1, 0..3),
            (0, 0, 0..1),
            (-100, 100, 0..3),
            (1, 1, 1..2),
            (2, 1, 2..2),
            (3, 5, 3..3),
            (-1, -3, 2..2),
            (-2, -1, 1..3),
            (0, -4, 0..0),
            (i64::MIN, i64::MAX, 0..3),
            (i64::MAX, i64::MIN, 3..3),
        ] {
            assert_eq!(range(start, stop, 3), expected, "{start} {stop}");
        }
        assert_eq!(range(0, -1, 0), 0..0);
    }
}
