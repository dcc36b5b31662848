//! What needs more than one command on a shared connection: WATCH, scripts, MONITOR.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;
mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kv_client::{Client, ErrorKind, Event, Library, Outcome, Script};
use servers::{Redis, on_every_server};
use tokio::time::timeout;

/// Adds one by reading and writing, which loses counts unless each pair is alone.
async fn add_one(client: &Client, key: &str) -> kv_client::Result<i64> {
    let add = |tx: Client| async move {
        let old = tx.get(key).into::<Option<i64>>().await?.unwrap_or(0);
        tokio::task::yield_now().await;
        tx.transaction((tx.set(key, old + 1),)).await?;
        Ok(old + 1)
    };
    client.watch(key).attempts(1000).run(add).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_count_is_lost_between_watch_and_exec() {
    on_every_server("WATCH", async |client| {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        add_one(&client, "count")
                            .await
                            .expect("in the end it goes through");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(client.get("count").into::<i64>().await.unwrap(), 80);
    })
    .await;
}

#[tokio::test]
async fn a_watch_ends_without_a_transaction_and_is_not_tried_for_ever() {
    on_every_server("WATCH", async |client| {
        // Done without: nothing is written, and the connection is of use to the next.
        let decided = client
            .watch("k")
            .run(|tx| async move { tx.get("k").await })
            .await;
        assert_eq!(decided.unwrap(), None);
        client.set("k", "changed").await.unwrap();
        let set = |tx: Client| async move { tx.transaction((tx.set("k", "mine"),)).await };
        client
            .watch(["k", "other"])
            .run(set)
            .await
            .expect("the earlier watch is over");

        // Somebody else changes the key each time.
        let runs = &AtomicU32::new(0);
        let client = &client;
        let spoiled = |tx: Client| async move {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            client.set("k", run).await?;
            tx.transaction((tx.set("k", "never"),)).await
        };
        let error = client
            .watch("k")
            .attempts(3)
            .run(spoiled)
            .await
            .unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Conflict), "{error:?}");
        assert_eq!(
            (error.outcome(), runs.load(Ordering::Relaxed)),
            (Outcome::Rejected, 3)
        );
        assert_eq!(client.get("k").await.unwrap(), Some(Bytes::from("2")));
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_lost_between_watch_and_exec_does_not_lose_the_watch() {
    let Some(redis) = Redis::start(&[]).await else {
        return;
    };
    let client = Client::connect(redis.config()).await.unwrap();
    let (client, runs) = (&client, &AtomicU32::new(0));
    let cut = |tx: Client| async move {
        let value = tx.get("k").into::<Option<i64>>().await?.unwrap_or(0);
        if runs.fetch_add(1, Ordering::Relaxed) == 0 {
            // A connection that came back by itself would run EXEC without the watch.
            let id = tx.client_id().await?;
            client.command("CLIENT").arg(("KILL", "ID", id)).await?;
            client.set("k", 100).await?;
        }
        tx.transaction((tx.set("k", value + 1),)).await
    };
    client
        .watch("k")
        .run(cut)
        .await
        .expect("tried again on a new connection");
    assert_eq!(client.get("k").into::<i64>().await.unwrap(), 101);
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    client.close().await;
}

#[tokio::test]
async fn a_script_is_sent_whole_only_once() {
    on_every_server("EVALSHA", async |client| {
        let add = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
        for sum in [10, 20, 30] {
            assert_eq!(
                client.script(&add, "sum", 10).into::<i64>().await.unwrap(),
                sum
            );
        }
        client.command("SCRIPT").arg("FLUSH").await.unwrap();
        let sum: i64 = client
            .script(&add, "sum", 1)
            .into()
            .await
            .expect("sent whole again");
        assert_eq!(sum, 31);
        let known: Vec<bool> = client
            .command("SCRIPT")
            .arg(("EXISTS", add.sha1()))
            .into()
            .await
            .unwrap();
        assert_eq!(known, [true]);

        let both = Script::new("return {#KEYS, ARGV[1], ARGV[2]}");
        let reply: (i64, String, String) = client
            .script(&both, ["a", "b"], ("x", 5))
            .into()
            .await
            .unwrap();
        assert_eq!(reply, (2, "x".to_owned(), "5".to_owned()));
        let error = client
            .script(&Script::new("return redis.call('NO-SUCH')"), (), ())
            .await
            .unwrap_err();
        assert_eq!(error.outcome(), Outcome::Rejected);
        let reads = Script::new("return redis.call('GET', KEYS[1])").read_only();
        assert_eq!(
            client
                .script(&reads, "sum", ())
                .into::<i64>()
                .await
                .unwrap(),
            31
        );
    })
    .await;
}

#[tokio::test]
async fn a_library_is_loaded_when_one_of_its_functions_is_not_known() {
    on_every_server("FCALL", async |client| {
        let source = |version: &str, more: &str| {
            format!(
                "#!lua name=counting\n\
                 redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)\n\
                 redis.register_function{{function_name = 'version', callback = function() return '{version}' end, flags = {{'no-writes'}}}}\n{more}"
            )
        };
        let library = Library::new(source("1", ""));
        for sum in [10, 20] {
            let add = client.function(&library, "add", "sum", 10);
            assert_eq!(add.into::<i64>().await.unwrap(), sum);
        }
        // Many find at the same time that it is gone.
        client.function_flush().await.unwrap();
        let adds = (0..10).map(|_| {
            let (client, library) = (client.clone(), library.clone());
            tokio::spawn(async move {
                let add = client.function(&library, "add", "sum", 1);
                add.into::<i64>().await
            })
        });
        for add in adds.collect::<Vec<_>>() {
            add.await.unwrap().expect("one of them has loaded it");
        }
        assert_eq!(client.get("sum").into::<i64>().await.unwrap(), 30);
        let version = client.function_ro(&library, "version", (), ());
        assert_eq!(version.into::<String>().await.unwrap(), "1");
        let error = client.function_ro(&library, "add", "sum", 1).await;
        let error = error.expect_err("it writes");
        assert_eq!(error.outcome(), Outcome::Rejected, "{error:?}");

        // What is there is left alone, unless that is asked for.
        let more = "redis.register_function('zero', function() return 0 end)";
        let newer = Library::new(source("2", more));
        let error = client.function(&newer, "zero", (), ()).await.unwrap_err();
        assert_eq!(error.to_string(), "FCALL: ERR Function not found");
        let zero = client.function(&newer.clone().replace(), "zero", (), ());
        assert_eq!(zero.into::<i64>().await.unwrap(), 0);
        let version = client.function_ro(&newer, "version", (), ());
        assert_eq!(version.into::<String>().await.unwrap(), "2");

        let broken = Library::new("#!lua name=broken\n this is no Lua");
        let error = client.function(&broken, "f", (), ()).await.unwrap_err();
        assert_eq!(error.command(), Some("FUNCTION LOAD"));
        assert_eq!(error.outcome(), Outcome::Rejected);
    })
    .await;
}

#[tokio::test]
async fn a_monitor_sees_what_others_run_and_says_when_it_ends() {
    on_every_server("MONITOR", async |client| {
        let mut monitor = client.monitor().await.unwrap();
        client
            .set("key \"quoted\"", &b"\x00\xff\r\n"[..])
            .await
            .unwrap();
        let command = timeout(Duration::from_secs(60), monitor.next())
            .await
            .expect("in time")
            .unwrap()
            .unwrap();
        assert_eq!(
            command.args,
            [&b"SET"[..], b"key \"quoted\"", b"\x00\xff\r\n"]
        );
        assert_eq!(command.db, 0);
        assert!(command.client.contains(':'), "{command:?}");
    })
    .await;

    let Some(mut redis) = Redis::start(&[]).await else {
        return;
    };
    let client = Client::connect(redis.config()).await.unwrap();
    let mut monitor = client.monitor().await.unwrap();
    redis.kill();
    let error = timeout(Duration::from_secs(60), monitor.next())
        .await
        .expect("in time")
        .unwrap()
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error:?}");
    assert!(monitor.next().await.is_none());
}

#[tokio::test]
async fn what_happens_to_keys_is_a_subscription() {
    on_every_server("PSUBSCRIBE", async |client| {
        let notify = ("notify-keyspace-events", "KA");
        client.config_set(notify).await.unwrap();
        let client = Client::connect(client.config().clone().db(2))
            .await
            .unwrap();
        let mut events = client.key_events("user:*").await.unwrap();
        client.set("other", 1).await.unwrap();
        client.set("user:1", 1).await.unwrap();
        client.del("user:1").await.unwrap();
        for expected in ["set", "del"] {
            match timeout(Duration::from_secs(60), events.next())
                .await
                .expect("in time")
            {
                Some(Event::Message(message)) => {
                    let event = message.key_event().expect("of a key");
                    assert_eq!((event.db, &event.key[..]), (2, &b"user:1"[..]));
                    assert_eq!(event.event, expected);
                }
                other => panic!("{other:?}"),
            }
        }
        client.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_script_that_says_what_servers_say_is_run_once() {
    on_every_server("EVALSHA", async |client| {
        for said in [
            "NOSCRIPT none here",
            "READONLY since today",
            "TRYAGAIN tomorrow",
        ] {
            let script = Script::new(format!(
                "redis.call('INCR', KEYS[1]) return redis.error_reply('{said}')"
            ));
            // So that it is known by its hash.
            client.script_load(script.source()).await.unwrap();
            client.set("n", 0).await.unwrap();
            let error = client.script(&script, "n", ()).await.unwrap_err();
            assert_eq!(error.server_error().unwrap().text(), said);
            assert!(!error.had_no_effect(), "it has counted: {error:?}");
            let counted: i64 = client.get("n").into().await.unwrap();
            assert_eq!(counted, 1, "{said}");
        }
        let unknown = client.evalsha("0".repeat(40), "n", ()).await.unwrap_err();
        assert!(unknown.had_no_effect(), "{unknown:?}");
    })
    .await;
}
