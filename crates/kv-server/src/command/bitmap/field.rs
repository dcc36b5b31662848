//! BITFIELD: a small program over integers inside of a string.

use resp_codec::number::parse_i64;

use super::bit;
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::bits::{Field, Overflow};

/// One subcommand.
#[derive(Debug, Clone, Copy)]
struct Step {
    field: Field,
    /// Its first bit.
    at: u64,
    act: Act,
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

/// The subcommands, and the last bit that they write.
struct Program {
    steps: Vec<Step>,
    last_written: Option<u64>,
}

impl Program {
    fn parse(args: &mut Args<'_>, cx: &Context<'_>) -> Result<Self> {
        let mut program = Self {
            steps: Vec::new(),
            last_written: None,
        };
        let mut overflow = Overflow::Wrap;
        while args.remaining() > 0 {
            let left = args.remaining();
            if left >= 2 && args.take("OVERFLOW") {
                overflow = parse_overflow(args)?;
                continue;
            }
            let act: fn(i64, Overflow) -> Act = if left >= 3 && args.take("GET") {
                |_, _| Act::Get
            } else if left >= 4 && args.take("SET") {
                Act::Set
            } else if left >= 4 && args.take("INCRBY") {
                Act::Add
            } else {
                return Err(ReplyError::Syntax);
            };
            let field = parse_field(args.next()?)?;
            let at = parse_offset(args.next()?, field, cx)?;
            let mut act = act(0, overflow);
            if let Act::Set(number, _) | Act::Add(number, _) = &mut act {
                *number = args.integer()?;
                let last = at + u64::from(field.width()) - 1;
                program.last_written = program.last_written.max(Some(last));
            }
            program.steps.push(Step { field, at, act });
        }
        Ok(program)
    }
}

fn parse_overflow(args: &mut Args<'_>) -> Result<Overflow> {
    if args.take("WRAP") {
        Ok(Overflow::Wrap)
    } else if args.take("SAT") {
        Ok(Overflow::Saturate)
    } else if args.take("FAIL") {
        Ok(Overflow::Fail)
    } else {
        Err(ReplyError::text("ERR Invalid OVERFLOW type specified"))
    }
}

/// `i16`, `u8`
fn parse_field(text: &[u8]) -> Result<Field> {
    let field = match text {
        [b'i', width @ ..] => parse_i64(width).and_then(|width| Field::new(true, width)),
        [b'u', width @ ..] => parse_i64(width).and_then(|width| Field::new(false, width)),
        _ => None,
    };
    field.ok_or_else(|| {
        ReplyError::text(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        )
    })
}

/// The number of a bit, or with `#` that of a field of this width.
fn parse_offset(text: &[u8], field: Field, cx: &Context<'_>) -> Result<u64> {
    let Some(number) = text.strip_prefix(b"#") else {
        return bit::offset(text, cx);
    };
    parse_i64(number)
        .and_then(|number| number.checked_mul(field.width().into()))
        .and_then(|offset| bit::check(offset, cx))
        .ok_or(ReplyError::BitOffset)
}

/// BITFIELD key \[GET encoding offset | \[OVERFLOW WRAP | SAT | FAIL] SET encoding offset value | INCRBY encoding offset increment ...]
pub(super) fn bitfield(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let program = Program::parse(&mut args, cx)?;
    match program.last_written {
        Some(last) => run(key, &program.steps, last, cx),
        None => read(key, &program.steps, cx),
    }
}

/// BITFIELD_RO key \[GET encoding offset ...]
pub(super) fn bitfield_ro(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let program = Program::parse(&mut args, cx)?;
    if program.last_written.is_some() {
        return Err(ReplyError::text(
            "ERR BITFIELD_RO only supports the GET subcommand",
        ));
    }
    read(key, &program.steps, cx)
}

fn read(key: &[u8], steps: &[Step], cx: &mut Context<'_>) -> Result {
    let bytes = cx.db.string(key)?.unwrap_or_default();
    cx.out.array(steps.len());
    for step in steps {
        cx.out.integer(step.field.read(bytes, step.at));
    }
    Ok(())
}

fn run(key: &[u8], steps: &[Step], last: u64, cx: &mut Context<'_>) -> Result {
    let (at, has_grown) = bit::reach(key, last, cx)?;
    let bytes = cx.db.string_bytes_at(at);
    cx.out.array(steps.len());
    let mut changes = 0;
    for step in steps {
        let old = step.field.read(bytes, step.at);
        let (new, reply) = match step.act {
            Act::Get => {
                cx.out.integer(old);
                continue;
            }
            Act::Set(number, overflow) => (step.field.fit(number, overflow), Some(old)),
            Act::Add(more, overflow) => (step.field.add(old, more, overflow), None),
        };
        match new {
            Some(new) => {
                step.field.write(bytes, step.at, new);
                changes += u64::from(has_grown || old != new);
                cx.out.integer(reply.unwrap_or(new));
            }
            None => cx.out.null(),
        }
    }
    // A string that has only grown has changed too.
    if changes > 0 || has_grown {
        cx.db
            .changed_by(changes.max(1), Class::STRING, "setbit", key);
    }
    Ok(())
}
