//! What arrives on the wire: requests in any pieces, broken requests, peers that go away.

mod common;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use common::{Client, bulk, request, server, start};
use kv_server::Server;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

#[tokio::test]
async fn broken_requests_get_the_text_of_redis_and_the_connection_closes() {
    let server = server().await;
    let long_inline = "x".repeat(64 * 1024 + 1);
    let long_count = format!("*{}", "1".repeat(64 * 1024 + 1));
    let long_bulk = format!("*1\r\n${}", "1".repeat(64 * 1024 + 1));
    for (bytes, error) in [
        (
            "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n",
            "expected '$', got 'f'",
        ),
        ("*1\r\n!3\r\n", "expected '$', got '!'"),
        ("*20000000000\r\n", "invalid multibulk length"),
        ("*2147483648\r\n", "invalid multibulk length"),
        ("*x\r\n", "invalid multibulk length"),
        ("*1\r\n$-10\r\n", "invalid bulk length"),
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*1\r\n$2000000000\r\n", "invalid bulk length"),
        ("SET \"a\"b\r\n", "unbalanced quotes in request"),
        (&long_inline, "too big inline request"),
        (&long_count, "too big mbulk count string"),
        (&long_bulk, "too big bulk count string"),
    ] {
        let mut client = Client::tcp(&server).await;
        // What comes before is answered, what comes behind is not.
        client.send("PING\r\n").await;
        client.send(bytes).await;
        client.send("PING\r\n").await;
        let expected = format!("+PONG\r\n-ERR Protocol error: {error}\r\n");
        assert_eq!(client.rest().await, expected, "{bytes:.40}");
    }
    Client::new(&server).check("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn empty_requests_are_skipped() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.send("\r\n*0\r\n*-1\r\n*-10\r\n\r\nPING\r\n").await;
    client.expect("+PONG\r\n").await;
}

#[tokio::test]
async fn requests_may_come_byte_by_byte() {
    let server = server().await;
    let mut client = Client::tcp(&server).await;
    let mut bytes = request(["SET", "k", "a\r\nb"]);
    bytes.extend_from_slice(b"GET k\r\n*1\r\n$4\r\nPING\r\n");
    for byte in bytes {
        client.send([byte]).await;
    }
    client
        .expect(format!("+OK\r\n{}+PONG\r\n", bulk("a\r\nb")))
        .await;
}

#[tokio::test]
async fn a_large_value_may_come_in_pieces_and_goes_back_whole() {
    let server = server().await;
    let mut client = Client::tcp(&server).await;
    let value = vec![b'v'; 5 << 20];
    let bytes = request([&b"SET"[..], b"k", &value]);
    for piece in bytes.chunks(100_000) {
        client.send(piece).await;
    }
    client.expect("+OK\r\n").await;
    client.send("GET k\r\n").await;
    client.expect(format!("${}\r\n", value.len())).await;
    client.expect(&value).await;
    client.expect("\r\n").await;
}

#[tokio::test]
async fn a_million_pipelined_commands_are_answered_in_order_though_nobody_reads_before_the_last() {
    const COUNT: usize = 1_000_000;
    let server = start(Server::builder().threads(1)).await;
    let mut client = Client::tcp(&server).await;
    let requests: String = (0..COUNT).map(|n| format!("PING {n}\r\n")).collect();
    client.send(requests).await;
    let expected: String = (0..COUNT).map(|n| bulk(&n.to_string())).collect();
    client.expect(expected).await;
}

#[tokio::test]
async fn a_half_closed_peer_gets_all_its_replies() {
    let server = server().await;
    let mut client = Client::tcp(&server).await;
    let value = "v".repeat(100_000);
    client.request(["SET", "k", &value]).await;
    client.send("GET k\r\n".repeat(100)).await;
    client.io.shutdown().await.unwrap();
    let replies = client.rest().await;
    assert_eq!(replies.len(), "+OK\r\n".len() + 100 * bulk(&value).len());
    assert!(replies.ends_with(&bulk(&value)));
}

#[tokio::test]
async fn the_last_reply_arrives_although_more_input_follows_a_quit() {
    let server = server().await;
    for _ in 0..20 {
        let mut client = Client::tcp(&server).await;
        client
            .send(format!("PING\r\nQUIT\r\n{}", "PING\r\n".repeat(10_000)))
            .await;
        assert_eq!(client.rest().await, "+PONG\r\n+OK\r\n");
    }
}

#[tokio::test]
async fn a_client_that_closes_in_the_middle_of_a_request_leaves_nothing_behind() {
    let server = server().await;
    for _ in 0..10 {
        let mut client = Client::tcp(&server).await;
        client
            .send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nabc")
            .await;
    }
    let mut client = Client::new(&server);
    while server.counters().open_connections > 1 {
        client.check("GET k", "$-1\r\n").await;
    }
}

#[tokio::test]
async fn nested_requests_are_a_protocol_error_unless_they_are_allowed() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.send("*2\r\n$4\r\nPING\r\n:1\r\n").await;
    assert_eq!(
        client.rest().await,
        "-ERR Protocol error: expected '$', got ':'\r\n"
    );
}

#[tokio::test]
async fn a_connection_with_endless_requests_lets_others_in() {
    // One thread for everything, and a peer whose pipeline never ends.
    let server = server().await;
    server.serve(Endless);
    let mut client = Client::new(&server);
    client.check("SET k v", "+OK\r\n").await;
    client.check("GET k", &bulk("v")).await;
    assert!(
        server.counters().commands > 2,
        "the endless one is served too"
    );
}

/// Always has requests, and takes all replies.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        const PINGS: &[u8] = b"PING\r\nPING\r\nPING\r\nPING\r\n";
        while buf.remaining() >= PINGS.len() {
            buf.put_slice(PINGS);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_works_in_paused_time() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("SET k v", "+OK\r\n").await;
    tokio::time::advance(Duration::from_secs(3600)).await;
    client.check("GET k", &bulk("v")).await;
    server.shutdown().await;
}
