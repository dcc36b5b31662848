//! Properties of any frame and of any bytes.

mod laws;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use resp_codec::{Frame, Limits, RequestDecoder, Version, number, write};

/// Any frame that RESP3 can carry. `Null` stands for both nulls, and `nan` is left out because it equals nothing.
fn frame() -> impl Strategy<Value = Frame> {
    let line = || {
        vec(
            any::<u8>().prop_filter("no line ends", |b| !matches!(b, b'\r' | b'\n')),
            0..20,
        )
        .prop_map(Bytes::from)
    };
    let data = || vec(any::<u8>(), 0..60).prop_map(Bytes::from);
    let leaf = prop_oneof![
        line().prop_map(Frame::SimpleString),
        line().prop_map(Frame::Error),
        any::<i64>().prop_map(Frame::Integer),
        data().prop_map(Frame::BulkString),
        Just(Frame::Null),
        any::<f64>()
            .prop_filter("nan equals nothing", |v| !v.is_nan())
            .prop_map(Frame::Double),
        any::<bool>().prop_map(Frame::Boolean),
        "[-+]?[0-9]{1,40}".prop_map(|digits| Frame::BigNumber(digits.into())),
        data().prop_map(Frame::BulkError),
        (any::<[u8; 3]>(), data()).prop_map(|(format, data)| Frame::Verbatim { format, data }),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let pairs = || vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Frame::Array),
            vec(inner.clone(), 0..6).prop_map(Frame::Set),
            vec(inner.clone(), 0..6).prop_map(Frame::Push),
            pairs().prop_map(Frame::Map),
            (pairs(), inner.clone()).prop_map(|(attributes, frame)| Frame::Attributed {
                attributes,
                frame: Box::new(frame)
            }),
        ]
    })
}

/// Bytes that look like the protocol often enough to get past the first line.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![4 => (0..6i64).prop_map(|n| n.to_string()), 1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => Just("?".to_owned()), 1 => Just("-1".to_owned())];
    let piece = prop_oneof![
        6 => ("[$*%~>|!=;:+(,#_.-]", length).prop_map(|(kind, n)| format!("{kind}{n}\r\n").into_bytes()),
        3 => (0..6usize).prop_map(|n| format!("${n}\r\n{}\r\n", "x".repeat(n)).into_bytes()),
        2 => Just(b"_\r\n".to_vec()),
        2 => Just(b".\r\n".to_vec()),
        2 => Just(b";0\r\n".to_vec()),
        1 => "[ -~]{0,12}\r?\n".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_frame_is_read_back_as_it_was_written(frame in frame()) {
        prop_assert_eq!(laws::read_whole(&laws::written(&frame, Version::Resp3)), frame);
    }

    #[test]
    fn any_frame_in_pieces_is_the_same_frame(frame in frame()) {
        let wire = laws::written(&frame, Version::Resp3);
        laws::decode(&wire);
        laws::round_trip(&wire);
    }

    #[test]
    fn a_frame_with_one_byte_changed_breaks_no_law(frame in frame(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut wire = laws::written(&frame, Version::Resp3);
        let at = at.index(wire.len());
        wire[at] = byte;
        laws::decode(&wire);
        laws::round_trip(&wire);
    }

    #[test]
    fn any_bytes_break_no_law(data in vec(any::<u8>(), 0..200)) {
        laws::decode(&data);
        laws::request(&data);
        laws::round_trip(&data);
    }

    #[test]
    fn any_soup_of_headers_breaks_no_law(data in soup()) {
        laws::decode(&data);
        laws::request(&data);
        laws::round_trip(&data);
    }

    #[test]
    fn any_request_is_read_back_as_it_was_written(requests in vec(vec(vec(any::<u8>(), 0..40), 0..6), 1..6)) {
        let mut wire = bytes::BytesMut::new();
        for args in &requests {
            write::request_header(&mut wire, args.len());
            args.iter().for_each(|arg| write::bulk(&mut wire, arg));
        }
        laws::request(&wire);
        let (mut decoder, mut places) = (RequestDecoder::new(Limits::server()), Vec::new());
        let mut rest = &mut wire[..];
        for args in &requests {
            let used = decoder.decode(rest, &mut places).unwrap().unwrap();
            let read: Vec<_> = places.drain(..).map(|arg| arg.of(rest).to_vec()).collect();
            prop_assert_eq!(&read, args);
            rest = &mut rest[used..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_words_quoted_for_an_inline_command_are_read_back(words in vec(vec(any::<u8>(), 0..12), 1..5)) {
        let mut wire = Vec::new();
        for word in &words {
            wire.extend(format!("\"{}\" ", word.iter().map(|b| format!("\\x{b:02x}")).collect::<String>()).bytes());
        }
        wire.extend(b"\r\n");
        let mut args = Vec::new();
        let used = RequestDecoder::new(Limits::server()).decode(&mut wire, &mut args).unwrap();
        prop_assert_eq!(used, Some(wire.len()));
        prop_assert_eq!(args.iter().map(|arg| arg.of(&wire).to_vec()).collect::<Vec<_>>(), words);
    }

    #[test]
    fn any_integer_is_printed_and_parsed_as_rust_does(value: i64) {
        let text = value.to_string();
        let mut buffer = [0; number::I64_LEN];
        prop_assert_eq!(number::format_i64(value, &mut buffer), text.as_bytes());
        prop_assert_eq!(number::parse_i64(text.as_bytes()), Some(value));
    }

    #[test]
    fn any_text_is_an_integer_only_in_its_canonical_form(text in "[-+]?[0-9]{0,21}") {
        let canonical = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
        prop_assert_eq!(number::parse_i64(text.as_bytes()), canonical);
    }

    #[test]
    fn any_double_is_printed_so_that_it_reads_back_the_same(value: f64) {
        let mut buffer = [0; number::F64_LEN];
        let text = number::format_f64(value, &mut buffer);
        prop_assert!(text.len() <= 25, "{:?}", std::str::from_utf8(text));
        let read = number::parse_f64(text);
        if value.is_nan() {
            prop_assert_eq!(text, b"nan");
        } else {
            prop_assert_eq!(read.map(f64::to_bits), Some(value.to_bits()));
        }
    }
}
