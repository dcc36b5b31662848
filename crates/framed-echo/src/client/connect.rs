//! Getting a connection: name to addresses to stream.

use std::{fmt, io, net::SocketAddr, pin::Pin, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};

use super::{Config, link::Link};

/// Any stream, once it is connected.
pub(super) trait Io: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

pub(super) type BoxedIo = Pin<Box<dyn Io>>;

pub(super) fn boxed(io: impl Io + 'static) -> BoxedIo {
    Box::pin(io)
}

/// Where to connect to.
pub(super) enum Target {
    Tcp(String),
    #[cfg(feature = "tls")]
    Tls(
        String,
        tokio_rustls::rustls::pki_types::ServerName<'static>,
        tokio_rustls::TlsConnector,
    ),
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "Tcp({address})"),
            #[cfg(feature = "tls")]
            Self::Tls(address, ..) => write!(f, "Tls({address})"),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "Unix({})", path.display()),
        }
    }
}

impl Target {
    pub(super) async fn connect(&self) -> io::Result<BoxedIo> {
        match self {
            Self::Tcp(address) => Ok(boxed(happy_eyeballs(address).await?)),
            #[cfg(feature = "tls")]
            Self::Tls(address, name, connector) => {
                let stream = happy_eyeballs(address).await?;
                Ok(boxed(connector.connect(name.clone(), stream).await?))
            }
            #[cfg(unix)]
            Self::Unix(path) => Ok(boxed(tokio::net::UnixStream::connect(path).await?)),
        }
    }
}

/// Makes a new connection whenever one is needed.
pub(super) struct Connector(Box<dyn FnMut() -> BoxFuture<'static, io::Result<BoxedIo>> + Send>);

impl Connector {
    pub(super) fn new<F>(mut connect: impl FnMut() -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<BoxedIo>> + Send + 'static,
    {
        Self(Box::new(move || Box::pin(connect())))
    }

    /// Connects and says hello.
    pub(super) fn link(
        &mut self,
        config: &Config,
    ) -> impl Future<Output = io::Result<Link>> + use<> {
        let (connected, config) = ((self.0)(), config.clone());
        async move {
            let linked = async { Link::open(connected.await?, &config).await };
            tokio::time::timeout(config.connect_timeout, linked).await?
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// How long an attempt has to itself before the next address is tried beside it; the value that RFC 8305 recommends.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

async fn happy_eyeballs(address: &str) -> io::Result<TcpStream> {
    let mut addresses = interleave(lookup_host(address).await?.collect()).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address"));
    loop {
        match addresses.next() {
            Some(address) => attempts.push(TcpStream::connect(address)),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        let next = async {
            match addresses.len() {
                0 => std::future::pending().await,
                _ => tokio::time::sleep(ATTEMPT_DELAY).await,
            }
        };
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failure = error,
            },
            () = next => {}
        }
    }
}

/// IPv6 and IPv4 in turn, beginning with the family that the resolver put first.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut a, mut b): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|a| a.is_ipv6() == first_is_v6);
    let mut mixed = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.drain(..), b.drain(..));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return mixed,
            (x, y) => mixed.extend(x.into_iter().chain(y)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter()
                .map(|a| a.parse().expect("an address"))
                .collect()
        };
        let mixed = interleave(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1"]));
        assert_eq!(
            mixed,
            parse(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"])
        );
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        // `localhost` may be ::1 as well, where nobody listens.
        let stream = happy_eyeballs(&format!("localhost:{port}"))
            .await
            .expect("one family answers");
        assert_eq!(stream.peer_addr().expect("connected").port(), port);
    }

    #[tokio::test]
    async fn the_last_failure_is_reported_when_all_fail() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        drop(listener);
        let error = happy_eyeballs(&address).await.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
