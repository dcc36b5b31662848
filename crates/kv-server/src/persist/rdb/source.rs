//! Bytes to decode: a buffered reader that knows its offset and the checksum of what was consumed.

use std::io::{self, Read};

use super::crc64;
use super::error::{Error, ErrorKind, Result};

pub(super) struct Source<R> {
    inner: R,
    buffer: Box<[u8]>,
    /// `buffer[pos..end]` is read and not yet consumed; `pos <= end <= buffer.len()`.
    pos: usize,
    end: usize,
    /// How many bytes were consumed before `buffer[0]`.
    before: u64,
    /// Checksum of everything before `buffer[summed]`; `summed <= pos`.
    crc: u64,
    summed: usize,
    checksum: bool,
    /// Space for compressed strings, kept to be used again.
    pub(super) compressed: Vec<u8>,
}

impl<R: Read> Source<R> {
    /// `capacity`, in bytes, is at least 1 and bounds what is read ahead.
    pub(super) fn new(inner: R, capacity: usize) -> Self {
        Self {
            inner,
            buffer: vec![0; capacity.max(1)].into_boxed_slice(),
            pos: 0,
            end: 0,
            before: 0,
            crc: 0,
            summed: 0,
            checksum: true,
            compressed: Vec::new(),
        }
    }

    /// Stops computing the checksum.
    pub(super) fn ignore_checksum(&mut self) {
        self.checksum = false;
    }

    /// Checksum of all bytes consumed; `None` if it is not computed.
    pub(super) fn crc(&mut self) -> Option<u64> {
        self.sum();
        self.checksum.then_some(self.crc)
    }

    pub(super) fn offset(&self) -> u64 {
        self.before + self.pos as u64
    }

    pub(super) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.offset())
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        if let Some(bytes) = self.buffer[self.pos..self.end].first_chunk() {
            out = *bytes;
            self.pos += N;
            return Ok(out);
        }
        let mut filled = 0;
        while filled < N {
            if self.pos == self.end {
                self.refill()?;
            }
            let len = (N - filled).min(self.end - self.pos);
            out[filled..filled + len].copy_from_slice(&self.buffer[self.pos..self.pos + len]);
            self.pos += len;
            filled += len;
        }
        Ok(out)
    }

    /// Appends the next `len` bytes to `out`.
    ///
    /// `out` grows with what arrives, by at most twice that and 64 KiB, so a wrong `len` costs nothing.
    pub(super) fn bytes(&mut self, len: u64, out: &mut Vec<u8>) -> Result<()> {
        let Ok(mut missing) = usize::try_from(len) else {
            return Err(self.error(ErrorKind::StringTooLong(len)));
        };
        let start = out.len();
        while missing > 0 {
            let buffered = missing.min(self.end - self.pos);
            if buffered > 0 || missing < self.buffer.len() {
                if buffered == 0 {
                    self.refill()?;
                    continue;
                }
                self.reserve(out, buffered)?;
                out.extend_from_slice(&self.buffer[self.pos..self.pos + buffered]);
                self.pos += buffered;
                missing -= buffered;
            } else {
                let piece = missing.min((out.len() - start).max(MIN_PIECE));
                self.direct(piece, out)?;
                missing -= piece;
            }
        }
        Ok(())
    }

    /// What was read ahead and not consumed, and the reader behind it.
    pub(super) fn into_parts(self) -> (Vec<u8>, R) {
        let mut rest = self.buffer.into_vec();
        rest.truncate(self.end);
        rest.drain(..self.pos);
        (rest, self.inner)
    }

    /// Reads `len` bytes past the empty buffer, straight into `out`.
    fn direct(&mut self, len: usize, out: &mut Vec<u8>) -> Result<()> {
        self.sum();
        self.reserve(out, len)?;
        let start = out.len();
        out.resize(start + len, 0);
        if let Err(error) = self.inner.read_exact(&mut out[start..]) {
            return Err(self.error(match error.kind() {
                io::ErrorKind::UnexpectedEof => ErrorKind::UnexpectedEnd,
                _ => ErrorKind::Io(error),
            }));
        }
        if self.checksum {
            self.crc = crc64::update(self.crc, &out[start..]);
        }
        self.before += len as u64;
        Ok(())
    }

    fn reserve(&self, out: &mut Vec<u8>, more: usize) -> Result<()> {
        out.try_reserve(more)
            .map_err(|_| self.error(ErrorKind::StringTooLong(out.len() as u64 + more as u64)))
    }

    /// Reads at least one byte into the buffer, of which everything was consumed.
    fn refill(&mut self) -> Result<()> {
        self.sum();
        self.before += self.pos as u64;
        (self.pos, self.end, self.summed) = (0, 0, 0);
        loop {
            match self.inner.read(&mut self.buffer) {
                Ok(0) => return Err(self.error(ErrorKind::UnexpectedEnd)),
                Ok(len) => {
                    self.end = len.min(self.buffer.len());
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(ErrorKind::Io(error))),
            }
        }
    }

    /// Brings the checksum up to `pos`.
    fn sum(&mut self) {
        if self.checksum {
            self.crc = crc64::update(self.crc, &self.buffer[self.summed..self.pos]);
        }
        self.summed = self.pos;
    }
}

/// The first piece of a long string, in bytes; each further one may double what is there.
const MIN_PIECE: usize = 64 * 1024;
