//! A relay under load: every message counted, with readers that read, stall and die.
//!
//! One million messages over 1,000 connections take a while without optimisation, so that this runs a twentieth unless
//! told otherwise:
//!
//!     FRAMED_ECHO_MESSAGES=1000000 cargo test --release -p framed-echo --test load -- --nocapture

mod common;

use std::{
    env,
    time::{Duration, Instant},
};

use common::{client, relay};
use framed_echo::{
    ClientCodec, Item, Kind, Message, Request,
    client::{Event, Sent},
    server::{Config, Handler, Server, SlowReader},
};
use futures::{SinkExt, StreamExt, future::join_all};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::codec::Framed;

const CONNECTIONS: u32 = 1000;

type Plain = Framed<TcpStream, ClientCodec>;

fn messages() -> u32 {
    env::var("FRAMED_ECHO_MESSAGES").map_or(50_000, |count| count.parse().expect("a number"))
}

/// With the smallest receive buffer there is: a reader that stalls is noticed soon.
async fn connect<H: Handler>(server: &Server<H>, id: u32) -> Plain {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("allowed");
    let stream = socket
        .connect(server.local_addr())
        .await
        .expect("listening");
    let mut framed = Framed::new(stream, ClientCodec::new());
    framed
        .send(Request::text(id, id, "here"))
        .await
        .expect("open");
    framed.next().await.expect("open").expect("a frame");
    framed
}

fn number(item: Item<framed_echo::ReplyHeader>) -> (u32, u32) {
    match item {
        Item::Frame(reply) => (
            reply.header.sender,
            reply.as_text().expect("text").parse().expect("a number"),
        ),
        other => panic!("{other:?}"),
    }
}

/// Each of a thousand connections sends to ten others and receives from ten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_delivered_once_and_in_order_per_sender() {
    const SPREAD: u32 = 10;

    let each = messages() / CONNECTIONS / SPREAD;
    let server = relay(Config::default()).await;
    let clients = join_all((1..=CONNECTIONS).map(|id| connect(&server, id))).await;
    let started = std::time::Instant::now();
    let tasks = clients.into_iter().zip(1..).map(|(client, id)| {
        tokio::spawn(async move {
            let (mut write, mut read) = client.split();
            let send = async {
                for n in 0..each {
                    for step in 1..=SPREAD {
                        let receiver = (id - 1 + step * 97) % CONNECTIONS + 1;
                        write
                            .feed(Request::text(id, receiver, n.to_string()))
                            .await
                            .expect("open");
                    }
                }
                write.flush().await.expect("open");
            };
            let receive = async {
                let mut next = std::collections::HashMap::new();
                for _ in 0..each * SPREAD {
                    let (sender, n) = number(read.next().await.expect("open").expect("a frame"));
                    let expected = next.entry(sender).or_insert(0);
                    assert_eq!(n, *expected, "from {sender} to {id}");
                    *expected += 1;
                }
                assert_eq!(next.len(), SPREAD as usize);
                assert!(next.into_values().all(|count| count == each));
            };
            tokio::join!(send, receive);
        })
    });
    let tasks: Vec<_> = tasks.collect();
    for task in tasks {
        task.await.expect("every message, once, in order");
    }
    let total = each * SPREAD * CONNECTIONS;
    println!(
        "{total} messages over {CONNECTIONS} connections in {:?}",
        started.elapsed()
    );
    let stats = server.stats();
    assert_eq!(stats.messages_in, u64::from(total + CONNECTIONS));
    assert_eq!((stats.dropped, stats.cut), (0, 0));
}

/// A thousand readers, of which a tenth stops reading and a tenth is killed, while one sender goes round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_and_killed_readers_hold_nobody_up_and_memory_stays_in_its_budget() {
    const BUDGET: usize = 32 * 1024 * 1024;
    const BODY: usize = 1000;
    const FLOOD: u32 = 500;

    for policy in [SlowReader::DropOldest, SlowReader::Inbox, SlowReader::Cut] {
        let mut config = Config::default();
        config.memory_bytes = BUDGET;
        config.queue.slow_reader = policy;
        config.queue.bytes = 64 * 1024;
        let server = relay(config).await;
        let readers = join_all((1..=CONNECTIONS).map(|id| connect(&server, id))).await;
        let rounds = messages() / CONNECTIONS / 5;
        let mut sender = connect(&server, 9999).await;

        let (mut stalled, mut reading) = (Vec::new(), Vec::new());
        for (reader, id) in readers.into_iter().zip(1_u32..) {
            match id % 10 {
                0 => stalled.push(reader),
                1 => drop(reader), // killed
                _ => reading.push(tokio::spawn(async move {
                    let mut reader = reader;
                    for n in 0..rounds {
                        let received = number(reader.next().await.expect("open").expect("a frame"));
                        assert_eq!(received, (9999, n), "to {id}");
                    }
                })),
            }
        }
        let mut most = 0;
        for n in 0..rounds + FLOOD {
            // All get their share; then the stalled get what does not fit into any socket buffer.
            let step = if n < rounds { 1 } else { 10 };
            for id in (step..=CONNECTIONS).step_by(step as usize) {
                sender
                    .feed(Request::text(9999, id, format!("{n:0BODY$}")))
                    .await
                    .expect("open");
            }
            sender.flush().await.expect("open");
            most = most.max(server.stats().memory_bytes);
        }
        // The relay has handled all of it when this comes back.
        sender
            .send(Request::text(9999, 9999, "0"))
            .await
            .expect("open");
        sender.next().await.expect("open").expect("a frame");
        most = most.max(server.stats().memory_bytes);
        for task in reading {
            task.await.expect("who reads gets everything in order");
        }
        // A thousand connections may have one message each on top.
        let allowed = BUDGET + CONNECTIONS as usize * 4096;
        assert!(most <= allowed as u64, "{most} bytes with {policy:?}");
        let stats = server.stats();
        println!(
            "{policy:?}: {most} bytes at most, {} dropped, {} spilled, {} cut, {} kept",
            stats.dropped, stats.spilled, stats.cut, stats.kept
        );
        assert!(stats.kept > 0, "for the killed");
        match policy {
            SlowReader::DropOldest => assert!(stats.dropped > 0),
            SlowReader::Inbox => assert!(stats.spilled > 0),
            _ => assert!(stats.cut > 0),
        }
        drop(stalled);
        server.shutdown(Duration::from_millis(100)).await;
    }
}

/// One video for a receiver who gets text from somebody else all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_video_of_500_mb_neither_fills_memory_nor_holds_up_text() {
    const LEN: u32 = 500_000_000;
    const PIECE: usize = 1_000_000;

    let server = relay(Config::default()).await;
    let (receiver, mut incoming) = client(&server, 2).await;
    let (sender, _in) = client(&server, 1).await;
    let (writer, _in) = client(&server, 3).await;
    let started = Instant::now();
    let video = tokio::spawn(async move {
        let mut video = sender.open(2, Kind::VIDEO, LEN).await.expect("open");
        for n in 0..LEN as usize / PIECE {
            let piece = vec![n.to_le_bytes()[0]; PIECE];
            assert!(video.write(piece.into()).await, "the connection lives");
        }
        assert_eq!(video.finish().await.expect("received"), Sent::Delivered);
        (sender, started.elapsed())
    });
    let receive = tokio::spawn(async move {
        let (mut texts, mut during, mut watch) = (0_u32, 0, None);
        while let Some(event) = incoming.next().await {
            match event {
                Event::Large(mut large) => {
                    watch = Some(tokio::spawn(async move {
                        let (mut at, mut piece) = (0, vec![0; PIECE]);
                        while let Some(chunk) = large.chunk().await.expect("under way") {
                            let mut rest = &chunk[..];
                            while !rest.is_empty() {
                                let here = rest.len().min(PIECE - at % PIECE);
                                piece[..here].fill((at / PIECE).to_le_bytes()[0]);
                                assert!(rest[..here] == piece[..here], "behind byte {at}");
                                (at, rest) = (at + here, &rest[here..]);
                            }
                        }
                        assert_eq!(at, LEN as usize);
                    }));
                }
                Event::Message(message) if message.body == "end" => {
                    incoming.acknowledge();
                    break;
                }
                Event::Message(message) => {
                    assert_eq!(message.body, texts.to_string());
                    texts += 1;
                    during += u32::from(watch.as_ref().is_some_and(|watch| !watch.is_finished()));
                }
                other => panic!("{other:?}"),
            }
        }
        watch.expect("a video came").await.expect("all of it");
        (receiver, during)
    });
    let (mut waits, mut most) = (Vec::new(), 0);
    while !video.is_finished() {
        let sent = Instant::now();
        let text = Message::text(3, 2, waits.len().to_string());
        writer.send(text).await.expect("delivered");
        waits.push(sent.elapsed());
        most = most.max(server.stats().memory_bytes);
    }
    writer
        .send(Message::text(3, 2, "end"))
        .await
        .expect("delivered");
    let (_sender, took) = video.await.expect("no panic");
    let (_receiver, during) = receive.await.expect("no panic");
    waits.sort();
    println!(
        "500 MB in {took:?}; {during} texts meanwhile, each there and acknowledged in {:?} (median), {:?} at most; \
         {most} bytes held at most",
        waits[waits.len() / 2],
        waits[waits.len() - 1],
    );
    assert!(during > 10, "{during} texts while the video was under way");
    assert!(most < 4_000_000, "{most} bytes for a video of {LEN}");
}
