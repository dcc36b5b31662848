//! The programs `framed-echo-server`, `framed-echo-client` and `chat` as people use them: from the outside.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

#[path = "../../crates/portscan/tests/common/mod.rs"]
mod common; // for `support`
mod support;

use std::{
    fs,
    io::Write,
    process::{Output, Stdio},
};

use crate::support::{Folder, Running, program};

/// A server on a free port, and its address.
fn server(args: &[&str]) -> (Running, String) {
    let mut command = program("framed-echo-server");
    let mut server = Running::start(command.args(["--bind", "127.0.0.1:0"]).args(args));
    let line = server.line();
    let address = line.strip_prefix("listening on ").unwrap().to_owned();
    (server, address)
}

/// Runs a program to the end of its input.
fn run(name: &str, args: &[&str], input: &str) -> Output {
    let mut command = program(name);
    command.args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()); // it may not want it
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn each_line_is_sent_and_each_reply_printed_until_the_input_ends() {
    let (server, address) = server(&[]);
    let lines = "hello\n你好,世界\n\n👋🏽 last line without an end";
    let output = run("framed-echo-client", &[&address, "--wait", "60"], lines);
    assert_eq!(stdout(&output), format!("{lines}\n"), "{output:?}");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(server.end("-TERM"), Some(0));
}

#[test]
fn a_file_is_sent_as_what_its_name_says_and_a_missing_one_is_named() {
    let (_server, address) = server(&[]);
    let folder = Folder::new("framed-echo");
    let file = folder.0.join("picture.png");
    fs::write(&file, vec![7; 200_000]).unwrap();
    let send = |file: &str| {
        run(
            "framed-echo-client",
            &[&address, "--wait", "60", "--send", file],
            "",
        )
    };
    let output = send(file.to_str().unwrap());
    assert_eq!(stdout(&output), "<picture (2) of 200000 bytes>\n");
    let missing = folder.0.join("missing.png");
    let output = send(missing.to_str().unwrap());
    assert!(stderr(&output).contains("missing.png"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_cannot_be_reached_or_listened_on_is_named() {
    let (_first, address) = server(&[]);
    let output = run("framed-echo-server", &["--bind", &address], "");
    assert!(stderr(&output).contains(&address), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
    let address = "127.0.0.1:1"; // nobody's, and not given to those who ask for a free port
    for name in ["framed-echo-client", "chat"] {
        let args = [address, "--id", "1", "--to", "2"];
        let args = if name == "chat" {
            &args[..]
        } else {
            &args[..1]
        };
        let output = run(name, args, "");
        assert!(stderr(&output).contains(address), "{output:?}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn two_people_chat_and_who_is_away_reads_it_later() {
    let (_relay, address) = server(&["--relay"]);
    let early = run("chat", &[&address, "--id", "1", "--to", "2"], "call me\n");
    assert_eq!(stdout(&early), "* 2 is away; kept\n", "{early:?}");

    let mut command = program("chat");
    command.args([&address, "--id", "2", "--to", "1"]);
    let mut second = Running::start(command.stdin(Stdio::piped()));
    assert_eq!(second.line(), "1> call me");

    let mut command = program("chat");
    command.args([&address, "--id", "1", "--to", "2"]);
    let mut first = Running::start(command.stdin(Stdio::piped()));
    let mut say = second.child.stdin.take().unwrap();
    writeln!(say, "在这里").unwrap();
    assert_eq!(first.line(), "2> 在这里");
    drop(say);
    assert_eq!(second.child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_has_lost_nothing_that_it_kept() {
    let store = kv_server::Server::builder().start().await.unwrap();
    let url = store.url();
    let relay = || server(&["--relay", "--inbox", &url]);
    let (killed, address) = relay();
    let lines: String = (1..=20).map(|n| format!("message {n}\n")).collect();
    let output = run("chat", &[&address, "--id", "1", "--to", "2"], &lines);
    assert_eq!(stdout(&output), "* 2 is away; kept\n".repeat(20));
    assert_eq!(killed.end("-KILL"), None);

    let (_relay, address) = relay();
    let mut command = program("chat");
    command.args([&address, "--id", "2", "--to", "1"]);
    let mut second = Running::start(command.stdin(Stdio::piped()));
    for n in 1..=20 {
        assert_eq!(second.line(), format!("1> message {n}"));
    }
}
