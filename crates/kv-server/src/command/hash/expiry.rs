//! When fields expire: HEXPIRE, HTTL, HPERSIST and their relatives.

use resp_codec::number::{I64_LEN, format_i64, parse_i64};

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::Hash;

/// How a time is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notation {
    /// Counted from now, not from the Unix epoch.
    pub(super) from_now: bool,
    /// Milliseconds in its unit.
    pub(super) unit_ms: i64,
}

impl Notation {
    pub(super) const SECONDS: Self = Self::new(true, 1000);
    pub(super) const MILLISECONDS: Self = Self::new(true, 1);
    pub(super) const UNIX_SECONDS: Self = Self::new(false, 1000);
    pub(super) const UNIX_MILLISECONDS: Self = Self::new(false, 1);

    const fn new(from_now: bool, unit_ms: i64) -> Self {
        Self { from_now, unit_ms }
    }

    fn base(self, cx: &Context<'_>) -> i64 {
        if self.from_now { cx.now_ms() } else { 0 }
    }

    /// The Unix time in milliseconds that an argument stands for.
    pub(super) fn parse(self, args: &mut Args<'_>, cx: &Context<'_>) -> Result<i64> {
        let number = args.integer()?;
        if number < 0 {
            return Err(ReplyError::text("ERR invalid expire time, must be >= 0"));
        }
        number
            .checked_mul(self.unit_ms)
            .and_then(|ms| ms.checked_add(self.base(cx)))
            .filter(|&at| at <= LATEST)
            .ok_or_else(|| ReplyError::InvalidExpire(cx.command_name().into()))
    }
}

/// The last time at which a field can expire, in the year 4199. As in Redis.
const LATEST: i64 = 0xffff_ffff_ffff >> 2;

// Replies, one a field.
const NO_FIELD: i64 = -2;
const NO_EXPIRY: i64 = -1;
const NOT_ALLOWED: i64 = 0;
const DONE: i64 = 1;
const DELETED: i64 = 2;

/// Which expiry the new one may replace.
#[derive(Debug, Clone, Copy)]
enum Condition {
    None,
    Nx,
    Xx,
    Gt,
    Lt,
}

impl Condition {
    fn parse(args: &mut Args<'_>) -> Self {
        let words = [
            ("NX", Self::Nx),
            ("XX", Self::Xx),
            ("GT", Self::Gt),
            ("LT", Self::Lt),
        ];
        let found = words.into_iter().find(|(word, _)| args.take(word));
        found.map_or(Self::None, |(_, condition)| condition)
    }

    /// A field that never expires has a later expiry than any other.
    fn allows(self, old: Option<i64>, new: i64) -> bool {
        match self {
            Self::None => true,
            Self::Nx => old.is_none(),
            Self::Xx => old.is_some(),
            Self::Gt => old.is_some_and(|old| new > old),
            Self::Lt => old.is_none_or(|old| new < old),
        }
    }
}

/// `FIELDS numfields field [field ...]`, the rest of the arguments.
pub(super) fn fields<'a>(
    args: &mut Args<'a>,
    not_positive: &'static str,
) -> Result<impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a>> {
    if !args.take("FIELDS") {
        return Err(ReplyError::text(
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    let count = args.count(1, ReplyError::text(not_positive))?;
    if count != args.remaining() {
        return Err(ReplyError::text(
            "ERR The `numfields` parameter must match the number of arguments",
        ));
    }
    Ok(args.rest())
}

/// The error of most commands for a number of fields that is none.
pub(super) const NOT_POSITIVE: &str = "ERR Number of fields must be a positive integer";

/// Fields whose expiry a command set, and fields that it removed because the time had come already.
#[derive(Debug, Default)]
pub(super) struct Outcome<'a> {
    pub(super) updated: Vec<&'a [u8]>,
    pub(super) deleted: Vec<&'a [u8]>,
}

impl<'a> Outcome<'a> {
    /// Lets a field that is there expire at a time, or at once.
    pub(super) fn set(&mut self, hash: &mut Hash, field: &'a [u8], at: i64, now: i64) {
        if at <= now {
            hash.remove(field);
            self.deleted.push(field);
        } else {
            hash.set_expire_at(field, at);
            self.updated.push(field);
        }
    }

    /// Tells everybody who has to know.
    pub(super) fn finish(self, key: &[u8], at: i64, cx: &mut Context<'_>) {
        let event = match (&*self.updated, &*self.deleted) {
            ([], []) => return,
            (_, []) => "hexpire",
            _ => "hdel",
        };
        cx.db.changed(Class::HASH, event, key);
        cx.db.note_field_expiry(key);
        cx.remove_emptied(key);
        if !self.deleted.is_empty() {
            cx.propagate(&[&[&b"HDEL"[..], key], &*self.deleted].concat());
        }
        if !self.updated.is_empty() {
            propagate_expiry(key, at, &self.updated, cx);
        }
    }
}

fn propagate_expiry(key: &[u8], at: i64, fields: &[&[u8]], cx: &mut Context<'_>) {
    let (mut at_digits, mut count_digits) = ([0; I64_LEN], [0; I64_LEN]);
    let count = i64::try_from(fields.len()).unwrap_or(i64::MAX);
    let head = [
        b"HPEXPIREAT",
        key,
        format_i64(at, &mut at_digits),
        b"FIELDS",
        format_i64(count, &mut count_digits),
    ];
    cx.propagate(&[&head, fields].concat());
}

pub(super) fn hexpire(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_expiry(args, cx, Notation::SECONDS)
}

pub(super) fn hpexpire(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_expiry(args, cx, Notation::MILLISECONDS)
}

pub(super) fn hexpireat(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_expiry(args, cx, Notation::UNIX_SECONDS)
}

pub(super) fn hpexpireat(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_expiry(args, cx, Notation::UNIX_MILLISECONDS)
}

fn set_expiry(mut args: Args<'_>, cx: &mut Context<'_>, notation: Notation) -> Result {
    let key = args.next()?;
    let at = notation.parse(&mut args, cx)?;
    let condition = Condition::parse(&mut args);
    let fields = fields(
        &mut args,
        "ERR Parameter `numFields` should be greater than 0",
    )?;
    let now = cx.now_ms();
    let mut hash = cx.db.get_mut::<Hash>(key)?;
    let mut outcome = Outcome::default();
    cx.out.array(fields.len());
    for field in fields {
        let reply = match hash.as_deref_mut().filter(|hash| hash.contains(field)) {
            None => NO_FIELD,
            Some(hash) if !condition.allows(hash.expire_at(field), at) => NOT_ALLOWED,
            Some(hash) => {
                outcome.set(hash, field, at, now);
                if at <= now { DELETED } else { DONE }
            }
        };
        cx.out.integer(reply);
    }
    outcome.finish(key, at, cx);
    Ok(())
}

pub(super) fn httl(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    show_expiry(args, cx, Notation::SECONDS)
}

pub(super) fn hpttl(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    show_expiry(args, cx, Notation::MILLISECONDS)
}

pub(super) fn hexpiretime(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    show_expiry(args, cx, Notation::UNIX_SECONDS)
}

pub(super) fn hpexpiretime(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    show_expiry(args, cx, Notation::UNIX_MILLISECONDS)
}

/// Seconds are rounded up, unlike those of keys.
fn show_expiry(mut args: Args<'_>, cx: &mut Context<'_>, notation: Notation) -> Result {
    let key = args.next()?;
    let fields = fields(&mut args, NOT_POSITIVE)?;
    let base = notation.base(cx);
    let hash = cx.db.get::<Hash>(key)?;
    cx.out.array(fields.len());
    for field in fields {
        let shown = match hash.filter(|hash| hash.contains(field)) {
            None => NO_FIELD,
            Some(hash) => match hash.expire_at(field) {
                None => NO_EXPIRY,
                Some(at) => (at - base + notation.unit_ms - 1) / notation.unit_ms,
            },
        };
        cx.out.integer(shown);
    }
    Ok(())
}

pub(super) fn hpersist(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let fields = fields(&mut args, NOT_POSITIVE)?;
    let mut hash = cx.db.get_mut::<Hash>(key)?;
    let mut persisted = false;
    cx.out.array(fields.len());
    for field in fields {
        let reply = match hash.as_deref_mut().filter(|hash| hash.contains(field)) {
            None => NO_FIELD,
            Some(hash) => {
                let had_expiry = hash.persist(field);
                persisted |= had_expiry;
                if had_expiry { DONE } else { NO_EXPIRY }
            }
        };
        cx.out.integer(reply);
    }
    if persisted {
        cx.db.changed(Class::HASH, "hpersist", key);
        cx.db.note_field_expiry(key);
    }
    Ok(())
}

/// The option of HGETEX and HSETEX that gives a time, if the next argument is one.
pub(super) fn notation(args: &mut Args<'_>) -> Option<Notation> {
    let words = [
        ("EX", Notation::SECONDS),
        ("PX", Notation::MILLISECONDS),
        ("EXAT", Notation::UNIX_SECONDS),
        ("PXAT", Notation::UNIX_MILLISECONDS),
    ];
    let found = words.into_iter().find(|(word, _)| args.take(word));
    found.map(|(_, notation)| notation)
}

/// Whether an argument is a count of fields.
pub(super) fn count_of_pairs(args: &mut Args<'_>) -> Result<usize> {
    let invalid = || ReplyError::text("ERR invalid number of fields");
    let count = parse_i64(args.next()?).ok_or_else(invalid)?;
    i32::try_from(count)
        .ok()
        .and_then(|count| usize::try_from(count).ok())
        .filter(|&count| count > 0)
        .ok_or_else(invalid)
}
