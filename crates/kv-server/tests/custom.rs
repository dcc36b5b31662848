//! Commands of a user's own that stand on built-in ones.

mod common;

use std::sync::{Arc, Mutex};

use common::{Client, Dir, bulk, start};
use kv_server::{
    Args, Builder, Clock, Command, Context, Existing, Flags, Keys, ReplyError, Result, Server,
};

/// `SET key value`: Redis's, with a suffix.
fn set(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, value) = (args.next()?, args.next()?);
    let reply = cx.call([b"SET", key, &[value, b"!"].concat()])?;
    cx.reply().frame(&reply);
    Ok(())
}

/// `RUN command ...`: whatever it is.
fn run(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let reply = cx.call(args.rest())?;
    cx.reply().frame(&reply);
    Ok(())
}

/// `BOTH key`: changes of its own and of a built-in command.
fn both(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    cx.set(key, b"1");
    cx.call([&b"INCRBYFLOAT"[..], key, b"0.5"])?;
    cx.reply().ok();
    Ok(())
}

fn command(name: &str, arity: i16, handler: fn(Args<'_>, &mut Context<'_>) -> Result) -> Command {
    Command::new(name, arity, Flags::WRITE, Keys::ONE, handler)
}

#[tokio::test]
async fn a_command_that_replaces_a_built_in_one_can_still_call_it() {
    let server = start(Server::builder().command(command("SET", 3, set))).await;
    let mut client = Client::new(&server);
    client.check("SET k v", "+OK\r\n").await;
    client.check("GET k", "$2\r\nv!\r\n").await;
}

#[tokio::test]
async fn handlers_reach_built_in_commands_that_clients_do_not_have() {
    let builder = Server::builder().only_builtin_commands(["lpush", "no such command"]);
    let server = start(builder.command(command("RUN", -2, run))).await;
    let mut client = Client::new(&server);
    client.check("LPUSH l a", ":1\r\n").await;
    client.check("RUN RPUSH l b", ":2\r\n").await;
    client
        .check("RUN LRANGE l 0 -1", "*2\r\n$1\r\na\r\n$1\r\nb\r\n")
        .await;
    client
        .check(
            "RPUSH l b",
            "-ERR unknown command 'RPUSH', with args beginning with: 'l' 'b' \r\n",
        )
        .await;
}

#[tokio::test]
async fn what_a_called_command_refuses_is_the_callers_error() {
    let server = start(Server::builder().command(command("RUN", -2, run))).await;
    let mut client = Client::new(&server);
    client.check("SET text x", "+OK\r\n").await;
    for (call, error) in [
        (
            "RUN INCR text",
            "-ERR value is not an integer or out of range\r\n",
        ),
        (
            "RUN GET",
            "-ERR wrong number of arguments for 'get' command\r\n",
        ),
        ("RUN NOPE x", "-ERR unknown command 'NOPE'\r\n"),
        ("RUN RUN x", "-ERR unknown command 'RUN'\r\n"),
        (
            "RUN MULTI",
            "-ERR This command is not allowed inside of a custom command\r\n",
        ),
        (
            "RUN SUBSCRIBE x",
            "-ERR This command is not allowed inside of a custom command\r\n",
        ),
        (
            "RUN OBJECT ENCODING",
            "-ERR wrong number of arguments for 'object|encoding' command\r\n",
        ),
    ] {
        client.check(call, error).await;
    }
    client.check("RUN BLPOP nothing 0", "*-1\r\n").await;
    client
        .check("RUN OBJECT ENCODING text", "$6\r\nembstr\r\n")
        .await;
}

#[tokio::test]
async fn followers_see_the_built_in_commands_that_a_custom_one_amounts_to() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let builder = Server::builder()
        .command(command("BOTH", 2, both))
        .command(command("RUN", -2, run))
        .on_write(move |effect| {
            let words: Vec<_> = effect
                .command
                .iter()
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            log.lock()
                .unwrap()
                .push(format!("{}: {}", effect.db, words.join(" ")));
        });
    let server = start(builder).await;
    let mut client = Client::new(&server);
    client.check("BOTH k", "+OK\r\n").await;
    client.check("RUN SADD s a", ":1\r\n").await;
    client.check("RUN SPOP s", "$1\r\na\r\n").await;
    client.check("RUN EXISTS s", ":0\r\n").await;
    client.check("RUN MOVE k 1", ":1\r\n").await;
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "0: SET k 1",
            "0: SET k 1.5 KEEPTTL",
            "0: SADD s a",
            "0: SREM s a",
            "0: MOVE k 1"
        ]
    );
}

/// `KEEP file`, `BACK file`, `MERGE file`, `FILL file`.
fn files() -> [Command; 4] {
    fn path(mut args: Args<'_>) -> Result<String> {
        String::from_utf8(args.next()?.to_vec()).map_err(|_| ReplyError::Syntax)
    }
    fn read(args: Args<'_>, cx: &mut Context<'_>, existing: Existing) -> Result {
        match cx.load_snapshot(path(args)?, existing)? {
            Some(keys) => cx.reply().len(keys),
            None => cx.reply().null(),
        }
        Ok(())
    }
    fn row(name: &str, handler: fn(Args<'_>, &mut Context<'_>) -> Result) -> Command {
        Command::new(name, 2, Flags::WRITE, Keys::NONE, handler)
    }
    [
        row("KEEP", |args, cx| {
            cx.save_snapshot(path(args)?)?;
            cx.reply().ok();
            Ok(())
        }),
        row("BACK", |args, cx| read(args, cx, Existing::Remove)),
        row("MERGE", |args, cx| read(args, cx, Existing::Replace)),
        row("FILL", |args, cx| read(args, cx, Existing::Keep)),
    ]
}

fn with_files(builder: Builder) -> Builder {
    files().into_iter().fold(builder, Builder::command)
}

#[tokio::test]
async fn snapshots_of_a_custom_command_are_read_back_merged_or_filled_in() {
    let dir = Dir::new();
    let file = dir.0.join("kept.rdb");
    let file = file.display();
    let server = start(with_files(Server::builder())).await;
    let mut client = Client::new(&server);
    client.check("MSET both old gone 1", "+OK\r\n").await;
    client.check("SELECT 3", "+OK\r\n").await;
    client.check("RPUSH list a b", ":2\r\n").await;
    client.check(&format!("KEEP {file}"), "+OK\r\n").await;
    client.check("SELECT 0", "+OK\r\n").await;
    client.check("DEL gone", ":1\r\n").await;
    client.check("MSET both new own 1", "+OK\r\n").await;
    for (line, added, values) in [
        ("FILL", ":1\r\n", [Some("new"), Some("1"), Some("1")]),
        ("MERGE", ":3\r\n", [Some("old"), Some("1"), Some("1")]),
        ("BACK", ":3\r\n", [Some("old"), Some("1"), None]),
    ] {
        client.check(&format!("{line} {file}"), added).await;
        let values = values.map(|value| value.map_or_else(|| "$-1\r\n".to_owned(), bulk));
        client
            .check("MGET both gone own", &format!("*3\r\n{}", values.concat()))
            .await;
    }
    client.check("SELECT 3", "+OK\r\n").await;
    client
        .check("LRANGE list 0 -1", "*2\r\n$1\r\na\r\n$1\r\nb\r\n")
        .await;
    client.check("BACK /no/such/file", "$-1\r\n").await;
}

#[tokio::test]
async fn a_damaged_snapshot_changes_nothing() {
    let dir = Dir::new();
    let path = dir.0.join("kept.rdb");
    let file = path.display();
    let server = start(with_files(Server::builder())).await;
    let mut client = Client::new(&server);
    client.check("SET k 1", "+OK\r\n").await;
    client.check(&format!("KEEP {file}"), "+OK\r\n").await;
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    client.check("SET k 2", "+OK\r\n").await;
    let reply = client.call(&format!("BACK {file}")).await;
    assert!(
        reply.starts_with("-ERR ") && reply.contains("checksum"),
        "{reply}"
    );
    client.check("GET k", "$1\r\n2\r\n").await;
}

#[tokio::test]
async fn followers_see_the_keys_that_a_snapshot_brings() {
    let dir = Dir::new();
    let file = dir.0.join("kept.rdb");
    let clock = Clock::manual();
    let copy = Arc::new(start(Server::builder().clock(clock.clone())).await);
    let follower = copy.clone();
    let builder = Server::builder().clock(clock).on_write(move |effect| {
        let reply = follower.db(effect.db).call(&effect.command);
        assert!(reply.is_ok(), "{reply:?}");
    });
    let server = start(with_files(builder)).await;
    let mut client = Client::new(&server);
    for line in [
        "MSET k v n 1".to_owned(),
        "EXPIRE n 1000".to_owned(),
        "SELECT 2".to_owned(),
        "RPUSH l a b".to_owned(),
        format!("KEEP {}", file.display()),
        "FLUSHALL".to_owned(),
        "SET other 1".to_owned(),
        "SELECT 0".to_owned(),
        format!("BACK {}", file.display()),
    ] {
        assert!(!client.call(&line).await.starts_with('-'), "{line}");
    }
    for db in [0, 2] {
        assert_eq!(server.db(db).dump(), copy.db(db).dump());
    }
    assert_eq!(copy.db(2).range("l").unwrap(), [b"a", b"b"]);
}
