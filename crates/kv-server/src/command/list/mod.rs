//! List commands.

mod blocking;
mod element;
mod ends;
mod relocate;
mod search;

use crate::command::{Command, Flags, KeySpec, Keys, row};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.and(Flags::FAST);
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const ADD_FAST: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);
const TAKE: Flags = Flags::WRITE;
const TAKE_FAST: Flags = Flags::WRITE.and(Flags::FAST);
const TAKE_COUNTED: Flags = Flags::WRITE.and(Flags::MOVABLE_KEYS);
const BLOCK_COUNTED: Flags = TAKE_COUNTED.and(Flags::BLOCKING);
const BLOCK: Flags = Flags::WRITE.and(Flags::BLOCKING);
const BLOCK_MOVE: Flags = BLOCK.and(Flags::DENYOOM);

const LOOK: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RO")]);
const INSERT: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW insert")]);
const UPDATE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW update")]);
const DELETE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW delete")]);
const POP: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW access delete")]);
const POP_BEFORE_LAST: Keys = Keys::new(&[KeySpec::range(1, -2, 1, "RW access delete")]);
const POP_COUNTED: Keys = Keys::new(&[KeySpec::counted(1, "RW access delete")]);
const POP_TIMED: Keys = Keys::new(&[KeySpec::counted(2, "RW access delete")]);
const MOVE: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "RW access delete"),
    KeySpec::range(2, 0, 1, "RW insert"),
]);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("BLMOVE",      6, BLOCK_MOVE,    MOVE,            blocking::blmove).docs("6.2.0", "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout", "Moves an element from an end of one list to an end of another, and waits until there is one.", "O(1)"),
    row("BLMPOP",     -5, BLOCK_COUNTED, POP_TIMED,       blocking::blmpop).docs("7.0.0", "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", "Takes elements from an end of the first list that has any, and waits until one has.", "O(N+M) where N is the number of provided keys and M is the number of elements returned."),
    row("BLPOP",      -3, BLOCK,         POP_BEFORE_LAST, blocking::blpop).docs("2.0.0", "key [key ...] timeout", "Takes the first element of the first list that has any, and waits until one has.", "O(N) where N is the number of provided keys."),
    row("BRPOP",      -3, BLOCK,         POP_BEFORE_LAST, blocking::brpop).docs("2.0.0", "key [key ...] timeout", "Takes the last element of the first list that has any, and waits until one has.", "O(N) where N is the number of provided keys."),
    row("BRPOPLPUSH",  4, BLOCK_MOVE,    MOVE,            blocking::brpoplpush).docs("2.2.0", "source destination timeout", "Moves the last element of a list to the front of another, and waits until there is one.", "O(1)").deprecated("6.2.0", "`BLMOVE` from `RIGHT` to `LEFT`"),
    row("LINDEX",      3, READ,          Keys::READ_ONE,  element::lindex).docs("1.0.0", "key index", "Returns an element by its number.", "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1)."),
    row("LINSERT",     5, WRITE,         INSERT,          search::linsert).docs("2.2.0", "key <BEFORE | AFTER> pivot element", "Adds an element before or behind another one.", "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N)."),
    row("LLEN",        2, READ_FAST,     LOOK,            element::llen).docs("1.0.0", "key", "Counts the elements of a list.", "O(1)"),
    row("LMOVE",       5, WRITE,         MOVE,            relocate::lmove).docs("6.2.0", "source destination <LEFT | RIGHT> <LEFT | RIGHT>", "Moves an element from an end of one list to an end of another.", "O(1)"),
    row("LMPOP",      -4, TAKE_COUNTED,  POP_COUNTED,     ends::lmpop).docs("7.0.0", "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", "Takes elements from an end of the first list that has any.", "O(N+M) where N is the number of provided keys and M is the number of elements returned."),
    row("LPOP",       -2, TAKE_FAST,     POP,             ends::lpop).docs("1.0.0", "key [count]", "Takes the first elements out of a list and returns them.", "O(N) where N is the number of elements returned"),
    row("LPOS",       -3, READ,          Keys::READ_ONE,  search::lpos).docs("6.0.6", "key element [RANK rank] [COUNT num-matches] [MAXLEN len]", "Returns the numbers of the elements that are equal to one.", "O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time."),
    row("LPUSH",      -3, ADD_FAST,      INSERT,          ends::lpush).docs("1.0.0", "key element [element ...]", "Adds elements at the front of a list, which begins empty.", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments."),
    row("LPUSHX",     -3, ADD_FAST,      INSERT,          ends::lpushx).docs("2.2.0", "key element [element ...]", "Adds elements at the front of a list that exists.", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments."),
    row("LRANGE",      4, READ,          Keys::READ_ONE,  element::lrange).docs("1.0.0", "key start stop", "Returns the elements from one number to another.", "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range."),
    row("LREM",        4, TAKE,          DELETE,          search::lrem).docs("1.0.0", "key count element", "Takes elements out that are equal to one.", "O(N+M) where N is the length of the list and M is the number of elements removed."),
    row("LSET",        4, WRITE,         UPDATE,          element::lset).docs("1.0.0", "key index element", "Puts an element in the place of another one.", "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1)."),
    row("LTRIM",       4, TAKE,          DELETE,          element::ltrim).docs("1.0.0", "key start stop", "Leaves only the elements from one number to another.", "O(N) where N is the number of elements to be removed by the operation."),
    row("RPOP",       -2, TAKE_FAST,     POP,             ends::rpop).docs("1.0.0", "key [count]", "Takes the last elements out of a list and returns them.", "O(N) where N is the number of elements returned"),
    row("RPOPLPUSH",   3, WRITE,         MOVE,            relocate::rpoplpush).docs("1.2.0", "source destination", "Moves the last element of a list to the front of another.", "O(1)").deprecated("6.2.0", "`LMOVE` from `RIGHT` to `LEFT`"),
    row("RPUSH",      -3, ADD_FAST,      INSERT,          ends::rpush).docs("1.0.0", "key element [element ...]", "Adds elements at the end of a list, which begins empty.", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments."),
    row("RPUSHX",     -3, ADD_FAST,      INSERT,          ends::rpushx).docs("2.2.0", "key element [element ...]", "Adds elements at the end of a list that exists.", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments."),
];
