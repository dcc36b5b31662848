//! Futures that are dropped at random points, on several threads, while others wait for their replies.
//!
//! With `CANCELLATION_SECONDS=60` each of these tests runs for a minute, that of the cache on each of two servers.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/servers.rs"]
mod servers;

use std::future::{Future, IntoFuture};
use std::time::{Duration, Instant};

use cluster::RedisCluster;
use kv_client::{Caching, Client, Config, Result};
use servers::Redis;

const TASKS: u64 = 32;

/// When a test has seen enough.
#[derive(Clone, Copy)]
struct Length {
    commands: u64,
    until: Option<Instant>,
}

impl Length {
    /// So many commands of each task, or as long as the environment says.
    fn of(commands: u64) -> Self {
        let seconds = std::env::var("CANCELLATION_SECONDS");
        let seconds = seconds.map(|text| text.parse().expect("a number"));
        Self {
            commands,
            until: seconds
                .ok()
                .map(|seconds| Instant::now() + Duration::from_secs(seconds)),
        }
    }

    fn goes_on(&self, command: u64) -> bool {
        match self.until {
            Some(until) => Instant::now() < until,
            None => command < self.commands,
        }
    }
}

/// Numbers of which no two tasks get the same row.
struct Random(u64);

impl Random {
    fn new(task: u64) -> Self {
        Self(task.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Waits for a reply, or drops its future somewhere on the way.
    async fn maybe<T>(&mut self, future: impl IntoFuture<Output = Result<T>>) -> Option<T> {
        let future = future.into_future();
        let random = self.next();
        if random % 3 == 0 {
            return Some(future.await.expect("a reply"));
        }
        let patience = Duration::from_micros(random % 300);
        let reply = tokio::time::timeout(patience, future).await.ok()?;
        Some(reply.expect("a reply"))
    }
}

/// Runs `task` side by side; checks that enough was answered, and that nothing is left over.
async fn run<F>(client: &Client, length: Length, task: impl Fn(Client, u64, Length) -> F)
where
    F: Future<Output = (u64, u64)> + Send + 'static,
{
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| tokio::spawn(task(client.clone(), number, length)))
        .collect();
    let (mut sent, mut answered) = (0, 0);
    for task in tasks {
        let (own_sent, own_answered) = task.await.expect("no reply was mixed up");
        sent += own_sent;
        answered += own_answered;
    }
    eprintln!("{answered} of {sent} were answered");
    assert!(answered > sent / 10, "only {answered} of {sent}");
    // Replies that nobody waits for any more still come in; then nothing is left.
    let drained = async {
        while client.stats().in_flight > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), drained)
        .await
        .expect("every reply came");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_is_dropped_every_reply_reaches_its_own_caller() {
    let server = kv_server::Server::builder().start().await.unwrap();
    let client = Client::connect(format!("{}?max_in_flight=20", server.url()))
        .await
        .expect("connects");
    run(&client, Length::of(2_000), echoes).await;
    assert_eq!(client.stats().connections, 1);
    client.close().await;
    server.shutdown().await;
}

async fn echoes(client: Client, task: u64, length: Length) -> (u64, u64) {
    let (mut random, mut sent, mut answered) = (Random::new(task), 0, 0);
    while length.goes_on(sent) {
        // Long ones are written in pieces, and shared with the write buffer.
        let long = if random.next() % 50 == 0 { 40_000 } else { 8 };
        let text = format!("{task}:{sent}:{}", "x".repeat(long));
        if let Some(reply) = random.maybe(client.echo(&text)).await {
            assert_eq!(reply, text);
            answered += 1;
        }
        sent += 1;
    }
    (sent, answered)
}

/// What is dropped may have gone over the connections of several nodes, while a slot of theirs moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_cluster_every_reply_reaches_its_own_caller_too() {
    let Some(cluster) = RedisCluster::start(5000).await else {
        return;
    };
    let client = Client::connect(cluster.config()).await.expect("connects");
    let sets = (0..KEYS).map(|n| client.set(key(n), key(n)));
    client.pipeline(sets.collect::<Vec<_>>()).await.unwrap();
    let slot = kv_client::key_slot(key(0));
    let home = client.cluster_node_of(key(0)).expect("a node has it");
    let kv_client::Address::Tcp { port: from, .. } = *home.address() else {
        panic!("a node has a port");
    };
    let primaries = cluster.primaries();
    let to = primaries.iter().find(|&&port| port != from).unwrap();
    // Half of the way, so that ASK is said all the time.
    cluster.begin_migration(slot, from, *to);
    cluster.migrate_keys(slot, from, *to, 1000);
    run(&client, Length::of(300), keyed).await;
    assert!(client.stats().redirects > 0, "one of the keys had moved");
    client.close().await;
}

const KEYS: u64 = 100;

fn key(number: u64) -> String {
    format!("key:{number}")
}

async fn keyed(client: Client, task: u64, length: Length) -> (u64, u64) {
    let (mut random, mut sent, mut answered) = (Random::new(task), 0, 0);
    while length.goes_on(sent) {
        let first = key(random.next() % KEYS);
        let second = key(random.next() % KEYS);
        let got = match random.next() % 4 {
            0 => {
                let get = client.get(&first).into::<String>();
                random.maybe(get).await.map(|got| vec![got])
            }
            1 => random.maybe(client.mget([&first, &second]).into()).await,
            2 => {
                let pair = (
                    client.get(&first).into::<String>(),
                    client.get(&second).into::<String>(),
                );
                let got = random.maybe(client.pipeline(pair)).await;
                got.map(|(first, second)| vec![first, second])
            }
            _ => {
                let get = client.transaction((client.get(&first).into::<String>(),));
                random.maybe(get).await.map(|(got,)| vec![got])
            }
        };
        if let Some(got) = got {
            let expected = [first, second];
            assert_eq!(got, expected[..got.len()]);
            answered += 1;
        }
        sent += 1;
    }
    (sent, answered)
}

/// A read that is dropped has been announced to the store; others change its key meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_a_cache_every_reply_is_that_of_its_own_key() {
    let ours = kv_server::Server::builder().start().await.unwrap();
    every_cached_reply_is_that_of_its_own_key(ours.url().parse().unwrap()).await;
    ours.shutdown().await;
    if let Some(redis) = Redis::start(&[]).await {
        every_cached_reply_is_that_of_its_own_key(redis.config()).await;
    }
}

async fn every_cached_reply_is_that_of_its_own_key(config: Config) {
    let config = config.caching(Caching::new().max_bytes(16 * 1024));
    let client = Client::connect(config).await.expect("connects");
    let sets = (0..KEYS).map(|n| client.set(key(n), key(n)));
    client.pipeline(sets.collect::<Vec<_>>()).await.unwrap();
    run(&client, Length::of(1_000), cached).await;
    let stats = client.cache_stats();
    assert!(
        stats.hits > 0 && stats.misses > 0 && stats.invalidated > 0,
        "{stats:?}"
    );
    // Nothing has kept what was changed: all values are the last ones.
    for n in 0..KEYS {
        client
            .set(key(n), format!("{}:last", key(n)))
            .await
            .unwrap();
    }
    for n in 0..KEYS {
        let read = || client.get(key(n)).cached();
        let last = async {
            while read().await.unwrap() != Some(format!("{}:last", key(n)).into()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), last)
            .await
            .expect("the server says what has changed");
    }
    client.close().await;
}

async fn cached(client: Client, task: u64, length: Length) -> (u64, u64) {
    let (mut random, mut sent, mut answered) = (Random::new(task), 0, 0);
    while length.goes_on(sent) {
        let name = key(random.next() % KEYS);
        if random.next() % 10 == 0 {
            let set = client.set(&name, format!("{name}:{task}"));
            answered += u64::from(random.maybe(set).await.is_some());
        } else if let Some(got) = random.maybe(client.get(&name).cached()).await {
            let got = String::from_utf8(got.expect("it is there").to_vec()).unwrap();
            let own = got.strip_prefix(&name);
            assert!(
                own.is_some_and(|rest| rest.is_empty() || rest.starts_with(':')),
                "{got} is not of {name}"
            );
            answered += 1;
        }
        sent += 1;
    }
    (sent, answered)
}
