//! The `fred` crate against kv-server: real sessions in RESP2 and RESP3.

use fred::prelude::*;
use fred::types::RespVersion;
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
