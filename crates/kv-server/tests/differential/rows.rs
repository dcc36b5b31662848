//! What COMMAND INFO says of each command, beside a real `redis-server`.

use std::collections::{BTreeMap, BTreeSet};

use resp_codec::{Frame, FrameDecoder, Limits};

use crate::common::{Client, server};
use crate::reference::Redis;

/// What Redis 7.2 changed since 7.0, which the reference may be.
const NEWER: &[(&str, &str)] = &[
    ("blmove", "flags"),
    ("blmpop", "flags"),
    ("blpop", "flags"),
    ("brpop", "flags"),
    ("brpoplpush", "flags"),
    ("bzmpop", "flags"),
    ("bzpopmax", "flags"),
    ("bzpopmin", "flags"),
    ("command|getkeys", "arity"),
    ("command|getkeysandflags", "arity"),
    ("publish", "flags"),
    ("spublish", "flags"),
    ("zrank", "arity"),
    ("zrevrank", "arity"),
];

/// The fields of a row by name; sets where the order means nothing.
fn fields(row: &Frame) -> BTreeMap<&'static str, String> {
    let row = row.as_slice().unwrap();
    let set = |frame: &Frame| {
        let words: BTreeSet<_> = frame
            .as_slice()
            .unwrap()
            .iter()
            .map(Frame::as_str)
            .collect();
        format!("{words:?}")
    };
    let names = [
        "name",
        "arity",
        "flags",
        "first key",
        "last key",
        "step",
        "categories",
    ];
    let mut fields: BTreeMap<_, _> = names
        .into_iter()
        .zip(row)
        .map(|(name, field)| match field {
            Frame::Array(_) | Frame::Set(_) => (name, set(field)),
            field => (name, format!("{field:?}")),
        })
        .collect();
    // Ours have no notes.
    let specs: Vec<_> = row[8]
        .as_slice()
        .unwrap()
        .iter()
        .map(|spec| match spec.as_slice().unwrap() {
            [name, _, rest @ ..] if name.as_str() == Some("notes") => rest,
            spec => spec,
        })
        .collect();
    fields.insert("key specifications", format!("{specs:?}"));
    fields
}

/// Rows by name, those of subcommands too.
async fn rows(client: &mut Client, name: &str) -> BTreeMap<String, BTreeMap<&'static str, String>> {
    client.send(format!("COMMAND INFO {name}\r\n")).await;
    let bytes = client.frame().await;
    let frame = FrameDecoder::new(Limits::client())
        .decode(&bytes)
        .unwrap()
        .unwrap()
        .to_frame();
    let mut rows = BTreeMap::new();
    let row = &frame.as_slice().unwrap()[0];
    if row.is_null() {
        return rows;
    }
    let subcommands = row.as_slice().unwrap()[9].as_slice().unwrap();
    for row in std::iter::once(row).chain(subcommands) {
        let name = row.as_slice().unwrap()[0].as_str().unwrap().to_owned();
        rows.insert(name, fields(row));
    }
    rows
}

#[tokio::test]
async fn the_rows_of_commands_are_those_of_redis() {
    let Some(redis) = Redis::start() else {
        println!("skipped: there is no redis-server");
        return;
    };
    let server = server().await;
    let mut ours = Client::new(&server);
    let mut theirs = redis.connect().await;
    ours.send("COMMAND LIST\r\n").await;
    let list = ours.frame().await;
    let list = FrameDecoder::new(Limits::client())
        .decode(&list)
        .unwrap()
        .unwrap()
        .to_frame();
    let mut differences = Vec::new();
    for name in list.as_slice().unwrap() {
        let name = name.as_str().unwrap();
        if name.contains('|') {
            continue;
        }
        let (ours, theirs) = (rows(&mut ours, name).await, rows(&mut theirs, name).await);
        for (name, ours) in &ours {
            // Commands of a later version.
            let Some(theirs) = theirs.get(name) else {
                continue;
            };
            for (field, ours) in ours {
                let is_newer = NEWER.contains(&(name.as_str(), *field));
                if theirs[field] != *ours && !is_newer {
                    differences.push(format!(
                        "{name}, {field}:\n  ours   {ours}\n  theirs {}",
                        theirs[field]
                    ));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
