//! Which ports are scanned.

use std::{fmt, str::FromStr};

use crate::{services::Services, top::top};

/// A set of TCP ports, in ascending order.
///
/// ```
/// # use portscan::Ports;
/// let ports: Ports = "22,80,100-200,8000-8080,https,top:20,!110-119".parse()?;
/// assert!(ports.contains(443) && !ports.contains(110));
/// # Ok::<(), portscan::Error>(())
/// ```
///
/// | expression | ports |
/// |---|---|
/// | `80`, `100-200`, `-1024`, `60000-` | one, a range with both ends included, from 1, to 65535 |
/// | `http` | the port of that name in the system's services file, or else in our own table |
/// | `top:100` | the first 100 of [our own table](crate#ports-by-likelihood) |
/// | `all` or `-` | 1 to 65535 |
/// | `!EXPR` | not those, wherever in the list it stands |
///
/// Port 0 can only be asked for by name of its number: `0`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Ports {
    sorted: Vec<u16>,
}

/// A port expression that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("port {item:?} at column {column}: {problem}")]
#[non_exhaustive]
pub struct PortsError {
    /// The expression as it was written.
    pub item: String,
    /// The column of the first wrong character, from 1, in characters.
    pub column: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl Ports {
    /// All ports from 1 to 65535.
    #[must_use]
    pub fn all() -> Self {
        Self {
            sorted: (1..=u16::MAX).collect(),
        }
    }

    /// The number of ports.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is no port; a parsed set always has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Whether a port is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.sorted.binary_search(&port).is_ok()
    }

    /// The ports in ascending order.
    #[must_use]
    pub fn as_slice(&self) -> &[u16] {
        &self.sorted
    }
}

impl FromIterator<u16> for Ports {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        let mut sorted: Vec<u16> = ports.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self { sorted }
    }
}

impl FromStr for Ports {
    type Err = crate::Error;

    fn from_str(list: &str) -> Result<Self, crate::Error> {
        let mut wanted = vec![false; 1 << 16];
        let mut unwanted = Vec::new();
        let mut at = 0;
        for part in list.split(',') {
            let item = part.trim();
            let column = list[..at].chars().count()
                + part.chars().take_while(|c| c.is_whitespace()).count()
                + 1;
            at += part.len() + 1;
            let bare = item.strip_prefix('!').unwrap_or(item);
            let ports = expand(bare).map_err(|(offset, problem)| PortsError {
                item: item.to_owned(),
                column: column + (item.len() - bare.len()) + offset,
                problem,
            })?;
            if bare.len() < item.len() {
                unwanted.extend(ports);
            } else {
                ports
                    .into_iter()
                    .for_each(|port| wanted[usize::from(port)] = true);
            }
        }
        unwanted
            .into_iter()
            .for_each(|port| wanted[usize::from(port)] = false);
        let sorted: Vec<u16> = (0..=u16::MAX)
            .filter(|&port| wanted[usize::from(port)])
            .collect();
        if sorted.is_empty() {
            return Err(crate::Error::NoPorts);
        }
        Ok(Self { sorted })
    }
}

/// The ports of one expression; a wrong one gives the offset of the first wrong character, in characters, and the problem.
fn expand(item: &str) -> Result<Vec<u16>, (usize, String)> {
    if item.is_empty() {
        return Err((0, "the port is missing".to_owned()));
    }
    if item == "all" || item == "-" {
        return Ok((1..=u16::MAX).collect());
    }
    if let Some(count) = item.strip_prefix("top:") {
        let n = count
            .parse()
            .map_err(|_| (4, format!("{count:?} is not a count of ports")))?;
        if n == 0 {
            return Err((4, "top:0 names no port".to_owned()));
        }
        return top(n)
            .map_err(|most| (4, format!("top:{n} exceeds the {most} ports of the table")));
    }
    if item.contains(|c: char| c.is_ascii_alphabetic()) {
        return match Services::system().port(item) {
            Some(port) => Ok(vec![port]),
            None => Err((0, format!("no service is called {item:?}"))),
        };
    }
    let Some((first, last)) = item.split_once('-') else {
        return Ok(vec![number(item, 0)?]);
    };
    let from = if first.is_empty() {
        1
    } else {
        number(first, 0)?
    };
    let to = if last.is_empty() {
        u16::MAX
    } else {
        number(last, first.len() + 1)?
    };
    if from > to {
        return Err((first.len() + 1, format!("range {from}-{to} runs backwards")));
    }
    Ok((from..=to).collect())
}

fn number(text: &str, at: usize) -> Result<u16, (usize, String)> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err((at, format!("{text:?} is not a port number")));
    }
    text.parse()
        .map_err(|_| (at, format!("port {text} exceeds 65535")))
}

/// Ports as a list of numbers and ranges, such as `22,100-200`.
pub(crate) fn ranges(sorted: &[u16]) -> String {
    let mut out = String::new();
    let mut rest = sorted.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if(|&next| Some(next) == last.checked_add(1)) {
            last = next;
        }
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&first.to_string());
        if last > first {
            out.push('-');
            out.push_str(&last.to_string());
        }
    }
    out
}

impl fmt::Display for Ports {
    /// Writes numbers and ranges, such as `22,100-200`; reads back as the same set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ranges(&self.sorted))
    }
}

impl From<Ports> for String {
    fn from(ports: Ports) -> Self {
        ports.to_string()
    }
}

impl TryFrom<String> for Ports {
    type Error = crate::Error;

    fn try_from(list: String) -> Result<Self, crate::Error> {
        list.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_both_ends() {
        assert_eq!(
            "8000-8003".parse::<Ports>().unwrap().as_slice(),
            [8000, 8001, 8002, 8003]
        );
        assert_eq!(
            "100-200,8000-8080,22-100"
                .parse::<Ports>()
                .unwrap()
                .to_string(),
            "22-200,8000-8080"
        );
        assert_eq!(
            "-3,65534-".parse::<Ports>().unwrap().as_slice(),
            [1, 2, 3, 65534, 65535]
        );
        assert_eq!("all,!2-65535".parse::<Ports>().unwrap().as_slice(), [1]);
        assert_eq!("0".parse::<Ports>().unwrap().as_slice(), [0]);
        assert_eq!("all".parse::<Ports>().unwrap(), Ports::all());
    }

    #[test]
    fn names_and_the_table_are_ports_too() {
        assert_eq!(
            "redis, top:3".parse::<Ports>().unwrap().as_slice(),
            [22, 80, 443, 6379]
        );
    }

    #[test]
    fn a_message_names_the_item_the_column_and_the_problem() {
        #[rustfmt::skip] // a table reads best in columns
        let cases = [
            ("22, 70000",    5, "port 70000 exceeds 65535"),
            ("22,,80",       4, "the port is missing"),
            ("200-100",      5, "range 200-100 runs backwards"),
            ("1-2-3",        3, "\"2-3\" is not a port number"),
            ("22,1-99999",   6, "port 99999 exceeds 65535"),
            ("nosuchname",   1, "no service is called \"nosuchname\""),
            ("top:x",        5, "\"x\" is not a count of ports"),
            ("top:0",        5, "top:0 names no port"),
            ("22,!+5",       5, "\"+5\" is not a port number"),
            ("",             1, "the port is missing"),
        ];
        for (list, column, problem) in cases {
            match list.parse::<Ports>().unwrap_err() {
                crate::Error::Ports(got) => {
                    assert_eq!(
                        (got.column, got.problem.as_str()),
                        (column, problem),
                        "{list}"
                    );
                }
                other => panic!("{list}: {other}"),
            }
        }
        assert!(matches!(
            "22,!22".parse::<Ports>(),
            Err(crate::Error::NoPorts)
        ));
    }
}
