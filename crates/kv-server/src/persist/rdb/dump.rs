//! The payloads of DUMP and RESTORE: a kind, a value, a version of two bytes, a checksum.

use std::io;

use super::encode::Encoder;
use super::error::{Error, ErrorKind, Result};
use super::object::{Content, Objects};
use super::source::Source;
use super::value::{Build, Collect, RdbValue};
use super::{MAX_VERSION, VERSION, crc64, kind};
use crate::value::Stream;

/// Makes payloads, one after another.
///
/// The only error is `InvalidInput`: an iterator that does not yield exactly `len` elements, or a score that is not a
/// number.
pub(crate) struct Dump {
    encoder: Encoder,
}

impl Dump {
    /// `compress`: whether strings longer than 20 bytes are compressed if that makes them shorter, as with
    /// `rdbcompression yes`.
    pub(crate) fn new(compress: bool) -> Self {
        Self {
            encoder: Encoder::new(compress),
        }
    }

    pub(crate) fn string(&mut self, value: &[u8]) -> io::Result<Vec<u8>> {
        payload(kind::STRING, |out| self.encoder.string(out, value))
    }

    pub(crate) fn list(
        &mut self,
        len: usize,
        elements: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> io::Result<Vec<u8>> {
        payload(kind::LIST, |out| self.encoder.elements(out, len, elements))
    }

    pub(crate) fn set(
        &mut self,
        len: usize,
        members: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> io::Result<Vec<u8>> {
        payload(kind::SET, |out| self.encoder.elements(out, len, members))
    }

    pub(crate) fn hash(
        &mut self,
        len: usize,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) -> io::Result<Vec<u8>> {
        payload(kind::HASH, |out| self.encoder.hash(out, len, fields))
    }

    /// A hash with fields that expire, the first of them at `first`; times are in milliseconds since 1970.
    pub(crate) fn expiring_hash(
        &mut self,
        len: usize,
        first: i64,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>, Option<i64>)>,
    ) -> io::Result<Vec<u8>> {
        payload(kind::HASH_METADATA, |out| {
            self.encoder.expiring_hash(out, len, first, fields)
        })
    }

    pub(crate) fn zset(
        &mut self,
        len: usize,
        members: impl IntoIterator<Item = (impl AsRef<[u8]>, f64)>,
    ) -> io::Result<Vec<u8>> {
        payload(kind::ZSET_2, |out| self.encoder.zset(out, len, members))
    }

    pub(crate) fn stream(&mut self, stream: &Stream) -> io::Result<Vec<u8>> {
        payload(kind::STREAM_2, |out| self.encoder.stream(out, stream))
    }
}

/// Reads a payload into a value of the caller's.
///
/// # Errors
///
/// [`Footer`](ErrorKind::Footer), [`Version`](ErrorKind::Version) and [`Checksum`](ErrorKind::Checksum) are found
/// before `build` is touched (Redis: "DUMP payload version or checksum are wrong"); all others are about the value
/// ("Bad data format"), among them [`Empty`](ErrorKind::Empty).
pub(crate) fn restore<B: Build>(payload: &[u8], build: &mut B) -> Result<B::Value> {
    let body = verify(payload)?;
    let mut source = Source::new(body, body.len().min(BUFFER));
    source.ignore_checksum();
    let kind = source.byte()?;
    let content = Objects::default().read(kind, &mut source, build)?;
    if source.offset() != body.len() as u64 {
        return Err(source.error(ErrorKind::TrailingBytes));
    }
    if content == Content::Empty {
        return Err(source.error(ErrorKind::Empty));
    }
    Ok(build.finish())
}

/// Like [`restore`], with a plain value.
pub(crate) fn restore_value(payload: &[u8]) -> Result<RdbValue> {
    restore(payload, &mut Collect::new())
}

/// Checks the end of a payload and returns what stands before it.
fn verify(payload: &[u8]) -> Result<&[u8]> {
    let error = |kind| Error::new(kind, payload.len() as u64);
    let Some((summed, stored)) = payload.split_last_chunk() else {
        return Err(error(ErrorKind::Footer));
    };
    let Some((body, version)) = summed.split_last_chunk() else {
        return Err(error(ErrorKind::Footer));
    };
    let version = u16::from_le_bytes(*version);
    if version > MAX_VERSION {
        let (version, max) = (version.into(), MAX_VERSION.into());
        return Err(error(ErrorKind::Version { version, max }));
    }
    let (stored, computed) = (u64::from_le_bytes(*stored), crc64::update(0, summed));
    if stored != computed {
        return Err(error(ErrorKind::Checksum { stored, computed }));
    }
    Ok(body)
}

fn payload(kind: u8, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let mut out = vec![kind];
    write(&mut out)?;
    out.extend_from_slice(&VERSION.to_le_bytes());
    let crc = crc64::update(0, &out);
    out.extend_from_slice(&crc.to_le_bytes());
    Ok(out)
}

const BUFFER: usize = 64 * 1024;
