//! Strings, keys and scans.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use kv_client::{Client, ErrorKind, ExpireTime, KeyType, Ttl};

use crate::servers::on_every_server;

#[tokio::test]
async fn strings() {
    on_every_server("PTTL", async |client: Client| {
        let c = &client;
        assert_eq!(c.get("k").await.unwrap(), None);
        c.set("k", "v").await.unwrap();
        assert_eq!(c.get("k").await.unwrap(), Some(Bytes::from("v")));
        assert!(!c.set("k", "w").nx().await.unwrap());
        assert!(c.set("k", "w").xx().await.unwrap());
        assert_eq!(c.set("k", "x").get().await.unwrap(), Some(Bytes::from("w")));
        c.set("k", "y")
            .ex(Duration::from_millis(90_500))
            .await
            .unwrap();
        c.set("k", "z").keepttl().await.unwrap();
        assert!(
            matches!(c.pttl("k").await.unwrap(), Ttl::Left(left) if left > Duration::from_secs(80))
        );
        assert_eq!(
            c.getex("k").persist().await.unwrap(),
            Some(Bytes::from("z"))
        );
        assert_eq!(c.ttl("k").await.unwrap(), Ttl::Persistent);
        c.getex("k").ex(Duration::from_secs(100)).await.unwrap();
        assert!(matches!(c.ttl("k").await.unwrap(), Ttl::Left(_)));
        assert_eq!(c.getdel("k").await.unwrap(), Some(Bytes::from("z")));
        assert_eq!(c.getset("k", "1").await.unwrap(), None);
        assert_eq!(c.append("k", "23").await.unwrap(), 3);
        assert_eq!(c.strlen("k").await.unwrap(), 3);
        assert_eq!(
            (c.incr("k").await.unwrap(), c.decr("k").await.unwrap()),
            (124, 123)
        );
        assert_eq!(
            (
                c.incrby("k", 7).await.unwrap(),
                c.decrby("k", 30).await.unwrap()
            ),
            (130, 100)
        );
        assert_eq!(c.incrbyfloat("k", 0.5).await.unwrap(), 100.5);
        assert_eq!(c.setrange("k", 3, "_").await.unwrap(), 5);
        assert_eq!(c.getrange("k", 0, -2).await.unwrap(), "100_");
        assert_eq!(c.substr("k", 3, 3).await.unwrap(), "_");
        c.setex("e", Duration::from_millis(1500), "v")
            .await
            .unwrap();
        c.psetex("e", Duration::from_secs(60), "v").await.unwrap();
        assert!(
            matches!(c.ttl("e").await.unwrap(), Ttl::Left(left) if left > Duration::from_secs(50))
        );
        c.mset([("a", "1"), ("b", "2")]).await.unwrap();
        assert_eq!(
            c.mget(["a", "nope", "b"]).await.unwrap(),
            [Some("1".into()), None, Some("2".into())]
        );
        assert!(!c.msetnx([("b", 1), ("c", 2)]).await.unwrap());
        assert!(c.setnx("c", 2).await.unwrap());
        c.mset([("x", "ohmytext"), ("y", "mynewtext")])
            .await
            .unwrap();
        assert_eq!(c.lcs("x", "y").await.unwrap(), "mytext");
        assert_eq!(c.lcs("x", "y").len().await.unwrap(), 6);
        assert!(!c.lcs("x", "y").idx(2).await.unwrap().is_null());
    })
    .await;
}

#[tokio::test]
async fn text_with_line_ends_and_binary_values_come_back_unharmed() {
    on_every_server("GET", async |client: Client| {
        let text = "r\u{e9}sum\u{e9}\r\n$5\r\n\u{4f60}\u{597d}\r\n";
        client.set("text", text).await.unwrap();
        assert_eq!(client.get("text").into::<String>().await.unwrap(), text);

        let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        client.set(&binary[..300], &binary).await.unwrap();
        assert_eq!(client.get(&binary[..300]).await.unwrap().unwrap(), binary);
        client
            .set("shared", Bytes::from(binary.clone()))
            .await
            .unwrap();
        assert_eq!(
            client.get("shared").into::<Vec<u8>>().await.unwrap(),
            binary
        );
        assert!(matches!(
            client
                .get("shared")
                .into::<String>()
                .await
                .unwrap_err()
                .kind(),
            ErrorKind::Reply(_)
        ));
        client.set("empty", "").await.unwrap();
        assert_eq!(client.get("empty").await.unwrap(), Some(Bytes::new()));
    })
    .await;
}

#[tokio::test]
async fn keys_and_expiry() {
    on_every_server("EXPIRE", async |client: Client| {
        let c = &client;
        c.mset([("a", 1), ("b", 2), ("c", 3)]).await.unwrap();
        assert_eq!(c.exists(["a", "b", "nope", "a"]).await.unwrap(), 3);
        assert_eq!(c.ttl("nope").await.unwrap(), Ttl::Missing);
        assert!(c.expire("a", Duration::from_secs(100)).await.unwrap());
        assert!(!c.expire("a", Duration::from_secs(50)).gt().await.unwrap());
        assert!(
            c.expire("a", Duration::from_millis(50_500))
                .lt()
                .await
                .unwrap()
        );
        assert!(!c.expire("b", Duration::from_secs(50)).xx().await.unwrap());
        assert!(c.pexpire("b", Duration::from_secs(50)).nx().await.unwrap());
        assert!(c.persist("b").await.unwrap());
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        assert!(c.expireat("c", at).await.unwrap());
        assert_eq!(c.expiretime("c").await.unwrap(), ExpireTime::At(at));
        let at = at + Duration::from_millis(7);
        assert!(c.pexpireat("c", at).await.unwrap());
        assert_eq!(c.pexpiretime("c").await.unwrap(), ExpireTime::At(at));
        assert_eq!(c.expiretime("b").await.unwrap(), ExpireTime::Persistent);

        assert_eq!(c.key_type("a").await.unwrap(), KeyType::String);
        assert_eq!(c.key_type("nope").await.unwrap(), KeyType::None);
        c.rename("a", "z").await.unwrap();
        assert!(!c.renamenx("z", "b").await.unwrap());
        assert!(c.copy("z", "y").await.unwrap());
        assert!(!c.copy("z", "b").await.unwrap());
        assert!(c.copy("z", "b").replace().await.unwrap());
        assert_eq!(
            c.keys("?").into::<BTreeSet<String>>().await.unwrap().len(),
            4
        );
        assert!(c.randomkey().await.unwrap().is_some());
        assert_eq!(c.touch(["z", "nope"]).await.unwrap(), 1);
        assert_eq!(
            c.object_encoding("z").await.unwrap().as_deref(),
            Some("int")
        );
        assert_eq!(c.dbsize().await.unwrap(), 4);
        assert_eq!(
            (
                c.del(["z", "nope"]).await.unwrap(),
                c.unlink("y").await.unwrap()
            ),
            (1, 1)
        );
        c.flushdb().await.unwrap();
        assert_eq!(c.dbsize().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_scan_returns_every_key() {
    on_every_server("SCAN", async |client: Client| {
        let keys: BTreeSet<String> = (0..500).map(|n| format!("key:{n}")).collect();
        client
            .mset(keys.iter().map(|key| (key, 1)).collect::<Vec<_>>())
            .await
            .unwrap();
        client.set("other", 1).await.unwrap();
        let mut found = BTreeSet::new();
        let mut scan = client
            .scan_keys()
            .matching("key:*")
            .count(50)
            .of_type("string");
        while let Some(key) = scan.next().await {
            found.insert(String::from_utf8(key.unwrap().to_vec()).unwrap());
        }
        assert_eq!(found, keys);
        assert!(scan.next().await.is_none(), "it stays at the end");
        let (cursor, page) = client.scan(0).matching("key:1?").count(1000).await.unwrap();
        assert_eq!((cursor, page.len()), (0, 10));
    })
    .await;
}
