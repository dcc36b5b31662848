//! Members one by one: scores, ranks, walking.

use crate::command::Args;
use crate::command::generic::scan::{self, parse_cursor};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::reply::Reply;
use crate::value::Zset;

pub(super) fn zcard(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let len = cx.db.get(key)?.map_or(0, Zset::len);
    cx.out.len(len);
    Ok(())
}

pub(super) fn zscore(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let member = args.next()?;
    let zset = cx.db.get::<Zset>(key)?;
    write_score(zset.and_then(|zset| zset.score(member)), &mut cx.out);
    Ok(())
}

pub(super) fn zmscore(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let zset = cx.db.get::<Zset>(key)?;
    cx.out.array(args.remaining());
    for member in args.rest() {
        write_score(zset.and_then(|zset| zset.score(member)), &mut cx.out);
    }
    Ok(())
}

fn write_score(score: Option<f64>, out: &mut Reply<'_>) {
    match score {
        Some(score) => out.score(score),
        None => out.null(),
    }
}

pub(super) fn zrank(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    rank("zrank", false, args, cx)
}

pub(super) fn zrevrank(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    rank("zrevrank", true, args, cx)
}

fn rank(name: &'static str, reverse: bool, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let member = args.next()?;
    if args.remaining() > 1 {
        return Err(ReplyError::Arity(name.into()));
    }
    let with_score = args.take("WITHSCORE");
    args.finish()?;
    let zset = cx.db.get::<Zset>(key)?;
    let found = zset.and_then(|zset| {
        let (rank, score) = zset.rank(member)?;
        Some((if reverse { zset.len() - 1 - rank } else { rank }, score))
    });
    match found {
        Some((rank, score)) if with_score => {
            cx.out.array(2);
            cx.out.len(rank);
            cx.out.score(score);
        }
        Some((rank, _)) => cx.out.len(rank),
        None if with_score => cx.out.null_array(),
        None => cx.out.null(),
    }
    Ok(())
}

pub(super) fn zscan(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let cursor = parse_cursor(args.next()?)?;
    let Some(zset) = cx.db.get::<Zset>(key)? else {
        // As in Redis, the options matter only where there is something to walk over.
        scan::nothing(&mut cx.out);
        return Ok(());
    };
    let options = scan::Options::parse(&mut args, false)?;
    let is_large = matches!(zset, Zset::Tree(_));
    scan::reply(&mut cx.out, cursor, options.count, |cursor, out| {
        let mut step = scan::Step::default();
        step.cursor = zset.scan(cursor, |(member, score)| {
            step.seen += 1;
            if options.matches(member.bytes(&mut Default::default())) {
                step.written += 2;
                out.item(member);
                if is_large && score.is_finite() {
                    out.bulk(seventeen_digits(score).as_bytes());
                } else {
                    out.bulk_score(score);
                }
            }
        });
        step
    });
    Ok(())
}

/// A number as C's `%.17g` writes it, which is what Redis does in a walk over a large sorted set: 0.10000000000000001.
fn seventeen_digits(number: f64) -> String {
    let scientific = format!("{number:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => text.to_owned(),
    };
    match usize::try_from(16 - exponent) {
        Ok(decimals) if exponent >= -4 => trimmed(&format!("{number:.decimals$}")),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventeen_digits_are_those_of_c() {
        for (number, text) in [
            (0.1, "0.10000000000000001"),
            (1.5, "1.5"),
            (-2.25, "-2.25"),
            (5e-324, "4.9406564584124654e-324"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (1e300, "1.0000000000000001e+300"),
            (1e17, "1e+17"),
            (1e16, "10000000000000000"),
            (123_456_789.125, "123456789.125"),
        ] {
            assert_eq!(seventeen_digits(number), text);
        }
    }
}
