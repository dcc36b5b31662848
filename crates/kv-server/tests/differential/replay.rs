//! What `on_write` hands on, run on a second server, gives the same data.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_server::{Clock, Effect, Server};

use crate::common::{Client, start};
use crate::generate::{self, KEYS, Rng};

/// All that can be seen of the keys of the databases that the sequences use, but for encodings: INCRBYFLOAT arrives as SET.
async fn state(client: &mut Client) -> Vec<String> {
    let mut state = Vec::new();
    for db in ["0", "1", "2", "15"] {
        client.check(&format!("SELECT {db}"), "+OK\r\n").await;
        for key in KEYS {
            for name in [
                &b"GET"[..],
                b"PEXPIRETIME",
                b"LRANGE",
                b"SMEMBERS",
                b"HGETALL",
                b"ZRANGE",
            ] {
                match name {
                    b"LRANGE" => client.request([name, key, b"0", b"-1"]).await,
                    b"ZRANGE" => {
                        client
                            .request([name, key, b"0", b"-1", b"WITHSCORES"])
                            .await
                    }
                    _ => client.request([name, key]).await,
                }
                let mut reply = client.reply().await;
                if matches!(name, b"SMEMBERS" | b"HGETALL") {
                    let mut lines: Vec<_> = reply.split("\r\n").collect();
                    lines.sort_unstable();
                    reply = lines.join(" ");
                }
                state.push(format!(
                    "{db} {} \"{}\": {reply:?}",
                    name.escape_ascii(),
                    key.escape_ascii()
                ));
            }
        }
        for key in [&b"a"[..], b"b", b"c", b"s", b"t"] {
            stream_state(db, key, client, &mut state).await;
        }
        state.push(client.call("DBSIZE").await);
    }
    state
}

/// All that a stream's effects say. How often a consumer has asked for what it has already is not among that, and neither are
/// consumers who were given nothing, nor how many entries a group has read.
async fn stream_state(db: &str, key: &[u8], client: &mut Client, state: &mut Vec<String>) {
    client.request([b"XRANGE", key, b"-", b"+"]).await;
    state.push(client.reply().await);
    client.request([&b"XINFO"[..], b"STREAM", key]).await;
    let stream = client.reply().await;
    for name in [
        "last-generated-id",
        "max-deleted-entry-id",
        "entries-added",
        "recorded-first-entry-id",
        "groups",
    ] {
        let value = stream
            .split_once(name)
            .map(|(_, rest)| rest.lines().take(3).collect::<String>());
        state.push(format!("{db} {}: {name} {value:?}", key.escape_ascii()));
    }
    client.request([&b"XINFO"[..], b"GROUPS", key]).await;
    let groups = client.reply().await;
    let last = groups.split("last-delivered-id").skip(1);
    state.extend(last.map(|rest| rest.lines().take(3).collect()));
    for group in [&b"g"[..], b"h"] {
        client.request([b"XPENDING", key, group]).await;
        state.push(client.reply().await);
    }
}

#[tokio::test]
async fn effects_give_a_second_server_the_same_data() {
    const SEQUENCES: u64 = 200;
    const LENGTH: u64 = 60;
    let clock = Clock::manual();
    let effects = Arc::new(Mutex::new(Vec::<Effect>::new()));
    let seen = effects.clone();
    let first = start(
        Server::builder()
            .clock(clock.clone())
            .on_write(move |effect| seen.lock().unwrap().push(effect.clone())),
    )
    .await;
    // The follower's clock stands still at the beginning: what expires, expires there because it is told so.
    let second = start(Server::builder().clock(Clock::manual())).await;
    let mut source = Client::new(&first);
    let mut follower = Client::new(&second);
    for seed in 0..SEQUENCES {
        let mut rng = Rng::new(seed);
        for _ in 0..LENGTH {
            let step = generate::step(&mut rng);
            source.request(&step.args).await;
            source.reply().await;
        }
        // Seconds go by, so that relative times differ from those that a replay would compute.
        clock.advance(Duration::from_secs(7));
        let expected = state(&mut source).await;
        let applied = std::mem::take(&mut *effects.lock().unwrap());
        for Effect { db, command } in applied {
            follower.check(&format!("SELECT {db}"), "+OK\r\n").await;
            follower.request(&command).await;
            let reply = follower.reply().await;
            assert!(!reply.starts_with('-'), "{command:?}: {reply}");
        }
        assert_eq!(
            state(&mut follower).await,
            expected,
            "after sequence {seed}"
        );
    }
}
