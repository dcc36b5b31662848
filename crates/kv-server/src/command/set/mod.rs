//! Set commands.

mod algebra;
mod member;
mod random;

use crate::command::{Command, Flags, KeySpec, Keys, row};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.and(Flags::FAST);
const READ_COUNTED: Flags = Flags::READONLY.and(Flags::MOVABLE_KEYS);
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const ADD_FAST: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);
const TAKE_FAST: Flags = Flags::WRITE.and(Flags::FAST);

const LOOK: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RO")]);
const INSERT: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW insert")]);
const DELETE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW delete")]);
const TAKE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW access delete")]);
const MOVE: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "RW access delete"),
    KeySpec::range(2, 0, 1, "RW insert"),
]);
const STORE: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "OW update"),
    KeySpec::range(2, -1, 1, "RO access"),
]);
/// As [`STORE`]; that it reads what it overwrites is what Redis says of SINTERSTORE alone.
const INTERSTORE: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "RW update"),
    KeySpec::range(2, -1, 1, "RO access"),
]);
const COUNTED: Keys = Keys::new(&[KeySpec::counted(1, "RO access")]);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("SADD",        -3, ADD_FAST,     INSERT,         member::sadd).docs("1.0.0", "key member [member ...]", "Adds members to a set, which begins empty.", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments."),
    row("SCARD",        2, READ_FAST,    LOOK,           member::scard).docs("1.0.0", "key", "Counts the members of a set.", "O(1)"),
    row("SDIFF",       -2, READ,         Keys::READ_ALL, algebra::sdiff).docs("1.0.0", "key [key ...]", "Returns the members of the first set that are in none of the others.", "O(N) where N is the total number of elements in all given sets.").tips("nondeterministic_output_order"),
    row("SDIFFSTORE",  -3, WRITE,        STORE,          algebra::sdiffstore).docs("1.0.0", "destination key [key ...]", "Stores the members of the first set that are in none of the others.", "O(N) where N is the total number of elements in all given sets."),
    row("SINTER",      -2, READ,         Keys::READ_ALL, algebra::sinter).docs("1.0.0", "key [key ...]", "Returns the members that all of the sets have.", "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.").tips("nondeterministic_output_order"),
    row("SINTERCARD",  -3, READ_COUNTED, COUNTED,        algebra::sintercard).docs("7.0.0", "numkeys key [key ...] [LIMIT limit:integer]", "Counts the members that all of the sets have.", "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets."),
    row("SINTERSTORE", -3, WRITE,        INTERSTORE,     algebra::sinterstore).docs("1.0.0", "destination key [key ...]", "Stores the members that all of the sets have.", "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets."),
    row("SISMEMBER",    3, READ_FAST,    LOOK, member::sismember).docs("1.0.0", "key member", "Says whether a set has a member.", "O(1)"),
    row("SMEMBERS",     2, READ,         Keys::READ_ONE, member::smembers).docs("1.0.0", "key", "Returns all members of a set.", "O(N) where N is the set cardinality.").tips("nondeterministic_output_order"),
    row("SMISMEMBER",  -3, READ_FAST,    Keys::READ_ONE, member::smismember).docs("6.2.0", "key member [member ...]", "Says for each of several members whether a set has it.", "O(N) where N is the number of elements being checked for membership"),
    row("SMOVE",        4, TAKE_FAST,    MOVE,           member::smove).docs("1.0.0", "source destination member", "Moves a member from one set to another.", "O(1)"),
    row("SPOP",        -2, TAKE_FAST,    TAKE,           random::spop).docs("1.0.0", "key [count]", "Takes random members out of a set and returns them.", "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.").tips("nondeterministic_output"),
    row("SRANDMEMBER", -2, READ,         Keys::READ_ONE, random::srandmember).docs("1.0.0", "key [count]", "Returns random members of a set.", "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.").tips("nondeterministic_output"),
    row("SREM",        -3, TAKE_FAST,    DELETE,         member::srem).docs("1.0.0", "key member [member ...]", "Takes members out of a set.", "O(N) where N is the number of members to be removed."),
    row("SSCAN",       -3, READ,         Keys::READ_ONE, member::sscan).docs("2.8.0", "key cursor [MATCH pattern] [COUNT count]", "Walks over the members of a set, some at a time.", "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.").tips("nondeterministic_output"),
    row("SUNION",      -2, READ,         Keys::READ_ALL, algebra::sunion).docs("1.0.0", "key [key ...]", "Returns the members that any of the sets has.", "O(N) where N is the total number of elements in all given sets.").tips("nondeterministic_output_order"),
    row("SUNIONSTORE", -3, WRITE,        STORE,          algebra::sunionstore).docs("1.0.0", "destination key [key ...]", "Stores the members that any of the sets has.", "O(N) where N is the total number of elements in all given sets."),
];
