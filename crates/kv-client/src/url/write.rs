//! A configuration as a URL.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::options::{PROTOCOLS, READ_FROM, RETRIES};
use crate::cache::Caching;
use crate::config::{Address, Config, Credentials, CredentialsProvider};

fn encode(out: &mut impl fmt::Write, text: &str, also: &[u8]) -> fmt::Result {
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte) {
            out.write_char(char::from(byte))?;
        } else {
            write!(out, "%{byte:02X}")?;
        }
    }
    Ok(())
}

/// The URL of this configuration, without the password; reading it gives the same configuration otherwise, with times
/// rounded up to whole milliseconds.
///
/// An address of the caller's own (see [`Config::connector`]) has no URL; its description is shown instead.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = |f: &mut fmt::Formatter<'_>| match self
            .credentials
            .as_ref()
            .and_then(CredentialsProvider::fixed)
            .and_then(Credentials::user)
        {
            Some(user) => {
                encode(f, user, b"")?;
                f.write_char('@')
            }
            None => Ok(()),
        };
        let mut options = Options { first: true };
        let secure = if self.uses_tls() { "s" } else { "" };
        match &self.address {
            Address::Tcp { host, port } => {
                write!(f, "redis{secure}://")?;
                user(f)?;
                write_host(f, host, *port)?;
                if self.db != 0 {
                    write!(f, "/{}", self.db)?;
                }
            }
            Address::Unix(path) => {
                f.write_str("redis+unix://")?;
                user(f)?;
                encode(f, &path.to_string_lossy(), b"/")?;
                if self.db != 0 {
                    options.write(f, "db", &self.db.to_string())?;
                }
            }
            Address::Custom(custom) => return write!(f, "{custom:?}"),
            Address::Cluster(seeds) => {
                write!(f, "redis{secure}-cluster://")?;
                user(f)?;
                write_hosts(f, seeds)?;
            }
            Address::Sentinel { service, sentinels } => {
                write!(f, "redis{secure}-sentinel://")?;
                user(f)?;
                write_hosts(f, sentinels)?;
                f.write_char('/')?;
                encode(f, service, b"")?;
                if self.db != 0 {
                    write!(f, "/{}", self.db)?;
                }
            }
        }
        let default = Self::default();
        let millis = |time: Option<Duration>| time.map_or(0, millis).to_string();
        if let Some(name) = &self.name {
            options.write(f, "name", name)?;
        }
        // Each with its default, which goes without saying.
        let text = |option: &dyn fmt::Display| option.to_string();
        #[rustfmt::skip] // a table reads best in columns
        let simple = |config: &Self| [
            ("protocol", text(&word(&PROTOCOLS, config.protocol))),
            ("connect_timeout_ms", millis(Some(config.connect_timeout))),
            ("command_timeout_ms", millis(config.command_timeout)),
            ("keepalive_ms", millis(config.keepalive)),
            ("max_in_flight", text(&config.max_in_flight)),
            ("max_unwritten_bytes", text(&config.max_unwritten_bytes)),
            ("max_lanes", text(&config.max_lanes)),
            ("bulk_from", text(&config.bulk_from.unwrap_or(0))),
            ("retry", text(&word(&RETRIES, config.retry))),
            ("max_retries", text(&config.max_retries)),
            ("reconnect", text(&if config.reconnect { "yes" } else { "no" })),
            ("backoff_min_ms", millis(Some(config.backoff.min))),
            ("backoff_max_ms", millis(Some(config.backoff.max))),
            ("limit_depth", text(&config.limits.depth)),
            ("limit_elements", text(&config.limits.elements)),
            ("limit_bulk_bytes", text(&config.limits.bulk_bytes)),
            ("limit_inline_bytes", text(&config.limits.inline_bytes)),
            ("limit_frame_bytes", text(&config.limits.frame_bytes)),
        ];
        for ((name, value), (_, default)) in simple(self).iter().zip(simple(&default)) {
            if *value != default {
                options.write(f, name, value)?;
            }
        }
        if let Some(caching) = &self.caching {
            options.write(f, "cache_bytes", &caching.max_bytes.to_string())?;
            if caching.max_age != Caching::default().max_age {
                options.write(f, "cache_age_ms", &millis(Some(caching.max_age)))?;
            }
        }
        #[cfg(feature = "tls")]
        for (name, value) in self.tls.iter().flat_map(|tls| tls.url_options()) {
            options.write(f, name, &value)?;
        }
        let login = self.sentinel_credentials.as_ref();
        let login = login.and_then(CredentialsProvider::fixed);
        if let Some(user) = login.and_then(Credentials::user) {
            options.write(f, "sentinel_user", user)?;
        }
        if matches!(self.address, Address::Cluster(_)) {
            if self.read_from != default.read_from {
                options.write(f, "read_from", word(&READ_FROM, self.read_from))?;
            }
            if self.refresh_interval != default.refresh_interval {
                options.write(f, "refresh_ms", &millis(self.refresh_interval))?;
            }
        }
        Ok(())
    }
}

/// How an option's value is written.
fn word<T: PartialEq>(words: &[(&'static str, T)], meaning: T) -> &'static str {
    let found = words.iter().find(|(_, other)| *other == meaning);
    found.map_or("", |(word, _)| word)
}

fn write_hosts(f: &mut fmt::Formatter<'_>, hosts: &[(String, u16)]) -> fmt::Result {
    for (position, (host, port)) in hosts.iter().enumerate() {
        if position > 0 {
            f.write_char(',')?;
        }
        write_host(f, host, *port)?;
    }
    Ok(())
}

fn write_host(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    let is_v6 = host.contains(':');
    if is_v6 {
        f.write_char('[')?;
    }
    encode(f, host, b":")?;
    if is_v6 {
        f.write_char(']')?;
    }
    write!(f, ":{port}")
}

/// Whole milliseconds, rounded up: a short time is not to become 0, which stands for none.
fn millis(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000)
}

struct Options {
    first: bool,
}

impl Options {
    fn write(&mut self, f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
        f.write_char(if std::mem::take(&mut self.first) {
            '?'
        } else {
            '&'
        })?;
        f.write_str(name)?;
        f.write_char('=')?;
        encode(f, value, b"")
    }
}
