//! Opening the stream to a server.

use std::io;

use tokio::net::TcpStream;

use crate::config::{Address, Stream};

/// Opens a stream to `address`.
///
/// A host name may have several addresses; they are tried one after the other.
pub(crate) async fn dial(address: &Address) -> io::Result<Box<dyn Stream>> {
    match address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        #[cfg(unix)]
        Address::Unix(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system has no Unix sockets",
        )),
        Address::Custom(connector) => connector.dial().await,
        Address::Cluster(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a cluster is no single server",
        )),
    }
}
