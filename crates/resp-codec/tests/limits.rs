//! Every limit of a frame: what just fits, and the error of what does not, whole and byte by byte.

use resp_codec::{DecodeError, DecodeErrorKind as Kind, FrameDecoder, Limits};

/// Whether the first frame of `wire` is whole, or its error; the same in one piece and byte by byte.
fn decode(limits: Limits, wire: &str) -> Result<bool, DecodeError> {
    let mut decoder = FrameDecoder::new(limits);
    let whole = decoder.decode(wire.as_bytes()).map(|frame| frame.is_some());
    let mut decoder = FrameDecoder::new(limits);
    let ends = 1..=wire.len();
    let mut bytewise = ends.map(|end| {
        decoder
            .decode(&wire.as_bytes()[..end])
            .map(|frame| frame.is_some())
    });
    let last = bytewise
        .find(|outcome| *outcome != Ok(false))
        .unwrap_or(Ok(false));
    assert_eq!(whole, last, "{wire:?}");
    whole
}

fn check(limits: Limits, fits: &str, exceeds: &str, offset: usize, kind: Kind) {
    assert_eq!(decode(limits, fits), Ok(true), "{fits:?}");
    let error = decode(limits, exceeds).expect_err(exceeds);
    assert_eq!(
        (error.offset(), error.kind()),
        (offset, kind),
        "{exceeds:?}"
    );
}

#[test]
fn depth_counts_every_open_aggregate() {
    let limits = Limits {
        depth: 2,
        ..Limits::client()
    };
    let kind = Kind::DepthLimit { limit: 2 };
    check(limits, "*1\r\n*1\r\n:1\r\n", "*1\r\n*1\r\n*1\r\n", 8, kind);
    check(
        limits,
        "*1\r\n%1\r\n:1\r\n:2\r\n",
        "*1\r\n%1\r\n*0\r\n",
        8,
        kind,
    );
    check(
        limits,
        "*?\r\n$?\r\n;0\r\n.\r\n",
        "*?\r\n*?\r\n$?\r\n",
        8,
        kind,
    );
    check(limits, "|0\r\n|0\r\n:1\r\n", "|0\r\n|0\r\n|0\r\n", 8, kind);
}

#[test]
fn depth_ends_at_a_level_that_the_stack_can_bear_whatever_the_limit() {
    let limits = Limits {
        depth: usize::MAX,
        ..Limits::client()
    };
    let nested = |levels| "*1\r\n".repeat(levels) + ":1\r\n";
    let kind = Kind::DepthLimit {
        limit: Limits::MAX_DEPTH,
    };
    check(
        limits,
        &nested(Limits::MAX_DEPTH),
        &nested(Limits::MAX_DEPTH + 1),
        4 * Limits::MAX_DEPTH,
        kind,
    );
    // And a frame of that depth is built, compared, written and dropped on the stack of a test thread.
    let wire = nested(Limits::MAX_DEPTH);
    let frame = FrameDecoder::new(limits)
        .decode(wire.as_bytes())
        .unwrap()
        .unwrap()
        .to_frame();
    let mut out = bytes::BytesMut::new();
    frame.write(&mut out, resp_codec::Version::Resp2);
    assert_eq!((out, &frame), (wire.as_str().into(), &frame.clone()));
}

#[test]
fn elements_count_for_each_aggregate_and_twice_for_a_pair() {
    let limits = Limits {
        elements: 4,
        ..Limits::client()
    };
    let kind = |count| Kind::ElementsLimit { count, limit: 4 };
    check(
        limits,
        "*4\r\n:1\r\n:1\r\n:1\r\n*1\r\n:1\r\n",
        "*5\r\n",
        0,
        kind(5),
    );
    check(
        limits,
        "%2\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        "%3\r\n",
        0,
        kind(6),
    );
    check(
        limits,
        "|2\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        "|3\r\n",
        0,
        kind(6),
    );
    let streamed = |kind: char, count| format!("{kind}?\r\n{}.\r\n", ":1\r\n".repeat(count));
    check(limits, &streamed('*', 4), &streamed('*', 5), 0, kind(5));
    check(limits, &streamed('%', 4), &streamed('%', 6), 0, kind(5));
}

#[test]
fn bulk_bytes_bound_every_string_with_a_length() {
    let limits = Limits {
        bulk_bytes: 5,
        ..Limits::client()
    };
    let kind = Kind::BulkLimit { len: 6, limit: 5 };
    check(limits, "$5\r\nhello\r\n", "$6\r\n", 0, kind);
    check(limits, "!5\r\nhello\r\n", "!6\r\n", 0, kind);
    check(limits, "=5\r\ntxt:a\r\n", "=6\r\n", 0, kind);
    check(limits, "*1\r\n$5\r\nhello\r\n", "*1\r\n$6\r\n", 4, kind);
    check(
        limits,
        "$?\r\n;3\r\nhel\r\n;2\r\nlo\r\n;0\r\n",
        "$?\r\n;3\r\nhel\r\n;3\r\n",
        13,
        kind,
    );
}

#[test]
fn a_line_is_bounded_with_its_type_byte_and_always_has_room_for_a_number() {
    let limits = Limits {
        inline_bytes: 40,
        ..Limits::client()
    };
    let line = |kind: char, len| format!("{kind}{}\r\n", "1".repeat(len));
    for kind in ['+', '-', '('] {
        check(
            limits,
            &line(kind, 39),
            &line(kind, 40),
            0,
            Kind::LineLimit { limit: 40 },
        );
        assert_eq!(
            decode(limits, &line(kind, 39)[..40]),
            Ok(false),
            "not too long yet"
        );
    }
    let none = Limits {
        inline_bytes: 0,
        ..Limits::client()
    };
    check(
        none,
        ":-9223372036854775808\r\n",
        &line('+', 32),
        0,
        Kind::LineLimit { limit: 32 },
    );
    check(
        none,
        "*1\r\n+OK\r\n",
        &line('$', 32),
        0,
        Kind::LineLimit { limit: 32 },
    );
}

#[test]
fn frame_bytes_bound_the_whole_frame() {
    let limits = Limits {
        frame_bytes: 14,
        ..Limits::client()
    };
    let kind = Kind::FrameLimit { limit: 14 };
    check(limits, "$8\r\n12345678\r\n", "$9\r\n", 0, kind);
    check(
        limits,
        "*2\r\n:1\r\n:22\r\n+",
        "*2\r\n:1\r\n:4444\r\n",
        8,
        kind,
    );
    check(limits, "+12345678901\r\n", "+123456789012\r\n", 0, kind);
}

#[test]
fn a_limit_may_change_while_a_frame_arrives() {
    let mut decoder = FrameDecoder::new(Limits::client());
    assert!(decoder.decode(b"*2\r\n$3\r\nabc\r\n").unwrap().is_none());
    decoder.set_limits(Limits {
        bulk_bytes: 2,
        ..Limits::client()
    });
    let error = decoder.decode(b"*2\r\n$3\r\nabc\r\n$3\r\n").unwrap_err();
    assert_eq!(
        (error.offset(), error.kind()),
        (13, Kind::BulkLimit { len: 3, limit: 2 })
    );
}
