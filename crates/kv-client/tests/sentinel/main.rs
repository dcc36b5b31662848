//! A primary and a replica under three real sentinels, which make the replica the primary.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

#[cfg(feature = "tls")]
#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/requests.rs"]
mod requests;
#[cfg(feature = "tls")]
mod secured;
mod servers;
mod stale;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cluster::Secured;
use kv_client::{
    Client, Config, Credentials, CredentialsProvider, ErrorKind, Event, Outcome, Protocol,
};
use servers::Servers;
use tokio::time::timeout;

async fn port_of(client: &Client) -> u16 {
    let info = client.info("server").await.unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("tcp_port:"))
        .unwrap();
    line.trim().parse().unwrap()
}

/// One start for both kinds of failover: sentinels take seconds to find each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_follows_the_primary() {
    let Some(mut servers) = Servers::start(Secured::default()).await else {
        return;
    };
    // A sentinel that is not there is passed over.
    let free = ports::free_port();
    let url = format!(
        "redis-sentinel://127.0.0.1:{free},127.0.0.1:{}/the-service?command_timeout_ms=20000",
        servers.sentinels[0]
    );
    let client = Client::connect(&url)
        .await
        .expect("the second sentinel knows");
    assert_eq!(port_of(&client).await, servers.data[0]);
    client.set("k", "v").await.unwrap();
    client.close().await;

    // What sentinels announce is not where the server is reached.
    let asked = Arc::new(Mutex::new(Vec::new()));
    let config = servers.config().map_addresses({
        let asked = Arc::clone(&asked);
        move |host, port| {
            asked.lock().unwrap().push((host.to_owned(), port));
            ("localhost".to_owned(), port)
        }
    });
    let client = Client::connect(config).await.expect("localhost is here");
    assert_eq!(port_of(&client).await, servers.data[0]);
    client.close().await;
    let announced = ("127.0.0.1".to_owned(), servers.data[0]);
    assert!(asked.lock().unwrap().contains(&announced));

    let unknown = format!(
        "redis-sentinel://127.0.0.1:{}/no-such-service",
        servers.sentinels[0]
    );
    let error = Client::connect(&unknown).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoPrimary { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "no sentinel knows a primary of 'no-such-service'"
    );

    logins_of_sentinels_and_servers_are_asked_for(&servers).await;
    a_primary_that_steps_down_is_left(&servers).await;
    a_primary_that_dies_is_replaced(&mut servers).await;
}

/// Sentinels and servers have users of their own, whose passwords change.
async fn logins_of_sentinels_and_servers_are_asked_for(servers: &Servers) {
    let set_user = |ports: &[u16], user: &str, rule: &str| {
        for &port in ports {
            let rules = ["ACL", "SETUSER", user, "on", rule, "~*", "&*", "+@all"];
            assert_eq!(servers.cli(port, &rules), "OK");
        }
    };
    set_user(&servers.sentinels, "watcher", ">s0");
    set_user(&servers.data, "app", ">d0");
    let passwords = Arc::new(Mutex::new(("s0", "d0")));
    let provider = |user: &'static str, pick: fn(&(&'static str, &'static str)) -> &'static str| {
        let passwords = Arc::clone(&passwords);
        CredentialsProvider::new(move || {
            let password = pick(&passwords.lock().unwrap());
            async move { Ok::<_, std::io::Error>(Credentials::new(user, password)) }
        })
    };
    let config = servers
        .config()
        .credentials(provider("app", |all| all.1))
        .sentinel_credentials(provider("watcher", |all| all.0));
    let wrong = config
        .clone()
        .sentinel_credentials(Credentials::new("watcher", "wrong"));
    let error = Client::connect(wrong).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoPrimary { .. }),
        "{error:?}"
    );
    let client = Client::connect(config).await.expect("both logins are good");
    assert_eq!(client.acl_whoami().await.unwrap(), "app");
    // From one pair of passwords to the next, and then every connection is cut.
    set_user(&servers.sentinels, "watcher", ">s1");
    set_user(&servers.data, "app", ">d1");
    *passwords.lock().unwrap() = ("s1", "d1");
    client.reauthenticate().await.expect("the new one is known");
    set_user(&servers.sentinels, "watcher", "<s0");
    set_user(&servers.data, "app", "<d0");
    for &port in &servers.sentinels {
        servers.cli(port, &["CLIENT", "KILL", "USER", "watcher"]);
    }
    servers.cli(servers.data[0], &["CLIENT", "KILL", "USER", "app"]);
    client.set("login", "v").await.expect("asked for both anew");
    client.close().await;
}

/// The old primary lives on as a replica. Nothing that it answered is lost, so the counter is exact.
async fn a_primary_that_steps_down_is_left(servers: &Servers) {
    let resp3 = Client::connect(servers.config()).await.unwrap();
    let resp2 = Client::connect(servers.config().protocol(Protocol::Resp2))
        .await
        .unwrap();
    let mut news = resp2.subscribe("news").await.unwrap();
    let old = port_of(&resp3).await;
    let popper = resp3.clone();
    let pop = tokio::spawn(async move {
        popper
            .command("BLPOP")
            .arg(("queue", 30))
            .into::<(String, String)>()
            .await
    });

    // A sentinel looks at its replicas every ten seconds; until then it knows none that is fit.
    servers
        .until(|servers| {
            servers.cli(
                servers.sentinels[0],
                &["SENTINEL", "FAILOVER", "the-service"],
            ) == "OK"
        })
        .await;
    let begin = Instant::now();
    let (mut sure, mut maybe) = (0, 0);
    let mut new = old;
    while new == old {
        assert!(
            begin.elapsed() < Duration::from_secs(120),
            "the client stays with the old primary"
        );
        match resp3
            .incr("counter")
            .await
            .map_err(|error| (error.outcome(), error))
        {
            Ok(_) => sure += 1,
            Err((Outcome::MaybeExecuted, _)) => maybe += 1,
            Err((Outcome::NotSent | Outcome::Rejected, _)) => {}
            Err((Outcome::Executed, error)) => panic!("{error}"),
        }
        new = port_of(&resp3).await;
    }
    let value = resp3.get("counter").into::<i64>().await.unwrap();
    assert!(
        (1..=sure + maybe).contains(&value),
        "{value}, {sure} sure and {maybe} maybe"
    );
    // Both kinds of connection, and the command that blocks, have gone to the new primary.
    resp2
        .set("k", "w")
        .await
        .expect("the new primary takes writes");
    assert_eq!(port_of(&resp2).await, new);
    resp3.rpush("queue", "job").await.unwrap();
    let popped = timeout(Duration::from_secs(60), pop)
        .await
        .expect("in time")
        .unwrap();
    match popped {
        Ok(popped) => assert_eq!(popped, ("queue".to_owned(), "job".to_owned())),
        // Its connection was cut while it blocked: nothing is known, and it says so.
        Err(error) => assert_eq!(error.outcome(), Outcome::MaybeExecuted, "{error}"),
    }
    let publishing = async {
        while resp3.publish("news", "fresh").await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), publishing)
        .await
        .expect("subscribed at the new primary");
    loop {
        match timeout(Duration::from_secs(60), news.next())
            .await
            .expect("in time")
        {
            Some(Event::Gap(_)) => {}
            Some(Event::Message(message)) => {
                break assert_eq!(message.payload, Bytes::from("fresh"));
            }
            other => panic!("{other:?}"),
        }
    }
    resp3.close().await;
    resp2.close().await;
}

async fn a_primary_that_dies_is_replaced(servers: &mut Servers) {
    // The replica of now must follow before it can take over.
    servers
        .until(|servers| {
            let following = |&port: &u16| {
                servers
                    .cli(port, &["INFO", "replication"])
                    .contains("master_link_status:up")
            };
            servers.data.iter().any(following)
        })
        .await;
    // Only one of the sentinels is configured, and that one dies too: the others are known by then.
    let sentinel = servers.sentinels[0];
    let config = Config::sentinel("the-service", [("127.0.0.1", sentinel)]);
    let client = Client::connect(config.command_timeout(Duration::from_secs(120)))
        .await
        .unwrap();
    client.set("before", "v").await.unwrap();
    let old = port_of(&client).await;
    servers.kill(sentinel);
    servers.kill(old);
    let begin = Instant::now();
    client
        .set("after", "w")
        .await
        .expect("the replica takes over");
    eprintln!("recovered after {:?}", begin.elapsed());
    assert_ne!(port_of(&client).await, old);
    assert_eq!(client.stats().connections, 2);
    client.close().await;
}
