//! Strings: plain, as an integer of 1, 2 or 4 bytes, or compressed.

use std::io::{self, Read, Write};

use super::error::{ErrorKind, Result};
use super::length::{self, Length};
use super::packed::IntBuf;
use super::source::Source;
use crate::lzf;

impl<R: Read> Source<R> {
    /// Replaces `out` by the next string.
    ///
    /// `out` takes memory as the bytes arrive: at most 88 times the bytes read, and 64 KiB.
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        match self.length_or_encoding()? {
            Length::Plain(len) => self.bytes(len, out),
            Length::Encoded(ENC_INT8) => put_int(i8::from_le_bytes(self.array()?).into(), out),
            Length::Encoded(ENC_INT16) => put_int(i16::from_le_bytes(self.array()?).into(), out),
            Length::Encoded(ENC_INT32) => put_int(i32::from_le_bytes(self.array()?).into(), out),
            Length::Encoded(ENC_LZF) => self.compressed_string(out),
            Length::Encoded(other) => Err(self.error(ErrorKind::StringEncoding(other))),
        }
    }

    pub(super) fn owned_string(&mut self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.string(&mut out)?;
        Ok(out)
    }

    fn compressed_string(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let compressed = self.length()?;
        let len = self.length()?;
        let mut input = std::mem::take(&mut self.compressed);
        input.clear();
        self.bytes(compressed, &mut input)?;
        let done = usize::try_from(len)
            .ok()
            .and_then(|len| lzf::decompress(&input, len, out));
        input.shrink_to(KEPT);
        self.compressed = input;
        done.ok_or_else(|| self.error(ErrorKind::Lzf { compressed, len }))
    }
}

/// Writes strings, each in the form Redis would choose.
pub(super) struct Strings {
    /// Made at the first string long enough for it.
    compressor: Option<lzf::Compressor>,
    compress: bool,
    compressed: Vec<u8>,
}

impl Strings {
    /// `compress`: whether strings longer than 20 bytes are compressed if that makes them shorter.
    pub(super) fn new(compress: bool) -> Self {
        Self {
            compressor: None,
            compress,
            compressed: Vec::new(),
        }
    }

    pub(super) fn write(&mut self, out: &mut impl Write, string: &[u8]) -> io::Result<()> {
        if let Some(number) = canonical_i32(string) {
            return write_int(out, number);
        }
        if self.compress && string.len() > MAX_NEVER_COMPRESSED {
            let compressor = self.compressor.get_or_insert_with(lzf::Compressor::new);
            if compressor.compress(string, &mut self.compressed) {
                out.write_all(&[ENCODED | ENC_LZF])?;
                length::write(out, self.compressed.len() as u64)?;
                length::write(out, string.len() as u64)?;
                out.write_all(&self.compressed)?;
                self.compressed.shrink_to(KEPT);
                return Ok(());
            }
        }
        length::write(out, string.len() as u64)?;
        out.write_all(string)
    }
}

fn put_int(number: i64, out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(IntBuf::new().format(number));
    Ok(())
}

fn write_int(out: &mut impl Write, number: i32) -> io::Result<()> {
    if let Ok(number) = i8::try_from(number) {
        out.write_all(&[ENCODED | ENC_INT8, number.to_le_bytes()[0]])
    } else if let Ok(number) = i16::try_from(number) {
        let [low, high] = number.to_le_bytes();
        out.write_all(&[ENCODED | ENC_INT16, low, high])
    } else {
        out.write_all(&[ENCODED | ENC_INT32])?;
        out.write_all(&number.to_le_bytes())
    }
}

/// The number that `string` writes exactly as Redis would print it.
fn canonical_i32(string: &[u8]) -> Option<i32> {
    let (negative, digits) = match string {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 10 => {}
        _ => return None,
    }
    let mut number = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    i32::try_from(if negative { -number } else { number }).ok()
}

/// The upper two bits of a length field that holds an encoding.
const ENCODED: u8 = 0xc0;
const ENC_INT8: u8 = 0;
const ENC_INT16: u8 = 1;
const ENC_INT32: u8 = 2;
const ENC_LZF: u8 = 3;
/// The longest string that Redis never tries to compress, in bytes.
const MAX_NEVER_COMPRESSED: usize = 20;
/// Bytes of scratch space kept after a string that needed more.
pub(super) const KEPT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(string: &[u8], compress: bool) -> Vec<u8> {
        let mut out = Vec::new();
        Strings::new(compress)
            .write(&mut out, string)
            .expect("a Vec takes everything");
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>> {
        Source::new(bytes, 16).owned_string()
    }

    #[test]
    fn integers_take_the_fewest_bytes() {
        assert_eq!(written(b"0", true), b"\xc0\x00");
        assert_eq!(written(b"-128", true), b"\xc0\x80");
        assert_eq!(written(b"128", true), b"\xc1\x80\x00");
        assert_eq!(written(b"-32768", true), b"\xc1\x00\x80");
        assert_eq!(written(b"32768", true), b"\xc2\x00\x80\x00\x00");
        assert_eq!(written(b"-2147483648", true), b"\xc2\x00\x00\x00\x80");
    }

    #[test]
    fn what_only_looks_like_an_integer_stays_as_it_is() {
        let strings: [&[u8]; 8] = [
            b"",
            b"-",
            b"-0",
            b"00",
            b"+1",
            b"2147483648",
            b"-2147483649",
            b"1 ",
        ];
        for string in strings {
            assert_eq!(
                written(string, true)[1..],
                *string,
                "{}",
                string.escape_ascii()
            );
        }
    }

    #[test]
    fn strings_longer_than_twenty_bytes_are_compressed_on_request() {
        assert_eq!(written(&[b'a'; 20], true).len(), 21);
        assert_eq!(written(&[b'a'; 21], true), b"\xc3\x05\x15\x00a\xe0\x0b\x00");
        assert_eq!(written(&[b'a'; 21], false).len(), 22);
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let mut out = Vec::new();
        let announced = b"\x81\x00\x00\x00\x7f\xff\xff\xff\xffabc";
        let error = Source::new(&announced[..], 4_096)
            .string(&mut out)
            .expect_err("three bytes");
        assert!(matches!(error.kind(), ErrorKind::UnexpectedEnd), "{error}");
        assert!(
            out.capacity() <= 2 * KEPT,
            "{} bytes reserved",
            out.capacity()
        );

        let compressed = b"\xc3\x02\x80\xff\xff\xff\xff\x00a";
        let error = Source::new(&compressed[..], 4_096)
            .string(&mut out)
            .expect_err("one byte");
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Lzf {
                    len: 0xffff_ffff,
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            out.capacity() <= 2 * KEPT,
            "{} bytes reserved",
            out.capacity()
        );
    }

    #[test]
    fn a_string_longer_than_every_buffer_arrives_whole() {
        let long: Vec<u8> = (0..=250).cycle().take(1_000_000).collect();
        assert_eq!(read(&written(&long, false)).expect("our own output"), long);
        assert_eq!(read(&written(&long, true)).expect("our own output"), long);
    }

    proptest! {
        #[test]
        fn every_string_comes_back(string: Vec<u8>, number: i32, compress: bool) {
            prop_assert_eq!(read(&written(&string, compress)).expect("our own output"), string);
            let number = number.to_string();
            let bytes = written(number.as_bytes(), compress);
            prop_assert!(bytes.len() <= 5);
            prop_assert_eq!(read(&bytes).expect("our own output"), number.as_bytes());
        }
    }
}
