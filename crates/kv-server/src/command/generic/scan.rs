//! SCAN.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::glob::Glob;
use crate::keyspace::table::Entry as _;
use crate::reply::Reply;

/// The options of SCAN and its relatives for collections.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    /// About how many elements one call looks at.
    pub(crate) count: usize,
    pattern: Option<Glob<'a>>,
    /// Only of the keyspace.
    type_name: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    pub(crate) fn parse(args: &mut Args<'a>, with_type: bool) -> Result<Self> {
        let mut options = Self {
            count: 10,
            pattern: None,
            type_name: None,
        };
        while args.remaining() > 0 {
            if args.remaining() == 1 {
                return Err(ReplyError::Syntax);
            } else if args.take("COUNT") {
                options.count = match args.integer()? {
                    ..1 => return Err(ReplyError::Syntax),
                    count => usize::try_from(count).unwrap_or(usize::MAX),
                };
            } else if args.take("MATCH") {
                options.pattern = Some(Glob::new(args.next()?)).filter(|glob| !glob.is_any());
            } else if with_type && args.take("TYPE") {
                options.type_name = Some(args.next()?);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(options)
    }

    pub(crate) fn matches(&self, element: &[u8]) -> bool {
        self.pattern.is_none_or(|glob| glob.matches(element))
    }
}

/// Reads a cursor as C's `strtoul` does: an empty text is 0, and a minus sign counts from the end.
pub(crate) fn parse_cursor(text: &[u8]) -> Result<u64> {
    let invalid = || ReplyError::text("ERR invalid cursor");
    let (is_negative, digits) = match text {
        [] => return Ok(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return Err(invalid());
    }
    let number = digits
        .iter()
        .try_fold(0_u64, |number, digit| {
            let digit = digit.checked_sub(b'0').filter(|&digit| digit <= 9)?;
            number.checked_mul(10)?.checked_add(digit.into())
        })
        .ok_or_else(invalid)?;
    Ok(if is_negative {
        number.wrapping_neg()
    } else {
        number
    })
}

pub(super) fn scan(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let cursor = parse_cursor(args.next()?)?;
    let options = Options::parse(&mut args, true)?;
    let db = &mut *cx.db;
    reply(&mut cx.out, cursor, options.count, |cursor, out| {
        let mut step = Step::default();
        step.cursor = db.scan(cursor, |entry| {
            step.seen += 1;
            let key = entry.key();
            let is_type = options
                .type_name
                .is_none_or(|name| name.eq_ignore_ascii_case(entry.type_name().as_bytes()));
            if is_type && options.matches(key) {
                step.written += 1;
                out.bulk(key);
            }
        });
        step
    });
    Ok(())
}

/// What one step of a walk came to.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// Where the next one goes on; 0 at the end.
    pub(crate) cursor: u64,
    /// Elements looked at.
    pub(crate) seen: usize,
    /// Elements of the reply.
    pub(crate) written: usize,
}

/// Walks until about `count` elements were looked at, and replies with the cursor and the elements.
pub(crate) fn reply(
    out: &mut Reply<'_>,
    mut cursor: u64,
    count: usize,
    mut walk: impl FnMut(u64, &mut Reply<'_>) -> Step,
) {
    let start = out.position();
    let (mut written, mut seen) = (0, 0);
    // A sparse table must not keep others waiting: as in Redis, at most ten buckets for each element that was asked for.
    for _ in 0..count.saturating_mul(10) {
        let step = walk(cursor, out);
        cursor = step.cursor;
        seen += step.seen;
        written += step.written;
        if cursor == 0 || seen >= count {
            break;
        }
    }
    out.put_before(start, |out| {
        out.array(2);
        out.bulk(cursor.to_string().as_bytes());
        out.array(written);
    });
}

/// The reply of a walk over a key that does not exist.
pub(crate) fn nothing(out: &mut Reply<'_>) {
    out.array(2);
    out.bulk(b"0");
    out.array(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_c_reads_it() {
        for (text, cursor) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("+7", Some(7)),
            ("007", Some(7)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-", None),
            (" 1", None),
            ("1 ", None),
            ("x", None),
            ("1x", None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes()).ok(), cursor, "{text:?}");
        }
    }
}
