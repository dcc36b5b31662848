//! Peers that do exactly what a test tells them to.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io;
use std::time::Duration;

use kv_client::{Backoff, Config, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

/// The connections that a client opens, one after the other.
pub(crate) struct Peers {
    dialed: mpsc::Receiver<DuplexStream>,
}

/// The server's end of one connection.
pub(crate) struct Peer {
    pub(crate) stream: DuplexStream,
}

/// A configuration whose connections end in this test, through a buffer of `capacity` bytes each way. It speaks RESP2,
/// and reconnects without delay.
pub(crate) fn peers(capacity: usize) -> (Config, Peers) {
    let (dial, dialed) = mpsc::channel(16);
    let config = Config::connector(move || {
        let dial = dial.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(capacity);
            dial.send(theirs)
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(ours)
        }
    });
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
    (
        config.protocol(Protocol::Resp2).backoff(backoff),
        Peers { dialed },
    )
}

impl Peers {
    /// The next connection, before a byte was exchanged.
    pub(crate) async fn accept_raw(&mut self) -> Peer {
        Peer {
            stream: self.dialed.recv().await.expect("the client is still there"),
        }
    }

    /// The next connection, set up.
    pub(crate) async fn accept(&mut self) -> Peer {
        let mut peer = self.accept_raw().await;
        peer.expect(&["PING"]).await;
        peer.send("+PONG\r\n").await;
        peer
    }

    pub(crate) fn none_waiting(&mut self) -> bool {
        self.dialed.try_recv().is_err()
    }
}

impl Peer {
    /// Reads exactly this request.
    pub(crate) async fn expect(&mut self, args: &[&str]) {
        self.expect_bytes(&request(args)).await;
    }

    pub(crate) async fn expect_bytes(&mut self, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        let read = self.stream.read_exact(&mut got).await;
        let got = String::from_utf8_lossy(&got).into_owned();
        assert!(
            read.is_ok(),
            "the stream ended; wanted {:?}, got {got:?}",
            String::from_utf8_lossy(expected)
        );
        assert_eq!(got, String::from_utf8_lossy(expected));
    }

    /// Reads one request, whatever it is; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Vec<String>> {
        let mut args = Vec::new();
        for _ in 0..self.header(b'*').await? {
            let len = self.header(b'$').await?;
            let mut arg = vec![0; len + 2];
            self.stream.read_exact(&mut arg).await.ok()?;
            args.push(String::from_utf8_lossy(&arg[..len]).into_owned());
        }
        Some(args)
    }

    async fn header(&mut self, kind: u8) -> Option<usize> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.stream.read_u8().await.ok()?);
        }
        assert_eq!(line[0], kind);
        let len = std::str::from_utf8(&line[1..line.len() - 2]).expect("a length is a number");
        Some(len.parse().expect("a length is a number"))
    }

    pub(crate) async fn send(&mut self, bytes: &str) {
        self.stream
            .write_all(bytes.as_bytes())
            .await
            .expect("the client is still connected");
    }

    /// The client has closed the connection, and sent nothing before.
    pub(crate) async fn expect_end(&mut self) {
        let mut rest = Vec::new();
        self.stream
            .read_to_end(&mut rest)
            .await
            .expect("a stream in memory does not fail");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

/// The wire form of a request.
pub(crate) fn request(args: &[&str]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        wire.extend_from_slice(format!("${}\r\n{arg}\r\n", arg.len()).as_bytes());
    }
    wire
}
