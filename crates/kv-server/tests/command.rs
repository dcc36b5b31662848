//! COMMAND: what the table says of itself.

mod common;

use common::{Client, server};
use resp_codec::{Frame, FrameDecoder, Limits};

#[tokio::test]
async fn command_info_has_the_fields_of_redis() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.send("COMMAND INFO get nothing\r\n").await;
    client
        .expect(
            "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n\
             *1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n\
             *2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n\
             $7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n",
        )
        .await;
}

#[tokio::test]
async fn command_getkeys_reads_the_key_specifications() {
    let server = server().await;
    let mut client = Client::new(&server);
    for (request, reply) in [
        ("COMMAND GETKEYS get k", "*1\r\n$1\r\nk\r\n"),
        (
            "COMMAND GETKEYSANDFLAGS get k",
            "*1\r\n*2\r\n$1\r\nk\r\n*2\r\n+RO\r\n+access\r\n",
        ),
        (
            "COMMAND GETKEYS ping",
            "-ERR The command has no key arguments\r\n",
        ),
        (
            "COMMAND GETKEYS get",
            "-ERR Invalid number of arguments specified for command\r\n",
        ),
        (
            "COMMAND GETKEYS nothing",
            "-ERR Invalid command specified\r\n",
        ),
        (
            "COMMAND NOTHING",
            "-ERR unknown subcommand 'NOTHING'. Try COMMAND HELP.\r\n",
        ),
    ] {
        client.send(format!("{request}\r\n")).await;
        client.expect(reply).await;
    }
}

#[tokio::test]
async fn command_list_filters_by_category_and_pattern() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .send("COMMAND LIST FILTERBY PATTERN config|re*\r\n")
        .await;
    client
        .expect("*2\r\n$16\r\nconfig|resetstat\r\n$14\r\nconfig|rewrite\r\n")
        .await;
    client
        .send("COMMAND LIST FILTERBY ACLCAT nothing\r\n")
        .await;
    client.expect("*0\r\n").await;
    client.send("COMMAND LIST FILTERBY\r\n").await;
    client.expect("-ERR syntax error\r\n").await;
}

#[tokio::test]
async fn command_docs_describes_arguments() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.send("COMMAND DOCS config|resetstat echo\r\n").await;
    let reply = client.reply().await;
    assert!(
        reply.starts_with("*4\r\n$16\r\nconfig|resetstat\r\n*8\r\n$7\r\nsummary\r\n"),
        "{reply}"
    );
    assert!(reply.contains("$4\r\necho\r\n*10\r\n"), "{reply}");
    assert!(reply.ends_with("$9\r\narguments\r\n*1\r\n*6\r\n$4\r\nname\r\n$7\r\nmessage\r\n$4\r\ntype\r\n$6\r\nstring\r\n$12\r\ndisplay_text\r\n$7\r\nmessage\r\n"), "{reply}");
}

/// redis-cli reads all of COMMAND DOCS when it starts, and crashes on a container without arguments.
#[tokio::test]
async fn command_docs_has_no_container_without_arguments() {
    fn check(command: &str, arguments: &Frame) {
        for argument in arguments.as_slice().unwrap() {
            let field = |name| field(argument, name);
            let kind = field("type").unwrap().as_str().unwrap();
            let inner = field("arguments");
            assert_eq!(
                inner.is_some(),
                matches!(kind, "oneof" | "block"),
                "{command}: {argument:?}"
            );
            inner.into_iter().for_each(|inner| check(command, inner));
        }
    }
    fn check_all(docs: &Frame) {
        for (name, docs) in docs.as_pairs().unwrap() {
            for required in ["summary", "since", "group"] {
                assert!(
                    field(docs, required).is_some(),
                    "{name:?} has no {required}"
                );
            }
            field(docs, "arguments")
                .into_iter()
                .for_each(|arguments| check(name.as_str().unwrap(), arguments));
            field(docs, "subcommands").into_iter().for_each(check_all);
        }
    }
    fn field<'a>(map: &'a Frame, name: &str) -> Option<&'a Frame> {
        map.as_pairs()?
            .iter()
            .find(|(key, _)| key.as_str() == Some(name))
            .map(|(_, value)| value)
    }
    let server = server().await;
    let mut client = Client::new(&server);
    client.call("HELLO 3").await;
    client.send("COMMAND DOCS\r\n").await;
    let reply = client.reply().await;
    let docs = FrameDecoder::new(Limits::client())
        .decode(reply.as_bytes())
        .unwrap()
        .unwrap()
        .to_frame();
    check_all(&docs);
}
