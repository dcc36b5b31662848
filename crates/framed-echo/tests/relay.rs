//! The relay: who gets what, in which order, and what happens when somebody is slow or gone.

use std::time::Duration;

use framed_echo::{
    ClientCodec, Item, Kind, Message, Reply, Request,
    client::{Client, Event, Incoming, LargeMessage, SendError, Sent},
    control::Code,
    inbox::{Inbox, MemoryInbox, Quota},
    relay::Relay,
    server::{Config, Server, SlowReader},
};
use futures::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio_util::codec::Framed;

type Plain = Framed<DuplexStream, ClientCodec>;

async fn relay(config: Config) -> Server<Relay<MemoryInbox>> {
    relay_with(MemoryInbox::new(), config).await
}

async fn relay_with<I: Inbox>(inbox: I, config: Config) -> Server<Relay<I>> {
    let builder = Server::builder().handler(Relay::new(inbox)).config(config);
    builder
        .bind("127.0.0.1:0")
        .start()
        .await
        .expect("a free port")
}

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

async fn client<I: Inbox>(server: &Server<Relay<I>>, id: u32) -> (Client, Incoming) {
    let builder = Client::builder(server.local_addr().to_string()).id(id);
    builder.connect().await.expect("listening")
}

/// A plain connection that the relay knows by its id: it has got a message to itself back.
async fn plain<I: Inbox>(server: &Server<Relay<I>>, id: u32) -> Plain {
    let mut framed = Framed::new(server.connect(), ClientCodec::new());
    framed
        .send(Request::text(id, id, "here"))
        .await
        .expect("open");
    assert_eq!(reply(&mut framed).await, Reply::text(id, "here"));
    framed
}

async fn reply(framed: &mut Plain) -> Reply {
    match framed.next().await.expect("open").expect("a frame") {
        Item::Frame(reply) => reply,
        other => panic!("{other:?}"),
    }
}

async fn message(incoming: &mut Incoming) -> Message {
    match incoming.next().await {
        Some(Event::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

async fn text(incoming: &mut Incoming) -> String {
    String::from_utf8(message(incoming).await.body.into()).expect("text")
}

async fn large(incoming: &mut Incoming) -> LargeMessage {
    match incoming.next().await {
        Some(Event::Large(large)) => large,
        other => panic!("{other:?}"),
    }
}

/// Sends a message to oneself and acknowledges it.
async fn arrive(client: &Client, incoming: &mut Incoming) -> Sent {
    let posted = client
        .post(Message::text(client.id(), client.id(), "here"))
        .await
        .expect("open");
    assert_eq!(text(incoming).await, "here");
    incoming.acknowledge();
    posted.outcome().await.expect("kept or delivered")
}

#[tokio::test]
async fn plain_clients_need_nothing_new() {
    let server = relay(Config::default()).await;
    let mut alice = Framed::new(server.connect(), ClientCodec::new());
    for body in ["你好", "are you there?"] {
        alice.send(Request::text(1, 2, body)).await.expect("open");
    }
    alice
        .send(Request::new(1, 1, Kind::PICTURE, "to myself"))
        .await
        .expect("open");
    assert_eq!(
        reply(&mut alice).await,
        Reply::new(1, Kind::PICTURE, "to myself")
    );

    // Bob has been away; his first frame says who he is.
    let mut bob = Framed::new(server.connect(), ClientCodec::new());
    bob.send(Request::text(2, 1, "I am")).await.expect("open");
    assert_eq!(reply(&mut alice).await, Reply::text(2, "I am"));
    assert_eq!(reply(&mut bob).await, Reply::text(1, "你好"));
    assert_eq!(reply(&mut bob).await, Reply::text(1, "are you there?"));
    assert!(server.stats().kept >= 2, "{}", server.stats());
}

#[tokio::test]
async fn all_connections_of_an_id_get_every_message_in_order() {
    let server = relay(Config::default()).await;
    let (mut one, mut two) = (plain(&server, 2).await, plain(&server, 2).await);
    let mut alice = plain(&server, 1).await;
    assert_eq!(
        reply(&mut one).await,
        Reply::text(2, "here"),
        "what the second said to itself"
    );
    for n in 0..100 {
        alice
            .send(Request::text(1, 2, n.to_string()))
            .await
            .expect("open");
    }
    for n in 0..100 {
        assert_eq!(reply(&mut one).await, Reply::text(1, n.to_string()));
        assert_eq!(reply(&mut two).await, Reply::text(1, n.to_string()));
    }
}

#[tokio::test]
async fn a_sender_learns_what_became_of_its_message() {
    let server = relay(Config::default()).await;
    let (alice, _incoming) = client(&server, 1).await;
    assert_eq!(
        alice
            .send(Message::text(1, 2, "first"))
            .await
            .expect("kept"),
        Sent::Kept
    );
    let (_bob, mut incoming) = client(&server, 2).await;
    assert_eq!(text(&mut incoming).await, "first");

    let posted = alice
        .post(Message::text(1, 2, "second"))
        .await
        .expect("open");
    assert_eq!(text(&mut incoming).await, "second");
    incoming.acknowledge();
    assert_eq!(
        posted.outcome().await.expect("acknowledged"),
        Sent::Delivered
    );
}

#[tokio::test]
async fn a_foreign_sender_id_is_refused() {
    let server = relay(Config::default()).await;
    let mut mallory = plain(&server, 3).await;
    mallory
        .send(Request::text(1, 2, "from somebody else"))
        .await
        .expect("open");
    let error = reply(&mut mallory).await;
    assert_eq!(
        error.as_text(),
        Ok("not-your-id 0 sender 1 is not the id of this connection")
    );
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_and_nothing_else_does() {
    let server = relay(Config::default()).await;
    let (alice, _incoming) = client(&server, 1).await;
    let (bob, mut incoming) = client(&server, 2).await;
    let mut posted = Vec::new();
    for n in 0..5 {
        posted.push(
            alice
                .post(Message::text(1, 2, n.to_string()))
                .await
                .expect("open"),
        );
    }
    for n in 0..3 {
        assert_eq!(text(&mut incoming).await, n.to_string());
    }
    // Asking for the fourth acknowledges the third. Wait until the relay has heard it, then vanish.
    assert_eq!(text(&mut incoming).await, "3");
    let mut posted = posted.into_iter();
    for _ in 0..3 {
        let outcome = posted.next().expect("five").outcome().await;
        assert_eq!(outcome.expect("acknowledged"), Sent::Delivered);
    }
    drop((bob, incoming));
    for posted in posted {
        assert_eq!(posted.outcome().await.expect("kept"), Sent::Kept);
    }
    let (_bob, mut incoming) = client(&server, 2).await;
    assert_eq!(text(&mut incoming).await, "3");
    assert_eq!(text(&mut incoming).await, "4");
}

#[tokio::test]
async fn new_messages_queue_up_behind_the_inbox() {
    let server = relay_with(
        MemoryInbox::with_quota(
            Quota {
                messages: 10_000,
                ..Quota::default()
            },
            1 << 26,
        ),
        Config::default(),
    )
    .await;
    let (alice, _incoming) = client(&server, 1).await;
    let mut posted = Vec::new();
    for n in 0..3000 {
        posted.push(
            alice
                .post(Message::text(1, 2, n.to_string()))
                .await
                .expect("open"),
        );
    }
    // Bob comes while Alice is sending, so that some go through the inbox and some do not.
    let (_bob, mut incoming) = client(&server, 2).await;
    let more = async {
        for n in 3000..6000 {
            posted.push(
                alice
                    .post(Message::text(1, 2, n.to_string()))
                    .await
                    .expect("open"),
            );
        }
    };
    let all = async {
        for n in 0..6000 {
            assert_eq!(text(&mut incoming).await, n.to_string());
        }
        incoming.acknowledge();
    };
    tokio::join!(more, all);
    for posted in posted {
        posted.outcome().await.expect("kept or delivered");
    }
}

#[tokio::test]
async fn a_full_inbox_refuses() {
    let quota = Quota {
        messages: 1,
        ..Quota::default()
    };
    let server = relay_with(MemoryInbox::with_quota(quota, 1000), Config::default()).await;
    let (alice, _incoming) = client(&server, 1).await;
    alice.send(Message::text(1, 2, "fits")).await.expect("kept");
    let refused = alice.send(Message::text(1, 2, "does not")).await;
    assert!(
        matches!(&refused, Err(SendError::Refused(refusal)) if refusal.code == Code::InboxFull),
        "{refused:?}"
    );
}

/// Sends until the relay has nowhere to put another message, in a connection whose peer reads nothing.
async fn flood(server: &Server<Relay<MemoryInbox>>, count: usize) -> Plain {
    let mut alice = plain(server, 1).await;
    for n in 0..count {
        alice
            .send(Request::text(1, 2, format!("{n:0>1000}")))
            .await
            .expect("open");
    }
    // The relay has handled everything when this comes back.
    alice.send(Request::text(1, 1, "done")).await.expect("open");
    alice
}

fn small_queue(policy: SlowReader) -> Config {
    config(|config| {
        config.queue.messages = 10;
        config.queue.slow_reader = policy;
        config.write_timeout = Some(Duration::from_secs(5));
    })
}

fn number(reply: &Reply) -> usize {
    reply.as_text().expect("text").parse().expect("a number")
}

#[tokio::test(start_paused = true)]
async fn policy_wait_holds_the_sender_until_the_reader_reads() {
    let server = relay(small_queue(SlowReader::Wait)).await;
    let mut bob = plain(&server, 2).await;
    let mut alice = plain(&server, 1).await;
    let send = async {
        for n in 0..1000 {
            alice
                .send(Request::text(1, 2, format!("{n:0>1000}")))
                .await
                .expect("open");
        }
    };
    let mut send = std::pin::pin!(send);
    let early = tokio::time::timeout(Duration::from_secs(1), &mut send).await;
    assert!(
        early.is_err(),
        "one megabyte does not fit into the queue and the buffers"
    );
    assert!(server.stats().waited > 0, "{}", server.stats());
    let receive = async {
        for n in 0..1000 {
            assert_eq!(number(&reply(&mut bob).await), n);
        }
    };
    tokio::join!(send, receive);
    let stats = server.stats();
    assert_eq!((stats.dropped, stats.spilled, stats.cut), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn policy_wait_ends_with_the_write_timeout_and_what_is_left_is_kept() {
    let server = relay(small_queue(SlowReader::Wait)).await;
    let bob = plain(&server, 2).await;
    let mut alice = flood(&server, 300).await;
    assert_eq!(reply(&mut alice).await, Reply::text(1, "done"));
    assert_eq!(server.stats().write_timeouts, 1);
    assert!(server.stats().kept > 200, "{}", server.stats());
    drop(bob);
}

#[tokio::test]
async fn policy_drop_oldest_keeps_the_newest_and_counts() {
    let server = relay(small_queue(SlowReader::DropOldest)).await;
    let mut bob = plain(&server, 2).await;
    let mut alice = flood(&server, 1000).await;
    assert_eq!(
        reply(&mut alice).await,
        Reply::text(1, "done"),
        "the sender was never held up"
    );
    let dropped = usize::try_from(server.stats().dropped).expect("few");
    assert!(dropped > 500, "{dropped}");
    let mut seen = vec![number(&reply(&mut bob).await)];
    while *seen.last().expect("one at least") < 999 {
        seen.push(number(&reply(&mut bob).await));
    }
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.len(), 1000 - dropped);
}

#[tokio::test]
async fn policy_inbox_delivers_everything_in_order_later() {
    let server = relay(small_queue(SlowReader::Inbox)).await;
    let mut bob = plain(&server, 2).await;
    let mut alice = flood(&server, 1000).await;
    assert_eq!(
        reply(&mut alice).await,
        Reply::text(1, "done"),
        "the sender was never held up"
    );
    for n in 0..1000 {
        assert_eq!(number(&reply(&mut bob).await), n);
    }
    let stats = server.stats();
    assert!(
        stats.spilled > 0 && stats.spilled + stats.kept == stats.fetched,
        "{stats}"
    );
}

#[tokio::test]
async fn policy_cut_closes_the_slow_and_keeps_what_it_missed() {
    let server = relay(small_queue(SlowReader::Cut)).await;
    let bob = plain(&server, 2).await;
    let mut alice = flood(&server, 300).await;
    assert_eq!(reply(&mut alice).await, Reply::text(1, "done"));
    assert_eq!(server.stats().cut, 1);
    drop(bob);
    let mut bob = Framed::new(server.connect(), ClientCodec::new());
    bob.send(Request::text(2, 2, "back")).await.expect("open");
    let first = number(&reply(&mut bob).await);
    for n in first + 1..300 {
        assert_eq!(number(&reply(&mut bob).await), n);
    }
    assert_eq!(reply(&mut bob).await, Reply::text(2, "back"));
}

#[tokio::test]
async fn a_session_that_acknowledges_nothing_gets_one_window_and_no_more() {
    let server = relay(small_queue(SlowReader::DropOldest)).await;
    let (bob, mut incoming) = client(&server, 2).await;
    // Until it does not go through the inbox any more.
    while arrive(&bob, &mut incoming).await != Sent::Delivered {}
    let (alice, _in) = client(&server, 1).await;
    let mut posted = Vec::new();
    for n in 0..100 {
        posted.push(
            alice
                .post(Message::text(1, 2, n.to_string()))
                .await
                .expect("open"),
        );
    }
    // At most ten are with Bob and ten in the queue; the others had to go, and their sender has been told.
    let outcomes = futures::future::join_all(posted.into_iter().map(|posted| async {
        match posted.outcome().await {
            Ok(sent) => assert_eq!(sent, Sent::Delivered),
            Err(SendError::Refused(refusal)) => assert_eq!(refusal.code, Code::Dropped),
            Err(other) => panic!("{other}"),
        }
    }));
    let mut outcomes = std::pin::pin!(outcomes);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut outcomes).await;
    assert!(
        early.is_err(),
        "what Bob has not acknowledged is not delivered"
    );
    let dropped = server.stats().dropped;
    assert!((80..100).contains(&dropped), "{dropped}");
    let mut texts: Vec<u32> = Vec::new();
    for _ in dropped..100 {
        texts.push(text(&mut incoming).await.parse().expect("a number"));
    }
    incoming.acknowledge();
    outcomes.await;
    assert!(
        texts.is_sorted() && texts.ends_with(&[97, 98, 99]),
        "{texts:?}"
    );
}

#[tokio::test]
async fn text_overtakes_a_large_body_between_sessions() {
    const LEN: usize = 3_000_000;
    let server = relay(Config::default()).await;
    let (alice, _in) = client(&server, 1).await;
    let (_bob, mut incoming) = client(&server, 2).await;
    let mut video = alice
        .open(2, Kind::VIDEO, u32::try_from(LEN).expect("short"))
        .await
        .expect("open");
    assert!(video.write(vec![1; LEN / 2].into()).await);
    let mut received = large(&mut incoming).await;
    let mut body = Vec::new();
    while body.len() < LEN / 2 {
        body.extend_from_slice(
            &received
                .chunk()
                .await
                .expect("under way")
                .expect("half of it"),
        );
    }
    // The other half has not even been produced, and text passes.
    let posted = alice
        .post(Message::text(1, 2, "meanwhile"))
        .await
        .expect("open");
    assert_eq!(text(&mut incoming).await, "meanwhile");
    incoming.acknowledge();
    assert_eq!(
        posted.outcome().await.expect("acknowledged"),
        Sent::Delivered
    );

    assert!(video.write(vec![2; LEN / 2].into()).await);
    while let Some(chunk) = received.chunk().await.expect("under way") {
        body.extend_from_slice(&chunk);
    }
    assert!(body == [vec![1; LEN / 2], vec![2; LEN / 2]].concat());
    assert_eq!(video.finish().await.expect("acknowledged"), Sent::Delivered);
}

#[tokio::test]
async fn a_large_body_reaches_plain_and_new_clients_alike() {
    let body: Vec<u8> = (0..400_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let server = relay(Config::default()).await;
    let mut old = plain(&server, 2).await;
    let (_new, mut incoming) = client(&server, 2).await;
    let mut sender = plain(&server, 1).await;
    let send = sender.send(Request::new(1, 2, Kind::PICTURE, body.clone()));
    let (sent, by_old, by_new) = tokio::join!(send, reply(&mut old), async {
        large(&mut incoming).await.collect().await
    });
    sent.expect("open");
    assert!(by_old == Reply::new(1, Kind::PICTURE, body.clone()));
    let by_new = by_new.expect("whole");
    assert_eq!((by_new.head.sender, by_new.head.kind), (1, Kind::PICTURE));
    assert!(by_new.body == body);
}

#[tokio::test]
async fn a_broken_off_large_body_is_said_to_be_so() {
    let server = relay(Config::default()).await;
    let (alice, _in) = client(&server, 1).await;
    let (_bob, mut incoming) = client(&server, 2).await;
    let mut video = alice.open(2, Kind::VIDEO, 1_000_000).await.expect("open");
    assert!(video.write(vec![1; 200_000].into()).await);
    let mut received = large(&mut incoming).await;
    assert!(matches!(video.finish().await, Err(SendError::Incomplete)));
    let error = loop {
        match received.chunk().await {
            Ok(chunk) => assert!(chunk.is_some(), "it cannot be complete"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.len, 1_000_000);
    let posted = alice
        .post(Message::text(1, 2, "sorry"))
        .await
        .expect("open");
    assert_eq!(text(&mut incoming).await, "sorry");
    incoming.acknowledge();
    posted.outcome().await.expect("the connections live on");
}

#[tokio::test]
async fn a_large_body_for_somebody_away_is_kept_if_short_and_refused_if_long() {
    let server = relay(Config::default()).await;
    let (alice, _in) = client(&server, 1).await;
    let short = Message::new(1, 2, Kind::PICTURE, vec![7; 200_000]);
    assert_eq!(alice.send(short.clone()).await.expect("kept"), Sent::Kept);
    let long = alice
        .send(Message::new(1, 2, Kind::PICTURE, vec![7; 300_000]))
        .await;
    assert!(
        matches!(&long, Err(SendError::Refused(refusal)) if refusal.code == Code::Away),
        "{long:?}"
    );
    let (_bob, mut incoming) = client(&server, 2).await;
    let kept = large(&mut incoming).await.collect().await.expect("whole");
    assert!(kept.body == short.body);
}

#[tokio::test]
async fn two_clients_that_flood_each_other_do_not_lock_each_other_up() {
    const COUNT: u32 = 5000;
    let inbox = MemoryInbox::with_quota(
        Quota {
            messages: 10_000,
            ..Quota::default()
        },
        1 << 26,
    );
    let server = relay_with(inbox, config(|config| config.queue.messages = 20)).await;
    let (alice, bob) = (client(&server, 1).await, client(&server, 2).await);
    let talk = |(client, mut incoming): (Client, Incoming), own: u32, other: u32| async move {
        let send = async {
            let mut posted = Vec::new();
            for n in 0..COUNT {
                posted.push(
                    client
                        .post(Message::text(own, other, n.to_string()))
                        .await
                        .expect("open"),
                );
            }
            for posted in posted {
                posted.outcome().await.expect("kept or delivered");
            }
        };
        let receive = async {
            for n in 0..COUNT {
                assert_eq!(text(&mut incoming).await, n.to_string());
            }
            incoming.acknowledge();
        };
        tokio::join!(send, receive);
        (client, incoming)
    };
    let _open = tokio::join!(talk(alice, 1, 2), talk(bob, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_pinged_and_a_dead_one_is_closed() {
    let server = relay(Config::default()).await;
    let (client, incoming) = client(&server, 1).await;
    // The client answers pings behind the scenes.
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(server.stats().closed, 0);
    drop((client, incoming));

    let mut dead = server.connect();
    let hello = framed_echo::control::FromClient::Hello { version: 1 }.into_request(9, 0);
    let mut codec = Framed::new(&mut dead, ClientCodec::new());
    codec.send(hello).await.expect("open");
    let started = tokio::time::Instant::now();
    let kinds: Vec<_> = codec
        .map(|item| match item.expect("a frame") {
            Item::Frame(reply) => reply.header.kind.to_string(),
            other => panic!("{other:?}"),
        })
        .collect()
        .await;
    assert_eq!(kinds, ["hello (128)", "ping (131)"]);
    assert_eq!(started.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn a_drain_says_goodbye_and_loses_nothing_that_was_accepted() {
    let server = relay(Config::default()).await;
    let (alice, alice_in) = client(&server, 1).await;
    let (bob, mut incoming) = client(&server, 2).await;
    let mut posted = Vec::new();
    for n in 0..50 {
        posted.push(
            alice
                .post(Message::text(1, 2, n.to_string()))
                .await
                .expect("open"),
        );
    }
    assert_eq!(text(&mut incoming).await, "0");
    let receive = async {
        let mut count = 1;
        while let Some(Event::Message(_)) = incoming.next().await {
            count += 1;
        }
        count
    };
    let (drained, count) = tokio::join!(server.shutdown(Duration::from_secs(5)), receive);
    assert_eq!(drained.cut, 0);
    assert!(count <= 50);
    drop((alice_in, bob, alice));
}
