//! Getting a connection, and saying hello on it.

use std::{fmt, io, pin::Pin};

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Config, eyeballs::happy_eyeballs, link::Link};

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
