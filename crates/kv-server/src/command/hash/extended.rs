//! HGETEX, HGETDEL and HSETEX: fields and their expiry at once.

use crate::command::Args;
use crate::command::hash::expiry::{self, Notation, Outcome};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::Hash;

/// What HGETEX does with the expiry of the fields that it reads.
#[derive(Debug, Clone, Copy)]
enum Change {
    None,
    Persist,
    At(i64),
}

pub(super) fn hgetex(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let change = if args.take("PERSIST") {
        Change::Persist
    } else if let Some(notation) = expiry::notation(&mut args) {
        Change::At(notation.parse(&mut args, cx)?)
    } else {
        Change::None
    };
    let fields = expiry::fields(&mut args, expiry::NOT_POSITIVE)?;
    let now = cx.now_ms();
    let mut hash = match change {
        Change::None => return show(key, fields, cx),
        Change::Persist | Change::At(_) => cx.db.get_mut::<Hash>(key)?,
    };
    let (mut outcome, mut persisted) = (Outcome::default(), Vec::new());
    cx.out.array(fields.len());
    for field in fields {
        let Some((value, hash)) = hash.as_deref_mut().and_then(|hash| {
            let value = hash.get(field)?.to_vec();
            Some((value, hash))
        }) else {
            cx.out.null();
            continue;
        };
        cx.out.bulk(&value);
        match change {
            Change::At(at) => outcome.set(hash, field, at, now),
            _ if hash.persist(field) => persisted.push(field),
            _ => {}
        }
    }
    if let Change::At(at) = change {
        outcome.finish(key, at, cx);
    } else if !persisted.is_empty() {
        cx.db.changed(Class::HASH, "hpersist", key);
        cx.db.note_field_expiry(key);
        let count = persisted.len().to_string();
        let head = [b"HPERSIST", key, b"FIELDS", count.as_bytes()];
        cx.propagate(&[&head, &*persisted].concat());
    }
    Ok(())
}

fn show<'a>(
    key: &[u8],
    fields: impl ExactSizeIterator<Item = &'a [u8]>,
    cx: &mut Context<'_>,
) -> Result {
    let hash = cx.db.get::<Hash>(key)?;
    cx.out.array(fields.len());
    for field in fields {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => cx.out.item(value),
            None => cx.out.null(),
        }
    }
    Ok(())
}

pub(super) fn hgetdel(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let fields = expiry::fields(&mut args, expiry::NOT_POSITIVE)?;
    let mut hash = cx.db.get_mut::<Hash>(key)?;
    let mut deleted: Vec<&[u8]> = Vec::new();
    cx.out.array(fields.len());
    for field in fields {
        match hash.as_deref().and_then(|hash| hash.get(field)) {
            Some(value) => {
                cx.out.item(value);
                deleted.push(field);
            }
            None => cx.out.null(),
        }
        if let Some(hash) = &mut hash {
            hash.remove(field);
        }
    }
    if !deleted.is_empty() {
        cx.db.changed(Class::HASH, "hdel", key);
        cx.db.note_field_expiry(key);
        cx.remove_emptied(key);
        cx.propagate(&[&[&b"HDEL"[..], key], &*deleted].concat());
    }
    Ok(())
}

/// Which fields HSETEX wants to be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    All,
    None,
}

/// The options of HSETEX, in any order before FIELDS.
#[derive(Debug, Default)]
struct Options {
    presence: Option<Presence>,
    expire_at: Option<i64>,
    keeps_expiry: bool,
}

impl Options {
    /// Reads up to the pairs of fields and values.
    fn parse(args: &mut Args<'_>, cx: &Context<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !args.take("FIELDS") {
            let Some(word) = args.peek() else {
                return Err(ReplyError::Arity(cx.command_name().into()));
            };
            if let Some(notation) = expiry::notation(args) {
                options.set_expiry(notation, args, cx)?;
            } else if args.take("KEEPTTL") {
                options.check_expiry()?;
                options.keeps_expiry = true;
            } else if args.take("FXX") {
                options.set_presence(Presence::All)?;
            } else if args.take("FNX") {
                options.set_presence(Presence::None)?;
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(ReplyError::text(format!("ERR unknown argument: {word}")));
            }
        }
        Ok(options)
    }

    fn check_expiry(&self) -> Result {
        if self.expire_at.is_some() || self.keeps_expiry {
            return Err(ReplyError::text(
                "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
            ));
        }
        Ok(())
    }

    fn set_expiry(&mut self, notation: Notation, args: &mut Args<'_>, cx: &Context<'_>) -> Result {
        self.check_expiry()?;
        if args.remaining() == 0 {
            return Err(ReplyError::text("ERR missing expire time"));
        }
        self.expire_at = Some(notation.parse(args, cx)?);
        Ok(())
    }

    fn set_presence(&mut self, presence: Presence) -> Result {
        if self.presence.replace(presence).is_some() {
            return Err(ReplyError::text(
                "ERR Only one of FXX or FNX arguments can be specified",
            ));
        }
        Ok(())
    }

    fn allows<'a>(&self, hash: Option<&Hash>, mut fields: impl Iterator<Item = &'a [u8]>) -> bool {
        let is_there = |field: &[u8]| hash.is_some_and(|hash| hash.contains(field));
        match self.presence {
            None => true,
            Some(Presence::All) => fields.all(is_there),
            Some(Presence::None) => !fields.any(is_there),
        }
    }
}

pub(super) fn hsetex(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let options = Options::parse(&mut args, cx)?;
    let arity = || ReplyError::Arity("hsetex".into());
    if args.remaining() < 3 {
        return Err(arity());
    }
    let count = expiry::count_of_pairs(&mut args)?;
    if args.remaining() % 2 != 0 || args.remaining() / 2 != count {
        return Err(arity());
    }
    let texts = args.rest();
    let fields = texts.clone().step_by(2);
    if !options.allows(cx.db.get::<Hash>(key)?, fields.clone()) {
        cx.out.flag(false);
        return Ok(());
    }
    let (limits, now) = (cx.shared.config.hash, cx.now_ms());
    let hash: &mut Hash = cx.db.get_or_default(key)?;
    hash.expect(count, texts.clone(), &limits);
    let mut outcome = Outcome::default();
    for (field, value) in fields.zip(texts.clone().skip(1).step_by(2)) {
        if options.keeps_expiry || options.expire_at.is_some() {
            hash.set_keeping_expiry(field, value, &limits);
        } else {
            hash.set(field, value, &limits);
        }
        if let Some(at) = options.expire_at {
            outcome.set(hash, field, at, now);
        }
    }
    cx.db.changed(Class::HASH, "hset", key);
    if let Some(at) = options.expire_at {
        if at > now {
            // Before the expiry is told of, which repeats nothing without the fields.
            let pairs: Vec<_> = texts.collect();
            cx.propagate(&[&[&b"HSET"[..], key], &*pairs].concat());
        }
        outcome.finish(key, at, cx);
    } else {
        cx.db.note_field_expiry(key);
    }
    cx.out.flag(true);
    Ok(())
}
