//! The examples of the specification, both ways, and cut at every byte.

use bytes::BytesMut;
use resp_codec::{DecodeError, DecodeErrorKind, Frame, FrameDecoder, Limits, RespCodec, Version};
use tokio_util::codec::Decoder;

/// Wire forms that a RESP3 writer yields, with their values.
fn both_ways() -> Vec<(&'static str, Frame)> {
    let int = Frame::Integer;
    vec![
        ("+OK\r\n", Frame::simple("OK")),
        ("+\r\n", Frame::simple("")),
        (
            "-ERR unknown command 'asdf'\r\n",
            Frame::error("ERR unknown command 'asdf'"),
        ),
        (":0\r\n", int(0)),
        (":-1000\r\n", int(-1000)),
        (":9223372036854775807\r\n", int(i64::MAX)),
        (":-9223372036854775808\r\n", int(i64::MIN)),
        ("$5\r\nhello\r\n", Frame::bulk("hello")),
        ("$0\r\n\r\n", Frame::bulk("")),
        ("$7\r\na\r\nb\0c\n\r\n", Frame::bulk("a\r\nb\0c\n")),
        ("_\r\n", Frame::Null),
        ("*0\r\n", Frame::array([])),
        (
            "*2\r\n$5\r\nhello\r\n$5\r\nworld\r\n",
            Frame::array([Frame::bulk("hello"), Frame::bulk("world")]),
        ),
        (
            "*3\r\n:1\r\n:2\r\n:3\r\n",
            Frame::array([int(1), int(2), int(3)]),
        ),
        (
            "*2\r\n*3\r\n:1\r\n$5\r\nhello\r\n:2\r\n#f\r\n",
            Frame::array([
                Frame::array([int(1), Frame::bulk("hello"), int(2)]),
                Frame::Boolean(false),
            ]),
        ),
        (
            "*3\r\n*0\r\n_\r\n*1\r\n*0\r\n",
            Frame::array([
                Frame::array([]),
                Frame::Null,
                Frame::array([Frame::array([])]),
            ]),
        ),
        ("#t\r\n", Frame::Boolean(true)),
        ("#f\r\n", Frame::Boolean(false)),
        (",1.23\r\n", Frame::Double(1.23)),
        (",10\r\n", Frame::Double(10.0)),
        (",inf\r\n", Frame::Double(f64::INFINITY)),
        (",-inf\r\n", Frame::Double(f64::NEG_INFINITY)),
        (
            "(3492890328409238509324850943850943825024385\r\n",
            Frame::BigNumber("3492890328409238509324850943850943825024385".into()),
        ),
        ("(-12\r\n", Frame::BigNumber("-12".into())),
        (
            "!21\r\nSYNTAX invalid syntax\r\n",
            Frame::BulkError("SYNTAX invalid syntax".into()),
        ),
        (
            "=15\r\ntxt:Some string\r\n",
            Frame::Verbatim {
                format: *b"txt",
                data: "Some string".into(),
            },
        ),
        (
            "=4\r\nmkd:\r\n",
            Frame::Verbatim {
                format: *b"mkd",
                data: "".into(),
            },
        ),
        (
            "%2\r\n+first\r\n:1\r\n+second\r\n:2\r\n",
            Frame::Map(vec![
                (Frame::simple("first"), int(1)),
                (Frame::simple("second"), int(2)),
            ]),
        ),
        ("%0\r\n", Frame::Map(vec![])),
        (
            "~3\r\n+orange\r\n+apple\r\n#t\r\n",
            Frame::Set(vec![
                Frame::simple("orange"),
                Frame::simple("apple"),
                Frame::Boolean(true),
            ]),
        ),
        (
            ">3\r\n+message\r\n+somechannel\r\n+this is the message\r\n",
            Frame::Push(vec![
                Frame::simple("message"),
                Frame::simple("somechannel"),
                Frame::simple("this is the message"),
            ]),
        ),
        (
            "|1\r\n+key-popularity\r\n%2\r\n$1\r\na\r\n,0.1923\r\n$1\r\nb\r\n,0.0012\r\n*2\r\n:2039123\r\n:9543892\r\n",
            Frame::Attributed {
                attributes: vec![(
                    Frame::simple("key-popularity"),
                    Frame::Map(vec![
                        (Frame::bulk("a"), Frame::Double(0.1923)),
                        (Frame::bulk("b"), Frame::Double(0.0012)),
                    ]),
                )],
                frame: Box::new(Frame::array([int(2_039_123), int(9_543_892)])),
            },
        ),
        (
            "*3\r\n:1\r\n:2\r\n|1\r\n+ttl\r\n:3600\r\n:3\r\n",
            Frame::array([
                int(1),
                int(2),
                Frame::Attributed {
                    attributes: vec![(Frame::simple("ttl"), int(3600))],
                    frame: Box::new(int(3)),
                },
            ]),
        ),
    ]
}

/// Wire forms that are read and never written so.
fn read_only() -> Vec<(&'static str, Frame)> {
    let int = Frame::Integer;
    vec![
        ("$-1\r\n", Frame::Null),
        ("*-1\r\n", Frame::NullArray),
        (
            "*3\r\n$5\r\nhello\r\n$-1\r\n$5\r\nworld\r\n",
            Frame::array([Frame::bulk("hello"), Frame::Null, Frame::bulk("world")]),
        ),
        (":+7\r\n", int(7)),
        (",1.0E3\r\n", Frame::Double(1000.0)),
        (",+.5\r\n", Frame::Double(0.5)),
        (
            "$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;1\r\nd\r\n;0\r\n",
            Frame::bulk("Hello word"),
        ),
        ("$?\r\n;0\r\n", Frame::bulk("")),
        (
            "*?\r\n:1\r\n:2\r\n:3\r\n.\r\n",
            Frame::array([int(1), int(2), int(3)]),
        ),
        ("*?\r\n.\r\n", Frame::array([])),
        (
            "~?\r\n+a\r\n*?\r\n.\r\n.\r\n",
            Frame::Set(vec![Frame::simple("a"), Frame::array([])]),
        ),
        (
            "%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n",
            Frame::Map(vec![
                (Frame::simple("a"), int(1)),
                (Frame::simple("b"), int(2)),
            ]),
        ),
        (
            "*2\r\n*?\r\n$?\r\n;1\r\nx\r\n;0\r\n.\r\n:5\r\n",
            Frame::array([Frame::array([Frame::bulk("x")]), int(5)]),
        ),
        (
            "|0\r\n|0\r\n:1\r\n",
            Frame::Attributed {
                attributes: vec![],
                frame: Box::new(Frame::Attributed {
                    attributes: vec![],
                    frame: Box::new(int(1)),
                }),
            },
        ),
    ]
}

fn all() -> Vec<(&'static str, Frame)> {
    both_ways().into_iter().chain(read_only()).collect()
}

fn wire(frame: &Frame, version: Version) -> BytesMut {
    let mut out = BytesMut::new();
    frame.write(&mut out, version);
    out
}

#[test]
fn every_vector_is_read_as_its_value() {
    for (text, frame) in all() {
        let mut decoder = FrameDecoder::new(Limits::client());
        let view = decoder.decode(text.as_bytes()).unwrap().expect(text);
        assert_eq!(view.to_frame(), frame, "{text:?}");
        assert_eq!(view.frame_len(), text.len(), "{text:?}");
    }
}

#[test]
fn every_vector_is_written_as_its_wire_form() {
    for (text, frame) in both_ways() {
        assert_eq!(wire(&frame, Version::Resp3), text, "{frame:?}");
    }
}

#[test]
fn every_vector_cut_at_any_byte_is_the_same_frame() {
    for (text, frame) in all() {
        let wire = text.as_bytes();
        for cut in 0..wire.len() {
            let mut decoder = FrameDecoder::new(Limits::client());
            assert!(
                decoder.decode(&wire[..cut]).unwrap().is_none(),
                "{text:?} is whole at byte {cut}"
            );
            let missing = decoder.missing();
            assert!(
                (1..=wire.len() - cut).contains(&missing),
                "{text:?} at byte {cut}: {missing} bytes missing"
            );
            let view = decoder.decode(wire).unwrap().expect(text);
            assert_eq!(view.to_frame(), frame, "{text:?} cut at byte {cut}");
        }
    }
}

#[test]
fn every_vector_byte_by_byte_is_the_same_frame() {
    for (text, frame) in all() {
        let mut decoder = FrameDecoder::new(Limits::client());
        let wire = text.as_bytes();
        for end in 0..wire.len() {
            assert!(
                decoder.decode(&wire[..end]).unwrap().is_none(),
                "{text:?} is whole at byte {end}"
            );
        }
        assert_eq!(
            decoder.decode(wire).unwrap().expect(text).to_frame(),
            frame,
            "{text:?}"
        );
    }
}

#[test]
fn all_vectors_in_one_buffer_are_taken_one_after_the_other() {
    let mut buffer = BytesMut::new();
    for (text, _) in all() {
        buffer.extend_from_slice(text.as_bytes());
    }
    let (mut codec, mut owned, mut views) = (
        RespCodec::new(Version::Resp3),
        buffer.clone(),
        &buffer.clone()[..],
    );
    let mut frames = FrameDecoder::new(Limits::client());
    let mut decoder = FrameDecoder::new(Limits::client());
    for (text, frame) in all() {
        assert_eq!(
            codec.decode(&mut buffer).unwrap(),
            Some(frame.clone()),
            "{text:?}"
        );
        let reply = frames.decode_owned(&mut owned).unwrap().expect(text);
        assert_eq!(reply.to_frame(), frame, "{text:?}");
        assert_eq!(reply.as_wire(), text.as_bytes());
        let view = decoder.decode(views).unwrap().expect(text);
        assert_eq!(view.to_frame(), frame, "{text:?}");
        views = &views[view.frame_len()..];
    }
    assert!(buffer.is_empty() && owned.is_empty() && views.is_empty());
}

#[test]
fn only_what_stands_in_a_frame_is_taken_out_of_it() {
    // Copied, and sharing its block.
    for len in [5, 100] {
        let text = format!("*2\r\n+OK\r\n${len}\r\n{}\r\n", "x".repeat(len));
        let mut buffer = BytesMut::from(&*format!("{text}{text}"));
        let mut decoder = FrameDecoder::new(Limits::client());
        let first = decoder.decode_owned(&mut buffer).unwrap().expect(&text);
        let second = decoder.decode_owned(&mut buffer).unwrap().expect(&text);
        for (frame, other) in [(&first, &second), (&second, &first)] {
            let string = frame.view().children().last().expect("two elements");
            let bytes = string.as_bytes().expect("a string");
            assert_eq!(frame.slice(string).as_deref(), Some(bytes));
            assert_eq!(frame.slice_ref(&bytes[1..3]).as_deref(), Some(&b"xx"[..]));
            assert_eq!(frame.slice(frame.view()), None, "an array has no bytes");
            assert_eq!(other.slice(string), None, "a part of another frame");
            assert_eq!(frame.slice_ref(&other.as_wire()[..1]), None);
            assert_eq!(frame.slice_ref(b"elsewhere"), None);
            let wire = frame.as_wire();
            assert_eq!(frame.slice_ref(wire).as_deref(), Some(wire));
        }
    }
}

#[test]
fn an_integer_has_its_value_whatever_the_number_of_its_digits() {
    let mut values = vec![0, 7, i64::MAX, i64::MIN];
    for digits in 1..=18 {
        let power = 10i64.pow(digits);
        values.extend([power - 1, power, power + 23, 1 - power, -power]);
    }
    for value in values {
        for text in [format!(":{value}\r\n"), format!(":{value}\r\n+OK\r\n")] {
            let mut decoder = FrameDecoder::new(Limits::client());
            let frame = decoder.decode(text.as_bytes()).unwrap().expect(&text);
            assert_eq!(frame.as_i64(), Some(value), "{text:?}");
            assert_eq!(frame.to_frame(), Frame::Integer(value), "{text:?}");
            let mut array = BytesMut::from(&*format!("*1\r\n{text}"));
            let frame = RespCodec::default().decode(&mut array).unwrap();
            assert_eq!(
                frame,
                Some(Frame::Array(vec![Frame::Integer(value)])),
                "{text:?}"
            );
        }
    }
}

#[test]
fn resp2_gets_the_forms_that_redis_falls_back_to() {
    let int = Frame::Integer;
    for (frame, text) in [
        (Frame::Null, "$-1\r\n"),
        (Frame::NullArray, "*-1\r\n"),
        (Frame::Boolean(true), ":1\r\n"),
        (Frame::Boolean(false), ":0\r\n"),
        (Frame::Double(1.5), "$3\r\n1.5\r\n"),
        (Frame::Double(f64::NEG_INFINITY), "$4\r\n-inf\r\n"),
        (Frame::BigNumber("123".into()), "$3\r\n123\r\n"),
        (Frame::BulkError("ERR a\r\nb".into()), "-ERR a  b\r\n"),
        (
            Frame::Verbatim {
                format: *b"txt",
                data: "hi".into(),
            },
            "$2\r\nhi\r\n",
        ),
        (Frame::Map(vec![(int(1), int(2))]), "*2\r\n:1\r\n:2\r\n"),
        (Frame::Set(vec![int(1)]), "*1\r\n:1\r\n"),
        (Frame::Push(vec![int(1)]), "*1\r\n:1\r\n"),
        (
            Frame::Attributed {
                attributes: vec![(int(1), int(2))],
                frame: Box::new(int(3)),
            },
            ":3\r\n",
        ),
    ] {
        assert_eq!(wire(&frame, Version::Resp2), text, "{frame:?}");
    }
}

#[test]
fn line_ends_in_a_simple_string_or_error_cannot_forge_a_reply() {
    assert_eq!(
        wire(&Frame::simple("a\r\n+b"), Version::Resp3),
        "+a  +b\r\n"
    );
    assert_eq!(
        wire(&Frame::error("ERR '\n'"), Version::Resp2),
        "-ERR ' '\r\n"
    );
}

/// Bad bytes, and where and why they are refused.
fn faults() -> Vec<(&'static str, usize, DecodeErrorKind)> {
    use DecodeErrorKind::*;
    vec![
        ("x\r\n", 0, UnknownType(b'x')),
        ("*1\r\n?1\r\n", 4, UnknownType(b'?')),
        (":\r\n", 0, InvalidInteger),
        (":1a\r\n", 0, InvalidInteger),
        (":01\r\n", 0, InvalidInteger),
        (":+-1\r\n", 0, InvalidInteger),
        (":9223372036854775808\r\n", 0, InvalidInteger),
        (":-9223372036854775809\r\n", 0, InvalidInteger),
        ("*2\r\n:1\r\n:-\r\n", 8, InvalidInteger),
        ("$-2\r\n", 0, InvalidLength),
        ("$05\r\nhello\r\n", 0, InvalidLength),
        ("$+5\r\nhello\r\n", 0, InvalidLength),
        ("$\r\n", 0, InvalidLength),
        ("$99999999999999999999\r\n", 0, InvalidLength),
        (
            "$536870913\r\n",
            0,
            BulkLimit {
                len: 536_870_913,
                limit: 536_870_912,
            },
        ),
        (
            "$9223372036854775807\r\n",
            0,
            BulkLimit {
                len: i64::MAX as u64,
                limit: 536_870_912,
            },
        ),
        ("$5\r\nhello\r ", 0, MissingCrlf),
        ("$5\r\nhelloXX", 0, MissingCrlf),
        ("+OK\n", 0, MissingCrlf),
        ("+OK\rX", 0, MissingCrlf),
        ("*-2\r\n", 0, InvalidLength),
        (
            "*2147483648\r\n",
            0,
            ElementsLimit {
                count: 2_147_483_648,
                limit: 2_147_483_647,
            },
        ),
        (
            "%1073741824\r\n",
            0,
            ElementsLimit {
                count: 2_147_483_648,
                limit: 2_147_483_647,
            },
        ),
        ("%-1\r\n", 0, InvalidLength),
        ("~-1\r\n", 0, InvalidLength),
        (">?\r\n", 0, InvalidLength),
        ("|?\r\n", 0, InvalidLength),
        ("=-1\r\n", 0, InvalidLength),
        ("=3\r\n", 0, InvalidVerbatim),
        ("=5\r\ntxt.a\r\n", 0, InvalidVerbatim),
        ("!-1\r\n", 0, InvalidLength),
        ("#x\r\n", 0, InvalidBoolean),
        ("#tt\r\n", 0, InvalidBoolean),
        (",\r\n", 0, InvalidDouble),
        (",1.2.3\r\n", 0, InvalidDouble),
        (", 1\r\n", 0, InvalidDouble),
        ("(\r\n", 0, InvalidBigNumber),
        ("(1.5\r\n", 0, InvalidBigNumber),
        ("_x\r\n", 0, InvalidNull),
        (".\r\n", 0, UnexpectedEnd),
        ("*1\r\n.\r\n", 4, UnexpectedEnd),
        ("%?\r\n+a\r\n.\r\n", 8, UnexpectedEnd),
        ("*?\r\n.x\r\n", 4, UnexpectedEnd),
        ("*?\r\n|0\r\n.\r\n", 8, UnexpectedEnd),
        ("$?\r\n+a\r\n", 4, ExpectedChunk { got: b'+' }),
        ("$?\r\n;-1\r\n", 4, InvalidLength),
        (";1\r\na\r\n", 0, UnknownType(b';')),
    ]
}

fn error_of(decoder: &mut FrameDecoder, bytes: &[u8]) -> Option<DecodeError> {
    decoder.decode(bytes).err()
}

#[test]
fn every_fault_is_a_typed_error_with_its_offset() {
    for (text, offset, kind) in faults() {
        let mut decoder = FrameDecoder::new(Limits::client());
        let error = error_of(&mut decoder, text.as_bytes())
            .unwrap_or_else(|| panic!("{text:?} was accepted"));
        assert_eq!((error.offset(), error.kind()), (offset, kind), "{text:?}");
        assert_eq!(
            error_of(&mut decoder, b"+OK\r\n"),
            Some(error),
            "{text:?}: the error is final"
        );
    }
}

#[test]
fn every_fault_cut_at_any_byte_is_the_same_error() {
    for (text, offset, kind) in faults() {
        let wire = text.as_bytes();
        for cut in 0..wire.len() {
            let mut decoder = FrameDecoder::new(Limits::client());
            let error =
                error_of(&mut decoder, &wire[..cut]).or_else(|| error_of(&mut decoder, wire));
            let error = error.unwrap_or_else(|| panic!("{text:?} cut at {cut} was accepted"));
            assert_eq!(
                (error.offset(), error.kind()),
                (offset, kind),
                "{text:?} cut at byte {cut}"
            );
        }
    }
}
