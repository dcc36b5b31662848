//! The `fred` crate against kv-server: real sessions in RESP2 and RESP3.

use fred::prelude::*;
use fred::types::RespVersion;
use fred::types::sorted_sets::{Ordering, ZSort};
use kv_server::Server;

async fn connect(server: &Server, version: RespVersion) -> Client {
    let mut config = Config::from_url(&server.url()).unwrap();
    config.version = version;
    let client = Builder::from_config(config).build().unwrap();
    client.init().await.unwrap();
    client
}

#[tokio::test]
async fn commands_pipelines_and_transactions() -> Result<(), Error> {
    for version in [RespVersion::RESP2, RespVersion::RESP3] {
        let server = Server::builder().start().await.unwrap();
        let client = connect(&server, version).await;
        let () = client
            .set("key", "value", Some(Expiration::EX(60)), None, false)
            .await?;
        assert_eq!(client.get::<String, _>("key").await?, "value");
        assert!((1..=60).contains(&client.ttl::<i64, _>("key").await?));
        assert_eq!(client.incr_by::<i64, _>("n", 41).await?, 41);

        let pipeline = client.pipeline();
        let () = pipeline.incr("n").await?;
        let () = pipeline.get("nothing").await?;
        let (n, nothing): (i64, Option<String>) = pipeline.all().await?;
        assert_eq!((n, nothing), (42, None));

        let transaction = client.multi();
        let () = transaction.incr("n").await?;
        let () = transaction.del("key").await?;
        let (n, deleted): (i64, i64) = transaction.exec(true).await?;
        assert_eq!((n, deleted), (43, 1));
        client.quit().await?;
        server.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn subscribers_get_messages() -> Result<(), Error> {
    for version in [RespVersion::RESP2, RespVersion::RESP3] {
        let server = Server::builder().start().await.unwrap();
        let (subscriber, publisher) = (
            connect(&server, version.clone()).await,
            connect(&server, version).await,
        );
        let mut messages = subscriber.message_rx();
        let () = subscriber.subscribe("news").await?;
        assert_eq!(publisher.publish::<i64, _, _>("news", "hello").await?, 1);
        let message = messages.recv().await.unwrap();
        assert_eq!(
            (
                message.channel.to_string(),
                message.value.convert::<String>()?
            ),
            ("news".to_owned(), "hello".to_owned())
        );
        subscriber.quit().await?;
        publisher.quit().await?;
    }
    Ok(())
}

#[tokio::test]
async fn sorted_sets() -> Result<(), Error> {
    for version in [RespVersion::RESP2, RespVersion::RESP3] {
        let server = Server::builder().start().await.unwrap();
        let client = connect(&server, version.clone()).await;
        let scores = vec![(1.5, "ada"), (2.0, "bob"), (3.0, "cy")];
        let added: i64 = client.zadd("z", None, None, false, false, scores).await?;
        assert_eq!(added, 3);
        let raised = vec![(1.0, "ada"), (5.0, "bob")];
        let greater = Some(Ordering::GreaterThan);
        let changed: i64 = client.zadd("z", None, greater, true, false, raised).await?;
        assert_eq!(changed, 1, "a lower score changes nothing");
        assert_eq!(client.zscore::<f64, _, _>("z", "bob").await?, 5.0);
        assert_eq!(client.zrank::<i64, _, _>("z", "bob", false).await?, 2);
        assert_eq!(client.zincrby::<f64, _, _>("z", 0.25, "cy").await?, 3.25);
        let by_score: Vec<String> = client
            .zrange("z", 1.6, 100.0, Some(ZSort::ByScore), false, None, false)
            .await?;
        assert_eq!(by_score, ["cy", "bob"]);
        let last: Vec<(String, f64)> = client.zrange("z", 0, 1, None, true, None, true).await?;
        assert_eq!(last, [("bob".to_owned(), 5.0), ("cy".to_owned(), 3.25)]);
        let first: Vec<(String, f64)> = client.zpopmin("z", Some(1)).await?;
        assert_eq!(first, [("ada".to_owned(), 1.5)]);
        let popped: (String, String, f64) = {
            let waiting = connect(&server, version).await;
            let waits = tokio::spawn(async move { waiting.bzpopmin("later", 0.0).await });
            let () = client
                .zadd("later", None, None, false, false, (7.0, "dee"))
                .await?;
            waits.await.unwrap()?
        };
        assert_eq!(popped, ("later".to_owned(), "dee".to_owned(), 7.0));
        client.quit().await?;
    }
    Ok(())
}
