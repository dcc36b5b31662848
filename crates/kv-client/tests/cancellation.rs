//! Futures that are dropped at random points, on several threads, while others wait for their replies.

use std::time::Duration;

use kv_client::Client;

/// Commands of each task; `CANCELLATION_COMMANDS` makes it more.
const COMMANDS: u64 = 2_000;
const TASKS: u64 = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_is_dropped_every_reply_reaches_its_own_caller() {
    let commands = std::env::var("CANCELLATION_COMMANDS")
        .map_or(COMMANDS, |text| text.parse().expect("a number"));
    let server = kv_server::Server::builder()
        .start()
        .await
        .expect("kv-server starts");
    let client = Client::connect(format!("{}?max_in_flight=20", server.url()))
        .await
        .expect("connects");
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(run(client.clone(), task, commands)))
        .collect();
    let mut answered = 0;
    for task in tasks {
        answered += task.await.expect("no reply was mixed up");
    }
    assert!(
        answered > TASKS * commands / 10,
        "only {answered} commands were answered"
    );
    // Replies that nobody waits for any more still come in; then nothing is left.
    client.ping().await.expect("the connection is in order");
    assert_eq!(
        (client.stats().in_flight, client.stats().connections),
        (0, 1)
    );
    client.close().await;
    server.shutdown().await;
}

/// Sends commands with replies of their own, and drops some of them; how many were answered.
async fn run(client: Client, task: u64, commands: u64) -> u64 {
    let mut random = task.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut answered = 0;
    for command in 0..commands {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Long ones are written in pieces, and shared with the write buffer.
        let length = if random % 50 == 0 { 40_000 } else { 8 };
        let text = format!("{task}:{command}:{}", "x".repeat(length));
        let echo = client.echo(&text).into_future();
        let patience = Duration::from_micros(random % 300);
        if random % 3 == 0 {
            assert_eq!(echo.await.expect("a reply"), text);
            answered += 1;
        } else if let Ok(reply) = tokio::time::timeout(patience, echo).await {
            assert_eq!(reply.expect("a reply"), text);
            answered += 1;
        }
    }
    answered
}
