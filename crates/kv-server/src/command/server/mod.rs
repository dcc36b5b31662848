//! Server commands.

mod acl;
mod command;
mod config;
mod debug;
mod latency;
mod memory;
mod slowlog;
mod snapshot;

use crate::command::{Args, Command, Flags, Keys, container, row};
use crate::context::Context;
use crate::error::Result;
use crate::info;

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    container("ACL", acl::SUBCOMMANDS).docs("6.0.0", "", "A container for Access List Control commands.", "Depends on subcommand."),
    row("BGSAVE", -1, SAVE_FLAGS, Keys::NONE, snapshot::bgsave)
        .docs("1.0.0", "[SCHEDULE]", "Saves the data to disk in the background.", "O(1)"),
    row("COMMAND", -1, COMMAND_FLAGS, Keys::NONE, command::all).subcommands(COMMAND)
        .docs("2.8.13", "", "Returns detailed information about all commands.", "O(N) where N is the total number of Redis commands").tips("nondeterministic_output_order"),
    container("CONFIG", CONFIG).docs("2.0.0", "", "A container for server configuration commands.", "Depends on subcommand."),
    row("DEBUG", -2, Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE).and(Flags::CROSS_DB), Keys::NONE, debug::debug)
        .docs("1.0.0", "", "A container for debugging commands.", "Depends on subcommand."),
    row("INFO", -1, Flags::LOADING.and(Flags::STALE).and(Flags::CAT_DANGEROUS), Keys::NONE, info)
        .docs("1.0.0", "[section [section ...]]", "Returns facts and statistics about the server.", "O(1)").tips("nondeterministic_output request_policy:all_shards response_policy:special"),
    row("LASTSAVE", 1, Flags::LOADING.and(Flags::STALE).and(Flags::FAST).and(Flags::CAT_ADMIN).and(Flags::CAT_DANGEROUS), Keys::NONE, snapshot::lastsave)
        .docs("1.0.0", "", "Returns the Unix time of the last successful save to disk.", "O(1)").tips("nondeterministic_output"),
    container("LATENCY", latency::SUBCOMMANDS).docs("2.8.13", "", "A container for latency diagnostics commands.", "Depends on subcommand."),
    container("MEMORY", memory::SUBCOMMANDS).docs("4.0.0", "", "A container for memory diagnostics commands.", "Depends on subcommand."),
    row("MONITOR", 1, Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE), Keys::NONE, monitor)
        .docs("1.0.0", "", "Shows the connection every command that the server runs.", ""),
    row("ROLE", 1, Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::CAT_ADMIN).and(Flags::CAT_DANGEROUS), Keys::NONE, role)
        .docs("2.8.12", "", "Returns the server's part in replication.", "O(1)"),
    row("SAVE", 1, SAVE_FLAGS.and(Flags::NO_MULTI), Keys::NONE, snapshot::save)
        .docs("1.0.0", "", "Saves the data to disk; no other command runs meanwhile.", "O(N) where N is the total number of keys in all databases"),
    row("SHUTDOWN", -1, SHUTDOWN_FLAGS, Keys::NONE, snapshot::shutdown)
        .docs("1.0.0", "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]", "Saves the data to disk if it is configured to be saved, and ends the server.", "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)"),
    container("SLOWLOG", slowlog::SUBCOMMANDS).docs("2.2.12", "", "A container for slow log commands.", "Depends on subcommand."),
    row("TIME", 1, Flags::LOADING.and(Flags::STALE).and(Flags::FAST), Keys::NONE, time)
        .docs("2.6.0", "", "Returns the server's time as seconds and microseconds.", "O(1)").tips("nondeterministic_output"),
];

const SAVE_FLAGS: Flags = Flags::ADMIN
    .and(Flags::NOSCRIPT)
    .and(Flags::NO_ASYNC_LOADING);

const SHUTDOWN_FLAGS: Flags = Flags::ADMIN
    .and(Flags::NOSCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::NO_MULTI)
    .and(Flags::ALLOW_BUSY);

const COMMAND_FLAGS: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::CAT_CONNECTION);

#[rustfmt::skip] // a table reads best in columns
const COMMAND: &[Command] = &[
    row("COUNT", 2, COMMAND_FLAGS, Keys::NONE, command::count)
        .docs("2.8.13", "", "Returns how many commands there are.", "O(1)"),
    row("DOCS", -2, COMMAND_FLAGS, Keys::NONE, command::docs)
        .docs("7.0.0", "[command-name [command-name ...]]", "Returns the documentation of commands.", "O(N) where N is the number of commands to look up").tips("nondeterministic_output_order"),
    row("GETKEYS", -3, COMMAND_FLAGS, Keys::NONE, command::getkeys)
        .docs("2.8.13", "command [arg [arg ...]]", "Returns the keys of a whole command.", "O(N) where N is the number of arguments to the command"),
    row("GETKEYSANDFLAGS", -3, COMMAND_FLAGS, Keys::NONE, command::getkeysandflags)
        .docs("7.0.0", "command [arg [arg ...]]", "Returns the keys of a whole command, and what it does with them.", "O(N) where N is the number of arguments to the command"),
    row("HELP", 2, COMMAND_FLAGS, Keys::NONE, command::help)
        .docs("5.0.0", "", "Lists the subcommands.", "O(1)"),
    row("INFO", -2, COMMAND_FLAGS, Keys::NONE, command::info)
        .docs("2.8.13", "[command-name [command-name ...]]", "Returns information about commands.", "O(N) where N is the number of commands to look up").tips("nondeterministic_output_order"),
    row("LIST", -2, COMMAND_FLAGS, Keys::NONE, command::list)
        .docs("7.0.0", "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]", "Lists the names of commands.", "O(N) where N is the total number of Redis commands").tips("nondeterministic_output_order"),
];

const CONFIG_FLAGS: Flags = Flags::ADMIN
    .and(Flags::NOSCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE);

#[rustfmt::skip] // a table reads best in columns
const CONFIG: &[Command] = &[
    row("GET", -3, CONFIG_FLAGS, Keys::NONE, config::get)
        .docs("2.0.0", "parameter [parameter ...]", "Returns the values of the parameters that match.", "O(N) when N is the number of configuration parameters provided"),
    row("HELP", 2, Flags::LOADING.and(Flags::STALE), Keys::NONE, config::help)
        .docs("5.0.0", "", "Lists the subcommands.", "O(1)"),
    row("RESETSTAT", 2, CONFIG_FLAGS, Keys::NONE, config::resetstat)
        .docs("2.0.0", "", "Sets the server's statistics back to zero.", "O(1)").tips("request_policy:all_nodes response_policy:all_succeeded"),
    row("REWRITE", 2, CONFIG_FLAGS, Keys::NONE, config::rewrite)
        .docs("2.8.0", "", "Writes the configuration to the file it came from.", "O(1)").tips("request_policy:all_nodes response_policy:all_succeeded"),
    row("SET", -4, CONFIG_FLAGS, Keys::NONE, config::set)
        .docs("2.0.0", "parameter value [parameter value ...]", "Changes parameters while the server runs.", "O(N) when N is the number of configuration parameters provided").tips("request_policy:all_nodes response_policy:all_succeeded"),
];

fn time(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    args.finish()?;
    cx.out.array(2);
    cx.out.bulk_integer(cx.now_us.div_euclid(1_000_000));
    cx.out.bulk_integer(cx.now_us.rem_euclid(1_000_000));
    Ok(())
}

/// INFO \[section \[section ...]]
fn info(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let text = info::text(cx, args.rest());
    cx.out.text(&text);
    Ok(())
}

/// MONITOR: from the next command on.
fn monitor(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let peer = cx.session.peer.clone();
    cx.shared.monitors.insert(cx.session.id, peer);
    cx.out.ok();
    Ok(())
}

/// ROLE: a primary without replicas.
fn role(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.array(3);
    cx.out.bulk(b"master");
    cx.out.integer(0);
    cx.out.array(0);
    Ok(())
}
