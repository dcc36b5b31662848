//! From the tape to a `Frame`, without recursion.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    decode::integer,
    error::Error,
    frame::Frame,
    tape::{Entry, Kind, Tag, widen},
};

/// Builds the value of a tape that describes one frame in `buf`; `bytes` yields its strings.
pub(crate) fn frame(buf: &[u8], tape: &[Entry], bytes: impl Fn(Range<usize>) -> Bytes) -> Frame {
    if let Some(elements) = plain_array(tape) {
        let mut values = Vec::with_capacity(elements.len());
        push_plain(&mut values, buf, elements, &bytes);
        return Frame::Array(values);
    }
    // The innermost aggregate stands apart from those around it, so that an array of plain values needs no stack.
    let (mut inner, mut outer): (Option<Open>, Vec<Open>) = (None, Vec::new());
    for entry in tape {
        let mut value = match entry.tag {
            Tag::End => continue, // the number of elements has closed the aggregate already
            Tag::Plain(Kind::Array | Kind::Map | Kind::Set | Kind::Push)
            | Tag::Attribute
            | Tag::Streamed => {
                let started = Open::new(entry);
                if started.left > 0 {
                    outer.extend(inner.replace(started));
                    continue;
                }
                started.finish()
            }
            Tag::Plain(kind) => scalar(buf, entry, kind, &bytes),
        };
        loop {
            let Some(open) = &mut inner else {
                return value;
            };
            open.add(value);
            if open.left > 0 {
                break;
            }
            let Some(full) = std::mem::replace(&mut inner, outer.pop()) else {
                return Frame::Null; // not reached: it was there above
            };
            value = full.finish();
        }
    }
    Frame::Null // not reached: a tape describes one whole frame
}

/// The elements of an array, if there are as many entries as elements: none of them has elements of its own.
fn plain_array(tape: &[Entry]) -> Option<&[Entry]> {
    match tape {
        [array, elements @ ..]
            if array.tag == Tag::Plain(Kind::Array) && elements.len() == widen(array.len) =>
        {
            Some(elements)
        }
        _ => None,
    }
}

/// The elements of an array of plain values, in `wire`.
fn elements_of(mut wire: Bytes, tape: &[Entry]) -> Vec<Frame> {
    let Some((last, others)) = tape.split_last() else {
        return Vec::new();
    };
    let mut elements = Vec::with_capacity(tape.len());
    push_plain(&mut elements, &wire, others, &|range| wire.slice(range));
    if last.tag == Tag::Plain(Kind::BulkString) && last.len > 0 {
        // It takes over the reference that is here already, because counting them is what costs most.
        wire.advance(widen(last.start));
        wire.truncate(widen(last.len));
        elements.push(Frame::BulkString(wire));
    } else {
        elements.push(leaf(&wire, last, &|range| wire.slice(range)));
    }
    elements
}

/// Appends values without elements of their own.
///
/// Each kind is pushed where it is made, because a value that goes through a variable is copied a second time.
fn push_plain(
    elements: &mut Vec<Frame>,
    buf: &[u8],
    tape: &[Entry],
    bytes: &impl Fn(Range<usize>) -> Bytes,
) {
    for entry in tape {
        match entry.tag {
            Tag::Plain(Kind::BulkString) => {
                elements.push(Frame::BulkString(bytes(entry.payload())));
            }
            Tag::Plain(Kind::Integer) => {
                elements.push(Frame::Integer(integer(buf, entry)));
            }
            _ => elements.push(leaf(buf, entry, bytes)),
        }
    }
}

/// Takes a frame of one plain value, `len` bytes long, from the front of `src`. Only a string needs to share the block.
///
/// The type is that of the codec, so that a value is made where the caller wants it: copying one costs more than making it.
#[inline]
pub(crate) fn single(
    src: &mut BytesMut,
    entry: &Entry,
    len: usize,
) -> Result<Option<Frame>, Error> {
    match entry.tag {
        Tag::Plain(Kind::BulkString) => {
            src.advance(widen(entry.start));
            let data = src.split_to(widen(entry.len));
            src.advance(2); // the line end, which the decoder has seen
            return Ok(Some(Frame::BulkString(data.freeze())));
        }
        Tag::Plain(Kind::Integer) => {
            let value = integer(src, entry);
            src.advance(len);
            return Ok(Some(Frame::Integer(value)));
        }
        Tag::Plain(Kind::SimpleString) if src.get(entry.payload()) == Some(b"OK") => {
            src.advance(len);
            return Ok(Some(Frame::SimpleString(Bytes::from_static(b"OK"))));
        }
        Tag::Plain(Kind::Null) => {
            src.advance(len);
            return Ok(Some(Frame::Null));
        }
        _ => {}
    }
    shared(src, std::slice::from_ref(entry), len)
}

/// Takes the frame that `tape` describes, `len` bytes long, from the front of `src`; its strings share the block.
#[inline(never)]
pub(crate) fn shared(
    src: &mut BytesMut,
    tape: &[Entry],
    len: usize,
) -> Result<Option<Frame>, Error> {
    let bytes = src.split_to(len).freeze();
    if let Some(elements) = plain_array(tape) {
        return Ok(Some(Frame::Array(elements_of(bytes, elements))));
    }
    Ok(Some(frame(&bytes, tape, |range| bytes.slice(range))))
}

/// An aggregate that is being filled.
struct Open {
    /// Elements to come. They are on the tape, so reserving for them is safe.
    left: usize,
    parts: Parts,
}

enum Parts {
    Array(Vec<Frame>),
    Set(Vec<Frame>),
    Push(Vec<Frame>),
    Map(Vec<(Frame, Frame)>, Option<Frame>),
    Attributed(Vec<(Frame, Frame)>, Option<Frame>),
    Text(BytesMut),
}

impl Open {
    fn new(entry: &Entry) -> Self {
        let left = widen(entry.len);
        let parts = match entry.tag {
            Tag::Plain(Kind::Map) => Parts::Map(Vec::with_capacity(left / 2), None),
            Tag::Plain(Kind::Set) => Parts::Set(Vec::with_capacity(left)),
            Tag::Plain(Kind::Push) => Parts::Push(Vec::with_capacity(left)),
            Tag::Plain(_) => Parts::Array(Vec::with_capacity(left)),
            Tag::Streamed | Tag::End => Parts::Text(BytesMut::new()),
            Tag::Attribute => {
                let described = left.saturating_add(1);
                return Self {
                    left: described,
                    parts: Parts::Attributed(Vec::with_capacity(left / 2), None),
                };
            }
        };
        Self { left, parts }
    }

    fn add(&mut self, value: Frame) {
        self.left = self.left.saturating_sub(1);
        match &mut self.parts {
            Parts::Array(elements) | Parts::Set(elements) | Parts::Push(elements) => {
                elements.push(value)
            }
            Parts::Map(pairs, key) | Parts::Attributed(pairs, key) => match key.take() {
                Some(key) => pairs.push((key, value)),
                None => *key = Some(value),
            },
            Parts::Text(text) => text.extend_from_slice(value.as_bytes().unwrap_or_default()),
        }
    }

    fn finish(self) -> Frame {
        match self.parts {
            Parts::Array(elements) => Frame::Array(elements),
            Parts::Set(elements) => Frame::Set(elements),
            Parts::Push(elements) => Frame::Push(elements),
            Parts::Map(pairs, _) => Frame::Map(pairs),
            // The last of an odd number of parts is the frame itself.
            Parts::Attributed(attributes, frame) => Frame::Attributed {
                attributes,
                frame: Box::new(frame.unwrap_or(Frame::Null)),
            },
            Parts::Text(text) => Frame::BulkString(text.freeze()),
        }
    }
}

/// A value without elements.
fn leaf(buf: &[u8], entry: &Entry, bytes: &impl Fn(Range<usize>) -> Bytes) -> Frame {
    match entry.tag {
        Tag::Plain(Kind::Array | Kind::Map | Kind::Set | Kind::Push)
        | Tag::Streamed
        | Tag::Attribute
        | Tag::End => Open::new(entry).finish(),
        Tag::Plain(kind) => scalar(buf, entry, kind, bytes),
    }
}

fn scalar(buf: &[u8], entry: &Entry, kind: Kind, bytes: &impl Fn(Range<usize>) -> Bytes) -> Frame {
    let text = || buf.get(entry.payload()).unwrap_or_default();
    let data = || bytes(entry.payload());
    // The decoder has checked every number.
    match kind {
        Kind::SimpleString => Frame::SimpleString(data()),
        Kind::Error => Frame::Error(data()),
        Kind::Integer => Frame::Integer(integer(buf, entry)),
        Kind::BulkString => Frame::BulkString(data()),
        Kind::Double => Frame::Double(
            std::str::from_utf8(text())
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
        ),
        Kind::Boolean => Frame::Boolean(text() == b"t"),
        Kind::BigNumber => Frame::BigNumber(data()),
        Kind::BulkError => Frame::BulkError(data()),
        Kind::Verbatim => {
            let start = entry.payload().start;
            let name = start.saturating_sub(4)..start.saturating_sub(1);
            let format = buf
                .get(name)
                .and_then(|name| name.try_into().ok())
                .unwrap_or(*b"txt");
            Frame::Verbatim {
                format,
                data: data(),
            }
        }
        Kind::NullArray => Frame::NullArray,
        Kind::Null | Kind::Array | Kind::Map | Kind::Set | Kind::Push => Frame::Null, // aggregates do not come here
    }
}
