//! The programs around `kv-client` as people use them: `web-demo`, `pubsub-chat` and `cluster`, from the outside.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

#[path = "../../crates/portscan/tests/common/mod.rs"]
mod common; // for `support`
#[path = "../../crates/kv-client/tests/support/ports.rs"]
mod ports;
#[path = "../../crates/kv-client/tests/support/servers.rs"]
mod servers;
mod support;

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use kv_client::Client;
use kv_server::Server;

use crate::servers::Redis;
use crate::support::{Folder, Running, http_with, program};

#[test]
fn the_page_shows_the_value_and_changes_it() {
    let mut demo = Running::start(program("web-demo").args(["--listen", "127.0.0.1:0"]));
    let line = demo.line();
    let addr = line.split_once("http://").unwrap().1.trim_end_matches('/');
    let (status, page) = http_with(addr, "GET /", "", "");
    assert_eq!(status, 200);
    assert!(page.contains("<h1>shiyanlou</h1>"), "{page}");
    assert!(page.contains("simple is better than complex"), "{page}");

    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let (status, _) = http_with(addr, "POST /", form, "value=%3Cb%3E+%26+more");
    assert_eq!(status, 303);
    let (_, page) = http_with(addr, "GET /", "", "");
    assert!(page.contains("<pre>&lt;b&gt; &amp; more</pre>"), "{page}");
    assert_eq!(demo.end("-INT"), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_uses_the_database_that_the_url_names() {
    let server = Server::builder().start().await.unwrap();
    let url = format!("{}/3", server.url().trim_end_matches('/'));
    let mut command = program("web-demo");
    command.args(["--listen", "127.0.0.1:0", "--key", "k", "--redis", &url]);
    let mut demo = Running::start(&mut command);
    assert!(demo.line().contains("/3 behind"));
    let client = Client::connect(server.url()).await.unwrap();
    assert_eq!(client.exists("k").await.unwrap(), 0, "in database 0");
    client.select(3).await.unwrap();
    assert_eq!(client.exists("k").await.unwrap(), 1, "in database 3");
}

#[test]
fn the_page_says_what_is_wrong_with_the_url() {
    for (url, expected) in [
        ("http://localhost", "unknown scheme 'http'"),
        ("redis-cluster://h/1", "a cluster has no database '1'"),
        ("user:secret@h", "only a host and a port"),
    ] {
        let demo = program("web-demo").args(["--redis", url]).output().unwrap();
        let said = String::from_utf8_lossy(&demo.stderr).into_owned();
        assert!(!demo.status.success());
        assert!(said.contains(expected), "{url}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_terminals_chat_and_outlive_a_lost_connection_and_a_refusal() {
    let Some(redis) = Redis::start(&[]).await else {
        return;
    };
    let url = format!("redis://{}", redis.addr);
    let admin = Client::connect(redis.config()).await.unwrap();
    let join = |name: &str| {
        let mut command = program("pubsub-chat");
        command.args(["--redis", &url, "--room", "den", "--name", name]);
        let mut chat = Running::start(command.stdin(Stdio::piped()));
        let line = chat.line();
        assert_eq!(line, format!("you are {name} in den; end with Ctrl-D"));
        chat
    };
    let (mut ada, mut bob) = (join("ada"), join("bob"));
    say(&mut ada, "hello");
    assert_eq!([ada.line(), bob.line()], ["ada: hello", "ada: hello"]);
    say(&mut bob, "good evening");
    assert_eq!(ada.line(), "bob: good evening");
    assert_eq!(bob.line(), "bob: good evening");

    let kill = ["KILL", "USER", "default", "SKIPME", "yes"];
    let killed: i64 = admin.command("CLIENT").arg(kill).into().await.unwrap();
    assert_eq!(killed, 2);
    for chat in [&mut ada, &mut bob] {
        assert!(chat.line().starts_with("-- reconnected"));
    }
    admin.acl_setuser("default", "-publish").await.unwrap();
    say(&mut ada, "lost");
    let refused = ada.line();
    assert!(
        refused.starts_with("-- not said: PUBLISH: NOPERM"),
        "{refused}"
    );
    admin.acl_setuser("default", "+publish").await.unwrap();
    say(&mut ada, "found");
    assert_eq!([ada.line(), bob.line()], ["ada: found", "ada: found"]);

    for mut chat in [ada, bob] {
        drop(chat.child.stdin.take()); // Ctrl-D
        assert!(chat.child.wait().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_program_says_which_node_served_what() {
    let folder = Folder::new("the-only-node");
    let dir = folder.0.to_str().unwrap();
    let Some(redis) = Redis::start(&["--cluster-enabled", "yes", "--dir", dir]).await else {
        return;
    };
    let client = Client::connect(redis.config()).await.unwrap();
    // The only node of its cluster.
    client.cluster_addslotsrange([(0, 16383)]).await.unwrap();
    let is_ready = |info: String| info.contains("cluster_state:ok");
    while !is_ready(client.cluster_info().await.unwrap()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let run = |url: &str| {
        let mut command = program("cluster");
        command.args([url, "--rounds", "2", "--pause-ms", "1"]);
        command.output().unwrap()
    };
    let output = run(&format!("redis-cluster://{}", redis.addr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("{} serves 16384 slots", redis.addr));
    let node = format!("{} ", redis.addr);
    assert!(lines[1].starts_with(&node), "{text}");
    assert!(lines[1].ends_with("slot  6379  visits:Aachen 1"), "{text}");
    let rounds = lines.iter().filter(|line| line.ends_with(" 2")).count();
    assert_eq!(rounds, 6, "each town in the second round: {text}");

    let output = run(&format!("redis://{}", redis.addr));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("is the url of a single server"), "{said}");
}

/// Types a line.
fn say(chat: &mut Running, text: &str) {
    let stdin = chat.child.stdin.as_mut().unwrap();
    writeln!(stdin, "{text}").unwrap();
}
