//! Callers that wait for room when the connection ends.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use kv_client::{Client, Config, ErrorKind, Outcome, Protocol};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::join;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::support::{Peer, Peers, peers};
use crate::waiting::futures_poll;

/// Far longer than anything may take; nothing is as long on the paused clock.
const GUARD: Duration = Duration::from_secs(60);

/// One command at a time, without a time limit, and no sign of life that would hide that nobody is woken.
async fn connected(reconnect: bool) -> (Client, Peers, Peer) {
    let (config, mut peers) = peers(1024);
    let config = config
        .max_in_flight(1)
        .command_timeout(None)
        .keepalive(None)
        .reconnect(reconnect);
    let (client, peer) = join!(Client::connect(config), peers.accept());
    (client.expect("the peer accepts"), peers, peer)
}

/// A command that the peer has not answered yet.
async fn sent<'a>(
    client: &'a Client,
    peer: &mut Peer,
) -> Pin<Box<dyn Future<Output = kv_client::Result<i64>> + 'a>> {
    let mut command = Box::pin(client.incr("a").into_future());
    assert!(futures_poll(&mut command).is_none());
    peer.expect(&["INCR", "a"]).await;
    command
}

#[tokio::test(start_paused = true)]
async fn closing_serves_whoever_gets_room_from_the_last_reply() {
    let (client, _peers, mut peer) = connected(true).await;
    let (first, second) = (
        client.incr("a").into_future(),
        client.incr("b").into_future(),
    );
    let all = async {
        join!(first, second, client.close(), async {
            peer.expect(&["INCR", "a"]).await;
            peer.send(":1\r\n").await;
            peer.expect(&["INCR", "b"]).await;
            peer.send(":2\r\n").await;
            peer.expect_end().await;
        })
    };
    let (first, second, (), ()) = timeout(GUARD, all).await.expect("nobody is forgotten");
    assert_eq!((first.expect("sent"), second.expect("sent too")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn closing_goes_on_when_whoever_got_room_gives_it_up() {
    let (client, _peers, mut peer) = connected(true).await;
    let mut first = Box::pin(client.incr("a").into_future());
    let mut second = Box::pin(client.incr("b").into_future());
    assert!(futures_poll(&mut first).is_none() && futures_poll(&mut second).is_none());
    peer.expect(&["INCR", "a"]).await;
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    yield_now().await;
    peer.send(":1\r\n").await;
    assert_eq!(
        timeout(GUARD, first).await.expect("in time").expect("sent"),
        1
    );
    drop(second);
    let closed = timeout(GUARD, closing).await;
    closed.expect("nothing is left to do").expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_room_is_told_that_the_connection_is_lost_for_good() {
    let (client, _peers, mut peer) = connected(false).await;
    let (first, second) = (
        client.incr("a").into_future(),
        client.incr("b").into_future(),
    );
    let all = async {
        join!(first, second, async {
            peer.expect(&["INCR", "a"]).await;
            drop(peer);
        })
    };
    let (first, second, ()) = timeout(GUARD, all).await.expect("nobody is forgotten");
    let outcomes = [first, second].map(|result| {
        let error = result.expect_err("there is no connection");
        assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error:?}");
        error.outcome()
    });
    assert_eq!(outcomes, [Outcome::MaybeExecuted, Outcome::NotSent]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_room_is_told_that_the_client_is_closed_while_it_reconnects() {
    let (client, _peers, peer) = connected(true).await;
    drop(peer);
    while client.stats().connected {
        yield_now().await;
    }
    let (first, second) = (
        client.incr("a").into_future(),
        client.incr("b").into_future(),
    );
    let all = async { join!(first, second, client.close()) };
    let (first, second, ()) = timeout(GUARD, all).await.expect("nobody is forgotten");
    for result in [first, second] {
        let error = result.expect_err("there is no connection");
        assert!(matches!(error.kind(), ErrorKind::Closed), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
}

#[tokio::test(start_paused = true)]
async fn closing_ends_when_the_time_of_the_last_caller_is_over() {
    let (client, _peers, mut peer) = connected(true).await;
    let mut first = Box::pin(client.incr("a").into_future());
    let second = client.incr("b").timeout(Duration::from_secs(1));
    let mut second = Box::pin(second.into_future());
    assert!(futures_poll(&mut first).is_none() && futures_poll(&mut second).is_none());
    peer.expect(&["INCR", "a"]).await;
    let ((), first, ()) = join!(
        async {
            let closed = timeout(GUARD, client.close()).await;
            closed.expect("nobody has time left");
        },
        first,
        peer.send(":1\r\n")
    );
    assert_eq!(first.expect("sent"), 1);
    // Room became free for it, and it did not look.
    let error = second.await.expect_err("its time is over");
    let kind = error.kind();
    assert!(matches!(kind, ErrorKind::Timeout { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent);
}

#[tokio::test(start_paused = true)]
async fn closing_takes_back_room_from_whoever_never_uses_it() {
    let (client, _peers, mut peer) = connected(true).await;
    let mut first = Box::pin(client.incr("a").into_future());
    let mut second = Box::pin(client.incr("b").into_future());
    let mut third = Box::pin(client.incr("c").into_future());
    for future in [&mut first, &mut second, &mut third] {
        assert!(futures_poll(future).is_none());
    }
    peer.expect(&["INCR", "a"]).await;
    let all = async {
        join!(first, client.close(), async {
            peer.send(":1\r\n").await;
            peer.expect_end().await;
        })
    };
    // Neither of the others has a time limit, and nobody polls them or drops them.
    let (first, (), ()) = timeout(GUARD, all).await.expect("nobody holds it up");
    assert_eq!(first.expect("sent"), 1);
    for unused in [second, third] {
        let error = unused.await.expect_err("it is too late");
        assert!(matches!(error.kind(), ErrorKind::Closed), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
    assert_eq!(client.stats().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_no_reply_that_nobody_waits_for() {
    let (client, _peers, mut peer) = connected(true).await;
    drop(sent(&client, &mut peer).await);
    timeout(GUARD, client.close()).await.expect("it is over");
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn closing_ends_when_the_last_caller_gives_up() {
    let (client, _peers, mut peer) = connected(true).await;
    let dropped = sent(&client, &mut peer).await;
    let closing = client.close();
    let all = async { join!(closing, async move { drop(dropped) }) };
    timeout(GUARD, all).await.expect("it is over");
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn everybody_who_closes_waits_until_it_is_done() {
    let (client, _peers, mut peer) = connected(true).await;
    let command = sent(&client, &mut peer).await;
    let impatient = timeout(Duration::from_secs(1), client.close()).await;
    impatient.expect_err("a reply is missing");
    let answered = AtomicBool::new(false);
    let close = || async {
        client.close().await;
        assert!(answered.load(Ordering::Relaxed), "closed too early");
    };
    let all = async {
        join!(close(), close(), command, async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            answered.store(true, Ordering::Relaxed);
            peer.send(":1\r\n").await;
        })
    };
    let ((), (), result, ()) = timeout(GUARD, all).await.expect("it is over");
    assert_eq!(result.expect("answered"), 1);
}

/// A stream that takes no farewell.
struct Endless(DuplexStream);

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn closing_ends_though_the_stream_takes_no_farewell() {
    let (send, mut dialed) = mpsc::channel(1);
    let config = Config::connector(move || {
        let send = send.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(1024);
            let sent = send.send(theirs).await;
            sent.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Endless(ours))
        }
    });
    let config = config.protocol(Protocol::Resp2);
    let (client, mut peer) = join!(Client::connect(config), async {
        let mut peer = Peer {
            stream: dialed.recv().await.expect("it connects"),
        };
        peer.expect(&["PING"]).await;
        peer.send("+PONG\r\n").await;
        peer
    });
    let client = client.expect("the peer accepts");
    timeout(GUARD, client.close()).await.expect("it is over");
    peer.expect_end().await;
}
