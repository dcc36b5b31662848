//! Why RDB data could not be read, and where.

use std::fmt;
use std::io;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// An error with the place it was found at.
///
/// The rest of the data cannot be understood after it: drop the reader.
#[derive(Debug)]
pub(crate) struct Error {
    kind: ErrorKind,
    offset: u64,
    key: Option<Box<[u8]>>,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, offset: u64) -> Self {
        Self {
            kind,
            offset,
            key: None,
        }
    }

    /// Adds the key whose value was being read.
    pub(super) fn in_key(mut self, key: &[u8]) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(crate) fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// How many bytes of the file or payload had been consumed when the error was found.
    ///
    /// For an error within a packed encoding that is the end of the packed string; the position within is in the kind.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The key whose value was being read.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)?;
        if let Some(key) = &self.key {
            let shown = &key[..key.len().min(MAX_SHOWN)];
            let more = if shown.len() < key.len() { "..." } else { "" };
            write!(
                f,
                ", in the value of key \"{}{more}\"",
                shown.escape_ascii()
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Io(source) => Some(source),
            _ => None,
        }
    }
}

/// What is wrong with the data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ErrorKind {
    #[error("reading failed")]
    Io(io::Error),
    #[error("the data ends early")]
    UnexpectedEnd,
    #[error("the file does not begin with `REDIS` and a version of four digits")]
    Magic,
    #[error("a field of a hash expires at no time that there is")]
    FieldExpiry,
    #[error("version {version} is outside of the known versions 1 to {max}")]
    Version { version: u32, max: u32 },
    #[error("the checksum is {computed:016x}, not {stored:016x} as stored")]
    Checksum { stored: u64, computed: u64 },
    #[error("unknown opcode or value type {0}")]
    Opcode(u8),
    /// A value or section of a kind that is known and not supported.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    #[error("length with the unknown form {0:#04x}")]
    LengthEncoding(u8),
    #[error("string with the unknown encoding {0}")]
    StringEncoding(u8),
    #[error("string of {0} bytes does not fit the memory of this machine")]
    StringTooLong(u64),
    #[error("bad compressed string of {compressed} for {len} bytes")]
    Lzf { compressed: u64, len: u64 },
    #[error("bad {encoding}: {problem} (its byte {at})")]
    Packed {
        encoding: &'static str,
        problem: &'static str,
        at: usize,
    },
    #[error("quicklist node with the unknown container {0}")]
    Container(u64),
    #[error("bad stream: {0}")]
    Stream(&'static str),
    #[error("score is not a number")]
    Score,
    #[error("the same member or field twice")]
    Duplicate,
    #[error("module data with the unknown opcode {0}")]
    ModuleOpcode(u64),
    /// Only in DUMP payloads.
    #[error("the payload is shorter than its version and checksum")]
    Footer,
    /// Only in DUMP payloads; a file's empty collections are skipped and counted.
    #[error("empty collection")]
    Empty,
    /// Only in DUMP payloads.
    #[error("bytes after the value")]
    TrailingBytes,
}

/// How much of a key is shown, in bytes.
const MAX_SHOWN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_shown_in_part() {
        let error = Error::new(ErrorKind::UnexpectedEnd, 7).in_key(&[b'k'; 129]);
        let shown = "k".repeat(128);
        let expected = format!("the data ends early at byte 7, in the value of key \"{shown}...\"");
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.key().map(<[u8]>::len), Some(129));
    }
}
