//! The syntax of redis.conf: a directive a line, words with quotes, comments; and the same on a command line.

use resp_codec::{Limits, RequestDecoder};

use crate::error::Error;

/// One line of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// In lower case.
    pub name: String,
    /// The words behind it, unquoted.
    pub args: Vec<Vec<u8>>,
}

/// The directives of a configuration file; each goes to [`Builder::directive`](crate::Builder::directive) or to the program.
///
/// Blank lines and lines that begin with `#` are left out. Words may be quoted as in redis-cli: `"a\x00b"`, `'it\'s'`.
///
/// # Errors
///
/// [`Error::Config`] names the first line that is none.
pub fn directives(text: &str) -> Result<Vec<Directive>, Error> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let broken = || Error::Config(format!("line {number} is no directive"));
        let mut words = words(line).ok_or_else(broken)?.into_iter();
        let name = words.next().ok_or_else(broken)?;
        let name = String::from_utf8_lossy(&name).to_lowercase();
        found.push(Directive {
            name,
            args: words.collect(),
        });
    }
    Ok(found)
}

/// The words of a line, unquoted: the syntax is that of an inline command.
fn words(line: &str) -> Option<Vec<Vec<u8>>> {
    if !line.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let mut line = [line.as_bytes(), b"\r\n"].concat();
    let mut args = Vec::new();
    RequestDecoder::new(Limits {
        inline_bytes: line.len(),
        ..Limits::server()
    })
    .decode(&mut line, &mut args)
    .ok()??;
    Some(args.into_iter().map(|arg| arg.of(&line).to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_words_behind_a_name() {
        let text =
            "# comment\n\nPort 6379\nsave 3600 1 300 100\nrequirepass \"foo \\x41\"\nsave ''\n";
        let found = directives(text).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|found| {
                format!(
                    "{}={}",
                    found.name,
                    String::from_utf8_lossy(&found.args.join(&b'|'))
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "port=6379",
                "save=3600|1|300|100",
                "requirepass=foo A",
                "save="
            ]
        );
        let error = directives("a b\nc 'd").unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid configuration: line 2 is no directive"
        );
    }
}
