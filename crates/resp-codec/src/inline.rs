//! Inline commands: a line of words, quoted as redis-cli quotes them.

use crate::{request::Arg, tape::narrow};

/// Splits the line `start..end` of `buf` into words, which it unquotes in place; `false` if a quote is unbalanced.
///
/// The rules are those of Redis's `sdssplitargs`: words end at blanks; `"..."` knows `\n \r \t \b \a \xHH` and takes
/// any other escaped byte as it is; `'...'` knows `\'` only; a closing quote must be followed by a blank or the end.
pub(crate) fn split(buf: &mut [u8], start: usize, end: usize, args: &mut Vec<Arg>) -> bool {
    let Some(line) = buf.get_mut(start..end) else {
        return true;
    };
    let mut words = Words {
        line,
        read: 0,
        written: 0,
    };
    loop {
        words.skip_blanks();
        if words.peek().is_none() {
            return true;
        }
        words.written = words.read; // never catches up: a word is at most as long as its quoted form
        let from = words.written;
        if !words.word() {
            return false;
        }
        let from_start = start.saturating_add(from);
        args.push(Arg::text(
            narrow(from_start),
            narrow(words.written.saturating_sub(from)),
        ));
    }
}

struct Words<'a> {
    line: &'a mut [u8],
    read: usize,
    /// `written <= read`
    written: usize,
}

impl Words<'_> {
    fn at(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.read.checked_add(ahead)?).copied()
    }

    fn peek(&self) -> Option<u8> {
        self.at(0)
    }

    fn skip(&mut self, bytes: usize) {
        self.read = self.read.saturating_add(bytes);
    }

    fn put(&mut self, byte: u8) {
        if let Some(place) = self.line.get_mut(self.written) {
            *place = byte;
            self.written = self.written.saturating_add(1);
        }
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.skip(1);
        }
    }

    /// Copies one word down; `false` if a quote is unbalanced.
    fn word(&mut self) -> bool {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => return true,
                b'"' => {
                    self.skip(1);
                    return self.double_quoted() && self.closed();
                }
                b'\'' => {
                    self.skip(1);
                    return self.single_quoted() && self.closed();
                }
                other => {
                    self.put(other);
                    self.skip(1);
                }
            }
        }
        true
    }

    /// Copies up to the closing `"`.
    fn double_quoted(&mut self) -> bool {
        while let Some(byte) = self.peek() {
            let escaped = if byte == b'\\' { self.at(1) } else { None };
            match (byte, escaped) {
                (b'"', _) => return true,
                (_, Some(code)) => {
                    let hex = (code == b'x')
                        .then(|| Some((hex(self.at(2)?)?, hex(self.at(3)?)?)))
                        .flatten();
                    if let Some((high, low)) = hex {
                        self.put(high << 4 | low);
                        self.skip(4);
                    } else {
                        self.put(match code {
                            b'n' => b'\n',
                            b'r' => b'\r',
                            b't' => b'\t',
                            b'b' => 8,
                            b'a' => 7,
                            other => other,
                        });
                        self.skip(2);
                    }
                }
                (other, None) => {
                    self.put(other);
                    self.skip(1);
                }
            }
        }
        false
    }

    /// Copies up to the closing `'`.
    fn single_quoted(&mut self) -> bool {
        while let Some(byte) = self.peek() {
            match (byte, self.at(1)) {
                (b'\\', Some(b'\'')) => {
                    self.put(b'\'');
                    self.skip(2);
                }
                (b'\'', _) => return true,
                (other, _) => {
                    self.put(other);
                    self.skip(1);
                }
            }
        }
        false
    }

    /// Passes the closing quote, behind which a blank or the end must stand.
    fn closed(&mut self) -> bool {
        self.skip(1);
        self.peek().is_none_or(is_space)
    }
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
