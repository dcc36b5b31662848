//! Which addresses are scanned: the parsed expressions, and the resolved, lazily indexed addresses.

mod expr;
mod range;
mod resolve;
mod zone;

use std::{fmt, io::BufRead, str::FromStr};

pub(crate) use range::{Block, RangeSet};
pub use resolve::{Addresses, Target};

use expr::Item;

/// What to scan, as it was written: addresses, CIDR blocks, ranges and host names, and what to leave out.
///
/// Expressions stand in a list separated by commas or blanks; `!` before one leaves it out:
///
/// ```
/// # use portscan::Targets;
/// let targets: Targets = "10.0.0.0/24 10.0.1-3.1-9, db.example, 2001:db8::1-2001:db8::ff !10.0.0.254".parse()?;
/// # Ok::<(), portscan::Error>(())
/// ```
///
/// | expression | addresses |
/// |---|---|
/// | `192.0.2.7`, `2001:db8::7` | one |
/// | `192.0.2.0/24`, `2001:db8::/120` | a CIDR block, its first and last address included |
/// | `192.0.2.1-9`, `10.0.0-3.1-9`, `10.0.0,1.*` without the comma | a number, a range or `*` in each place |
/// | `192.0.2.250-192.0.3.5`, `2001:db8::1-2001:db8::ff` | from one address to another |
/// | `fe80::1%eth0`, `fe80::%eth0/120`, `fe80::1-fe80::9%eth0` | link-local addresses behind an interface, by its name or its number |
/// | `host.example` | all addresses of the name, or the first one; see [`Scanner::first_address_only`](crate::Scanner::first_address_only) |
///
/// An address that is named twice is scanned once. Nothing is expanded: a block costs the same memory as one address.
///
/// A link-local address needs its zone, and one scan asks for it in one zone only. One that is left out without a zone is left out of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    include: Vec<Item>,
    exclude: Vec<Item>,
}

/// The names of the parts of an input, for messages: which item of which list, and the column within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, if the item stood in one.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: usize,
    /// The column of the item's first wrong character, from 1, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{file}:{}:{}", self.line, self.column),
            None => write!(f, "column {}", self.column),
        }
    }
}

/// A target expression that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("target {item:?} at {place}: {problem}")]
#[non_exhaustive]
pub struct TargetError {
    /// The expression as it was written.
    pub item: String,
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub problem: String,
}

impl Targets {
    /// No targets yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the expressions of a list.
    ///
    /// # Errors
    ///
    /// The first expression that cannot be understood; nothing is added then.
    pub fn add(&mut self, list: &str) -> Result<&mut Self, TargetError> {
        let mut parsed = Self::default();
        parsed.read_line(list, None, 1, false)?;
        self.include.append(&mut parsed.include);
        self.exclude.append(&mut parsed.exclude);
        Ok(self)
    }

    /// Leaves out the expressions of a list.
    ///
    /// # Errors
    ///
    /// The first expression that cannot be understood; nothing is left out then.
    pub fn exclude(&mut self, list: &str) -> Result<&mut Self, TargetError> {
        let mut parsed = Self::default();
        parsed.read_line(list, None, 1, true)?;
        self.exclude.append(&mut parsed.exclude);
        Ok(self)
    }

    /// Adds (or, with `exclude`, leaves out) the expressions of a file: lists on lines, `#` starts a comment.
    ///
    /// `name` is what messages call the file.
    ///
    /// # Errors
    ///
    /// The first expression that cannot be understood, or [`Error::Read`](crate::Error::Read).
    pub fn read(
        &mut self,
        input: impl BufRead,
        name: &str,
        exclude: bool,
    ) -> Result<&mut Self, crate::Error> {
        let mut parsed = Self::default();
        for (number, line) in input.lines().enumerate() {
            let line = line.map_err(|source| crate::Error::Read {
                what: name.to_owned(),
                source,
            })?;
            let line = line.split('#').next().unwrap_or_default();
            parsed.read_line(line, Some(name), number + 1, exclude)?;
        }
        self.include.append(&mut parsed.include);
        self.exclude.append(&mut parsed.exclude);
        Ok(self)
    }

    /// Whether nothing is to be scanned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.include.is_empty()
    }

    fn read_line(
        &mut self,
        line: &str,
        file: Option<&str>,
        number: usize,
        exclude: bool,
    ) -> Result<(), TargetError> {
        for (start, item) in items(line) {
            let bare = item.strip_prefix('!').unwrap_or(item);
            let parsed = expr::parse(bare).map_err(|error| TargetError {
                item: item.to_owned(),
                place: Place {
                    file: file.map(str::to_owned),
                    line: number,
                    column: line[..start + (item.len() - bare.len()) + error.at]
                        .chars()
                        .count()
                        + 1,
                },
                problem: error.problem,
            })?;
            if exclude || bare.len() < item.len() {
                self.exclude.push(parsed);
            } else {
                self.include.push(parsed);
            }
        }
        Ok(())
    }
}

impl FromStr for Targets {
    type Err = crate::Error;

    /// Reads a list that names at least one target.
    fn from_str(list: &str) -> Result<Self, crate::Error> {
        let mut targets = Self::new();
        targets.add(list)?;
        if targets.is_empty() {
            return Err(crate::Error::NoTargets);
        }
        Ok(targets)
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sep = "";
        for (mark, item) in self
            .include
            .iter()
            .map(|i| ("", i))
            .chain(self.exclude.iter().map(|i| ("!", i)))
        {
            write!(f, "{sep}{mark}{item}")?;
            sep = " ";
        }
        Ok(())
    }
}

/// The items of a list with their byte offsets.
fn items(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    line.split(|c: char| c == ',' || c.is_whitespace())
        .filter_map(move |item| {
            let start = line[at..].find(item).map_or(at, |skip| at + skip);
            at = start + item.len();
            (!item.is_empty()).then_some((start, item))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(list: &str) -> TargetError {
        Targets::new().add(list).unwrap_err()
    }

    #[test]
    fn a_message_names_the_item_the_column_and_the_problem() {
        #[rustfmt::skip] // a table reads best in columns
        let cases = [
            ("10.0.0.1, 10.0.0.300", 18, "octet 300 exceeds 255"),
            ("10.0.0.0/33", 10, "prefix length 33 exceeds 32"),
            ("2001:db8::/129", 12, "prefix length 129 exceeds 128"),
            ("10.0.0.9-1", 8, "range 9-1 runs backwards"),
            ("10.0.0.9-10.0.0.1", 10, "range runs backwards"),
            ("10.0.0", 1, "an IPv4 address has 4 octets, not 3"),
            ("10.0.0.", 8, "an octet is missing"),
            ("10.0.0.0/", 10, "the prefix length is missing"),
            ("10.0.0.0/2x", 10, "\"2x\" is not a prefix length"),
            ("10.0.0.1/33/4", 10, "\"33/4\" is not a prefix length"),
            ("bad_host!", 9, "a host name has no '!'"),
            ("-a.example", 1, "a label of a host name does not begin or end with '-'"),
            ("a..example", 3, "a label of a host name is empty"),
            ("1:2:3", 1, "\"1:2:3\" is not an IPv6 address"),
            ("fe80::1%", 9, "the zone is missing"),
            ("fe80::1%eth0/129", 14, "prefix length 129 exceeds 128"),
            ("fe80::1%eth0-fe80::9%eth0", 18, "a zone has no ':'; it stands at the end, once"),
            ("fe80::1%a_name_of_16_let", 9, "a zone has at most 15 characters"),
            ("2001:db8::1%eth0", 1, "only link-local addresses, those of fe80::/10, have a zone"),
            ("10.0.0.1%eth0", 1, "only link-local addresses, those of fe80::/10, have a zone"),
            ("fe00::/8%eth0", 1, "only link-local addresses, those of fe80::/10, have a zone"),
            ("!", 2, "the target is missing"),
            ("http://a.example/", 1, "this is a URL; give its host name only"),
            ("10.0.0.1:80", 9, "a target has no port; ports are given apart"),
        ];
        for (list, column, problem) in cases {
            let got = error(list);
            assert_eq!(
                (got.place.column, got.problem.as_str()),
                (column, problem),
                "{list}"
            );
        }
    }

    #[test]
    fn a_message_about_a_file_names_the_file_and_the_line() {
        let input = "10.0.0.1 # the gateway\n\n10.0.0.2 10.0.0.999\n";
        let error = Targets::new()
            .read(input.as_bytes(), "hosts.txt", false)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "target \"10.0.0.999\" at hosts.txt:3:17: octet 999 exceeds 255"
        );
    }

    #[test]
    fn nothing_is_added_by_a_list_with_a_mistake() {
        let mut targets = Targets::new();
        targets.add("10.0.0.1 10.0.0.256").unwrap_err();
        assert!(targets.is_empty());
    }

    #[test]
    fn the_written_form_reads_back_as_the_same() {
        let text = "10.0.0.0/24 10.0.0-3.1-9 db.example 2001:db8::1-2001:db8::ff 10.1.*.1 \
                    fe80::1%eth0.7 fe80::%br-0/120 fe80::1-fe80::9%2 !10.0.0.254 !fe80::1%eth1";
        let targets: Targets = text.parse().unwrap();
        assert_eq!(targets.to_string().parse::<Targets>().unwrap(), targets);
    }
}
