//! A client of raw bytes, over a connection in memory or a socket.

#![allow(dead_code, unused_imports, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lasting_port;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kv_server::{Builder, Clock, Server};
use resp_codec::{FrameDecoder, Limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) use lasting_port::on_a_lasting_port;

/// Longer than any reply takes; a test that waits for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A server with the default settings.
pub(crate) async fn server() -> Server {
    start(Server::builder()).await
}

pub(crate) async fn start(builder: Builder) -> Server {
    builder.start().await.unwrap()
}

/// Where the clock of [`clocked`] stands at first, in milliseconds.
pub(crate) const NOW: i64 = 1_700_000_000_000;

/// A server on a clock that only the test moves, and a client of it.
pub(crate) async fn clocked(builder: Builder) -> (Server, Clock, Client) {
    let clock = Clock::manual();
    clock.set(NOW);
    let server = start(builder.clock(clock.clone())).await;
    let client = Client::new(&server);
    (server, clock, client)
}

/// A server on which expired keys go only when somebody looks at them.
pub(crate) async fn unswept() -> (Server, Clock, Client) {
    let builder = with(&[("enable-debug-command", "yes")]);
    let (server, clock, mut client) = clocked(builder).await;
    client.check("DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n").await;
    (server, clock, client)
}

/// The parameters of redis.conf, each with its one value.
pub(crate) fn with(directives: &[(&str, &str)]) -> Builder {
    let builder = Server::builder().seed(7);
    directives.iter().fold(builder, |builder, (name, value)| {
        builder.directive(name, &[value]).unwrap()
    })
}

/// A number that INFO shows of memory or in its statistics.
pub(crate) fn info(server: &Server, field: &str) -> usize {
    let reply = server.db(0).call(["INFO", "memory", "stats"]).unwrap();
    let text = String::from_utf8(reply.as_bytes().unwrap().to_vec()).unwrap();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap().parse().unwrap()
}

/// A server that notes what it propagates: the words of each command.
pub(crate) fn noting_effects(builder: Builder) -> (Builder, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let builder = builder.on_write(move |effect| {
        let words = effect.command.iter();
        let words: Vec<_> = words.map(|word| String::from_utf8_lossy(word)).collect();
        log.lock().unwrap().push(words.join(" "));
    });
    (builder, seen)
}

/// What a server of this kind propagates while it runs these requests, of which none may fail.
pub(crate) async fn effects_of(builder: Builder, lines: &[&str]) -> Vec<String> {
    let (builder, seen) = noting_effects(builder);
    let server = start(builder).await;
    let mut client = Client::new(&server);
    for line in lines {
        let reply = client.call(line).await;
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    std::mem::take(&mut seen.lock().unwrap())
}

/// Sends requests and checks replies, byte by byte.
pub(crate) struct Client {
    pub(crate) io: Box<dyn Io>,
    /// Received and not asked for yet.
    buf: BytesMut,
}

impl Client {
    pub(crate) fn over(io: impl Io + 'static) -> Self {
        Self {
            io: Box::new(io),
            buf: BytesMut::new(),
        }
    }

    /// A connection in memory.
    pub(crate) fn new(server: &Server) -> Self {
        Self::over(server.connect())
    }

    /// A connection over TCP.
    pub(crate) async fn tcp(server: &Server) -> Self {
        Self::over(TcpStream::connect(server.addr()).await.unwrap())
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
        self.io.flush().await.unwrap();
    }

    /// Sends an array of bulk strings.
    pub(crate) async fn request<A: AsRef<[u8]>>(&mut self, args: impl AsRef<[A]>) {
        self.send(request(args)).await;
    }

    /// Sends an inline command, and returns its reply as it came over the wire.
    pub(crate) async fn call(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.reply().await
    }

    /// The next frame, as it came over the wire.
    pub(crate) async fn reply(&mut self) -> String {
        String::from_utf8_lossy(&self.frame().await).into_owned()
    }

    /// The bytes of the next frame.
    pub(crate) async fn frame(&mut self) -> Bytes {
        let frame = self.frame_or_end().await;
        frame.unwrap_or_else(|| panic!("closed before a reply: {:?}", self.buf))
    }

    /// The bytes of the next frame, unless the stream ends before it does.
    pub(crate) async fn frame_or_end(&mut self) -> Option<Bytes> {
        let mut decoder = FrameDecoder::new(Limits::client());
        loop {
            let whole = decoder
                .decode(&self.buf)
                .unwrap()
                .map(|frame| frame.frame_len());
            if let Some(len) = whole {
                return Some(self.buf.split_to(len).freeze());
            }
            if self.read().await == 0 {
                return None;
            }
        }
    }

    /// Waits until exactly these bytes have come.
    pub(crate) async fn expect(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        while self.buf.len() < expected.len() && expected.starts_with(&self.buf) {
            if self.read().await == 0 {
                break;
            }
        }
        let got = &self.buf[..self.buf.len().min(expected.len())];
        assert_eq!(
            String::from_utf8_lossy(got),
            String::from_utf8_lossy(expected)
        );
        let _ = self.buf.split_to(expected.len());
    }

    /// Sends an inline command and checks its reply.
    #[track_caller]
    pub(crate) fn check(&mut self, line: &str, expected: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let got = self.call(line).await;
            assert_eq!(got, expected, "reply to {line:?}, asked at {caller}");
        }
    }

    /// Waits for the end of the stream; nothing may come before it.
    pub(crate) async fn expect_closed(&mut self) {
        while self.read().await > 0 {}
        assert_eq!(String::from_utf8_lossy(&self.buf), "");
    }

    /// What is left until the end of the stream.
    pub(crate) async fn rest(&mut self) -> String {
        while self.read().await > 0 {}
        String::from_utf8_lossy(&self.buf.split()).into_owned()
    }

    /// How many bytes came; 0 at the end of the stream.
    async fn read(&mut self) -> usize {
        let read = tokio::time::timeout(PATIENCE, self.io.read_buf(&mut self.buf));
        match read.await {
            Ok(Ok(len)) => len,
            // What a socket says when the server closed it with unread bytes.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Ok(Err(error)) => panic!("{error}"),
            Err(_) => panic!("nothing came after {:?}", self.buf),
        }
    }
}

/// An array of bulk strings.
pub(crate) fn request<A: AsRef<[u8]>>(args: impl AsRef<[A]>) -> Vec<u8> {
    let args = args.as_ref();
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A bulk string.
pub(crate) fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// A connection that waits for a key; returns when the server knows.
pub(crate) async fn waiting(server: &Server, line: &str) -> Client {
    let mut client = Client::new(server);
    let id = client.call("CLIENT ID").await;
    client.send(format!("{line}\r\n")).await;
    let mut asker = Client::new(server);
    let question = format!("CLIENT LIST ID {}", id[1..].trim());
    while !asker.call(&question).await.contains(" flags=b ") {}
    client
}

/// An array of bulk strings as a reply; in RESP2 a set too.
pub(crate) fn bulks(texts: &[&str]) -> String {
    let header = format!("*{}\r\n", texts.len());
    texts.iter().fold(header, |frame, text| frame + &bulk(text))
}

/// A directory of the test's own, which goes with the value.
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("kv-server-{}-{number}", std::process::id()));
        // Whatever a killed run with the same number has left.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("dump.rdb")
    }

    pub(crate) fn server(&self) -> Builder {
        Server::builder().snapshot(self.file())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
