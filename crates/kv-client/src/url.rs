//! URLs: `redis://user:password@host:port/db?option=value`, read and written.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::config::{Address, Config, Credentials, Protocol, ReadFrom};

/// Why a URL is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The part in front of `://` is not known.
    #[error(
        "unknown scheme '{0}'; known are redis, valkey, redis-cluster, valkey-cluster, redis+unix, valkey+unix and unix"
    )]
    Scheme(String),
    /// There is no host, or no path of a socket.
    #[error("no {0}")]
    Missing(&'static str),
    /// A `%` is not followed by two hexadecimal digits, or the decoded text is not UTF-8.
    #[error("bad percent-encoding in '{0}'")]
    Percent(String),
    /// The port is not a number from 1 to 65535.
    #[error("'{0}' is not a port")]
    Port(String),
    /// The path is not the number of a database.
    #[error("'{0}' is not the number of a database")]
    Database(String),
    /// A cluster has no other database than 0.
    #[error("a cluster has no database '{0}', it has one only")]
    ClusterDatabase(String),
    /// The option is not known; nothing is ignored.
    #[error("unknown option '{0}'")]
    UnknownOption(String),
    /// The option is given twice.
    #[error("option '{0}' is given twice")]
    Repeated(String),
    /// The option's value cannot be read.
    #[error("option {name}: '{value}' is not {expected}")]
    Value {
        /// The option.
        name: &'static str,
        /// What was given.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// The port of Redis.
const DEFAULT_PORT: u16 = 6379;

impl FromStr for Config {
    type Err = UrlError;

    /// Reads a URL, `host:port`, `host`, or the absolute path of a Unix socket.
    fn from_str(text: &str) -> Result<Self, UrlError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return match text {
                "" => Err(UrlError::Missing("host")),
                path if path.starts_with('/') => Ok(Self::new(Address::Unix(path.into()))),
                authority => host_and_port(authority).map(Self::new),
            };
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let mut config = match scheme {
            "redis" | "valkey" => tcp(rest)?,
            "redis-cluster" | "valkey-cluster" => cluster(rest)?,
            "redis+unix" | "valkey+unix" | "unix" => unix(rest)?,
            other => return Err(UrlError::Scheme(other.to_owned())),
        };
        if let Some(query) = query {
            options(&mut config, query)?;
        }
        Ok(config)
    }
}

fn tcp(rest: &str) -> Result<Config, UrlError> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = authority
        .rsplit_once('@')
        .map_or((None, authority), |(user, host)| (Some(user), host));
    let mut config = Config::new(host_and_port(host)?);
    config.credentials = user.map(credentials).transpose()?.flatten();
    config.db = match path {
        "" => 0,
        number => number
            .parse()
            .map_err(|_| UrlError::Database(number.to_owned()))?,
    };
    Ok(config)
}

fn cluster(rest: &str) -> Result<Config, UrlError> {
    let (user, hosts) = match rest.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, rest),
    };
    let hosts = hosts.strip_suffix('/').unwrap_or(hosts);
    if let Some((_, path)) = hosts.split_once('/') {
        return Err(UrlError::ClusterDatabase(path.to_owned()));
    }
    let mut config = Config::new(Address::Cluster(list(hosts)?));
    config.credentials = user.map(credentials).transpose()?.flatten();
    Ok(config)
}

/// `host[:port],host[:port]`
fn list(hosts: &str) -> Result<Vec<(String, u16)>, UrlError> {
    hosts
        .split(',')
        .map(|host| match host_and_port(host)? {
            Address::Tcp { host, port } => Ok((host, port)),
            _ => Err(UrlError::Missing("host")),
        })
        .collect()
}

fn unix(rest: &str) -> Result<Config, UrlError> {
    let slash = rest
        .find('/')
        .ok_or(UrlError::Missing("path of a socket"))?;
    let (user, path) = rest.split_at(slash);
    let mut config = Config::new(Address::Unix(PathBuf::from(decode(path)?)));
    config.credentials = match user.strip_suffix('@') {
        Some(user) => credentials(user)?,
        None if user.is_empty() => None,
        None => return Err(UrlError::Missing("path of a socket")),
    };
    Ok(config)
}

fn host_and_port(authority: &str) -> Result<Address, UrlError> {
    let (host, port) = match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match authority.split_once(':') {
            // More than one colon outside of brackets: an IPv6 address without a port.
            Some((_, rest)) if rest.contains(':') => (authority, None),
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err(UrlError::Missing("host"));
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|&port| port != 0)
            .ok_or_else(|| UrlError::Port(port.to_owned()))?,
    };
    Ok(Address::Tcp {
        host: decode(host)?,
        port,
    })
}

fn credentials(user: &str) -> Result<Option<Credentials>, UrlError> {
    Ok(match user.split_once(':') {
        Some(("", password)) => Some(Credentials::password(decode(password)?)),
        Some((user, password)) => Some(Credentials::new(decode(user)?, decode(password)?)),
        None if user.is_empty() => None,
        None => Some(Credentials::new(decode(user)?, "")),
    })
}

fn options(config: &mut Config, query: &str) -> Result<(), UrlError> {
    let mut seen = Vec::new();
    let is_cluster = matches!(config.address, Address::Cluster(_));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if seen.contains(&name) {
            return Err(UrlError::Repeated(name.to_owned()));
        }
        seen.push(name);
        let value = decode(value)?;
        match name {
            "db" if is_cluster => return Err(UrlError::ClusterDatabase(value)),
            "read_from" if is_cluster => {
                config.read_from = match value.as_str() {
                    "primary" => ReadFrom::Primary,
                    "replica" => ReadFrom::Replica,
                    "any" => ReadFrom::Any,
                    _ => {
                        return Err(UrlError::Value {
                            name: "read_from",
                            value,
                            expected: "primary, replica or any",
                        });
                    }
                };
            }
            "refresh_ms" if is_cluster => {
                config.refresh_interval = millis_or_none("refresh_ms", &value)?
            }
            "db" if config.db != 0 => return Err(UrlError::Repeated("db".to_owned())),
            "db" => config.db = number("db", &value)?,
            "name" => config.name = Some(value),
            "protocol" => {
                config.protocol = match value.as_str() {
                    "2" => Protocol::Resp2,
                    "3" => Protocol::Resp3,
                    "auto" => Protocol::Auto,
                    _ => {
                        return Err(UrlError::Value {
                            name: "protocol",
                            value,
                            expected: "2, 3 or auto",
                        });
                    }
                };
            }
            "connect_timeout_ms" => {
                config.connect_timeout =
                    Duration::from_millis(number("connect_timeout_ms", &value)?)
            }
            "command_timeout_ms" => {
                config.command_timeout = millis_or_none("command_timeout_ms", &value)?
            }
            "keepalive_ms" => config.keepalive = millis_or_none("keepalive_ms", &value)?,
            "max_in_flight" => {
                config.max_in_flight = number::<usize>("max_in_flight", &value)?.max(1)
            }
            "max_unwritten_bytes" => {
                config.max_unwritten_bytes = number::<usize>("max_unwritten_bytes", &value)?.max(1)
            }
            "max_lanes" => config.max_lanes = number::<usize>("max_lanes", &value)?.max(1),
            "max_retries" => config.max_retries = number("max_retries", &value)?,
            other => return Err(UrlError::UnknownOption(other.to_owned())),
        }
    }
    Ok(())
}

fn number<T: FromStr>(name: &'static str, value: &str) -> Result<T, UrlError> {
    value.parse().map_err(|_| UrlError::Value {
        name,
        value: value.to_owned(),
        expected: "a number",
    })
}

/// Zero turns the limit off.
fn millis_or_none(name: &'static str, value: &str) -> Result<Option<Duration>, UrlError> {
    Ok(Some(Duration::from_millis(number(name, value)?)).filter(|time| !time.is_zero()))
}

fn decode(text: &str) -> Result<String, UrlError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let bad = || UrlError::Percent(text.to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2).ok_or_else(bad)?;
        let digits = std::str::from_utf8(digits).map_err(|_| bad())?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(bad());
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

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
            .and_then(Credentials::user)
        {
            Some(user) => {
                encode(f, user, b"")?;
                f.write_char('@')
            }
            None => Ok(()),
        };
        let mut options = Options { first: true };
        match &self.address {
            Address::Tcp { host, port } => {
                f.write_str("redis://")?;
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
                f.write_str("redis-cluster://")?;
                user(f)?;
                write!(f, "{}", self.address)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn refused(url: &str) -> UrlError {
        url.parse::<Config>()
            .err()
            .unwrap_or_else(|| panic!("{url} was taken"))
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn an_address_may_be_written_in_many_ways() {
        for (text, address) in [
            ("localhost", tcp("localhost", 6379)),
            ("10.0.0.1:7000", tcp("10.0.0.1", 7000)),
            ("::1", tcp("::1", 6379)),
            ("[::1]:7000", tcp("::1", 7000)),
            ("redis://h", tcp("h", 6379)),
            ("valkey://h:1/", tcp("h", 1)),
            ("redis://[fe80::1]/3", tcp("fe80::1", 6379)),
            ("/run/redis.sock", Address::Unix("/run/redis.sock".into())),
            (
                "redis+unix:///run/a%20b.sock?db=2",
                Address::Unix("/run/a b.sock".into()),
            ),
            (
                "unix://u:p@/run/redis.sock",
                Address::Unix("/run/redis.sock".into()),
            ),
        ] {
            assert_eq!(config(text).address, address, "{text}");
        }
    }

    #[test]
    fn every_part_of_a_url_is_read() {
        let config = config(
            "redis://us%40er:p%3Ass@h:7/5?protocol=2&name=a+b&command_timeout_ms=0&max_retries=9&keepalive_ms=250",
        );
        assert_eq!(config.credentials, Some(Credentials::new("us@er", "p:ss")));
        assert_eq!(
            (config.db, config.protocol, config.max_retries),
            (5, Protocol::Resp2, 9)
        );
        assert_eq!(
            (config.name.as_deref(), config.command_timeout),
            (Some("a+b"), None)
        );
        assert_eq!(config.keepalive, Some(Duration::from_millis(250)));
        assert_eq!(
            self::config("redis://:secret@h").credentials,
            Some(Credentials::password("secret"))
        );
    }

    #[test]
    fn nothing_that_is_wrong_is_ignored() {
        for (url, message) in [
            (
                "http://h",
                "unknown scheme 'http'; known are redis, valkey, redis-cluster, valkey-cluster, redis+unix, valkey+unix and unix",
            ),
            ("redis://", "no host"),
            ("", "no host"),
            ("redis+unix://", "no path of a socket"),
            ("redis://h:0", "'0' is not a port"),
            ("redis://h:65536", "'65536' is not a port"),
            ("redis://h/x", "'x' is not the number of a database"),
            ("redis://h?tls=yes", "unknown option 'tls'"),
            ("redis://h?db=1&db=2", "option 'db' is given twice"),
            ("redis://h/1?db=2", "option 'db' is given twice"),
            (
                "redis://h?protocol=4",
                "option protocol: '4' is not 2, 3 or auto",
            ),
            (
                "redis://h?max_retries=many",
                "option max_retries: 'many' is not a number",
            ),
            ("redis://%zz@h", "bad percent-encoding in '%zz'"),
            ("redis://:%+1@h", "bad percent-encoding in '%+1'"),
        ] {
            assert_eq!(refused(url).to_string(), message, "{url}");
        }
    }

    #[test]
    fn a_configuration_is_written_as_a_url_that_reads_the_same_but_for_the_password() {
        for url in [
            "redis://localhost:6379",
            "redis://us%40er@h:7/5?name=a%20b&protocol=2&command_timeout_ms=0&keepalive_ms=1&max_in_flight=7&max_retries=0",
            "redis://[::1]:6379?protocol=3&connect_timeout_ms=1&max_unwritten_bytes=5",
            "redis+unix:///run/a%20b.sock?db=2",
        ] {
            assert_eq!(config(url).to_string(), url);
        }
        let shown = config("redis://user:secret@h").to_string();
        assert_eq!(shown, "redis://user@h:6379");
    }
}
