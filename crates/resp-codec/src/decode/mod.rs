//! The resumable frame decoder: one pass over the bytes, an explicit stack, a tape as its result.

mod element;

use bytes::BytesMut;

use crate::{
    error::{DecodeError, DecodeErrorKind as E},
    limits::Limits,
    plain,
    reply::OwnedFrame,
    tape::{Entry, Kind, Tag, narrow, widen},
    view::FrameRef,
    word,
};

pub(crate) use element::integer;

/// Decodes frames, of both versions of the protocol, from bytes that arrive in pieces.
///
/// It remembers how far it has come: however a frame is cut, nothing is looked at again but the header at the cut, or up
/// to 80 bytes of a line. Nesting is counted, not recursed. Its memory is kept for the next frame and stays proportional
/// to the bytes that have arrived.
///
/// ```
/// use resp_codec::{FrameDecoder, Limits};
///
/// let mut decoder = FrameDecoder::new(Limits::client());
/// assert!(decoder.decode(b"*2\r\n:1\r\n$5\r\nhel")?.is_none());
/// assert_eq!(decoder.missing(), 4);
///
/// let reply = decoder.decode(b"*2\r\n:1\r\n$5\r\nhello\r\n")?.unwrap();
/// let mut children = reply.children();
/// assert_eq!(children.next().unwrap().as_i64(), Some(1));
/// assert_eq!(children.next().unwrap().as_str(), Some("hello"));
/// # Ok::<_, resp_codec::DecodeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct FrameDecoder {
    limits: Limits,
    /// [`Limits::frame_cap`] of them.
    cap: usize,
    state: State,
    /// The element to read next; everything before it is on the tape.
    pos: usize,
    tape: Vec<Entry>,
    /// The tape of a frame that was one plain value.
    one: Entry,
    /// The aggregates around `pos`, outermost first.
    stack: Vec<Open>,
    missing: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Between frames.
    Fresh,
    /// Inside a line, which does not end before `scanned`.
    Line { scanned: usize },
    /// The header of a string is on the tape; the string and its line end take up to `end`.
    Bulk { end: usize },
    /// An error was reported.
    Failed(DecodeError),
}

/// An aggregate whose elements are still coming.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Its place on the tape.
    entry: u32,
    until: Until,
    /// Of a streamed string: the bytes so far.
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// This many elements are still missing.
    Left(u32),
    /// A streamed array or set ends with `.`.
    Dot,
    /// A streamed map ends with `.` after a value.
    DotInPairs,
    /// A streamed string ends with an empty chunk.
    EmptyChunk,
}

/// What one step of the scan has read.
enum Read {
    /// A value, or the end of a streamed one.
    Value,
    /// The header of an aggregate whose elements follow.
    Header,
    /// Nothing: bytes are missing.
    Partial,
}

/// An error of which the state has taken note. So the steps return a byte or two, not an error by value.
struct Failed;

/// Up to so many values the tape grows as they are read.
const FEW_VALUES: u32 = 16;

/// What is reserved at once for the elements of an aggregate: 1 MiB of tape.
const RESERVED_ENTRIES: usize = 64 * 1024;

/// What a decoder keeps of its memory after a large frame: 64 KiB of tape.
const KEPT_ENTRIES: usize = 4096;

impl FrameDecoder {
    /// A decoder that accepts what `limits` allow.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            cap: limits.frame_cap(),
            state: State::Fresh,
            pos: 0,
            tape: Vec::new(),
            one: Entry::NULL,
            stack: Vec::new(),
            missing: 0,
        }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Changes the limits, from the next header on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.cap = limits.frame_cap();
    }

    /// Decodes the frame at the start of `buf`: `Some` if it is whole, `None` if bytes are missing.
    ///
    /// After `None`, call again with the same bytes and new ones behind them. After `Some`, drop
    /// [`FrameRef::frame_len`] bytes from the front before the next call.
    ///
    /// # Errors
    ///
    /// The bytes are no RESP or exceed a limit. The connection is to be closed; further calls repeat the error.
    #[inline]
    pub fn decode<'a>(&'a mut self, buf: &'a [u8]) -> Result<Option<FrameRef<'a>>, DecodeError> {
        if let Some((entry, len)) = self.single(buf) {
            self.one = entry;
            return Ok(buf.get(..len).map(|wire| FrameRef::single(wire, &self.one)));
        }
        Ok(if self.scan(buf)? {
            FrameRef::new(buf, &self.tape, self.pos)
        } else {
            None
        })
    }

    /// Decodes the frame at the start of `buf` and splits it off; [`OwnedFrame::view`] reads it.
    ///
    /// # Errors
    ///
    /// As [`FrameDecoder::decode`].
    pub fn decode_owned(&mut self, buf: &mut BytesMut) -> Result<Option<OwnedFrame>, DecodeError> {
        if let Some((entry, len)) = self.single(buf) {
            return Ok(Some(OwnedFrame::split(buf, len, &[entry])));
        }
        if !self.scan(buf)? {
            return Ok(None);
        }
        Ok(Some(OwnedFrame::split(buf, self.pos, &self.tape)))
    }

    /// A lower bound of the bytes that are missing, after [`FrameDecoder::decode`] returned `None`.
    ///
    /// It comes from a length that the peer announced: use it to size a read within bounds of your own, never to
    /// reserve memory blindly.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// The entries of the frame that [`FrameDecoder::scan`] completed, and its length.
    pub(crate) fn scanned(&self) -> (&[Entry], usize) {
        (&self.tape, self.pos)
    }

    /// The frame at the start of `buf`, if it is one plain value, and its length. Nothing is noted of it.
    #[inline(always)]
    pub(crate) fn single(&self, buf: &[u8]) -> Option<(Entry, usize)> {
        match self.state {
            State::Fresh if self.tape.capacity() <= KEPT_ENTRIES => {
                plain::value(self.bounded(buf), 0, 1, &self.limits)
            }
            _ => None, // `scan` gives the memory of a large frame back
        }
    }

    /// Scans on; whether the frame is whole.
    #[inline(never)]
    pub(crate) fn scan(&mut self, buf: &[u8]) -> Result<bool, DecodeError> {
        let buf = self.bounded(buf);
        let done = match self.run(buf) {
            Ok(false) if buf.len() >= self.cap => self.fail(E::FrameLimit { limit: self.cap }),
            done => done,
        };
        match done {
            Ok(done) => Ok(done),
            Err(Failed) => Err(self.failure()),
        }
    }

    /// What a frame may take of `buf`. Within it every offset fits the tape, and a frame that needs more than the limit
    /// never completes.
    #[inline(always)]
    fn bounded<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        buf.get(..self.cap).unwrap_or(buf)
    }

    fn run(&mut self, buf: &[u8]) -> Result<bool, Failed> {
        let mut read = match self.state {
            State::Fresh => {
                self.pos = 0;
                self.clear_tape();
                match self.flat(buf) {
                    Some(0) => return Ok(true),
                    _ => self.element(buf, 0)?,
                }
            }
            State::Line { scanned } => self.element(buf, scanned)?,
            State::Bulk { end } => self.finish_string(buf, end)?,
            State::Failed(_) => return Err(Failed),
        };
        loop {
            match read {
                Read::Partial => return Ok(false),
                Read::Value if self.complete()? => break,
                Read::Value | Read::Header => {}
            }
            read = if self.read_ahead(buf) {
                Read::Value
            } else {
                self.element(buf, 0)?
            };
        }
        self.state = State::Fresh;
        self.missing = 0;
        Ok(true)
    }

    /// Forgets the last frame, and gives memory back if that was a large one.
    #[inline]
    fn clear_tape(&mut self) {
        self.tape.clear();
        if self.tape.capacity() > KEPT_ENTRIES {
            self.tape.shrink_to(KEPT_ENTRIES);
        }
    }

    /// Reads a frame that is an aggregate of plain values, the usual one, up to the first that is not plain, not whole or
    /// not right; how many are left then. `None` if the header itself is not plain.
    #[inline]
    fn flat(&mut self, buf: &[u8]) -> Option<u32> {
        let word = word::at(buf, 0)?;
        let (kind, parts) = match plain::type_byte(word) {
            b'*' => (Kind::Array, 1),
            b'%' => (Kind::Map, 2),
            b'~' => (Kind::Set, 1),
            b'>' => (Kind::Push, 1),
            _ => return None,
        };
        let (header, len) = plain::length(buf, 0, word)?;
        let count = len.saturating_mul(parts);
        if count > self.limits.elements.min(element::MAX_ELEMENTS) || self.limits.depth_cap() == 0 {
            return None;
        }
        self.tape.push(Entry {
            tag: Tag::Plain(kind),
            header,
            start: u32::from(header),
            len: narrow(count),
            next: narrow(count).wrapping_add(1), // if none of them has elements of its own
        });
        self.pos = usize::from(header);
        let left = self.values(buf, narrow(count));
        if left > 0 {
            self.stack.push(Open {
                entry: 0,
                until: Until::Left(left),
                bytes: 0,
            });
        }
        Some(left)
    }

    /// Reads ahead over plain values, the usual content of an aggregate; whether that was the rest of it, which is then
    /// closed. What is not plain, not whole or not right is left to the step-by-step path.
    fn read_ahead(&mut self, buf: &[u8]) -> bool {
        let Some(Open {
            until: Until::Left(left),
            ..
        }) = self.stack.last()
        else {
            return false;
        };
        let left = self.values(buf, *left);
        if left == 0 {
            self.close();
        } else if let Some(open) = self.stack.last_mut() {
            open.until = Until::Left(left);
        }
        left == 0
    }

    /// Reads up to `left` plain values; how many could not be read so.
    #[inline]
    fn values(&mut self, buf: &[u8], mut left: u32) -> u32 {
        let mut next = narrow(self.tape.len()); // a tape is shorter than its frame
        if left > FEW_VALUES {
            // No more than there is room for in the bytes that have arrived, and these may be one long string.
            let room = buf.len().saturating_sub(self.pos) / 4;
            self.tape
                .reserve(widen(left).min(room).min(RESERVED_ENTRIES));
        }
        while left > 0 {
            next = next.wrapping_add(1);
            let Some((entry, end)) = plain::value(buf, self.pos, next, &self.limits) else {
                break;
            };
            self.tape.push(entry);
            self.pos = end;
            left = left.wrapping_sub(1); // above 0
        }
        left
    }

    /// Counts the value just read, and closes every aggregate that it completes; whether that was the frame.
    fn complete(&mut self) -> Result<bool, Failed> {
        while let Some(top) = self.stack.last_mut() {
            match &mut top.until {
                Until::Left(left) if *left > 1 => {
                    *left = left.wrapping_sub(1); // cannot wrap: above 1
                    return Ok(false);
                }
                Until::Left(_) => self.close(),
                Until::Dot | Until::DotInPairs => {
                    let limit = self.limits.elements;
                    if let Some(entry) = self.tape.get_mut(widen(top.entry)) {
                        entry.len = entry.len.saturating_add(1);
                        let (at, count) = (entry.at(), entry.len);
                        if widen(count) > limit {
                            self.fail_at(
                                at,
                                E::ElementsLimit {
                                    count: u64::from(count),
                                    limit,
                                },
                            );
                            return Err(Failed);
                        }
                    }
                    return Ok(false);
                }
                Until::EmptyChunk => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Closes the innermost aggregate, all of whose elements are on the tape.
    fn close(&mut self) {
        let next = narrow(self.tape.len());
        if let Some(open) = self.stack.pop() {
            if let Some(entry) = self.tape.get_mut(widen(open.entry)) {
                entry.next = next;
            }
        }
    }

    /// Takes note of an error, which is final.
    #[cold]
    fn fail_at(&mut self, offset: usize, kind: E) {
        self.state = State::Failed(DecodeError::new(offset, kind));
    }

    /// Takes note of an error in the element at `pos`.
    #[cold]
    fn fail<T>(&mut self, kind: E) -> Result<T, Failed> {
        self.fail_at(self.pos, kind);
        Err(Failed)
    }

    /// The error that was taken note of.
    #[cold]
    fn failure(&self) -> DecodeError {
        match self.state {
            State::Failed(error) => error,
            _ => DecodeError::new(self.pos, E::MissingCrlf), // not reached: `Failed` comes with a note
        }
    }
}
