//! Stream commands.

mod add;
mod claim;
mod entries;
mod group;
mod info;
mod parse;
mod pending;
mod range;
mod read;
mod trim;

use crate::command::keys::{Begin, Find};
use crate::command::{Command, Flags, KeySpec, Keys, container, row};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.and(Flags::FAST);
const WAIT: Flags = Flags::BLOCKING.and(Flags::MOVABLE_KEYS);
const READ_WAIT: Flags = Flags::READONLY.and(WAIT);
const WRITE: Flags = Flags::WRITE;
const WRITE_WAIT: Flags = Flags::WRITE.and(WAIT);
const WRITE_FAST: Flags = Flags::WRITE.and(Flags::FAST);
const GROW: Flags = Flags::WRITE.and(Flags::DENYOOM);
const GROW_FAST: Flags = GROW.and(Flags::FAST);
const HELP: Flags = Flags::LOADING.and(Flags::STALE);

const LOOK: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RO")]);
const UPDATE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW update")]);
const DELETE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW delete")]);
// Behind the name of a subcommand.
const SUB_READ: Keys = Keys::new(&[KeySpec::range(2, 0, 1, "RO access")]);
const SUB_INSERT: Keys = Keys::new(&[KeySpec::range(2, 0, 1, "RW insert")]);
const SUB_UPDATE: Keys = Keys::new(&[KeySpec::range(2, 0, 1, "RW update")]);
const SUB_DELETE: Keys = Keys::new(&[KeySpec::range(2, 0, 1, "RW delete")]);
const STREAMS: Keys = Keys::new(&[behind_streams(1)]);
const GROUP_STREAMS: Keys = Keys::new(&[behind_streams(4)]);

/// The first half of what stands behind the word STREAMS.
const fn behind_streams(from: i16) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword("STREAMS", from),
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
        flags: "RO access",
    }
}

#[rustfmt::skip] // a table reads best in columns
const XGROUP: &[Command] = &[
    row("CREATE",         -5, GROW,  SUB_INSERT, group::create).docs("5.0.0", "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read:integer]", "Creates a consumer group.", "O(1)"),
    row("CREATECONSUMER",  5, GROW,  SUB_INSERT, group::create_consumer).docs("6.2.0", "key group consumer", "Creates a consumer in a group.", "O(1)"),
    row("DELCONSUMER",     5, WRITE, SUB_DELETE, group::delete_consumer).docs("5.0.0", "key group consumer", "Removes a consumer from a group, with what it has not acknowledged.", "O(1)"),
    row("DESTROY",         4, WRITE, SUB_DELETE, group::destroy).docs("5.0.0", "key group", "Removes a consumer group.", "O(N) where N is the number of entries in the group's pending entries list (PEL)."),
    row("HELP",            2, HELP,  Keys::NONE, group::help).docs("5.0.0", "", "Tells what the subcommands do.", "O(1)"),
    row("SETID",          -5, WRITE, SUB_UPDATE, group::set_id).docs("5.0.0", "key group <id | $> [ENTRIESREAD entriesread:integer]", "Sets how far a consumer group has come.", "O(1)"),
];

#[rustfmt::skip] // a table reads best in columns
const XINFO: &[Command] = &[
    row("CONSUMERS",  4, READ, SUB_READ,   info::consumers).docs("5.0.0", "key group", "Describes the consumers of a group.", "O(1)").tips("nondeterministic_output"),
    row("GROUPS",     3, READ, SUB_READ,   info::groups).docs("5.0.0", "key", "Describes the consumer groups of a stream.", "O(1)"),
    row("HELP",       2, HELP, Keys::NONE, info::help).docs("5.0.0", "", "Tells what the subcommands do.", "O(1)"),
    row("STREAM",    -3, READ, SUB_READ,   info::stream).docs("5.0.0", "key [FULL [COUNT count]]", "Describes a stream.", "O(1)"),
];

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("XACK",       -4, WRITE_FAST, UPDATE,         pending::xack).docs("5.0.0", "key group id [id ...]", "Takes entries that were dealt with off a consumer group's list.", "O(1) for each message ID processed."),
    row("XADD",       -5, GROW_FAST,  UPDATE,         add::xadd).docs("5.0.0", "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]", "Adds an entry to a stream, which begins empty.", "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.").tips("nondeterministic_output"),
    row("XAUTOCLAIM", -6, WRITE_FAST, DELETE,         claim::xautoclaim).docs("6.2.0", "key group consumer min-idle-time start:string [COUNT count] [JUSTID]", "Gives a consumer what others have left unacknowledged for long.", "O(1) if COUNT is small.").tips("nondeterministic_output"),
    row("XCLAIM",     -6, WRITE_FAST, UPDATE,         claim::xclaim).docs("5.0.0", "key group consumer min-idle-time id [id ...] [IDLE ms:integer] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]", "Gives a consumer entries that were delivered to others.", "O(log N) with N being the number of messages in the PEL of the consumer group.").tips("nondeterministic_output"),
    row("XDEL",       -3, WRITE_FAST, DELETE,         trim::xdel).docs("5.0.0", "key id [id ...]", "Takes entries out of a stream.", "O(1) for each single item to delete in the stream, regardless of the stream size."),
    container("XGROUP", XGROUP).docs("5.0.0", "", "Container of the commands that manage consumer groups.", "Depends on subcommand."),
    container("XINFO", XINFO).docs("5.0.0", "", "Container of the commands that describe streams.", "Depends on subcommand."),
    row("XLEN",        2, READ_FAST,  LOOK,           range::xlen).docs("5.0.0", "key", "Counts the entries of a stream.", "O(1)"),
    row("XPENDING",   -3, READ,       Keys::READ_ONE, pending::xpending).docs("5.0.0", "key group [[IDLE min-idle-time:integer] start:string end:string count [consumer]]", "Shows what was delivered to a consumer group and not acknowledged.", "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.").tips("nondeterministic_output"),
    row("XRANGE",     -4, READ,       Keys::READ_ONE, range::xrange).docs("5.0.0", "key start:string end:string [COUNT count]", "Returns the entries within a range of ids.", "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1)."),
    row("XREAD",      -4, READ_WAIT,  STREAMS,        read::xread).docs("5.0.0", "[COUNT count] [BLOCK milliseconds] <STREAMS <key [key ...] id [id ...]>>", "Returns the entries behind an id in each of several streams, and waits until there is one.", ""),
    row("XREADGROUP", -7, WRITE_WAIT, GROUP_STREAMS,  read::xreadgroup).docs("5.0.0", "<GROUP group consumer> [COUNT count] [BLOCK milliseconds] [NOACK] <STREAMS <key [key ...] id [id ...]>>", "Returns entries to a consumer of a group: new ones, waiting until there is one, or those it has not acknowledged.", "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data."),
    row("XREVRANGE",  -4, READ,       Keys::READ_ONE, range::xrevrange).docs("5.0.0", "key end:string start:string [COUNT count]", "Returns the entries within a range of ids, the last one first.", "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1)."),
    row("XSETID",     -3, GROW_FAST,  UPDATE,         add::xsetid).docs("5.0.0", "key last-id [ENTRIESADDED entries-added:integer] [MAXDELETEDID max-deleted-id]", "Sets the counters of a stream: for copying one.", "O(1)"),
    row("XTRIM",      -4, WRITE,      DELETE,         trim::xtrim).docs("5.0.0", "key <<MAXLEN | MINID> [= | ~] threshold [LIMIT count]>", "Takes the oldest entries out of a stream.", "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.").tips("nondeterministic_output"),
];
