//! Values in the plain encodings, as files and DUMP payloads hold them.

use std::io::{self, Write};

use super::string::Strings;
use super::{length, stream};
use crate::value::Stream;

/// Writes values without their kind and key.
///
/// The methods for collections fail with `InvalidInput` if the iterator does not yield exactly `len` elements, because
/// nothing behind them could be read.
pub(super) struct Encoder {
    strings: Strings,
}

impl Encoder {
    pub(super) fn new(compress: bool) -> Self {
        Self {
            strings: Strings::new(compress),
        }
    }

    pub(super) fn string(&mut self, out: &mut impl Write, string: &[u8]) -> io::Result<()> {
        self.strings.write(out, string)
    }

    /// A list or a set.
    pub(super) fn elements(
        &mut self,
        out: &mut impl Write,
        len: usize,
        elements: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> io::Result<()> {
        length::write(out, len as u64)?;
        let mut count = 0;
        for element in elements {
            self.strings.write(out, element.as_ref())?;
            count += 1;
        }
        check_count(len, count)
    }

    pub(super) fn hash(
        &mut self,
        out: &mut impl Write,
        len: usize,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) -> io::Result<()> {
        length::write(out, len as u64)?;
        let mut count = 0;
        for (field, value) in fields {
            self.strings.write(out, field.as_ref())?;
            self.strings.write(out, value.as_ref())?;
            count += 1;
        }
        check_count(len, count)
    }

    pub(super) fn stream(&mut self, out: &mut impl Write, stream: &Stream) -> io::Result<()> {
        stream::write(&mut self.strings, out, stream)
    }

    /// When fields expire is written as the distance from `first`, plus one, or as 0 for never.
    pub(super) fn expiring_hash(
        &mut self,
        out: &mut impl Write,
        len: usize,
        first: i64,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>, Option<i64>)>,
    ) -> io::Result<()> {
        out.write_all(&first.to_le_bytes())?;
        length::write(out, len as u64)?;
        let mut count = 0;
        for (field, value, expire_ms) in fields {
            let ttl = expire_ms.map_or(0, |at| at.saturating_sub(first).saturating_add(1).max(1));
            length::write(out, ttl.unsigned_abs())?;
            self.strings.write(out, field.as_ref())?;
            self.strings.write(out, value.as_ref())?;
            count += 1;
        }
        check_count(len, count)
    }

    /// Fails with `InvalidInput` also for a score that is not a number, which no Redis would load.
    pub(super) fn zset(
        &mut self,
        out: &mut impl Write,
        len: usize,
        members: impl IntoIterator<Item = (impl AsRef<[u8]>, f64)>,
    ) -> io::Result<()> {
        length::write(out, len as u64)?;
        let mut count = 0;
        for (member, score) in members {
            if score.is_nan() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "score is not a number",
                ));
            }
            self.strings.write(out, member.as_ref())?;
            out.write_all(&score.to_le_bytes())?;
            count += 1;
        }
        check_count(len, count)
    }
}

fn check_count(announced: usize, written: usize) -> io::Result<()> {
    if announced == written {
        return Ok(());
    }
    let message = format!("collection of {announced} elements yielded {written}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}
