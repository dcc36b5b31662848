//! COMMAND: the table as clients see it.

use crate::command::keys::{Begin, Find};
use crate::command::syntax::{self, Argument, Kind};
use crate::command::{Args, Flags, KeySpec, Row, RowId, Table};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::glob::Glob;
use crate::reply::Reply;

/// COMMAND
pub(super) fn all(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let table = cx.shared.commands.clone();
    let rows: Vec<_> = top_level(&table).collect();
    cx.out.array(rows.len());
    rows.iter()
        .for_each(|(_, row)| info_of(&mut cx.out, &table, row));
    Ok(())
}

/// COMMAND COUNT
pub(super) fn count(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let count = top_level(&cx.shared.commands).count();
    cx.out.len(count);
    Ok(())
}

/// COMMAND INFO \[command-name ...]
pub(super) fn info(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if args.remaining() == 0 {
        return all(args, cx);
    }
    let table = cx.shared.commands.clone();
    cx.out.array(args.remaining());
    for name in args.rest() {
        match find(&table, name) {
            Some(id) => info_of(&mut cx.out, &table, table.row(id)),
            None => cx.out.null(),
        }
    }
    Ok(())
}

/// COMMAND DOCS \[command-name ...]
pub(super) fn docs(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let table = cx.shared.commands.clone();
    let rows: Vec<_> = if args.remaining() == 0 {
        top_level(&table).map(|(_, row)| row).collect()
    } else {
        args.rest()
            .filter_map(|name| find(&table, name))
            .map(|id| table.row(id))
            .collect()
    };
    cx.out.map(rows.len());
    for row in rows {
        cx.out.bulk(row.full_name.as_bytes());
        docs_of(&mut cx.out, &table, row);
    }
    Ok(())
}

/// COMMAND LIST \[FILTERBY <MODULE name | ACLCAT category | PATTERN pattern>]
pub(super) fn list(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let table = cx.shared.commands.clone();
    let filter: Box<dyn Fn(&Row) -> bool + '_> = if !args.take("FILTERBY") {
        Box::new(|_| true)
    } else if args.take("MODULE") {
        args.next()?;
        Box::new(|_| false)
    } else if args.take("ACLCAT") {
        let category = args.next()?.to_ascii_lowercase();
        Box::new(move |row| row.categories().any(|name| name.as_bytes() == category))
    } else if args.take("PATTERN") {
        let glob = Glob::new(args.next()?).ignore_case();
        Box::new(move |row| glob.matches(row.full_name.as_bytes()))
    } else {
        return Err(ReplyError::Syntax);
    };
    args.finish()?;
    let names: Vec<_> = table
        .iter()
        .map(|(_, row)| row)
        .filter(|row| filter(row))
        .collect();
    cx.out.array(names.len());
    names
        .iter()
        .for_each(|row| cx.out.bulk(row.full_name.as_bytes()));
    Ok(())
}

/// COMMAND GETKEYS command \[arg ...]
pub(super) fn getkeys(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let request: Vec<_> = args.rest().collect();
    let keys = keys_of(&cx.shared.commands, &request)?;
    cx.out.array(keys.len());
    keys.iter().for_each(|(at, _)| cx.out.bulk(request[*at]));
    Ok(())
}

/// COMMAND GETKEYSANDFLAGS command \[arg ...]
pub(super) fn getkeysandflags(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let request: Vec<_> = args.rest().collect();
    let keys = keys_of(&cx.shared.commands, &request)?;
    cx.out.array(keys.len());
    for (at, spec) in keys {
        cx.out.array(2);
        cx.out.bulk(request[at]);
        words(&mut cx.out, spec.flags_in(&request).split(' '));
    }
    Ok(())
}

/// COMMAND HELP
pub(super) fn help(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help(
        "COMMAND",
        &[
            "(no subcommand)",
            "    Return details about all commands.",
            "COUNT",
            "    Return the total number of commands in this server.",
            "LIST",
            "    Return a list of all commands in this server.",
            "INFO [<command-name> ...]",
            "    Return details about multiple commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "DOCS [<command-name> ...]",
            "    Return documentation details about multiple commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "GETKEYS <full-command>",
            "    Return the keys from a full command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys and the access flags from a full command.",
        ],
    );
    Ok(())
}

fn top_level(table: &Table) -> impl Iterator<Item = (RowId, &Row)> {
    table.iter().filter(|(_, row)| row.parent.is_none())
}

/// By `name` or `container|subcommand`.
fn find(table: &Table, name: &[u8]) -> Option<RowId> {
    let mut parts = name.splitn(2, |&byte| byte == b'|');
    let top = table.find(parts.next()?)?;
    match parts.next() {
        Some(sub) => table.find_sub(top, sub),
        None => Some(top),
    }
}

/// Positions of the keys in a request.
fn keys_of(table: &Table, request: &[&[u8]]) -> Result<Vec<(usize, &'static KeySpec)>> {
    let name = request.first().copied().unwrap_or_default();
    let top = table.find(name);
    let sub = top.and_then(|top| table.find_sub(top, request.get(1)?));
    let id = sub
        .or(top)
        .ok_or_else(|| ReplyError::text("ERR Invalid command specified"))?;
    let command = &table.row(id).command;
    // A shard's channel stands where a key would, and is none.
    if command.keys.0.iter().all(|spec| spec.flags == "not_key") {
        return Err(ReplyError::text("ERR The command has no key arguments"));
    }
    if !command.accepts(request.len()) {
        return Err(ReplyError::text(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let mut found = Vec::new();
    command
        .keys
        .positions(request, |at, spec| found.push((at, spec)));
    if found.is_empty() && !command.flags.contains(Flags::NO_MANDATORY_KEYS) {
        return Err(ReplyError::text(
            "ERR Invalid arguments specified for command",
        ));
    }
    Ok(found)
}

/// The ten fields of an entry of COMMAND INFO.
fn info_of(out: &mut Reply<'_>, table: &Table, row: &Row) {
    let command = &row.command;
    let (first, last, step) = command.keys.legacy();
    out.array(10);
    out.bulk(row.full_name.as_bytes());
    out.integer(command.arity.into());
    let movable = (command.keys.are_movable() && !command.flags.contains(Flags::MOVABLE_KEYS))
        .then_some("movablekeys");
    let flags: Vec<_> = command.flags.names().chain(movable).collect();
    out.set(flags.len());
    flags.iter().for_each(|flag| out.simple(flag));
    out.integer(first);
    out.integer(last);
    out.integer(step);
    let categories: Vec<_> = row.categories().collect();
    out.set(categories.len());
    categories
        .iter()
        .for_each(|category| out.simple(&format!("@{category}")));
    let tips = command.tips.split_whitespace();
    out.set(tips.clone().count());
    tips.for_each(|tip| out.bulk(tip.as_bytes()));
    out.set(command.keys.0.len());
    command.keys.0.iter().for_each(|spec| key_spec(out, spec));
    if row.subcommands.is_empty() {
        out.set(0);
    } else {
        out.array(row.subcommands.len());
    }
    row.subcommands
        .iter()
        .for_each(|&id| info_of(out, table, table.row(id)));
}

fn key_spec(out: &mut Reply<'_>, spec: &KeySpec) {
    out.map(3);
    out.bulk(b"flags");
    words(out, spec.flags.split(' '));
    out.bulk(b"begin_search");
    out.map(2);
    out.bulk(b"type");
    match spec.begin {
        Begin::Index(index) => {
            out.bulk(b"index");
            out.bulk(b"spec");
            fields(out, &[("index", index.into())]);
        }
        Begin::Keyword(word, from) => {
            out.bulk(b"keyword");
            out.bulk(b"spec");
            out.map(2);
            out.bulk(b"keyword");
            out.bulk(word.as_bytes());
            out.bulk(b"startfrom");
            out.integer(from.into());
        }
        Begin::Unknown | Begin::SortStore => {
            out.bulk(b"unknown");
            out.bulk(b"spec");
            fields(out, &[]);
        }
    }
    out.bulk(b"find_keys");
    out.map(2);
    out.bulk(b"type");
    match spec.find {
        Find::Range { last, step, limit } => {
            out.bulk(b"range");
            out.bulk(b"spec");
            fields(
                out,
                &[
                    ("lastkey", last.into()),
                    ("keystep", step.into()),
                    ("limit", limit.into()),
                ],
            );
        }
        Find::KeyNum { index, first, step } => {
            out.bulk(b"keynum");
            out.bulk(b"spec");
            fields(
                out,
                &[
                    ("keynumidx", index.into()),
                    ("firstkey", first.into()),
                    ("keystep", step.into()),
                ],
            );
        }
        Find::Unknown => {
            out.bulk(b"unknown");
            out.bulk(b"spec");
            fields(out, &[]);
        }
    }
}

fn fields(out: &mut Reply<'_>, fields: &[(&str, i64)]) {
    out.map(fields.len());
    for (name, value) in fields {
        out.bulk(name.as_bytes());
        out.integer(*value);
    }
}

fn words<'a>(out: &mut Reply<'_>, words: impl Iterator<Item = &'a str> + Clone) {
    out.set(words.clone().count());
    words.for_each(|word| out.simple(word));
}

/// An entry of COMMAND DOCS.
fn docs_of(out: &mut Reply<'_>, table: &Table, row: &Row) {
    let docs = &row.command.docs;
    let arguments = syntax::parse(docs.syntax);
    let (since, instead) = docs.deprecated.unwrap_or_default();
    let texts = [
        ("summary", docs.summary),
        ("since", docs.since),
        ("group", row.group.name()),
        ("complexity", docs.complexity),
        ("deprecated_since", since),
        ("replaced_by", instead),
    ];
    let texts = texts.iter().filter(|(_, text)| !text.is_empty());
    out.map(
        texts.clone().count()
            + usize::from(docs.deprecated.is_some())
            + usize::from(!arguments.is_empty())
            + usize::from(!row.subcommands.is_empty()),
    );
    for (name, text) in texts {
        if *name == "deprecated_since" {
            out.bulk(b"doc_flags");
            words(out, ["deprecated"].into_iter());
        }
        out.bulk(name.as_bytes());
        out.bulk(text.as_bytes());
    }
    if !arguments.is_empty() {
        out.bulk(b"arguments");
        out.array(arguments.len());
        let mut key = 0;
        arguments
            .iter()
            .for_each(|argument| argument_of(out, argument, &mut key));
    }
    if !row.subcommands.is_empty() {
        out.bulk(b"subcommands");
        out.map(row.subcommands.len());
        for &id in &row.subcommands {
            out.bulk(table.row(id).full_name.as_bytes());
            docs_of(out, table, table.row(id));
        }
    }
}

/// `key` counts the arguments that are keys: each has a key specification of its own.
fn argument_of(out: &mut Reply<'_>, argument: &Argument, key: &mut i64) {
    let flags = [
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.repeats_token, "multiple_token"),
    ];
    let flags: Vec<_> = flags
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, flag)| *flag)
        .collect();
    let is_container = !argument.children.is_empty();
    let is_key = argument.kind == Kind::Key || argument.key_spec.is_some();
    let fields = 2 + [
        !is_container,
        is_key,
        argument.token.is_some(),
        !flags.is_empty(),
        is_container,
    ]
    .iter()
    .filter(|&&on| on)
    .count();
    out.map(fields);
    out.bulk(b"name");
    out.bulk(argument.name.as_bytes());
    out.bulk(b"type");
    out.bulk(argument.kind.name().as_bytes());
    if !is_container {
        out.bulk(b"display_text");
        out.bulk(argument.name.as_bytes());
    }
    if is_key {
        out.bulk(b"key_spec_index");
        out.integer(argument.key_spec.map_or(*key, i64::from));
        *key += i64::from(argument.key_spec.is_none());
    }
    if let Some(token) = &argument.token {
        out.bulk(b"token");
        out.bulk(token.as_bytes());
    }
    if !flags.is_empty() {
        out.bulk(b"flags");
        words(out, flags.into_iter());
    }
    if is_container {
        out.bulk(b"arguments");
        out.array(argument.children.len());
        argument
            .children
            .iter()
            .for_each(|child| argument_of(out, child, key));
    }
}
