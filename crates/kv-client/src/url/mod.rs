//! URLs: `redis://user:password@host:port/db?option=value`, read and written.

mod options;
#[cfg(test)]
mod tests;
mod write;

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use self::options::{KNOWN, options};
use crate::config::{Address, Config, Credentials, CredentialsProvider};

/// Why a URL is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The part in front of `://` is not known.
    #[error(
        "unknown scheme '{0}'; known are redis, valkey, redis-cluster, valkey-cluster, redis-sentinel, valkey-sentinel, the same with rediss and valkeys, redis+unix, valkey+unix and unix"
    )]
    Scheme(String),
    /// There is no host, or no path of a socket.
    #[error("no {0}")]
    Missing(&'static str),
    /// Without a scheme there is more than a host and a port.
    #[error(
        "only a host and a port can stand without a scheme; with more it is redis://user:password@host:port/db?option=value"
    )]
    NoScheme,
    /// The host is neither a name nor an address.
    #[error("'{0}' is not the name or the address of a host")]
    Host(String),
    /// There are several hosts where one server is meant.
    #[error("'{0}' is more than one host; several are for redis-cluster:// and redis-sentinel://")]
    Hosts(String),
    /// A `%` is not followed by two hexadecimal digits, or the decoded text is not UTF-8.
    #[error("bad percent-encoding in '{0}'")]
    Percent(String),
    /// A `%` in the password is not followed by two hexadecimal digits, or the decoded password is not UTF-8.
    #[error("bad percent-encoding in the password")]
    Password,
    /// A user or a password has a character that ends it.
    #[error(
        "the login has a character that is to be percent-encoded, such as '/' (%2F) or '?' (%3F)"
    )]
    Login,
    /// The port is not a number from 1 to 65535.
    #[error("'{0}' is not a port")]
    Port(String),
    /// The path is not the number of a database.
    #[error("'{0}' is not the number of a database")]
    Database(String),
    /// A cluster has no other database than 0.
    #[error("a cluster has no database '{0}', it has one only")]
    ClusterDatabase(String),
    /// The URL asks for TLS, which this program was compiled without.
    #[error("tls is not compiled in: it is the feature 'tls' of kv-client")]
    NoTls,
    /// The option is not known; nothing is ignored.
    #[error("unknown option '{0}'; known are {KNOWN}")]
    UnknownOption(String),
    /// The option means nothing to such a server.
    #[error("option '{option}' is for {server}")]
    Misplaced {
        /// The option.
        option: String,
        /// What it is for.
        server: &'static str,
    },
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
/// The port of its sentinels.
const SENTINEL_PORT: u16 = 26379;

impl FromStr for Config {
    type Err = UrlError;

    /// Reads a URL, `host:port`, `host`, or the absolute path of a Unix socket.
    fn from_str(text: &str) -> Result<Self, UrlError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return match text {
                "" => Err(UrlError::Missing("host")),
                path if path.starts_with('/') => Ok(Self::new(Address::Unix(path.into()))),
                more if more.contains(['@', '/', '?']) => Err(UrlError::NoScheme),
                authority => host_and_port(authority, DEFAULT_PORT).map(Self::new),
            };
        };
        let scheme = &scheme.to_ascii_lowercase();
        let whole = rest;
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (kind, secure) = match scheme.strip_prefix("rediss") {
            Some(kind) => (format!("redis{kind}"), true),
            None => match scheme.strip_prefix("valkeys") {
                Some(kind) => (format!("valkey{kind}"), true),
                None => (scheme.to_owned(), false),
            },
        };
        let config = match kind.as_str() {
            "redis+unix" | "valkey+unix" if secure => Err(UrlError::Scheme(scheme.to_owned())),
            "redis" | "valkey" => tcp(rest),
            "redis-cluster" | "valkey-cluster" => cluster(rest),
            "redis-sentinel" | "valkey-sentinel" => sentinel(rest),
            "redis+unix" | "valkey+unix" | "unix" => unix(rest),
            _ => Err(UrlError::Scheme(scheme.to_owned())),
        };
        let mut config = config.map_err(|error| match error {
            // What was taken for a port or a path is a part of a password, which is not to be shown.
            UrlError::Port(_)
            | UrlError::Database(_)
            | UrlError::ClusterDatabase(_)
            | UrlError::Host(_)
            | UrlError::Hosts(_)
            | UrlError::Missing(_)
                if cuts_login(whole) =>
            {
                UrlError::Login
            }
            error => error,
        })?;
        if secure {
            require_tls(&mut config)?;
        }
        if let Some(query) = query {
            let read = options(&mut config, query, names_database(&kind, rest));
            read.map_err(|error| match query.contains('@') && !rest.contains('@') {
                // What was taken for options is a part of a password.
                true => UrlError::Login,
                false => error,
            })?;
        }
        Ok(config)
    }
}

/// Whether the path says which database, if only that it is 0.
fn names_database(kind: &str, rest: &str) -> bool {
    let mut parts = rest.rsplit('@').next().unwrap_or(rest).split('/');
    let database = match kind {
        "redis" | "valkey" => parts.nth(1),
        "redis-sentinel" | "valkey-sentinel" => parts.nth(2),
        _ => None,
    };
    database.is_some_and(|database| !database.is_empty())
}

/// Whether an `@` stands behind what would end a login.
fn cuts_login(rest: &str) -> bool {
    rest.find(['/', '?'])
        .is_some_and(|end| rest[end..].contains('@'))
}

#[cfg(feature = "tls")]
fn require_tls(config: &mut Config) -> Result<(), UrlError> {
    config.tls = Some(crate::tls::Tls::new());
    Ok(())
}

#[cfg(not(feature = "tls"))]
fn require_tls(_config: &mut Config) -> Result<(), UrlError> {
    Err(UrlError::NoTls)
}

fn tcp(rest: &str) -> Result<Config, UrlError> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = authority
        .rsplit_once('@')
        .map_or((None, authority), |(user, host)| (Some(user), host));
    let mut config = Config::new(host_and_port(host, DEFAULT_PORT)?);
    config.credentials = user.map(credentials).transpose()?.flatten();
    config.db = database(path)?;
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
    let mut config = Config::new(Address::Cluster(list(hosts, DEFAULT_PORT)?));
    config.credentials = user.map(credentials).transpose()?.flatten();
    Ok(config)
}

fn sentinel(rest: &str) -> Result<Config, UrlError> {
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (service, db) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err(UrlError::Missing("name of a service"));
    }
    let mut config = Config::new(Address::Sentinel {
        service: decode(service)?,
        sentinels: list(hosts, SENTINEL_PORT)?,
    });
    config.credentials = user.map(credentials).transpose()?.flatten();
    config.db = database(db)?;
    Ok(config)
}

fn database(path: &str) -> Result<u32, UrlError> {
    match path {
        "" => Ok(0),
        number => number
            .parse()
            .map_err(|_| UrlError::Database(number.to_owned())),
    }
}

/// `host[:port],host[:port]`
fn list(hosts: &str, port: u16) -> Result<Vec<(String, u16)>, UrlError> {
    hosts
        .split(',')
        .map(|host| match host_and_port(host, port)? {
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

fn host_and_port(authority: &str, default_port: u16) -> Result<Address, UrlError> {
    let (host, port, is_v6) = match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, "")) => (host, None, true),
        Some((host, port)) => {
            let port = port.strip_prefix(':');
            let port = port.ok_or_else(|| UrlError::Host(authority.to_owned()))?;
            (host, Some(port), true)
        }
        None => match authority.split_once(':') {
            // More than one colon outside of brackets: an IPv6 address without a port.
            Some((_, rest)) if rest.contains(':') => (authority, None, true),
            Some((host, port)) => (host, Some(port), false),
            None => (authority, None, false),
        },
    };
    if host.is_empty() {
        return Err(UrlError::Missing("host"));
    }
    if authority.contains(',') {
        return Err(UrlError::Hosts(authority.to_owned()));
    }
    let port = match port {
        None => default_port,
        Some(port) => port
            .parse()
            .ok()
            .filter(|&port| port != 0)
            .ok_or_else(|| UrlError::Port(port.to_owned()))?,
    };
    let host = decode(host)?;
    let is_host = match is_v6 {
        // An address of one link only has the name of that link behind a `%`.
        true => {
            let address = host.split_once('%').map_or(&*host, |(address, _)| address);
            address.parse::<Ipv6Addr>().is_ok()
        }
        // Names with an underscore are none of the DNS, but of many a network of containers.
        false => host
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_')),
    };
    match is_host {
        true => Ok(Address::Tcp { host, port }),
        false => Err(UrlError::Host(host)),
    }
}

fn credentials(user: &str) -> Result<Option<CredentialsProvider>, UrlError> {
    let credentials = match user.split_once(':') {
        Some(("", password)) => Some(Credentials::password(secret(password)?)),
        Some((user, password)) => Some(Credentials::new(decode(user)?, secret(password)?)),
        None if user.is_empty() => None,
        None => Some(Credentials::new(decode(user)?, "")),
    };
    Ok(credentials.map(Into::into))
}

/// Decodes a password, without showing it.
fn secret(password: &str) -> Result<String, UrlError> {
    decode(password).map_err(|_| UrlError::Password)
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
