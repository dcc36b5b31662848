//! A whole session against a server of its own; fails if a reply is not the expected one.

use std::error::Error;

use resp_codec::Frame;

use crate::client::{Client, show};
use crate::commands;

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
