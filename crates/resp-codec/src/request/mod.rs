//! Requests, for servers: an array of bulk strings, or an inline command.

mod arg;
mod nested;

use crate::{
    decode::FrameDecoder,
    error::{DecodeError, DecodeErrorKind as E},
    inline,
    limits::Limits,
    line::{self, Line},
    number, plain,
    tape::narrow,
    word,
};

pub use arg::Arg;

/// Decodes requests from bytes that arrive in pieces; arguments are places in the buffer.
///
/// It remembers how far it has come: however a request is cut, nothing is looked at again but the few bytes of the
/// header at the cut.
///
/// ```
/// use resp_codec::{Limits, RequestDecoder};
///
/// let mut decoder = RequestDecoder::new(Limits::server());
/// let mut buf = *b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n";
/// let mut args = Vec::new();
///
/// let used = decoder.decode(&mut buf, &mut args)?.unwrap();
/// assert_eq!((args[0].of(&buf), args[1].of(&buf)), (&b"GET"[..], &b"k"[..]));
///
/// args.clear();
/// let rest = &mut buf[used..];
/// assert_eq!(decoder.decode(rest, &mut args)?, Some(6));
/// assert_eq!(args[0].of(rest), b"PING");
/// # Ok::<_, resp_codec::DecodeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RequestDecoder {
    limits: Limits,
    state: State,
    /// The header to read next.
    pos: usize,
    /// Arguments still to come.
    left: usize,
    /// The arguments of a request that is not whole yet.
    partial: Vec<Arg>,
    missing: usize,
    /// Reads requests as frames of any form, if nesting is on.
    frames: Option<Box<FrameDecoder>>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Between requests.
    Fresh,
    /// Inside the first line, which does not end before `scanned`.
    FirstLine { scanned: usize },
    /// Inside the header of an argument, which does not end before `scanned`.
    Header { scanned: usize },
    /// Inside an argument of `len` bytes.
    Argument { start: usize, len: usize },
    /// An error was reported.
    Failed(DecodeError),
}

/// What a decoder keeps of its memory after a large request: 64 KiB.
const KEPT_ARGS: usize = 8192;

/// An error of which the state has taken note. So the steps return their result in registers.
struct Failed;

type Step<T> = Result<Option<T>, Failed>;

impl RequestDecoder {
    /// A decoder that accepts what `limits` allow.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Fresh,
            pos: 0,
            left: 0,
            partial: Vec::new(),
            missing: 0,
            frames: None,
        }
    }

    /// Accepts requests of any form, instead of inline commands.
    ///
    /// An array's strings become text; its other elements (integers, nulls, arrays, maps, ...) become arguments whose
    /// bytes are their wire form ([`Arg::is_frame`]). A simple string or a bulk string is split on blanks. Every
    /// other frame is the only argument of its request.
    #[must_use]
    pub fn nested(mut self, yes: bool) -> Self {
        self.frames = yes.then(|| Box::new(FrameDecoder::new(self.limits)));
        self
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Changes the limits, from the next header on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        if let Some(frames) = &mut self.frames {
            frames.set_limits(limits);
        }
    }

    /// A lower bound of the bytes that are missing, after [`RequestDecoder::decode`] returned `None`.
    ///
    /// It comes from a length that the peer announced: use it to size a read within bounds of your own, never to
    /// reserve memory blindly.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.frames
            .as_ref()
            .map_or(self.missing, |frames| frames.missing())
    }

    /// Decodes the request at the start of `buf`: its length if it is whole, `None` if bytes are missing.
    ///
    /// Pushes one [`Arg`] for each argument, with offsets from the start of `buf`; `args` stays as it is if the
    /// request is not whole. An empty request (`\r\n`, `*0`, `*-1`) has no arguments. An inline command is unquoted
    /// in place.
    ///
    /// After `None`, call again with the same bytes and new ones behind them. After `Some`, drop that many bytes from
    /// the front before the next call.
    ///
    /// # Errors
    ///
    /// The bytes are no request or exceed a limit. A server answers with the error and closes the connection; further
    /// calls repeat the error.
    pub fn decode(
        &mut self,
        buf: &mut [u8],
        args: &mut Vec<Arg>,
    ) -> Result<Option<usize>, DecodeError> {
        // Within `buf` every offset fits an `Arg`, and a request that needs more than the limit never completes.
        let cap = self.limits.frame_cap();
        let len = buf.len().min(cap);
        let buf = buf.get_mut(..len).unwrap_or_default();
        let done = match (&mut self.frames, self.state) {
            (None, State::Fresh) => self.start(buf, args),
            (None, State::Failed(error)) => return Err(error),
            (None, _) => self.resume(buf, args),
            (Some(frames), _) => return nested::decode(frames, buf, args),
        };
        match done {
            Ok(Some(len)) => Ok(Some(len)),
            Ok(None) if len < cap => Ok(None),
            Ok(None) => Err(self.fail_at(self.pos, E::FrameLimit { limit: cap })),
            Err(Failed) => Err(self.failure()),
        }
    }

    /// A new request; its arguments go to `args` at once, and are put aside if it is not whole.
    #[inline]
    fn start(&mut self, buf: &mut [u8], args: &mut Vec<Arg>) -> Step<usize> {
        self.pos = 0;
        let before = args.len();
        let done = self.first_line(buf, 0, args);
        if !matches!(done, Ok(Some(_))) {
            self.put_aside(args, before);
        }
        done
    }

    #[cold]
    fn put_aside(&mut self, args: &mut Vec<Arg>, before: usize) {
        self.partial.clear();
        self.partial
            .extend_from_slice(args.get(before..).unwrap_or_default());
        args.truncate(before);
    }

    /// Goes on with a request of which a part was there before; its arguments gather in `partial`.
    #[cold]
    fn resume(&mut self, buf: &mut [u8], args: &mut Vec<Arg>) -> Step<usize> {
        let mut partial = std::mem::take(&mut self.partial);
        let done = match self.state {
            State::FirstLine { scanned } => self.first_line(buf, scanned, &mut partial),
            State::Header { scanned } => self.arguments(buf, scanned, &mut partial),
            State::Argument { start, len } => match self.argument(buf, start, len, &mut partial) {
                Ok(Some(())) => self.arguments(buf, 0, &mut partial),
                Ok(None) => Ok(None),
                Err(Failed) => Err(Failed),
            },
            State::Fresh | State::Failed(_) => Err(Failed), // `decode` does not come here
        };
        if matches!(done, Ok(Some(_))) {
            args.append(&mut partial);
            partial.shrink_to(KEPT_ARGS);
        }
        self.partial = partial;
        done
    }

    /// The first line of a request, and what follows.
    #[inline]
    fn first_line(&mut self, buf: &mut [u8], scanned: usize, args: &mut Vec<Arg>) -> Step<usize> {
        if buf.first() != Some(&b'*') {
            return self.inline(buf, scanned, args);
        }
        match word::at(buf, 0).and_then(|word| plain::length(buf, 0, word)) {
            Some((header, count)) if count <= self.limits.elements.min(MAX_COUNT) => {
                self.pos = usize::from(header);
                self.left = count;
            }
            _ => {
                if self.unusual_count(buf, scanned)?.is_none() {
                    return Ok(None);
                }
            }
        }
        self.arguments(buf, 0, args)
    }

    /// A number of arguments that is negative, too large, wrong, or not whole yet.
    #[cold]
    fn unusual_count(&mut self, buf: &[u8], scanned: usize) -> Step<()> {
        let limit = self.limits.line_cap();
        let Some(end) = self.line_end(buf, scanned, limit, E::MultibulkLineTooLong { limit })?
        else {
            self.state = State::FirstLine {
                scanned: self.missing,
            };
            self.missing = 1;
            return Ok(None);
        };
        let text = buf.get(1..end).unwrap_or_default();
        let count = match number::parse_i64(text).map(|count| usize::try_from(count.max(0))) {
            Some(Ok(count)) if count <= MAX_COUNT => count,
            _ => return self.fail(E::InvalidMultibulkLength),
        };
        let limit = self.limits.elements;
        if count > limit {
            return self.fail(E::ElementsLimit {
                count: u64::try_from(count).unwrap_or(u64::MAX),
                limit,
            });
        }
        self.left = count;
        self.pos = end.saturating_add(2);
        Ok(Some(()))
    }

    /// Reads the arguments from `pos` on: first, in one tight loop, those that are whole and right, then step by step
    /// what that loop left.
    #[inline]
    fn arguments(&mut self, buf: &[u8], scanned: usize, args: &mut Vec<Arg>) -> Step<usize> {
        let limit = self.limits.bulk_bytes;
        let (mut pos, mut left) = (self.pos, self.left);
        while left > 0 {
            let word = match word::at(buf, pos) {
                Some(word) if plain::type_byte(word) == b'$' => word,
                _ => break,
            };
            let Some((header, len, end)) = plain::string(buf, pos, word, limit) else {
                break;
            };
            let start = pos.wrapping_add(usize::from(header)); // inside `buf`
            args.push(Arg::text(narrow(start), narrow(len)));
            pos = end;
            left = left.wrapping_sub(1); // above 0
        }
        self.pos = pos;
        self.left = left;
        if left > 0 {
            return self.step_by_step(buf, scanned, args);
        }
        self.state = State::Fresh;
        self.missing = 0;
        Ok(Some(self.pos))
    }

    /// Reads an argument that is not whole yet, or wrong.
    #[cold]
    fn step_by_step(&mut self, buf: &[u8], mut scanned: usize, args: &mut Vec<Arg>) -> Step<usize> {
        while self.left > 0 {
            let Some((len, header)) = self.argument_header(buf, scanned)? else {
                return Ok(None);
            };
            scanned = 0;
            let start = self.pos.saturating_add(header);
            if self.argument(buf, start, len, args)?.is_none() {
                return Ok(None);
            }
        }
        self.state = State::Fresh;
        self.missing = 0;
        Ok(Some(self.pos))
    }

    /// The length of the argument at `pos`, and the bytes of its header.
    fn argument_header(&mut self, buf: &[u8], scanned: usize) -> Step<(usize, usize)> {
        let (len, header) = match buf.get(self.pos..) {
            Some([b'$', ..]) => {
                match word::at(buf, self.pos).and_then(|word| plain::length(buf, self.pos, word)) {
                    Some((header, len)) => (len, usize::from(header)),
                    None => {
                        let limit = self.limits.inline_bytes;
                        let Some(end) =
                            self.line_end(buf, scanned, limit, E::BulkLineTooLong { limit })?
                        else {
                            self.state = State::Header {
                                scanned: self.missing,
                            };
                            self.missing = 1;
                            return Ok(None);
                        };
                        let text = buf.get(self.pos.saturating_add(1)..end).unwrap_or_default();
                        match number::parse_i64(text).map(usize::try_from) {
                            Some(Ok(len)) => (len, end.saturating_add(2).saturating_sub(self.pos)),
                            _ => return self.fail(E::InvalidBulkLength),
                        }
                    }
                }
            }
            Some(&[got, ..]) => return self.fail(E::ExpectedBulk { got }),
            _ => {
                self.state = State::Header { scanned: 0 };
                self.missing = 1;
                return Ok(None);
            }
        };
        let limit = self.limits.bulk_bytes;
        if len > limit {
            return self.fail(E::BulkLimit {
                len: u64::try_from(len).unwrap_or(u64::MAX),
                limit,
            });
        }
        let limit = self.limits.frame_cap();
        if self
            .pos
            .saturating_add(header)
            .saturating_add(len)
            .saturating_add(2)
            > limit
        {
            return self.fail(E::FrameLimit { limit });
        }
        Ok(Some((len, header)))
    }

    /// The bytes of an argument and their line end.
    fn argument(&mut self, buf: &[u8], start: usize, len: usize, args: &mut Vec<Arg>) -> Step<()> {
        let end = start.saturating_add(len);
        match buf.get(end..) {
            Some([b'\r', b'\n', ..]) => {
                args.push(Arg::text(narrow(start), narrow(len)));
                self.pos = end.saturating_add(2);
                self.left = self.left.saturating_sub(1);
                Ok(Some(()))
            }
            Some([_, _, ..]) => self.fail(E::MissingCrlf),
            _ => {
                self.missing = end.saturating_add(2).saturating_sub(buf.len());
                self.state = State::Argument { start, len };
                Ok(None)
            }
        }
    }

    /// An inline command; its line may end in `\n` alone.
    fn inline(&mut self, buf: &mut [u8], scanned: usize, args: &mut Vec<Arg>) -> Step<usize> {
        if buf.is_empty() {
            self.state = State::FirstLine { scanned: 0 };
            self.missing = 1;
            return Ok(None);
        }
        let limit = self.limits.inline_bytes;
        let found = buf
            .get(scanned..)
            .and_then(|rest| rest.iter().position(|&byte| matches!(byte, b'\n' | 0)));
        let reached = found.map_or(buf.len(), |found| found.saturating_add(scanned));
        if reached > limit {
            return self.fail(E::InlineTooLong { limit });
        }
        if found.is_none() {
            self.state = State::FirstLine { scanned: reached };
            self.missing = 1;
            return Ok(None);
        }
        if buf.get(reached) == Some(&0) {
            return self.fail(E::InlineNul);
        }
        if !inline::split(buf, 0, reached, args) {
            return self.fail(E::UnbalancedQuotes);
        }
        self.state = State::Fresh;
        self.missing = 0;
        Ok(Some(reached.saturating_add(1)))
    }

    /// Where the header line at `pos` ends. `None`: not yet, and `missing` says how far was searched.
    fn line_end(&mut self, buf: &[u8], scanned: usize, limit: usize, too_long: E) -> Step<usize> {
        let (reached, end) = match line::find(buf, scanned.max(self.pos.saturating_add(1))) {
            Line::Ends(at) => (at, Some(true)),
            Line::Broken(at) => (at, Some(false)),
            Line::Partial(at) => (at, None),
        };
        if reached.saturating_sub(self.pos) > limit {
            return self.fail(too_long);
        }
        match end {
            Some(true) => Ok(Some(reached)),
            Some(false) => self.fail(E::MissingCrlf),
            None => {
                self.missing = reached;
                Ok(None)
            }
        }
    }

    /// Takes note of an error, which is final.
    #[cold]
    fn fail_at(&mut self, offset: usize, kind: E) -> DecodeError {
        let error = DecodeError::new(offset, kind);
        self.state = State::Failed(error);
        error
    }

    /// Takes note of an error in the line or the argument at `pos`.
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

/// Redis takes a count above an `int` as no count at all.
const MAX_COUNT: usize = 0x7fff_ffff;
