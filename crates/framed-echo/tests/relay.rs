//! The relay: who gets what, in which order, and what happens when somebody is gone.

mod common;

use std::time::Duration;

use common::{client, client_in_memory, config, plain, relay, relay_with, reply, text};
use framed_echo::{
    ClientCodec, Item, Kind, Message, Reply, Request,
    client::{Client, Event, Incoming, SendError, Sent},
    control::Code,
    inbox::{MemoryInbox, Quota},
    server::Config,
};
use futures::{SinkExt, StreamExt};
use tokio_util::codec::Framed;

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
    let (client, incoming) = client_in_memory(&server, Client::builder("").id(1)).await;
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
    let (drained, count) = tokio::join!(server.shutdown(Duration::from_secs(60)), receive);
    assert_eq!(drained.cut, 0);
    assert!(count <= 50);
    drop((alice_in, bob, alice));
}
