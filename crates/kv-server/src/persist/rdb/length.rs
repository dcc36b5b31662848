//! Lengths: one to nine bytes, the upper two bits of the first say how many, or that something else follows.

use std::io::{self, Read, Write};

use super::error::{ErrorKind, Result};
use super::source::Source;

/// What a length field holds.
pub(super) enum Length {
    Plain(u64),
    /// A string in one of the special encodings, see `string.rs`.
    Encoded(u8),
}

impl<R: Read> Source<R> {
    pub(super) fn length_or_encoding(&mut self) -> Result<Length> {
        let first = self.byte()?;
        let low = first & 0x3f;
        Ok(Length::Plain(match first >> 6 {
            0 => u64::from(low),
            1 => u64::from(u16::from_be_bytes([low, self.byte()?])),
            2 => match first {
                LEN_32 => u64::from(u32::from_be_bytes(self.array()?)),
                LEN_64 => u64::from_be_bytes(self.array()?),
                _ => return Err(self.error(ErrorKind::LengthEncoding(first))),
            },
            _ => return Ok(Length::Encoded(low)),
        }))
    }

    pub(super) fn length(&mut self) -> Result<u64> {
        match self.length_or_encoding()? {
            Length::Plain(len) => Ok(len),
            Length::Encoded(encoding) => {
                Err(self.error(ErrorKind::LengthEncoding(0xc0 | encoding)))
            }
        }
    }
}

/// Writes a length in its shortest form.
#[expect(
    clippy::cast_possible_truncation,
    reason = "each arm's range fits the type it casts to"
)]
pub(super) fn write(out: &mut impl Write, len: u64) -> io::Result<()> {
    match len {
        0..=0x3f => out.write_all(&[len as u8]),
        0x40..=0x3fff => out.write_all(&(0x4000 | len as u16).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.write_all(&[LEN_32])?;
            out.write_all(&(len as u32).to_be_bytes())
        }
        _ => {
            out.write_all(&[LEN_64])?;
            out.write_all(&len.to_be_bytes())
        }
    }
}

const LEN_32: u8 = 0x80;
const LEN_64: u8 = 0x81;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_is_written_in_its_shortest_form_and_read_back() {
        let sizes = [
            (0, 1),
            (63, 1),
            (64, 2),
            (16_383, 2),
            (16_384, 5),
            (u64::from(u32::MAX), 5),
            (u64::from(u32::MAX) + 1, 9),
            (u64::MAX, 9),
        ];
        for (len, size) in sizes {
            let mut bytes = Vec::new();
            write(&mut bytes, len).expect("a Vec takes everything");
            assert_eq!(bytes.len(), size, "length {len}");
            let read = Source::new(&bytes[..], 16).length().expect("a length");
            assert_eq!(read, len);
        }
    }

    #[test]
    fn unknown_forms_are_errors() {
        for first in [0x82, 0xbf, 0xc0, 0xff] {
            let error = Source::new(&[first, 0, 0, 0, 0][..], 16)
                .length()
                .expect_err("not a length");
            assert!(
                matches!(error.kind(), ErrorKind::LengthEncoding(byte) if *byte == first),
                "{error}"
            );
        }
    }
}
