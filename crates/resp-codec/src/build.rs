//! From the tape to a `Frame`, without recursion.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    decode::integer_value,
    frame::Frame,
    tape::{Entry, Kind, Tag, widen},
};

/// Builds the value of a tape that describes one frame in `buf`; `bytes` yields its strings.
pub(crate) fn frame(buf: &[u8], tape: &[Entry], bytes: impl Fn(Range<usize>) -> Bytes) -> Frame {
    if let [array, elements @ ..] = tape {
        // As many entries as elements: none of them has elements of its own.
        if array.tag == Tag::Plain(Kind::Array) && elements.len() == widen(array.len) {
            return Frame::Array(
                elements
                    .iter()
                    .map(|entry| leaf(buf, entry, &bytes))
                    .collect(),
            );
        }
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

/// Takes a frame of one element, `len` bytes long, from the front of `src`. Only a string needs to share the block.
pub(crate) fn single(src: &mut BytesMut, entry: &Entry, len: usize) -> Frame {
    let payload = entry.payload();
    let end = payload.end;
    let frame = match entry.tag {
        Tag::Plain(Kind::SimpleString) if src.get(payload.clone()) == Some(b"OK") => {
            Frame::SimpleString(Bytes::from_static(b"OK"))
        }
        Tag::Plain(Kind::BulkString) => {
            src.advance(payload.start);
            let data = src.split_to(payload.len()).freeze();
            src.advance(len.saturating_sub(end));
            return Frame::BulkString(data);
        }
        Tag::Plain(Kind::Integer | Kind::Null | Kind::NullArray | Kind::Double | Kind::Boolean) => {
            frame(src, std::slice::from_ref(entry), |_| Bytes::new())
        }
        _ => {
            let bytes = src.split_to(len).freeze();
            return frame(&bytes, std::slice::from_ref(entry), |range| {
                bytes.slice(range)
            });
        }
    };
    src.advance(len);
    frame
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
        Kind::Integer => Frame::Integer(integer_value(text())),
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
