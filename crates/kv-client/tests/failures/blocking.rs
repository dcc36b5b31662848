//! Commands that block, when nobody ends that.

use std::time::Duration;

use kv_client::{Client, Config, Outcome, Phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::connected;
use crate::support::{Peer, Peers, peers, request};
use crate::timeouts::assert_timed_out;

/// A lane on which a command blocks.
async fn blocked(peers: &mut Peers, args: &[&str]) -> Peer {
    let mut lane = peers.accept().await;
    lane.expect(args).await;
    lane
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_in_the_time_of_a_blocking_command_is_not_waited_for() {
    let (config, mut peers) = peers(1024);
    let config = config.command_timeout(Duration::from_secs(5));
    let (client, _shared) = join!(Client::connect(config), peers.accept());
    let client = client.expect("the peer accepts");
    let start = Instant::now();
    let (result, mut lane) = join!(
        client.blpop("q", Duration::from_secs(3)).into_future(),
        blocked(&mut peers, &["BLPOP", "q", "3"])
    );
    let error = result.expect_err("nobody answers");
    assert_eq!(start.elapsed().as_secs(), 8, "its own time, and ours");
    assert_timed_out(&error, Phase::Waiting, Outcome::MaybeExecuted);
    lane.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_may_block_for_ever_may_do_so() {
    let (client, mut peers, _shared) = connected(1024).await;
    let (result, ()) = join!(client.blpop("q", Duration::ZERO).into_future(), async {
        let mut lane = blocked(&mut peers, &["BLPOP", "q", "0"]).await;
        tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
        lane.send("*2\r\n$1\r\nq\r\n$3\r\njob\r\n").await;
    });
    let popped = result.expect("a day later");
    assert_eq!(popped, Some(("q".into(), "job".into())));
}

#[tokio::test(start_paused = true)]
async fn what_blocks_while_the_client_closes_goes_on_and_leaves_no_connection_behind() {
    let (client, mut peers, _shared) = connected(1024).await;
    let (result, mut lane) = join!(client.blpop("q", Duration::ZERO).into_future(), async {
        let mut lane = blocked(&mut peers, &["BLPOP", "q", "0"]).await;
        client.close().await;
        lane.send("*2\r\n$1\r\nq\r\n$3\r\njob\r\n").await;
        lane
    });
    assert!(result.expect("it was under way").is_some());
    lane.expect_end().await; // and not when the last handle is dropped
    drop(client);
}

/// A server that goes away without a word is noticed by the system, since it cannot be asked with PING.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_system_looks_after_a_connection_on_which_a_command_blocks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let addr = listener.local_addr().expect("bound");
    let serve = async || {
        let (mut stream, _) = listener.accept().await.expect("it connects");
        let ping = request(&["PING"]);
        stream.read_exact(&mut vec![0; ping.len()]).await?;
        stream.write_all(b"+PONG\r\n").await?;
        std::io::Result::Ok(stream)
    };
    let config: Config = format!("redis://{addr}?protocol=2").parse().expect("a url");
    let (client, _shared) = join!(Client::connect(config), serve());
    let client = client.expect("it answers");
    let blpop = client.blpop("q", Duration::ZERO).into_future();
    let looked_after = async {
        let mut lane = serve().await.expect("a lane");
        let blpop = request(&["BLPOP", "q", "0"]);
        lane.read_exact(&mut vec![0; blpop.len()])
            .await
            .expect("sent");
        let theirs = lane.peer_addr().expect("connected").port();
        // Once the last byte is acknowledged, the only timer left is that of the keep-alive.
        while !has_keep_alive(theirs) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let looked_after = tokio::time::timeout(Duration::from_secs(30), looked_after);
    tokio::select! {
        result = blpop => panic!("nobody answers: {result:?}"),
        in_time = looked_after => in_time.expect("there is a timer"),
    }
}

/// Whether the system's timer of the connection from this local port is that of the keep-alive.
#[cfg(target_os = "linux")]
fn has_keep_alive(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("this is Linux");
    let local = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[1].ends_with(&local) && columns[5].starts_with("02:")
    })
}
