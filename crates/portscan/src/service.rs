//! What an open port says by itself, and the certificate it shows. Each question has a deadline.

use std::{
    fmt,
    future::Future,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use crate::event::Service;

/// What is asked of an open port.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    pub(crate) banner: bool,
    pub(crate) tls: bool,
    /// The time for each question.
    pub(crate) timeout: Duration,
}

impl Look {
    pub(crate) fn is_wanted(self) -> bool {
        self.banner || self.tls
    }
}

/// A question under way; yields the place of its host with the answer.
pub(crate) type Looking = Pin<Box<dyn Future<Output = (usize, Service)> + Send + Sync>>;

/// Asks an open port, over the connection that found it open or else over a new one.
pub(crate) fn look(
    look: Look,
    host: usize,
    to: SocketAddr,
    name: Option<Arc<str>>,
    socket: Option<OwnedFd>,
) -> Looking {
    Box::pin(async move {
        let mut service = Service {
            addr: to.ip(),
            port: to.port(),
            banner: None,
            tls_subject: None,
        };
        let mut stream = socket.and_then(|socket| TcpStream::from_std(socket.into()).ok());
        if look.banner {
            if stream.is_none() {
                stream = connect(to, look.timeout).await;
            }
            if let Some(stream) = &mut stream {
                service.banner = banner(stream, look.timeout).await;
            }
        }
        // A service that speaks first does not speak TLS.
        if look.tls && service.banner.is_none() {
            if stream.is_none() {
                stream = connect(to, look.timeout).await;
            }
            if let Some(stream) = stream {
                service.tls_subject = tls_subject(stream, to.ip(), name, look.timeout).await;
            }
        }
        (host, service)
    })
}

async fn connect(to: SocketAddr, limit: Duration) -> Option<TcpStream> {
    timeout(limit, TcpStream::connect(to)).await.ok()?.ok()
}

async fn banner(stream: &mut TcpStream, limit: Duration) -> Option<String> {
    let mut bytes = [0; BANNER_BYTES];
    let len = timeout(limit, stream.read(&mut bytes))
        .await
        .ok()?
        .ok()
        .filter(|&len| len > 0)?;
    Some(Escaped(&bytes[..len]).to_string())
}

#[cfg(feature = "tls")]
async fn tls_subject(
    stream: TcpStream,
    addr: IpAddr,
    name: Option<Arc<str>>,
    limit: Duration,
) -> Option<String> {
    crate::tls::subject(stream, addr, name.as_deref(), limit).await
}

#[cfg(not(feature = "tls"))]
async fn tls_subject(_: TcpStream, _: IpAddr, _: Option<Arc<str>>, _: Duration) -> Option<String> {
    None
}

/// Bytes from the network as text that does no harm on a terminal: printable ASCII and UTF-8 as it is, without the line end.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.trim_ascii_end().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())?
                } else {
                    write!(f, "{c}")?
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// The longest banner that is read.
const BANNER_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banner_cannot_move_the_cursor() {
        let banner = Escaped(b"SSH-2.0-x \x1b[2J\xff\xc3\xa9\tok\r\n").to_string();
        assert_eq!(banner, "SSH-2.0-x \\u{1b}[2J\\xff\u{e9}\\tok");
    }
}
