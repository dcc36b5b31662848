//! One step of the decoder: an element, or of an aggregate its header.

use std::ops::Range;

use crate::{
    error::DecodeErrorKind as E,
    line::{self, Line},
    number, plain,
    tape::{Entry, Kind, Tag, narrow, widen},
    word,
};

use super::{Failed, FrameDecoder, Open, Read, State, Until};

/// The number on a header line.
enum Length {
    Is(usize),
    /// `-1`
    Null,
    /// `?`
    Streamed,
}

/// Counts stay below 2^31 on the tape; a frame of that many elements exceeds every other limit.
pub(super) const MAX_ELEMENTS: usize = 0x7fff_ffff;

impl FrameDecoder {
    /// Reads the element at `pos`, of an aggregate only the header.
    pub(super) fn element(&mut self, buf: &[u8], scanned: usize) -> Result<Read, Failed> {
        let Some(&byte) = buf.get(self.pos) else {
            self.state = State::Line { scanned: self.pos };
            self.missing = 1;
            return Ok(Read::Partial);
        };
        match self.stack.last().map(|open| open.until) {
            None | Some(Until::Left(_)) => {}
            Some(Until::EmptyChunk) => return self.chunk(buf, scanned, byte),
            Some(until) if byte == b'.' => return self.dot(buf, scanned, until),
            Some(_) => {}
        }
        match byte {
            b'$' => self.string(buf, scanned, Kind::BulkString),
            b'+' => self.text(buf, scanned, Kind::SimpleString),
            b':' => self.text(buf, scanned, Kind::Integer),
            b'-' => self.text(buf, scanned, Kind::Error),
            b'*' => self.aggregate(buf, scanned, Tag::Plain(Kind::Array)),
            b'%' => self.aggregate(buf, scanned, Tag::Plain(Kind::Map)),
            b'~' => self.aggregate(buf, scanned, Tag::Plain(Kind::Set)),
            b'>' => self.aggregate(buf, scanned, Tag::Plain(Kind::Push)),
            b'|' => self.aggregate(buf, scanned, Tag::Attribute),
            b'_' => self.text(buf, scanned, Kind::Null),
            b',' => self.text(buf, scanned, Kind::Double),
            b'#' => self.text(buf, scanned, Kind::Boolean),
            b'(' => self.text(buf, scanned, Kind::BigNumber),
            b'=' => self.string(buf, scanned, Kind::Verbatim),
            b'!' => self.string(buf, scanned, Kind::BulkError),
            b'.' => self.fail(E::UnexpectedEnd),
            other => self.fail(E::UnknownType(other)),
        }
    }

    /// A type that takes one line.
    fn text(&mut self, buf: &[u8], scanned: usize, kind: Kind) -> Result<Read, Failed> {
        let Some(end) = self.line_end(buf, scanned, self.limits.line_cap())? else {
            return Ok(Read::Partial);
        };
        let start = self.pos.saturating_add(1);
        let text = buf.get(start..end).unwrap_or_default();
        let fault = match kind {
            Kind::Integer if parse_integer(text).is_none() => E::InvalidInteger,
            Kind::Double if !is_double(text) => E::InvalidDouble,
            Kind::Boolean if !matches!(text, b"t" | b"f") => E::InvalidBoolean,
            Kind::BigNumber if !is_big_number(text) => E::InvalidBigNumber,
            Kind::Null if !text.is_empty() => E::InvalidNull,
            _ => {
                self.push(Tag::Plain(kind), 1, start, end.saturating_sub(start));
                self.pos = end.saturating_add(2);
                return Ok(Read::Value);
            }
        };
        self.fail(fault)
    }

    /// A type with a length, the bytes, and a line end.
    fn string(&mut self, buf: &[u8], scanned: usize, kind: Kind) -> Result<Read, Failed> {
        let Some((len, header)) = self.length(buf, scanned)? else {
            return Ok(Read::Partial);
        };
        match len {
            Length::Is(len) => self.announced_string(buf, kind, len, header),
            Length::Null if kind == Kind::BulkString => {
                self.push(
                    Tag::Plain(Kind::Null),
                    header,
                    self.pos.saturating_add(header),
                    0,
                );
                self.pos = self.pos.saturating_add(header);
                Ok(Read::Value)
            }
            Length::Streamed if kind == Kind::BulkString => {
                self.open(Tag::Streamed, header, 0, Until::EmptyChunk)
            }
            _ => self.fail(E::InvalidLength),
        }
    }

    fn announced_string(
        &mut self,
        buf: &[u8],
        kind: Kind,
        len: usize,
        header: usize,
    ) -> Result<Read, Failed> {
        let limit = self.limits.bulk_bytes;
        if len > limit {
            return self.fail(E::BulkLimit {
                len: u64::try_from(len).unwrap_or(u64::MAX),
                limit,
            });
        }
        let start = self.pos.saturating_add(header);
        let end = start.saturating_add(len).saturating_add(2);
        let limit = self.limits.frame_cap();
        if end > limit {
            return self.fail(E::FrameLimit { limit });
        }
        if kind == Kind::Verbatim {
            let Some(len) = len.checked_sub(4) else {
                return self.fail(E::InvalidVerbatim);
            };
            self.push(
                Tag::Plain(kind),
                header.saturating_add(4),
                start.saturating_add(4),
                len,
            );
        } else {
            self.push(Tag::Plain(kind), header, start, len);
        }
        self.finish_string(buf, end)
    }

    /// The rest of a string whose header is on the tape.
    pub(super) fn finish_string(&mut self, buf: &[u8], end: usize) -> Result<Read, Failed> {
        let Some(closing) = buf.get(end.saturating_sub(2)..end) else {
            self.missing = end.saturating_sub(buf.len());
            self.state = State::Bulk { end };
            return Ok(Read::Partial);
        };
        if closing != b"\r\n" {
            return self.fail(E::MissingCrlf);
        }
        if let Some(Entry {
            tag: Tag::Plain(Kind::Verbatim),
            start,
            ..
        }) = self.tape.last()
        {
            if buf.get(widen(*start).saturating_sub(1)) != Some(&b':') {
                return self.fail(E::InvalidVerbatim);
            }
        }
        self.pos = end;
        Ok(Read::Value)
    }

    /// One chunk of a streamed string.
    fn chunk(&mut self, buf: &[u8], scanned: usize, byte: u8) -> Result<Read, Failed> {
        if byte != b';' {
            return self.fail(E::ExpectedChunk { got: byte });
        }
        let Some((len, header)) = self.length(buf, scanned)? else {
            return Ok(Read::Partial);
        };
        let Length::Is(len) = len else {
            return self.fail(E::InvalidLength);
        };
        if len == 0 {
            self.push(Tag::End, header, self.pos.saturating_add(header), 0);
            self.pos = self.pos.saturating_add(header);
            self.close();
            return Ok(Read::Value);
        }
        let limit = self.limits.bulk_bytes;
        if let Some(open) = self.stack.last_mut() {
            let total = open.bytes.saturating_add(len);
            open.bytes = total;
            if total > limit {
                return self.fail(E::BulkLimit {
                    len: u64::try_from(total).unwrap_or(u64::MAX),
                    limit,
                });
            }
            if let Some(entry) = self.tape.get_mut(widen(open.entry)) {
                entry.len = entry.len.saturating_add(1);
            }
        }
        self.announced_string(buf, Kind::BulkString, len, header)
    }

    /// The end of a streamed aggregate.
    fn dot(&mut self, buf: &[u8], scanned: usize, until: Until) -> Result<Read, Failed> {
        let Some(end) = self.line_end(buf, scanned, self.limits.line_cap())? else {
            return Ok(Read::Partial);
        };
        let open = self
            .stack
            .last()
            .and_then(|open| self.tape.get(widen(open.entry)));
        let half_a_pair =
            until == Until::DotInPairs && open.is_some_and(|entry| entry.len % 2 == 1);
        if half_a_pair || end != self.pos.saturating_add(1) {
            return self.fail(E::UnexpectedEnd);
        }
        self.push(Tag::End, 3, end.saturating_add(2), 0);
        self.pos = end.saturating_add(2);
        self.close();
        Ok(Read::Value)
    }

    /// The header of an aggregate.
    fn aggregate(&mut self, buf: &[u8], scanned: usize, tag: Tag) -> Result<Read, Failed> {
        let Some((len, header)) = self.length(buf, scanned)? else {
            return Ok(Read::Partial);
        };
        let paired = matches!(tag, Tag::Attribute | Tag::Plain(Kind::Map));
        match len {
            Length::Is(len) => {
                let limit = self.limits.elements.min(MAX_ELEMENTS);
                let count = if paired { len.saturating_mul(2) } else { len };
                if count > limit {
                    return self.fail(E::ElementsLimit {
                        count: u64::try_from(count).unwrap_or(u64::MAX),
                        limit,
                    });
                }
                let children = if tag == Tag::Attribute {
                    count.saturating_add(1)
                } else {
                    count
                };
                self.open(tag, header, count, Until::Left(narrow(children)))
            }
            Length::Null if tag == Tag::Plain(Kind::Array) => {
                self.push(
                    Tag::Plain(Kind::NullArray),
                    header,
                    self.pos.saturating_add(header),
                    0,
                );
                self.pos = self.pos.saturating_add(header);
                Ok(Read::Value)
            }
            Length::Streamed => match tag {
                Tag::Plain(Kind::Array | Kind::Set) => self.open(tag, header, 0, Until::Dot),
                Tag::Plain(Kind::Map) => self.open(tag, header, 0, Until::DotInPairs),
                _ => self.fail(E::InvalidLength),
            },
            Length::Null => self.fail(E::InvalidLength),
        }
    }

    /// Puts an aggregate on the tape, and on the stack if elements are to come.
    fn open(&mut self, tag: Tag, header: usize, len: usize, until: Until) -> Result<Read, Failed> {
        let limit = self.limits.depth_cap();
        if self.stack.len() >= limit {
            return self.fail(E::DepthLimit { limit });
        }
        let entry = narrow(self.tape.len());
        self.pos = self.pos.saturating_add(header);
        self.push(tag, header, self.pos, len);
        if until == Until::Left(0) {
            return Ok(Read::Value);
        }
        self.stack.push(Open {
            entry,
            until,
            bytes: 0,
        });
        Ok(Read::Header)
    }

    /// The length on the header line at `pos`, and the bytes of the header with its type byte and line end.
    fn length(&mut self, buf: &[u8], scanned: usize) -> Result<Option<(Length, usize)>, Failed> {
        let start = self.pos.saturating_add(1);
        let plain = word::at(buf, self.pos).and_then(|word| plain::length(buf, self.pos, word));
        if let Some((header, len)) = plain {
            return Ok(Some((Length::Is(len), usize::from(header))));
        }
        let Some(end) = self.line_end(buf, scanned, self.limits.line_cap())? else {
            return Ok(None);
        };
        let len = match buf.get(start..end).unwrap_or_default() {
            b"?" => Length::Streamed,
            b"-1" => Length::Null,
            text => match number::parse_i64(text).map(usize::try_from) {
                Some(Ok(len)) => Length::Is(len),
                _ => return self.fail(E::InvalidLength),
            },
        };
        Ok(Some((len, end.saturating_add(2).saturating_sub(self.pos))))
    }

    /// Where the line at `pos` ends. `None`: not yet, and the state says how far was searched.
    #[inline]
    fn line_end(
        &mut self,
        buf: &[u8],
        scanned: usize,
        limit: usize,
    ) -> Result<Option<usize>, Failed> {
        let (reached, found) = match line::find(buf, scanned.max(self.pos.saturating_add(1))) {
            Line::Ends(at) => (at, Some(Ok(at))),
            Line::Broken(at) => (at, Some(Err(E::MissingCrlf))),
            Line::Partial(at) => (at, None),
        };
        if reached.saturating_sub(self.pos) > limit {
            return self.fail(E::LineLimit { limit });
        }
        match found {
            Some(Ok(at)) => Ok(Some(at)),
            Some(Err(fault)) => self.fail(fault),
            None => {
                self.state = State::Line { scanned: reached };
                self.missing = 1;
                Ok(None)
            }
        }
    }

    #[inline(always)]
    fn push(&mut self, tag: Tag, header: usize, start: usize, len: usize) {
        let next = narrow(self.tape.len()).wrapping_add(1); // a tape is shorter than its frame
        let header = u8::try_from(header).unwrap_or(u8::MAX); // a header line is at most 32 bytes
        self.tape.push(Entry {
            tag,
            header,
            start: narrow(start),
            len: narrow(len),
            next,
        });
    }
}

/// RESP3 allows a plus sign, RESP2 has none.
fn parse_integer(text: &[u8]) -> Option<i64> {
    match text {
        [b'+', digits @ ..] if digits.first() != Some(&b'-') => number::parse_i64(digits),
        _ => number::parse_i64(text),
    }
}

/// The value of the integer `entry` in `buf`, which the decoder has accepted.
#[inline]
pub(crate) fn integer(buf: &[u8], entry: &Entry) -> i64 {
    let Range { start, end } = entry.payload();
    // One to seven digits are read at once, together with the type byte, which makes it eight bytes.
    let word = word::at(buf, start.wrapping_sub(1)).filter(|_| entry.len <= 7);
    word.and_then(|word| word::digits(word >> 8, entry.len))
        .unwrap_or_else(|| long_integer(buf.get(start..end).unwrap_or_default()))
}

#[inline(never)]
fn long_integer(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.len() > 18 {
        return parse_integer(text).unwrap_or_default(); // may need all 64 bits
    }
    let value = digits.iter().fold(0i64, |value, digit| {
        value.wrapping_mul(10).wrapping_add(i64::from(digit & 15)) // 18 digits always fit
    });
    if negative {
        value.wrapping_neg()
    } else {
        value
    }
}

/// Whether `text` is a double of RESP3, or the `nan` and `-nan` that servers print.
fn is_double(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok())
}

/// A sign, and at least one digit.
fn is_big_number(text: &[u8]) -> bool {
    let digits = match text {
        [b'-' | b'+', digits @ ..] => digits,
        digits => digits,
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}
