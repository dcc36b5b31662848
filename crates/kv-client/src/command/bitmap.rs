//! Commands on the bits of strings.

use std::fmt;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::from_reply::FromReply;
use crate::request::Request;
use crate::table::row;

/// The options of [`Client::bitcount`] and [`Client::bitpos`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BitRangeOptions;

/// The options of [`Client::bitfield`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BitFieldOptions;

/// The options of [`Client::bitfield_ro`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BitFieldReadOptions;

/// What [`Client::bitop`] does with the bits of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BitOp {
    /// Set where all are set.
    And,
    /// Set where any is set.
    Or,
    /// Set where an odd number is set.
    Xor,
    /// Set where the one key is not set.
    Not,
}

/// The width of a number of [`Client::bitfield`] and whether it can be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitField {
    /// From 1 to 64 bits, the first of them the sign.
    Signed(u8),
    /// From 1 to 63 bits.
    Unsigned(u8),
}

/// What [`Client::bitfield`] does with a number that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BitOverflow {
    /// It goes around.
    #[default]
    Wrap,
    /// It stays at the lowest or the highest.
    Saturate,
    /// Nothing is changed, and the reply is `None`.
    Fail,
}

impl fmt::Display for BitField {
    /// As Redis writes it: `i16`, `u8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed(bits) => write!(f, "i{bits}"),
            Self::Unsigned(bits) => write!(f, "u{bits}"),
        }
    }
}

impl ToArg for BitField {
    fn to_arg(&self, request: &mut Request) {
        request.push(self.to_string().as_bytes());
    }
}

impl Client {
    /// [BITFIELD](https://redis.io/docs/latest/commands/bitfield/): reads and writes numbers of any width inside a
    /// value; what each of the operations gives, in their order.
    ///
    /// Positions are in bits, or in numbers of that width if they are texts that begin with `#`.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use kv_client::{BitField::Unsigned, BitOverflow};
    ///
    /// let numbers: Vec<Option<i64>> = client
    ///     .bitfield("counters")
    ///     .overflow(BitOverflow::Saturate)
    ///     .incrby(Unsigned(8), "#0", 10)
    ///     .get(Unsigned(4), 100)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn bitfield(&self, key: impl ToArg) -> Command<'_, Vec<Option<i64>>, BitFieldOptions> {
        self.typed(row!("BITFIELD")).with(key)
    }

    /// [BITFIELD_RO](https://redis.io/docs/latest/commands/bitfield_ro/): reads numbers of any width inside a value;
    /// see [`bitfield`](Self::bitfield).
    pub fn bitfield_ro(&self, key: impl ToArg) -> Command<'_, Vec<i64>, BitFieldReadOptions> {
        self.typed(row!("BITFIELD_RO")).with(key)
    }

    /// [GETBIT](https://redis.io/docs/latest/commands/getbit/): a bit of a value; those behind its end are not set.
    pub fn getbit(&self, key: impl ToArg, offset: u64) -> Command<'_, bool> {
        self.typed(row!("GETBIT")).with(key).with(offset)
    }

    /// [SETBIT](https://redis.io/docs/latest/commands/setbit/): sets or clears a bit of a value; what it was.
    pub fn setbit(&self, key: impl ToArg, offset: u64, bit: bool) -> Command<'_, bool> {
        self.typed(row!("SETBIT"))
            .with(key)
            .with(offset)
            .with(i64::from(bit))
    }

    /// [BITCOUNT](https://redis.io/docs/latest/commands/bitcount/): how many bits of a value are set.
    pub fn bitcount(&self, key: impl ToArg) -> Command<'_, u64, BitRangeOptions> {
        self.typed(row!("BITCOUNT")).with(key)
    }

    /// [BITPOS](https://redis.io/docs/latest/commands/bitpos/): the place of the first bit that is set, or clear. A
    /// value is taken to go on with zeros.
    pub fn bitpos(&self, key: impl ToArg, bit: bool) -> Command<'_, Option<u64>, BitRangeOptions> {
        self.read_by(row!("BITPOS"), position)
            .with(key)
            .with(i64::from(bit))
    }

    /// [BITOP](https://redis.io/docs/latest/commands/bitop/): keeps a combination of the bits of values; its length in
    /// bytes.
    pub fn bitop(&self, op: BitOp, to: impl ToArg, keys: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("BITOP"))
            .with(op.word())
            .with(to)
            .with_all(keys)
    }
}

/// A place, which is -1 if there is none.
fn position(reply: crate::Reply) -> Result<Option<u64>, crate::ReplyError> {
    Ok(u64::try_from(i64::from_reply(reply)?).ok())
}

impl BitOp {
    fn word(self) -> &'static str {
        match self {
            Self::And => "AND",
            Self::Or => "OR",
            Self::Xor => "XOR",
            Self::Not => "NOT",
        }
    }
}

impl<T> Command<'_, T, BitRangeOptions> {
    /// Only from one byte to another, both included; negative positions count from the end.
    pub fn bytes(self, start: i64, end: i64) -> Self {
        self.with(start).with(end)
    }

    /// Only from one bit to another, both included; negative positions count from the end.
    pub fn bits(self, start: i64, end: i64) -> Self {
        self.with(start).with(end).with("BIT")
    }
}

impl<T> Command<'_, T, BitFieldOptions> {
    /// Reads a number.
    pub fn get(self, field: BitField, offset: impl ToArg) -> Self {
        self.with("GET").with(field).with(offset)
    }

    /// Writes a number; what it was.
    pub fn set(self, field: BitField, offset: impl ToArg, value: i64) -> Self {
        self.with("SET").with(field).with(offset).with(value)
    }

    /// Adds to a number; the new number.
    pub fn incrby(self, field: BitField, offset: impl ToArg, by: i64) -> Self {
        self.with("INCRBY").with(field).with(offset).with(by)
    }

    /// What the operations behind this do with a number that does not fit.
    pub fn overflow(self, overflow: BitOverflow) -> Self {
        self.with("OVERFLOW").with(match overflow {
            BitOverflow::Wrap => "WRAP",
            BitOverflow::Saturate => "SAT",
            BitOverflow::Fail => "FAIL",
        })
    }
}

impl<T> Command<'_, T, BitFieldReadOptions> {
    /// Reads a number.
    pub fn get(self, field: BitField, offset: impl ToArg) -> Self {
        self.with("GET").with(field).with(offset)
    }
}
