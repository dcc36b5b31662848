//! String commands.

mod counter;
mod expiry;
mod get;
mod lcs;
mod range;
mod set;

use crate::command::{Command, Flags, KeySpec, Keys, row};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.and(Flags::FAST);
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const WRITE_FAST: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);

const READ_LEN: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RO")]);
const READ_TWO: Keys = Keys::new(&[KeySpec::range(1, 1, 1, "RO access")]);
const DELETE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW access delete")]);
const SET: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW access update variable_flags")]);
const OVERWRITE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "OW update")]);
const ADD: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "OW insert")]);
const EXTEND: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW insert")]);
const EDIT: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW update")]);
const ADD_PAIRS: Keys = Keys::new(&[KeySpec::range(1, -1, 2, "OW insert")]);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("APPEND",       3, WRITE_FAST, EXTEND,         range::append).docs("2.0.0", "key value", "Adds to the end of a string, which begins empty.", "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the string doubles its room when it grows."),
    row("DECR",         2, WRITE_FAST, Keys::ONE,      counter::decr).docs("1.0.0", "key", "Takes one from an integer, which begins at 0.", "O(1)"),
    row("DECRBY",       3, WRITE_FAST, Keys::ONE,      counter::decrby).docs("1.0.0", "key decrement", "Takes a number from an integer, which begins at 0.", "O(1)"),
    row("GET",          2, READ_FAST,  Keys::READ_ONE, get::get).docs("1.0.0", "key", "Returns the value of a string.", "O(1)"),
    row("GETDEL",       2, Flags::WRITE.and(Flags::FAST), DELETE, get::getdel).docs("6.2.0", "key", "Returns the value of a string and deletes it.", "O(1)"),
    row("GETEX",       -2, Flags::WRITE.and(Flags::FAST), Keys::ONE, get::getex).docs("6.2.0", "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]", "Returns the value of a string and sets or removes its expiry.", "O(1)"),
    row("GETRANGE",     4, READ,       Keys::READ_ONE, range::getrange).docs("2.4.0", "key start end", "Returns a part of a string.", "O(N) where N is the length of the returned string."),
    row("GETSET",       3, WRITE_FAST, Keys::ONE,      set::getset).docs("1.0.0", "key value", "Sets a string and returns what it was.", "O(1)").deprecated("6.2.0", "`SET` with `GET`"),
    row("INCR",         2, WRITE_FAST, Keys::ONE,      counter::incr).docs("1.0.0", "key", "Adds one to an integer, which begins at 0.", "O(1)"),
    row("INCRBY",       3, WRITE_FAST, Keys::ONE,      counter::incrby).docs("1.0.0", "key increment", "Adds a number to an integer, which begins at 0.", "O(1)"),
    row("INCRBYFLOAT",  3, WRITE_FAST, Keys::ONE,      counter::incrbyfloat).docs("2.6.0", "key increment:double", "Adds a number to a floating-point number, which begins at 0.", "O(1)"),
    row("LCS",         -3, READ,       READ_TWO,       lcs::lcs).docs("7.0.0", "key1 key2@0 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]", "Finds the longest common subsequence of two strings.", "O(N*M) where N and M are the lengths of s1 and s2, respectively"),
    row("MGET",        -2, READ_FAST,  Keys::READ_ALL, get::mget).docs("1.0.0", "key [key ...]", "Returns the values of several strings.", "O(N) where N is the number of keys to retrieve.").tips("request_policy:multi_shard"),
    row("MSET",        -3, WRITE,      Keys::PAIRS,    set::mset).docs("1.0.1", "key value [key value ...]", "Sets several strings.", "O(N) where N is the number of keys to set.").tips("request_policy:multi_shard response_policy:all_succeeded"),
    row("MSETNX",      -3, WRITE,      ADD_PAIRS,      set::msetnx).docs("1.0.1", "key value [key value ...]", "Sets several strings if none of the keys exists.", "O(N) where N is the number of keys to set."),
    row("PSETEX",       4, WRITE,      OVERWRITE,      set::psetex).docs("2.6.0", "key milliseconds value", "Sets a string that expires after some milliseconds.", "O(1)"),
    row("SET",         -3, WRITE,      SET,            set::set).docs("1.0.0", "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]", "Sets a string, whatever the key held before.", "O(1)"),
    row("SETEX",        4, WRITE,      OVERWRITE,      set::setex).docs("2.0.0", "key seconds value", "Sets a string that expires after some seconds.", "O(1)"),
    row("SETNX",        3, WRITE_FAST, ADD,            set::setnx).docs("1.0.0", "key value", "Sets a string if the key does not exist.", "O(1)"),
    row("SETRANGE",     4, WRITE,      EDIT,           range::setrange).docs("2.2.0", "key offset value", "Overwrites a part of a string, and fills a gap before it with zeros.", "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument."),
    row("STRLEN",       2, READ_FAST,  READ_LEN,       range::strlen).docs("2.2.0", "key", "Returns the length of a string.", "O(1)"),
    row("SUBSTR",       4, READ,       Keys::READ_ONE, range::getrange).docs("1.0.0", "key start end", "Returns a part of a string; the old name of GETRANGE.", "O(N) where N is the length of the returned string.").deprecated("2.0.0", "`GETRANGE`"),
];
