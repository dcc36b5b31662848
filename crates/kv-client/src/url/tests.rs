use std::time::Duration;

use super::*;
use crate::config::Protocol;

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
    let login = config.credentials.as_ref().unwrap().fixed();
    assert_eq!(login, Some(&Credentials::new("us@er", "p:ss")));
    assert_eq!(
        (config.db, config.protocol, config.max_retries),
        (5, Protocol::Resp2, 9)
    );
    assert_eq!(
        (config.name.as_deref(), config.command_timeout),
        (Some("a+b"), None)
    );
    assert_eq!(config.keepalive, Some(Duration::from_millis(250)));
    let login = self::config("redis://:secret@h").credentials.unwrap();
    assert_eq!(login.fixed(), Some(&Credentials::password("secret")));
}

#[test]
fn nothing_that_is_wrong_is_ignored() {
    for (url, message) in [
        (
            "http://h",
            "unknown scheme 'http'; known are redis, valkey, redis-cluster, valkey-cluster, redis-sentinel, valkey-sentinel, the same with rediss and valkeys, redis+unix, valkey+unix and unix",
        ),
        ("redis://", "no host"),
        ("", "no host"),
        ("redis+unix://", "no path of a socket"),
        ("redis://h:0", "'0' is not a port"),
        ("redis://h:65536", "'65536' is not a port"),
        ("redis://h/x", "'x' is not the number of a database"),
        ("redis://h?tls=yes", "unknown option \'tls\'; known are ..."),
        ("redis://h?db=1&db=2", "option 'db' is given twice"),
        ("redis://h/1?db=2", "option 'db' is given twice"),
        ("redis-cluster://", "no host"),
        ("redis-cluster://a,,b", "no host"),
        (
            "redis-cluster://a/1",
            "a cluster has no database '1', it has one only",
        ),
        (
            "redis-cluster://a?db=1",
            "a cluster has no database '1', it has one only",
        ),
        (
            "redis-cluster://a?read_from=all",
            "option read_from: 'all' is not primary, replica or any",
        ),
        (
            "redis://a?read_from=any",
            "option 'read_from' is for redis-cluster://",
        ),
        ("redis-sentinel://a", "no name of a service"),
        (
            "redis-sentinel://a/b/c",
            "'c' is not the number of a database",
        ),
        (
            "redis://a?sentinel_user=u",
            "option 'sentinel_user' is for redis-sentinel://",
        ),
        (
            "redis://h?protocol=4",
            "option protocol: '4' is not 2, 3 or auto",
        ),
        (
            "redis://h?retry=sometimes",
            "option retry: 'sometimes' is not never, safe, repeatable or always",
        ),
        (
            "redis://h?reconnect=true",
            "option reconnect: 'true' is not yes or no",
        ),
        (
            "redis://h?backoff_min_ms=9&backoff_max_ms=8",
            "option backoff_max_ms: '8' is not at least 1, and backoff_max_ms at least backoff_min_ms",
        ),
        (
            "redis://h?max_retries=many",
            "option max_retries: 'many' is not a whole number, 0 or more",
        ),
        (
            "redis://h?max_retries=4294967296",
            "option max_retries: '4294967296' is not small enough",
        ),
        (
            "redis://h?max_lanes=0",
            "option max_lanes: '0' is not at least 1",
        ),
        (
            "redis-cluster://h?ca_file=ca.pem",
            "option 'ca_file' is for TLS, as of rediss://",
        ),
        ("redis://h/0?db=2", "option 'db' is given twice"),
        (
            "redis-sentinel://u:p@h/s/0?db=2",
            "option 'db' is given twice",
        ),
        (
            "redis://h 2",
            "'h 2' is not the name or the address of a host",
        ),
        (
            "redis://h\n",
            "'h\n' is not the name or the address of a host",
        ),
        (
            "redis://[::1]7000",
            "'[::1]7000' is not the name or the address of a host",
        ),
        (
            "redis://a:1:2",
            "'a:1:2' is not the name or the address of a host",
        ),
        (
            "redis://a:1,b:2",
            "'a:1,b:2' is more than one host; several are for redis-cluster:// and redis-sentinel://",
        ),
        ("redis://%zz@h", "bad percent-encoding in '%zz'"),
        ("redis://:%+1@h", "bad percent-encoding in the password"),
        (
            "redis-sentinel://a/b?sentinel_password=%zz",
            "bad percent-encoding in the password",
        ),
    ] {
        let said = refused(url).to_string().replace(KNOWN, "...");
        assert_eq!(said, message, "{url}");
    }
}

#[test]
fn an_unknown_option_is_told_those_that_are_known() {
    let is_part_of_a_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = KNOWN.split(|c| !is_part_of_a_name(c));
    let prose = ["", "and", "of", "a", "cluster", "sentinels", "with"];
    for name in words.filter(|word| !prose.contains(word)) {
        let is_known = |server: &str| {
            let read = format!("{server}?{name}=1").parse::<Config>();
            !matches!(read, Err(UrlError::UnknownOption(_)))
        };
        let servers = ["redis://h", "redis-cluster://h", "redis-sentinel://h/s"];
        // Those of TLS are unknown without it.
        let is_of_tls = name.ends_with("_file") || name == "server_name";
        assert!(is_of_tls || servers.into_iter().any(is_known), "{name}");
    }
}

#[test]
fn a_scheme_may_be_in_capital_letters() {
    assert_eq!(config("REDIS://h").to_string(), "redis://h:6379");
}

#[test]
fn a_password_that_is_not_encoded_is_refused_without_showing_a_part_of_it() {
    for url in [
        "redis://user:sec/ret@h",
        "redis://user:sec?ret@h",
        "redis://user:123/ret@h/0",
        "redis://user:12?34@h",
        "redis://user:12?db=34@h",
        "redis-cluster://user:sec?ret@h",
        "redis-sentinel://user:sec?ret@h/service",
    ] {
        assert_eq!(refused(url), UrlError::Login, "{url}");
    }
}

#[test]
fn a_login_without_a_scheme_is_not_taken_for_a_host_and_shown() {
    for text in ["user:secret@h:6379", "secret@h", "h:6379/0", "h?db=1"] {
        assert_eq!(refused(text), UrlError::NoScheme, "{text}");
    }
}

#[test]
fn a_time_below_a_millisecond_is_not_written_as_none() {
    let short = Config::default()
        .command_timeout(Duration::from_micros(500))
        .keepalive(Duration::from_nanos(1_000_001));
    let read = config(&short.to_string());
    assert_eq!(read.command_timeout, Some(Duration::from_millis(1)));
    assert_eq!(read.keepalive, Some(Duration::from_millis(2)));
}

#[test]
fn a_configuration_is_written_as_a_url_that_reads_the_same_but_for_the_password() {
    for url in [
        "redis://localhost:6379",
        "redis://us%40er@h:7/5?name=a%20b&protocol=2&command_timeout_ms=0&keepalive_ms=1&max_in_flight=7&max_retries=0",
        "redis://[::1]:6379?protocol=3&connect_timeout_ms=1&max_unwritten_bytes=5",
        "redis://[fe80::1%25eth0]:6379",
        "redis-cluster://[fe80::1%25eth0]:6379,my_node-1:1",
        "redis+unix:///run/a%20b.sock?db=2",
        "redis://h:1?cache_bytes=5&cache_age_ms=7",
        "redis://h:1?max_lanes=3&bulk_from=0&retry=repeatable&max_retries=1&reconnect=no",
        "redis://h:1?bulk_from=4096&retry=never&backoff_min_ms=7&backoff_max_ms=70",
        "redis://h:1?retry=always&backoff_max_ms=70",
        "redis://h:1?limit_depth=1&limit_elements=2&limit_bulk_bytes=3&limit_inline_bytes=4&limit_frame_bytes=5",
        "redis-cluster://u@a:6379,[::1]:7000?read_from=any&refresh_ms=0",
        "redis-cluster://a:1?max_retries=5&read_from=replica",
        "redis-sentinel://a:26379,b:7/my%20service/3?name=n&sentinel_user=s",
    ] {
        assert_eq!(config(url).to_string(), url);
    }
    let shown = config("redis://user:secret@h").to_string();
    assert_eq!(shown, "redis://user@h:6379");
}

#[cfg(feature = "tls")]
#[test]
fn a_secure_url_is_written_as_one() {
    for url in [
        "rediss://h:6379",
        "rediss-cluster://a:1,b:2?ca_file=%2Fca.pem&cert_file=c.pem&key_file=c.key&server_name=db.example",
        "rediss-sentinel://a:26379/service",
    ] {
        assert_eq!(config(url).to_string(), url);
    }
    assert_eq!(config("valkeys://h").to_string(), "rediss://h:6379");
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_secure_url_says_what_it_takes() {
    assert_eq!(refused("rediss://h"), UrlError::NoTls);
}
