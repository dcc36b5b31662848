//! The typed commands against real servers, in RESP2 and RESP3.

mod collections;
mod keys;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/servers.rs"]
mod servers;

use std::time::{Duration, SystemTime};

use kv_client::{Client, Config, Outcome};
use servers::{Redis, on_every_server};

#[tokio::test]
async fn pipelines_and_transactions_keep_types_apart() {
    on_every_server("MULTI", async |client: Client| {
        let c = &client;
        let (set, n, value, len) = c
            .pipeline((c.set("k", 41), c.incr("k"), c.get("k"), c.strlen("k")))
            .await
            .unwrap();
        let () = set;
        assert_eq!((n, value, len), (42, Some("42".into()), 2));
        let many = c
            .pipeline(
                (0..1000)
                    .map(|n| c.set(n.to_string(), n))
                    .collect::<Vec<_>>(),
            )
            .await
            .unwrap();
        assert_eq!(many.len(), 1000);
        let [a, b] = c
            .pipeline([c.get("7").into::<i64>(), c.get("8").into()])
            .await
            .unwrap();
        assert_eq!((a, b), (7, 8));

        let (ok, wrong, after) = c
            .pipeline((
                c.incr("k"),
                c.append("k", "x").into::<Vec<String>>(),
                c.incr("k"),
            ))
            .results()
            .await;
        assert_eq!(ok.unwrap(), 43);
        let wrong = wrong.unwrap_err();
        assert_eq!(
            (wrong.outcome(), wrong.command()),
            (Outcome::Executed, Some("APPEND"))
        );
        assert_eq!(after.unwrap_err().outcome(), Outcome::Rejected);

        c.set("k", 1).await.unwrap();
        assert_eq!(
            c.transaction((c.incr("k"), c.get("k").into::<i64>()))
                .await
                .unwrap(),
            (2, 2)
        );
        let (good, bad) = c
            .transaction((c.incr("k"), c.getex("k").ex(Duration::ZERO)))
            .results()
            .await
            .unwrap();
        assert_eq!(good.unwrap(), 3);
        assert_eq!(bad.unwrap_err().command(), Some("GETEX"));
        let error = c
            .transaction((c.incr("k"), c.command("NO-SUCH-COMMAND")))
            .await
            .unwrap_err();
        assert_eq!(
            (error.command(), error.outcome()),
            (Some("NO-SUCH-COMMAND"), Outcome::Rejected)
        );
        assert_eq!(
            c.get("k").into::<i64>().await.unwrap(),
            3,
            "nothing of it was run"
        );
        assert_eq!(
            c.pipeline(Vec::<kv_client::Command<'_, i64>>::new())
                .await
                .unwrap(),
            [0i64; 0]
        );
    })
    .await;
}

/// The compiler has to see that the futures of these are `Send`, whatever lifetimes their commands have.
#[tokio::test]
async fn commands_and_batches_go_through_generic_functions_in_a_task() {
    async fn later<T>(command: impl IntoFuture<Output = kv_client::Result<T>>) -> T {
        tokio::task::yield_now().await;
        command.await.unwrap()
    }

    let server = kv_server::Server::builder().start().await.unwrap();
    let client = Client::connect(server.url()).await.unwrap();
    let c = client.clone();
    let task = tokio::spawn(async move {
        let key = String::from("k");
        later(c.set(&key, 1)).await;
        let pair = later(c.pipeline((c.incr(&key), c.get(&key)))).await;
        let many = later(c.pipeline(vec![c.incr(&key), c.incr(&key)])).await;
        let all = later(c.transaction([c.incr(&key)])).await;
        let cached = later(c.get(&key).into::<i64>().cached()).await;
        (pair, many, all, cached)
    });
    assert_eq!(
        task.await.unwrap(),
        ((2, Some("2".into())), vec![3, 4], [5], 5)
    );
    client.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn the_connection_itself() {
    on_every_server("INFO", async |client: Client| {
        client.ping().await.unwrap();
        assert_eq!(client.echo("hi").await.unwrap(), "hi");
        client.set("where", "0").await.unwrap();
        client.select(1).await.unwrap();
        assert_eq!(client.get("where").await.unwrap(), None);
        client.select(0).await.unwrap();
        client.client_setname("me").await.unwrap();
        assert_eq!(
            client.client_getname().await.unwrap().as_deref(),
            Some("me")
        );
        assert!(client.client_id().await.unwrap() > 0);
        assert!(client.client_info().await.unwrap().contains("name=me"));
        assert!(
            client
                .info("server")
                .await
                .unwrap()
                .contains("redis_version")
        );
        let skew = client
            .time()
            .await
            .unwrap()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        assert!(skew > Duration::from_secs(1_600_000_000));
        assert_eq!(
            client
                .auth("no password is set")
                .await
                .unwrap_err()
                .outcome(),
            Outcome::Rejected
        );
    })
    .await;
}

#[tokio::test]
async fn a_restarted_server_is_found_again_with_login_and_database() {
    let Some(mut redis) = Redis::start(&["--requirepass", "secret"]).await else {
        return;
    };
    let config = redis
        .config()
        .credentials(kv_client::Credentials::password("secret"))
        .db(3)
        .client_name("phoenix");
    let client = Client::connect(config).await.unwrap();
    for round in 1..=3u64 {
        redis.kill();
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { client.set("k", "v").await }
        });
        redis.start_again().await;
        waiting.await.unwrap().unwrap();
        assert_eq!(client.get("k").await.unwrap(), Some("v".into()));
        let info = client.client_info().await.unwrap();
        assert!(
            info.contains("db=3") && info.contains("name=phoenix"),
            "{info}"
        );
        assert!(client.stats().connections > round);
    }
    let error = Client::connect(redis.config()).await.unwrap_err();
    assert_eq!(error.code(), Some("NOAUTH"));
}

#[tokio::test]
async fn unix_sockets_and_streams_in_memory_work_as_tcp_does() {
    let path = std::env::temp_dir().join(format!("kv-client-{}.sock", std::process::id()));
    let server = std::sync::Arc::new(
        kv_server::Server::builder()
            .unix_socket(&path)
            .start()
            .await
            .unwrap(),
    );
    let unix = Client::connect(format!("redis+unix://{}", path.display()))
        .await
        .unwrap();
    let memory = {
        let server = std::sync::Arc::clone(&server);
        Client::connect(Config::connector(move || {
            std::future::ready(Ok(server.connect()))
        }))
        .await
        .unwrap()
    };
    let tcp = Client::connect(server.addr()).await.unwrap();
    unix.set("k", "v").await.unwrap();
    assert_eq!(memory.get("k").await.unwrap(), Some("v".into()));
    assert_eq!(tcp.get("k").await.unwrap(), Some("v".into()));
}
