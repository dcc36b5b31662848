//! The bytes on the wire, as hex.

use bytes::{Bytes, BytesMut};
use framed_echo::control::{Code, FromClient, FromServer, MessageId, Outcome, Refusal, Welcome};
use framed_echo::{
    ClientCodec, Codec, Error, Frame, Header, Item, Kind, Limits, Reply, Request, RequestCodec,
    ServerCodec,
};
use std::time::Duration;
use tokio_util::codec::{Decoder, Encoder};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> BytesMut {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |pair: &[char]| {
        u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex digits")
    };
    digits.chunks(2).map(byte).collect()
}

fn encoded<H: Header>(frame: Frame<H>) -> String {
    let mut out = BytesMut::new();
    Codec::<H>::new()
        .encode(frame, &mut out)
        .expect("within the limits");
    hex(&out)
}

/// Every item up to the end of `bytes`, which must be the end of a frame.
fn items(codec: &mut RequestCodec, bytes: &mut BytesMut) -> Vec<Item<framed_echo::RequestHeader>> {
    std::iter::from_fn(|| codec.decode_eof(bytes).expect("whole frames")).collect()
}

#[test]
fn requests_have_the_bytes_of_the_tutorial() {
    let vectors = [
        (
            Request::text(10_000_000, 10_000_001, "hello"),
            "00989680 00989681 01 00000005 68656c6c6f",
        ),
        (
            Request::text(0, u32::MAX, ""),
            "00000000 ffffffff 01 00000000",
        ),
        (
            Request::text(1, 2, "你好,世界"),
            "00000001 00000002 01 0000000d e4bda0e5a5bd2ce4b896e7958c",
        ),
        (
            Request::text(1, 2, "👋🏽"),
            "00000001 00000002 01 00000008 f09f918bf09f8fbd",
        ),
        (
            Request::new(1, 2, Kind::PICTURE, &b"\x89PNG\r\n"[..]),
            "00000001 00000002 02 00000006 89504e470d0a",
        ),
        (
            Request::new(1, 2, Kind::VOICE, "v"),
            "00000001 00000002 03 00000001 76",
        ),
        (
            Request::new(1, 2, Kind::VIDEO, "v"),
            "00000001 00000002 04 00000001 76",
        ),
        (
            Request::new(1, 2, Kind(0x7f), "?"),
            "00000001 00000002 7f 00000001 3f",
        ),
    ];
    for (request, wire) in vectors {
        assert_eq!(encoded(request.clone()), hex(&unhex(wire)), "{request:?}");
        let decoded = RequestCodec::new().decode(&mut unhex(wire)).expect("valid");
        assert_eq!(decoded, Some(Item::Frame(request)));
    }
}

#[test]
fn replies_have_the_bytes_of_the_tutorial() {
    let vectors = [
        (
            Reply::text(10_000_000, "hello"),
            "00989680 01 00000005 68656c6c6f",
        ),
        (Reply::text(7, "你好"), "00000007 01 00000006 e4bda0e5a5bd"),
        (Reply::new(7, Kind::VIDEO, ""), "00000007 04 00000000"),
        (Reply::new(7, Kind(255), "x"), "00000007 ff 00000001 78"),
    ];
    for (reply, wire) in vectors {
        assert_eq!(encoded(reply.clone()), hex(&unhex(wire)), "{reply:?}");
        let decoded = ClientCodec::new().decode(&mut unhex(wire)).expect("valid");
        assert_eq!(decoded, Some(Item::Frame(reply)));
    }
}

#[test]
fn control_frames_of_a_client_have_the_documented_layout() {
    let id = MessageId::new(0x0102);
    let vectors = [
        (FromClient::Hello { version: 1 }, "80 00000001 01"),
        (
            FromClient::Message {
                id,
                re: None,
                kind: Kind::TEXT,
                body: Bytes::from("hi"),
            },
            "81 00000013 0000000000000102 0000000000000000 01 6869",
        ),
        (FromClient::Ack { tag: 9 }, "82 00000008 0000000000000009"),
        (FromClient::Ping(Bytes::from("p")), "83 00000001 70"),
        (FromClient::Pong(Bytes::from("p")), "84 00000001 70"),
        (
            FromClient::Start {
                id: 3,
                re: id,
                kind: Kind::VIDEO,
                len: 500_000_000,
            },
            "86 00000015 0000000000000003 0000000000000102 04 1dcd6500",
        ),
        (
            FromClient::Chunk {
                id: 3,
                bytes: Bytes::from("abc"),
            },
            "87 0000000b 0000000000000003 616263",
        ),
        (FromClient::Abort { id: 3 }, "89 00000008 0000000000000003"),
    ];
    for (control, wire) in vectors {
        let request = control.clone().into_request(5, 6);
        assert_eq!(
            encoded(request.clone()),
            hex(&unhex(&format!("00000005 00000006 {wire}"))),
            "{control:?}"
        );
        assert_eq!(
            FromClient::decode(request.header.kind, request.body),
            Some(Ok(control))
        );
    }
}

#[test]
fn control_frames_of_a_server_have_the_documented_layout() {
    let id = MessageId::new(0x0102);
    let welcome = Welcome {
        version: 1,
        id: 0x11,
        heartbeat: Duration::from_secs(30),
        chunk_bytes: 0x1_0000,
        window_chunks: 4,
        limits: vec![(Kind::TEXT, 0x10_0000)],
    };
    let refusal = Refusal {
        code: Code::TooLong,
        id,
        text: "no".to_owned(),
    };
    let vectors = [
        (
            FromServer::Welcome(welcome),
            "80 00000016 01 00000011 00007530 00010000 00000004 01 00100000",
        ),
        (
            FromServer::Message {
                tag: 7,
                id,
                re: None,
                kind: Kind::TEXT,
                body: Bytes::from("hi"),
            },
            "81 0000001b 0000000000000007 0000000000000102 0000000000000000 01 6869",
        ),
        (
            FromServer::Ack {
                id: 2,
                outcome: Outcome::Delivered,
            },
            "82 00000009 0000000000000002 00",
        ),
        (
            FromServer::Ack {
                id: 2,
                outcome: Outcome::Kept,
            },
            "82 00000009 0000000000000002 01",
        ),
        (FromServer::Ping(Bytes::from("p")), "83 00000001 70"),
        (FromServer::Pong(Bytes::new()), "84 00000000"),
        // too-long 258 no
        (
            FromServer::Error(refusal),
            "85 0000000f 746f6f2d6c6f6e6720323538206e6f",
        ),
        (
            FromServer::Start {
                tag: 7,
                id,
                re: None,
                kind: Kind::VIDEO,
                len: 16,
            },
            "86 0000001d 0000000000000007 0000000000000102 0000000000000000 04 00000010",
        ),
        (
            FromServer::Chunk {
                tag: 7,
                bytes: Bytes::from("abc"),
            },
            "87 0000000b 0000000000000007 616263",
        ),
        (
            FromServer::Credit { id: 3, chunks: 2 },
            "88 0000000c 0000000000000003 00000002",
        ),
        (FromServer::Abort { tag: 7 }, "89 00000008 0000000000000007"),
        (FromServer::Goodbye, "8a 00000000"),
    ];
    for (control, wire) in vectors {
        let reply = control.clone().into_reply(5);
        assert_eq!(
            encoded(reply.clone()),
            hex(&unhex(&format!("00000005 {wire}"))),
            "{control:?}"
        );
        assert_eq!(
            FromServer::decode(reply.header.kind, reply.body),
            Some(Ok(control))
        );
    }
}

#[test]
fn a_control_frame_cut_short_is_malformed_and_never_a_panic() {
    let whole = FromServer::Start {
        tag: 1,
        id: None,
        re: None,
        kind: Kind::VIDEO,
        len: 9,
    }
    .into_reply(0);
    for at in 0..whole.body.len() {
        let cut = FromServer::decode(whole.header.kind, whole.body.slice(..at));
        assert!(matches!(cut, Some(Err(_))), "cut at byte {at}: {cut:?}");
    }
    let error = FromServer::decode(
        framed_echo::control::kind::ERROR,
        Bytes::from_static(b"\xff"),
    );
    assert_eq!(
        error
            .expect("a kind of the server")
            .expect_err("not text")
            .to_string(),
        "malformed error (133) frame with a body of 1 bytes"
    );
    assert_eq!(FromClient::decode(Kind(250), Bytes::new()), None);
}

#[test]
fn every_frame_cut_at_every_byte_decodes_alike() {
    let frames = [
        Request::text(10_000_000, 10_000_001, "你好,世界 👋🏽"),
        Request::new(1, 2, Kind::PICTURE, ""),
        Request::new(1, 2, Kind(200), vec![7; 50]),
    ];
    let mut wire = BytesMut::new();
    for frame in &frames {
        RequestCodec::new()
            .encode(frame.clone(), &mut wire)
            .expect("within the limits");
    }
    let expected: Vec<_> = frames.into_iter().map(Item::Frame).collect();

    for at in 0..=wire.len() {
        let mut codec = RequestCodec::new();
        let mut src = BytesMut::from(&wire[..at]);
        let mut seen = Vec::new();
        while let Some(item) = codec.decode(&mut src).expect("valid so far") {
            seen.push(item);
        }
        src.extend_from_slice(&wire[at..]);
        seen.extend(items(&mut codec, &mut src));
        assert_eq!(seen, expected, "cut at byte {at}");
    }
}

#[test]
fn the_end_of_the_stream_inside_a_frame_says_how_much_is_missing() {
    let whole = unhex("00000001 00000002 01 00000003 616263");
    for at in 1..whole.len() {
        let mut codec = ServerCodec::new();
        let mut src = BytesMut::from(&whole[..at]);
        let error = codec.decode_eof(&mut src).expect_err("cut short");
        let expected = if at < 13 {
            format!(
                "stream ended inside a header: {} of 13 bytes are missing",
                13 - at
            )
        } else {
            format!(
                "stream ended inside a body of kind text (1): {} of 3 bytes are missing",
                16 - at
            )
        };
        assert_eq!(error.to_string(), expected, "cut at byte {at}");
        assert!(codec.decode_eof(&mut src).expect("reported once").is_none());
    }
}

#[test]
fn the_end_of_the_stream_inside_a_skipped_or_chunked_body_is_an_error_too() {
    let mut skipping = ServerCodec::new().limits(Limits::same(2));
    let mut src = unhex("00000001 00000002 01 00000003 61");
    assert!(matches!(
        skipping.decode_eof(&mut src),
        Ok(Some(Item::TooLong { len: 3, max: 2, .. }))
    ));
    let end = skipping.decode_eof(&mut src);
    assert!(
        matches!(
            end,
            Err(Error::EndInBody {
                missing: 2,
                len: 3,
                ..
            })
        ),
        "{end:?}"
    );

    let mut chunked = ServerCodec::new().chunked(2);
    let mut src = unhex("00000001 00000002 01 00000003 61");
    assert!(matches!(
        chunked.decode_eof(&mut src),
        Ok(Some(Item::Start { len: 3, .. }))
    ));
    assert!(matches!(
        chunked.decode_eof(&mut src),
        Ok(Some(Item::Chunk { left: 2, .. }))
    ));
    let end = chunked.decode_eof(&mut src);
    assert!(
        matches!(
            end,
            Err(Error::EndInBody {
                missing: 2,
                len: 3,
                ..
            })
        ),
        "{end:?}"
    );
}

#[test]
fn a_body_over_the_limit_is_skipped_and_the_next_frame_is_read() {
    let mut codec = RequestCodec::new().limits(Limits::same(4));
    let mut src =
        unhex("00000001 00000002 02 00000005 6161616161  00000001 00000002 01 00000002 6f6b");
    let seen = items(&mut codec, &mut src);
    let too_long = Request::new(1, 2, Kind::PICTURE, "").header;
    assert_eq!(
        seen,
        [
            Item::TooLong {
                header: too_long,
                len: 5,
                max: 4
            },
            Item::Frame(Request::text(1, 2, "ok")),
        ]
    );
}

#[test]
fn nothing_is_reserved_for_a_length_of_four_gibibytes() {
    let mut codec = ServerCodec::new();
    let mut src = unhex("00000001 00000002 04 ffffffff");
    assert!(matches!(
        codec.decode(&mut src),
        Ok(Some(Item::TooLong { len: u32::MAX, .. }))
    ));

    // Allowed by the limits, and still: what has not been received takes no memory.
    let mut codec = ServerCodec::new().limits(Limits::same(u32::MAX));
    let mut src = unhex("00000001 00000002 04 ffffffff");
    assert!(matches!(codec.decode(&mut src), Ok(None)));
    assert!(src.capacity() < 100, "{} bytes reserved", src.capacity());
    assert!(!codec.is_between_frames());
}

#[test]
fn a_skipped_body_takes_no_memory() {
    let mut codec = RequestCodec::new().limits(Limits::same(10));
    let mut src = unhex("00000001 00000002 01 00100000");
    assert!(matches!(
        codec.decode(&mut src),
        Ok(Some(Item::TooLong { .. }))
    ));
    for _ in 0..1024 {
        src.extend_from_slice(&[0; 1024]);
        assert!(matches!(codec.decode(&mut src), Ok(None)));
        assert!(src.is_empty());
    }
    assert!(
        codec
            .decode_eof(&mut src)
            .expect("the frame is over")
            .is_none()
    );
}

#[test]
fn a_large_body_comes_in_chunks_of_bounded_size() {
    let mut codec = RequestCodec::new().chunked(4);
    let mut src = BytesMut::new();
    codec
        .encode(Request::new(1, 2, Kind::VIDEO, "0123456789"), &mut src)
        .expect("within the limits");
    codec
        .encode(Request::text(1, 2, "hi"), &mut src)
        .expect("within the limits");
    let chunk = |bytes: &'static str, left| Item::Chunk {
        bytes: Bytes::from(bytes),
        left,
    };
    let start = Item::Start {
        header: Request::new(1, 2, Kind::VIDEO, "").header,
        len: 10,
    };
    let expected = [
        start,
        chunk("0123", 6),
        chunk("4567", 2),
        chunk("89", 0),
        Item::Frame(Request::text(1, 2, "hi")),
    ];
    assert_eq!(items(&mut codec, &mut src), expected);
}

#[test]
fn a_frame_over_the_limit_is_not_sent() {
    let mut codec = ClientCodec::new().limits(Limits::default().with(Kind::TEXT, 4));
    let mut out = BytesMut::new();
    let error = codec
        .encode(Request::text(1, 2, "hello"), &mut out)
        .expect_err("too long");
    assert_eq!(
        error.to_string(),
        "body of 5 bytes exceeds the limit of 4 bytes for kind text (1)"
    );
    assert!(out.is_empty());
}

#[test]
fn text_is_checked_on_request_only() {
    let cut = Request::new(1, 2, Kind::TEXT, "你好".as_bytes()[..5].to_vec());
    assert!(cut.as_text().is_err());
    assert_eq!(Request::text(1, 2, "你好").as_text(), Ok("你好"));
}
