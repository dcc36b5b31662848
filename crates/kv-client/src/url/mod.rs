//! URLs: `redis://user:password@host:port/db?option=value`, read and written.

#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::config::{Address, Config, Credentials, CredentialsProvider, Protocol, ReadFrom};

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
                authority => host_and_port(authority, DEFAULT_PORT).map(Self::new),
            };
        };
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
            options(&mut config, query)?;
        }
        Ok(config)
    }
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
        None => default_port,
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

fn options(config: &mut Config, query: &str) -> Result<(), UrlError> {
    let mut seen = Vec::new();
    let is_cluster = matches!(config.address, Address::Cluster(_));
    let mut sentinel_login = (None, None);
    let mut files = TlsFiles::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if seen.contains(&name) {
            return Err(UrlError::Repeated(name.to_owned()));
        }
        seen.push(name);
        let value = decode(value).map_err(|error| match name {
            "sentinel_password" => UrlError::Password,
            _ => error,
        })?;
        match name {
            "ca_file" if config.uses_tls() => files.ca = Some(value),
            "cert_file" if config.uses_tls() => files.cert = Some(value),
            "key_file" if config.uses_tls() => files.key = Some(value),
            "server_name" if config.uses_tls() => files.server_name = Some(value),
            "sentinel_user" if config.follows_primary() => sentinel_login.0 = Some(value),
            "sentinel_password" if config.follows_primary() => sentinel_login.1 = Some(value),
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
            "cache_bytes" => {
                let caching = config.caching.unwrap_or_default();
                config.caching = Some(caching.max_bytes(number("cache_bytes", &value)?));
            }
            "cache_age_ms" => {
                let caching = config.caching.unwrap_or_default();
                let age = Duration::from_millis(number("cache_age_ms", &value)?);
                config.caching = Some(caching.max_age(age));
            }
            "max_retries" => config.max_retries = number("max_retries", &value)?,
            other => return Err(UrlError::UnknownOption(other.to_owned())),
        }
    }
    files.apply(config)?;
    let sentinel_login = match sentinel_login {
        (Some(user), password) => Some(Credentials::new(user, password.unwrap_or_default())),
        (None, Some(password)) => Some(Credentials::password(password)),
        (None, None) => None,
    };
    config.sentinel_credentials = sentinel_login.map(Into::into);
    Ok(())
}

/// What the options say about TLS.
#[derive(Default)]
struct TlsFiles {
    ca: Option<String>,
    cert: Option<String>,
    key: Option<String>,
    server_name: Option<String>,
}

impl TlsFiles {
    fn apply(self, config: &mut Config) -> Result<(), UrlError> {
        let identity = match (self.cert, self.key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return Err(UrlError::Missing("key_file beside cert_file")),
            (None, Some(_)) => return Err(UrlError::Missing("cert_file beside key_file")),
        };
        #[cfg(feature = "tls")]
        if let Some(mut tls) = config.tls.take() {
            if let Some(ca) = self.ca {
                tls = tls.ca_file(ca);
            }
            if let Some((cert, key)) = identity {
                tls = tls.identity_files(cert, key);
            }
            if let Some(name) = self.server_name {
                tls = tls.server_name(name);
            }
            config.tls = Some(tls);
        }
        #[cfg(not(feature = "tls"))]
        let _ = (config, identity, self.ca, self.server_name);
        Ok(())
    }
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
