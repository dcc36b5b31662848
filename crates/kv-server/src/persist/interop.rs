//! A real server reads our files, and we read its.

use std::path::PathBuf;

use resp_codec::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Server;
use crate::reference::{Reference, Reply};

/// A file of the test's own, which goes with the value.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let name = format!("kv-server-{}-{name}.rdb", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Sends inline commands and returns all replies.
async fn ask(server: &Server, commands: impl AsRef<str>) -> String {
    let mut io = server.connect();
    io.write_all([commands.as_ref(), "QUIT\r\n"].concat().as_bytes())
        .await
        .unwrap();
    let mut replies = String::new();
    io.read_to_string(&mut replies).await.unwrap();
    replies.strip_suffix("+OK\r\n").unwrap().to_owned()
}

#[tokio::test]
async fn a_real_server_loads_our_file() {
    let file = File::new("ours");
    let server = Server::builder().snapshot(&file.0).start().await.unwrap();
    let long = "long ".repeat(1000);
    let filled = ask(
        &server,
        format!(
            "SET text value\r\nSET number -12345\r\nSET long '{long}'\r\nSELECT 9\r\nSET soon x PXAT 99999999999999\r\nSAVE\r\n"
        ),
    );
    assert_eq!(filled.await, "+OK\r\n".repeat(6));
    let saved = std::fs::read(&file.0).unwrap();
    let Some(mut redis) = Reference::start(Some(&saved)) else {
        return;
    };
    assert_eq!(redis.call(["GET", "text"]), Reply::bulk("value"));
    assert_eq!(redis.call(["GET", "number"]), Reply::bulk("-12345"));
    assert_eq!(redis.call(["GET", "long"]), Reply::bulk(&long));
    assert_eq!(redis.call(["DBSIZE"]), Reply::Integer(3));
    assert_eq!(redis.call(["SELECT", "9"]), Reply::Simple("OK".into()));
    assert_eq!(redis.call(["GET", "soon"]), Reply::bulk("x"));
    assert_eq!(
        redis.call(["PEXPIRETIME", "soon"]),
        Reply::Integer(99_999_999_999_999)
    );
}

#[tokio::test]
async fn we_load_the_file_of_a_real_server() {
    let Some(mut redis) = Reference::start(None) else {
        return;
    };
    let long = "long ".repeat(1000);
    for command in [
        &["SET", "text", "value"][..],
        &["SET", "number", "-12345"],
        &["SET", "long", &long],
        &["SELECT", "9"],
        &["SET", "soon", "x", "PXAT", "99999999999999"],
    ] {
        assert_eq!(redis.call(command), Reply::Simple("OK".into()));
    }
    let file = File::new("theirs");
    std::fs::write(&file.0, redis.save()).unwrap();
    let server = Server::builder().snapshot(&file.0).start().await.unwrap();
    let found = ask(
        &server,
        "GET text\r\nGET number\r\nGET long\r\nSELECT 9\r\nGETEX soon\r\n",
    );
    let expected = format!("$5\r\nvalue\r\n$6\r\n-12345\r\n$5000\r\n{long}\r\n+OK\r\n$1\r\nx\r\n");
    assert_eq!(found.await, expected);
}

/// Small and large ones of each kind, so that each encoding of either server is met.
fn collections() -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for (name, count) in [("small", 3), ("large", 2_000)] {
        let elements = |prefix: &str| {
            (0..count)
                .map(|n| format!("{prefix}{n}"))
                .collect::<Vec<_>>()
        };
        let fields = elements("f").into_iter().zip(elements("v"));
        let fields: Vec<_> = fields.flat_map(|(field, value)| [field, value]).collect();
        // Integers, fractions and infinities that all versions write alike.
        let scores = [
            "-inf",
            "-3",
            "0.5",
            "7",
            "1125899906842624",
            "123456789.125",
            "inf",
        ];
        let scored = scores.into_iter().cycle().zip(elements("z"));
        let scored: Vec<_> = scored
            .flat_map(|(score, member)| [score.to_owned(), member])
            .collect();
        for (command, kind, arguments) in [
            ("RPUSH", "list", elements("e")),
            ("SADD", "ints", elements("")),
            ("SADD", "set", elements("m")),
            ("HSET", "hash", fields),
            ("ZADD", "zset", scored),
        ] {
            let mut words = vec![command.to_owned(), format!("{name}-{kind}")];
            words.extend(arguments);
            commands.push(words);
        }
    }
    commands
}

/// What a key holds, its elements in an order of their own unless they have one.
const READS: [(&str, &[&str], bool); 5] = [
    ("list", &["LRANGE", "", "0", "-1"], false),
    ("ints", &["SMEMBERS", ""], true),
    ("set", &["SMEMBERS", ""], true),
    ("hash", &["HGETALL", ""], true),
    ("zset", &["ZRANGE", "", "0", "-1", "WITHSCORES"], false),
];

fn compare(server: &Server, redis: &mut Reference) {
    for name in ["small", "large"] {
        for (kind, command, sorted) in READS {
            let key = format!("{name}-{kind}");
            let words: Vec<&str> = command
                .iter()
                .map(|word| if word.is_empty() { key.as_str() } else { word })
                .collect();
            let ours = server.db(0).call(&words).unwrap();
            let ours = ours.as_slice().unwrap().iter();
            let mut ours: Vec<_> = ours.map(|part| part.as_bytes().unwrap().to_vec()).collect();
            let theirs = redis.call(&words).array();
            let mut theirs: Vec<_> = theirs.into_iter().map(Reply::bytes).collect();
            if sorted {
                ours.sort();
                theirs.sort();
            }
            assert!(!ours.is_empty());
            assert_eq!(ours, theirs, "{key}");
        }
    }
}

#[tokio::test]
async fn collections_go_to_a_real_server_and_come_back() {
    let file = File::new("collections");
    let server = Server::builder().snapshot(&file.0).start().await.unwrap();
    for command in collections() {
        server.db(0).call(&command).unwrap();
    }
    server.save().await.unwrap();
    let Some(mut redis) = Reference::start(Some(&std::fs::read(&file.0).unwrap())) else {
        return;
    };
    compare(&server, &mut redis);
    std::fs::write(&file.0, redis.save()).unwrap();
    let server = Server::builder().snapshot(&file.0).start().await.unwrap();
    compare(&server, &mut redis);
}

/// Some nodes, deleted entries, fields that differ, groups with pending entries; and a stream that was emptied.
fn streams() -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for n in 1..=350 {
        let other = if n % 50 == 0 { " extra field" } else { "" };
        lines.push(format!("XADD s {n}-1 number {n} text value-{n}{other}"));
    }
    lines.push(format!("XADD s 400-1 large {}", "x".repeat(16_378)));
    lines.extend(["XDEL s 5-1 6-1 150-1", "XTRIM s MAXLEN = 300"].map(str::to_owned));
    lines.push("XGROUP CREATE s readers 0".to_owned());
    lines.push("XGROUP CREATE s others 9-1 ENTRIESREAD 3".to_owned());
    lines.push("XGROUP CREATECONSUMER s readers idle".to_owned());
    lines.push("XREADGROUP GROUP readers one COUNT 20 STREAMS s >".to_owned());
    lines.push("XREADGROUP GROUP readers two COUNT 20 STREAMS s >".to_owned());
    lines.push("XDEL s 60-1 70-1".to_owned());
    lines.push("XADD empty 5-5 a b".to_owned());
    lines.push("XTRIM empty MAXLEN 0".to_owned());
    let words = |line: &String| line.split(' ').map(str::to_owned).collect();
    lines.iter().map(words).collect()
}

/// What XINFO says of the streams, without times.
fn describe(mut call: impl FnMut(&[&str]) -> String) -> Vec<String> {
    let mut described = Vec::new();
    for key in ["s", "empty"] {
        for command in [
            &["XRANGE", key, "-", "+"][..],
            &["XREVRANGE", key, "-", "+"],
            &["XINFO", "STREAM", key],
            &["XINFO", "GROUPS", key],
            &["DEBUG", "DIGEST-VALUE", key],
        ] {
            described.push(call(command));
        }
    }
    for consumer in ["one", "two"] {
        described.push(call(&["XPENDING", "s", "readers"]));
        let read = [
            "XREADGROUP",
            "GROUP",
            "readers",
            consumer,
            "STREAMS",
            "s",
            "0",
        ];
        described.push(call(&read));
    }
    described
}

/// A reply of ours as one of theirs.
fn reply(frame: &Frame) -> Reply {
    match frame {
        Frame::Array(elements) => Reply::Array(elements.iter().map(reply).collect()),
        Frame::Integer(number) => Reply::Integer(*number),
        Frame::SimpleString(text) => Reply::Simple(String::from_utf8_lossy(text).into()),
        Frame::Null | Frame::NullArray => Reply::Null,
        other => Reply::bulk(other.as_bytes().unwrap()),
    }
}

#[tokio::test]
async fn streams_go_to_a_real_server_and_come_back() {
    let file = File::new("streams");
    let builder = Server::builder().snapshot(&file.0);
    let builder = builder.directive("enable-debug-command", &["yes"]).unwrap();
    let server = builder.start().await.unwrap();
    for command in streams() {
        server.db(0).call(&command).unwrap();
    }
    server.save().await.unwrap();
    let saved = std::fs::read(&file.0).unwrap();
    let Some(mut redis) = Reference::start(Some(&saved)) else {
        return;
    };
    let ours = |server: &Server, command: &[&str]| reply(&server.db(0).call(command).unwrap());
    let first = describe(|command| format!("{:?}", ours(&server, command)));
    let theirs = describe(|command| format!("{:?}", redis.call(command)));
    assert_eq!(first, theirs);
    std::fs::write(&file.0, redis.save()).unwrap();
    let builder = Server::builder().snapshot(&file.0);
    let builder = builder.directive("enable-debug-command", &["yes"]).unwrap();
    let server = builder.start().await.unwrap();
    let second = describe(|command| format!("{:?}", ours(&server, command)));
    assert_eq!(second, first);
}
