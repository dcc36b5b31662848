//! Where connections come from.

use std::{fmt, future::ready, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::{TcpListener, TcpStream};
#[cfg(feature = "tls")]
use tokio_rustls::TlsAcceptor;
use tracing::warn;

use super::{Handler, server::Inner};

/// An address to listen on.
pub(super) enum Bind {
    Tcp(String),
    #[cfg(feature = "tls")]
    Tls(String, TlsAcceptor),
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

impl fmt::Debug for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "Tcp({address})"),
            #[cfg(feature = "tls")]
            Self::Tls(address, _) => write!(f, "Tls({address})"),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "Unix({})", path.display()),
        }
    }
}

/// An address that is listened on.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A bound socket that accepts connections.
pub(super) struct Listener {
    bound: Bound,
    socket: Socket,
}

impl Drop for Listener {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Bound::Unix(path) = &self.bound {
            let _ = std::fs::remove_file(path); // somebody else may have removed it
        }
    }
}

enum Socket {
    Tcp(TcpListener),
    #[cfg(feature = "tls")]
    Tls(TcpListener, TlsAcceptor),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

/// How long to wait when a connection cannot be accepted, for want of file descriptors as a rule.
const PAUSE: Duration = Duration::from_millis(100);

impl Bind {
    /// # Errors
    ///
    /// The system's, with the address in the text.
    pub(super) async fn listen(self) -> io::Result<Listener> {
        let address = match &self {
            Self::Tcp(address) => address.clone(),
            #[cfg(feature = "tls")]
            Self::Tls(address, _) => address.clone(),
            #[cfg(unix)]
            Self::Unix(path) => path.display().to_string(),
        };
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        };
        self.bind().await.map_err(named)
    }

    async fn bind(self) -> io::Result<Listener> {
        let (bound, socket) = match self {
            Self::Tcp(address) => {
                let socket = TcpListener::bind(address).await?;
                (Bound::Tcp(socket.local_addr()?), Socket::Tcp(socket))
            }
            #[cfg(feature = "tls")]
            Self::Tls(address, acceptor) => {
                let socket = TcpListener::bind(address).await?;
                (
                    Bound::Tcp(socket.local_addr()?),
                    Socket::Tls(socket, acceptor),
                )
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let socket = bind_unix(&path)?;
                (Bound::Unix(path), Socket::Unix(socket))
            }
        };
        Ok(Listener { bound, socket })
    }
}

impl Listener {
    pub(super) fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Accepts until the server drains.
    pub(super) async fn run<H: Handler>(self, server: Arc<Inner<H>>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.accept(&server) => accepted,
                () = server.draining.cancelled() => return,
            };
            if let Err(error) = accepted {
                warn!(%error, "cannot accept a connection");
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = server.draining.cancelled() => return,
                }
            }
        }
    }

    async fn accept<H: Handler>(&self, server: &Arc<Inner<H>>) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(socket) => {
                let (stream, address) = accept_tcp(socket).await?;
                server.serve(ready(Ok(stream)), address.to_string());
            }
            #[cfg(feature = "tls")]
            Socket::Tls(socket, acceptor) => {
                let (stream, address) = accept_tcp(socket).await?;
                server.serve(acceptor.accept(stream), address.to_string());
            }
            #[cfg(unix)]
            Socket::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                server.serve(ready(Ok(stream)), self.bound.to_string());
            }
        }
        Ok(())
    }
}

async fn accept_tcp(socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, address) = socket.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, address))
}

/// Binds a Unix socket, in the place of one that a killed process has left behind if need be.
#[cfg(unix)]
fn bind_unix(path: &std::path::Path) -> io::Result<tokio::net::UnixListener> {
    let bound = tokio::net::UnixListener::bind(path);
    match &bound {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        _ => return bound,
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)?;
            tokio::net::UnixListener::bind(path)
        }
        _ => bound,
    }
}
