//! Clients that the server cuts off because it would have to keep too much for them (client-output-buffer-limit).

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use std::time::Duration;

use kv_client::{Client, ErrorKind, Event, Gap, Outcome, Reply};
use servers::on_every_server;
use tokio::time::timeout;

/// What commands came to whose effect is counted.
#[derive(Default)]
struct Count {
    sure: i64,
    maybe: i64,
}

impl Count {
    fn note(&mut self, result: Result<Reply, kv_client::Error>) {
        match result {
            Ok(_) => self.sure += 1,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error:?}");
                match error.outcome() {
                    Outcome::MaybeExecuted => self.maybe += 1,
                    Outcome::NotSent => {}
                    other => panic!("{other:?} of a lost connection: {error:?}"),
                }
            }
        }
    }

    fn check(&self, value: Option<i64>) {
        let range = self.sure..=self.sure + self.maybe;
        assert!(range.contains(&value.unwrap_or(0)), "{value:?}: {range:?}");
    }
}

#[tokio::test]
async fn a_client_that_is_cut_off_for_its_replies_tells_the_truth_and_comes_back() {
    on_every_server("GET", async |client| {
        let limit = ("client-output-buffer-limit", "normal 1mb 0 0");
        client.config_set(limit).await.expect("CONFIG SET");
        let value = vec![b'x'; 200_000];
        client
            .set("large", &value)
            .await
            .expect("one is no problem");
        let (mut before, mut behind) = (Count::default(), Count::default());
        for _ in 0..5 {
            // What the server would have to hold is four times the limit, in one go.
            let mut commands = vec![client.incr("before").into::<Reply>().plain()];
            commands.extend((0..20).map(|_| client.get("large").into().plain()));
            commands.push(client.incr("behind").into().plain());
            let mut results = client.pipeline(commands).results().await;
            assert!(
                results.iter().any(Result::is_err),
                "the server has cut it off"
            );
            behind.note(results.pop().expect("22 of them"));
            before.note(results.swap_remove(0));
            for result in results {
                match result {
                    Ok(reply) => assert_eq!(reply.as_bytes(), Some(&value[..])),
                    Err(error) => {
                        assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error:?}")
                    }
                }
            }
            // The same handle goes on.
            let one = client.get("large").await.expect("connected anew");
            assert_eq!(one.map(|one| one.len()), Some(value.len()));
        }
        before.check(client.get("before").into().await.expect("a count"));
        behind.check(client.get("behind").into().await.expect("a count"));
        assert!(client.stats().reconnects >= 5, "{:?}", client.stats());
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_that_is_cut_off_is_told_of_the_gap_and_gets_what_comes_after() {
    on_every_server("PUBLISH", async |client| {
        let limit = ("client-output-buffer-limit", "pubsub 256kb 0 0");
        client.config_set(limit).await.expect("CONFIG SET");
        let publisher = Client::connect(client.config().clone())
            .await
            .expect("connects");
        let mut news = client.subscribe("news").await.expect("subscribed");
        // 5 MB at once: no reader is fast enough.
        let message = vec![b'x'; 100_000];
        let (mut count, mut rounds) = (Count::default(), 0);
        while rounds < 3 {
            rounds += 1;
            // With RESP3 these share the connection that is cut.
            let counting = async {
                let mut results = Vec::new();
                for _ in 0..20 {
                    results.push(client.incr("n").into::<Reply>().await);
                }
                results
            };
            let flood = (0..50).map(|_| publisher.publish("news", &message));
            let flood = publisher.transaction(flood.collect::<Vec<_>>());
            let flooding = flood.into_future();
            let (results, flooded) = tokio::join!(counting, flooding);
            flooded.expect("the publisher is not concerned");
            results.into_iter().for_each(|result| count.note(result));
            let renewed = async {
                while publisher.publish("news", "after").await.expect("a count") == 0 {
                    tokio::task::yield_now().await;
                }
            };
            timeout(Duration::from_secs(60), renewed)
                .await
                .expect("subscribed again");
            let mut gaps = 0;
            loop {
                let event = timeout(Duration::from_secs(60), news.next());
                match event.await.expect("the next event") {
                    Some(Event::Gap(Gap::Reconnected)) => gaps += 1,
                    Some(Event::Message(message)) if message.payload == "after" => break,
                    // What had got through before.
                    Some(Event::Message(message)) => {
                        assert_eq!((message.payload.len(), gaps), (100_000, 0))
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(gaps, 1, "in round {rounds}");
        }
        count.check(client.get("n").into().await.expect("a count"));
    })
    .await;
}
