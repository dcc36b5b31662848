//! Subscriptions: messages, gaps, and what happens to them when a connection breaks.

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;
mod support;

use std::time::Duration;

use bytes::Bytes;
use kv_client::{Client, Event, Gap, Message, Overflow, Protocol, Subscription};
use servers::on_every_server;
use support::{Peer, Peers, peers};
use tokio::io::AsyncReadExt;
use tokio::join;
use tokio::time::timeout;

/// Longer than anything takes that is not waited for; on the paused clock.
const MOMENT: Duration = Duration::from_millis(100);

async fn connected() -> (Client, Peers, Peer) {
    let (config, mut peers) = peers(4096);
    let (client, peer) = join!(
        Client::connect(config.protocol(Protocol::Resp3)),
        accept(&mut peers)
    );
    (client.expect("the peer accepts"), peers, peer)
}

/// A connection of RESP3.
async fn accept(peers: &mut Peers) -> Peer {
    let mut peer = peers.accept_raw().await;
    peer.expect(&["HELLO", "3"]).await;
    peer.send("%1\r\n+proto\r\n:3\r\n").await;
    peer
}

#[tokio::test]
async fn a_subscription_to_nothing_ends_at_once() {
    let (client, mut peers, mut peer) = connected().await;
    let none: [&str; 0] = [];
    for subscribe in [client.subscribe(none), client.psubscribe(none)] {
        let mut subscription = subscribe.await.expect("there is nothing to refuse");
        assert!(subscription.next().await.is_none());
    }
    // The server was not asked.
    join!(client.close(), peer.expect_end());
    assert!(peers.none_waiting());
}

fn push(args: &[&str]) -> String {
    let parts: String = args
        .iter()
        .map(|arg| format!("${}\r\n{arg}\r\n", arg.len()))
        .collect();
    format!(">{}\r\n{parts}", args.len())
}

fn confirm(word: &str, channel: &str) -> String {
    format!(
        ">3\r\n${}\r\n{word}\r\n${}\r\n{channel}\r\n:1\r\n",
        word.len(),
        channel.len()
    )
}

async fn subscribed(client: &Client, peer: &mut Peer, channel: &str) -> Subscription {
    let (subscription, ()) = join!(client.subscribe(channel).into_future(), async {
        peer.expect(&["SUBSCRIBE", channel]).await;
        peer.send(&confirm("subscribe", channel)).await;
    });
    subscription.expect("the peer confirms")
}

async fn message(subscription: &mut Subscription) -> Message {
    match subscription.next().await {
        Some(Event::Message(message)) => message,
        other => panic!("expected a message, got {other:?}"),
    }
}

async fn gap(subscription: &mut Subscription) -> Gap {
    match subscription.next().await {
        Some(Event::Gap(gap)) => gap,
        other => panic!("expected a gap, got {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_between_replies_without_shifting_them() {
    let (client, _peers, mut peer) = connected().await;
    let mut news = subscribed(&client, &mut peer, "news").await;
    let (a, b, ()) = join!(
        client.incr("a").into_future(),
        client.incr("b").into_future(),
        async {
            peer.expect(&["INCR", "a"]).await;
            peer.expect(&["INCR", "b"]).await;
            let message = push(&["message", "news", "hello\r\n"]);
            peer.send(&format!("{message}:1\r\n{message}:2\r\n{message}"))
                .await;
        }
    );
    assert_eq!((a.unwrap(), b.unwrap()), (1, 2));
    for _ in 0..3 {
        let message = message(&mut news).await;
        assert_eq!(
            (&message.channel[..], &message.payload[..]),
            (&b"news"[..], &b"hello\r\n"[..])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn subscribers_share_one_subscription_and_the_last_one_ends_it() {
    let (client, _peers, mut peer) = connected().await;
    let mut first = subscribed(&client, &mut peer, "c").await;
    let mut second = client.subscribe("c").await.unwrap(); // the peer hears nothing of it
    peer.send(&push(&["message", "c", "1"])).await;
    assert_eq!(message(&mut first).await.payload, "1");
    assert_eq!(message(&mut second).await.payload, "1");

    drop(first);
    peer.send(&push(&["message", "c", "2"])).await;
    assert_eq!(message(&mut second).await.payload, "2");
    drop(second);
    peer.expect(&["UNSUBSCRIBE", "c"]).await;
    peer.send(&confirm("unsubscribe", "c")).await;
    let (pong, ()) = join!(client.ping().into_future(), async {
        peer.expect(&["PING"]).await;
        peer.send("+PONG\r\n").await;
    });
    pong.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_reconnect_the_subscription_is_renewed_and_the_gap_is_marked() {
    let (client, mut peers, mut peer) = connected().await;
    let mut news = subscribed(&client, &mut peer, "news").await;
    peer.send(&push(&["message", "news", "before"])).await;
    tokio::task::yield_now().await;
    drop(peer);
    let mut peer = accept(&mut peers).await;
    peer.expect(&["SUBSCRIBE", "news"]).await;
    peer.send(&confirm("subscribe", "news")).await;
    peer.send(&push(&["message", "news", "after"])).await;

    assert_eq!(message(&mut news).await.payload, "before");
    assert_eq!(gap(&mut news).await, Gap::Reconnected);
    assert_eq!(message(&mut news).await.payload, "after");
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_before_a_subscription_is_written_costs_no_room() {
    const CAPACITY: usize = 64;
    let (config, mut peers) = peers(CAPACITY);
    let (client, mut peer) = join!(
        Client::connect(config.protocol(Protocol::Resp3)),
        accept(&mut peers)
    );
    let client = client.expect("the peer accepts");
    let long = "x".repeat(1000);
    let all = async {
        join!(
            client.set("k", &long).into_future(),
            client.subscribe("news").into_future(),
            async {
                // The client writes on, and has the subscription still before it.
                let mut part = [0; CAPACITY + 1];
                peer.stream.read_exact(&mut part).await.expect("written");
                drop(peer);
                let mut peer = accept(&mut peers).await;
                for _ in 0..2 {
                    match peer.next().await.expect("a command")[0].as_str() {
                        "SET" => peer.send("+OK\r\n").await,
                        _ => peer.send(&confirm("subscribe", "news")).await,
                    }
                }
                peer
            }
        )
    };
    let all = timeout(Duration::from_secs(60), all).await;
    let (set, subscription, mut peer) = all.expect("the client goes on");
    set.expect("sent again");
    let _subscription = subscription.expect("subscribed on the next connection");
    let (incr, ()) = join!(client.incr("n").into_future(), async {
        peer.expect(&["INCR", "n"]).await;
        peer.send(":1\r\n").await;
    });
    assert_eq!(incr.expect("answered"), 1);
    assert_eq!(client.stats().shared.unwritten_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_subscription_is_an_error_and_shifts_no_reply() {
    let (client, _peers, mut peer) = connected().await;
    let (subscription, incr, ()) = join!(
        client.subscribe("secret").into_future(),
        client.incr("n").into_future(),
        async {
            for _ in 0..2 {
                match peer.next().await.unwrap()[0].as_str() {
                    "SUBSCRIBE" => peer.send("-NOPERM No permissions\r\n").await,
                    _ => peer.send(":7\r\n").await,
                }
            }
        }
    );
    let error = subscription.unwrap_err();
    assert_eq!(
        (error.code(), error.command()),
        (Some("NOPERM"), Some("SUBSCRIBE"))
    );
    assert_eq!(incr.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_is_told_how_many_messages_it_missed() {
    for (overflow, expected) in [
        (Overflow::DropOldest, ["gap", "3", "4"]),
        (Overflow::DropNewest, ["0", "1", "gap"]),
        (Overflow::End, ["0", "1", "gap"]),
    ] {
        let (client, _peers, mut peer) = connected().await;
        let (subscription, ()) = join!(
            client
                .subscribe("c")
                .capacity(2)
                .overflow(overflow)
                .into_future(),
            async {
                peer.expect(&["SUBSCRIBE", "c"]).await;
                peer.send(&confirm("subscribe", "c")).await;
            }
        );
        let mut subscription = subscription.unwrap();
        for n in 0..5 {
            peer.send(&push(&["message", "c", &n.to_string()])).await;
        }
        let (pong, ()) = join!(client.ping().into_future(), async {
            peer.expect(&["PING"]).await;
            peer.send("+PONG\r\n").await;
        });
        pong.unwrap();
        let lost = if overflow == Overflow::End { 1 } else { 3 };
        for expected in expected {
            match subscription.next().await {
                Some(Event::Message(message)) => {
                    assert_eq!(message.payload, expected, "{overflow:?}")
                }
                Some(Event::Gap(gap)) => {
                    assert_eq!(
                        (gap, expected),
                        (Gap::Overflow { lost }, "gap"),
                        "{overflow:?}"
                    );
                }
                other => panic!("{overflow:?}: {other:?}"),
            }
        }
        if overflow == Overflow::End {
            assert!(subscription.next().await.is_none());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_the_server_takes_away_is_asked_for_again() {
    let (client, _peers, mut peer) = connected().await;
    let (subscription, ()) = join!(client.ssubscribe("shard").into_future(), async {
        peer.expect(&["SSUBSCRIBE", "shard"]).await;
        peer.send(&confirm("ssubscribe", "shard")).await;
    });
    let mut subscription = subscription.unwrap();
    peer.send(&confirm("sunsubscribe", "shard")).await;
    peer.expect(&["SSUBSCRIBE", "shard"]).await;
    peer.send(&confirm("ssubscribe", "shard")).await;
    peer.send(&push(&["smessage", "shard", "m"])).await;
    assert_eq!(gap(&mut subscription).await, Gap::Reconnected);
    assert_eq!(message(&mut subscription).await.payload, "m");
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_counts_for_the_request_that_it_answers() {
    let (client, _peers, mut peer) = connected().await;
    let mut first = Box::pin(client.subscribe("x").into_future());
    let pending = timeout(MOMENT, &mut first).await;
    pending.expect_err("the server has not answered");
    peer.expect(&["SUBSCRIBE", "x"]).await;
    drop(first);
    peer.expect(&["UNSUBSCRIBE", "x"]).await;
    let mut second = Box::pin(client.subscribe(["x", "y"]).into_future());
    let pending = timeout(MOMENT, &mut second).await;
    pending.expect_err("the server has not answered");
    let request = peer.next().await.expect("a subscription");
    assert_eq!(request.len(), 3, "both channels, in either order");

    // What is published until it is subscribed to again reaches nobody.
    peer.send(&confirm("subscribe", "x")).await;
    peer.send(&confirm("unsubscribe", "x")).await;
    let pending = timeout(MOMENT, &mut second).await;
    pending.expect_err("the answer was to the first request");
    peer.send(&confirm("subscribe", &request[1])).await;
    let pending = timeout(MOMENT, &mut second).await;
    pending.expect_err("one of two channels");
    peer.send(&confirm("subscribe", &request[2])).await;
    let mut second = second.await.expect("both are subscribed to");
    peer.send(&push(&["message", "x", "m"])).await;
    assert_eq!(message(&mut second).await.payload, "m");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_taken_away_while_another_is_given_up_is_asked_for_again() {
    let (client, _peers, mut peer) = connected().await;
    let (kept, given_up, ()) = join!(
        client.ssubscribe("kept").into_future(),
        client.ssubscribe("given-up").into_future(),
        async {
            for _ in 0..2 {
                let request = peer.next().await.expect("a subscription");
                peer.send(&confirm("ssubscribe", &request[1])).await;
            }
        }
    );
    let mut kept = kept.expect("confirmed");
    drop(given_up.expect("confirmed"));
    peer.expect(&["SUNSUBSCRIBE", "given-up"]).await;
    peer.send(&confirm("sunsubscribe", "kept")).await; // nobody has asked for that
    peer.send(&confirm("sunsubscribe", "given-up")).await;
    peer.expect(&["SSUBSCRIBE", "kept"]).await;
    peer.send(&confirm("ssubscribe", "kept")).await;
    assert_eq!(gap(&mut kept).await, Gap::Reconnected);
}

#[tokio::test(start_paused = true)]
async fn each_request_that_renews_a_part_of_a_subscription_marks_its_gap() {
    let (client, mut peers, mut peer) = connected().await;
    // In different slots, so each has a request of its own.
    let (subscription, ()) = join!(client.ssubscribe(["a", "b"]).into_future(), async {
        for _ in 0..2 {
            let request = peer.next().await.expect("a subscription");
            peer.send(&confirm("ssubscribe", &request[1])).await;
        }
    });
    let mut subscription = subscription.expect("confirmed");
    drop(peer);
    let mut peer = accept(&mut peers).await;
    for _ in 0..2 {
        let request = peer.next().await.expect("a subscription");
        peer.send(&confirm("ssubscribe", &request[1])).await;
        assert_eq!(gap(&mut subscription).await, Gap::Reconnected);
        peer.send(&push(&["smessage", &request[1], "m"])).await;
        assert_eq!(message(&mut subscription).await.channel, request[1]);
    }

    // Those of one request are renewed at the same moment.
    let (plain, ()) = join!(client.subscribe(["a", "b"]).into_future(), async {
        let request = peer.next().await.expect("a subscription");
        for channel in &request[1..] {
            peer.send(&confirm("subscribe", channel)).await;
        }
    });
    let mut plain = plain.expect("confirmed");
    drop((subscription, peer));
    let mut peer = accept(&mut peers).await;
    let request = peer.next().await.expect("a subscription");
    peer.send(&confirm("subscribe", &request[1])).await;
    assert_eq!(gap(&mut plain).await, Gap::Reconnected);
    peer.send(&confirm("subscribe", &request[2])).await;
    peer.send(&push(&["message", "b", "m"])).await;
    assert_eq!(message(&mut plain).await.channel, "b");
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_neither_thrown_away_nor_counted_as_a_message() {
    let (client, mut peers, mut peer) = connected().await;
    let (news, ()) = join!(client.subscribe("news").capacity(2).into_future(), async {
        peer.expect(&["SUBSCRIBE", "news"]).await;
        peer.send(&confirm("subscribe", "news")).await;
    });
    let mut news = news.expect("confirmed");
    for _ in 0..3 {
        drop(peer);
        peer = accept(&mut peers).await;
        peer.expect(&["SUBSCRIBE", "news"]).await;
        peer.send(&confirm("subscribe", "news")).await;
    }
    for payload in ["1", "2", "3"] {
        peer.send(&push(&["message", "news", payload])).await;
    }
    let (pong, ()) = join!(client.ping().into_future(), async {
        peer.expect(&["PING"]).await;
        peer.send("+PONG\r\n").await;
    });
    pong.expect("everything before it was read");
    assert_eq!(gap(&mut news).await, Gap::Overflow { lost: 1 });
    assert_eq!(gap(&mut news).await, Gap::Reconnected);
    assert_eq!(message(&mut news).await.payload, "2");
    assert_eq!(message(&mut news).await.payload, "3");
}

#[tokio::test]
async fn both_protocols_carry_every_kind_of_subscription() {
    on_every_server("SSUBSCRIBE", async |client| {
        let mut plain = client.subscribe(["a", "b"]).await.unwrap();
        let mut pattern = client.psubscribe("b*").await.unwrap();
        let mut shard = client.ssubscribe("s").await.unwrap();
        assert_eq!(client.publish("a", "1").await.unwrap(), 1);
        assert_eq!(client.publish("b", "2").await.unwrap(), 2);
        assert_eq!(client.spublish("s", "3").await.unwrap(), 1);

        assert_eq!(message(&mut plain).await.channel, "a");
        assert_eq!(message(&mut plain).await.payload, "2");
        let matched = message(&mut pattern).await;
        assert_eq!(
            (matched.channel, matched.pattern),
            (Bytes::from("b"), Some(Bytes::from("b*")))
        );
        assert_eq!(message(&mut shard).await.payload, "3");
        client.set("still", "works").await.unwrap();

        drop((plain, pattern, shard));
        let unsubscribed = async {
            while client.pubsub_numsub("a").await.unwrap()[&Bytes::from("a")] > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(60), unsubscribed)
            .await
            .expect("unsubscribed");
    })
    .await;
}
