//! What one read brought in: bytes, and the requests found in them.

use bytes::BytesMut;
use resp_codec::{Arg, DecodeError, RequestDecoder};

/// Decoded requests that wait for the lock, with the bytes that they point into.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) buf: BytesMut,
    args: Vec<Arg>,
    requests: Vec<Span>,
    /// The next request to execute.
    next: usize,
    /// Bytes of `buf` that belong to decoded requests.
    pub(super) decoded: usize,
    /// The stream is broken behind the decoded requests.
    pub(super) error: Option<DecodeError>,
}

/// What one call of [`Batch::decode`] looks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// Requests at most.
    pub(super) max: usize,
    /// Whether a request without arguments counts.
    pub(super) keep_empty: bool,
}

/// Where the arguments of one request end in `args`.
#[derive(Debug, Clone, Copy)]
struct Span {
    args_end: u32,
}

/// Requests that are decoded before the first of them is executed; bounds the memory of a batch.
pub(super) const REQUESTS_MAX: usize = 1024;

impl Batch {
    /// Finds whole requests behind the decoded ones. Call it again when all of them are executed.
    pub(super) fn decode(&mut self, decoder: &mut RequestDecoder, round: Round) {
        debug_assert!(self.is_done(), "requests of the last round are still there");
        self.args.clear();
        self.requests.clear();
        self.next = 0;
        while self.requests.len() < round.max
            && self.decoded < self.buf.len()
            && self.error.is_none()
        {
            let first = self.args.len();
            match decoder.decode(&mut self.buf[self.decoded..], &mut self.args) {
                Ok(Some(taken)) => {
                    for arg in &mut self.args[first..] {
                        *arg = arg.shifted(self.decoded);
                    }
                    self.decoded += taken;
                    if self.args.len() > first || round.keep_empty {
                        let args_end = u32::try_from(self.args.len())
                            .expect("fewer arguments than bytes in a batch");
                        self.requests.push(Span { args_end });
                    }
                }
                Ok(None) => break,
                Err(error) => self.error = Some(error),
            }
        }
    }

    /// The next request.
    pub(super) fn peek(&self) -> Option<(&[u8], &[Arg])> {
        let end = self.requests.get(self.next)?.args_end;
        let start = if self.next == 0 {
            0
        } else {
            self.requests[self.next - 1].args_end
        };
        Some((&self.buf, &self.args[start as usize..end as usize]))
    }

    /// The first arguments of the requests to come, which are nearly always keys.
    pub(super) fn upcoming_keys(&self) -> impl Iterator<Item = &[u8]> {
        let start = if self.next == 0 {
            0
        } else {
            self.requests[self.next - 1].args_end
        };
        let starts = std::iter::once(start)
            .chain(self.requests[self.next..].iter().map(|span| span.args_end));
        let spans = starts.zip(&self.requests[self.next..]);
        spans.filter_map(|(start, span)| {
            let args = &self.args[start as usize..span.args_end as usize];
            args.get(1).map(|arg| arg.of(&self.buf))
        })
    }

    /// How many requests are left.
    pub(super) fn remaining(&self) -> usize {
        self.requests.len() - self.next
    }

    /// Goes on to the next request.
    pub(super) fn advance(&mut self) {
        self.next += 1;
    }

    /// Whether nothing was found: the request is not complete.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.error.is_none()
    }

    /// Whether all decoded requests are executed.
    pub(super) fn is_done(&self) -> bool {
        self.next == self.requests.len()
    }

    /// Copies everything to an empty batch, so that this one's large memory can be used for something else.
    pub(super) fn copy_to(&self, other: &mut Self) {
        other.buf.extend_from_slice(&self.buf);
        other.args.extend_from_slice(&self.args);
        other.requests.extend_from_slice(&self.requests);
        other.next = self.next;
        other.decoded = self.decoded;
    }

    /// Forgets everything but the memory.
    pub(super) fn reset(&mut self) {
        self.buf.clear();
        self.args.clear();
        self.requests.clear();
        self.next = 0;
        self.decoded = 0;
        self.error = None;
    }
}
