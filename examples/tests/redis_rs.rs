//! The `redis` crate against kv-server: real sessions in RESP2 and RESP3.

#[path = "../../crates/kv-server/tests/common/lasting_port.rs"]
mod lasting_port;

use std::time::Duration;

use futures::StreamExt;
use kv_server::Server;
use redis::{AsyncCommands, Client, ErrorKind, RedisResult, pipe};

async fn server() -> Server {
    Server::builder().start().await.unwrap()
}

fn client(server: &Server, protocol: u8) -> Client {
    Client::open(format!("{}/?protocol=resp{protocol}", server.url())).unwrap()
}

#[tokio::test]
async fn commands_and_their_types() -> RedisResult<()> {
    for protocol in [2, 3] {
        let server = server().await;
        let mut con = client(&server, protocol)
            .get_multiplexed_async_connection()
            .await?;
        let () = con.set("key", b"\0binary\r\n".as_slice()).await?;
        assert_eq!(con.get::<_, Vec<u8>>("key").await?, b"\0binary\r\n");
        assert_eq!(con.incr::<_, _, i64>("n", 5).await?, 5);
        assert_eq!(con.get::<_, Option<String>>("nothing").await?, None);
        assert_eq!(
            con.mget::<_, Vec<Option<i64>>>(&["n", "nothing"]).await?,
            [Some(5), None]
        );
        let () = con.pset_ex("short", "1", 100_000).await?;
        assert!((1..=100).contains(&con.ttl::<_, i64>("short").await?));
        let error = con.incr::<_, _, i64>("key", 1).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Server(redis::ServerErrorKind::ResponseError),
            "{error}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn pipelines_and_transactions() -> RedisResult<()> {
    for protocol in [2, 3] {
        let server = server().await;
        let mut con = client(&server, protocol)
            .get_multiplexed_async_connection()
            .await?;
        let (a, b): (i64, i64) = pipe()
            .set("a", 1)
            .ignore()
            .incr("a", 1)
            .incr("b", 7)
            .query_async(&mut con)
            .await?;
        assert_eq!((a, b), (2, 7));
        let (a, b): (i64, String) = pipe()
            .atomic()
            .incr("a", 1)
            .get("b")
            .query_async(&mut con)
            .await?;
        assert_eq!((a, b.as_str()), (3, "7"));
    }
    Ok(())
}

#[tokio::test]
async fn scan_finds_every_key_once() -> RedisResult<()> {
    for protocol in [2, 3] {
        let server = server().await;
        let mut con = client(&server, protocol)
            .get_multiplexed_async_connection()
            .await?;
        let mut fill = pipe();
        for n in 0..1000 {
            fill.set(format!("key:{n}"), n).ignore();
        }
        let () = fill.query_async(&mut con).await?;
        let found: Vec<_> = con.scan_match::<_, String>("key:*").await?.collect().await;
        assert_eq!(found.len(), 1000);
    }
    Ok(())
}

#[tokio::test]
async fn subscribers_get_messages() -> RedisResult<()> {
    let server = server().await;
    for protocol in [2, 3] {
        let client = client(&server, protocol);
        let mut con = client.get_multiplexed_async_connection().await?;
        let mut pubsub = client.get_async_pubsub().await?;
        pubsub.subscribe("news").await?;
        pubsub.psubscribe("ne*").await?;
        assert_eq!(con.publish::<_, _, i64>("news", "hello").await?, 2);
        let mut messages = pubsub.on_message();
        for _ in 0..2 {
            let message = messages.next().await.unwrap();
            assert_eq!(
                (
                    message.get_channel_name(),
                    message.get_payload::<String>()?.as_str()
                ),
                ("news", "hello")
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_manager_survives_a_restart() -> RedisResult<()> {
    let server = lasting_port::on_a_lasting_port().await;
    let mut manager = client(&server, 3).get_connection_manager().await?;
    let () = manager.set("kept", 1).await?;
    server.stop().await;
    server.restart().await.unwrap();
    // The first request finds the connection gone; then the manager has a new one.
    let again = async { while manager.get::<_, i64>("kept").await != Ok(1) {} };
    tokio::time::timeout(Duration::from_secs(120), again)
        .await
        .expect("the manager reconnects");
    Ok(())
}

#[tokio::test]
async fn passwords_and_databases() -> RedisResult<()> {
    let server = Server::builder().password("secret").start().await.unwrap();
    let addr = server.addr();
    for protocol in [2, 3] {
        let refused = client(&server, protocol)
            .get_multiplexed_async_connection()
            .await;
        let refused = match refused {
            Err(error) => error,
            Ok(mut con) => con.get::<_, Option<String>>("k").await.unwrap_err(),
        };
        assert_eq!(refused.code(), Some("NOAUTH"), "{refused}");
        let client = Client::open(format!("redis://:secret@{addr}/3?protocol=resp{protocol}"))?;
        let mut con = client.get_multiplexed_async_connection().await?;
        let () = con.set("in", "three").await?;
        let mut other = Client::open(format!("redis://:secret@{addr}/0"))?
            .get_multiplexed_async_connection()
            .await?;
        assert_eq!(other.get::<_, Option<String>>("in").await?, None);
    }
    Ok(())
}

#[tokio::test]
async fn sorted_sets_keep_their_order() -> RedisResult<()> {
    for protocol in [2, 3] {
        let server = server().await;
        let mut con = client(&server, protocol)
            .get_multiplexed_async_connection()
            .await?;
        let items = [(3.0, "carol"), (1.5, "alice"), (2.0, "bob")];
        assert_eq!(con.zadd_multiple::<_, _, _, i64>("board", &items).await?, 3);
        let score: f64 = con.zincr("board", "alice", 0.25).await?;
        assert!((score - 1.75).abs() < f64::EPSILON);
        let all: Vec<(String, f64)> = con.zrange_withscores("board", 0, -1).await?;
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["alice", "bob", "carol"]);
        assert_eq!(
            con.zrank::<_, _, Option<usize>>("board", "bob").await?,
            Some(1)
        );
        let popped: Vec<(String, f64)> = con.zpopmax("board", 1).await?;
        assert_eq!(popped.first().map(|(name, _)| name.as_str()), Some("carol"));
    }
    Ok(())
}
