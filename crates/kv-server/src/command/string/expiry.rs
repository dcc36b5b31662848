//! The options of SET and GETEX that say when a key expires.

use resp_codec::number::parse_i64;

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::LATEST;

/// An expiry as it was given: the text is read when it is known to be needed, for Redis's order of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expiry<'a> {
    pub(super) unit: Unit,
    pub(super) value: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// `EX`
    Seconds,
    /// `PX`
    Milliseconds,
    /// `EXAT`
    UnixSeconds,
    /// `PXAT`
    UnixMilliseconds,
}

impl Unit {
    const WORDS: [(&'static str, Self); 4] = [
        ("EX", Self::Seconds),
        ("PX", Self::Milliseconds),
        ("EXAT", Self::UnixSeconds),
        ("PXAT", Self::UnixMilliseconds),
    ];

    /// Takes a word that names a unit; nothing if it has no value behind it.
    pub(super) fn take(args: &mut Args<'_>) -> Option<Self> {
        if args.remaining() < 2 {
            return None;
        }
        let (_, unit) = Self::WORDS.into_iter().find(|(word, _)| args.take(word))?;
        Some(unit)
    }

    /// Whether the value is a point in time rather than a duration.
    pub(super) fn is_absolute(self) -> bool {
        matches!(self, Self::UnixSeconds | Self::UnixMilliseconds)
    }
}

impl<'a> Expiry<'a> {
    /// The next argument, as an expiry in this unit.
    pub(super) fn next(unit: Unit, args: &mut Args<'a>) -> Result<Self> {
        let value = args.next()?;
        Ok(Self { unit, value })
    }

    /// The Unix time in milliseconds.
    pub(super) fn at(self, cx: &Context<'_>) -> Result<i64> {
        let value = parse_i64(self.value).ok_or(ReplyError::NotInteger)?;
        let at = match self.unit {
            _ if value <= 0 => None,
            Unit::Milliseconds => value.checked_add(cx.now_ms()),
            Unit::UnixMilliseconds => Some(value),
            Unit::Seconds => value
                .checked_mul(1000)
                .and_then(|ms| ms.checked_add(cx.now_ms())),
            Unit::UnixSeconds => value.checked_mul(1000),
        };
        match at {
            Some(at) => Ok(at.min(LATEST)),
            None => Err(ReplyError::InvalidExpire(cx.command_name().into())),
        }
    }
}
