//! Logins that change while commands run.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_client::{Client, Config, Credentials, CredentialsProvider, ErrorKind, Outcome, Protocol};
use servers::Redis;

/// What is given to whoever asks: a password that can be changed, or an excuse.
#[derive(Clone, Default)]
struct Vault {
    password: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicU64>,
}

impl Vault {
    fn new(password: &str) -> Self {
        let vault = Self::default();
        vault.put(Some(password));
        vault
    }

    fn put(&self, password: Option<&str>) {
        *self.password.lock().unwrap() = password.map(str::to_owned);
    }

    fn provider(&self) -> CredentialsProvider {
        let vault = self.clone();
        CredentialsProvider::new(move || {
            let vault = vault.clone();
            async move {
                vault.asked.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                let password = vault.password.lock().unwrap().clone();
                let password = password.ok_or_else(|| io::Error::other("the vault is locked"))?;
                Ok::<_, io::Error>(Credentials::new("app", password))
            }
        })
    }
}

/// A server with the user `app`, and a client of the default user that governs it.
async fn governed(password: &str) -> Option<(Redis, Client)> {
    let redis = Redis::start(&[]).await?;
    let admin = Client::connect(redis.config()).await.unwrap();
    allow(&admin, &format!(">{password}")).await;
    Some((redis, admin))
}

async fn allow(admin: &Client, rule: &str) {
    let set = admin.command("ACL").arg(("SETUSER", "app", "on", rule));
    set.arg(("~*", "&*", "+@all"))
        .into::<()>()
        .await
        .expect("ACL SETUSER");
}

async fn cut(admin: &Client) {
    let kill = admin.command("CLIENT").arg(("KILL", "USER", "app"));
    kill.into::<i64>().await.expect("CLIENT KILL");
}

async fn who(client: &Client) -> String {
    client.acl_whoami().await.expect("a login")
}

#[tokio::test]
async fn passwords_rotate_while_commands_run_and_no_command_fails_for_it() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let Some((redis, admin)) = governed("password-0").await else {
            return;
        };
        let vault = Vault::new("password-0");
        let config = redis
            .config()
            .protocol(protocol)
            .credentials(vault.provider());
        let client = Client::connect(config).await.expect("the first password");
        let stop = Arc::new(AtomicBool::new(false));
        let traffic = tokio::spawn({
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            async move {
                let (mut sure, mut maybe) = (0, 0);
                while !stop.load(Ordering::Relaxed) {
                    match client.incr("counter").await {
                        Ok(_) => sure += 1,
                        Err(error) => {
                            assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error:?}");
                            assert_eq!(error.outcome(), Outcome::MaybeExecuted);
                            maybe += 1;
                        }
                    }
                }
                (sure, maybe)
            }
        });
        for round in 1..=5 {
            let (old, new) = (
                format!("password-{}", round - 1),
                format!("password-{round}"),
            );
            allow(&admin, &format!(">{new}")).await;
            vault.put(Some(&new));
            client
                .reauthenticate()
                .await
                .expect("the server knows both");
            allow(&admin, &format!("<{old}")).await;
            // A command that blocks has a connection of its own, made with the login of now.
            client.rpush("queue", round).await.unwrap();
            let popped = client.command("BLPOP").arg(("queue", 5));
            popped
                .into::<(String, i64)>()
                .await
                .expect("a lane logs in");
            if round % 2 == 0 {
                // Whoever comes back does so with the present password.
                cut(&admin).await;
                while client.ping().await.is_err() {}
            }
        }
        stop.store(true, Ordering::Relaxed);
        let (sure, maybe) = traffic.await.expect("no command failed for its login");
        let counter: i64 = client.get("counter").into().await.unwrap();
        assert!(
            (sure..=sure + maybe).contains(&counter),
            "{counter}, {sure} sure and {maybe} maybe"
        );
        assert_eq!(who(&client).await, "app");
        client.close().await;
    }
}

#[tokio::test]
async fn a_new_login_is_taken_up_by_connections_that_stand() {
    let Some((redis, admin)) = governed("secret").await else {
        return;
    };
    let client = Client::connect(redis.config()).await.unwrap();
    assert_eq!(who(&client).await, "default");
    let login = Credentials::new("app", "secret");
    client.set_credentials(login).await.expect("a good login");
    assert_eq!(who(&client).await, "app");
    assert_eq!(client.stats().connections, 1, "without a reconnect");

    let wrong = Credentials::new("app", "not the secret");
    let error = client.set_credentials(wrong).await.unwrap_err();
    assert_eq!(
        (error.code(), error.outcome(), error.command()),
        (Some("WRONGPASS"), Outcome::Rejected, Some("AUTH"))
    );
    assert_eq!(who(&client).await, "app", "the old login is still good");
    cut(&admin).await;
    while client.ping().await.is_err() {}
    assert_eq!(who(&client).await, "app", "and is used again");
    assert_eq!(client.stats().connections, 2);

    // AUTH as a command is a login of the same kind.
    client.close().await;
    let client = Client::connect(redis.config()).await.unwrap();
    client.auth_user("app", "secret").await.unwrap();
    cut(&admin).await;
    while client.ping().await.is_err() {}
    assert_eq!(who(&client).await, "app");
    client.close().await;
}

#[tokio::test]
async fn a_provider_that_fails_or_is_late_is_asked_again_while_commands_wait() {
    let Some((redis, admin)) = governed("secret").await else {
        return;
    };
    let vault = Vault::default();
    let config = || {
        let config: Config = redis.config().credentials(vault.provider());
        config.command_timeout(Duration::from_secs(60))
    };
    let error = Client::connect(config()).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Credentials { .. }),
        "{error:?}"
    );
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        (error.to_string().as_str(), cause.as_str()),
        ("cannot log in", "the vault is locked")
    );

    vault.put(Some("secret"));
    let client = Client::connect(config()).await.expect("the vault is open");
    // Locked, then with a password that the server does not know yet.
    for (given, rule) in [(None, ">secret"), (Some("tomorrow's"), ">tomorrow's")] {
        vault.put(given);
        cut(&admin).await;
        let before = vault.asked.load(Ordering::Relaxed);
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { client.get("k").await }
        });
        // It was asked in vain, more than once.
        while vault.asked.load(Ordering::Relaxed) < before + 2 {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        allow(&admin, rule).await;
        if given.is_none() {
            vault.put(Some("secret"));
        }
        waiting.await.unwrap().expect("logged in at last");
    }
    client.close().await;
}

#[tokio::test]
async fn no_text_shows_a_password() {
    let Some((redis, _admin)) = governed("right").await else {
        return;
    };
    let secret = "hunter2";
    let credentials = Credentials::new("app", secret);
    let config = redis
        .config()
        .credentials(credentials.clone())
        .sentinel_credentials(credentials.clone());
    let asked = {
        let credentials = credentials.clone();
        CredentialsProvider::new(move || {
            let credentials = credentials.clone();
            async move { Ok::<_, io::Error>(credentials) }
        })
    };
    let refused = Client::connect(config.clone()).await.unwrap_err();
    let asked_in_vain = Client::connect(redis.config().credentials(asked.clone()))
        .await
        .unwrap_err();
    let lazy = Client::connect_lazy(config.clone()).unwrap();
    let auth = lazy.auth_user("app", secret);
    let plain = Client::connect(redis.config()).await.unwrap();
    let wrong = plain.auth_user("app", secret).await.unwrap_err();
    for text in [
        format!("{config} {config:?}"),
        format!("{credentials:?} {asked:?}"),
        format!("{:?}", CredentialsProvider::from(credentials.clone())),
        format!("{refused} {refused:?}"),
        format!("{asked_in_vain} {asked_in_vain:?}"),
        format!("{wrong} {wrong:?}"),
        format!("{lazy:?} {auth:?} {:?}", auth.request()),
    ] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(
        format!("{config}").contains("app@"),
        "the user is no secret"
    );
}
