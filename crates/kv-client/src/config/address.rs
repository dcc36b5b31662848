//! Where servers are: [`Address`], and [`Connector`] for streams of the caller's own.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A host, by name or address, and a port.
    Tcp {
        /// A name, an IPv4 or an IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// Streams that the caller makes.
    Custom(Connector),
    /// A cluster: some of its nodes, by host and port, which are asked for the others.
    Cluster(Vec<(String, u16)>),
    /// Whichever server is the primary of a service, as its sentinels say.
    Sentinel {
        /// The name of the service, the *master name* in sentinel.conf.
        service: String,
        /// The sentinels, by host and port.
        sentinels: Vec<(String, u16)>,
    },
}

/// Makes the streams of [`Address::Custom`]; see [`Config::connector`](crate::Config::connector).
#[derive(Clone)]
pub struct Connector(Arc<dyn Fn() -> Dialing + Send + Sync>);

/// See [`Config::map_addresses`](crate::Config::map_addresses).
#[derive(Clone)]
pub(crate) struct AddressMap(Arc<MapAddress>);

type MapAddress = dyn Fn(&str, u16) -> (String, u16) + Send + Sync;

impl AddressMap {
    pub(crate) fn new(map: impl Fn(&str, u16) -> (String, u16) + Send + Sync + 'static) -> Self {
        Self(Arc::new(map))
    }

    /// Where a node is reached that says that it is there.
    pub(crate) fn reach(&self, host: &str, port: u16) -> (String, u16) {
        (self.0)(host, port)
    }
}

impl fmt::Debug for AddressMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressMap")
    }
}

type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Whatever bytes go through.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connector {
    /// See [`Config::connector`](crate::Config::connector).
    pub fn new<F, S, Fut>(connect: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self(Arc::new(move || {
            let dialing = connect();
            Box::pin(async move { Ok(Box::new(dialing.await?) as Box<dyn Stream>) })
        }))
    }

    pub(crate) fn dial(&self) -> Dialing {
        (self.0)()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl PartialEq for Connector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Connector {}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Custom(_) => f.write_str("the caller's stream"),
            Self::Cluster(seeds) => write_list(f, seeds),
            Self::Sentinel { service, .. } => write!(f, "the primary of {service}"),
        }
    }
}

/// `host:port,host:port`
fn write_list(f: &mut fmt::Formatter<'_>, list: &[(String, u16)]) -> fmt::Result {
    for (position, (host, port)) in list.iter().enumerate() {
        let comma = if position > 0 { "," } else { "" };
        match host.contains(':') {
            true => write!(f, "{comma}[{host}]:{port}")?,
            false => write!(f, "{comma}{host}:{port}")?,
        }
    }
    Ok(())
}
