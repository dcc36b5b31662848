//! The echo server as peers see it that send bytes, not messages.

use std::time::Duration;

use bytes::BytesMut;
use framed_echo::{
    ClientCodec, Item, Kind, Limits, Reply, Request, RequestCodec,
    server::{Config, Server},
};
use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::codec::{Encoder, Framed};

async fn server() -> Server {
    server_with(Config::default()).await
}

async fn server_with(config: Config) -> Server {
    Server::builder()
        .config(config)
        .bind("127.0.0.1:0")
        .start()
        .await
        .expect("a free port")
}

fn bytes_of(requests: &[Request]) -> BytesMut {
    let mut out = BytesMut::new();
    for request in requests {
        RequestCodec::new()
            .encode(request.clone(), &mut out)
            .expect("within the limits");
    }
    out
}

/// A client's view of the stream after `bytes` have been written and its side has been closed.
async fn replies_to(server: &Server, bytes: &[u8]) -> Vec<Reply> {
    let mut stream = TcpStream::connect(server.local_addr())
        .await
        .expect("listening");
    stream.write_all(bytes).await.expect("open");
    stream.shutdown().await.expect("open");
    Framed::new(stream, ClientCodec::new())
        .map(|item| match item.expect("whole frames") {
            Item::Frame(reply) => reply,
            other => panic!("{other:?}"),
        })
        .collect()
        .await
}

#[tokio::test]
async fn text_of_all_scripts_comes_back_in_the_reply_form() {
    let server = server().await;
    let texts = ["hello", "", "你好,世界", "👋🏽 🇨🇳", "a\r\nb\0c"];
    let requests = texts.map(|text| Request::text(10_000_000, 10_000_001, text));
    let replies = replies_to(&server, &bytes_of(&requests)).await;
    assert_eq!(replies, requests.map(Request::into_reply));
}

#[tokio::test]
async fn a_peer_that_sends_byte_by_byte_gets_the_same_echo() {
    let server = server().await;
    let requests = [
        Request::text(1, 2, "你好"),
        Request::new(1, 2, Kind::VOICE, "voice"),
    ];
    let mut stream = server.connect();
    for byte in bytes_of(&requests) {
        stream.write_all(&[byte]).await.expect("open");
        tokio::task::yield_now().await;
    }
    let mut framed = Framed::new(stream, ClientCodec::new());
    for request in requests {
        let reply = framed.next().await.expect("an echo").expect("a frame");
        assert_eq!(reply, Item::Frame(request.into_reply()));
    }
}

#[tokio::test]
async fn a_pipeline_of_bodies_of_all_lengths_is_echoed_in_its_order() {
    let server = server().await;
    // Short ones are answered where they lie, longer ones are not copied, the longest pass through in chunks.
    let lens = [0, 1, 100, 8191, 8192, 16_384, 3, 65_536, 65_537, 200_000, 5];
    let requests: Vec<Request> = (0..)
        .zip(lens.into_iter().cycle().take(200))
        .map(|(n, len)| Request::new(n, 2, Kind::PICTURE, vec![n.to_le_bytes()[0]; len]))
        .collect();
    let mut stream = TcpStream::connect(server.local_addr())
        .await
        .expect("listening");
    let (read, mut write) = stream.split();
    let mut replies = tokio_util::codec::FramedRead::new(read, ClientCodec::new());
    let bytes = bytes_of(&requests);
    let send = async { write.write_all(&bytes).await.expect("open") };
    let receive = async {
        for request in &requests {
            let reply = replies.next().await.expect("an echo").expect("a frame");
            let expected = Item::Frame(request.clone().into_reply());
            assert!(reply == expected, "number {}", request.header.sender);
        }
    };
    tokio::join!(send, receive);
    let stats = server.stats();
    assert_eq!(stats.messages_in + stats.uploads, 200, "{stats}");
}

#[tokio::test]
async fn long_bodies_that_run_into_each_other_come_back_whole_however_the_stream_is_cut() {
    let lens = [
        65_536, 65_523, 20_000, 9_000, 1, 16_384, 65_536, 65_536, 40_000, 0, 65_536,
    ];
    let requests: Vec<_> = (1..)
        .zip(lens)
        .map(|(n, len)| Request::new(7, 8, Kind::PICTURE, vec![n; len]))
        .collect();
    let bytes = bytes_of(&requests);
    // The last budget seldom has room for a buffer of the thread's.
    for memory_bytes in [256 * 1024 * 1024, 400_000, 150_000] {
        let mut config = Config::default();
        config.memory_bytes = memory_bytes;
        let server = server_with(config).await;
        for cut in [1_000, 16_384, 70_000, 73_728, bytes.len()] {
            let (mut read, mut write) = tokio::io::split(server.connect());
            let send = async {
                for piece in bytes.chunks(cut) {
                    write.write_all(piece).await.expect("open");
                    tokio::task::yield_now().await; // so that the server reads a piece at a time
                }
            };
            let receive = async {
                for (n, len) in (1..).zip(lens) {
                    let mut reply = vec![0; 9 + len];
                    read.read_exact(&mut reply).await.expect("open");
                    assert!(
                        reply[9..].iter().all(|&byte| byte == n),
                        "{n}, cut at {cut}"
                    );
                }
            };
            tokio::join!(send, receive);
        }
        let minute = Duration::from_secs(60);
        let (stats, drained) = (server.stats(), server.shutdown(minute).await);
        assert_eq!((stats.truncated, drained.cut), (0, 0));
    }
}

#[tokio::test]
async fn every_kind_is_echoed_and_none_leaves_its_body_in_the_stream() {
    let server = server().await;
    let requests: Vec<_> = (0..128)
        .map(|kind| Request::new(1, 2, Kind(kind), format!("kind {kind}")))
        .collect();
    let replies = replies_to(&server, &bytes_of(&requests)).await;
    assert_eq!(
        replies,
        requests
            .into_iter()
            .map(Request::into_reply)
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn an_unknown_control_kind_is_answered_with_an_error_and_the_stream_goes_on() {
    let server = server().await;
    let requests = [
        Request::new(1, 2, Kind(200), "???"),
        Request::text(1, 2, "still here"),
    ];
    let replies = replies_to(&server, &bytes_of(&requests)).await;
    assert_eq!(
        replies[0].as_text(),
        Ok("unknown-kind 0 control kind 200 is unknown")
    );
    assert_eq!(replies[0].header.kind, Kind(133));
    assert_eq!(replies[1..], [Reply::text(1, "still here")]);
}

#[tokio::test]
async fn an_oversize_body_is_skipped_and_answered_with_an_error() {
    let config = {
        let mut config = Config::default();
        config.limits = Limits::same(10);
        config
    };
    let server = server_with(config).await;
    let requests = [
        Request::text(1, 2, "x".repeat(500_000)),
        Request::text(1, 2, "ok"),
    ];
    let replies = replies_to(&server, &bytes_of(&requests)).await;
    let text = "too-long 0 body of 500000 bytes exceeds the limit of 10 bytes for kind text (1)";
    assert_eq!(replies[0].as_text(), Ok(text));
    assert_eq!(replies[1..], [Reply::text(1, "ok")]);
    assert_eq!(server.stats().too_long, 1);
}

#[tokio::test]
async fn a_length_of_four_gibibytes_is_answered_at_once_and_takes_no_memory() {
    let server = server().await;
    let mut stream = server.connect();
    stream
        .write_all(b"\0\0\0\x01\0\0\0\x02\x01\xff\xff\xff\xff")
        .await
        .expect("open");
    let mut framed = Framed::new(stream, ClientCodec::new());
    let Item::Frame(error) = framed.next().await.expect("an answer").expect("a frame") else {
        panic!("not a frame");
    };
    let text =
        "too-long 0 body of 4294967295 bytes exceeds the limit of 1048576 bytes for kind text (1)";
    assert_eq!(error.as_text(), Ok(text));
    let stream = framed.get_mut();
    for _ in 0..256 {
        stream
            .write_all(&[0; 65_536])
            .await
            .expect("the body is being skipped");
    }
    assert!(
        server.stats().memory_bytes < 200_000,
        "{} bytes held",
        server.stats().memory_bytes
    );
}

#[tokio::test]
async fn a_large_body_is_echoed_through_little_memory() {
    const LEN: usize = 20_000_000;
    let mut config = Config::default();
    config.memory_bytes = 2_000_000;
    let server = server_with(config).await;
    let (mut read, mut write) = tokio::io::split(server.connect());
    let sent = async {
        write
            .write_all(b"\0\0\0\x01\0\0\0\x02\x04")
            .await
            .expect("open");
        write
            .write_u32(u32::try_from(LEN).expect("short"))
            .await
            .expect("open");
        for n in 0..LEN / 1000 {
            write
                .write_all(&[n.to_le_bytes()[0]; 1000])
                .await
                .expect("open");
        }
        write
            .write_all(&bytes_of(&[Request::text(1, 2, "behind it")]))
            .await
            .expect("open");
        write.shutdown().await.expect("open");
    };
    let received = async {
        let mut all = Vec::new();
        read.read_to_end(&mut all).await.expect("open");
        all
    };
    let ((), all) = tokio::join!(sent, received);
    assert_eq!(all.len(), 9 + LEN + 9 + "behind it".len());
    assert_eq!(all[..9], *b"\0\0\0\x01\x04\x01\x31\x2d\x00");
    assert!(
        all[9..9 + LEN]
            .chunks(1000)
            .zip(0_usize..)
            .all(|(chunk, n)| chunk == [n.to_le_bytes()[0]; 1000])
    );
    assert!(all.ends_with(b"behind it"));
    assert_eq!(server.stats().uploads, 1);
}

#[tokio::test(start_paused = true)]
async fn half_a_header_and_then_silence_runs_into_the_read_timeout() {
    let server = server().await;
    let mut stream = server.connect();
    let mut bytes = bytes_of(&[Request::text(1, 2, "whole")]);
    bytes.extend_from_slice(b"\0\0\0\x01\0\0");
    stream.write_all(&bytes).await.expect("open");
    let started = tokio::time::Instant::now();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("closed cleanly");
    assert!(all.ends_with(b"whole"), "the frame before it is answered");
    assert_eq!(started.elapsed().as_secs(), 30);
    assert_eq!(server.stats().read_timeouts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_by_the_idle_timeout_and_not_before() {
    let mut config = Config::default();
    config.idle_timeout = Some(Duration::from_secs(60));
    let server = Server::builder()
        .config(config)
        .in_memory()
        .start()
        .await
        .expect("nothing to bind");
    let mut stream = server.connect();
    let started = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(50)).await;
    stream
        .write_all(&bytes_of(&[Request::text(1, 2, "")]))
        .await
        .expect("open");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("closed cleanly");
    assert_eq!(all.len(), 9);
    assert_eq!(
        started.elapsed().as_secs(),
        110,
        "counted from the last byte"
    );
    assert_eq!(server.stats().idle, 1);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_runs_into_the_write_timeout() {
    for len in [10, 60_000] {
        let server = server().await;
        let mut stream = server.connect();
        let flood = bytes_of(&vec![Request::text(1, 2, "x".repeat(len)); 60_000 / len]);
        // In memory, the server's side fills up; it stops reading, and then nothing can be written here either.
        while let Ok(result) =
            tokio::time::timeout(Duration::from_secs(50), stream.write_all(&flood)).await
        {
            result.expect("open until the timeout");
        }
        let stats = server.stats();
        assert!(
            stats.memory_bytes < 4_000_000,
            "{} bytes held for bodies of {len} bytes",
            stats.memory_bytes
        );
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(server.stats().write_timeouts, 1);
    }
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let mut config = Config::default();
    config.max_connections = 1;
    let server = server_with(config).await;
    let mut first = Framed::new(server.connect(), ClientCodec::new());
    first.send(Request::text(1, 2, "in")).await.expect("open");
    assert!(first.next().await.is_some());

    let mut second = Framed::new(server.connect(), ClientCodec::new());
    let Some(Ok(Item::Frame(error))) = second.next().await else {
        panic!("no answer");
    };
    assert_eq!(error.as_text(), Ok("busy 0 all 1 connections are taken"));
    assert!(second.next().await.is_none());
    assert_eq!(server.stats().turned_away, 1);
}

#[tokio::test]
async fn the_end_of_the_stream_inside_a_frame_is_counted_and_what_came_before_is_answered() {
    let server = server().await;
    let mut bytes = bytes_of(&[Request::text(1, 2, "whole")]);
    bytes.extend_from_slice(b"\0\0\0\x01\0\0\0\x02\x01\0\0\0\x05");
    assert_eq!(replies_to(&server, &bytes).await, [Reply::text(1, "whole")]);
    assert_eq!(server.stats().truncated, 1);
}

#[tokio::test]
async fn a_drain_answers_what_was_sent_and_closes_idle_connections() {
    let server = server().await;
    let mut idle = server.connect();
    let mut busy = server.connect();
    busy.write_all(&bytes_of(&[Request::text(1, 2, "last words")]))
        .await
        .expect("open");
    busy.read_u8().await.expect("an echo begins");
    let drained = server.shutdown(Duration::from_secs(60)).await;
    assert_eq!((drained.finished, drained.cut), (2, 0));
    let mut rest = Vec::new();
    busy.read_to_end(&mut rest).await.expect("closed cleanly");
    assert!(rest.ends_with(b"last words"));
    assert_eq!(idle.read(&mut [0]).await.expect("closed cleanly"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_a_begun_frame_end_and_cuts_it_at_the_deadline() {
    let server = server().await;
    let mut inside = server.connect();
    inside
        .write_all(b"\0\0\0\x01\0\0\0\x02\x01\0\0\0\x05wh")
        .await
        .expect("open");
    let mut ending = server.connect();
    ending
        .write_all(b"\0\0\0\x01\0\0\0\x02\x01\0\0\0\x05wh")
        .await
        .expect("open");
    let finish = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        ending.write_all(b"ole").await.expect("still read");
        let mut echo = Vec::new();
        ending.read_to_end(&mut echo).await.expect("closed cleanly");
        assert!(echo.ends_with(b"whole"));
    };
    let started = tokio::time::Instant::now();
    let (drained, ()) = tokio::join!(server.shutdown(Duration::from_secs(10)), finish);
    assert_eq!((drained.finished, drained.cut), (1, 1));
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_serves_the_same_and_cleans_up() {
    let path = std::env::temp_dir().join(format!("framed-echo-{}.sock", std::process::id()));
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a fresh path")); // left behind by a killed server
    let server = Server::builder()
        .bind_unix(&path)
        .start()
        .await
        .expect("the dead socket is replaced");
    let stream = tokio::net::UnixStream::connect(&path)
        .await
        .expect("listening");
    let mut framed = Framed::new(stream, ClientCodec::new());
    framed.send(Request::text(1, 2, "hi")).await.expect("open");
    assert_eq!(
        framed.next().await.expect("an echo").expect("a frame"),
        Item::Frame(Reply::text(1, "hi"))
    );
    drop(framed);
    server.shutdown(Duration::from_secs(60)).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_on_is_named() {
    let first = server().await;
    let taken = first.local_addr().to_string();
    let failed = async |address: &str| {
        let second = Server::builder().bind(address).start().await;
        second.map(drop).expect_err("it cannot be bound")
    };
    let error = failed(&taken).await;
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    let begin = format!("cannot listen on {taken}: ");
    assert!(error.to_string().starts_with(&begin), "{error}");
    let error = failed("nonsense").await;
    assert_eq!(
        error.to_string(),
        "cannot listen on nonsense: invalid socket address"
    );
}
