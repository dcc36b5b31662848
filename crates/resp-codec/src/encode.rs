//! From a `Frame` to its wire form, without recursion.

use std::slice::Iter;

use bytes::BytesMut;

use crate::{frame::Frame, version::Version, write};

impl Frame {
    /// Appends the wire form of this frame.
    pub fn write(&self, out: &mut BytesMut, version: Version) {
        let mut around: Vec<Rest<'_>> = Vec::new();
        let mut rest = Rest::One(self);
        loop {
            match rest.next() {
                Some(frame) => {
                    if let Some(parts) = head(frame, out, version) {
                        around.push(std::mem::replace(&mut rest, parts));
                    }
                }
                None => match around.pop() {
                    Some(outer) => rest = outer,
                    None => return,
                },
            }
        }
    }
}

/// Frames still to be written.
enum Rest<'a> {
    Nothing,
    One(&'a Frame),
    Elements(Iter<'a, Frame>),
    /// Pairs, of the first of which only the value may be left, and a last frame.
    Pairs(
        Iter<'a, (Frame, Frame)>,
        Option<&'a Frame>,
        Option<&'a Frame>,
    ),
}

impl<'a> Rest<'a> {
    fn next(&mut self) -> Option<&'a Frame> {
        match self {
            Self::Nothing => None,
            Self::One(frame) => {
                let frame = *frame;
                *self = Self::Nothing;
                Some(frame)
            }
            Self::Elements(elements) => elements.next(),
            Self::Pairs(pairs, value, last) => value.take().or_else(|| match pairs.next() {
                Some((key, value_of_key)) => {
                    *value = Some(value_of_key);
                    Some(key)
                }
                None => last.take(),
            }),
        }
    }
}

/// Writes a value, or the header of an aggregate, whose parts are then to be written.
fn head<'a>(frame: &'a Frame, out: &mut BytesMut, version: Version) -> Option<Rest<'a>> {
    match frame {
        Frame::SimpleString(text) => write::simple_string(out, text),
        Frame::Error(text) => write::error(out, text),
        Frame::Integer(value) => write::integer(out, *value),
        Frame::BulkString(data) => write::bulk(out, data),
        Frame::Null => write::null(out, version),
        Frame::NullArray => write::null_array(out, version),
        Frame::Double(value) => write::double(out, version, *value),
        Frame::Boolean(value) => write::boolean(out, version, *value),
        Frame::BigNumber(digits) => write::big_number(out, version, digits),
        Frame::BulkError(text) => write::bulk_error(out, version, text),
        Frame::Verbatim { format, data } => write::verbatim(out, version, format, data),
        Frame::Array(elements) => {
            write::array_header(out, elements.len());
            return Some(Rest::Elements(elements.iter()));
        }
        Frame::Set(elements) => {
            write::set_header(out, version, elements.len());
            return Some(Rest::Elements(elements.iter()));
        }
        Frame::Push(elements) => {
            write::push_header(out, version, elements.len());
            return Some(Rest::Elements(elements.iter()));
        }
        Frame::Map(pairs) => {
            write::map_header(out, version, pairs.len());
            return Some(Rest::Pairs(pairs.iter(), None, None));
        }
        Frame::Attributed { frame, .. } if version == Version::Resp2 => {
            return Some(Rest::One(frame));
        }
        Frame::Attributed { attributes, frame } => {
            write::attribute_header(out, attributes.len());
            return Some(Rest::Pairs(attributes.iter(), None, Some(frame)));
        }
    }
    None
}
