//! What no client can be below: the same bytes over the same runtime's socket, with nothing understood of them.

use std::sync::Arc;

use benches::flags::Result;
use bytes::BytesMut;
use resp_codec::write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::peers::{Inbox, Peer};

/// For one task at a time.
#[derive(Clone)]
pub(crate) struct Bare(Arc<Mutex<Socket>>);

struct Socket {
    stream: TcpStream,
    request: BytesMut,
    reply: Vec<u8>,
}

impl Socket {
    fn push(&mut self, args: &[&[u8]]) {
        write::request_header(&mut self.request, args.len());
        for arg in args {
            write::bulk(&mut self.request, arg);
        }
    }

    /// Sends what was pushed, and reads replies of `len` bytes in all, as the first `len` says it.
    async fn ask(&mut self, len: impl Fn(&[u8]) -> Option<usize>) -> Result<()> {
        self.stream.write_all(&self.request).await?;
        self.request.clear();
        let mut got = 0;
        while len(&self.reply[..got]).is_none_or(|len| got < len) {
            match self.stream.read(&mut self.reply[got..]).await? {
                0 => return Err("closed by the server".into()),
                n => got += n,
            }
        }
        Ok(())
    }
}

/// The length of the bulk string that `reply` starts with, and its bytes on the wire.
fn bulk(reply: &[u8]) -> Option<(usize, usize)> {
    let header = reply.iter().position(|&byte| byte == b'\n')? + 1;
    let len: usize = std::str::from_utf8(&reply[1..header - 2])
        .ok()?
        .parse()
        .ok()?;
    Some((len, header + len + 2))
}

impl Peer for Bare {
    const NAME: &'static str = "(socket)";

    async fn open(url: &str) -> Result<Self> {
        let addr = url
            .strip_prefix("redis://")
            .ok_or("the url is no redis://")?;
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self(Arc::new(Mutex::new(Socket {
            stream,
            request: BytesMut::new(),
            reply: vec![0; 128 * 1024],
        }))))
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        let mut socket = self.0.lock().await;
        socket.push(&[b"SET", key.as_bytes(), value]);
        socket.ask(|_| Some("+OK\r\n".len())).await
    }

    async fn get(&self, key: &str) -> Result<usize> {
        self.pipeline(key, 1).await
    }

    async fn pipeline(&self, key: &str, count: usize) -> Result<usize> {
        let mut socket = self.0.lock().await;
        for _ in 0..count {
            socket.push(&[b"GET", key.as_bytes()]);
        }
        socket
            .ask(|reply| bulk(reply).map(|(_, wire)| wire * count))
            .await?;
        Ok(bulk(&socket.reply).map_or(0, |(len, _)| len * count))
    }

    async fn mget(&self, keys: &[String]) -> Result<usize> {
        let mut socket = self.0.lock().await;
        let args: Vec<&[u8]> = std::iter::once(&b"MGET"[..])
            .chain(keys.iter().map(String::as_bytes))
            .collect();
        socket.push(&args);
        let header = format!("*{}\r\n", keys.len()).len();
        let first = |reply: &[u8]| bulk(reply.get(header..)?);
        socket
            .ask(|reply| first(reply).map(|(_, wire)| header + wire * keys.len()))
            .await?;
        Ok(first(&socket.reply).map_or(0, |(len, _)| len * keys.len()))
    }

    async fn receive(&self, _url: &str, _inbox: Inbox<'_>) -> Result<()> {
        Err("it reads replies only".into())
    }
}
