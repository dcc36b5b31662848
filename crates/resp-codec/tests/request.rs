//! Requests as clients send them, whole and in pieces, plain, inline and nested, and what is refused.

use resp_codec::{Arg, DecodeError, DecodeErrorKind, FrameDecoder, Limits, RequestDecoder};

fn plain() -> RequestDecoder {
    RequestDecoder::new(Limits::server())
}

fn nested() -> RequestDecoder {
    plain().nested(true)
}

/// The arguments of the one request in `wire`; those that are frames in angle brackets.
fn args_of(decoder: &mut RequestDecoder, wire: &[u8]) -> Result<Option<Vec<String>>, DecodeError> {
    let mut buffer = wire.to_vec();
    let mut args = Vec::new();
    let Some(used) = decoder.decode(&mut buffer, &mut args)? else {
        assert!(args.is_empty(), "arguments of a request that is not whole");
        return Ok(None);
    };
    assert_eq!(used, wire.len(), "{:?}", String::from_utf8_lossy(wire));
    let text = |arg: &Arg| {
        let text = arg.of(&buffer).escape_ascii().to_string();
        if arg.is_frame() {
            format!("<{text}>")
        } else {
            text
        }
    };
    Ok(Some(args.iter().map(text).collect()))
}

fn requests() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("*1\r\n$4\r\nPING\r\n", vec!["PING"]),
        (
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n",
            vec!["SET", "k", "hello"],
        ),
        ("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", vec!["GET", ""]),
        (
            "*2\r\n$4\r\nECHO\r\n$4\r\n\r\n*1\r\n",
            vec!["ECHO", r"\r\n*1"],
        ),
        (
            "*2\r\n$4\r\nECHO\r\n$12\r\nhello, world\r\n",
            vec!["ECHO", "hello, world"],
        ),
        ("*0\r\n", vec![]),
        ("*-1\r\n", vec![]),
        ("*-99\r\n", vec![]),
        ("\r\n", vec![]),
        ("\n", vec![]),
        ("   \t\r\n", vec![]),
        ("PING\r\n", vec!["PING"]),
        ("PING\n", vec!["PING"]),
        ("  SET  k\tv \r\n", vec!["SET", "k", "v"]),
        (r#"SET k "hello world""#, vec!["SET", "k", "hello world"]),
        (r#"SET k """#, vec!["SET", "k", ""]),
        (r#"SET k "\x00\xfF\x4""#, vec!["SET", "k", r"\x00\xffx4"]),
        (
            r#"SET k "\n\r\t\b\a\"\\\q""#,
            vec!["SET", "k", r#"\n\r\t\x08\x07\"\\q"#],
        ),
        (
            r#"SET k 'a "b" \n \' c'"#,
            vec!["SET", "k", r#"a \"b\" \\n \' c"#],
        ),
        (
            r#"SET k pre"quoted text""#,
            vec!["SET", "k", "prequoted text"],
        ),
        (r"SET k back\nslash", vec!["SET", "k", r"back\\nslash"]),
    ]
}

/// Inline commands in the table above leave their line end out when quotes are what matters.
fn wire_of(text: &str) -> Vec<u8> {
    let end = if text.ends_with('\n') { "" } else { "\r\n" };
    format!("{text}{end}").into_bytes()
}

#[test]
fn a_request_yields_its_arguments() {
    for (text, args) in requests() {
        assert_eq!(
            args_of(&mut plain(), &wire_of(text)),
            Ok(Some(args.iter().map(|a| a.to_string()).collect())),
            "{text:?}"
        );
    }
}

#[test]
fn a_request_cut_at_any_byte_yields_the_same_arguments() {
    for (text, args) in requests() {
        let wire = wire_of(text);
        for cut in 0..wire.len() {
            let mut decoder = plain();
            assert_eq!(
                args_of(&mut decoder, &wire[..cut]),
                Ok(None),
                "{text:?} is whole at byte {cut}"
            );
            assert!(
                (1..=wire.len() - cut).contains(&decoder.missing()),
                "{text:?} at {cut}: {}",
                decoder.missing()
            );
            let again = args_of(&mut decoder, &wire).unwrap().unwrap();
            assert_eq!(again, args, "{text:?} cut at byte {cut}");
        }
    }
}

#[test]
fn a_pipeline_yields_one_request_after_the_other() {
    let mut wire: Vec<u8> = requests()
        .iter()
        .flat_map(|(text, _)| wire_of(text))
        .collect();
    let (mut decoder, mut args) = (plain(), Vec::new());
    let mut start = 0;
    for (text, expected) in requests() {
        let used = decoder
            .decode(&mut wire[start..], &mut args)
            .unwrap()
            .unwrap();
        let read: Vec<_> = args
            .drain(..)
            .map(|arg| arg.shifted(start).of(&wire).escape_ascii().to_string())
            .collect();
        assert_eq!(read, expected, "{text:?}");
        start += used;
    }
    assert_eq!(start, wire.len());
}

#[test]
fn arguments_are_added_behind_those_that_are_there() {
    let (mut decoder, mut args) = (plain(), Vec::new());
    let mut first = *b"*1\r\n$1\r\na\r\n";
    let mut second = *b"*1\r\n$1\r\nb\r\n";
    decoder.decode(&mut first, &mut args).unwrap().unwrap();
    assert_eq!(decoder.decode(&mut second[..9], &mut args), Ok(None));
    assert_eq!(args.len(), 1);
    decoder.decode(&mut second, &mut args).unwrap().unwrap();
    assert_eq!(
        (args[0].of(&first), args[1].of(&second)),
        (&b"a"[..], &b"b"[..])
    );
}

#[test]
fn missing_tells_how_much_of_an_argument_is_to_come() {
    let mut decoder = plain();
    assert_eq!(
        args_of(&mut decoder, b"*2\r\n$3\r\nGET\r\n$1000\r\nabc"),
        Ok(None)
    );
    assert_eq!(decoder.missing(), 999);
}

fn faults() -> Vec<(&'static str, usize, DecodeErrorKind, &'static str)> {
    use DecodeErrorKind::*;
    let (elements, bulk) = (1024 * 1024, 512 * 1024 * 1024);
    vec![
        (
            "*x\r\n",
            0,
            InvalidMultibulkLength,
            "invalid multibulk length",
        ),
        (
            "*\r\n",
            0,
            InvalidMultibulkLength,
            "invalid multibulk length",
        ),
        (
            "*01\r\n",
            0,
            InvalidMultibulkLength,
            "invalid multibulk length",
        ),
        (
            "*+1\r\n",
            0,
            InvalidMultibulkLength,
            "invalid multibulk length",
        ),
        (
            "*1 \r\n",
            0,
            InvalidMultibulkLength,
            "invalid multibulk length",
        ),
        (
            "*?\r\n",
            0,
            InvalidMultibulkLength,
            "invalid multibulk length",
        ),
        (
            "*3000000000\r\n",
            0,
            InvalidMultibulkLength,
            "invalid multibulk length",
        ),
        (
            "*99999999999999999999\r\n",
            0,
            InvalidMultibulkLength,
            "invalid multibulk length",
        ),
        (
            "*1048577\r\n",
            0,
            ElementsLimit {
                count: 1_048_577,
                limit: elements,
            },
            "1048577 elements exceed the limit of 1048576",
        ),
        ("*1\n$4\r\nPING\r\n", 0, MissingCrlf, "expected '\\r\\n'"),
        (
            "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n",
            20,
            ExpectedBulk { got: b'f' },
            "expected '$', got 'f'",
        ),
        (
            "*1\r\n:5\r\n",
            4,
            ExpectedBulk { got: b':' },
            "expected '$', got ':'",
        ),
        (
            "*1\r\n$-10\r\n",
            4,
            InvalidBulkLength,
            "invalid bulk length",
        ),
        ("*1\r\n$-1\r\n", 4, InvalidBulkLength, "invalid bulk length"),
        ("*1\r\n$\r\n", 4, InvalidBulkLength, "invalid bulk length"),
        ("*1\r\n$1a\r\n", 4, InvalidBulkLength, "invalid bulk length"),
        (
            "*1\r\n$9223372036854775808\r\n",
            4,
            InvalidBulkLength,
            "invalid bulk length",
        ),
        (
            "*1\r\n$2000000000\r\n",
            4,
            BulkLimit {
                len: 2_000_000_000,
                limit: bulk,
            },
            "bulk string of 2000000000 bytes exceeds the limit of 536870912 bytes",
        ),
        ("*1\r\n$3\r\nabcdef", 4, MissingCrlf, "expected '\\r\\n'"),
        (
            "SET k \"v\r\n",
            0,
            UnbalancedQuotes,
            "unbalanced quotes in request",
        ),
        (
            "SET k 'v\r\n",
            0,
            UnbalancedQuotes,
            "unbalanced quotes in request",
        ),
        (
            "SET k \"v\"x\r\n",
            0,
            UnbalancedQuotes,
            "unbalanced quotes in request",
        ),
        (
            "SET k 'v'x\r\n",
            0,
            UnbalancedQuotes,
            "unbalanced quotes in request",
        ),
        (
            "SET k \"v\\\r\n",
            0,
            UnbalancedQuotes,
            "unbalanced quotes in request",
        ),
    ]
}

#[test]
fn a_bad_request_is_a_typed_error_in_redis_words_however_it_is_cut() {
    for (text, offset, kind, words) in faults() {
        let wire = text.as_bytes();
        for cut in 0..=wire.len() {
            let mut decoder = plain();
            let error = match args_of(&mut decoder, &wire[..cut]) {
                Err(error) => error,
                Ok(_) => args_of(&mut decoder, wire).expect_err(text),
            };
            assert_eq!(
                (error.offset(), error.kind()),
                (offset, kind),
                "{text:?} cut at byte {cut}"
            );
            assert_eq!(error.kind().to_string(), words);
            assert_eq!(
                args_of(&mut decoder, b"*1\r\n$4\r\nPING\r\n"),
                Err(error),
                "{text:?}: the error is final"
            );
        }
    }
}

#[test]
fn a_line_that_never_ends_is_refused_at_its_limit() {
    let limit = Limits::server().inline_bytes;
    for (start, kind) in [
        ("A", DecodeErrorKind::InlineTooLong { limit }),
        ("*1", DecodeErrorKind::MultibulkLineTooLong { limit }),
        ("*\0", DecodeErrorKind::MultibulkLineTooLong { limit }),
        ("*1\r\n$1", DecodeErrorKind::BulkLineTooLong { limit }),
    ] {
        let offset = start.find('$').unwrap_or(0);
        let mut wire = start.as_bytes().to_vec();
        wire.resize(offset + limit, b'1');
        let mut decoder = plain();
        assert_eq!(args_of(&mut decoder, &wire), Ok(None), "{start:?}");
        wire.push(b'1');
        let error = args_of(&mut decoder, &wire).unwrap_err();
        assert_eq!((error.offset(), error.kind()), (offset, kind), "{start:?}");
    }
}

#[test]
fn limits_may_change_between_requests_and_while_one_arrives() {
    let tight = Limits {
        elements: 10,
        bulk_bytes: 16 * 1024,
        ..Limits::server()
    };
    let mut decoder = RequestDecoder::new(tight);
    assert_eq!(args_of(&mut decoder, b"*2\r\n$4\r\nAUTH\r\n"), Ok(None));
    decoder.set_limits(Limits {
        bulk_bytes: 3,
        ..tight
    });
    let error = args_of(&mut decoder, b"*2\r\n$4\r\nAUTH\r\n$4\r\nword\r\n").unwrap_err();
    assert_eq!(
        error.kind(),
        DecodeErrorKind::BulkLimit { len: 4, limit: 3 }
    );

    let mut decoder = RequestDecoder::new(tight);
    decoder.set_limits(Limits::server());
    assert_eq!(args_of(&mut decoder, b"*11\r\n"), Ok(None));
    assert_eq!(decoder.limits(), &Limits::server());
}

#[test]
fn a_request_longer_than_the_frame_limit_is_refused_before_it_has_arrived() {
    let mut decoder = RequestDecoder::new(Limits {
        frame_bytes: 100,
        ..Limits::server()
    });
    let error = args_of(&mut decoder, b"*2\r\n$3\r\nSET\r\n$90\r\n").unwrap_err();
    assert_eq!(
        (error.offset(), error.kind()),
        (13, DecodeErrorKind::FrameLimit { limit: 100 })
    );
}

#[test]
fn a_nested_request_yields_texts_and_frames() {
    for (wire, args) in [
        ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", vec!["GET", "k"]),
        ("+SET k v\r\n", vec!["SET", "k", "v"]),
        ("$9\r\nSET  k  v\r\n", vec!["SET", "k", "v"]),
        ("+\r\n", vec![]),
        ("*0\r\n", vec![]),
        ("*-1\r\n", vec![]),
        (
            "*3\r\n+SET\r\n$1\r\nk\r\n:5\r\n",
            vec!["SET", "k", r"<:5\r\n>"],
        ),
        (
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$-1\r\n",
            vec!["SET", "k", r"<$-1\r\n>"],
        ),
        (
            "*3\r\n$3\r\nSET\r\n$2\r\nk2\r\n*3\r\n$4\r\nv2-0\r\n:1\r\n$4\r\nv2-2\r\n",
            vec!["SET", "k2", r"<*3\r\n$4\r\nv2-0\r\n:1\r\n$4\r\nv2-2\r\n>"],
        ),
        (
            "*3\r\n$3\r\nSET\r\n$2\r\nkx\r\n%1\r\n$2\r\nvx\r\n%2\r\n$2\r\nvy\r\n:0\r\n$2\r\nvz\r\n*3\r\n:1\r\n:2\r\n:3\r\n",
            vec![
                "SET",
                "kx",
                r"<%1\r\n$2\r\nvx\r\n%2\r\n$2\r\nvy\r\n:0\r\n$2\r\nvz\r\n*3\r\n:1\r\n:2\r\n:3\r\n>",
            ],
        ),
        (":1\r\n", vec![r"<:1\r\n>"]),
        ("%1\r\n+a\r\n:1\r\n", vec![r"<%1\r\n+a\r\n:1\r\n>"]),
    ] {
        for cut in 0..wire.len() {
            let mut decoder = nested();
            assert_eq!(
                args_of(&mut decoder, &wire.as_bytes()[..cut]),
                Ok(None),
                "{wire:?} is whole at byte {cut}"
            );
            assert_eq!(
                args_of(&mut decoder, wire.as_bytes()).unwrap().unwrap(),
                args,
                "{wire:?} cut at byte {cut}"
            );
        }
    }
}

#[test]
fn a_frame_among_the_arguments_can_be_decoded_on_its_own() {
    let mut wire = *b"*2\r\n$3\r\nSUM\r\n*2\r\n:1\r\n:2\r\n";
    let mut args = Vec::new();
    nested().decode(&mut wire, &mut args).unwrap().unwrap();
    let mut frames = FrameDecoder::new(Limits::server());
    let list = frames.decode(args[1].of(&wire)).unwrap().unwrap();
    assert_eq!(
        list.children()
            .filter_map(|child| child.as_i64())
            .sum::<i64>(),
        3
    );
}

#[test]
fn a_nested_request_with_an_unknown_first_byte_is_an_error() {
    for wire in ["GET k\r\n", "\r\n"] {
        let error = args_of(&mut nested(), wire.as_bytes()).unwrap_err();
        assert_eq!(
            (error.offset(), error.kind()),
            (0, DecodeErrorKind::UnknownType(wire.as_bytes()[0]))
        );
    }
}

#[test]
fn a_nested_request_may_be_as_deep_as_the_limit_and_no_deeper() {
    let limits = Limits {
        depth: 4,
        ..Limits::server()
    };
    for (depth, accepted) in [(4, true), (5, false)] {
        let wire = "*1\r\n".repeat(depth) + ":1\r\n";
        let outcome = args_of(
            &mut RequestDecoder::new(limits).nested(true),
            wire.as_bytes(),
        );
        assert_eq!(outcome.is_ok(), accepted, "depth {depth}: {outcome:?}");
    }
}
