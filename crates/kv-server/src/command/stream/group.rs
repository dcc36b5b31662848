//! XGROUP.

use super::parse::{self, shown};
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::notify::Class;
use crate::value::Stream;
use crate::value::stream::{Group, Id};

const HELP: &[&str] = &[
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
];

pub(super) fn help(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help("XGROUP", HELP);
    Ok(())
}

/// MKSTREAM and ENTRIESREAD.
#[derive(Debug, Default)]
struct Options {
    create: bool,
    read: Option<u64>,
}

impl Options {
    fn parse(args: &mut Args<'_>, creates: bool) -> Result<Self> {
        let mut options = Self::default();
        while args.remaining() > 0 {
            if creates && args.take("MKSTREAM") {
                options.create = true;
            } else if args.remaining() > 1 && args.take("ENTRIESREAD") {
                let read = args.integer()?;
                if read < -1 {
                    return Err(ReplyError::text(
                        "ERR value for ENTRIESREAD must be positive or -1",
                    ));
                }
                options.read = u64::try_from(read).ok();
            } else {
                return Err(ReplyError::subcommand_syntax(args));
            }
        }
        Ok(options)
    }
}

fn no_key() -> ReplyError {
    ReplyError::text(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
    )
}

/// A stream that has to be there, to be changed.
fn open<'d>(key: &[u8], cx: &'d mut Context<'_>) -> Result<&'d mut Stream> {
    cx.db.get_mut::<Stream>(key)?.ok_or_else(no_key)
}

/// A group that has to be there, to be changed.
fn open_group<'d>(key: &[u8], name: &[u8], cx: &'d mut Context<'_>) -> Result<&'d mut Group> {
    let group = open(key, cx)?.groups.get_mut(name);
    group
        .map(|group| &mut **group)
        .ok_or_else(|| unknown(key, name))
}

/// The error for a group that a stream does not have.
pub(super) fn unknown(key: &[u8], group: &[u8]) -> ReplyError {
    ReplyError::text(format!(
        "NOGROUP No such consumer group '{}' for key name '{}'",
        shown(group),
        shown(key)
    ))
}

pub(super) fn create(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, name, id) = (args.next()?, args.next()?, args.next()?);
    let options = Options::parse(&mut args, true)?;
    let stream = cx.db.get_mut::<Stream>(key)?;
    if stream.is_none() && !options.create {
        return Err(no_key());
    }
    // Each option once.
    if args.all().len() > 8 {
        return Err(ReplyError::subcommand_syntax(&args));
    }
    let id = match id {
        b"$" => stream.as_ref().map_or(Id::MIN, |stream| stream.log.last),
        id => parse::id(id)?,
    };
    let is_new = stream.is_none();
    let stream = cx.db.get_or_default::<Stream>(key)?;
    if stream.groups.contains_key(name) {
        return Err(ReplyError::text(
            "BUSYGROUP Consumer Group name already exists",
        ));
    }
    let group = Group::new(id, options.read);
    stream.groups.insert(name.into(), Box::new(group));
    if is_new {
        cx.db.touched(key);
    }
    cx.db.changed_aside(1, Class::STREAM, "xgroup-create", key);
    cx.out.ok();
    Ok(())
}

pub(super) fn set_id(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, name, id) = (args.next()?, args.next()?, args.next()?);
    let options = Options::parse(&mut args, false)?;
    let stream = open(key, cx)?;
    let last = stream.log.last;
    let group = stream.groups.get_mut(name);
    let group = group.ok_or_else(|| unknown(key, name))?;
    if args.all().len() > 7 {
        return Err(ReplyError::subcommand_syntax(&args));
    }
    group.last = match id {
        b"$" => last,
        // Both ends of all ids will do.
        id => parse::unbounded_id(id, 0)?,
    };
    group.read = options.read;
    cx.db.changed_aside(1, Class::STREAM, "xgroup-setid", key);
    cx.out.ok();
    Ok(())
}

/// The command that sets how far a group has come.
pub(super) fn progress(key: &[u8], name: &[u8], group: &Group) -> Vec<Vec<u8>> {
    let read = group
        .read
        .map_or_else(|| "-1".to_owned(), |read| read.to_string());
    let id = group.last.to_string();
    [
        &b"XGROUP"[..],
        b"SETID",
        key,
        name,
        id.as_bytes(),
        b"ENTRIESREAD",
        read.as_bytes(),
    ]
    .map(<[u8]>::to_vec)
    .into()
}

pub(super) fn destroy(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, name) = (args.next()?, args.next()?);
    let Some(entry) = open(key, cx)?.groups.remove_entry(name) else {
        cx.out.integer(0);
        return Ok(());
    };
    let removed = Stream {
        groups: [entry].into(),
        ..Stream::default()
    };
    cx.shared
        .garbage
        .bury(Entry::object(b"", removed.into(), NEVER));
    cx.db.changed_aside(1, Class::STREAM, "xgroup-destroy", key);
    // Who waits to read for it would wait for ever.
    cx.db.wake(key);
    cx.out.integer(1);
    Ok(())
}

pub(super) fn create_consumer(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, name, consumer) = (args.next()?, args.next()?, args.next()?);
    let now = cx.now_ms();
    let created = open_group(key, name, cx)?.add(consumer, now).is_some();
    if created {
        let event = "xgroup-createconsumer";
        cx.db.changed_aside(1, Class::STREAM, event, key);
    }
    cx.out.flag(created);
    Ok(())
}

pub(super) fn delete_consumer(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, name, consumer) = (args.next()?, args.next()?, args.next()?);
    let pending = open_group(key, name, cx)?.remove(consumer);
    if pending.is_some() {
        let event = "xgroup-delconsumer";
        cx.db.changed_aside(1, Class::STREAM, event, key);
    }
    cx.out.len(pending.unwrap_or(0));
    Ok(())
}
