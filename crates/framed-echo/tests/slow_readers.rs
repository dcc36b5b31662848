//! The relay: what happens when somebody reads too slowly.

mod common;

use std::time::Duration;

use common::{Plain, client, config, plain, relay, reply, text};
use framed_echo::{
    ClientCodec, Message, Reply, Request,
    client::{Client, Incoming, SendError, Sent},
    control::Code,
    inbox::MemoryInbox,
    relay::Relay,
    server::{Config, Server, SlowReader},
};
use futures::SinkExt;
use tokio_util::codec::Framed;

fn small_queue(policy: SlowReader) -> Config {
    config(|config| {
        config.queue.messages = 10;
        config.queue.slow_reader = policy;
        config.write_timeout = Some(Duration::from_secs(5));
    })
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

fn number(reply: &Reply) -> usize {
    reply.as_text().expect("text").parse().expect("a number")
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
    let (alice, mut alice_in) = client(&server, 1).await;
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
    // The relay has handled everything when this comes back.
    let done = Message::text(1, 1, "done");
    let _done = alice.post(done).await.expect("open");
    assert_eq!(text(&mut alice_in).await, "done");
    assert!(
        futures::poll!(&mut outcomes).is_pending(),
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
