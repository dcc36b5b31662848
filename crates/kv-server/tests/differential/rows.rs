//! What COMMAND INFO says of each command, beside a real `redis-server`.

use std::collections::{BTreeMap, BTreeSet};

use resp_codec::{Frame, FrameDecoder, Limits};

use crate::common::Client;
use crate::reference::Servers;

/// What differs from Redis 7.0, which the reference may be: of which commands, in which field, and why.
const DIFFERENT: &[(&[&str], &str, &str)] = &[
    (
        &[
            "blmove",
            "blmpop",
            "blpop",
            "brpop",
            "brpoplpush",
            "bzmpop",
            "bzpopmax",
            "bzpopmin",
        ],
        "flags",
        "7.2 allows it in scripts, where it does not wait",
    ),
    (
        &["client|setname", "config|resetstat", "config|rewrite"],
        "tips",
        "7.2 says that it is for all nodes",
    ),
    (
        &["randomkey", "scan"],
        "tips",
        "7.2 says that the replies of shards do not add up",
    ),
    (
        &["latency|reset"],
        "tips",
        "7.2 adds up the numbers that it returns",
    ),
    (
        &["msetnx"],
        "tips",
        "7.2 does not split it over shards any more: it sets all or nothing",
    ),
    (
        &["command|getkeys", "command|getkeysandflags"],
        "arity",
        "7.2 takes a command without arguments",
    ),
    (&["zrank", "zrevrank"], "arity", "7.2 has WITHSCORE"),
];

/// Commands whose arguments are described otherwise than by Redis 7.0, and why.
const OTHER_ARGUMENTS: &[(&str, &str)] = &[
    (
        "bitfield",
        "the operations repeat at another level of the same grammar",
    ),
    ("bitop", "7.2 names the operations"),
    (
        "client|kill",
        "7.2 takes several filters, of which one is yes or no",
    ),
    ("client|list", "the ids are no block of one"),
    ("command|getkeys", "7.2 describes them"),
    ("command|getkeysandflags", "7.2 describes them"),
    ("config|get", "the parameters are no block of one"),
    ("psubscribe", "the patterns are no block of one"),
    ("zrank", "7.2 has WITHSCORE"),
    ("zrevrank", "7.2 has WITHSCORE"),
];

/// The fields of a row by name, in the bytes of RESP: the order of flags counts, and so does what is a set.
fn fields(row: &Frame) -> BTreeMap<&'static str, String> {
    const NAMES: [&str; 9] = [
        "name",
        "arity",
        "flags",
        "first key",
        "last key",
        "step",
        "categories",
        "tips",
        "key specifications",
    ];
    let row = row.as_slice().unwrap();
    let fields = NAMES.into_iter().zip(row);
    let mut fields: BTreeMap<_, _> = fields
        .map(|(name, field)| (name, format!("{field:?}")))
        .collect();
    fields.insert("key specifications", without_notes(&row[8]));
    if row[9].as_slice().unwrap().is_empty() {
        fields.insert("no subcommands", format!("{:?}", row[9]));
    }
    fields
}

/// Redis explains some specifications with a sentence; ours do without.
fn without_notes(specs: &Frame) -> String {
    let kind = matches!(specs, Frame::Set(_));
    let specs = specs.as_slice().unwrap().iter();
    let specs: Vec<_> = specs
        .map(|spec| match spec {
            Frame::Map(fields) => {
                let fields = fields.iter();
                let fields: Vec<_> = fields
                    .filter(|(name, _)| name.as_str() != Some("notes"))
                    .collect();
                format!("{fields:?}")
            }
            spec => match spec.as_slice().unwrap() {
                [name, _, rest @ ..] if name.as_str() == Some("notes") => format!("{rest:?}"),
                fields => format!("{fields:?}"),
            },
        })
        .collect();
    format!("a set: {kind}, {specs:?}")
}

/// The reply to a request.
async fn ask(client: &mut Client, request: &str) -> Frame {
    client.send(format!("{request}\r\n")).await;
    let bytes = client.frame().await;
    let mut decoder = FrameDecoder::new(Limits::client());
    decoder.decode(&bytes).unwrap().unwrap().to_frame()
}

/// Rows by name, those of subcommands too.
async fn rows(client: &mut Client, name: &str) -> BTreeMap<String, BTreeMap<&'static str, String>> {
    let frame = ask(client, &format!("COMMAND INFO {name}")).await;
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
    let Some(servers) = Servers::start().await else {
        return;
    };
    let (mut ours, mut theirs) = servers.connect().await;
    for hello in ["HELLO 2", "HELLO 3"] {
        ours.call(hello).await;
        theirs.call(hello).await;
        let mut differences = Vec::new();
        let mut compared = 0;
        for name in list(&mut ours, "COMMAND LIST").await {
            if name.contains('|') {
                continue;
            }
            let (ours, theirs) = (rows(&mut ours, &name).await, rows(&mut theirs, &name).await);
            for (name, ours) in &ours {
                // Commands of a later version.
                let Some(theirs) = theirs.get(name) else {
                    continue;
                };
                compared += 1;
                for (field, ours) in ours {
                    let is_known = DIFFERENT
                        .iter()
                        .any(|(known, of, _)| of == field && known.contains(&name.as_str()));
                    if theirs.get(field) != Some(ours) && !is_known {
                        differences.push(format!(
                            "{name}, {field}:\n  ours   {ours}\n  theirs {:?}",
                            theirs.get(field)
                        ));
                    }
                }
            }
        }
        assert!(compared > 250, "{compared}");
        assert!(
            differences.is_empty(),
            "{hello}: {}",
            differences.join("\n")
        );
    }
    // Of a command that does not exist too.
    for request in ["COMMAND INFO nosuch", "COMMAND DOCS nosuch"] {
        assert_eq!(ours.call(request).await, theirs.call(request).await);
    }
}

/// The names that a request returns.
async fn list(client: &mut Client, request: &str) -> BTreeSet<String> {
    let frame = ask(client, request).await;
    let names = frame.as_slice().unwrap().iter();
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn command_list_has_subcommands_with_and_without_a_filter_as_in_redis() {
    let Some(servers) = Servers::start().await else {
        return;
    };
    let (mut ours, mut theirs) = servers.connect().await;
    let (all, all_theirs) = (
        list(&mut ours, "COMMAND LIST").await,
        list(&mut theirs, "COMMAND LIST").await,
    );
    assert!(all.contains("client|tracking") && all_theirs.contains("client|tracking"));
    for filter in [
        "",
        " FILTERBY PATTERN *",
        " FILTERBY PATTERN c*|*",
        " FILTERBY PATTERN xinfo",
        " FILTERBY ACLCAT dangerous",
        " FILTERBY ACLCAT sortedset",
        " FILTERBY ACLCAT nosuch",
        " FILTERBY MODULE nosuch",
    ] {
        let request = format!("COMMAND LIST{filter}");
        let common = |names: BTreeSet<String>| -> Vec<String> {
            let both = |name: &String| all.contains(name) && all_theirs.contains(name);
            names.into_iter().filter(both).collect()
        };
        let (ours, theirs) = (
            list(&mut ours, &request).await,
            list(&mut theirs, &request).await,
        );
        assert_eq!(common(ours), common(theirs), "{request}");
    }
}

#[tokio::test]
async fn the_keys_of_requests_and_what_is_done_with_them_are_those_of_redis() {
    let Some(servers) = Servers::start().await else {
        return;
    };
    let (mut ours, mut theirs) = servers.connect().await;
    for request in [
        "set k v",
        "set k v ex 10 get",
        "set k get",
        "get k",
        "bitfield k get u8 0",
        "bitfield k get u8 0 get u8 #1",
        "bitfield k get u8 0 overflow sat incrby u8 0 1",
        "bitfield k set u8 0 1",
        "bitfield k get u8",
        "bitfield k",
        "bitfield_ro k get u8 0",
        "sort k by w_* get # store d",
        "sort k store a store b",
        "sort k",
        "sort_ro k limit 0 1",
        "zunionstore d 2 a b weights 1 2",
        "zinter 2 a b",
        "zdiff 0 a",
        "sintercard 2 a b limit 1",
        "lmpop 2 a b left",
        "blmpop 0 2 a b left",
        "bzmpop 0 1 a min",
        "blpop a b 0",
        "lmove a b left right",
        "rename a b",
        "copy a b",
        "mset a 1 b 2",
        "bitop and d a b",
        "xread count 1 streams a b 0 0",
        "xreadgroup group g c streams a >",
        "xgroup create a g 0",
        "xinfo stream a",
        "object encoding a",
        "memory usage a",
        "hset h f v",
        "getex k ex 1",
        "getdel k",
        "zrangestore d s 0 1",
        "lcs a b",
        "pfnosuch a",
        "ping a",
        "watch a b",
        "publish c m",
        "ssubscribe a b",
    ] {
        for question in ["GETKEYS", "GETKEYSANDFLAGS"] {
            let line = format!("COMMAND {question} {request}");
            assert_eq!(ours.call(&line).await, theirs.call(&line).await, "{line}");
        }
    }
}

/// What an argument is, without what it is called.
fn shape(argument: &Frame) -> String {
    let get = |name| value(argument, name);
    let children = get("arguments").map(shapes);
    format!(
        "{:?} {:?} {:?} {:?} {children:?}",
        get("token"),
        get("type"),
        get("flags"),
        get("key_spec_index"),
    )
}

fn shapes(arguments: &Frame) -> Vec<String> {
    arguments.as_slice().unwrap().iter().map(shape).collect()
}

fn value<'f>(map: &'f Frame, name: &str) -> Option<&'f Frame> {
    let mut pairs = map.as_pairs().unwrap().iter();
    let found = pairs.find(|(key, _)| key.as_str() == Some(name));
    found.map(|(_, value)| value)
}

/// The arguments of all commands and subcommands in a reply of COMMAND DOCS.
fn arguments(docs: &Frame, into: &mut BTreeMap<String, Vec<String>>) {
    for (name, docs) in docs.as_pairs().unwrap() {
        let mut shapes = value(docs, "arguments").map(shapes).unwrap_or_default();
        shapes.push(format!(
            "deprecated since {:?}",
            value(docs, "deprecated_since")
        ));
        into.insert(name.as_str().unwrap().to_owned(), shapes);
        if let Some(docs) = value(docs, "subcommands") {
            arguments(docs, into);
        }
    }
}

#[tokio::test]
async fn the_arguments_of_commands_and_which_are_deprecated_are_as_in_redis() {
    let Some(servers) = Servers::start().await else {
        return;
    };
    let describe = async |mut client: Client| {
        client.call("HELLO 3").await;
        let docs = ask(&mut client, "COMMAND DOCS").await;
        let mut found = BTreeMap::new();
        arguments(&docs, &mut found);
        found
    };
    let (ours, theirs) = servers.connect().await;
    let (ours, theirs) = (describe(ours).await, describe(theirs).await);
    let mut differences = Vec::new();
    for (name, ours) in &ours {
        let is_known = OTHER_ARGUMENTS.iter().any(|(known, _)| known == name);
        if let Some(theirs) = theirs.get(name).filter(|theirs| *theirs != ours) {
            if !is_known {
                differences.push(format!("{name}:\n  ours   {ours:?}\n  theirs {theirs:?}"));
            }
        } else {
            assert!(!is_known, "{name} is as in Redis");
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
