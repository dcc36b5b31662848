//! The inbox on a key-value server, and a relay that is killed: with kv-server in this process, and with redis-server
//! and valkey-server if they are on the path.
#![cfg(all(feature = "kv", unix))]

#[path = "../../kv-client/tests/support/ports.rs"]
mod ports;

use std::{
    collections::HashSet,
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use framed_echo::{
    Kind, Message,
    client::{Backoff, Client, Event, Sent},
    inbox::{EntryId, Inbox, InboxError, KvInbox, Quota},
    relay::Relay,
    server::Server,
};
use futures::StreamExt;
use tokio::sync::watch;

use crate::ports::free_port;

/// Longer than anything here takes; a test that waits for so long has failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// A process that is killed, with `kill -9`, when it goes out of scope.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A key-value server of its own for a test.
struct Store {
    name: &'static str,
    url: String,
    client: kv_client::Client,
    process: Process,
}

enum Process {
    This(kv_server::Server),
    Other(Killed),
}

impl Store {
    async fn new(name: &'static str, url: String, process: Process) -> Self {
        let client = kv_client::Client::connect(&*url).await;
        Self {
            name,
            url,
            client: client.expect("it is ready"),
            process,
        }
    }

    fn inbox(&self, quota: Quota) -> KvInbox {
        KvInbox::new(self.client.clone(), quota)
    }

    /// It answers nobody any more.
    async fn stop(self) {
        match self.process {
            Process::This(server) => server.shutdown().await,
            Process::Other(killed) => drop(killed),
        }
    }
}

async fn kv_server() -> Store {
    let server = kv_server::Server::builder().start().await;
    let server = server.expect("a free port");
    Store::new("kv-server", server.url(), Process::This(server)).await
}

/// redis-server or valkey-server; `None` where it is not installed.
async fn installed(program: &'static str) -> Option<Store> {
    let found = Command::new(program).arg("--version").output();
    if found.is_err() {
        eprintln!("skipped: {program} is not installed");
        return None;
    }
    let port = free_port();
    let mut command = Command::new(program);
    command.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    let process = Process::Other(start(command, "Ready to accept connections"));
    Some(Store::new(program, format!("redis://127.0.0.1:{port}"), process).await)
}

/// All that there are, each empty.
async fn stores() -> impl Iterator<Item = Store> {
    let redis = installed("redis-server").await;
    let valkey = installed("valkey-server").await;
    let stores = [Some(kv_server().await), redis, valkey]
        .into_iter()
        .flatten();
    stores.inspect(|store| println!("on {}", store.name))
}

/// Starts a process, and waits until it says that it is ready.
fn start(mut command: Command, ready: &str) -> Killed {
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program is installed");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    let killed = Killed(child);
    let said = output.any(|line| line.expect("text").contains(ready));
    assert!(said, "it ended without saying {ready:?}");
    // Goes on reading: a full pipe would stop the process.
    std::thread::spawn(move || output.for_each(drop));
    killed
}

#[tokio::test]
async fn keeps_the_order_the_quota_and_the_count_of_bytes() {
    for store in stores().await {
        keeps_order_and_quota(&store).await;
    }
}

async fn keeps_order_and_quota(store: &Store) {
    let quota = Quota {
        messages: 3,
        bytes: 10,
        ttl: Some(Duration::from_secs(1000)),
    };
    let inbox = store.inbox(quota);
    let message = |text: &str| Message::text(9, 1, text);
    inbox.store(1, &message("你好")).await.expect("6 bytes");
    inbox.store(1, &message("b")).await.expect("7 bytes");
    let full = inbox
        .store(1, &message("1234"))
        .await
        .expect_err("11 bytes");
    assert!(
        matches!(
            full,
            InboxError::Full {
                receiver: 1,
                messages: 2,
                bytes: 7
            }
        ),
        "{full}"
    );

    let stored = inbox
        .fetch(1, EntryId::default(), 10)
        .await
        .expect("reachable");
    let texts: Vec<_> = stored.iter().map(|stored| stored.message.clone()).collect();
    assert_eq!(texts, [message("你好"), message("b")]);
    let behind = inbox
        .fetch(1, stored[0].entry, 10)
        .await
        .expect("reachable");
    assert_eq!(behind, stored[1..]);

    inbox
        .remove(1, &[stored[0].entry])
        .await
        .expect("reachable");
    inbox.store(1, &message("1234")).await.expect("5 bytes");
    inbox.store(1, &message("")).await.expect("3 messages");
    inbox.store(1, &message("")).await.expect_err("4 messages");
    let ttl: i64 = store
        .client
        .command("TTL")
        .arg("framed:inbox:{1}")
        .into()
        .await
        .expect("reachable");
    assert!((990..=1000).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn old_messages_make_room_and_are_not_fetched() {
    for store in stores().await {
        old_messages_make_room(&store).await;
    }
}

async fn old_messages_make_room(store: &Store) {
    let client = &store.client;
    let quota = Quota {
        messages: 2,
        bytes: 100,
        ttl: Some(Duration::from_secs(1000)),
    };
    let inbox = store.inbox(quota);
    // As if stored long ago: the id of an entry begins with its time.
    for id in ["5-1", "5-2"] {
        let add = client.command("XADD").arg("framed:inbox:{1}").arg(id);
        add.arg("h")
            .arg([0_u8; 21])
            .arg("b")
            .arg("old")
            .await
            .expect("reachable");
    }
    client
        .command("INCRBY")
        .arg("framed:inbox:{1}:bytes")
        .arg(6)
        .await
        .expect("reachable");
    inbox
        .store(1, &Message::text(9, 1, "new"))
        .await
        .expect("the old ones make room");
    let stored = inbox
        .fetch(1, EntryId::default(), 10)
        .await
        .expect("reachable");
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].message.body, "new");
    let bytes: usize = client
        .command("GET")
        .arg("framed:inbox:{1}:bytes")
        .into()
        .await
        .expect("reachable");
    assert_eq!(bytes, 3);
}

#[tokio::test]
async fn what_is_removed_twice_is_counted_once() {
    for store in stores().await {
        removing_twice_counts_once(&store).await;
    }
}

async fn removing_twice_counts_once(store: &Store) {
    let inbox = store.inbox(Quota::default());
    for text in ["four", "seven.."] {
        let message = Message::text(9, 1, text);
        inbox.store(1, &message).await.expect("reachable");
    }
    let fetched = inbox.fetch(1, EntryId::default(), 10).await;
    let first = [fetched.expect("reachable")[0].entry];
    // As two connections of one receiver do that have both got it.
    let (one, two) = tokio::join!(inbox.remove(1, &first), inbox.remove(1, &first));
    one.and(two).expect("reachable");
    let bytes = store.client.command("GET").arg("framed:inbox:{1}:bytes");
    let bytes: i64 = bytes.into().await.expect("reachable");
    assert_eq!(bytes, 7);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_a_refusal_and_not_a_loss() {
    // At once: each takes as long as the client is patient.
    let refused = stores().await.map(async |store| {
        let inbox = store.inbox(Quota::default());
        store.stop().await;
        let message = Message::new(9, 1, Kind::TEXT, "?");
        let stored = tokio::time::timeout(PATIENCE, inbox.store(1, &message)).await;
        let error = stored.expect("in time").expect_err("nobody is there");
        assert!(matches!(error, InboxError::Failed(_)), "{error}");
    });
    futures::future::join_all(refused).await;
}

const RELAY: &str = "FRAMED_ECHO_TEST_RELAY";

/// Not a test of its own: the process that is killed below. Without the variable it does nothing.
#[tokio::test]
async fn relay_process() {
    let Ok(setup) = env::var(RELAY) else {
        return;
    };
    let (address, url) = setup.split_once(' ').expect("address and URL");
    let inbox = KvInbox::connect(url).await.expect("the store runs");
    let server = Server::builder()
        .handler(Relay::new(inbox))
        .bind(address)
        .start()
        .await;
    let server = server.expect("a free port");
    println!("listening on {}", server.local_addr());
    std::future::pending().await
}

fn relay(address: &str, url: &str) -> Killed {
    let mut command = Command::new(env::current_exe().expect("this test"));
    command
        .args(["relay_process", "--exact", "--nocapture"])
        .env(RELAY, format!("{address} {url}"));
    start(command, "listening on")
}

/// Connects; if the relay has just been killed, as soon as it runs again.
async fn client(
    address: &str,
    id: u32,
    mut starts: watch::Receiver<usize>,
) -> (Client, framed_echo::client::Incoming) {
    let backoff = Backoff {
        first: Duration::from_millis(20),
        max: Duration::from_millis(100),
        attempts: None,
    };
    loop {
        starts.mark_unchanged();
        let builder = Client::builder(address)
            .id(id)
            .reconnect(Some(backoff.clone()));
        match builder.connect().await {
            Ok(connected) => return connected,
            Err(_) => starts.changed().await.expect("it is started again"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_acknowledged_message() {
    for store in stores().await {
        killed_again_and_again(&store.url).await;
    }
}

/// Ten kills while one client sends and another receives, comes and goes.
async fn killed_again_and_again(url: &str) {
    const MESSAGES: usize = 3000;
    const KILLS: usize = 10;

    let address = format!("127.0.0.1:{}", free_port());
    let mut process = relay(&address, url);
    let (started, starts) = watch::channel(1);
    let (alice, alice_in) = client(&address, 1, starts.clone()).await;
    drop(alice_in);

    let (progress, mut acknowledged_so_far) = watch::channel(0);
    let send = tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        for batch in 0..MESSAGES / 10 {
            let mut posted = Vec::new();
            for n in batch * 10..batch * 10 + 10 {
                let message = Message::text(1, 2, n.to_string());
                posted.push((n, alice.post(message).await.expect("open")));
            }
            for (n, posted) in posted {
                // A refusal would mean that the store failed; it does not here.
                match posted.outcome().await.expect("answered in the end") {
                    Sent::Delivered | Sent::Kept => acknowledged.push(n),
                    other => panic!("{other}"),
                }
                progress.send_replace(acknowledged.len());
            }
        }
        acknowledged
    });

    let address_of_receiver = address.clone();
    let receive = tokio::spawn(async move {
        let mut seen = HashSet::new();
        let mut duplicates = 0;
        let mut per_visit = 0;
        let (mut bob, mut incoming) = client(&address_of_receiver, 2, starts.clone()).await;
        while seen.len() < MESSAGES {
            if let Some(Event::Message(message)) = incoming.next().await {
                let text = String::from_utf8(message.body.into()).expect("text");
                // A message that comes again has the same id.
                let number: usize = text.parse().expect("a number");
                assert_eq!(message.head.id.expect("an id").get(), number as u64 + 1);
                duplicates += usize::from(!seen.insert(number));
                per_visit += 1;
            }
            if per_visit > 250 {
                // Away for a moment, so that messages are kept.
                per_visit = 0;
                drop((bob, incoming));
                (bob, incoming) = client(&address_of_receiver, 2, starts.clone()).await;
            }
        }
        (seen, duplicates)
    });

    for kill in 1..=KILLS {
        // In the middle of a batch, each time at another place in it.
        let enough = kill * MESSAGES / (KILLS + 1) + kill;
        let wait = acknowledged_so_far.wait_for(|so_far| *so_far >= enough);
        let enough = tokio::time::timeout(PATIENCE, wait).await;
        drop(
            enough
                .expect("it goes on after a kill")
                .expect("still sending"),
        );
        drop(process);
        process = relay(&address, url);
        started.send_replace(kill + 1);
    }
    let acknowledged = tokio::time::timeout(PATIENCE, send)
        .await
        .expect("in time")
        .expect("no panic");
    assert_eq!(acknowledged.len(), MESSAGES);
    let received = tokio::time::timeout(PATIENCE, receive).await;
    let (seen, duplicates) = received
        .expect("every acknowledged message arrives")
        .expect("no panic");
    assert!(acknowledged.iter().all(|n| seen.contains(n)));
    println!("{MESSAGES} messages, {KILLS} kills, {duplicates} duplicates");
}
