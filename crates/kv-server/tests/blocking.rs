//! Commands that wait: order of arrival, timeouts, and every way in which a wait ends.

mod common;

use std::time::Duration;

use common::{Client, bulk, start, waiting};
use kv_server::{Args, Builder, Clock, Command, Context, Flags, Keys, Result, Server};

/// `TAKE key... timeout_ms`: the value of the first string that exists, which is removed; 0 waits for ever.
fn take(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let mut keys = Vec::from_iter(args.rest());
    let timeout = keys.pop().and_then(|text| std::str::from_utf8(text).ok());
    let timeout_ms: u64 = timeout.and_then(|text| text.parse().ok()).unwrap_or(0);
    for &key in &keys {
        if let Some(value) = cx.get(key)?.map(<[u8]>::to_vec) {
            cx.remove(key);
            cx.reply().bulk(&value);
            return Ok(());
        }
    }
    cx.wait(
        &keys,
        (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms)),
    );
    Ok(())
}

fn builder() -> Builder {
    let row = Command::new("TAKE", -3, Flags::WRITE | Flags::BLOCKING, Keys::NONE, take);
    Server::builder().command(row)
}

#[tokio::test]
async fn waiting_clients_are_served_in_order_of_arrival() {
    let server = start(builder()).await;
    let mut waiters = Vec::new();
    for _ in 0..10 {
        waiters.push(waiting(&server, "TAKE k 0").await);
    }
    let mut setter = Client::new(&server);
    for (n, waiter) in waiters.iter_mut().enumerate() {
        setter.check(&format!("SET k {n}"), "+OK\r\n").await;
        waiter.expect(bulk(&n.to_string())).await;
        // Served means served: the key is gone for everybody else.
        setter.check("GET k", "$-1\r\n").await;
    }
    setter.check("SET k left", "+OK\r\n").await;
    setter.check("GET k", &bulk("left")).await;
}

#[tokio::test]
async fn a_client_may_wait_for_several_keys_and_is_served_by_the_first_that_comes() {
    let server = start(builder()).await;
    let mut both = waiting(&server, "TAKE a b a 0").await;
    let mut only_b = waiting(&server, "TAKE b 0").await;
    let mut setter = Client::new(&server);
    setter.check("SET b 1", "+OK\r\n").await;
    both.expect(bulk("1")).await;
    setter.check("SET a 2", "+OK\r\n").await;
    setter.check("GET a", &bulk("2")).await;
    setter.check("SET b 3", "+OK\r\n").await;
    only_b.expect(bulk("3")).await;
}

#[tokio::test]
async fn keys_of_another_database_are_other_keys() {
    let server = start(builder()).await;
    let mut waiter = waiting(&server, "TAKE k 0").await;
    let mut setter = Client::new(&server);
    setter.check("SELECT 1", "+OK\r\n").await;
    setter.check("SET k one", "+OK\r\n").await;
    setter.check("SELECT 0", "+OK\r\n").await;
    setter.check("SET k zero", "+OK\r\n").await;
    waiter.expect(bulk("zero")).await;
}

#[tokio::test]
async fn a_transaction_serves_waiters_when_it_is_over() {
    let server = start(builder()).await;
    let mut waiter = waiting(&server, "TAKE k 0").await;
    let mut setter = Client::new(&server);
    setter
        .send("MULTI\r\nSET k first\r\nSET k second\r\nGET k\r\nEXEC\r\n")
        .await;
    setter
        .expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n+OK\r\n$6\r\nsecond\r\n")
        .await;
    waiter.expect(bulk("second")).await;
}

#[tokio::test]
async fn inside_of_a_transaction_nobody_waits() {
    let server = start(builder()).await;
    let mut client = Client::new(&server);
    client.send("MULTI\r\nTAKE k 0\r\nPING\r\nEXEC\r\n").await;
    client
        .expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$-1\r\n+PONG\r\n")
        .await;
}

#[tokio::test]
async fn a_wait_ends_when_its_time_is_up_on_the_clock_of_the_server() {
    let clock = Clock::manual();
    let server = start(builder().clock(clock.clone())).await;
    let mut long = waiting(&server, "TAKE k 2000").await;
    let mut short = waiting(&server, "TAKE k 1000").await;
    clock.advance(Duration::from_millis(1000));
    short.expect("$-1\r\n").await;
    // It is in no queue any more: the other one gets the value.
    let mut setter = Client::new(&server);
    setter.check("SET k v", "+OK\r\n").await;
    long.expect(bulk("v")).await;
    clock.advance(Duration::from_secs(10));
    long.check("PING", "+PONG\r\n").await;
    short.check("PING", "+PONG\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_in_paused_time_too() {
    let server = start(builder().clock(Clock::tokio())).await;
    let mut waiter = waiting(&server, "TAKE k 60000").await;
    tokio::time::advance(Duration::from_secs(60)).await;
    waiter.expect("$-1\r\n").await;
}

#[tokio::test]
async fn client_unblock_ends_a_wait_as_a_timeout_or_with_an_error() {
    let server = start(builder()).await;
    let mut other = Client::new(&server);
    for (reason, reply) in [
        ("", "$-1\r\n"),
        (" TIMEOUT", "$-1\r\n"),
        (
            " ERROR",
            "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n",
        ),
    ] {
        let mut waiter = Client::new(&server);
        let id = waiter.call("CLIENT ID").await[1..].trim().to_owned();
        waiter.send("TAKE k 0\r\nPING\r\n").await;
        // 0 until it waits, and 0 again when it waits no longer.
        let unblock = format!("CLIENT UNBLOCK {id}{reason}");
        while other.call(&unblock).await == ":0\r\n" {}
        waiter.expect(format!("{reply}+PONG\r\n")).await;
        other.check(&unblock, ":0\r\n").await;
    }
    other.check("SET k v", "+OK\r\n").await;
    other.check("GET k", &bulk("v")).await;
}

#[tokio::test]
async fn requests_behind_one_that_waits_wait_too() {
    let server = start(builder()).await;
    let mut waiter = waiting(&server, "TAKE k 0\r\nSET after 1\r\nGET after").await;
    let mut setter = Client::new(&server);
    setter.check("GET after", "$-1\r\n").await;
    // Those that come later too, however many they are.
    waiter.send("ECHO later\r\n".repeat(1000)).await;
    setter.check("SET k v", "+OK\r\n").await;
    waiter.expect(bulk("v") + "+OK\r\n$1\r\n1\r\n").await;
    waiter.expect(bulk("later").repeat(1000)).await;
}

#[tokio::test]
async fn a_killed_client_takes_nothing() {
    let server = start(builder()).await;
    let mut first = waiting(&server, "TAKE k 0").await;
    let id = 1;
    let mut second = waiting(&server, "TAKE k 0").await;
    let mut other = Client::new(&server);
    other.check(&format!("CLIENT KILL ID {id}"), ":1\r\n").await;
    other.check("SET k v", "+OK\r\n").await;
    second.expect(bulk("v")).await;
    first.expect_closed().await;
}

#[tokio::test]
async fn a_client_that_is_gone_takes_nothing_even_with_requests_pending() {
    let server = start(builder()).await;
    for line in ["TAKE k 0", "TAKE k 0\r\nPING\r\nPING"] {
        let gone = waiting(&server, line).await;
        drop(gone);
        let mut other = Client::new(&server);
        while other.call("CLIENT LIST").await.contains(" flags=b ") {}
        other.check("SET k v", "+OK\r\n").await;
        other.check("GET k", &bulk("v")).await;
        other.check("TAKE k 0", &bulk("v")).await;
    }
}

#[tokio::test]
async fn client_reply_off_keeps_the_reply_of_a_wait_back() {
    let server = start(builder()).await;
    let mut waiter = Client::new(&server);
    waiter
        .send("CLIENT REPLY SKIP\r\nTAKE k 0\r\nECHO next\r\n")
        .await;
    let mut setter = Client::new(&server);
    setter.check("SET k v", "+OK\r\n").await;
    waiter.expect(bulk("next")).await;
    setter.check("GET k", "$-1\r\n").await;
}

#[tokio::test]
async fn a_panic_of_a_command_that_waited_costs_the_one_who_waited() {
    fn bomb(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
        let key = args.next()?;
        assert!(cx.get(key)?.is_none(), "the bomb goes off");
        cx.wait(&[key], None);
        Ok(())
    }
    let row = Command::new("BOMB", 2, Flags::BLOCKING, Keys::NONE, bomb);
    let server = start(builder().command(row)).await;
    let mut bomber = waiting(&server, "BOMB k").await;
    let mut waiter = waiting(&server, "TAKE k 0").await;
    let mut setter = Client::new(&server);
    setter.check("SET k v", "+OK\r\n").await;
    waiter.expect(bulk("v")).await;
    assert_eq!(
        bomber.rest().await,
        "-ERR internal error while executing 'bomb'\r\n"
    );
    assert_eq!(server.counters().panics, 1);
}

#[tokio::test]
async fn a_server_stops_although_clients_wait() {
    let server = start(builder()).await;
    let mut waiter = waiting(&server, "TAKE k 0").await;
    server.shutdown().await;
    waiter.expect_closed().await;
}
