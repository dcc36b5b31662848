//! Resuming: bytes that a decoder has passed are spoilt behind its back, and it does not notice, because it never looks
//! at them again. One that started over would stumble over the first of them.

use resp_codec::{Arg, FrameDecoder, Limits, RequestDecoder};

/// The header at the cut may be looked at again; no header is longer than this.
const HEADER: usize = 32;

/// Feeds `wire` in pieces of `piece` bytes and spoils what lies further back than a header, but for the type byte of a
/// line; `decode` says when it is done.
fn feed(wire: &[u8], piece: usize, mut decode: impl FnMut(&mut [u8]) -> bool) {
    let mut buffer = wire.to_vec();
    let mut end = 0;
    while end < wire.len() {
        end = wire.len().min(end + piece);
        let done = decode(&mut buffer[..end]);
        assert_eq!(done, end == wire.len(), "at byte {end} of {}", wire.len());
        let from = usize::from(wire[0] == b'+');
        buffer[from..end.saturating_sub(HEADER).max(from)].fill(b'\n');
    }
}

#[test]
fn a_frame_decoder_never_looks_back() {
    let line = format!("+{}\r\n", "x".repeat(5000));
    let bulk = format!("$5000\r\n{}\r\n", "x".repeat(5000));
    let array = format!(
        "*500\r\n{}",
        "$3\r\nabc\r\n:-12345\r\n+OK\r\n_\r\n#t\r\n".repeat(100)
    );
    let nested = "*2\r\n$1\r\na\r\n".repeat(50) + ":1\r\n";
    let streamed = format!(
        "*?\r\n{}.\r\n",
        "$?\r\n;2\r\nab\r\n;0\r\n%?\r\n:1\r\n:2\r\n.\r\n".repeat(100)
    );
    for wire in [line, bulk, array, nested, streamed] {
        for piece in [1, 7, 100] {
            let mut decoder = FrameDecoder::new(Limits::client());
            feed(wire.as_bytes(), piece, |buffer| {
                match decoder.decode(buffer) {
                    Ok(frame) => frame
                        .map(|frame| assert_eq!(frame.frame_len(), wire.len()))
                        .is_some(),
                    Err(error) => panic!("{error} of {:?} in pieces of {piece}", &wire[..4]),
                }
            });
        }
    }
}

#[test]
fn a_request_decoder_never_looks_back() {
    let many = format!("*500\r\n{}", "$3\r\nabc\r\n".repeat(500));
    let long = format!("*2\r\n$3\r\nSET\r\n$5000\r\n{}\r\n", "x".repeat(5000));
    let nested = format!(
        "*201\r\n+SET\r\n{}",
        "$3\r\nabc\r\n%1\r\n:1\r\n:2\r\n".repeat(100)
    );
    for (wire, count, is_nested) in [(many, 500, false), (long, 2, false), (nested, 201, true)] {
        for piece in [1, 7, 100] {
            let mut decoder = RequestDecoder::new(Limits::server()).nested(is_nested);
            let mut args: Vec<Arg> = Vec::new();
            feed(wire.as_bytes(), piece, |buffer| {
                match decoder.decode(buffer, &mut args) {
                    Ok(used) => used.is_some(),
                    Err(error) => panic!("{error} of {:?} in pieces of {piece}", &wire[..4]),
                }
            });
            assert_eq!(args.len(), count);
        }
    }
}

#[test]
fn an_inline_command_is_searched_once_and_split_when_it_is_whole() {
    let wire = format!("{}\r\n", "SET k v ".repeat(500));
    let mut decoder = RequestDecoder::new(Limits::server());
    let mut args = Vec::new();
    for end in 1..wire.len() {
        // No byte before the last one is a line end by the time it could be seen a second time.
        let mut spoilt = vec![b'\n'; end - 1];
        spoilt.push(wire.as_bytes()[end - 1]);
        assert_eq!(
            decoder.decode(&mut spoilt, &mut args),
            Ok(None),
            "at byte {end}"
        );
    }
    let mut whole = wire.clone().into_bytes();
    assert_eq!(decoder.decode(&mut whole, &mut args), Ok(Some(wire.len())));
    assert_eq!(args.len(), 1500);
}
