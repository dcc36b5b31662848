//! Bitmap commands: strings as sequences of bits.

mod bit;
mod combine;
mod field;
mod range;

use crate::command::{Command, Flags, KeySpec, Keys, row};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.and(Flags::FAST);
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);

const FIELD: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW access update variable_flags")]);
const COMBINE: Keys = Keys::new(&[
    KeySpec::range(2, 0, 1, "OW update"),
    KeySpec::range(3, -1, 1, "RO access"),
]);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("BITCOUNT",    -2, READ,      Keys::READ_ONE, range::bitcount).docs("2.6.0", "key [start end [BYTE | BIT]]", "Counts the bits of a string that are set.", "O(N)"),
    row("BITFIELD",    -2, WRITE,     FIELD,          field::bitfield).docs("3.2.0", "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value:integer | INCRBY encoding offset increment> [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value:integer | INCRBY encoding offset increment> ...]]", "Reads and changes integers of any width inside of a string.", "O(1) for each subcommand specified"),
    row("BITFIELD_RO", -2, READ_FAST, Keys::READ_ONE, field::bitfield_ro).docs("6.0.0", "key [GET encoding offset [GET encoding offset ...]]", "Reads integers of any width inside of a string.", "O(1) for each subcommand specified"),
    row("BITOP",       -4, WRITE,     COMBINE,        combine::bitop).docs("2.6.0", "<AND | OR | XOR | NOT> destkey:key key [key ...]", "Combines strings bit by bit, and stores the result.", "O(N)"),
    row("BITPOS",      -3, READ,      Keys::READ_ONE, range::bitpos).docs("2.8.7", "key bit:integer [start [end [BYTE | BIT]]]", "Finds the first bit that is set, or the first that is not.", "O(N)"),
    row("GETBIT",       3, READ_FAST, Keys::READ_ONE, bit::getbit).docs("2.2.0", "key offset", "Returns a bit of a string.", "O(1)"),
    row("SETBIT",       4, WRITE,     Keys::ONE,      bit::setbit).docs("2.2.0", "key offset value:integer", "Sets or clears a bit of a string and returns what it was; the string grows as needed.", "O(1)"),
];
