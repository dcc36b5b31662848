//! The options behind the `?` of a URL.

use std::str::FromStr;
use std::time::Duration;

use super::{UrlError, decode};
use crate::class::Retry;
use crate::config::{Address, Config, Credentials, Protocol, ReadFrom};
use crate::connection::backoff::Backoff;

pub(super) const READ_FROM: [(&str, ReadFrom); 3] = [
    ("primary", ReadFrom::Primary),
    ("replica", ReadFrom::Replica),
    ("any", ReadFrom::Any),
];
pub(super) const PROTOCOLS: [(&str, Protocol); 3] = [
    ("2", Protocol::Resp2),
    ("3", Protocol::Resp3),
    ("auto", Protocol::Auto),
];
pub(super) const RETRIES: [(&str, Retry); 4] = [
    ("never", Retry::Never),
    ("safe", Retry::Safe),
    ("repeatable", Retry::Repeatable),
    ("always", Retry::Always),
];
const YES_NO: [(&str, bool); 2] = [("yes", true), ("no", false)];

/// The names of all options.
pub(super) const KNOWN: &str = "db, name, protocol, connect_timeout_ms, command_timeout_ms, keepalive_ms, \
    reconnect, retry, max_retries, backoff_min_ms, backoff_max_ms, max_in_flight, max_unwritten_bytes, max_lanes, \
    bulk_from, cache_bytes, cache_age_ms, limit_depth, limit_elements, limit_bulk_bytes, limit_inline_bytes and \
    limit_frame_bytes; of a cluster read_from and refresh_ms; of sentinels sentinel_user and sentinel_password; with \
    TLS ca_file, cert_file, key_file and server_name";

/// Applies the options of `query`; `has_db` if the path has said already which database is meant.
pub(super) fn options(config: &mut Config, query: &str, has_db: bool) -> Result<(), UrlError> {
    let mut seen = Vec::new();
    if has_db {
        seen.push("db");
    }
    let is_cluster = matches!(config.address, Address::Cluster(_));
    let mut sentinel_login = (None, None);
    let mut files = TlsFiles::default();
    let mut backoff = Delays::default();
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
                config.read_from = word("read_from", &value, &READ_FROM, "primary, replica or any")?
            }
            "refresh_ms" if is_cluster => {
                config.refresh_interval = millis_or_none("refresh_ms", &value)?
            }
            "db" => config.db = number("db", &value)?,
            "name" => config.name = Some(value),
            "protocol" => config.protocol = word("protocol", &value, &PROTOCOLS, "2, 3 or auto")?,
            "connect_timeout_ms" => config.connect_timeout = millis("connect_timeout_ms", &value)?,
            "command_timeout_ms" => {
                config.command_timeout = millis_or_none("command_timeout_ms", &value)?
            }
            "keepalive_ms" => config.keepalive = millis_or_none("keepalive_ms", &value)?,
            "max_in_flight" => config.max_in_flight = one_or_more("max_in_flight", &value)?,
            "max_unwritten_bytes" => {
                config.max_unwritten_bytes = one_or_more("max_unwritten_bytes", &value)?
            }
            "max_lanes" => config.max_lanes = one_or_more("max_lanes", &value)?,
            "cache_bytes" => {
                let caching = config.caching.unwrap_or_default();
                config.caching = Some(caching.max_bytes(number("cache_bytes", &value)?));
            }
            "cache_age_ms" => {
                let caching = config.caching.unwrap_or_default();
                let age = millis("cache_age_ms", &value)?;
                config.caching = Some(caching.max_age(age));
            }
            "max_retries" => config.max_retries = number("max_retries", &value)?,
            "retry" => {
                config.retry = word(
                    "retry",
                    &value,
                    &RETRIES,
                    "never, safe, repeatable or always",
                )?
            }
            "reconnect" => config.reconnect = word("reconnect", &value, &YES_NO, "yes or no")?,
            "backoff_min_ms" => backoff.min = Some(millis("backoff_min_ms", &value)?),
            "backoff_max_ms" => backoff.max = Some(millis("backoff_max_ms", &value)?),
            "bulk_from" => {
                config.bulk_from = Some(number("bulk_from", &value)?).filter(|&bytes| bytes > 0)
            }
            "limit_depth" => config.limits.depth = number("limit_depth", &value)?,
            "limit_elements" => config.limits.elements = number("limit_elements", &value)?,
            "limit_bulk_bytes" => config.limits.bulk_bytes = number("limit_bulk_bytes", &value)?,
            "limit_inline_bytes" => {
                config.limits.inline_bytes = number("limit_inline_bytes", &value)?
            }
            "limit_frame_bytes" => config.limits.frame_bytes = number("limit_frame_bytes", &value)?,
            other => return Err(not_for_this(other)),
        }
    }
    files.apply(config)?;
    config.backoff = backoff.or(config.backoff)?;
    let sentinel_login = match sentinel_login {
        (Some(user), password) => Some(Credentials::new(user, password.unwrap_or_default())),
        (None, Some(password)) => Some(Credentials::password(password)),
        (None, None) => None,
    };
    config.sentinel_credentials = sentinel_login.map(Into::into);
    Ok(())
}

/// Says what an option is for that is none of this server.
fn not_for_this(option: &str) -> UrlError {
    let server = match option {
        "ca_file" | "cert_file" | "key_file" | "server_name" => "TLS, as of rediss://",
        "sentinel_user" | "sentinel_password" => "redis-sentinel://",
        "read_from" | "refresh_ms" => "redis-cluster://",
        _ => return UrlError::UnknownOption(option.to_owned()),
    };
    let option = option.to_owned();
    UrlError::Misplaced { option, server }
}

/// What the options say about the delays between attempts to reconnect.
#[derive(Default)]
struct Delays {
    min: Option<Duration>,
    max: Option<Duration>,
}

impl Delays {
    fn or(self, default: Backoff) -> Result<Backoff, UrlError> {
        let (min, max) = (
            self.min.unwrap_or(default.min),
            self.max.unwrap_or(default.max),
        );
        let backoff = Backoff::new(min, max);
        // Nothing is changed in silence.
        for (name, given, taken) in [
            ("backoff_min_ms", self.min, backoff.min),
            ("backoff_max_ms", self.max, backoff.max),
        ] {
            if let Some(given) = given.filter(|&given| given != taken) {
                return Err(UrlError::Value {
                    name,
                    value: given.as_millis().to_string(),
                    expected: "at least 1, and backoff_max_ms at least backoff_min_ms",
                });
            }
        }
        Ok(backoff)
    }
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
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().map_err(|_| UrlError::Value {
        name,
        value: value.to_owned(),
        expected: match is_number {
            true => "small enough",
            false => "a whole number, 0 or more",
        },
    })
}

fn one_or_more(name: &'static str, value: &str) -> Result<usize, UrlError> {
    match number(name, value)? {
        0 => Err(UrlError::Value {
            name,
            value: value.to_owned(),
            expected: "at least 1",
        }),
        number => Ok(number),
    }
}

/// One of a few words.
fn word<T: Copy>(
    name: &'static str,
    value: &str,
    words: &[(&str, T)],
    expected: &'static str,
) -> Result<T, UrlError> {
    let found = words.iter().find(|(word, _)| *word == value);
    found
        .map(|&(_, meaning)| meaning)
        .ok_or_else(|| UrlError::Value {
            name,
            value: value.to_owned(),
            expected,
        })
}

fn millis(name: &'static str, value: &str) -> Result<Duration, UrlError> {
    number(name, value).map(Duration::from_millis)
}

/// Zero turns the limit off.
fn millis_or_none(name: &'static str, value: &str) -> Result<Option<Duration>, UrlError> {
    Ok(Some(Duration::from_millis(number(name, value)?)).filter(|time| !time.is_zero()))
}
