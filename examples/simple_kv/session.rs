//! A whole session against a server of its own; fails if a reply is not the expected one.

use std::error::Error;

use resp_codec::Frame;

use crate::client::{Client, show};
use crate::{commands, extension, later};

pub async fn run() -> Result<(), Box<dyn Error>> {
    let server = commands::server().start().await?;
    let mut client = Client::connect(server.addr()).await?;

    let list = Frame::Array(vec![text("v2-0"), Frame::Integer(1), text("v2-2")]);
    let pairs = vec![("k1", text("v1")), ("k2", list), ("k3", text("v3"))];
    said(
        "mset k1 v1 k2 [v2-0, 1, v2-2] k3 v3",
        client.mset(pairs).await?,
        "3",
    )?;
    said("get k2", client.get("k2").await?, r#"["v2-0", 1, "v2-2"]"#)?;
    said(
        "mget k3 k1",
        client.mget(&["k3", "k1"]).await?,
        r#"["v3", "v1"]"#,
    )?;
    said("delete k1", client.delete("k1").await?, "1")?;
    said("get k1", client.get("k1").await?, "null")?;
    said("delete k1", client.delete("k1").await?, "0")?;

    let inner = Frame::Map(vec![
        (text("vy"), Frame::Integer(0)),
        (
            text("vz"),
            Frame::Array(vec![
                Frame::Integer(1),
                Frame::Integer(2),
                Frame::Integer(3),
            ]),
        ),
    ]);
    said(
        "set kx {vx: {vy: 0, vz: [1, 2, 3]}}",
        client
            .set("kx", Frame::Map(vec![(text("vx"), inner)]))
            .await?,
        "1",
    )?;
    said(
        "get kx",
        client.get("kx").await?,
        r#"{"vx": {"vy": 0, "vz": [1, 2, 3]}}"#,
    )?;
    let error = client
        .request(vec![text("NOPE")])
        .await
        .err()
        .ok_or("NOPE is no command")?;
    println!("> nope\nerror: {error}");
    said("flush", client.flush().await?, "3")?;
    server.shutdown().await;
    later_commands().await
}

/// The commands of `later.rs` and of the extensions.
async fn later_commands() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("simple-kv-session-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let builder = later::add(commands::server(), dir.clone());
    let builder = extension::load(extension::load(builder, "counter")?, "text")?;
    let server = builder.start().await?;
    let mut client = Client::connect(server.addr()).await?;

    let nested = Frame::Array(vec![text("x"), Frame::Integer(1)]);
    let pushed = client
        .request(vec![text("lpush"), text("l"), text("a"), nested])
        .await?;
    said("lpush l a [x, 1]", pushed, "2")?;
    let kept = Frame::Map(vec![(text("n"), Frame::Null)]);
    let set = client
        .request(vec![text("hset"), text("h"), text("f"), kept])
        .await?;
    said("hset h f {n: null}", set, "1")?;
    for (line, expected) in [
        ("lrange l 0 -1", r#"[["x", 1], "a"]"#),
        ("rpop l", r#""a""#),
        ("lflush l", "1"),
        ("hget h f", r#"{"n": null}"#),
        ("hgetall h", r#"{"f": {"n": null}}"#),
        ("sadd s a b a", "2"),
        ("sismember s b", "1"),
        ("set k 5", "1"),
        ("incr k", "6"),
        ("upper k", r#""6""#),
        ("expire k 100", "1"),
        ("save kept", "1"),
        ("mpop k k", r#"["6", null]"#),
        ("pop k", "null"),
        ("set own 1", "1"),
        ("merge kept", "1"),
        ("mget k own", r#"["6", "1"]"#),
        ("persist k", "1"),
        ("restore kept", "1"),
        ("mget k own", r#"["6", null]"#),
        ("restore nothing", "0"),
        ("add 20 later", "1"),
        ("add 10 same", "1"),
        ("add 10 same", "1"),
        ("read 5", "[]"),
        ("flush", "3"),
        ("length_schedule", "3"),
        ("read 10", r#"["same", "same"]"#),
        ("read", r#"["later"]"#),
        ("add 30 x", "1"),
        ("flush_schedule", "1"),
        ("sadd s a", "1"),
    ] {
        let words = line.split(' ').map(text).collect();
        said(line, client.request(words).await?, expected)?;
    }
    for (line, expected) in [
        (
            "get s",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("lpush", "wrong number of arguments for 'lpush' command"),
        (
            "save ../x",
            "A file's name has letters, digits, '-', '_' and '.' only",
        ),
    ] {
        let words = line.split(' ').map(text).collect();
        let error = client.request(words).await.err().ok_or(line)?.to_string();
        println!("> {line}\nerror: {error}");
        if error != expected {
            return Err(format!("{line}: expected {expected}").into());
        }
    }
    // The connection ends without a reply, and the server with it.
    let ended = client.request(vec![text("shutdown")]).await;
    if ended.is_ok() {
        return Err("SHUTDOWN has no reply".into());
    }
    server.shutdown_requested().await;
    println!("> shutdown");
    server.shutdown().await;
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

fn text(text: &'static str) -> Frame {
    Frame::bulk(text)
}

fn said(request: &str, reply: Frame, expected: &str) -> Result<(), Box<dyn Error>> {
    let reply = show(&reply);
    println!("> {request}\n{reply}");
    if reply == expected {
        Ok(())
    } else {
        Err(format!("{request}: expected {expected}").into())
    }
}
