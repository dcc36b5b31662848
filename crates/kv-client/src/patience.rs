//! How long a command that blocks waits on the server, by its own arguments.

use std::time::Duration;

use crate::request::Request;

/// The time after which the server answers at the latest; `None` if it may wait for ever, or that is not known.
pub(crate) fn of(request: &Request) -> Option<Duration> {
    let mut args = request.args();
    let patience = match request.name() {
        "BLPOP" | "BRPOP" | "BZPOPMIN" | "BZPOPMAX" | "BLMOVE" | "BRPOPLPUSH" => {
            seconds(args.last()?)
        }
        "BLMPOP" | "BZMPOP" => seconds(args.next()?),
        "XREAD" | "XREADGROUP" => {
            let ms = std::str::from_utf8(block(request)?).ok()?.parse().ok()?;
            Some(Duration::from_millis(ms))
        }
        _ => None,
    };
    patience.filter(|patience| !patience.is_zero())
}

/// What XREAD or XREADGROUP says behind BLOCK, if it does: a group, a consumer or a stream may have that name too.
pub(crate) fn block(request: &Request) -> Option<&[u8]> {
    let names = if request.name() == "XREADGROUP" { 3 } else { 0 };
    let is = |word: &'static [u8]| move |arg: &&[u8]| arg.eq_ignore_ascii_case(word);
    let mut options = request.args().skip(names);
    let mut options = options.by_ref().take_while(|arg| !is(b"STREAMS")(arg));
    options.find(is(b"BLOCK"))?;
    options.next()
}

fn seconds(text: &[u8]) -> Option<Duration> {
    let seconds = std::str::from_utf8(text).ok()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_where_each_command_has_it() {
        let ms = |ms| Some(Duration::from_millis(ms));
        for (line, patience) in [
            ("BLPOP a b 1.5", ms(1500)),
            ("BRPOPLPUSH a b 2", ms(2000)),
            ("BLMOVE a b LEFT RIGHT 3", ms(3000)),
            ("BZPOPMIN a 0", None),
            ("BZMPOP 0.25 1 z MIN", ms(250)),
            ("BLMPOP 0 1 l LEFT", None),
            ("XREAD COUNT 2 block 700 STREAMS s 0", ms(700)),
            ("XREADGROUP GROUP g c BLOCK 0 STREAMS s >", None),
            ("XREAD STREAMS s 0", None),
            ("XREAD STREAMS block 700", None),
            ("XREADGROUP GROUP block 5 STREAMS s >", None),
            (
                "XREADGROUP GROUP streams block BLOCK 700 STREAMS s >",
                ms(700),
            ),
            ("BLPOP", None),
            ("BLPOP a x", None),
            ("BLPOP a -1", None),
            ("BLPOP a inf", None),
            ("WAIT 1 100", None),
        ] {
            let mut words = line.split(' ');
            let mut request = Request::new(words.next().unwrap_or_default().to_owned());
            words.for_each(|word| request.push(word.as_bytes()));
            assert_eq!(of(&request), patience, "{line}");
        }
    }
}
