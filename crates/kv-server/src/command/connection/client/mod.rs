//! CLIENT: what the server knows about its connections, and what one of them may do to the others.

mod attributes;
mod filter;
mod kill;
mod list;
mod pause;
mod tracking;

use crate::command::connection::ANYTIME;
use crate::command::{Args, Command, Flags, Keys, container, row};
use crate::context::Context;
use crate::error::Result;

pub(super) use attributes::check_name;

/// Flags of the subcommands that look at or change other connections.
const ADMIN: Flags = ANYTIME.and(Flags::ADMIN);

pub(super) const CLIENT: Command = container("CLIENT", SUBCOMMANDS).docs(
    "2.4.0",
    "",
    "Commands about connections.",
    "Depends on subcommand.",
);

#[rustfmt::skip] // a table reads best in columns
const SUBCOMMANDS: &[Command] = &[
    row("CACHING",      3, ANYTIME, Keys::NONE, tracking::caching)
        .docs("6.0.0", "<YES | NO>", "Makes an exception of client-side caching for the next command.", "O(1)"),
    row("GETNAME",      2, ANYTIME, Keys::NONE, attributes::getname)
        .docs("2.6.9", "", "Answers the name of the connection.", "O(1)"),
    row("GETREDIR",     2, ANYTIME, Keys::NONE, tracking::getredir)
        .docs("6.0.0", "", "Answers which connection gets this one's invalidation messages.", "O(1)"),
    row("HELP",         2, Flags::LOADING.and(Flags::STALE), Keys::NONE, help)
        .docs("5.0.0", "", "Describes the subcommands.", "O(1)"),
    row("ID",           2, ANYTIME, Keys::NONE, attributes::id)
        .docs("5.0.0", "", "Answers the id of the connection.", "O(1)"),
    row("INFO",         2, ANYTIME, Keys::NONE, list::info)
        .docs("6.2.0", "", "Describes the connection.", "O(1)").tips("nondeterministic_output"),
    row("KILL",        -3, ADMIN,   Keys::NONE, kill::kill)
        .docs("2.4.0", "<ip:port | [ID client-id] [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>]>", "Closes connections.", "O(N) where N is the number of client connections"),
    row("LIST",        -2, ADMIN,   Keys::NONE, list::list)
        .docs("2.4.0", "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]", "Describes the open connections.", "O(N) where N is the number of client connections").tips("nondeterministic_output"),
    row("NO-EVICT",     3, ADMIN,   Keys::NONE, attributes::no_evict)
        .docs("7.0.0", "<ON | OFF>", "Keeps the connection when client memory is short.", "O(1)"),
    row("NO-TOUCH",     3, ANYTIME, Keys::NONE, attributes::no_touch)
        .docs("7.2.0", "<ON | OFF>", "Makes the connection's reads leave no trace in the access times of keys.", "O(1)"),
    row("PAUSE",       -3, ADMIN,   Keys::NONE, pause::pause)
        .docs("3.0.0", "timeout:integer [WRITE | ALL]", "Holds commands back for a time.", "O(1)"),
    row("REPLY",        3, ANYTIME, Keys::NONE, attributes::reply)
        .docs("3.2.0", "<ON | OFF | SKIP>", "Chooses whether the connection gets replies.", "O(1)"),
    row("SETINFO",      4, ANYTIME, Keys::NONE, attributes::setinfo)
        .docs("7.2.0", "<LIB-NAME libname | LIB-VER libver>", "Names the client library of the connection.", "O(1)").tips("request_policy:all_nodes response_policy:all_succeeded"),
    row("SETNAME",      3, ANYTIME, Keys::NONE, attributes::setname)
        .docs("2.6.9", "connection-name", "Names the connection.", "O(1)").tips("request_policy:all_nodes response_policy:all_succeeded"),
    row("TRACKING",    -3, ANYTIME, Keys::NONE, tracking::tracking)
        .docs("6.0.0", "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]", "Tells the connection when keys that it has read are changed.", "O(1). Some options may introduce additional complexity."),
    row("TRACKINGINFO", 2, ANYTIME, Keys::NONE, tracking::trackinginfo)
        .docs("6.2.0", "", "Describes the connection's client-side caching.", "O(1)"),
    row("UNBLOCK",     -3, ADMIN,   Keys::NONE, kill::unblock)
        .docs("5.0.0", "client-id [TIMEOUT | ERROR]", "Ends the wait of a blocked connection.", "O(log N) where N is the number of client connections"),
    row("UNPAUSE",      2, ADMIN,   Keys::NONE, pause::unpause)
        .docs("6.2.0", "", "Ends a pause.", "O(N) Where N is the number of paused clients"),
];

fn help(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help(
        "CLIENT",
        &[
            "CACHING (YES|NO)",
            "    Cache, or do not cache, what the next command reads (OPTIN, OPTOUT).",
            "GETNAME",
            "    The name of this connection.",
            "GETREDIR",
            "    The connection that gets this one's invalidation messages.",
            "ID",
            "    The id of this connection.",
            "INFO",
            "    What the server knows about this connection.",
            "KILL <ip:port>",
            "    Close the connection from this address.",
            "KILL <option> <value> [<option> <value> [...]]",
            "    Close the connections for which all options hold:",
            "    * ID <client-id>",
            "    * ADDR (<ip:port>|<unixsocket>:0)",
            "    * LADDR (<ip:port>|<unixsocket>:0)",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "    * USER <username>",
            "    * SKIPME (YES|NO)",
            "      Leave this connection open (default: yes).",
            "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)|ID <id> [<id> ...]]",
            "    What the server knows about its connections.",
            "NO-EVICT (ON|OFF)",
            "    Keep this connection when client memory is short.",
            "NO-TOUCH (ON|OFF)",
            "    Let reads of this connection leave access times as they are.",
            "PAUSE <timeout> [WRITE|ALL]",
            "    Hold commands, or those that write, back for <timeout> milliseconds.",
            "REPLY (ON|OFF|SKIP)",
            "    Whether this connection gets replies.",
            "SETINFO <option> <value>",
            "    Describe the client library. Options are:",
            "    * LIB-NAME: its name.",
            "    * LIB-VER: its version.",
            "SETNAME <name>",
            "    Name this connection.",
            "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
            "         [OPTIN] [OPTOUT] [NOLOOP]",
            "    Hear of changes of what this connection has read.",
            "TRACKINGINFO",
            "    Client-side caching of this connection.",
            "UNBLOCK <clientid> [TIMEOUT|ERROR]",
            "    End the wait of a blocked connection.",
            "UNPAUSE",
            "    End a pause.",
        ],
    );
    Ok(())
}
