//! How values of parameters are written: memory units, `yes` and `no`, lists.

use super::{OutputLimit, Protection};
use crate::eviction::ClientLimit;

/// Why a value is refused, in Redis's words.
pub(super) type Parsed<T> = Result<T, String>;

pub(super) fn text(value: &[u8]) -> Parsed<&str> {
    std::str::from_utf8(value).map_err(|_| "argument must be valid UTF-8".to_owned())
}

pub(super) fn yes_no(value: &[u8]) -> Parsed<bool> {
    match text(value)? {
        word if word.eq_ignore_ascii_case("yes") => Ok(true),
        word if word.eq_ignore_ascii_case("no") => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".to_owned()),
    }
}

pub(super) fn show_yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// An integer from `min` to `max`.
pub(super) fn integer(value: &[u8], min: u64, max: u64) -> Parsed<u64> {
    let number = text(value)?
        .parse::<i128>()
        .map_err(|_| "argument couldn't be parsed into an integer".to_owned())?;
    match u64::try_from(number) {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(format!(
            "argument must be between {min} and {max} inclusive"
        )),
    }
}

/// An integer that may be negative.
pub(super) fn signed(value: &[u8]) -> Parsed<i32> {
    let number = text(value)?
        .parse::<i64>()
        .map_err(|_| "argument couldn't be parsed into an integer".to_owned())?;
    i32::try_from(number).map_err(|_| {
        format!(
            "argument must be between {} and {} inclusive",
            i32::MIN,
            i32::MAX
        )
    })
}

/// Bytes, with the units of redis.conf: `1k` is 1,000 and `1kb` is 1,024.
pub(super) fn memory(value: &[u8]) -> Parsed<usize> {
    let value = text(value)?.to_ascii_lowercase();
    let digits = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    let unit = match &value[digits..] {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return Err("argument must be a memory value".to_owned()),
    };
    let number = value[..digits]
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| "argument must be a memory value".to_owned())
}

/// Bytes, or a part of `maxmemory` as `5%`.
pub(super) fn client_limit(value: &[u8]) -> Parsed<ClientLimit> {
    let Some(percent) = value.strip_suffix(b"%") else {
        return memory(value)
            .map(ClientLimit::Bytes)
            .map_err(|_| "argument must be a memory or percent value".to_owned());
    };
    let percent = integer(percent, 0, i64::MAX as u64)
        .map_err(|_| "argument must be a memory or percent value".to_owned())?;
    u32::try_from(percent)
        .ok()
        .filter(|&percent| percent <= 100)
        .map(ClientLimit::Percent)
        .ok_or_else(|| "percentage argument must be less or equal to 100".to_owned())
}

pub(super) fn show_client_limit(limit: ClientLimit) -> String {
    match limit {
        ClientLimit::Bytes(bytes) => bytes.to_string(),
        ClientLimit::Percent(percent) => format!("{percent}%"),
    }
}

/// Numbers from 0 to 100.
pub(super) fn percentiles(value: &[u8]) -> Parsed<Vec<f64>> {
    let numbers = text(value)?.split_ascii_whitespace();
    numbers
        .map(|number| {
            let number = resp_codec::number::parse_f64(number.as_bytes())
                .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
            Some(number)
                .filter(|number| (0.0..=100.0).contains(number))
                .ok_or_else(|| {
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                        .to_owned()
                })
        })
        .collect()
}

/// `50 99 99.9`
pub(super) fn show_percentiles(percentiles: &[f64]) -> String {
    let shown = percentiles.iter().map(|&percent| percentile(percent));
    shown.collect::<Vec<_>>().join(" ")
}

/// With at most six digits behind the point.
pub(crate) fn percentile(percent: f64) -> String {
    let text = format!("{percent:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// As [`memory`], for arguments of commands.
pub(crate) fn memory_size(text: &[u8]) -> Option<usize> {
    memory(text).ok()
}

pub(super) fn protection(value: &[u8]) -> Parsed<Protection> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "no" => Ok(Protection::No),
        "yes" => Ok(Protection::Yes),
        "local" => Ok(Protection::Local),
        _ => Err("argument(s) must be one of the following: no, yes, local".to_owned()),
    }
}

pub(super) fn show_protection(protection: Protection) -> String {
    match protection {
        Protection::No => "no",
        Protection::Yes => "yes",
        Protection::Local => "local",
    }
    .to_owned()
}

/// `seconds changes seconds changes ...`; empty for none.
pub(super) fn save_points(value: &[u8]) -> Parsed<Vec<(u64, u64)>> {
    let words: Vec<_> = text(value)?.split_whitespace().collect();
    if words.len() % 2 != 0 {
        return Err("Invalid save parameters".to_owned());
    }
    let pairs = words.chunks_exact(2).map(|pair| {
        let number = |word: &str| {
            word.parse::<u64>()
                .map_err(|_| "Invalid save parameters".to_owned())
        };
        match (number(pair[0])?, number(pair[1])?) {
            (seconds @ 1.., changes) => Ok((seconds, changes)),
            _ => Err("Invalid save parameters".to_owned()),
        }
    });
    pairs.collect()
}

pub(super) fn show_save_points(points: &[(u64, u64)]) -> String {
    let words: Vec<_> = points
        .iter()
        .map(|(seconds, changes)| format!("{seconds} {changes}"))
        .collect();
    words.join(" ")
}

/// `class hard soft seconds` any number of times; calls `set` for each.
pub(super) fn output_limits(
    value: &[u8],
    mut set: impl FnMut(&str, OutputLimit) -> bool,
) -> Parsed<()> {
    let words: Vec<_> = text(value)?.split_whitespace().collect();
    if words.is_empty() || words.len() % 4 != 0 {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    for class in words.chunks_exact(4) {
        let broken = |_| {
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_owned()
        };
        let limit = OutputLimit {
            hard: memory(class[1].as_bytes()).map_err(broken)?,
            soft: memory(class[2].as_bytes()).map_err(broken)?,
            soft_seconds: class[3].parse().map_err(|_| broken(String::new()))?,
        };
        if !set(&class[0].to_ascii_lowercase(), limit) {
            return Err("Invalid client class specified in buffer limit configuration.".to_owned());
        }
    }
    Ok(())
}

pub(super) fn show_output_limit(class: &str, limit: OutputLimit) -> String {
    format!(
        "{class} {} {} {}",
        limit.hard, limit.soft, limit.soft_seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_units_are_those_of_redis_conf() {
        for (given, bytes) in [
            ("7", 7),
            ("7b", 7),
            ("1k", 1_000),
            ("1KB", 1_024),
            ("2mb", 2 << 20),
            ("1G", 1_000_000_000),
        ] {
            assert_eq!(memory(given.as_bytes()), Ok(bytes), "{given}");
        }
        for given in [
            "",
            "k",
            "1x",
            "-1",
            "1.5mb",
            "99999999999999999999",
            "18446744073709551615gb",
        ] {
            assert!(memory(given.as_bytes()).is_err(), "{given}");
        }
    }

    #[test]
    fn save_points_are_pairs() {
        assert_eq!(
            save_points(b"3600 1 300 100"),
            Ok(vec![(3600, 1), (300, 100)])
        );
        assert_eq!(save_points(b""), Ok(vec![]));
        for given in ["1", "0 1", "x 1", "1 -1"] {
            assert!(save_points(given.as_bytes()).is_err(), "{given}");
        }
    }
}
