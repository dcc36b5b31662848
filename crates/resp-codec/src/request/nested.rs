//! Requests of any form, whose arguments may be frames.

use crate::{
    decode::FrameDecoder,
    error::DecodeError,
    tape::{Kind, narrow},
    view::FrameRef,
};

use super::Arg;

/// Decodes a request of any form.
pub(super) fn decode(
    frames: &mut FrameDecoder,
    buf: &[u8],
    args: &mut Vec<Arg>,
) -> Result<Option<usize>, DecodeError> {
    let Some(frame) = frames.decode(buf)? else {
        return Ok(None);
    };
    match (frame.kind(), frame.payload()) {
        (Kind::NullArray, _) => {}
        (Kind::Array, _) => args.extend(frame.children().map(argument)),
        (Kind::SimpleString | Kind::BulkString, Some(text)) => {
            let bytes = buf.get(text.clone()).unwrap_or_default();
            for word in bytes
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
            {
                // A word is a part of `bytes`, so the difference of their addresses is its offset.
                let ahead = word.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
                args.push(Arg::text(
                    narrow(text.start.saturating_add(ahead)),
                    narrow(word.len()),
                ));
            }
        }
        _ => args.push(argument(frame)),
    }
    Ok(Some(frame.frame_len()))
}

/// An element of a request: strings as their text, all others as their wire form.
fn argument(frame: FrameRef<'_>) -> Arg {
    let (range, text) = match (frame.kind(), frame.payload()) {
        (Kind::SimpleString | Kind::BulkString, Some(text)) => (text, true),
        _ => (frame.range(), false),
    };
    let (start, len) = (narrow(range.start), narrow(range.len()));
    if text {
        Arg::text(start, len)
    } else {
        Arg::frame(start, len)
    }
}
