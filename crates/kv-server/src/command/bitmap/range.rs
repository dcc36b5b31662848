//! BITCOUNT and BITPOS: bits in a range of bytes or of bits.

use std::ops::Range;

use resp_codec::number::parse_i64;

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::value::bits;

/// In what a range is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    fn bits(self) -> u64 {
        match self {
            Self::Byte => 8,
            Self::Bit => 1,
        }
    }

    fn parse(args: &mut Args<'_>) -> Result<Self> {
        if args.remaining() == 0 || args.take("BYTE") {
            Ok(Self::Byte)
        } else if args.take("BIT") {
            Ok(Self::Bit)
        } else {
            Err(ReplyError::Syntax)
        }
    }

    /// The bits from `start` to `end`, both included, of a string of so many bytes; negative numbers count from the end.
    fn range(self, start: i64, end: i64, bytes: usize) -> Range<u64> {
        let len = i64::try_from(bytes as u64 * 8 / self.bits()).unwrap_or(i64::MAX);
        let from_front = |index: i64| {
            if index < 0 {
                (len + index).max(0)
            } else {
                index
            }
        };
        let start = from_front(start);
        let end = from_front(end).min(len - 1);
        match (u64::try_from(start), u64::try_from(end)) {
            (Ok(start), Ok(end)) if start <= end => start * self.bits()..(end + 1) * self.bits(),
            _ => 0..0,
        }
    }
}

/// BITCOUNT key \[start end \[BYTE | BIT]]
pub(super) fn bitcount(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    // As in Redis, the options matter only where there is a string.
    let Some(bytes) = cx.db.string(key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    if args.remaining() == 0 {
        cx.out.unsigned(bits::count(bytes));
        return Ok(());
    }
    if args.remaining() == 1 || args.remaining() > 3 {
        return Err(ReplyError::Syntax);
    }
    let (start, end) = (args.integer()?, args.integer()?);
    if start < 0 && end < 0 && start > end {
        cx.out.integer(0);
        return Ok(());
    }
    let unit = Unit::parse(&mut args)?;
    let range = unit.range(start, end, bytes.len());
    cx.out.unsigned(bits::count_in(bytes, range));
    Ok(())
}

/// BITPOS key bit \[start \[end \[BYTE | BIT]]]
pub(super) fn bitpos(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let on = match args.integer()? {
        bit @ 0..=1 => bit == 1,
        _ => return Err(ReplyError::text("ERR The bit argument must be 1 or 0.")),
    };
    // As in Redis, the options matter only where there is a string.
    let Some(bytes) = cx.db.string(key)? else {
        cx.out.integer(if on { -1 } else { 0 });
        return Ok(());
    };
    if args.remaining() > 3 {
        return Err(ReplyError::Syntax);
    }
    let start = match args.remaining() {
        0 => 0,
        _ => args.integer()?,
    };
    let end = args.peek().map(|_| args.next()).transpose()?;
    let unit = Unit::parse(&mut args)?;
    let range = match end {
        Some(end) => {
            let end = parse_i64(end).ok_or(ReplyError::NotInteger)?;
            unit.range(start, end, bytes.len())
        }
        None => unit.range(start, i64::MAX, bytes.len()),
    };
    let behind = range.end;
    let is_empty = range.is_empty();
    match bits::position(bytes, on, range) {
        Some(at) => cx.out.unsigned(at),
        // Without an end the string goes on with zeros for ever.
        None if !on && end.is_none() && !is_empty => cx.out.unsigned(behind),
        None => cx.out.integer(-1),
    }
    Ok(())
}
