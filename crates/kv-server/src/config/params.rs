//! The parameters by name: one row each, read by CONFIG, the configuration file and the command line.

use super::value::{self, Parsed};
use super::{Config, OutputLimit};
use crate::eviction::Policy;
use crate::keyspace::notify::Class;

/// One parameter of redis.conf.
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) change: Change,
    pub(crate) show: fn(&Config) -> String,
    /// Reads a value; the arguments of a directive are joined with blanks.
    pub(crate) set: fn(&mut Config, &[u8]) -> Parsed<()>,
}

/// When a parameter may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// By CONFIG SET too.
    Any,
    /// Before the start only.
    Start,
    /// As `Any`, but CONFIG SET needs `enable-protected-configs`.
    Protected,
}

const fn param(
    name: &'static str,
    change: Change,
    show: fn(&Config) -> String,
    set: fn(&mut Config, &[u8]) -> Parsed<()>,
) -> Param {
    Param {
        name,
        change,
        show,
        set,
    }
}

/// The parameter of this name, in any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static Param> {
    PARAMS
        .iter()
        .find(|param| param.name.as_bytes().eq_ignore_ascii_case(name))
}

#[rustfmt::skip] // a table reads best in columns
pub(crate) const PARAMS: &[Param] = &[
    param("appendonly", Change::Any, |_| "no".to_owned(), |_, value| off("the append-only file is not built yet", value)),
    param("bind", Change::Start, |config| config.bind.join(" "), |config, value| {
        config.bind = value::text(value)?.split_whitespace().map(str::to_owned).collect();
        Ok(())
    }),
    param("client-output-buffer-limit", Change::Any, show_output_limits, set_output_limits),
    param("client-query-buffer-limit", Change::Start, |config| config.query_buffer_limit.to_string(), |config, value| {
        config.query_buffer_limit = at_least(value::memory(value)?, 1 << 20)?;
        Ok(())
    }),
    param("databases", Change::Start, |config| config.databases.to_string(), |config, value| {
        config.databases = size(value::integer(value, 1, i32::MAX as u64)?);
        Ok(())
    }),
    param("dbfilename", Change::Protected, |config| config.db_filename.clone(), |config, value| {
        let name = value::text(value)?;
        if name.contains('/') {
            return Err("dbfilename can't be a path, just a filename".to_owned());
        }
        name.clone_into(&mut config.db_filename);
        config.snapshots = true;
        Ok(())
    }),
    param("dir", Change::Protected, |config| std::path::absolute(&config.dir).unwrap_or_else(|_| config.dir.clone()).display().to_string(), |config, value| {
        let dir = std::path::absolute(value::text(value)?).map_err(|error| error.to_string())?;
        if !dir.is_dir() {
            return Err("No such file or directory".to_owned());
        }
        config.dir = dir;
        config.snapshots = true;
        Ok(())
    }),
    param("enable-debug-command", Change::Start, |config| value::show_protection(config.debug_command), |config, value| {
        config.debug_command = value::protection(value)?;
        Ok(())
    }),
    param("enable-protected-configs", Change::Start, |config| value::show_protection(config.protected_configs), |config, value| {
        config.protected_configs = value::protection(value)?;
        Ok(())
    }),
    param("hash-max-listpack-entries", Change::Any, |config| config.hash.entries.to_string(), |config, value| {
        config.hash.entries = size(value::integer(value, 0, i64::MAX as u64)?);
        Ok(())
    }),
    param("hash-max-listpack-value", Change::Any, |config| config.hash.value.to_string(), |config, value| {
        config.hash.value = value::memory(value)?;
        Ok(())
    }),
    param("hash-max-ziplist-entries", Change::Any, |config| config.hash.entries.to_string(), |config, value| {
        config.hash.entries = size(value::integer(value, 0, i64::MAX as u64)?);
        Ok(())
    }),
    param("hash-max-ziplist-value", Change::Any, |config| config.hash.value.to_string(), |config, value| {
        config.hash.value = value::memory(value)?;
        Ok(())
    }),
    param("hz", Change::Any, |config| config.hz.to_string(), |config, value| {
        // As in Redis, what is out of range becomes the nearest that is not.
        config.hz = number(value, 0, INT_MAX)?.clamp(1, 500);
        Ok(())
    }),
    param("latency-monitor-threshold", Change::Any, |config| config.latency_threshold_ms.to_string(), |config, value| {
        config.latency_threshold_ms = value::integer(value, 0, i64::MAX as u64)?;
        Ok(())
    }),
    param("latency-tracking", Change::Any, |config| value::show_yes_no(config.tracks_latency), |config, value| {
        config.tracks_latency = value::yes_no(value)?;
        Ok(())
    }),
    param("latency-tracking-info-percentiles", Change::Any, |config| value::show_percentiles(&config.latency_percentiles), |config, value| {
        config.latency_percentiles = value::percentiles(value)?;
        Ok(())
    }),
    param("lazyfree-lazy-eviction", Change::Any, |config| value::show_yes_no(config.lazy_eviction), |config, value| {
        config.lazy_eviction = value::yes_no(value)?;
        Ok(())
    }),
    param("lfu-decay-time", Change::Any, |config| config.frequency.decay_minutes.to_string(), |config, value| {
        config.frequency.decay_minutes = number(value, 0, INT_MAX)?;
        Ok(())
    }),
    param("lfu-log-factor", Change::Any, |config| config.frequency.log_factor.to_string(), |config, value| {
        config.frequency.log_factor = number(value, 0, INT_MAX)?;
        Ok(())
    }),
    param("list-compress-depth", Change::Any, |config| config.list.depth.to_string(), |config, value| {
        config.list.depth = size(value::integer(value, 0, INT_MAX.into())?);
        Ok(())
    }),
    param("list-max-listpack-size", Change::Any, |config| config.list.size.to_string(), |config, value| {
        config.list.size = value::signed(value)?;
        Ok(())
    }),
    param("list-max-ziplist-size", Change::Any, |config| config.list.size.to_string(), |config, value| {
        config.list.size = value::signed(value)?;
        Ok(())
    }),
    param("maxclients", Change::Any, |config| config.max_clients.to_string(), |config, value| {
        config.max_clients = size(value::integer(value, 1, u64::from(u32::MAX))?);
        Ok(())
    }),
    param("maxmemory", Change::Any, |config| config.maxmemory.to_string(), |config, value| {
        config.maxmemory = value::memory(value)?;
        Ok(())
    }),
    param("maxmemory-clients", Change::Any, |config| value::show_client_limit(config.client_limit), |config, value| {
        config.client_limit = value::client_limit(value)?;
        Ok(())
    }),
    param("maxmemory-eviction-tenacity", Change::Any, |config| config.eviction_tenacity.to_string(), |config, value| {
        config.eviction_tenacity = number(value, 0, 100)?;
        Ok(())
    }),
    param("maxmemory-policy", Change::Any, |config| config.policy.name().to_owned(), |config, value| {
        let one_of = || format!("argument(s) must be one of the following: {}", Policy::names());
        config.policy = Policy::named(value::text(value)?).ok_or_else(one_of)?;
        Ok(())
    }),
    param("maxmemory-samples", Change::Any, |config| config.maxmemory_samples.to_string(), |config, value| {
        config.maxmemory_samples = size(value::integer(value, 1, i32::MAX as u64)?);
        Ok(())
    }),
    param("notify-keyspace-events", Change::Any, |config| config.notify.letters(), |config, value| {
        config.notify = Class::parse(value).ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
        Ok(())
    }),
    param("port", Change::Start, |config| config.port.unwrap_or(0).to_string(), |config, value| {
        let port = value::integer(value, 0, u64::from(u16::MAX))?;
        // As in redis.conf, 0 means no TCP at all.
        config.port = u16::try_from(port).ok().filter(|&port| port > 0);
        Ok(())
    }),
    param("proto-max-bulk-len", Change::Start, |config| config.max_bulk_bytes.to_string(), |config, value| {
        config.max_bulk_bytes = at_least(value::memory(value)?, 1 << 20)?;
        Ok(())
    }),
    param("rdbchecksum", Change::Start, |config| value::show_yes_no(config.rdb_checksum), |config, value| {
        config.rdb_checksum = value::yes_no(value)?;
        Ok(())
    }),
    param("rdbcompression", Change::Any, |config| value::show_yes_no(config.rdb_compression), |config, value| {
        config.rdb_compression = value::yes_no(value)?;
        Ok(())
    }),
    param("requirepass", Change::Any, |config| String::from_utf8_lossy(config.requirepass.as_deref().unwrap_or_default()).into_owned(), |config, value| {
        config.requirepass = Some(value.to_vec()).filter(|password| !password.is_empty());
        Ok(())
    }),
    param("save", Change::Any, |config| value::show_save_points(&config.save), |config, value| {
        config.save = value::save_points(value)?;
        Ok(())
    }),
    param("set-max-intset-entries", Change::Any, |config| config.set.ints.to_string(), |config, value| {
        config.set.ints = size(value::integer(value, 0, i64::MAX as u64)?);
        Ok(())
    }),
    param("set-max-listpack-entries", Change::Any, |config| config.set.entries.to_string(), |config, value| {
        config.set.entries = size(value::integer(value, 0, i64::MAX as u64)?);
        Ok(())
    }),
    param("set-max-listpack-value", Change::Any, |config| config.set.value.to_string(), |config, value| {
        config.set.value = value::memory(value)?;
        Ok(())
    }),
    param("slowlog-log-slower-than", Change::Any, |config| config.slowlog_us.to_string(), |config, value| {
        config.slowlog_us = value::signed(value)?.max(-1).into();
        Ok(())
    }),
    param("slowlog-max-len", Change::Any, |config| config.slowlog_len.to_string(), |config, value| {
        config.slowlog_len = size(value::integer(value, 0, i64::MAX as u64)?);
        Ok(())
    }),
    param("stop-writes-on-bgsave-error", Change::Any, |config| value::show_yes_no(config.stop_writes_on_save_error), |config, value| {
        config.stop_writes_on_save_error = value::yes_no(value)?;
        Ok(())
    }),
    param("stream-node-max-bytes", Change::Any, |config| config.stream.bytes.to_string(), |config, value| {
        config.stream.bytes = value::memory(value)?;
        Ok(())
    }),
    param("stream-node-max-entries", Change::Any, |config| config.stream.entries.to_string(), |config, value| {
        config.stream.entries = value::integer(value, 0, i64::MAX as u64)?;
        Ok(())
    }),
    param("timeout", Change::Any, |config| config.timeout.map_or(0, |timeout| timeout.as_secs()).to_string(), |config, value| {
        let seconds = value::integer(value, 0, i32::MAX as u64)?;
        config.timeout = (seconds > 0).then(|| std::time::Duration::from_secs(seconds));
        Ok(())
    }),
    param("tracking-table-max-keys", Change::Any, |config| config.tracking_keys.to_string(), |config, value| {
        config.tracking_keys = size(value::integer(value, 0, i64::MAX as u64)?);
        Ok(())
    }),
    param("unixsocket", Change::Start, |config| config.unix_socket.as_ref().map(|path| path.display().to_string()).unwrap_or_default(), |config, value| {
        config.unix_socket = Some(value::text(value)?).filter(|path| !path.is_empty()).map(Into::into);
        Ok(())
    }),
    param("unixsocketperm", Change::Start, |config| format!("{:o}", config.unix_socket_mode.unwrap_or(0)), |config, value| {
        let mode = u32::from_str_radix(value::text(value)?, 8).ok().filter(|&mode| mode <= 0o777);
        config.unix_socket_mode = Some(mode.ok_or("argument couldn't be parsed into an integer")?);
        Ok(())
    }),
    param("zset-max-listpack-entries", Change::Any, |config| config.zset.entries.to_string(), |config, value| {
        config.zset.entries = size(value::integer(value, 0, i64::MAX as u64)?);
        Ok(())
    }),
    param("zset-max-listpack-value", Change::Any, |config| config.zset.value.to_string(), |config, value| {
        config.zset.value = value::memory(value)?;
        Ok(())
    }),
    param("zset-max-ziplist-entries", Change::Any, |config| config.zset.entries.to_string(), |config, value| {
        config.zset.entries = size(value::integer(value, 0, i64::MAX as u64)?);
        Ok(())
    }),
    param("zset-max-ziplist-value", Change::Any, |config| config.zset.value.to_string(), |config, value| {
        config.zset.value = value::memory(value)?;
        Ok(())
    }),
];

/// Whether MONITOR and the slow log leave the value out.
pub(crate) fn is_secret(name: &[u8]) -> bool {
    ["requirepass", "masterauth"]
        .iter()
        .any(|secret| secret.as_bytes().eq_ignore_ascii_case(name))
}

/// A feature that is not there yet can only be off.
fn off(why: &str, value: &[u8]) -> Parsed<()> {
    if value::yes_no(value)? {
        Err(why.to_owned())
    } else {
        Ok(())
    }
}

fn at_least(bytes: usize, min: usize) -> Parsed<usize> {
    if bytes >= min {
        Ok(bytes)
    } else {
        Err(format!(
            "argument must be between {min} and {} inclusive",
            i64::MAX
        ))
    }
}

/// The largest `int` of C.
const INT_MAX: u32 = i32::MAX.unsigned_abs();

/// An integer of 32 bits.
fn number(value: &[u8], min: u32, max: u32) -> Parsed<u32> {
    let number = value::integer(value, min.into(), max.into())?;
    Ok(u32::try_from(number).unwrap_or(max))
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn show_output_limits(config: &Config) -> String {
    let classes = [
        ("normal", config.normal_output),
        ("slave", config.replica_output),
        ("pubsub", config.pubsub_output),
    ];
    classes
        .map(|(class, limit)| value::show_output_limit(class, limit))
        .join(" ")
}

fn set_output_limits(config: &mut Config, value: &[u8]) -> Parsed<()> {
    value::output_limits(value, |class, limit: OutputLimit| {
        match class {
            "normal" => config.normal_output = limit,
            "slave" | "replica" => config.replica_output = limit,
            "pubsub" => config.pubsub_output = limit,
            _ => return false,
        }
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parameter_shows_it_also_reads() {
        let mut config = Config::default();
        for param in PARAMS.iter().filter(|param| param.name != "dir") {
            let shown = (param.show)(&config);
            (param.set)(&mut config, shown.as_bytes())
                .unwrap_or_else(|error| panic!("{}: {shown}: {error}", param.name));
            assert_eq!((param.show)(&config), shown, "{}", param.name);
        }
    }

    #[test]
    fn the_table_is_sorted_and_has_no_name_twice() {
        assert!(PARAMS.is_sorted_by(|one, two| one.name < two.name));
    }
}
