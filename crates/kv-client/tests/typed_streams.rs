//! Typed commands on streams against real servers, in RESP2 and RESP3.

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use std::time::Duration;

use bytes::Bytes;
use kv_client::{Client, StreamId, Trim};
use servers::on_every_server;

fn id(text: &str) -> StreamId {
    text.parse().expect("an id")
}

#[tokio::test]
async fn entries() {
    on_every_server("XADD", async |client: Client| {
        let c = &client;
        let fields = [("temperature", "20"), ("temperature", "21")];
        assert_eq!(c.xadd("s", "1-1", fields).await.unwrap(), id("1-1"));
        assert_eq!(c.xadd("s", "2-*", ("n", 2)).await.unwrap(), id("2-0"));
        let made = c.xadd("s", "*", ("n", 3)).await.unwrap();
        assert!(made > id("2-0"));
        assert_eq!(
            c.xadd("nope", "*", ("n", 1)).nomkstream().await.unwrap(),
            None
        );
        assert_eq!(c.xlen("s").await.unwrap(), 3);

        let all = c.xrange("s", "-", "+").await.unwrap();
        assert_eq!(all[0].id, id("1-1"));
        assert_eq!(
            all[0].fields[1],
            (Bytes::from("temperature"), Bytes::from("21"))
        );
        assert_eq!(all[0].get("temperature").unwrap(), "20");
        assert_eq!(all[0].get("nope"), None);
        let last = c.xrevrange("s", "+", "-").count(1).await.unwrap();
        assert_eq!(last[0].id, made);
        assert_eq!(c.xdel("s", [made, id("9-9")]).await.unwrap(), 1);
        let trimmed = c.xadd("s", "3-0", ("n", 4)).trim(Trim::MaxLen(2)).await;
        assert!(trimmed.is_err(), "ids only grow: {trimmed:?}");
        c.xadd("s", "*", ("n", 4))
            .trim(Trim::MaxLen(2))
            .await
            .unwrap();
        assert_eq!(c.xtrim("s", Trim::MinId(StreamId::MAX)).await.unwrap(), 2);
        c.xsetid("s", StreamId::MAX).entries_added(9).await.unwrap();
        let info = c.xinfo_stream("s").await.unwrap();
        assert_eq!((info.length, info.last_generated_id), (0, StreamId::MAX));
        assert_eq!((info.entries_added, info.first_entry), (Some(9), None));
    })
    .await;
}

#[tokio::test]
async fn reading_behind_an_id_and_waiting_for_more() {
    on_every_server("XREAD", async |client: Client| {
        let c = &client;
        c.xadd("a", "1-0", ("f", "v")).await.unwrap();
        c.xadd("b", "5-0", ("f", "w")).await.unwrap();
        let read = c
            .xread([("a", "0"), ("b", "0"), ("nope", "0")])
            .count(1)
            .await
            .unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].0, "b");
        assert_eq!(read[1].1[0].get("f").unwrap(), "w");
        assert!(c.xread([("a", StreamId::MAX)]).await.unwrap().is_empty());
        let nothing = c.xread([("a", "$")]).block(Duration::from_millis(10)).await;
        assert!(nothing.unwrap().is_empty());

        let waiting = tokio::spawn({
            let client = client.clone();
            async move {
                client
                    .xread([("a", "$")])
                    .block(Duration::from_secs(120))
                    .await
            }
        });
        let blocked = async {
            while !c.client_list().await.unwrap().contains("cmd=xread") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), blocked)
            .await
            .expect("XREAD waits");
        c.xadd("a", "7-7", ("f", "x")).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap()[0].1[0].id, id("7-7"));
    })
    .await;
}

#[tokio::test]
async fn groups() {
    on_every_server("XREADGROUP", async |client: Client| {
        let c = &client;
        c.xgroup_create("s", "g", "0").mkstream().await.unwrap();
        let busy = c.xgroup_create("s", "g", "0").await.unwrap_err();
        assert_eq!(busy.code(), Some("BUSYGROUP"));
        assert_eq!(busy.command(), Some("XGROUP CREATE"));
        assert!(c.xgroup_createconsumer("s", "g", "idle").await.unwrap());
        for n in 1..=4u32 {
            c.xadd(
                "s",
                StreamId {
                    ms: n.into(),
                    seq: 0,
                },
                ("n", n),
            )
            .await
            .unwrap();
        }
        let mine = c
            .xreadgroup("g", "me", [("s", ">")])
            .count(2)
            .await
            .unwrap();
        assert_eq!(
            mine[0]
                .1
                .iter()
                .map(|entry| entry.id.ms)
                .collect::<Vec<_>>(),
            [1, 2]
        );
        let rest = c
            .xreadgroup("g", "you", [("s", ">")])
            .block(Duration::from_secs(5));
        assert_eq!(rest.await.unwrap()[0].1.len(), 2);
        assert!(
            c.xreadgroup("g", "me", [("s", ">")])
                .noack()
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(c.xack("s", "g", [id("1-0"), id("9-9")]).await.unwrap(), 1);

        let pending = c.xpending("s", "g").await.unwrap();
        assert_eq!(
            (pending.count, pending.min, pending.max),
            (3, Some(id("2-0")), Some(id("4-0")))
        );
        assert_eq!(pending.consumers, [("me".into(), 1), ("you".into(), 2)]);
        let entries = c
            .xpending_range("s", "g", "-", "+", 9)
            .consumer("you")
            .await
            .unwrap();
        assert_eq!(
            (entries.len(), entries[0].id, entries[0].deliveries),
            (2, id("3-0"), 1)
        );
        assert_eq!(entries[0].consumer, "you");
        let old = c
            .xpending_range("s", "g", "-", "+", 9)
            .idle(Duration::from_secs(3600));
        assert!(old.await.unwrap().is_empty());

        let claimed = c
            .xclaim("s", "g", "me", Duration::ZERO, id("3-0"))
            .retrycount(7);
        assert_eq!(claimed.await.unwrap()[0].get("n").unwrap(), "3");
        let ids = c
            .xclaim("s", "g", "me", Duration::ZERO, [id("3-0")])
            .justid()
            .await
            .unwrap();
        assert_eq!(ids, [id("3-0")]);
        c.xdel("s", id("4-0")).await.unwrap();
        let auto = c
            .xautoclaim("s", "g", "me", Duration::ZERO, "0")
            .count(9)
            .await
            .unwrap();
        assert_eq!((auto.next, auto.claimed.len()), (StreamId::MIN, 2));
        assert_eq!(auto.deleted, [id("4-0")]);
        let auto = c
            .xautoclaim("s", "g", "you", Duration::ZERO, "0")
            .count(1)
            .justid()
            .await;
        let auto = auto.unwrap();
        assert_eq!((auto.next, auto.claimed), (id("3-0"), vec![id("2-0")]));

        c.xdel("s", id("2-0")).await.unwrap();
        let history = c.xreadgroup("g", "you", [("s", "0")]).await.unwrap();
        assert_eq!(
            (history[0].1[0].id, history[0].1[0].fields.len()),
            (id("2-0"), 0)
        );
        assert_eq!(c.xgroup_delconsumer("s", "g", "you").await.unwrap(), 1);
        c.xgroup_setid("s", "g", "$").await.unwrap();
        assert!(c.xgroup_destroy("s", "g").await.unwrap());
        assert!(!c.xgroup_destroy("s", "g").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_the_server_knows_of_a_stream() {
    on_every_server("XREADGROUP", async |client: Client| {
        let c = &client;
        c.xadd("s", "1-0", ("f", "v")).await.unwrap();
        c.xadd("s", "2-0", ("f", "w")).await.unwrap();
        c.xgroup_create("s", "g", "0").await.unwrap();
        c.xreadgroup("g", "me", [("s", ">")])
            .count(1)
            .await
            .unwrap();

        let stream = c.xinfo_stream("s").await.unwrap();
        assert_eq!((stream.length, stream.groups), (2, 1));
        assert_eq!(stream.first_entry.unwrap().get("f").unwrap(), "v");
        let groups = c.xinfo_groups("s").await.unwrap();
        assert_eq!((&groups[0].name, groups[0].pending), (&"g".into(), 1));
        assert_eq!((groups[0].entries_read, groups[0].lag), (Some(1), Some(1)));
        let consumers = c.xinfo_consumers("s", "g").await.unwrap();
        assert_eq!(
            (&consumers[0].name, consumers[0].pending),
            (&"me".into(), 1)
        );
        assert!(consumers[0].idle_ms < 60_000);
        let full = c.xinfo_stream_full("s", 1).await.unwrap();
        assert_eq!((full.length, full.entries.len()), (2, 1));
        assert_eq!(full.groups[0].pending[0].0, id("1-0"));
        assert_eq!(full.groups[0].consumers[0].pending[0].2, 1);
    })
    .await;
}
