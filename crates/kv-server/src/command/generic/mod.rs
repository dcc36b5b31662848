//! Commands on keys of any type, and on whole databases.

mod dump;
mod expiry;
mod flush;
mod keys;
mod object;
mod relocate;
pub(super) mod scan;
mod sort;

use crate::command::keys::Begin;
use crate::command::{Command, Flags, KeySpec, Keys, container, row};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.and(Flags::FAST);
const WRITE: Flags = Flags::WRITE;
const WRITE_FAST: Flags = Flags::WRITE.and(Flags::FAST);
const CROSS_DB: Flags = Flags::WRITE.and(Flags::CROSS_DB);
const CROSS_DB_FAST: Flags = CROSS_DB.and(Flags::FAST);

const LOOK: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RO")]);
const LOOK_ALL: Keys = Keys::new(&[KeySpec::range(1, -1, 1, "RO")]);
const LOOK_SUB: Keys = Keys::new(&[KeySpec::range(2, 0, 1, "RO")]);
const REMOVE_ALL: Keys = Keys::new(&[KeySpec::range(1, -1, 1, "RM delete")]);
const UPDATE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW update")]);
const OVERWRITE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "OW update")]);
const RENAME: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "RW access delete"),
    KeySpec::range(2, 0, 1, "OW update"),
]);
const RENAMENX: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "RW access delete"),
    KeySpec::range(2, 0, 1, "OW insert"),
]);
const COPY: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "RO access"),
    KeySpec::range(2, 0, 1, "OW update"),
]);
const SORT_FLAGS: Flags = Flags::CAT_SORTED.and(Flags::CAT_DANGEROUS);
const SORT: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "RO access"),
    KeySpec::unknown(Begin::Unknown, "RO access"),
    KeySpec::unknown(Begin::SortStore, "OW update"),
]);
const SORT_RO: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "RO access"),
    KeySpec::unknown(Begin::Unknown, "RO access"),
]);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("COPY",        -3, CROSS_DB.and(Flags::DENYOOM), COPY, relocate::copy).docs("6.2.0", "source destination [DB destination-db] [REPLACE]", "Copies the value of a key to another key.", "O(N) worst case for collections, where N is the number of nested items. O(1) for string values."),
    row("DEL",         -2, WRITE,         REMOVE_ALL, keys::del).docs("1.0.0", "key [key ...]", "Deletes keys.", "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).").tips("request_policy:multi_shard response_policy:agg_sum"),
    row("DUMP",         2, READ,          Keys::READ_ONE, dump::dump).docs("2.6.0", "key", "Returns a value in the format that RESTORE reads.", "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).").tips("nondeterministic_output"),
    row("EXISTS",      -2, READ_FAST,     LOOK_ALL, keys::exists).docs("1.0.0", "key [key ...]", "Counts how many of the keys exist.", "O(N) where N is the number of keys to check.").tips("request_policy:multi_shard response_policy:agg_sum"),
    row("EXPIRE",      -3, WRITE_FAST,    UPDATE, expiry::expire).docs("1.0.0", "key seconds [NX | XX | GT | LT]", "Lets a key expire after some seconds.", "O(1)"),
    row("EXPIREAT",    -3, WRITE_FAST,    UPDATE, expiry::expireat).docs("1.2.0", "key unix-time-seconds [NX | XX | GT | LT]", "Lets a key expire at a Unix time in seconds.", "O(1)"),
    row("EXPIRETIME",   2, READ_FAST,     Keys::READ_ONE, expiry::expiretime).docs("7.0.0", "key", "Returns the Unix time in seconds at which a key expires.", "O(1)"),
    row("KEYS",         2, READ.and(Flags::CAT_DANGEROUS), Keys::NONE, keys::keys).docs("1.0.0", "pattern", "Returns all keys that match a pattern.", "O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.").tips("request_policy:all_shards nondeterministic_output_order"),
    row("MOVE",         3, CROSS_DB_FAST, Keys::ONE, relocate::move_key).docs("1.0.0", "key db", "Moves a key to another database.", "O(1)"),
    container("OBJECT", OBJECT).docs("2.2.3", "", "A container for commands that look inside of values.", "Depends on subcommand."),
    row("PERSIST",      2, WRITE_FAST,    UPDATE, expiry::persist).docs("2.2.0", "key", "Takes the expiry off a key.", "O(1)"),
    row("PEXPIRE",     -3, WRITE_FAST,    UPDATE, expiry::pexpire).docs("2.6.0", "key milliseconds [NX | XX | GT | LT]", "Lets a key expire after some milliseconds.", "O(1)"),
    row("PEXPIREAT",   -3, WRITE_FAST,    UPDATE, expiry::pexpireat).docs("2.6.0", "key unix-time-milliseconds [NX | XX | GT | LT]", "Lets a key expire at a Unix time in milliseconds.", "O(1)"),
    row("PEXPIRETIME",  2, READ_FAST,     Keys::READ_ONE, expiry::pexpiretime).docs("7.0.0", "key", "Returns the Unix time in milliseconds at which a key expires.", "O(1)"),
    row("PTTL",         2, READ_FAST,     Keys::READ_ONE, expiry::pttl).docs("2.6.0", "key", "Returns after how many milliseconds a key expires.", "O(1)").tips("nondeterministic_output"),
    row("RANDOMKEY",    1, READ,          Keys::NONE, keys::randomkey).docs("1.0.0", "", "Returns a key by chance.", "O(1)").tips("request_policy:all_shards response_policy:special nondeterministic_output"),
    row("RENAME",       3, WRITE,         RENAME, relocate::rename).docs("1.0.0", "key newkey", "Renames a key, and overwrites the other one.", "O(1)"),
    row("RENAMENX",     3, WRITE_FAST,    RENAMENX, relocate::renamenx).docs("1.0.0", "key newkey", "Renames a key if the new name is free.", "O(1)"),
    row("RESTORE",     -4, WRITE.and(Flags::DENYOOM).and(Flags::CAT_DANGEROUS), OVERWRITE, dump::restore).docs("2.6.0", "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]", "Creates a key from what DUMP returned.", "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N))."),
    row("SCAN",        -2, READ,          Keys::NONE, scan::scan).docs("2.8.0", "cursor [MATCH pattern] [COUNT count] [TYPE type]", "Walks over the keys of a database, some at a time.", "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.").tips("nondeterministic_output request_policy:special response_policy:special"),
    row("SORT",        -2, WRITE.and(Flags::DENYOOM).and(SORT_FLAGS), SORT, sort::sort).docs("1.0.0", "key [BY pattern@1] [LIMIT offset count] [GET pattern@1 [GET pattern@1 ...]] [ASC | DESC] [ALPHA] [STORE destination@2]", "Sorts the elements of a list, a set or a sorted set, and stores the result if asked for.", "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N)."),
    row("SORT_RO",     -2, READ.and(SORT_FLAGS), SORT_RO, sort::sort_ro).docs("7.0.0", "key [BY pattern@1] [LIMIT offset count] [GET pattern@1 [GET pattern@1 ...]] [ASC | DESC] [ALPHA]", "Returns the elements of a list, a set or a sorted set in order.", "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N)."),
    row("TOUCH",       -2, READ_FAST,     LOOK_ALL, keys::touch).docs("3.2.1", "key [key ...]", "Counts how many of the keys exist, and marks them as used.", "O(N) where N is the number of keys that will be touched.").tips("request_policy:multi_shard response_policy:agg_sum"),
    row("TTL",          2, READ_FAST,     Keys::READ_ONE, expiry::ttl).docs("1.0.0", "key", "Returns after how many seconds a key expires.", "O(1)").tips("nondeterministic_output"),
    row("TYPE",         2, READ_FAST,     LOOK, keys::type_of).docs("1.0.0", "key", "Returns the type of a key's value.", "O(1)"),
    row("UNLINK",      -2, WRITE_FAST,    REMOVE_ALL, keys::unlink).docs("4.0.0", "key [key ...]", "Deletes keys, and frees their memory later.", "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.").tips("request_policy:multi_shard response_policy:agg_sum"),
];

#[rustfmt::skip] // a table reads best in columns
const OBJECT: &[Command] = &[
    row("ENCODING", 3, READ, LOOK_SUB, object::encoding).docs("2.2.3", "key", "Returns how a value is stored.", "O(1)").tips("nondeterministic_output"),
    row("FREQ",     3, READ, LOOK_SUB, object::freq).docs("4.0.0", "key", "Returns how often a key is used, as a logarithm.", "O(1)").tips("nondeterministic_output"),
    row("HELP",     2, Flags::LOADING.and(Flags::STALE), Keys::NONE, object::help).docs("6.2.0", "", "Lists the subcommands.", "O(1)"),
    row("IDLETIME", 3, READ, LOOK_SUB, object::idletime).docs("2.2.3", "key", "Returns for how many seconds a key has not been used.", "O(1)").tips("nondeterministic_output"),
    row("REFCOUNT", 3, READ, LOOK_SUB, object::refcount).docs("2.2.3", "key", "Returns how many references a value has.", "O(1)").tips("nondeterministic_output"),
];

/// Those of the server group, which are about whole databases.
#[rustfmt::skip] // a table reads best in columns
pub(super) const DATABASE_COMMANDS: &[Command] = &[
    row("DBSIZE",   1, READ_FAST.and(Flags::CAT_KEYSPACE), Keys::NONE, keys::dbsize).docs("1.0.0", "", "Returns how many keys the database has.", "O(1)").tips("request_policy:all_shards response_policy:agg_sum"),
    row("FLUSHALL", -1, CROSS_DB.and(Flags::CAT_KEYSPACE).and(Flags::CAT_DANGEROUS), Keys::NONE, flush::flushall).docs("1.0.0", "[ASYNC | SYNC]", "Removes all keys from all databases.", "O(N) where N is the total number of keys in all databases").tips("request_policy:all_shards response_policy:all_succeeded"),
    row("FLUSHDB",  -1, WRITE.and(Flags::CAT_KEYSPACE).and(Flags::CAT_DANGEROUS), Keys::NONE, flush::flushdb).docs("1.0.0", "[ASYNC | SYNC]", "Removes all keys from the selected database.", "O(N) where N is the number of keys in the selected database").tips("request_policy:all_shards response_policy:all_succeeded"),
    row("SWAPDB",   3, CROSS_DB_FAST.and(Flags::CAT_KEYSPACE).and(Flags::CAT_DANGEROUS), Keys::NONE, relocate::swapdb).docs("4.0.0", "index1 index2", "Exchanges two databases.", "O(N) where N is the count of clients watching or blocking on keys from both databases."),
];
