//! Adding and taking at the ends.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::List;
use crate::value::list::End;

/// The end that the next argument names.
pub(super) fn end(args: &mut Args<'_>) -> Result<End> {
    if args.take("LEFT") {
        Ok(End::Left)
    } else if args.take("RIGHT") {
        Ok(End::Right)
    } else {
        Err(ReplyError::Syntax)
    }
}

pub(super) fn pushed(end: End) -> &'static str {
    match end {
        End::Left => "lpush",
        End::Right => "rpush",
    }
}

pub(super) fn popped(end: End) -> &'static str {
    match end {
        End::Left => "lpop",
        End::Right => "rpop",
    }
}

pub(super) fn lpush(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    push(End::Left, args, cx)
}

pub(super) fn rpush(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    push(End::Right, args, cx)
}

pub(super) fn lpushx(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    push_to_existing(End::Left, args, cx)
}

pub(super) fn rpushx(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    push_to_existing(End::Right, args, cx)
}

fn push_to_existing(end: End, args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if !args.peek().is_some_and(|key| cx.db.contains(key)) {
        cx.out.integer(0);
        return Ok(());
    }
    push(end, args, cx)
}

fn push(end: End, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let texts = args.rest();
    check_lengths(texts.clone())?;
    let limits = cx.shared.config.list;
    let list: &mut List = cx.db.get_or_default(key)?;
    list.expect(texts.len(), texts.clone().map(<[u8]>::len).sum(), limits);
    let added = texts.len() as u64;
    for text in texts {
        list.push(end, text, limits);
    }
    let len = list.len();
    cx.db.changed_by(added, Class::LIST, pushed(end), key);
    cx.out.len(len);
    Ok(())
}

/// Longer elements than the encoding can hold are refused.
pub(super) fn check_lengths<'a>(mut texts: impl Iterator<Item = &'a [u8]>) -> Result {
    if texts.any(|text| text.len() > crate::value::pack::ITEM_MAX) {
        return Err(ReplyError::StringTooLong);
    }
    Ok(())
}

pub(super) fn lpop(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    pop("lpop", End::Left, args, cx)
}

pub(super) fn rpop(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    pop("rpop", End::Right, args, cx)
}

fn pop(name: &'static str, end: End, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let count = match args.remaining() {
        0 => None,
        1 => Some(args.count(0, ReplyError::MustBePositive)?),
        _ => return Err(ReplyError::Arity(name.into())),
    };
    match (cx.db.get_mut::<List>(key)?, count) {
        (None, None) => cx.out.null(),
        (None, Some(_)) => cx.out.null_array(),
        (Some(_), Some(0)) => cx.out.array(0),
        (Some(_), None) => {
            take(key, end, 1, cx)?;
        }
        (Some(list), Some(count)) => {
            let count = count.min(list.len());
            cx.out.array(count);
            take(key, end, count, cx)?;
        }
    }
    Ok(())
}

/// Replies with up to `count` elements, one by one, and takes them out.
pub(super) fn take(key: &[u8], end: End, count: usize, cx: &mut Context<'_>) -> Result {
    let limits = cx.shared.config.list;
    let Some(list) = cx.db.get_mut::<List>(key)? else {
        return Ok(());
    };
    let len = list.len();
    let count = count.min(len);
    let out = &mut cx.out;
    match end {
        End::Left => {
            list.iter().take(count).for_each(|item| out.item(item));
            list.remove(0, count, limits);
        }
        End::Right => {
            let back = list.iter_back_from(len.saturating_sub(1));
            back.take(count).for_each(|item| out.item(item));
            list.remove(len - count, count, limits);
        }
    }
    list.shrink(limits);
    cx.db
        .changed_by(count as u64, Class::LIST, popped(end), key);
    if count == len {
        cx.remove_emptied(key);
    }
    Ok(())
}

/// What LMPOP and BLMPOP take behind the timeout.
#[derive(Debug)]
pub(super) struct Pop<'a> {
    pub(super) keys: Vec<&'a [u8]>,
    end: End,
    count: usize,
}

impl<'a> Pop<'a> {
    pub(super) fn parse(args: &mut Args<'a>) -> Result<Self> {
        let keys = args.counted_keys()?;
        let end = end(args)?;
        let count = args.last_count()?;
        Ok(Self { keys, end, count })
    }

    /// Serves the first list that has elements. `false` if none has.
    pub(super) fn serve(&self, cx: &mut Context<'_>) -> Result<bool> {
        for key in &self.keys {
            let Some(list) = cx.db.get_mut::<List>(key)? else {
                continue;
            };
            let count = self.count.min(list.len());
            cx.out.array(2);
            cx.out.bulk(key);
            cx.out.array(count);
            take(key, self.end, count, cx)?;
            let name: &[u8] = match self.end {
                End::Left => b"LPOP",
                End::Right => b"RPOP",
            };
            cx.propagate(&[name, key, count.to_string().as_bytes()]);
            return Ok(true);
        }
        Ok(false)
    }
}

pub(super) fn lmpop(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let pop = Pop::parse(&mut args)?;
    if !pop.serve(cx)? {
        cx.out.null_array();
    }
    Ok(())
}
