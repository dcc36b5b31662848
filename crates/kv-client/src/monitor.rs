//! MONITOR: [`Monitor`], a stream of the commands that a server runs.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use resp_codec::FrameDecoder;
use tokio::io::AsyncReadExt;

use crate::client::{Client, Servers};
use crate::config::{Config, Stream as Transport};
use crate::connection::handshake::{Established, Peer, establish};
use crate::error::{Error, ErrorKind, Outcome, ReplyError, Result};
use crate::reply::Reply;
use crate::request::Request;

/// A stream of the commands that all clients of a server run; see [`Client::monitor`].
#[must_use = "dropping it ends it"]
pub struct Monitor {
    stream: Box<dyn Transport>,
    input: BytesMut,
    decoder: FrameDecoder,
    addr: String,
    ended: bool,
}

/// A command that a server has run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Monitored {
    /// When.
    pub at: SystemTime,
    /// In which database.
    pub db: u32,
    /// For whom: the address of a client, `unix:` and a path, or `lua` if it was a script.
    pub client: String,
    /// Its name and its arguments. The server leaves out those of AUTH and the like.
    pub args: Vec<Bytes>,
}

impl Client {
    /// [MONITOR](https://redis.io/docs/latest/commands/monitor/): the commands that all clients run, as they run them, over
    /// a connection of its own.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// let mut commands = client.monitor().await?;
    /// while let Some(command) = commands.next().await {
    ///     let command = command?;
    ///     println!("{}: {:?}", command.client, command.args);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// It slows the server down. A reader that does not keep up is disconnected by the server, which ends the stream with
    /// an error, as any lost connection does. In a cluster, ask one of [`cluster_nodes`](Self::cluster_nodes).
    ///
    /// # Errors
    ///
    /// If the server cannot be reached within [`Config::connect_timeout`](crate::Config::connect_timeout), or refuses.
    pub async fn monitor(&self) -> Result<Monitor> {
        let node = match &self.inner.servers {
            Servers::One(node) => node,
            Servers::Cluster(_) => {
                let instead = "ask one of Client::cluster_nodes";
                return Err(
                    Error::new(ErrorKind::OneNode { instead }, Outcome::NotSent).of("MONITOR")
                );
            }
        };
        if self.is_closed() {
            return Err(Error::new(ErrorKind::Closed, Outcome::NotSent).of("MONITOR"));
        }
        let config = &Config {
            caching: None,
            ..(*node.config).clone()
        };
        let established = establish(config, &node.session()).await?;
        let (addr, version) = (established.peer.clone(), established.version);
        let mut peer = Peer::resume(config, established);
        let request = Request::new("MONITOR");
        let asking = tokio::time::timeout(config.connect_timeout, peer.ask(&request));
        match asking.await {
            Ok(Ok(Reply::Error(error))) => return Err(Error::server(error).of("MONITOR")),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error.of("MONITOR")),
            Err(_) => return Err(lost(&addr, io::ErrorKind::TimedOut.into()).of("MONITOR")),
        }
        let Established { stream, input, .. } = peer.established(version);
        Ok(Monitor {
            stream,
            input,
            decoder: FrameDecoder::new(config.limits),
            addr,
            ended: false,
        })
    }
}

impl Monitor {
    /// The next command; `None` at the end, which an error has announced.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Monitored>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Monitored>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            while !self.input.is_empty() {
                match self.decoder.decode_owned(&mut self.input) {
                    Ok(Some(frame)) => match Reply::from_owned(frame) {
                        Reply::Simple(line) => {
                            let parsed = parse(&line).ok_or_else(|| {
                                let got = String::from_utf8_lossy(&line).into_owned();
                                Error::reply(ReplyError::new("a command with its time", got))
                                    .of("MONITOR")
                            });
                            return Poll::Ready(Some(parsed));
                        }
                        // A push is not of interest here.
                        _ => continue,
                    },
                    Ok(None) => break,
                    Err(source) => {
                        self.ended = true;
                        let addr = self.addr.clone();
                        let error = Error::new(
                            ErrorKind::Protocol { addr, source },
                            Outcome::MaybeExecuted,
                        );
                        return Poll::Ready(Some(Err(error.of("MONITOR"))));
                    }
                }
            }
            self.input.reserve(4096);
            let read = std::pin::pin!(self.stream.read_buf(&mut self.input));
            match ready!(std::future::Future::poll(read, cx)) {
                Ok(0) => return self.end(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => return self.end(error),
            }
        }
    }

    fn end(&mut self, error: io::Error) -> Poll<Option<Result<Monitored>>> {
        self.ended = true;
        Poll::Ready(Some(Err(lost(&self.addr, error).of("MONITOR"))))
    }
}

impl Stream for Monitor {
    type Item = Result<Monitored>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Monitored>>> {
        self.poll(cx)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

fn lost(addr: &str, source: io::Error) -> Error {
    let kind = ErrorKind::Lost {
        addr: addr.to_owned(),
        source: Arc::new(source),
    };
    Error::new(kind, Outcome::MaybeExecuted)
}

/// Reads `1339518083.107412 [0 127.0.0.1:60866] "set" "k" "a\r\n"`.
fn parse(line: &[u8]) -> Option<Monitored> {
    let open = line.iter().position(|&byte| byte == b'[')?;
    let close = open + line[open..].iter().position(|&byte| byte == b']')?;
    // An IPv6 address has brackets of its own.
    let close = match line.get(close + 1) {
        Some(b':') => close + 1 + line[close + 1..].iter().position(|&byte| byte == b']')?,
        _ => close,
    };
    let (seconds, micros) = std::str::from_utf8(&line[..open])
        .ok()?
        .trim()
        .split_once('.')?;
    let since =
        Duration::from_secs(seconds.parse().ok()?) + Duration::from_micros(micros.parse().ok()?);
    let (db, client) = std::str::from_utf8(&line[open + 1..close])
        .ok()?
        .split_once(' ')?;
    Some(Monitored {
        at: SystemTime::UNIX_EPOCH.checked_add(since)?,
        db: db.parse().ok()?,
        client: client.to_owned(),
        args: unquote(line.get(close + 1..)?)?,
    })
}

/// Reads words in quotes, as the server writes them: `\"`, `\\`, `\n`, `\r`, `\t`, `\a`, `\b` and `\x00`.
fn unquote(text: &[u8]) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    let mut rest = text.iter();
    loop {
        match rest.next() {
            None => return Some(words),
            Some(b' ') => continue,
            Some(b'"') => {}
            Some(_) => return None,
        }
        let mut word = Vec::new();
        loop {
            match rest.next()? {
                b'"' => break,
                b'\\' => word.push(match rest.next()? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 7,
                    b'b' => 8,
                    b'x' => {
                        let digits = [*rest.next()?, *rest.next()?];
                        u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                    }
                    &other => other,
                }),
                &byte => word.push(byte),
            }
        }
        words.push(word.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_is_in_it() {
        let line = br#"1339518083.107412 [3 127.0.0.1:60866] "set" "a \"b\"" "\x00\xff\r\n\\" """#;
        let command = parse(line).unwrap();
        assert_eq!(
            (command.db, command.client.as_str()),
            (3, "127.0.0.1:60866")
        );
        assert_eq!(
            command.at,
            SystemTime::UNIX_EPOCH + Duration::from_micros(1_339_518_083_107_412)
        );
        assert_eq!(
            command.args,
            [&b"set"[..], b"a \"b\"", b"\0\xff\r\n\\", b""]
        );
        for (line, client) in [
            (&br#"1.000001 [0 [::1]:6379] "get" "[x]""#[..], "[::1]:6379"),
            (br#"1.000001 [0 lua] "get" "k""#, "lua"),
            (
                br#"1.000001 [0 unix:/run/redis.sock] "ping""#,
                "unix:/run/redis.sock",
            ),
        ] {
            assert_eq!(parse(line).unwrap().client, client);
        }
    }

    #[test]
    fn a_line_that_is_something_else_is_none_and_no_panic() {
        for line in [
            "",
            "OK",
            "1.0 [",
            "1.0 []",
            "1.0 [0 a]x",
            "1.0 [0 a] \"",
            "1.0 [0 a] \"\\x",
            "1.0 [0 a] \"\\xzz\"",
            "x.y [0 a] \"b\"",
        ] {
            assert!(parse(line.as_bytes()).is_none(), "{line}");
        }
    }
}
