//! INFO: one row a section. A field that this server has no figure for is left out rather than made up.
//!
//! `used_memory` is what the data and the connections hold: tables, keys, values, sessions, bytes that wait to be read or sent, the keys that
//! connections track, and the slow log; it is counted exactly, without the allocator's losses. Statistics are not in it, of which there are
//! only so many as there are commands. `used_memory_rss` is the whole process as the system sees it, which in an embedding program is more
//! than the server.

use std::collections::HashSet;
use std::fmt::{Display, Write};

use crate::config::percentile;
use crate::context::Context;
use crate::engine::Shared;
use crate::pubsub::Kind;
use crate::version::REDIS_VERSION;

/// One section.
struct Section {
    /// As in `INFO name`, and as its heading.
    name: &'static str,
    title: &'static str,
    /// Whether INFO without arguments shows it.
    default: bool,
    write: fn(&mut Context<'_>, &mut Lines),
}

const fn section(
    name: &'static str,
    title: &'static str,
    default: bool,
    write: fn(&mut Context<'_>, &mut Lines),
) -> Section {
    Section {
        name,
        title,
        default,
        write,
    }
}

#[rustfmt::skip] // a table reads best in columns
const SECTIONS: &[Section] = &[
    section("server",       "Server",       true,  server),
    section("clients",      "Clients",      true,  clients),
    section("memory",       "Memory",       true,  memory),
    section("persistence",  "Persistence",  true,  persistence),
    section("stats",        "Stats",        true,  stats),
    section("replication",  "Replication",  true,  replication),
    section("cpu",          "CPU",          true,  cpu),
    section("modules",      "Modules",      true,  |_, _| {}),
    section("commandstats", "Commandstats", false, command_stats),
    section("errorstats",   "Errorstats",   true,  error_stats),
    section("latencystats", "Latencystats", false, latency_stats),
    section("cluster",      "Cluster",      true,  |_, out| out.field("cluster_enabled", 0)),
    section("keyspace",     "Keyspace",     true,  keyspace),
];

/// The text of INFO with these arguments.
pub(crate) fn text<'a>(
    cx: &mut Context<'_>,
    names: impl Iterator<Item = &'a [u8]> + Clone,
) -> String {
    let asked = |word: &str| {
        let mut names = names.clone();
        names.any(|name| name.eq_ignore_ascii_case(word.as_bytes()))
    };
    let all = asked("all") || asked("everything");
    let default = names.clone().next().is_none() || asked("default");
    let mut lines = Lines(String::new());
    for section in SECTIONS {
        if all || default && section.default || asked(section.name) {
            if !lines.0.is_empty() {
                lines.0.push_str("\r\n");
            }
            let _ = write!(lines.0, "# {}\r\n", section.title);
            (section.write)(cx, &mut lines);
        }
    }
    lines.0
}

/// `name:value` lines.
struct Lines(String);

impl Lines {
    fn field(&mut self, name: &str, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// Bytes, and the same for people.
    fn bytes(&mut self, name: &str, bytes: usize) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human(bytes));
    }
}

fn server(cx: &mut Context<'_>, out: &mut Lines) {
    let up_s = (cx.now_ms() - cx.shared.started_ms).max(0) / 1000;
    out.field("redis_version", REDIS_VERSION);
    out.field("server_name", "kv-server");
    out.field("kv_server_version", env!("CARGO_PKG_VERSION"));
    out.field("redis_mode", "standalone");
    out.field(
        "os",
        format_args!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    );
    out.field("arch_bits", usize::BITS);
    out.field("process_id", std::process::id());
    out.field("run_id", &cx.shared.run_id);
    out.field("tcp_port", cx.shared.tcp_port);
    out.field("server_time_usec", cx.now_us);
    out.field("uptime_in_seconds", up_s);
    out.field("hz", cx.shared.config.hz);
    out.field("configured_hz", cx.shared.config.hz);
    out.field("uptime_in_days", up_s / 86_400);
    if let Ok(path) = std::env::current_exe() {
        out.field("executable", path.display());
    }
}

fn clients(cx: &mut Context<'_>, out: &mut Lines) {
    let (mut blocked, mut waits_for_key, mut watching, mut subscribed) = (0, 0, 0, 0);
    for session in cx.sessions() {
        // CLIENT PAUSE blocks too.
        blocked += u32::from(session.blocked.is_some() || session.postponed);
        waits_for_key += u32::from(
            session
                .blocked
                .as_ref()
                .is_some_and(|wait| wait.deadline.is_some()),
        );
        watching += u32::from(!session.watched.is_empty());
        subscribed += u32::from(session.is_subscriber());
    }
    let keys = |on_missing: bool| {
        let waits = cx
            .sessions()
            .filter_map(|session| session.blocked.as_ref())
            .filter(|wait| !on_missing || wait.wants.is_none());
        let keys = waits.flat_map(|wait| wait.keys.iter().map(|key| (wait.db, &**key)));
        keys.collect::<HashSet<_>>().len()
    };
    let (blocking_keys, blocking_on_missing) = (keys(false), keys(true));
    out.field("connected_clients", cx.shared.clients.len());
    out.field("maxclients", cx.shared.config.max_clients);
    out.field("blocked_clients", blocked);
    out.field("pubsub_clients", subscribed);
    out.field("watching_clients", watching);
    out.field("clients_in_timeout_table", waits_for_key);
    out.field("total_blocking_keys", blocking_keys);
    out.field("total_blocking_keys_on_nokey", blocking_on_missing);
    out.field("tracking_clients", cx.shared.tracking.counts()[0]);
}

/// What takes how many bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Keys, values and tables.
    data: usize,
    /// Tables alone.
    tables: usize,
    /// Sessions, and what they have not read yet.
    pub(crate) clients: usize,
    /// What [`Shared::notes_memory`] counts.
    notes: usize,
    /// The whole process, where the system says it.
    pub(crate) resident: Option<usize>,
}

impl Memory {
    pub(crate) fn of(cx: &mut Context<'_>) -> Self {
        let clients = cx
            .sessions()
            .map(|session| session.memory() + session.peer.waiting_bytes())
            .sum();
        let dbs = cx.others.with(cx.db);
        let (data, tables) = dbs.fold((0, 0), |(data, tables), (_, db)| {
            (data + db.memory(), tables + db.table_memory())
        });
        Self {
            data,
            tables,
            clients,
            notes: cx.shared.notes_memory(),
            resident: proc_kib("/proc/self/status", "VmRSS:"),
        }
    }

    pub(crate) fn used(&self) -> usize {
        self.data + self.clients + self.notes
    }

    pub(crate) fn overhead(&self) -> usize {
        self.tables + self.clients
    }

    /// What is no overhead; as in Redis the notes are not.
    pub(crate) fn dataset(&self) -> usize {
        self.used() - self.overhead().min(self.used())
    }
}

impl Shared {
    /// What the server notes beside the data: who has read which keys (CLIENT TRACKING), and the slow log. Counts for `maxmemory`, as in Redis.
    pub(crate) fn notes_memory(&self) -> usize {
        self.tracking.memory() + self.slowlog.memory()
    }
}

fn memory(cx: &mut Context<'_>, out: &mut Lines) {
    let memory = Memory::of(cx);
    out.bytes("used_memory", memory.used());
    if let Some(bytes) = memory.resident {
        out.bytes("used_memory_rss", bytes);
    }
    if let Some(bytes) = proc_kib("/proc/self/status", "VmHWM:") {
        out.bytes("used_memory_rss_peak", bytes);
    }
    out.field("used_memory_overhead", memory.overhead());
    out.field("used_memory_dataset", memory.dataset());
    if let Some(bytes) = proc_kib("/proc/meminfo", "MemTotal:") {
        out.bytes("total_system_memory", bytes);
    }
    out.bytes("maxmemory", cx.shared.config.maxmemory);
    out.field("maxmemory_policy", cx.shared.config.policy.name());
    out.field("mem_not_counted_for_evict", 0);
    out.field("mem_clients_normal", memory.clients);
    // The program chose it; a library does not know which.
    out.field("mem_allocator", "unknown");
    let garbage = cx.shared.garbage.count();
    out.field("lazyfree_pending_objects", garbage.pending());
    out.field("lazyfreed_objects", garbage.freed());
}

fn persistence(cx: &mut Context<'_>, out: &mut Lines) {
    let saves = &cx.shared.saves;
    let seconds = |ms: i64| ms.div_euclid(1000);
    let since = saves.running.map(|running| cx.now_ms() - running.since_ms);
    out.field("loading", 0);
    out.field("async_loading", 0);
    out.field(
        "rdb_changes_since_last_save",
        cx.shared.stats.changes_since_save,
    );
    out.field("rdb_bgsave_in_progress", u8::from(since.is_some()));
    out.field("rdb_last_save_time", seconds(saves.last_ms));
    out.field(
        "rdb_last_bgsave_status",
        if saves.failed { "err" } else { "ok" },
    );
    out.field(
        "rdb_last_bgsave_time_sec",
        saves.duration_ms.map_or(-1, seconds),
    );
    out.field("rdb_current_bgsave_time_sec", since.map_or(-1, seconds));
    out.field("rdb_saves", saves.count);
    out.field("rdb_last_cow_size", saves.kept_bytes);
    out.field("rdb_last_load_keys_expired", saves.loaded.expired);
    out.field("rdb_last_load_keys_loaded", saves.loaded.keys);
    out.field("aof_enabled", 0);
}

fn stats(cx: &mut Context<'_>, out: &mut Lines) {
    let (mut hits, mut misses, mut expired, mut evicted) = (0, 0, 0, 0);
    let mut expired_fields = 0;
    for (_, db) in cx.others.with(cx.db) {
        hits += db.counters.hits;
        misses += db.counters.misses;
        expired += db.counters.expired;
        evicted += db.counters.evicted;
        expired_fields += db.counters.expired_fields;
    }
    let (stats, pubsub) = (&cx.shared.stats, &cx.shared.pubsub);
    out.field("total_connections_received", stats.connections);
    out.field("total_commands_processed", stats.commands);
    let rates = stats.rates(cx.now_us);
    out.field("instantaneous_ops_per_sec", rates.commands);
    out.field("total_net_input_bytes", stats.bytes_in);
    out.field("total_net_output_bytes", stats.bytes_out);
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    for (name, bytes) in [("input", rates.bytes_in), ("output", rates.bytes_out)] {
        out.field(
            &format!("instantaneous_{name}_kbps"),
            format_args!("{:.2}", bytes as f64 / 1024.0),
        );
    }
    out.field("rejected_connections", stats.rejected_connections);
    out.field("expired_keys", expired);
    out.field("expired_subkeys", expired_fields);
    out.field("evicted_keys", evicted);
    out.field("evicted_clients", stats.evicted_clients);
    out.field("keyspace_hits", hits);
    out.field("keyspace_misses", misses);
    out.field("pubsub_channels", pubsub.channel_count(Kind::Channel));
    out.field("pubsub_patterns", pubsub.pattern_count());
    out.field("pubsubshard_channels", pubsub.channel_count(Kind::Shard));
    out.field("total_forks", 0);
    let [_, keys, items, prefixes] = cx.shared.tracking.counts();
    out.field("tracking_total_keys", keys);
    out.field("tracking_total_items", items);
    out.field("tracking_total_prefixes", prefixes);
    out.field("total_error_replies", stats.errors());
    out.field(
        "client_output_buffer_limit_disconnections",
        stats.output_limit_disconnections,
    );
}

/// There are no replicas: nothing has ever been sent to one.
fn replication(cx: &mut Context<'_>, out: &mut Lines) {
    out.field("role", "master");
    out.field("connected_slaves", 0);
    out.field("master_failover_state", "no-failover");
    out.field("master_replid", &cx.shared.replication_id);
    out.field("master_repl_offset", 0);
    out.field("repl_backlog_active", 0);
}

fn cpu(_: &mut Context<'_>, out: &mut Lines) {
    /// Linux shows times to programs in hundredths of a second on every architecture.
    const TICKS_PER_SECOND: u64 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses and may hold anything; user and system time are fields 14 and 15.
    let mut fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .map_while(|field| field.parse::<u64>().ok());
    if let (Some(user), Some(system)) = (fields.next(), fields.next()) {
        for (name, ticks) in [("used_cpu_sys", system), ("used_cpu_user", user)] {
            let (whole, part) = (ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND);
            out.field(name, format_args!("{whole}.{part:02}0000"));
        }
    }
}

fn command_stats(cx: &mut Context<'_>, out: &mut Lines) {
    let commands = cx.shared.commands.clone();
    for (id, row) in commands.iter() {
        let counted = *cx.shared.stats.command(id);
        if counted.calls() + counted.rejected > 0 {
            let (calls, us) = (counted.calls(), counted.us);
            let (rejected, failed) = (counted.rejected, counted.failed);
            #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
            let each = us as f64 / calls.max(1) as f64;
            out.field(
                &format!("cmdstat_{}", row.full_name),
                format_args!("calls={calls},usec={us},usec_per_call={each:.2},rejected_calls={rejected},failed_calls={failed}"),
            );
        }
    }
}

fn error_stats(cx: &mut Context<'_>, out: &mut Lines) {
    for (code, count) in cx.shared.stats.errors_by_code() {
        out.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

/// How long calls took, as far as `latency-tracking` counts it.
fn latency_stats(cx: &mut Context<'_>, out: &mut Lines) {
    if !cx.shared.config.tracks_latency {
        return;
    }
    let commands = cx.shared.commands.clone();
    for (id, row) in commands.iter() {
        let Some(histogram) = cx.shared.stats.histogram(id) else {
            continue;
        };
        let percentiles = cx.shared.config.latency_percentiles.iter();
        let percentiles: Vec<_> = percentiles
            .map(|&percent| {
                let ns = histogram.percentile_ns(percent);
                let (us, rest) = (ns / 1000, ns % 1000);
                format!("p{}={us}.{rest:03}", percentile(percent))
            })
            .collect();
        out.field(
            &format!("latency_percentiles_usec_{}", row.full_name),
            percentiles.join(","),
        );
    }
}

fn keyspace(cx: &mut Context<'_>, out: &mut Lines) {
    for (number, db) in cx.others.with(cx.db) {
        if db.len() > 0 {
            let (keys, expires) = (db.len(), db.volatile());
            out.field(
                &format!("db{number}"),
                format_args!("keys={keys},expires={expires}"),
            );
        }
    }
}

/// A line of a file under /proc that gives a size in KiB; `None` where there is no such file.
fn proc_kib(path: &str, name: &str) -> Option<usize> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: usize = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// Bytes as Redis shows them to people: `512B`, `1.50K`.
fn human(bytes: usize) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.2}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people_have_two_digits() {
        for (bytes, shown) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (990_488, "967.27K"),
            (25_276_502_016, "23.54G"),
        ] {
            assert_eq!(human(bytes), shown);
        }
    }
}
