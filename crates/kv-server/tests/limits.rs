//! Every bound of a connection, and what happens beyond it.

mod common;

use std::time::Duration;

use common::{Client, bulk, request, start};
use kv_server::{Args, Builder, Clock, Command, Context, Flags, Keys, Result, Server, WhenFull};
use tokio::io::AsyncReadExt;

/// A builder with a line of redis.conf.
fn with(name: &str, value: &str) -> Builder {
    let args: Vec<_> = value.split(' ').collect();
    Server::builder()
        .directive(name, &args)
        .expect("a directive that exists")
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_closed() {
    let server = start(Server::builder().max_clients(2)).await;
    let (mut one, mut two) = (Client::tcp(&server).await, Client::new(&server));
    one.check("PING", "+PONG\r\n").await;
    two.check("PING", "+PONG\r\n").await;
    for mut three in [Client::tcp(&server).await, Client::new(&server)] {
        assert_eq!(three.rest().await, "-ERR max number of clients reached\r\n");
    }
    assert_eq!(server.counters().rejected_connections, 2);
    one.check("PING", "+PONG\r\n").await;
    drop(one);
    while server.counters().open_connections > 1 {
        two.check("PING", "+PONG\r\n").await;
    }
    Client::tcp(&server).await.check("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn a_connection_too_many_may_wait_instead() {
    let server = start(Server::builder().max_clients(1).when_full(WhenFull::Wait)).await;
    let mut one = Client::tcp(&server).await;
    one.check("PING", "+PONG\r\n").await;
    let mut two = Client::tcp(&server).await;
    two.send("PING\r\n").await;
    one.check("PING", "+PONG\r\n").await;
    assert_eq!(server.counters().connections, 1);
    drop(one);
    two.expect("+PONG\r\n").await;
}

#[tokio::test]
async fn before_authentication_requests_are_short() {
    let server = start(Server::builder().password("secret")).await;
    let ten = request(["x"; 10]);
    let longest = request(["PING", &"x".repeat(16 * 1024)]);
    for fits in [ten, longest] {
        let mut client = Client::new(&server);
        client.send(fits).await;
        assert!(!client.reply().await.contains("Protocol error"));
        client.check("AUTH secret", "+OK\r\n").await;
    }
    for (bytes, error) in [
        ("*11\r\n", "unauthenticated multibulk length"),
        (
            "*2\r\n$4\r\nPING\r\n$16385\r\n",
            "unauthenticated bulk length",
        ),
    ] {
        let mut client = Client::new(&server);
        client.send(bytes).await;
        assert_eq!(
            client.rest().await,
            format!("-ERR Protocol error: {error}\r\n")
        );
    }
    // AUTH lifts the limits for the request behind it, in the same packet.
    let mut client = Client::new(&server);
    let mut bytes = request(["AUTH", "secret"]);
    bytes.extend_from_slice(&request(["ECHO", &"x".repeat(16 * 1024 + 1)]));
    client.send(bytes).await;
    client.expect("+OK\r\n$16385\r\n").await;
}

#[tokio::test]
async fn a_stranger_that_does_not_read_is_not_served_further() {
    let server = start(Server::builder().password("secret")).await;
    let mut client = Client::new(&server);
    // Each error is longer than its request; nobody reads them.
    let requests = b"GET k\r\n".repeat(1_000_000);
    let write = tokio::io::AsyncWriteExt::write_all(&mut client.io, &requests);
    let mut asker = Client::new(&server);
    let ask = async {
        asker.check("AUTH secret", "+OK\r\n").await;
        let mut executed = 0;
        // Until nothing moves any more.
        while server.counters().commands > executed {
            executed = server.counters().commands;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        (executed, asker.call("CLIENT LIST").await)
    };
    let (executed, list) = tokio::select! {
        _ = write => panic!("all requests were taken"),
        asked = ask => asked,
    };
    assert!(executed < 10_000, "{executed} commands ran");
    let omem = list
        .split(" omem=")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap().parse::<u32>().unwrap())
        .max()
        .unwrap();
    assert!(omem < 64 * 1024, "{omem} bytes of output wait");
}

#[tokio::test]
async fn a_request_beyond_the_query_buffer_limit_closes_the_connection() {
    let server = start(with("client-query-buffer-limit", "1mb")).await;
    let mut client = Client::tcp(&server).await;
    let value = vec![b'x'; 900 * 1024];
    client.request([&b"SET"[..], b"k", &value]).await;
    client.expect("+OK\r\n").await;
    let mut bytes = b"*4\r\n$4\r\nMSET\r\n".to_vec();
    for _ in 0..3 {
        bytes.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(b"\r\n");
    }
    let _ = tokio::io::AsyncWriteExt::write_all(&mut client.io, &bytes).await;
    assert_eq!(client.rest().await, "", "no reply to it");
    Client::new(&server).check("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn output_beyond_the_hard_limit_closes_a_normal_connection() {
    let server = start(with("client-output-buffer-limit", "normal 100000 0 0")).await;
    let mut client = Client::new(&server);
    client.request(["SET", "k", &"v".repeat(50_000)]).await;
    client.expect("+OK\r\n").await;
    client.send("GET k\r\n").await;
    assert_eq!(client.reply().await.len(), bulk(&"v".repeat(50_000)).len());
    // Together they are more than it may have unsent.
    client.send("GET k\r\nGET k\r\nGET k\r\n").await;
    client.rest().await;
    Client::new(&server).check("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn a_reply_that_nobody_will_get_whole_is_not_written_to_its_end() {
    let builder = with("client-output-buffer-limit", "normal 100000 0 0");
    let server = start(builder.port(0)).await;
    let mut asker = Client::new(&server);
    asker.call("HSET h f v").await;
    asker.call("SADD s m").await;
    asker.call("ZADD z 1 m").await;
    for number in 0..1000 {
        let key = format!("{number:0>200}");
        asker.request(["SET", &key, "v"]).await;
        asker.expect("+OK\r\n").await;
    }
    // Whole, the first three would never come to an end.
    for line in [
        "HRANDFIELD h -9000000000000000",
        "SRANDMEMBER s -9000000000000000",
        "ZRANDMEMBER z -9000000000000000",
        "KEYS *",
    ] {
        let mut client = Client::tcp(&server).await;
        client.send(format!("{line}\r\nECHO further\r\n")).await;
        let rest = client.rest().await;
        assert!(!rest.contains("further"), "{line}");
    }
    let info = asker.call("INFO stats").await;
    assert!(
        info.contains("client_output_buffer_limit_disconnections:4\r\n"),
        "{info}"
    );
}

#[tokio::test]
async fn a_limit_of_output_that_comes_in_the_same_batch_lets_no_part_of_a_reply_pass_for_all() {
    let server = start(Server::builder()).await;
    let mut asker = Client::new(&server);
    for number in 0..1000 {
        let key = format!("{number:0>200}");
        asker.request(["SET", &key, "v"]).await;
        asker.expect("+OK\r\n").await;
    }
    let limit = "CONFIG SET client-output-buffer-limit \"normal 100000 0 0\"";
    let mut client = Client::tcp(&server).await;
    client.send(format!("{limit}\r\nKEYS *\r\n")).await;
    let rest = client.rest().await;
    assert!(!rest.contains("00001"), "{} bytes", rest.len());
    // Not all that is asked for is for the connection.
    let keys = server.db(0).call(["KEYS", "*"]).unwrap();
    assert_eq!(keys.as_slice().map(<[_]>::len), Some(1000));
}

#[tokio::test]
async fn a_reply_of_the_same_again_and_again_is_not_written_to_its_end() {
    let server = start(Server::builder()).await;
    let mut asker = Client::new(&server);
    let value = "v".repeat(1000);
    asker.check(&format!("SET k {value}"), "+OK\r\n").await;
    asker.check(&format!("HSET h f {value}"), ":1\r\n").await;
    asker.check("RPUSH l k", ":1\r\n").await;
    asker.call(&format!("XADD s 1-1 f {value}")).await;
    let again = |words: &str| words.repeat(200);
    for line in [
        format!("MGET{}", again(" k")),
        format!("HMGET h{}", again(" f")),
        format!("SORT l ALPHA{}", again(" GET *")),
        format!("XREAD STREAMS{}{}", again(" s"), again(" 0")),
        format!("MULTI\r\n{}EXEC", again("GET k\r\n")),
    ] {
        let limit = "CONFIG SET client-output-buffer-limit \"normal 100000 0 0\"";
        let mut client = Client::tcp(&server).await;
        client.send(format!("{limit}\r\n{line}\r\nQUIT\r\n")).await;
        let rest = client.rest().await;
        assert!(rest.len() < 100_000, "{} bytes: {line:.20}", rest.len());
        let unlimited = "CONFIG SET client-output-buffer-limit \"normal 0 0 0\"";
        asker.check(unlimited, "+OK\r\n").await;
    }
    let info = asker.call("INFO stats").await;
    assert!(
        info.contains("client_output_buffer_limit_disconnections:5\r\n"),
        "{info}"
    );
}

#[tokio::test]
async fn what_exec_began_is_done_though_nobody_gets_the_replies() {
    let server = start(with("client-output-buffer-limit", "normal 100000 0 0")).await;
    let mut asker = Client::new(&server);
    asker
        .check(&format!("SET k {}", "v".repeat(50_000)), "+OK\r\n")
        .await;
    let mut client = Client::tcp(&server).await;
    let gets = "GET k\r\n".repeat(5);
    client
        .send(format!("MULTI\r\n{gets}INCR done\r\nEXEC\r\n"))
        .await;
    client.rest().await;
    asker.check("GET done", &bulk("1")).await;
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_is_cut_off_at_the_hard_limit() {
    let server = start(with("client-output-buffer-limit", "pubsub 1mb 0 0")).await;
    let (mut lazy, mut keen) = (Client::new(&server), Client::new(&server));
    for client in [&mut lazy, &mut keen] {
        client.send("SUBSCRIBE c\r\n").await;
        client
            .expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
            .await;
    }
    let mut sender = Client::new(&server);
    let message = "m".repeat(10_000);
    let mut sent = 0;
    loop {
        sender.request(["PUBLISH", "c", &message]).await;
        sent += 1;
        if sender.reply().await == ":1\r\n" {
            break;
        }
        keen.reply().await;
        assert!(sent < 1000, "the lazy one is still there");
    }
    // The limit, and what the transport holds.
    assert!((100..130).contains(&sent), "cut off after {sent} messages");
    keen.reply().await;
    sender.check("PING", "+PONG\r\n").await;
}

#[tokio::test]
async fn a_subscriber_that_stays_above_the_soft_limit_is_cut_off_in_time() {
    let clock = Clock::manual();
    let server =
        start(with("client-output-buffer-limit", "pubsub 100mb 100kb 3").clock(clock.clone()))
            .await;
    let mut lazy = Client::new(&server);
    lazy.send("SUBSCRIBE c\r\n").await;
    lazy.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
        .await;
    let mut sender = Client::new(&server);
    let publish = request(["PUBLISH", "c", &"m".repeat(200_000)]);
    sender.send(&publish).await;
    sender.expect(":1\r\n").await;
    for _ in 0..4 {
        clock.advance(Duration::from_secs(1));
        sender
            .check("PUBSUB NUMSUB c", "*2\r\n$1\r\nc\r\n:1\r\n")
            .await;
    }
    clock.advance(Duration::from_secs(1));
    while sender.call("PUBSUB NUMSUB c").await.ends_with(":1\r\n") {}
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_timeout_unless_it_listens() {
    let clock = Clock::manual();
    let server = start(with("timeout", "10").clock(clock.clone())).await;
    let mut idle = Client::new(&server);
    let mut listener = Client::new(&server);
    let mut slow = Client::new(&server);
    idle.check("PING", "+PONG\r\n").await;
    slow.check("PING", "+PONG\r\n").await;
    listener.send("SUBSCRIBE c\r\n").await;
    listener
        .expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
        .await;
    clock.advance(Duration::from_secs(9));
    // A byte now and then is no idleness, though no request is complete.
    slow.send("P").await;
    Client::new(&server).check("PING", "+PONG\r\n").await;
    clock.advance(Duration::from_secs(2));
    idle.expect_closed().await;
    slow.send("ING\r\n").await;
    slow.expect("+PONG\r\n").await;
    slow.check("PUBLISH c hi", ":1\r\n").await;
}

#[tokio::test]
async fn a_panic_in_a_command_costs_its_connection_only() {
    fn panic(_: Args<'_>, _: &mut Context<'_>) -> Result {
        panic!("on purpose");
    }
    let row = Command::new("PANIC", 1, Flags::NONE, Keys::NONE, panic);
    let server = start(Server::builder().command(row)).await;
    let (mut one, mut two) = (Client::new(&server), Client::new(&server));
    two.check("SET k v", "+OK\r\n").await;
    one.send("PING\r\nPANIC\r\nPING\r\n").await;
    assert_eq!(
        one.rest().await,
        "+PONG\r\n-ERR internal error while executing 'panic'\r\n"
    );
    two.check("GET k", &bulk("v")).await;
    Client::new(&server).check("GET k", &bulk("v")).await;
    assert_eq!(server.counters().panics, 1);
}

#[tokio::test]
async fn a_panic_of_an_observer_costs_nobody() {
    let server = start(Server::builder().on_write(|_| panic!("on purpose"))).await;
    let mut client = Client::new(&server);
    client.check("SET k v", "+OK\r\n").await;
    client.check("GET k", &bulk("v")).await;
}

#[tokio::test]
async fn a_server_stops_although_a_peer_does_not_read() {
    let server = start(Server::builder()).await;
    let mut client = Client::new(&server);
    client.request(["SET", "k", &"v".repeat(1 << 20)]).await;
    client.expect("+OK\r\n").await;
    client.send("GET k\r\n").await;
    let mut first = [0];
    client.io.read_exact(&mut first).await.unwrap();
    // The rest of the reply waits for a reader that does not come.
    server.shutdown().await;
}
