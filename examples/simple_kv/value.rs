//! How values are kept in the engine: text as it is, what nests as its frame behind a mark.

use std::borrow::Cow;

use bytes::BytesMut;
use kv_server::{Args, Context, ReplyError, Result};
use resp_codec::{Frame, write};

/// Stands before a frame; text that begins with it is kept as a frame too.
const MARK: u8 = 0;

/// The next argument, as it is kept.
pub fn take<'a>(args: &mut Args<'a>) -> Result<Cow<'a, [u8]>> {
    let is_frame = args.next_is_frame();
    let arg = args.next()?;
    let mut kept = BytesMut::new();
    if is_frame {
        kept.extend_from_slice(&[MARK]);
        kept.extend_from_slice(arg);
    } else if arg.first() == Some(&MARK) {
        kept.extend_from_slice(&[MARK]);
        write::bulk(&mut kept, arg);
    } else {
        return Ok(Cow::Borrowed(arg));
    }
    Ok(Cow::Owned(kept.to_vec()))
}

/// Runs a built-in command; its errors have no prefix here.
pub fn call<A: AsRef<[u8]>>(
    cx: &mut Context<'_>,
    command: impl IntoIterator<Item = A>,
) -> Result<Frame> {
    cx.call(command).map_err(|error| {
        let text = error.to_string();
        ReplyError::text(text.strip_prefix("ERR ").unwrap_or(&text).to_owned())
    })
}

/// Replies with a value that was kept.
pub fn reply(cx: &mut Context<'_>, kept: &[u8]) {
    match kept.strip_prefix(&[MARK]) {
        Some(frame) => cx.reply().raw(frame),
        None => cx.reply().bulk(kept),
    }
}

/// Replies with what a built-in command replied, whose strings are kept values.
pub fn reply_all(cx: &mut Context<'_>, built_in: &Frame) {
    match built_in {
        Frame::BulkString(kept) => reply(cx, kept),
        Frame::Array(frames) => {
            cx.reply().array(frames.len());
            for frame in frames {
                reply_all(cx, frame);
            }
        }
        frame => cx.reply().frame(frame),
    }
}
