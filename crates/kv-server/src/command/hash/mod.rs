//! Hash commands.

mod counter;
mod expiry;
mod extended;
mod get;
mod random;
mod set;

use crate::command::{Command, Flags, KeySpec, Keys, row};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.and(Flags::FAST);
const SET_FAST: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);
const TAKE_FAST: Flags = Flags::WRITE.and(Flags::FAST);

const LOOK: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RO")]);
const UPDATE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW update")]);
const INSERT: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW insert")]);
const DELETE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW delete")]);
const TAKE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW access delete")]);
const READ_UPDATE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW access update")]);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("HDEL",         -3, TAKE_FAST, DELETE,         set::hdel).docs("2.0.0", "key field [field ...]", "Takes fields out of a hash.", "O(N) where N is the number of fields to be removed."),
    row("HEXISTS",       3, READ_FAST, LOOK,           get::hexists).docs("2.0.0", "key field", "Says whether a hash has a field.", "O(1)"),
    row("HEXPIRE",       -6, SET_FAST,  UPDATE,         expiry::hexpire).docs("7.4.0", "key seconds [NX | XX | GT | LT] <FIELDS numfields field [field ...]>", "Sets when fields expire, in seconds from now.", "O(N) where N is the number of specified fields"),
    row("HEXPIREAT",     -6, SET_FAST,  UPDATE,         expiry::hexpireat).docs("7.4.0", "key unix-time-seconds [NX | XX | GT | LT] <FIELDS numfields field [field ...]>", "Sets when fields expire, as a Unix time in seconds.", "O(N) where N is the number of specified fields"),
    row("HEXPIRETIME",   -5, READ_FAST, Keys::READ_ONE, expiry::hexpiretime).docs("7.4.0", "key <FIELDS numfields field [field ...]>", "Returns when fields expire, as Unix times in seconds.", "O(N) where N is the number of specified fields"),
    row("HGET",          3, READ_FAST, Keys::READ_ONE, get::hget).docs("2.0.0", "key field", "Returns the value of a field.", "O(1)"),
    row("HGETALL",       2, READ,      Keys::READ_ONE, get::hgetall).docs("2.0.0", "key", "Returns all fields with their values.", "O(N) where N is the size of the hash.").tips("nondeterministic_output_order"),
    row("HGETDEL",       -5, TAKE_FAST, TAKE,           extended::hgetdel).docs("8.0.0", "key <FIELDS numfields field [field ...]>", "Returns the values of fields, and takes the fields out.", "O(N) where N is the number of specified fields"),
    row("HGETEX",        -5, TAKE_FAST, READ_UPDATE,    extended::hgetex).docs("8.0.0", "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] <FIELDS numfields field [field ...]>", "Returns the values of fields, and sets when these expire.", "O(N) where N is the number of specified fields"),
    row("HINCRBY",       4, SET_FAST,  Keys::ONE,      counter::hincrby).docs("2.0.0", "key field increment", "Adds a number to an integer in a field, which begins at 0.", "O(1)"),
    row("HINCRBYFLOAT",  4, SET_FAST,  Keys::ONE,      counter::hincrbyfloat).docs("2.6.0", "key field increment:double", "Adds a number to a floating-point number in a field, which begins at 0.", "O(1)"),
    row("HKEYS",         2, READ,      Keys::READ_ONE, get::hkeys).docs("2.0.0", "key", "Returns all fields.", "O(N) where N is the size of the hash.").tips("nondeterministic_output_order"),
    row("HLEN",          2, READ_FAST, LOOK,           get::hlen).docs("2.0.0", "key", "Counts the fields of a hash.", "O(1)"),
    row("HMGET",        -3, READ_FAST, Keys::READ_ONE, get::hmget).docs("2.0.0", "key field [field ...]", "Returns the values of several fields.", "O(N) where N is the number of fields being requested."),
    row("HMSET",        -4, SET_FAST,  UPDATE,         set::hmset).docs("2.0.0", "key field value [field value ...]", "Sets the values of fields; the old form of HSET.", "O(N) where N is the number of fields being set.").deprecated("4.0.0", "`HSET` with several pairs"),
    row("HPERSIST",      -5, TAKE_FAST, UPDATE,         expiry::hpersist).docs("7.4.0", "key <FIELDS numfields field [field ...]>", "Lets fields live for ever.", "O(N) where N is the number of specified fields"),
    row("HPEXPIRE",      -6, SET_FAST,  UPDATE,         expiry::hpexpire).docs("7.4.0", "key milliseconds [NX | XX | GT | LT] <FIELDS numfields field [field ...]>", "Sets when fields expire, in milliseconds from now.", "O(N) where N is the number of specified fields"),
    row("HPEXPIREAT",    -6, SET_FAST,  UPDATE,         expiry::hpexpireat).docs("7.4.0", "key unix-time-milliseconds [NX | XX | GT | LT] <FIELDS numfields field [field ...]>", "Sets when fields expire, as a Unix time in milliseconds.", "O(N) where N is the number of specified fields"),
    row("HPEXPIRETIME",  -5, READ_FAST, Keys::READ_ONE, expiry::hpexpiretime).docs("7.4.0", "key <FIELDS numfields field [field ...]>", "Returns when fields expire, as Unix times in milliseconds.", "O(N) where N is the number of specified fields"),
    row("HPTTL",         -5, READ_FAST, Keys::READ_ONE, expiry::hpttl).docs("7.4.0", "key <FIELDS numfields field [field ...]>", "Returns how long fields have left, in milliseconds.", "O(N) where N is the number of specified fields"),
    row("HRANDFIELD",   -2, READ,      Keys::READ_ONE, random::hrandfield).docs("6.2.0", "key [count [WITHVALUES]]", "Returns random fields of a hash.", "O(N) where N is the number of fields returned").tips("nondeterministic_output"),
    row("HSCAN",        -3, READ,      Keys::READ_ONE, get::hscan).docs("2.8.0", "key cursor [MATCH pattern] [COUNT count]", "Walks over the fields of a hash and their values, some at a time.", "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.").tips("nondeterministic_output"),
    row("HSET",         -4, SET_FAST,  UPDATE,         set::hset).docs("2.0.0", "key field value [field value ...]", "Sets the values of fields.", "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs."),
    row("HSETEX",        -6, SET_FAST,  UPDATE,         extended::hsetex).docs("8.0.0", "key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] <FIELDS numfields field value [field value ...]>", "Sets the values of fields, and when these expire.", "O(N) where N is the number of specified fields"),
    row("HSETNX",        4, SET_FAST,  INSERT,         set::hsetnx).docs("2.0.0", "key field value", "Sets the value of a field if the hash does not have it.", "O(1)"),
    row("HSTRLEN",       3, READ_FAST, LOOK,           get::hstrlen).docs("3.2.0", "key field", "Returns the length of a field's value.", "O(1)"),
    row("HTTL",          -5, READ_FAST, Keys::READ_ONE, expiry::httl).docs("7.4.0", "key <FIELDS numfields field [field ...]>", "Returns how long fields have left, in seconds.", "O(N) where N is the number of specified fields"),
    row("HVALS",         2, READ,      Keys::READ_ONE, get::hvals).docs("2.0.0", "key", "Returns all values.", "O(N) where N is the size of the hash.").tips("nondeterministic_output_order"),
];
