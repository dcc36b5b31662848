//! Moving an element from one list to another.

use crate::command::Args;
use crate::command::list::ends::{end, popped, pushed};
use crate::context::Context;
use crate::error::Result;
use crate::keyspace::notify::Class;
use crate::value::List;
use crate::value::list::End;

/// From where to where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) source: &'a [u8],
    destination: &'a [u8],
    from: End,
    to: End,
}

impl<'a> Move<'a> {
    /// Two keys and two ends.
    pub(super) fn parse(args: &mut Args<'a>) -> Result<Self> {
        Ok(Self {
            source: args.next()?,
            destination: args.next()?,
            from: end(args)?,
            to: end(args)?,
        })
    }

    /// Two keys: from the end of one to the front of the other.
    pub(super) fn parse_rpoplpush(args: &mut Args<'a>) -> Result<Self> {
        Ok(Self {
            source: args.next()?,
            destination: args.next()?,
            from: End::Right,
            to: End::Left,
        })
    }

    /// Moves an element and replies with it. `false` if there is none.
    pub(super) fn run(&self, cx: &mut Context<'_>) -> Result<bool> {
        let limits = cx.shared.config.list;
        if cx.db.get_mut::<List>(self.source)?.is_none() {
            return Ok(false);
        }
        // A wrong type there must not cost the element.
        cx.db.get_mut::<List>(self.destination)?;
        let Some(list) = cx.db.get_mut::<List>(self.source)? else {
            return Ok(false);
        };
        let mut text = Vec::new();
        list.pop(self.from, limits, |item| text = item.to_vec());
        if self.source != self.destination {
            list.shrink(limits);
        }
        let target: &mut List = cx.db.get_or_default(self.destination)?;
        target.expect(1, text.len(), limits);
        target.push(self.to, &text, limits);
        cx.db
            .changed(Class::LIST, pushed(self.to), self.destination);
        cx.db
            .changed_too(Class::LIST, popped(self.from), self.source);
        cx.remove_emptied(self.source);
        cx.out.bulk(&text);
        Ok(true)
    }
}

pub(super) fn lmove(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let moving = Move::parse(&mut args)?;
    if !moving.run(cx)? {
        cx.out.null();
    }
    Ok(())
}

pub(super) fn rpoplpush(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let moving = Move::parse_rpoplpush(&mut args)?;
    if !moving.run(cx)? {
        cx.out.null();
    }
    Ok(())
}

impl Move<'_> {
    /// The command that does the same without waiting.
    pub(super) fn propagate(&self, cx: &mut Context<'_>) {
        let name = |end| match end {
            End::Left => &b"LEFT"[..],
            End::Right => b"RIGHT",
        };
        cx.propagate(&[
            b"LMOVE",
            self.source,
            self.destination,
            name(self.from),
            name(self.to),
        ]);
    }
}
