//! Opening the stream to a server.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::config::{Address, Config, Stream};

/// Opens a stream to the one server of `config`.
///
/// A host name may have several addresses; they are tried one after the other.
pub(crate) async fn dial(config: &Config) -> io::Result<Box<dyn Stream>> {
    match &config.address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            if let Some(interval) = config.keepalive {
                keep_alive(&stream, interval)?;
            }
            #[cfg(feature = "tls")]
            if let Some(tls) = &config.tls {
                return tls.connect(host, stream).await;
            }
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
        Address::Cluster(_) | Address::Sentinel { .. } => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "several servers are no single one",
        )),
    }
}

/// Has the system ask for signs of life, which a server gives also while a command blocks.
fn keep_alive(stream: &TcpStream, interval: Duration) -> io::Result<()> {
    let interval = interval.max(Duration::from_secs(1)); // whole seconds
    let keepalive = TcpKeepalive::new().with_time(interval);
    #[cfg(any(
        target_os = "linux",
        target_os = "macos",
        target_os = "android",
        windows
    ))]
    let keepalive = keepalive.with_interval(interval);
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "android"))]
    let keepalive = keepalive.with_retries(2);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
