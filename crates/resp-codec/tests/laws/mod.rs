//! Laws that hold for any bytes at all. Property tests, the corpus test and the fuzz targets check these same functions.

#![allow(dead_code)] // each of them uses a part

use bytes::BytesMut;
use resp_codec::{
    Arg, DecodeError, Frame, FrameDecoder, FrameRef, Limits, RequestDecoder, Version,
};

/// Limits that ordinary input stays under, and limits that it runs into.
const LIMITS: [Limits; 3] = [
    Limits::client(),
    Limits::server(),
    Limits {
        depth: 3,
        elements: 5,
        bulk_bytes: 20,
        inline_bytes: 40,
        frame_bytes: 100,
    },
];

/// A frame decodes the same however it is cut and whatever follows it, and its views agree with each other.
pub(crate) fn decode(data: &[u8]) {
    for limits in LIMITS {
        let whole = frame_of(limits, data, data.len());
        for piece in [1, 2, 7] {
            let cut = frame_of(limits, data, piece);
            assert_eq!(
                format!("{whole:?}"),
                format!("{cut:?}"),
                "in pieces of {piece} bytes"
            ); // nan equals nan here
        }
        if let Ok(Some((_, len))) = whole {
            let alone = frame_of(limits, &data[..len], len);
            assert_eq!(
                format!("{whole:?}"),
                format!("{alone:?}"),
                "without the bytes behind it"
            );
        }
        let mut decoder = FrameDecoder::new(limits);
        if let Ok(Some(view)) = decoder.decode(data) {
            check_view(view, view.frame_len());
            let mut buffer = BytesMut::from(data);
            let owned = FrameDecoder::new(limits).decode_owned(&mut buffer);
            let owned = owned.expect("decoded above").expect("whole above");
            assert_eq!(
                format!("{:?}", owned.to_frame()),
                format!("{:?}", view.to_frame())
            );
            assert_eq!(owned.as_wire().len() + buffer.len(), data.len());
        }
    }
}

/// The first frame of `data` and its length, when `piece` bytes arrive at a time.
fn frame_of(
    limits: Limits,
    data: &[u8],
    piece: usize,
) -> Result<Option<(Frame, usize)>, DecodeError> {
    let mut decoder = FrameDecoder::new(limits);
    let mut end = 0;
    loop {
        end = data.len().min(end + piece.max(1));
        match decoder.decode(&data[..end]) {
            Ok(None) if end < data.len() => assert!(decoder.missing() > 0, "nothing is missing"),
            Ok(None) => return Ok(None),
            Ok(Some(view)) => return Ok(Some((view.to_frame(), view.frame_len()))),
            Err(error) => {
                assert!(
                    error.offset() <= end,
                    "offset {} in {end} bytes",
                    error.offset()
                );
                return Err(error);
            }
        }
    }
}

fn check_view(view: FrameRef<'_>, room: usize) {
    assert!(view.frame_len() <= room && view.raw().len() <= view.frame_len());
    assert_eq!(view.children().count(), view.len());
    for child in view.children() {
        check_view(child, view.raw().len());
        // An element's wire form is a frame of its own.
        let mut decoder = FrameDecoder::new(Limits::client());
        let again = decoder
            .decode(child.raw())
            .expect("decoded before")
            .expect("whole before");
        assert_eq!(again.frame_len(), child.raw().len());
        assert_eq!(again.kind(), child.kind());
        assert_eq!(again.as_bytes(), child.as_bytes());
    }
    for (key, value) in view.attributes() {
        check_view(key, room);
        check_view(value, room);
    }
}

/// What was written is read back the same.
pub(crate) fn round_trip(data: &[u8]) {
    let mut decoder = FrameDecoder::new(Limits::client());
    let Ok(Some(view)) = decoder.decode(data) else {
        return;
    };
    let wire = written(&view.to_frame(), Version::Resp3);
    let again = read_whole(&wire);
    assert_eq!(written(&again, Version::Resp3), wire);
    assert_eq!(again.kind() == resp_codec::Kind::Null, view.is_null());

    // RESP2 has fewer types, so what comes back is another frame, but the same wire form for ever after.
    let wire = written(&view.to_frame(), Version::Resp2);
    let again = read_whole(&wire);
    assert_eq!(written(&again, Version::Resp2), wire);
}

pub(crate) fn written(frame: &Frame, version: Version) -> BytesMut {
    let mut out = BytesMut::new();
    frame.write(&mut out, version);
    out
}

pub(crate) fn read_whole(wire: &[u8]) -> Frame {
    let mut decoder = FrameDecoder::new(Limits::client());
    let view = decoder
        .decode(wire)
        .expect("what was written is well-formed")
        .expect("and whole");
    assert_eq!(view.frame_len(), wire.len());
    view.to_frame()
}

/// Requests decode the same however they are cut, and arguments lie inside their request.
pub(crate) fn request(data: &[u8]) {
    for limits in LIMITS {
        for nested in [false, true] {
            let whole = requests_of(limits, nested, data, data.len());
            for piece in [1, 2, 7] {
                assert_eq!(
                    whole,
                    requests_of(limits, nested, data, piece),
                    "in pieces of {piece} bytes"
                );
            }
        }
    }
}

type Requests = (Vec<Vec<(Vec<u8>, bool)>>, Option<DecodeError>);

/// All requests of `data`, when `piece` bytes arrive at a time, and the error that ended them.
fn requests_of(limits: Limits, nested: bool, data: &[u8], piece: usize) -> Requests {
    let mut decoder = RequestDecoder::new(limits).nested(nested);
    let mut buffer = data.to_vec();
    let (mut start, mut end) = (0, 0);
    let mut requests = Vec::new();
    let marker = Arg::default();
    let mut args = vec![marker];
    loop {
        match decoder.decode(&mut buffer[start..end], &mut args) {
            Ok(Some(used)) => {
                assert!(
                    used > 0 && used <= end - start,
                    "{used} bytes of {}",
                    end - start
                );
                let request = &buffer[start..start + used];
                requests.push(
                    args.drain(1..)
                        .map(|arg| (arg.of(request).to_vec(), arg.is_frame()))
                        .collect(),
                );
                start += used;
            }
            Ok(None) => {
                assert_eq!(args, [marker], "arguments of a request that is not whole");
                assert!(decoder.missing() > 0, "nothing is missing");
                if end == data.len() {
                    return (requests, None);
                }
                end = data.len().min(end + piece.max(1));
            }
            Err(error) => {
                assert_eq!(args, [marker], "arguments of a request that is an error");
                return (requests, Some(error));
            }
        }
    }
}
