//! Elements by their text.

use crate::command::Args;
use crate::command::list::ends::check_lengths;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::list::End;
use crate::value::{Item, List};

/// Compares elements with one text, without making text of their integers.
pub(super) fn equals(text: &[u8]) -> impl Fn(Item<'_>) -> bool {
    let wanted = Item::of(text);
    move |item| match (item, wanted) {
        (Item::Int(one), Item::Int(two)) => one == two,
        (Item::Text(one), Item::Text(two)) => one == two,
        _ => false,
    }
}

pub(super) fn linsert(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let behind = if args.take("AFTER") {
        1
    } else if args.take("BEFORE") {
        0
    } else {
        return Err(ReplyError::Syntax);
    };
    let (pivot, text) = (args.next()?, args.next()?);
    check_lengths([text].into_iter())?;
    let limits = cx.shared.config.list;
    let Some(list) = cx.db.get_mut::<List>(key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let found = list.iter().position(equals(pivot));
    if list.is_squeezed() {
        list.close(0..list.len());
    }
    let Some(index) = found else {
        cx.out.integer(-1);
        return Ok(());
    };
    list.expect(1, text.len(), limits);
    list.insert(index + behind, text, limits);
    let len = list.len();
    cx.db.changed(Class::LIST, "linsert", key);
    cx.out.len(len);
    Ok(())
}

pub(super) fn lrem(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let count = args.integer()?;
    let text = args.next()?;
    let limits = cx.shared.config.list;
    let Some(list) = cx.db.get_mut::<List>(key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let end = if count < 0 { End::Right } else { End::Left };
    let max = match count {
        0 => usize::MAX,
        _ => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    };
    let removed = list.remove_equal(text, end, max, limits);
    list.shrink(limits);
    let is_empty = list.len() == 0;
    if removed > 0 {
        cx.db.changed_by(removed as u64, Class::LIST, "lrem", key);
    }
    if is_empty {
        cx.remove_emptied(key);
    }
    cx.out.len(removed);
    Ok(())
}

pub(super) fn lpos(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let text = args.next()?;
    let (mut rank, mut count, mut max_len) = (1, None, 0);
    while args.remaining() > 0 {
        if args.remaining() == 1 {
            return Err(ReplyError::Syntax);
        } else if args.take("RANK") {
            rank = args.integer_in(-i64::MAX, i64::MAX)?;
            if rank == 0 {
                return Err(ReplyError::text(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
                ));
            }
        } else if args.take("COUNT") {
            count = Some(args.count(0, ReplyError::text("ERR COUNT can't be negative"))?);
        } else if args.take("MAXLEN") {
            max_len = args.count(0, ReplyError::text("ERR MAXLEN can't be negative"))?;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let list = cx.db.get::<List>(key)?;
    let len = list.map_or(0, List::len);
    let max_len = if max_len == 0 { len } else { max_len.min(len) };
    let skip = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    // COUNT 0 is all of them.
    let wanted = count.map_or(1, |count| if count == 0 { usize::MAX } else { count });
    let start = cx.out.position();
    let mut found = 0;
    if let Some(list) = list {
        let is_match = equals(text);
        let write = |index| {
            found += 1;
            cx.out.len(index);
        };
        if rank > 0 {
            let items = (0..).zip(list.iter()).take(max_len);
            let matches = items.filter(|&(_, item)| is_match(item));
            matches
                .map(|(index, _)| index)
                .skip(skip)
                .take(wanted)
                .for_each(write);
        } else if let Some(last) = len.checked_sub(1) {
            let items = list.iter_back_from(last).take(max_len).enumerate();
            let matches = items.filter(|&(_, item)| is_match(item));
            matches
                .map(|(back, _)| last - back)
                .skip(skip)
                .take(wanted)
                .for_each(write);
        }
    }
    if list.is_some_and(List::is_squeezed) {
        cx.db.close_list(key, 0..len);
    }
    match count {
        Some(_) => cx.out.put_before(start, |out| out.array(found)),
        None if found == 0 => cx.out.null(),
        None => {}
    }
    Ok(())
}
