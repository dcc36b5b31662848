//! A configuration as a URL.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::cache::Caching;
use crate::config::{
    Address, Config, Credentials, CredentialsProvider, Protocol, ReadFrom, write_list,
};

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

/// The URL of this configuration, without the password; reading it gives the same configuration otherwise.
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
                if host.contains(':') {
                    write!(f, "[{host}]:{port}")?;
                } else {
                    encode(f, host, b"")?;
                    write!(f, ":{port}")?;
                }
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
            Address::Cluster(_) => {
                write!(f, "redis{secure}-cluster://")?;
                user(f)?;
                write!(f, "{}", self.address)?;
            }
            Address::Sentinel { service, sentinels } => {
                write!(f, "redis{secure}-sentinel://")?;
                user(f)?;
                write!(f, "{}/", List(sentinels))?;
                encode(f, service, b"")?;
                if self.db != 0 {
                    write!(f, "/{}", self.db)?;
                }
            }
        }
        let default = Self::default();
        let millis = |time: Option<Duration>| time.map_or(0, |time| time.as_millis()).to_string();
        if let Some(name) = &self.name {
            options.write(f, "name", name)?;
        }
        match self.protocol {
            Protocol::Auto => {}
            Protocol::Resp2 => options.write(f, "protocol", "2")?,
            Protocol::Resp3 => options.write(f, "protocol", "3")?,
        }
        if self.connect_timeout != default.connect_timeout {
            options.write(f, "connect_timeout_ms", &millis(Some(self.connect_timeout)))?;
        }
        if self.command_timeout != default.command_timeout {
            options.write(f, "command_timeout_ms", &millis(self.command_timeout))?;
        }
        if self.keepalive != default.keepalive {
            options.write(f, "keepalive_ms", &millis(self.keepalive))?;
        }
        for (name, value, default) in [
            ("max_in_flight", self.max_in_flight, default.max_in_flight),
            (
                "max_unwritten_bytes",
                self.max_unwritten_bytes,
                default.max_unwritten_bytes,
            ),
            ("max_lanes", self.max_lanes, default.max_lanes),
        ] {
            if value != default {
                options.write(f, name, &value.to_string())?;
            }
        }
        if self.max_retries != default.max_retries {
            options.write(f, "max_retries", &self.max_retries.to_string())?;
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
            match self.read_from {
                ReadFrom::Primary => {}
                ReadFrom::Replica => options.write(f, "read_from", "replica")?,
                ReadFrom::Any => options.write(f, "read_from", "any")?,
            }
            if self.refresh_interval != default.refresh_interval {
                options.write(f, "refresh_ms", &millis(self.refresh_interval))?;
            }
        }
        Ok(())
    }
}

struct List<'a>(&'a [(String, u16)]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.0)
    }
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
