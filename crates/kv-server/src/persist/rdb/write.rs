//! RDB files, written key by key.

use std::io::{self, Write};

use super::encode::Encoder;
use super::{VERSION, crc64, kind, length, opcode};
use crate::keyspace::usage::Used;
use crate::value::Stream;

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Whether strings longer than 20 bytes are compressed if that makes them shorter. Default: yes, as
    /// `rdbcompression`.
    pub(crate) compress: bool,
    /// Whether the file ends with its checksum, or with zeros for "none". Default: yes, as `rdbchecksum`.
    pub(crate) checksum: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            compress: true,
            checksum: true,
        }
    }
}

/// Writes a file of [`VERSION`]: the header, any [`aux`](Self::aux) fields, then for each database
/// [`database`](Self::database) and its keys, and [`finish`](Self::finish).
///
/// Buffers by itself. After an error the file is of no use.
/// Collections take the number of their elements and an iterator that yields as many; any other number is an error of
/// kind `InvalidInput`. Redis skips empty collections when it loads them.
/// `expire_ms` is in milliseconds since 1970.
pub(crate) struct Writer<W> {
    out: Output<W>,
    encoder: Encoder,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(inner: W, options: Options) -> io::Result<Self> {
        let mut out = Output::new(inner, options.checksum);
        write!(out, "REDIS{VERSION:04}")?;
        let encoder = Encoder::new(options.compress);
        Ok(Self { out, encoder })
    }

    /// A fact about the file. Redis writes `redis-ver`, `redis-bits`, `ctime` (in seconds) and `used-mem` (in bytes).
    pub(crate) fn aux(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        self.out.write_all(&[opcode::AUX])?;
        self.encoder.string(&mut self.out, name.as_bytes())?;
        self.encoder.string(&mut self.out, value)
    }

    /// Begins database `db`, with the number of its keys and of those among them that expire, for whoever loads them to
    /// prepare. Databases without keys are left out.
    pub(crate) fn database(&mut self, db: u64, keys: u64, expires: u64) -> io::Result<()> {
        self.out.write_all(&[opcode::SELECT_DB])?;
        length::write(&mut self.out, db)?;
        self.out.write_all(&[opcode::RESIZE_DB])?;
        length::write(&mut self.out, keys)?;
        length::write(&mut self.out, expires)
    }

    /// How the key that follows was used.
    pub(crate) fn used(&mut self, used: Used) -> io::Result<()> {
        match used {
            Used::Idle(seconds) => {
                self.out.write_all(&[opcode::IDLE])?;
                length::write(&mut self.out, seconds.into())
            }
            Used::Count(count) => self.out.write_all(&[opcode::FREQ, count]),
        }
    }

    pub(crate) fn string(
        &mut self,
        key: &[u8],
        expire_ms: Option<i64>,
        value: &[u8],
    ) -> io::Result<()> {
        self.key(kind::STRING, key, expire_ms)?;
        self.encoder.string(&mut self.out, value)
    }

    pub(crate) fn list(
        &mut self,
        key: &[u8],
        expire_ms: Option<i64>,
        len: usize,
        elements: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> io::Result<()> {
        self.key(kind::LIST, key, expire_ms)?;
        self.encoder.elements(&mut self.out, len, elements)
    }

    pub(crate) fn set(
        &mut self,
        key: &[u8],
        expire_ms: Option<i64>,
        len: usize,
        members: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> io::Result<()> {
        self.key(kind::SET, key, expire_ms)?;
        self.encoder.elements(&mut self.out, len, members)
    }

    pub(crate) fn hash(
        &mut self,
        key: &[u8],
        expire_ms: Option<i64>,
        len: usize,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) -> io::Result<()> {
        self.key(kind::HASH, key, expire_ms)?;
        self.encoder.hash(&mut self.out, len, fields)
    }

    /// A hash with fields that expire, the first of them at `first`; times are in milliseconds since 1970.
    pub(crate) fn expiring_hash(
        &mut self,
        key: &[u8],
        expire_ms: Option<i64>,
        len: usize,
        first: i64,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>, Option<i64>)>,
    ) -> io::Result<()> {
        self.key(kind::HASH_METADATA, key, expire_ms)?;
        self.encoder
            .expiring_hash(&mut self.out, len, first, fields)
    }

    /// A score that is not a number is an error of kind `InvalidInput`.
    pub(crate) fn zset(
        &mut self,
        key: &[u8],
        expire_ms: Option<i64>,
        len: usize,
        members: impl IntoIterator<Item = (impl AsRef<[u8]>, f64)>,
    ) -> io::Result<()> {
        self.key(kind::ZSET_2, key, expire_ms)?;
        self.encoder.zset(&mut self.out, len, members)
    }

    pub(crate) fn stream(
        &mut self,
        key: &[u8],
        expire_ms: Option<i64>,
        stream: &Stream,
    ) -> io::Result<()> {
        self.key(kind::STREAM_2, key, expire_ms)?;
        self.encoder.stream(&mut self.out, stream)
    }

    /// Ends the file, flushes `inner` and returns it; making the bytes durable is the caller's.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[opcode::EOF])?;
        self.out.finish()
    }

    fn key(&mut self, kind: u8, key: &[u8], expire_ms: Option<i64>) -> io::Result<()> {
        if let Some(expire_ms) = expire_ms {
            self.out.write_all(&[opcode::EXPIRE_MS])?;
            self.out.write_all(&expire_ms.to_le_bytes())?;
        }
        self.out.write_all(&[kind])?;
        self.encoder.string(&mut self.out, key)
    }
}

/// A buffer that knows the checksum of what passed through it.
struct Output<W> {
    inner: W,
    buffer: Vec<u8>,
    /// Of everything already written to `inner`.
    crc: u64,
    checksum: bool,
}

impl<W: Write> Output<W> {
    fn new(inner: W, checksum: bool) -> Self {
        Self {
            inner,
            buffer: Vec::with_capacity(BUFFER),
            crc: 0,
            checksum,
        }
    }

    fn finish(mut self) -> io::Result<W> {
        self.write_buffer()?;
        self.inner.write_all(&self.crc.to_le_bytes())?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        if self.checksum {
            self.crc = crc64::update(self.crc, &self.buffer);
        }
        self.inner.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.write_buffer()?;
            if bytes.len() >= BUFFER {
                if self.checksum {
                    self.crc = crc64::update(self.crc, bytes);
                }
                return self.inner.write_all(bytes);
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_buffer()?;
        self.inner.flush()
    }
}

const BUFFER: usize = 64 * 1024;
