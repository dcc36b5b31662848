//! A server that always has more to say than the client reads at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use kv_client::{Client, Config, Protocol};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::join;
use tokio::sync::mpsc;

use crate::support::Peer;

/// What it says, over and over.
const MESSAGE: &[u8] = b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n";
/// So many reads without a write in between, and it gives up.
const PATIENCE: usize = 50;

#[derive(Default)]
struct Flood {
    /// Until the client writes something.
    open: AtomicBool,
    reads: AtomicUsize,
    /// The most bytes that one read took.
    largest: AtomicUsize,
}

/// A stream whose every read is full of published messages while the flood is open.
struct Flooded {
    stream: DuplexStream,
    flood: Arc<Flood>,
    /// Bytes of the present message that were read.
    said: usize,
}

impl AsyncRead for Flooded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        while this.said > 0 || this.flood.open.load(Ordering::SeqCst) {
            let rest = &MESSAGE[this.said..];
            let n = rest.len().min(buf.remaining());
            buf.put_slice(&rest[..n]);
            this.said = (this.said + n) % MESSAGE.len();
            if buf.remaining() == 0 {
                break;
            }
        }
        let read = buf.filled().len() - before;
        if read == 0 {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        this.flood.largest.fetch_max(read, Ordering::SeqCst);
        if this.flood.reads.fetch_add(1, Ordering::SeqCst) >= PATIENCE {
            return Poll::Ready(Err(io::Error::other("the client reads and never writes")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flooded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.flood.open.store(false, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_is_written_while_every_read_is_full_of_messages() {
    let flood = Arc::new(Flood::default());
    let (dial, mut dialed) = mpsc::channel(1);
    let config = Config::connector({
        let flood = Arc::clone(&flood);
        move || {
            let (dial, flood) = (dial.clone(), Arc::clone(&flood));
            async move {
                let (ours, stream) = tokio::io::duplex(1024);
                let lost = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
                dial.send(Peer { stream }).await.map_err(lost)?;
                Ok(Flooded {
                    stream: ours,
                    flood,
                    said: 0,
                })
            }
        }
    });
    let config = config.protocol(Protocol::Resp3).reconnect(false);
    let (client, mut peer) = join!(Client::connect(config), async {
        let mut peer = dialed.recv().await.expect("the client connects");
        peer.expect(&["HELLO", "3"]).await;
        peer.send("%1\r\n+proto\r\n:3\r\n").await;
        peer
    });
    let client = client.expect("the peer accepts");

    // A reply that needs a large block to be read into.
    let elements = "$20\r\nxxxxxxxxxxxxxxxxxxxx\r\n".repeat(5000);
    let (large, ()) = join!(client.lrange("list", 0, -1).into_future(), async {
        peer.expect(&["LRANGE", "list", "0", "-1"]).await;
        peer.send(&format!("*5000\r\n{elements}")).await;
    });
    assert_eq!(large.expect("a list").len(), 5000);

    flood.open.store(true, Ordering::SeqCst);
    let (next, ()) = join!(client.incr("n").into_future(), async {
        peer.expect(&["INCR", "n"]).await;
        peer.send(":1\r\n").await;
    });
    assert_eq!(next.expect("it was written"), 1);
    let largest = flood.largest.load(Ordering::SeqCst);
    assert!(largest >= 64 * 1024, "no read took a turn: {largest} bytes");
}
